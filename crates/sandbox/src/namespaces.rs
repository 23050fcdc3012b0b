//! Backend `namespaces`: each environment has namespaces, a root file system, a user and a network of its own.
//!
//! The walls are built by the environment's init, see `hearth_sandbox_init`. What its processes may use is limited by
//! [`cgroups`](crate::cgroups), which also make them stand still between invocations.

use std::ffi::OsString;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use hearth_sandbox_init::WALLED_ENVIRONMENT;
use hearth_sandbox_init::messages::{Bind, FromInit, ToInit, Walls};
use hearth_types::{EnvironmentId, limits};
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::cgroups::{Cgroups, Discovery, EnvironmentCgroup, Limits, MilliCpu};
use crate::folder::{Folder, Folders};
use crate::launcher::Launchers;
use crate::processes::{LOG_FD, Processes};
use crate::{
    Command, ExitStatus, Isolation, LAYERS_ROOT, OpenSocket, Output, Paths, ProcessId, Sandbox, SandboxError,
    SandboxEvent, SandboxPlan, Sandboxes, TASK_ROOT,
};

/// The first user of all environments. Each environment gets the next one, and none is used twice within a server's life.
/// A server begins anywhere in the range: two servers of a host share no users, for whom the kernel counts processes.
/// The range lies between what systemd gives to containers and the foreign users above, where no tool assigns any.
const USER_FIRST: u32 = 1_900_000_000;
/// How many there are before they begin again.
const USERS: u32 = 100_000_000;

/// How the names of all servers' cgroups begin.
const SERVERS: &str = "hearth-";

/// The share of the CPU that Init has at least, however small the function: one whole. AWS does not document it; users
/// see there that Init is as fast with little memory as with much.
const CPU_IN_INIT_MIN: MilliCpu = MilliCpu(1_000);

/// Where the root file system is mounted, in the folder of an environment.
const ROOT: &str = "root";

/// What every environment sees of the host anyway.
const PROGRAMS: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Makes sandboxes of namespaces.
pub struct NamespaceSandboxes {
    launchers: Launchers,
    folders: Folders,
    cgroups: Cgroups,
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
            cgroups: open_cgroups(folder)?,
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
        let cgroup = self.cgroups.create(environment, &limits_in_init(plan))?;
        let processes = Processes::begin(&self.launchers, WALLED_ENVIRONMENT, Some(user), false)?;
        let mut files = cgroup.entries()?;
        let freezer = cgroup.freezer_to_kill()?;
        let has_freezer = freezer.is_some();
        files.extend(freezer);
        let files: Vec<i32> = files.iter().map(AsRawFd::as_raw_fd).collect();
        processes.say(&ToInit::EnterGroups { has_freezer }, &files)?;
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
                Ok(Box::new(NamespaceSandbox {
                    processes,
                    cgroup,
                    cpu: MilliCpu::of_memory_size(plan.memory_size_mb.into()),
                    out_of_memory_kills_before: AtomicU64::new(0),
                    runtime_api,
                    network,
                    _folder: folder,
                }))
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

/// Opens the groups of a server that keeps its environments in `folder`, and ends what servers left that no longer run.
fn open_cgroups(folder: &Path) -> Result<Cgroups, SandboxError> {
    let discovery = Discovery::of_this_host()?;
    let cgroups = Cgroups::open(&discovery, &group_name(folder))?;
    // Of another data folder: they may never come back to look themselves.
    let reaped = cgroups.reap_dead_servers(SERVERS)?;
    if reaped > 0 {
        tracing::info!(reaped, "ended what servers with other data folders had left in cgroups");
    }
    Ok(cgroups)
}

/// The name of a server's cgroups: always the same for the same folder, so that the next server finds what this one may
/// leave.
fn group_name(folder: &Path) -> String {
    // FNV-1a: the standard library's hash may change from one compiler to the next.
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = folder.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fold);
    format!("{SERVERS}{hash:016x}")
}

/// What processes may use during Init.
fn limits_in_init(plan: &SandboxPlan) -> Limits {
    let limits = Limits::of_memory_size(plan.memory_size_mb.into());
    Limits { cpu: limits.cpu.max(CPU_IN_INIT_MIN), ..limits }
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
        self.folders.left_over().max(self.cgroups.reaped())
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
    cgroup: EnvironmentCgroup,
    /// The function's share.
    cpu: MilliCpu,
    /// How often memory had run out before the processes that run now were started.
    out_of_memory_kills_before: AtomicU64,
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
        Box::pin(async {
            let mut event = self.processes.next_event().await;
            match &mut event {
                SandboxEvent::Exited {
                    status: ExitStatus::Signal { signal: nix::libc::SIGKILL, .. },
                    was_out_of_memory,
                    ..
                } => *was_out_of_memory = self.has_run_out_of_memory(),
                SandboxEvent::AllGone => self.begin_anew(),
                SandboxEvent::Started { .. }
                | SandboxEvent::StartFailed { .. }
                | SandboxEvent::Exited { .. }
                | SandboxEvent::Lost => {}
            }
            event
        })
    }

    fn can_freeze(&self) -> bool {
        true
    }

    fn freeze(&self) -> Result<(), SandboxError> {
        Ok(self.cgroup.begin_freeze()?)
    }

    fn thaw(&self) -> Result<(), SandboxError> {
        Ok(self.cgroup.thaw()?)
    }

    fn limit_cpu(&self) -> Result<(), SandboxError> {
        Ok(self.cgroup.limit_cpu(self.cpu)?)
    }

    fn memory_bytes_max(&self) -> u64 {
        self.cgroup.memory_bytes_max().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read how much memory an environment has used");
            0
        })
    }

    fn pid(&self, process: ProcessId) -> Option<i32> {
        self.processes.pid(process)
    }
}

impl NamespaceSandbox {
    fn has_run_out_of_memory(&self) -> bool {
        let before = self.out_of_memory_kills_before.load(Ordering::Relaxed);
        self.out_of_memory_kills() > before
    }

    /// Forgets what the processes did that are gone: what comes next begins with Init.
    fn begin_anew(&self) {
        self.out_of_memory_kills_before.store(self.out_of_memory_kills(), Ordering::Relaxed);
        self.cgroup.forget_memory_max();
        if let Err(error) = self.cgroup.limit_cpu(self.cpu.max(CPU_IN_INIT_MIN)) {
            tracing::warn!(%error, "Init will be slower than usual");
        }
    }

    fn out_of_memory_kills(&self) -> u64 {
        self.cgroup.oom_kills().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read whether an environment has run out of memory");
            0
        })
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
