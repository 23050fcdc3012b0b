//! Hearth's runtime clients as files on disk: written once for each interpreter and client, then shared.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::ask::{AskError, ask};
use crate::interpreters::{Interpreter, Language};

const NODE_BOOTSTRAP: &str = include_str!("clients/node/bootstrap.js");
/// Loaded by another thread, if at all.
const NODE_IMPORT_HOOK: &str = include_str!("clients/node/import-hook.mjs");
/// Loaded by another thread, too, where a profile of imports is asked for.
const NODE_IMPORTS_HOOK: &str = include_str!("clients/node/imports-hook.mjs");
/// What every start loads besides; put into one file with the bootstrap, because each file costs Node.js about 1 ms.
const NODE_BUNDLED: &[(&str, &str)] = &[
    ("./connection.js", include_str!("clients/node/connection.js")),
    ("./handler.js", include_str!("clients/node/handler.js")),
    ("./logs.js", include_str!("clients/node/logs.js")),
];
/// Loads the client as V8 has compiled it before.
const NODE_LOADER: &str = include_str!("clients/node/loader.js");
/// What is compiled of it.
const CODE_CACHE: &str = "client.cache";
/// Has V8 compile the client.
const NODE_MAKE_CODE_CACHE: &str = include_str!("clients/node/make-code-cache.js");
/// What is loaded when it is needed.
const NODE_SEPARATE: &[(&str, &str)] = &[
    ("errors.js", include_str!("clients/node/errors.js")),
    ("imports.js", include_str!("clients/node/imports.js")),
    ("imports-modules.js", include_str!("clients/node/imports-modules.js")),
    ("invoke-store.js", include_str!("clients/node/invoke-store.js")),
    ("streaming.js", include_str!("clients/node/streaming.js")),
];
/// How stacks name the client, whose frames every error of a function ends with: as on AWS.
const NODE_NAME: &str = "//# sourceURL=file:///var/runtime/index.mjs\n";
const PYTHON: &[(&str, &str)] = &[
    ("bootstrap.py", include_str!("clients/python/bootstrap.py")),
    ("errors.py", include_str!("clients/python/errors.py")),
    ("imports.py", include_str!("clients/python/imports.py")),
    ("logs.py", include_str!("clients/python/logs.py")),
    ("snapshot.py", include_str!("clients/python/snapshot.py")),
    ("snapshot_restore_py.py", include_str!("clients/python/snapshot_restore_py.py")),
    ("values.py", include_str!("clients/python/values.py")),
];

// Without docstrings, and without looking at the sources at start. Tracebacks show AWS's folder.
const PYTHON_COMPILE: &str = "import os, py_compile, sys
for name in os.listdir(sys.argv[1]):
    path = os.path.join(sys.argv[1], name)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(path, path + 'c', dfile='/var/runtime/' + name, doraise=True, optimize=2, invalidation_mode=mode)";

/// Why a client could not be put on disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MaterialiseError {
    #[error("failed to write the runtime client to `{path}`")]
    Write { path: PathBuf, source: io::Error },
    #[error("`{program}` did not compile the runtime client")]
    Compile { program: PathBuf, source: AskError },
}

/// A client on disk.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// The folder of its files.
    pub(crate) folder: PathBuf,
    /// What the interpreter is given.
    pub(crate) bootstrap: PathBuf,
    /// 64 hex digits for client and interpreter: the same digest, the same behaviour.
    pub(crate) digest: String,
}

/// Writes the client of an interpreter below `folder`, unless it is there. Blocks.
///
/// With `node_code_cache`, Node.js gets its client together with what its V8 has compiled of it: every start would compile
/// the same functions again, which is a part of what the client adds to a start.
pub(crate) fn materialise(
    folder: &Path,
    interpreter: &Interpreter,
    node_code_cache: bool,
) -> Result<Client, MaterialiseError> {
    let (name, bootstrap, files) = match interpreter.language {
        Language::NodeJs { .. } => ("nodejs", "bootstrap.cjs", node_files(node_code_cache)),
        Language::Python { .. } => ("python", "bootstrap.pyc", python_files()),
    };
    let digest = digest(interpreter, &files);
    let target = folder.join(format!("{name}-{}", &digest[..16]));
    let client = Client { bootstrap: target.join(bootstrap), folder: target.clone(), digest };
    let is_node = matches!(interpreter.language, Language::NodeJs { .. });
    if client.bootstrap.is_file() {
        // It could not be made when the client was.
        if is_node && node_code_cache && !target.join(CODE_CACHE).is_file() {
            make_code_cache(interpreter, &target);
        }
        return Ok(client);
    }
    // Written aside and renamed, so that nobody ever sees half of a client.
    let aside = folder.join(format!(".{name}-{}-{}", &client.digest[..16], std::process::id()));
    write(&aside, &files).map_err(|source| MaterialiseError::Write { path: aside.clone(), source })?;
    match interpreter.language {
        Language::Python { .. } => {
            ask(
                &interpreter.program,
                &["-I".as_ref(), "-S".as_ref(), "-c".as_ref(), PYTHON_COMPILE.as_ref(), aside.as_os_str()],
            )
            .map_err(|source| MaterialiseError::Compile { program: interpreter.program.clone(), source })?;
        }
        Language::NodeJs { .. } if node_code_cache => make_code_cache(interpreter, &aside),
        Language::NodeJs { .. } => {}
    }
    open_to_all(&aside).map_err(|source| MaterialiseError::Write { path: aside.clone(), source })?;
    // What has its name is trusted at every later start, also one after a loss of power.
    sync(&aside).map_err(|source| MaterialiseError::Write { path: aside.clone(), source })?;
    // What a start that was interrupted has left.
    let _ = fs::remove_dir_all(&target);
    fs::rename(&aside, &target).map_err(|source| MaterialiseError::Write { path: target, source })?;
    Ok(client)
}

/// Has Node.js compile its client ahead of all starts. The client works without.
fn make_code_cache(interpreter: &Interpreter, folder: &Path) {
    let arguments = ["-e".as_ref(), NODE_MAKE_CODE_CACHE.as_ref(), folder.as_os_str()];
    if let Err(error) = ask(&interpreter.program, &arguments) {
        let program = interpreter.program.display();
        tracing::warn!(interpreter = %program, %error, "Node.js starts slower: its client is not compiled ahead");
    }
}

fn write(folder: &Path, files: &[(&str, String)]) -> io::Result<()> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    for (name, text) in files {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// Lets every user read a client, whatever the server's umask is: behind walls functions are not the server's user.
fn open_to_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            open_to_all(&path)?;
        } else {
            fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

/// Waits until all files of a folder, and their names, are on the disk.
fn sync(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { sync(&path)? } else { fs::File::open(path)?.sync_all()? }
    }
    fs::File::open(folder)?.sync_all()
}

fn digest(interpreter: &Interpreter, files: &[(&str, String)]) -> String {
    let mut hash = Sha256::new();
    hash.update(interpreter.program.as_os_str().as_encoded_bytes());
    for part in [interpreter.version.as_str()].into_iter().chain(files.iter().map(|(_, text)| text.as_str()))
    {
        hash.update([0]);
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn python_files() -> Vec<(&'static str, String)> {
    PYTHON.iter().map(|(name, text)| (*name, (*text).to_owned())).collect()
}

fn node_files(code_cache: bool) -> Vec<(&'static str, String)> {
    let mut files = vec![
        ("import-hook.mjs", NODE_IMPORT_HOOK.to_owned()),
        ("imports-hook.mjs", NODE_IMPORTS_HOOK.to_owned()),
    ];
    // `.cjs`, because Node.js would look for a `package.json` in every folder above, to know what `.js` is.
    if code_cache {
        files.push(("bootstrap.cjs", NODE_LOADER.to_owned()));
        // One expression, which the loader calls.
        files.push(("client.js", format!("((require, __dirname, importer) => {{\n{}}})\n", bundle(true))));
    } else {
        files.push(("bootstrap.cjs", format!("const importer = (href) => import(href);\n{}", bundle(false))));
    }
    files.extend(NODE_SEPARATE.iter().map(|(name, text)| (*name, (*text).to_owned())));
    for (_, text) in &mut files {
        text.push_str(NODE_NAME);
    }
    files
}

/// Puts the bootstrap and what it always loads into one text: each part is a function, loaded at its first `require`.
/// `importer` around it is `import`.
fn bundle(is_called_by_loader: bool) -> String {
    let mut text = String::from("const bundled = {\n");
    for (name, part) in NODE_BUNDLED {
        text.push_str(&format!("'{name}': (module, require) => {{\n{part}\n}},\n"));
    }
    text.push_str(
        "};
const loaded = { './importer.js': { exports: importer } };
function requireBundled(name) {
  if (loaded[name]) return loaded[name].exports;
  if (!bundled[name]) return require(name);
  bundled[name]((loaded[name] = { exports: {} }), requireBundled);
  return loaded[name].exports;
}
requireBundled.resolve = require.resolve;
",
    );
    // The caller of the bootstrap is the file that Node.js was given, either way: it shows in the stacks of functions.
    if is_called_by_loader {
        text.push_str(&format!("return [(require) => {{\n{NODE_BOOTSTRAP}\n}}, requireBundled];\n"));
    } else {
        text.push_str(&format!("((require) => {{\n{NODE_BOOTSTRAP}\n}})(requireBundled);\n"));
    }
    text
}
