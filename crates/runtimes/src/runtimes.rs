//! The runtimes of a host: made ready once, then asked for the command of each environment.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hearth_types::{Region, Runtime, RuntimeFamily};
use sha2::{Digest, Sha256};

use crate::boot::{BootCommand, BootError, BootRequest, LAYERS_ROOT, Paths, TASK_ROOT};
use crate::bootstrap::Bootstrap;
use crate::clients::{Client, materialise};
use crate::environment_variables::{Places, of_extension, variables};
use crate::interpreters::{Asked, Interpreter, Interpreters, Language, Unavailable};
use crate::packages::manifest::hex;
use crate::packages::{PackageFolder, is_run, with_source};

/// Node.js versions below this one have ES modules of `require` and their detection switched off on Lambda.
const NODE_MAJOR_WITH_MODULE_OPTIONS: u32 = 24;

/// The last argument of a runtime client that is to tell what is imported.
const PROFILE_IMPORTS: &str = "--profile-imports";
/// The last argument of a runtime client that is to stop itself before it does anything for its function. It takes the
/// argument away when it goes on.
pub const WAIT_FOR_INIT: &str = "--wait-for-init";

/// What the runtimes of a host depend on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where Hearth keeps its data. Runtime packages and runtime clients are in `runtimes/` in it.
    pub data_dir: PathBuf,
    /// Where interpreters are looked for, and the end of every function's `PATH`.
    pub path: OsString,
    /// Interpreters that are named rather than looked for.
    pub interpreters: BTreeMap<Runtime, PathBuf>,
}

/// The runtimes of this host.
#[derive(Debug)]
pub struct Runtimes {
    pub(crate) interpreters: Interpreters,
    pub(crate) packages: PackageFolder,
    pub(crate) host_path: OsString,
    node_code_cache: bool,
    prepared: RwLock<HashMap<Runtime, Arc<Prepared>>>,
    /// Held while one is made ready, so that it is done once.
    preparing: Mutex<()>,
}

/// A runtime that is ready.
#[derive(Debug)]
struct Prepared {
    interpreter: Interpreter,
    client: Client,
    /// What stands where AWS has `/var/runtime`, if the package of the runtime has libraries.
    libraries: Option<PathBuf>,
    version: RuntimeVersion,
    /// What of the host's files it consists of.
    files: Vec<PathBuf>,
}

/// The version of a runtime, as `INIT_START` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeVersion {
    /// Such as `python:3.11.v7`. AWS counts its releases behind the `v`; here it is what the interpreter counts.
    pub name: String,
    digest: String,
}

impl RuntimeVersion {
    /// Returns the ARN of the version. It changes with the interpreter and with Hearth's client.
    pub fn arn(&self, region: &Region) -> String {
        format!("arn:aws:lambda:{region}::runtime:{}", self.digest)
    }
}

impl Runtimes {
    /// Looks at nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            interpreters: Interpreters::new(settings.interpreters, settings.path.clone()),
            packages: PackageFolder::new(settings.data_dir.join("runtimes")),
            host_path: settings.path,
            node_code_cache: true,
            prepared: RwLock::default(),
            preparing: Mutex::default(),
        }
    }

    /// Whether the client of Node.js is compiled ahead of all starts. It is, unless this says otherwise.
    pub fn node_code_cache(mut self, is_compiled_ahead: bool) -> Self {
        self.node_code_cache = is_compiled_ahead;
        self
    }

    /// Makes a runtime ready: checks its package, finds its interpreter and puts Hearth's client in place. Blocks, the
    /// first time; a failure is not remembered, because the user may have installed what was missing.
    pub fn prepare(&self, runtime: Runtime) -> Result<(), Unavailable> {
        match runtime.family() {
            RuntimeFamily::NodeJs { .. } | RuntimeFamily::Python { .. } => self.managed(runtime).map(drop),
            RuntimeFamily::Provided if is_run(runtime) => Ok(()),
            RuntimeFamily::Provided | RuntimeFamily::Other => {
                Err(Unavailable { reason: format!("Hearth does not run {runtime}") })
            }
        }
    }

    /// Has the next environment of a runtime look again at what is installed. What runs goes on with what it has.
    pub(crate) fn forget(&self, runtime: Runtime) {
        self.prepared.write().unwrap_or_else(PoisonError::into_inner).remove(&runtime);
    }

    /// Returns the version of a runtime that is ready. An OS-only runtime has one too: that of Hearth.
    pub fn runtime_version(&self, runtime: Runtime) -> Option<RuntimeVersion> {
        if runtime.family() == RuntimeFamily::Provided {
            let name = format!("{}.v1", runtime.as_str().replacen('.', ":", 1));
            let digest = hex(&Sha256::digest(&name));
            return Some(RuntimeVersion { name, digest });
        }
        self.known(runtime).map(|prepared| prepared.version.clone())
    }

    /// Says what to start. Blocks only if the runtime has not been made ready.
    pub fn command(&self, request: &BootRequest<'_>) -> Result<BootCommand, BootError> {
        match request.runtime.family() {
            RuntimeFamily::Provided => self.provided(request),
            RuntimeFamily::NodeJs { .. } | RuntimeFamily::Python { .. } | RuntimeFamily::Other => {
                let prepared = self.managed(request.runtime);
                let prepared = prepared.map_err(|error| BootError::invalid_entrypoint(error.reason))?;
                Ok(self.interpreted(request, &prepared))
            }
        }
    }

    /// Says what to start when the runtime client is to tell what is imported while the function's code is loaded
    /// (`clients/node/imports.js`, `clients/python/imports.py`). It takes the argument away before that; what a runtime of
    /// the function's own imports, nobody knows.
    pub fn command_that_tells_imports(&self, request: &BootRequest<'_>) -> Result<BootCommand, BootError> {
        let mut command = self.command(request)?;
        match request.runtime.family() {
            RuntimeFamily::NodeJs { .. } | RuntimeFamily::Python { .. } => {
                command.args.push(PROFILE_IMPORTS.into());
            }
            RuntimeFamily::Provided | RuntimeFamily::Other => {}
        }
        Ok(command)
    }

    /// Returns what an environment with a root file system of its own has to see of this host for a runtime: the
    /// interpreter with its libraries, and the runtime client. Blocks only if the runtime has not been made ready.
    pub fn files(&self, runtime: Runtime) -> Vec<PathBuf> {
        // A runtime that cannot be made ready says so when its command is asked for.
        let prepared = match runtime.family() {
            RuntimeFamily::NodeJs { .. } | RuntimeFamily::Python { .. } => self.managed(runtime),
            RuntimeFamily::Provided | RuntimeFamily::Other => return vec![],
        };
        let Ok(prepared) = prepared else { return vec![] };
        prepared.files.clone()
    }

    /// Returns the environment variables of the function's external extensions.
    pub fn extension_variables(&self, request: &BootRequest<'_>) -> Vec<(OsString, OsString)> {
        // A runtime that cannot be started fails the Init; its extensions start before that.
        let variables = self.command(request).map(|command| command.environment).unwrap_or_else(|_| {
            let nowhere =
                Places { interpreter: None, client: None, libraries: None, host_path: &self.host_path };
            variables(request, &nowhere)
        });
        of_extension(variables)
    }

    fn known(&self, runtime: Runtime) -> Option<Arc<Prepared>> {
        self.prepared.read().unwrap_or_else(PoisonError::into_inner).get(&runtime).cloned()
    }

    fn managed(&self, runtime: Runtime) -> Result<Arc<Prepared>, Unavailable> {
        if let Some(prepared) = self.known(runtime) {
            return Ok(prepared);
        }
        let _preparing = self.preparing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = self.known(runtime) {
            return Ok(prepared);
        }
        let package = self.packages.open(runtime);
        let package = package.map_err(|damaged| Unavailable { reason: damaged.way_out() })?;
        let packaged = package.as_ref().and_then(|package| package.program.as_deref());
        let interpreter = self.interpreters.find(runtime, packaged, &mut Asked::default())?;
        let client = materialise(self.packages.path(), &interpreter, self.node_code_cache);
        let client = client.map_err(|error| Unavailable {
            reason: format!("{runtime} cannot be made ready: {}", with_source(&error)),
        })?;
        self.packages.note_host(runtime, &interpreter, package.as_ref());
        let libraries = package.and_then(|package| package.libraries);
        let program = interpreter.program.display();
        tracing::info!(%runtime, version = interpreter.version, interpreter = %program, "runtime ready");
        let version = RuntimeVersion {
            name: version_name(runtime, &interpreter.version),
            digest: version_digest(&client, libraries.as_deref()),
        };
        let mut files = interpreter.files();
        files.push(client.folder.clone());
        files.extend(libraries.clone());
        let prepared = Arc::new(Prepared { interpreter, client, libraries, version, files });
        let mut all = self.prepared.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(runtime, Arc::clone(&prepared));
        Ok(prepared)
    }

    fn interpreted(&self, request: &BootRequest<'_>, prepared: &Prepared) -> BootCommand {
        let Prepared { interpreter, client, libraries, .. } = prepared;
        let places = Places {
            interpreter: Some(&interpreter.program),
            client: Some(&client.folder),
            libraries: libraries.as_deref(),
            host_path: &self.host_path,
        };
        let mut args: Vec<OsString> = match &interpreter.language {
            Language::NodeJs { has_module_options } => node_options(request, *has_module_options),
            Language::Python { is_virtual, .. } => python_options(*is_virtual),
        };
        args.push(client.bootstrap.clone().into());
        if let Language::Python { site_paths, .. } = &interpreter.language {
            // Behind the standard library, where they cost nothing until a module is found nowhere else, and before the
            // host's packages.
            let libraries = libraries.as_deref().map(Path::as_os_str).into_iter();
            let paths: Vec<&OsStr> = libraries.chain(site_paths.iter().map(OsStr::new)).collect();
            args.push(paths.join(OsStr::new(":")));
            args.extend(python_layers(request));
        }
        let mut command = BootCommand {
            program: interpreter.program.clone(),
            args,
            environment: variables(request, &places),
            working_directory: request.task_root().to_path_buf(),
        };
        if let Some(wrapper) =
            user_variable(request, "AWS_LAMBDA_EXEC_WRAPPER").filter(|value| !value.is_empty())
        {
            wrap(&mut command, &on_host(wrapper, request));
        }
        command
    }

    /// The first `bootstrap` that is there is it, whether it can be executed or not.
    fn provided(&self, request: &BootRequest<'_>) -> Result<BootCommand, BootError> {
        let Some(Bootstrap { program, shown }) = Bootstrap::find(request.code_root, request.layers_root)
        else {
            return Err(BootError::invalid_entrypoint(
                "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
            ));
        };
        if !fs::metadata(&program).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0) {
            return Err(BootError::invalid_entrypoint(format!("fork/exec {shown}: permission denied")));
        }
        let places = Places { interpreter: None, client: None, libraries: None, host_path: &self.host_path };
        Ok(BootCommand {
            program: match request.paths {
                Paths::Host => program,
                Paths::Lambda => shown.into(),
            },
            args: vec![],
            environment: variables(request, &places),
            working_directory: request.task_root().to_path_buf(),
        })
    }
}

fn user_variable<'a>(request: &BootRequest<'a>, name: &str) -> Option<&'a str> {
    request.user_variables.and_then(|variables| variables.get(name)).map(String::as_str)
}

/// Options that V8 knows, such as a limit of the heap, are not given: with any of them Node.js cannot use the code
/// that it has compiled beforehand, which makes every start about 6 ms slower (measured with 20.20).
fn node_options(request: &BootRequest<'_>, has_module_options: bool) -> Vec<OsString> {
    let below = matches!(request.runtime.family(), RuntimeFamily::NodeJs { major } if major < NODE_MAJOR_WITH_MODULE_OPTIONS);
    if !below || !has_module_options {
        return vec![];
    }
    // An option on the command line would win over what the user says in NODE_OPTIONS.
    let user = user_variable(request, "NODE_OPTIONS").unwrap_or_default();
    ["experimental-require-module", "experimental-detect-module"]
        .into_iter()
        .filter(|option| !user.contains(option))
        .map(|option| format!("--no-{option}").into())
        .collect()
}

/// Without `site`, which takes a third of a start or far more; the client makes up for it. And never writing `.pyc`
/// files next to the code, which environments share.
fn python_options(is_virtual: bool) -> Vec<OsString> {
    if is_virtual { vec!["-B".into()] } else { vec!["-S".into(), "-B".into()] }
}

/// Has a shell execute the wrapper with the command as its arguments, as on AWS: a wrapper that is missing ends with
/// exit status 127, and says so in the log.
fn wrap(command: &mut BootCommand, wrapper: &Path) {
    let mut args: Vec<OsString> = vec!["-c".into(), r#"exec "$0" "$@""#.into(), wrapper.into()];
    args.push(command.program.clone().into());
    args.append(&mut command.args);
    command.program = PathBuf::from("/bin/sh");
    command.args = args;
}

/// Finds a path that the user knows from AWS on this host.
fn on_host(path: &str, request: &BootRequest<'_>) -> PathBuf {
    let path = Path::new(path);
    let layers = request.layers_root.map(|_| (LAYERS_ROOT, request.opt_root()));
    for (on_aws, here) in [(TASK_ROOT, request.task_root())].into_iter().chain(layers) {
        if let Ok(inside) = path.strip_prefix(on_aws) {
            return here.join(inside);
        }
    }
    path.to_owned()
}

/// The folders of Python packages in the layers, in AWS's order: behind the function's own, before everything else.
/// Those that are not there are left out: each would be looked at for every import.
fn python_layers(request: &BootRequest<'_>) -> Option<OsString> {
    let (layers, RuntimeFamily::Python { minor }) = (request.layers_root?, request.runtime.family()) else {
        return None;
    };
    let folders = [format!("python/lib/python3.{minor}/site-packages"), "python".to_owned()];
    let there = folders.iter().filter(|folder| layers.join(folder).is_dir());
    let there: Vec<OsString> = there.map(|folder| request.opt_root().join(folder).into()).collect();
    (!there.is_empty()).then(|| there.join(OsStr::new(":")))
}

fn version_name(runtime: Runtime, version: &str) -> String {
    let mut numbers = version.split('.');
    match runtime.family() {
        RuntimeFamily::NodeJs { major } => format!("nodejs:{major}.v{}", numbers.nth(1).unwrap_or("0")),
        RuntimeFamily::Python { minor } => format!("python:3.{minor}.v{}", numbers.nth(2).unwrap_or("0")),
        RuntimeFamily::Provided | RuntimeFamily::Other => runtime.to_string(),
    }
}

/// The same digest, the same behaviour: of interpreter, client and libraries. (The name of their tree is a digest.)
fn version_digest(client: &Client, libraries: Option<&Path>) -> String {
    match libraries.and_then(Path::file_name) {
        None => client.digest.clone(),
        Some(libraries) => {
            let both = Sha256::new().chain_update(&client.digest).chain_update(libraries.as_encoded_bytes());
            hex(&both.finalize())
        }
    }
}
