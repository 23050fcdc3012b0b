//! The environment variables of a runtime. The host's own never reach a function, except for the end of `PATH`.
//!
//! Source of names and values: Lambda Developer Guide, "Defined runtime environment variables", and recordings.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use hearth_types::{InitializationType, LogFormat, RuntimeFamily};

use crate::boot::{BootRequest, Paths};

/// What is given when nobody has made keys for the environment: SDKs refuse to start without keys, or go looking
/// for them elsewhere.
const NO_KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "ASIAHEARTHNOROLE0000"),
    ("AWS_SECRET_ACCESS_KEY", "hearth/has/no/role/for/this/function0000"),
    ("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2VjHearthHasNoRoleForThisFunction00000000000000000000000000000="),
];

/// Where AWS has the runtime client and the SDK.
const RUNTIME_DIR: &str = "/var/runtime";
/// AWS's `PATH` behind the folder of the interpreter, and before that of the layers' programs.
const AWS_PATH: &str = "/usr/local/bin:/usr/bin/:/bin";

/// Where things are on this host, as far as variables show it.
pub(crate) struct Places<'a> {
    /// The interpreter, if there is one.
    pub(crate) interpreter: Option<&'a Path>,
    /// The folder of the runtime client, if there is one.
    pub(crate) client: Option<&'a Path>,
    /// The folder of the runtime package's libraries, if it has any.
    pub(crate) libraries: Option<&'a Path>,
    /// The host's `PATH`.
    pub(crate) host_path: &'a OsStr,
}

/// Returns all variables, sorted by name.
pub(crate) fn variables(request: &BootRequest<'_>, places: &Places<'_>) -> Vec<(OsString, OsString)> {
    let mut variables: BTreeMap<OsString, OsString> = BTreeMap::new();
    set(&mut variables, defaults(request, places));
    for (name, value) in request.user_variables.into_iter().flatten() {
        if !name.starts_with('_') {
            variables.insert(name.into(), value.into());
        }
    }
    // Last, so that nobody can override them.
    set(&mut variables, reserved(request, places));
    variables.into_iter().collect()
}

/// What of the function's variables an external extension does not get. Source: AWS's open runtime interface emulator, read
/// 2026-11.
const NOT_FOR_EXTENSIONS: [&str; 7] = [
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// Returns the variables of an external extension: the function's, its author's own ones included, without those that
/// concern only the runtime.
pub(crate) fn of_extension(mut variables: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    variables.retain(|(name, _)| {
        let bytes = name.as_encoded_bytes();
        !bytes.starts_with(b"_") && !NOT_FOR_EXTENSIONS.iter().any(|known| known.as_bytes() == bytes)
    });
    variables
}

fn set(variables: &mut BTreeMap<OsString, OsString>, more: Vec<(&'static str, OsString)>) {
    variables.extend(more.into_iter().map(|(name, value)| (OsString::from(name), value)));
}

/// What the user may override.
fn defaults(request: &BootRequest<'_>, places: &Places<'_>) -> Vec<(&'static str, OsString)> {
    let root = request.task_root();
    let opt = request.opt_root();
    let mut variables = vec![
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".into()),
        ("AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000".into()),
        ("LANG", "en_US.UTF-8".into()),
        // AWS's value without the folders of the system: this host's loader knows its own.
        ("LD_LIBRARY_PATH", joined([root, &root.join("lib"), &opt.join("lib")])),
        ("PATH", path(&opt.join("bin"), places, request.paths)),
        ("TZ", ":UTC".into()),
    ];
    // Whoever names another one, or one for a single service, means it: SDKs prefer the latter by themselves.
    if let Some(endpoint_url) = request.credentials.and_then(|keys| keys.endpoint_url.as_deref()) {
        variables.push(("AWS_ENDPOINT_URL", endpoint_url.into()));
    }
    if request.log_format == LogFormat::Json {
        variables.push(("AWS_LAMBDA_LOG_FORMAT", "JSON".into()));
    }
    if let Some(level) = request.log_level {
        variables.push(("AWS_LAMBDA_LOG_LEVEL", level.as_str().into()));
    }
    match request.runtime.family() {
        RuntimeFamily::NodeJs { major } => {
            let runtime = places.libraries.unwrap_or(Path::new(RUNTIME_DIR));
            let of_version = opt.join(format!("nodejs/node{major}/node_modules"));
            let of_all = opt.join("nodejs/node_modules");
            let modules = runtime.join("node_modules");
            variables.push(("NODE_PATH", joined([&*of_version, &of_all, &modules, runtime, root])));
        }
        // From 3.12 on AWS sets the encoding instead.
        RuntimeFamily::Python { minor } if minor >= 12 => variables.push(("LC_CTYPE", "C.UTF-8".into())),
        // Not the folder of the libraries: it would be searched before the standard library at every import. They are
        // on the path by an argument of the client.
        RuntimeFamily::Python { .. } => variables.push(("PYTHONPATH", RUNTIME_DIR.into())),
        RuntimeFamily::Provided | RuntimeFamily::Other => {}
    }
    variables
}

/// What the user cannot override.
fn reserved(request: &BootRequest<'_>, places: &Places<'_>) -> Vec<(&'static str, OsString)> {
    let mut variables: Vec<(&'static str, OsString)> = vec![
        ("AWS_DEFAULT_REGION", request.region.as_str().into()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", request.memory.get().to_string().into()),
        ("AWS_LAMBDA_FUNCTION_NAME", request.function_name.as_str().into()),
        ("AWS_LAMBDA_FUNCTION_VERSION", request.version.to_string().into()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", request.initialization_type.as_str().into()),
        ("AWS_LAMBDA_RUNTIME_API", request.runtime_api.into()),
        ("AWS_REGION", request.region.as_str().into()),
        ("LAMBDA_RUNTIME_DIR", places.libraries.or(places.client).unwrap_or(Path::new(RUNTIME_DIR)).into()),
        ("LAMBDA_TASK_ROOT", request.task_root().into()),
        ("PWD", request.task_root().into()),
        ("SHLVL", "0".into()),
        ("_AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1".into()),
        ("_AWS_XRAY_DAEMON_PORT", "2000".into()),
        ("_HANDLER", request.handler.into()),
    ];
    // Under SnapStart there is none, as on AWS: those that begin from one snapshot have streams of their own.
    if request.initialization_type != InitializationType::SnapStart {
        variables.extend([
            ("AWS_LAMBDA_LOG_GROUP_NAME", request.log_group.as_str().into()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", request.log_stream.as_str().into()),
        ]);
    }
    match request.credentials {
        Some(keys) => variables.extend([
            ("AWS_ACCESS_KEY_ID", keys.access_key_id.clone().into()),
            ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key.clone().into()),
            ("AWS_SESSION_TOKEN", keys.session_token.clone().into()),
        ]),
        None => variables.extend(NO_KEYS.map(|(name, value)| (name, value.into()))),
    }
    // Ours: the only way in which code can know where its layers are, without a mount of its own at `/opt`.
    if let (Some(layers), Paths::Host) = (request.layers_root, request.paths) {
        variables.push(("HEARTH_LAYERS_ROOT", layers.into()));
    }
    // OS-only runtimes have none.
    if request.runtime.family() != RuntimeFamily::Provided {
        variables.push(("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", request.runtime).into()));
    }
    if let Some(fd) = request.log_fd {
        variables.push(("_LAMBDA_TELEMETRY_LOG_FD", fd.to_string().into()));
    }
    variables
}

/// The folder of the interpreter stands where AWS has `/var/lang/bin`. The host's `PATH` follows at the end, because
/// without a root file system of its own a function finds its tools (`git`, `ffmpeg`, …) only there.
fn path(layers: &Path, places: &Places<'_>, paths: Paths) -> OsString {
    let mut folders: Vec<PathBuf> = Vec::new();
    let interpreter = places.interpreter.and_then(Path::parent).map(Path::to_path_buf);
    let known =
        interpreter.into_iter().chain(AWS_PATH.split(':').map(PathBuf::from)).chain([layers.to_owned()]);
    let of_host = match paths {
        Paths::Host => places.host_path,
        Paths::Lambda => OsStr::new(""),
    };
    for folder in known.chain(std::env::split_paths(of_host)) {
        // Relative folders would mean something else in the function's working directory.
        if folder.is_absolute() && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    joined(folders.iter().map(PathBuf::as_path))
}

/// Joins with `:`. (A folder with a `:` in its name cannot be said in such a variable, by nobody.)
fn joined<'a>(folders: impl IntoIterator<Item = &'a Path>) -> OsString {
    let mut joined = OsString::new();
    for folder in folders {
        if !joined.is_empty() {
            joined.push(":");
        }
        joined.push(folder);
    }
    joined
}
