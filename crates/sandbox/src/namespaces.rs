//! Backend `namespaces`: each environment has namespaces, a root file system, a user and a network of its own.
//!
//! The walls are built by the environment's init, see `hearth_sandbox_init`; its network is prepared by `network`. What its
//! processes may use is limited by [`cgroups`](crate::cgroups), which also make them stand still between invocations.
//!
//! As root every environment has users of its own on the host; an ordinary user can have the same walls by user
//! namespaces, and all functions are that user then. What is in force and what is not says [`Sandboxes::facts`].

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
use hearth_sandbox_init::messages::{Bind, FromInit, Temporary, ToInit, Walls};
use hearth_sandbox_init::{OUTGOING_ENVIRONMENT, ROOTLESS_ENVIRONMENT, WALLED_ENVIRONMENT, way_out};
use hearth_types::{EnvironmentId, limits};
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::cgroups::{Cgroups, Discovery, EnvironmentCgroup, Limits, MilliCpu};
use crate::ephemeral_storage::{Contents, EphemeralStorageKind, EphemeralStorages, Storage};
use crate::folder::{Folder, Folders};
use crate::launcher::Launchers;
use crate::network::{Network, NetworkFacts, NetworkPolicy, Networks};
use crate::processes::{LOG_FD, Processes};
use crate::rootless::{self, Mode, Obstacle};
use crate::sockets_inside::SocketsInside;
use crate::{
    Command, ExitStatus, Fact, Facts, Isolation, LAYERS_ROOT, OpenSocket, Output, Paths, ProcessId, Sandbox,
    SandboxError, SandboxEvent, SandboxPlan, Sandboxes, TASK_ROOT, in_force,
};

/// The first user of all environments. Each environment gets the next one, and none is used twice within a server's life.
/// A server begins anywhere in the range: two servers of a host share no users, for whom the kernel counts processes.
/// The range lies between what systemd gives to containers and the foreign users above, where no tool assigns any.
pub(crate) const USER_FIRST: u32 = 1_900_000_000;
/// How many there are before they begin again.
const USERS: u32 = 100_000_000;
/// The first of as many that are user 0 in the user namespace of an environment.
const ROOT_USER_FIRST: u32 = USER_FIRST + USERS;

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
    ephemeral_storages: EphemeralStorages,
    /// `None` without root: each init makes its own.
    networks: Option<Networks>,
    /// `None` without root, where this user has none to write.
    cgroups: Option<Cgroups>,
    limits: Vec<Fact>,
    users: AtomicU32,
    mode: Mode,
    /// Without root: why functions have no way out, if they have none.
    no_way_out: Option<String>,
}

impl NamespaceSandboxes {
    /// Starts the launcher, and builds one sandbox to see that this host can. `folder` will hold a folder for each
    /// environment; what an earlier server left in it is removed. `network` is the most that any function may. Needs a
    /// Tokio runtime.
    pub async fn start(folder: &Path, network: NetworkPolicy) -> Result<Self, SandboxError> {
        let mode = Mode::of_this_process(ROOT_USER_FIRST + USERS - 1);
        // What an earlier server has left ends before its folders go.
        let (cgroups, limits) = open_cgroups(folder, mode)?;
        let folders = Folders::start(folder)?;
        let networks = match mode {
            Mode::Root { .. } => Some(Networks::start(network).await?),
            Mode::Rootless => None,
        };
        let no_way_out = match network {
            NetworkPolicy::None => Some("as it is set".to_owned()),
            NetworkPolicy::Internet => rootless::obstacle_of_pasta(),
        };
        let mut sandboxes = Self {
            cgroups,
            limits,
            folders,
            ephemeral_storages: ephemeral_storages(folder).await?,
            launchers: Launchers::start()?,
            networks,
            users: AtomicU32::new(anywhere()),
            mode,
            no_way_out,
        };
        let plan = SandboxPlan { network, ..SandboxPlan::default() };
        let mut tried = sandboxes.create(EnvironmentId::random(), &plan).await;
        if let Err(SandboxError::Build { step, .. }) = &tried
            && step.starts_with(way_out::STEP)
        {
            sandboxes.no_way_out = Some(format!("it failed to {step}"));
            tried = sandboxes.create(EnvironmentId::random(), &plan).await;
        }
        match tried {
            Ok(_) => Ok(sandboxes),
            Err(SandboxError::Build { step, source }) if sandboxes.mode == Mode::Rootless => {
                let obstacle = Obstacle::of_this_host();
                let is_refused = source.kind() == io::ErrorKind::PermissionDenied;
                // AppArmor grants the namespace itself, and then nothing of what it is for.
                if step.contains("user namespace") || (is_refused && obstacle != Obstacle::Unknown) {
                    return Err(SandboxError::UserNamespaces { obstacle, step, source });
                }
                Err(SandboxError::Build { step, source })
            }
            Err(error) => Err(error),
        }
    }

    /// Returns where the files of `/tmp` are.
    pub fn ephemeral_storage(&self) -> EphemeralStorageKind {
        self.ephemeral_storages.kind()
    }

    /// Returns what was found and done for the networks of functions.
    pub fn network(&self) -> &NetworkFacts {
        self.networks.as_ref().map_or(&NetworkFacts::None, Networks::facts)
    }

    fn network_fact(&self) -> Fact {
        const NONE: &str = "none: functions reach their Runtime API and nothing else";
        let state = match (self.mode, self.network(), &self.no_way_out) {
            (Mode::Rootless, _, Some(why)) => format!("{NONE}; {why}"),
            (Mode::Rootless, _, None) => {
                "internet through pasta, IPv4 only; link-local addresses and those that this machine has when an \
                 environment begins are closed"
                    .to_owned()
            }
            (Mode::Root { .. }, NetworkFacts::None, _) => NONE.to_owned(),
            (Mode::Root { .. }, facts @ NetworkFacts::Internet { .. }, _) => facts.to_string(),
        };
        Fact::in_force("network", state)
    }

    async fn build(
        &self,
        environment: EnvironmentId,
        plan: &SandboxPlan,
    ) -> Result<Box<dyn Sandbox>, SandboxError> {
        let storage = self.ephemeral_storages.take(plan.ephemeral_storage_mb).await?;
        let number = self.users.fetch_add(1, Ordering::Relaxed) % USERS;
        let user = USER_FIRST + number;
        let (kind, user_on_host, root_user) = match self.mode {
            Mode::Root { with_user_namespace } => {
                let root_user = with_user_namespace.then_some(ROOT_USER_FIRST + number);
                (WALLED_ENVIRONMENT, Some(user), root_user)
            }
            Mode::Rootless if plan.network == NetworkPolicy::Internet && self.no_way_out.is_none() => {
                (OUTGOING_ENVIRONMENT, None, None)
            }
            Mode::Rootless => (ROOTLESS_ENVIRONMENT, None, None),
        };
        let folder = self.folders.make(environment, ROOT)?;
        let cgroup = match &self.cgroups {
            Some(cgroups) => Some(cgroups.create(environment, &limits_in_init(plan))?),
            None => None,
        };
        let processes = Processes::begin(&self.launchers, kind, user_on_host, cgroup.is_none())?;
        let mut said = Ok(());
        if let Some(cgroup) = &cgroup {
            let mut files = cgroup.entries()?;
            let freezer = cgroup.freezer_to_kill()?;
            let has_freezer = freezer.is_some();
            files.extend(freezer);
            let files: Vec<i32> = files.iter().map(AsRawFd::as_raw_fd).collect();
            said = processes.say(&ToInit::EnterGroups { has_freezer }, &files);
        }
        let walls = Walls {
            root: folder.join(ROOT).into(),
            user,
            root_user,
            binds: binds(plan).map_err(|source| SandboxError::Prepare { what: "its layers", source })?,
            temporary: match storage {
                Some(_) => Temporary::Mounted,
                None => Temporary::Memory { bytes_max: u64::from(plan.ephemeral_storage_mb) << 20 },
            },
            processes_max: limits::PROCESSES_MAX,
            resolver: crate::network::resolver().0.into(),
            network_is_prepared: self.networks.is_some(),
        };
        let network = match &self.networks {
            Some(networks) => Some(networks.take(plan.network).await?),
            None => None,
        };
        let of_network = network.iter().map(|network| network.namespace.as_raw_fd());
        let prepared: Vec<_> =
            of_network.chain(storage.iter().map(|storage| storage.mount().as_raw_fd())).collect();
        // When it could not be forked, what it says comes from the launcher, and it hears nothing.
        let said = said.and_then(|()| processes.say(&ToInit::BuildWalls(walls), &prepared));
        match processes.receive().await {
            Some((FromInit::WallsBuilt, descriptors)) => {
                let network = match network {
                    Some(network) => NetworkInside::prepared(network),
                    None => NetworkInside::of_init(descriptors).ok_or(SandboxError::InitGone)?,
                };
                Ok(Box::new(NamespaceSandbox {
                    processes,
                    cgroup,
                    cpu: MilliCpu::of_memory_size(plan.memory_size_mb.into()),
                    out_of_memory_kills_before: AtomicU64::new(0),
                    runtime_api: Mutex::new(Some(network.runtime_api)),
                    aws_api: Mutex::new(Some(network.aws_api)),
                    sockets: network.sockets,
                    _contents: storage.map(Storage::placed),
                    _folder: folder,
                }))
            }
            Some((FromInit::WallsFailed { step, errno }, _)) => {
                Err(SandboxError::Build { step, source: std::io::Error::from_raw_os_error(errno) })
            }
            _ => Err(said.err().unwrap_or(SandboxError::InitGone)),
        }
    }
}

/// Finds out how they can be made, which takes too long for an async thread.
async fn ephemeral_storages(folder: &Path) -> Result<EphemeralStorages, SandboxError> {
    let folder = folder.to_owned();
    let started = tokio::task::spawn_blocking(move || EphemeralStorages::start(&folder)).await;
    started.unwrap_or_else(|error| {
        let source = io::Error::other(error);
        Err(SandboxError::EphemeralStorage { step: "find out how it can be made".to_owned(), source })
    })
}

/// What the server needs of the network of an environment.
struct NetworkInside {
    runtime_api: TcpListener,
    aws_api: TcpListener,
    sockets: OpenSocket,
}

impl NetworkInside {
    fn prepared(network: Network) -> Self {
        let Network { namespace, runtime_api, aws_api, .. } = network;
        Self { runtime_api, aws_api, sockets: Arc::new(move || open_socket(namespace.clone())) }
    }

    /// Takes what came with [`FromInit::WallsBuilt`].
    fn of_init(descriptors: Vec<OwnedFd>) -> Option<Self> {
        let mut descriptors = descriptors.into_iter();
        let (runtime_api, aws_api) = (descriptors.next()?.into(), descriptors.next()?.into());
        let sockets = SocketsInside::new(descriptors.next()?);
        Some(Self { runtime_api, aws_api, sockets: Arc::new(move || sockets.open()) })
    }
}

/// A number that is another one in each process.
fn anywhere() -> u32 {
    // The standard library's hashes begin with random keys; this is no secret and needs no better source.
    (RandomState::new().build_hasher().finish() % u64::from(USERS)) as u32
}

/// Opens the groups of a server that keeps its environments in `folder`, and ends what servers left that no longer run.
/// Without root there may be none that this user can write, which is said.
fn open_cgroups(folder: &Path, mode: Mode) -> Result<(Option<Cgroups>, Vec<Fact>), SandboxError> {
    let discovery = Discovery::of_this_host()?;
    let cgroups = match Cgroups::open(&discovery, &group_name(folder)) {
        Ok(cgroups) => cgroups,
        Err(error) if mode == Mode::Rootless => {
            let obstacle = match error.hint() {
                Some(hint) => format!("{error}; {hint}"),
                None => error.to_string(),
            };
            return Ok((None, in_force::limits(&discovery, Some(&obstacle))));
        }
        Err(error) => return Err(error.into()),
    };
    // Of another data folder: they may never come back to look themselves.
    let reaped = cgroups.reap_dead_servers(SERVERS)?;
    if reaped > 0 {
        tracing::info!(reaped, "ended what servers with other data folders had left in cgroups");
    }
    Ok((Some(cgroups), in_force::limits(&discovery, None)))
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
        let inside = opt.join(entry.file_name());
        if plan.runtime_files.iter().any(|file| file.starts_with(&inside)) {
            let why = format!("they have `{}`, where this host has the interpreter", inside.display());
            return Err(io::Error::other(why));
        }
        binds.push(bind(&entry.path(), &inside));
    }
    Ok(binds)
}

impl Sandboxes for NamespaceSandboxes {
    fn isolation(&self) -> Isolation {
        Isolation::Namespaces
    }

    fn facts(&self) -> Facts {
        let storage = Fact::from(self.ephemeral_storages.kind());
        Facts {
            isolation: self.isolation(),
            facts: in_force::facts(self.mode, self.limits.clone(), self.network_fact(), storage),
        }
    }

    fn left_over(&self) -> usize {
        self.folders.left_over().max(self.cgroups.as_ref().map_or(0, Cgroups::reaped))
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
    // In this order: the tree ends before what is in its `/tmp`, and before its folder goes.
    processes: Processes,
    cgroup: Option<EnvironmentCgroup>,
    /// The function's share.
    cpu: MilliCpu,
    /// How often memory had run out before the processes that run now were started.
    out_of_memory_kills_before: AtomicU64,
    runtime_api: Mutex<Option<TcpListener>>,
    aws_api: Mutex<Option<TcpListener>>,
    /// Opens sockets in its network namespace.
    sockets: OpenSocket,
    /// Of its `/tmp`, if that is on disk.
    _contents: Option<Contents>,
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

    fn aws_api(&self) -> Option<TcpListener> {
        self.aws_api.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn sockets(&self) -> Option<OpenSocket> {
        Some(self.sockets.clone())
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
        self.cgroup.is_some()
    }

    fn freeze(&self) -> Result<(), SandboxError> {
        Ok(self.cgroup.as_ref().map_or(Ok(()), EnvironmentCgroup::begin_freeze)?)
    }

    fn thaw(&self) -> Result<(), SandboxError> {
        Ok(self.cgroup.as_ref().map_or(Ok(()), EnvironmentCgroup::thaw)?)
    }

    fn limit_cpu(&self) -> Result<(), SandboxError> {
        Ok(self.cgroup.as_ref().map_or(Ok(()), |cgroup| cgroup.limit_cpu(self.cpu))?)
    }

    fn memory_bytes_max(&self) -> u64 {
        let Some(cgroup) = &self.cgroup else { return self.processes.memory_bytes_max() };
        cgroup.memory_bytes_max().unwrap_or_else(|error| {
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
        let Some(cgroup) = &self.cgroup else { return };
        self.out_of_memory_kills_before.store(self.out_of_memory_kills(), Ordering::Relaxed);
        cgroup.forget_memory_max();
        if let Err(error) = cgroup.limit_cpu(self.cpu.max(CPU_IN_INIT_MIN)) {
            tracing::warn!(%error, "Init will be slower than usual");
        }
    }

    fn out_of_memory_kills(&self) -> u64 {
        let Some(cgroup) = &self.cgroup else { return 0 };
        cgroup.oom_kills().unwrap_or_else(|error| {
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
        std::fs::create_dir(layers.join("node")).unwrap();
        let error = binds(&plan).unwrap_err().to_string();
        assert_eq!(error, "they have `/opt/node`, where this host has the interpreter");
        std::fs::remove_dir_all(layers).unwrap();
    }
}
