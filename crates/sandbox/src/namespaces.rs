//! Backend `namespaces`: each environment has namespaces, a root file system, a user and a network of its own.
//!
//! The walls are built by the environment's init, see `hearth_sandbox_init`. What this backend does not do yet is in
//! [`Isolation::warning`]: memory and CPU are not limited, nothing freezes, and there is no way out to a network.

use std::ffi::OsString;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use hearth_sandbox_init::WALLED_ENVIRONMENT;
use hearth_sandbox_init::messages::{Bind, FromInit, ToInit, Walls};
use hearth_types::{EnvironmentId, limits};
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::folder::{Folder, Folders};
use crate::launcher::Launchers;
use crate::processes::{LOG_FD, Processes};
use crate::{
    Command, Isolation, LAYERS_ROOT, OpenSocket, Output, Paths, ProcessId, Sandbox, SandboxError,
    SandboxEvent, SandboxPlan, Sandboxes, TASK_ROOT,
};

/// The first user of all environments. Each environment gets the next one, and none is used twice within a server's life.
/// A server begins anywhere in the range: two servers of a host share no users, for whom the kernel counts processes.
/// The range lies between what systemd gives to containers and the foreign users above, where no tool assigns any.
const USER_FIRST: u32 = 1_900_000_000;
/// How many there are before they begin again.
const USERS: u32 = 100_000_000;

/// Where the root file system is mounted, in the folder of an environment.
const ROOT: &str = "root";

/// What every environment sees of the host anyway.
const PROGRAMS: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Makes sandboxes of namespaces.
pub struct NamespaceSandboxes {
    launchers: Launchers,
    folders: Folders,
    users: AtomicU32,
}

impl NamespaceSandboxes {
    /// Starts the launcher, and builds one sandbox to see that this host can. `folder` will hold a folder for each
    /// environment; what an earlier server left in it is removed. Needs a Tokio runtime.
    pub async fn start(folder: &Path) -> Result<Self, SandboxError> {
        if !nix::unistd::geteuid().is_root() {
            return Err(SandboxError::NotRoot);
        }
        let sandboxes = Self {
            folders: Folders::start(folder)?,
            launchers: Launchers::start()?,
            users: AtomicU32::new(anywhere()),
        };
        drop(sandboxes.create(EnvironmentId::random(), &SandboxPlan::default()).await?);
        Ok(sandboxes)
    }

    async fn build(
        &self,
        environment: EnvironmentId,
        plan: &SandboxPlan,
    ) -> Result<Box<dyn Sandbox>, SandboxError> {
        let user = USER_FIRST + self.users.fetch_add(1, Ordering::Relaxed) % USERS;
        let folder = self.folders.make(environment, ROOT)?;
        let processes = Processes::begin(&self.launchers, WALLED_ENVIRONMENT, Some(user))?;
        let walls = Walls {
            root: folder.join(ROOT).into(),
            user,
            binds: binds(plan).map_err(|source| SandboxError::Prepare { what: "its layers", source })?,
            temporary_bytes_max: u64::from(plan.ephemeral_storage_mb) << 20,
            processes_max: limits::PROCESSES_MAX,
        };
        processes.say(&ToInit::BuildWalls(walls), &[])?;
        match processes.receive().await {
            Some((FromInit::WallsBuilt, mut descriptors)) => {
                let (Some(network), Some(listener)) = (descriptors.pop(), descriptors.pop()) else {
                    return Err(SandboxError::InitGone);
                };
                let runtime_api = Mutex::new(Some(TcpListener::from(listener)));
                let network = Arc::new(network);
                Ok(Box::new(NamespaceSandbox { processes, runtime_api, network, _folder: folder }))
            }
            Some((FromInit::WallsFailed { step, errno }, _)) => {
                Err(SandboxError::Build { step, source: std::io::Error::from_raw_os_error(errno) })
            }
            _ => Err(SandboxError::InitGone),
        }
    }
}

/// A number that is another one in each process.
fn anywhere() -> u32 {
    // The standard library's hashes begin with random keys; this is no secret and needs no better source.
    (RandomState::new().build_hasher().finish() % u64::from(USERS)) as u32
}

/// What an environment sees besides the host's programs.
fn binds(plan: &SandboxPlan) -> std::io::Result<Vec<Bind>> {
    let bind = |host: &Path, inside: &Path| Bind { host: host.into(), inside: inside.into() };
    let mut binds = Vec::new();
    let is_seen = |file: &&PathBuf| PROGRAMS.iter().any(|programs| file.starts_with(programs));
    let mut files: Vec<&PathBuf> = plan.runtime_files.iter().filter(|file| !is_seen(file)).collect();
    // A folder comes before what is in it, which it shows already.
    files.sort();
    let mut last: Option<&PathBuf> = None;
    for file in files {
        if last.is_none_or(|last| !file.starts_with(last)) {
            binds.push(bind(file, file));
            last = Some(file);
        }
    }
    binds.extend(plan.code.as_deref().map(|code| bind(code, Path::new(TASK_ROOT))));
    let Some(layers) = plan.layers.as_deref() else { return Ok(binds) };
    let opt = Path::new(LAYERS_ROOT);
    if !plan.runtime_files.iter().any(|file| file.starts_with(opt)) {
        binds.push(bind(layers, opt));
        return Ok(binds);
    }
    // The host has an interpreter in /opt, which the layers as a whole would cover.
    for entry in std::fs::read_dir(layers)? {
        let entry = entry?;
        binds.push(bind(&entry.path(), &opt.join(entry.file_name())));
    }
    Ok(binds)
}

impl Sandboxes for NamespaceSandboxes {
    fn isolation(&self) -> Isolation {
        Isolation::Namespaces
    }

    fn left_over(&self) -> usize {
        self.folders.left_over()
    }

    fn create<'a>(
        &'a self,
        environment: EnvironmentId,
        plan: &'a SandboxPlan,
    ) -> BoxFuture<'a, Result<Box<dyn Sandbox>, SandboxError>> {
        Box::pin(self.build(environment, plan))
    }
}

/// One environment behind its walls.
struct NamespaceSandbox {
    // In this order: the tree ends before its folder goes.
    processes: Processes,
    runtime_api: Mutex<Option<TcpListener>>,
    /// Its network namespace.
    network: Arc<OwnedFd>,
    _folder: Folder,
}

impl Sandbox for NamespaceSandbox {
    fn output(&self) -> Result<OwnedFd, SandboxError> {
        self.processes.output()
    }

    fn log_fd(&self) -> i32 {
        LOG_FD
    }

    fn extra_environment(&self) -> Vec<(OsString, OsString)> {
        vec![]
    }

    fn paths(&self) -> Paths {
        Paths::Lambda
    }

    fn runtime_api(&self) -> Option<TcpListener> {
        self.runtime_api.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn sockets(&self) -> Option<OpenSocket> {
        let network = self.network.clone();
        Some(Arc::new(move || open_socket(network.clone())))
    }

    fn start(&self, process: ProcessId, command: &Command, output: Output<'_>) -> Result<(), SandboxError> {
        self.processes.start(process, command, output)
    }

    fn terminate(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.processes.signal(process, nix::libc::SIGTERM)
    }

    fn kill(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.processes.signal(process, nix::libc::SIGKILL)
    }

    fn kill_all(&self) -> Result<(), SandboxError> {
        self.processes.kill_all()
    }

    fn next_event(&self) -> BoxFuture<'_, SandboxEvent> {
        Box::pin(self.processes.next_event())
    }

    fn memory_bytes_max(&self) -> u64 {
        self.processes.memory_bytes_max()
    }

    fn pid(&self, process: ProcessId) -> Option<i32> {
        self.processes.pid(process)
    }
}

/// Opens a socket in a network namespace. A thread of its own goes there, and ends: no other work may ever run in it.
fn open_socket(network: Arc<OwnedFd>) -> io::Result<OwnedFd> {
    let open = move || {
        setns(&*network, CloneFlags::CLONE_NEWNET)?;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        Ok(socket(AddressFamily::Inet, SockType::Stream, flags, None)?)
    };
    let opened = std::thread::Builder::new().name("socket-inside".to_owned()).spawn(open)?.join();
    opened.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_shown_once_and_the_hosts_programs_not_again() {
        let plan = SandboxPlan {
            code: Some("/data/code".into()),
            runtime_files: [
                "/srv/node/lib",
                "/usr/lib/python3",
                "/srv/node",
                "/srv/node-client",
                "/srv/node",
            ]
            .map(PathBuf::from)
            .into(),
            ..SandboxPlan::default()
        };
        let shown: Vec<_> = binds(&plan).unwrap().into_iter().map(|bind| (bind.host, bind.inside)).collect();
        let expected = [
            ("/srv/node", "/srv/node"),
            ("/srv/node-client", "/srv/node-client"),
            ("/data/code", "/var/task"),
        ];
        assert_eq!(shown, expected.map(|(host, inside)| (host.into(), inside.into())));
    }

    #[test]
    fn layers_do_not_cover_an_interpreter_of_the_host_that_is_in_their_place() {
        let layers = std::env::temp_dir().join(format!("hearth-layers-{}", std::process::id()));
        std::fs::create_dir_all(layers.join("python")).unwrap();
        let mut plan = SandboxPlan { layers: Some(layers.clone()), ..SandboxPlan::default() };
        let shown = |plan: &SandboxPlan| -> Vec<_> {
            binds(plan).unwrap().into_iter().map(|bind| (bind.host, bind.inside)).collect()
        };
        let whole = [(layers.clone().into(), "/opt".into())];
        assert_eq!(shown(&plan), whole);
        plan.runtime_files = vec!["/opt/node/bin/node".into()];
        let parts = [
            ("/opt/node/bin/node".into(), "/opt/node/bin/node".into()),
            (layers.join("python").into(), "/opt/python".into()),
        ];
        assert_eq!(shown(&plan), parts);
        std::fs::remove_dir_all(layers).unwrap();
    }
}
