//! The walls of an execution environment: where its processes run, and how all of them are ended.
//!
//! [`Sandboxes`] makes a [`Sandbox`] for each environment. A sandbox starts processes, signals them, kills the whole
//! tree and says what happened, as [`SandboxEvent`]s. It knows nothing of phases, runtimes or invocations.
//!
//! Two backends: [`process`] ends trees reliably, and isolates nothing; [`namespaces`] puts walls around each
//! environment. See `SECURITY.md`.

pub mod cgroups;
mod ephemeral_storage;
mod facts;
mod folder;
mod foundations;
mod host_memory;
mod in_force;
mod launcher;
mod memory;
mod memory_of_host;
pub mod namespaces;
mod network;
mod prebooted;
pub mod process;
mod processes;
mod rootless;
mod snapshot;
mod sockets_inside;
mod start_pages;
mod usage;

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

pub use ephemeral_storage::EphemeralStorageKind;
pub use facts::{Fact, Facts};
use futures_util::future::BoxFuture;
pub use hearth_sandbox_init::AWS_API;
pub use hearth_sandbox_init::messages::ExitStatus;
use hearth_types::{EnvironmentId, ProcessUsage};
pub use host_memory::{HostMemory, HostMemoryFiles, runnable_processes};
pub use memory_of_host::memory_is_short;
pub use network::{NetworkError, NetworkFacts, NetworkPolicy};
use nix::fcntl::OFlag;
pub use prebooted::Prebooted;
pub use rootless::Obstacle;
pub use snapshot::{Snapshot, SnapshotError};
pub use start_pages::give_back_start_pages;

/// How a backend separates functions from the host and from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Not at all: own process groups and limits, nothing more.
    Process,
    /// By Linux namespaces, an own user, and a filter of system calls.
    Namespaces,
}

impl Isolation {
    /// Its name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Namespaces => "namespaces",
        }
    }
}

/// Which process of an environment is meant. Numbers are never used twice within one sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u32);

/// A process to start. Nothing is inherited from the server.
#[derive(Debug, Clone)]
pub struct Command {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments, without the name at index 0.
    pub arguments: Vec<OsString>,
    /// All of its environment variables.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub working_directory: PathBuf,
    /// What it is restored from. There are no program and arguments then, and its variables are in a file.
    pub restored_from: Option<Arc<Snapshot>>,
}

impl Command {
    /// Whether both start the same process from its beginning.
    pub(crate) fn starts_the_same(&self, other: &Self) -> bool {
        self.restored_from.is_none()
            && other.restored_from.is_none()
            && self.program == other.program
            && self.arguments == other.arguments
            && self.environment == other.environment
            && self.working_directory == other.working_directory
    }
}

/// Where a process writes its standard output and standard error.
#[derive(Debug, Clone, Copy)]
pub enum Output<'a> {
    /// To the pipe of the sandbox, which is there for framed log records as well.
    Shared,
    /// To the writing end of a pipe of its own.
    Own(BorrowedFd<'a>),
}

/// Makes a pipe for [`Output::Own`]: the end to read, which does not block, and the end to write. The server has to close
/// that one when the process has it, or the pipe will never end.
pub fn output_pipe() -> Result<(OwnedFd, OwnedFd), SandboxError> {
    let prepare = |errno: nix::Error| SandboxError::Prepare { what: "an output pipe", source: errno.into() };
    let (output, output_to) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(prepare)?;
    let flags = nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK);
    nix::fcntl::fcntl(&output, flags).map_err(prepare)?;
    Ok((output, output_to))
}

/// What a sandbox reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxEvent {
    /// The process runs.
    Started {
        /// Which one.
        process: ProcessId,
    },
    /// The process could not be started.
    StartFailed {
        /// Which one.
        process: ProcessId,
        /// The error number of the system call that failed.
        errno: i32,
    },
    /// The process ended.
    Exited {
        /// Which one.
        process: ProcessId,
        /// How.
        status: ExitStatus,
        /// Whether the limit of memory was reached and is why.
        was_out_of_memory: bool,
    },
    /// Nothing runs in this sandbox any more: the answer to [`Sandbox::kill_all`].
    AllGone,
    /// The sandbox itself broke; nothing runs in it, and it cannot be used again.
    Lost,
}

/// Why a sandbox could not be made or used. Never the function author's fault.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The launcher could not be started.
    #[error("failed to start the sandbox launcher")]
    StartLauncher(#[source] io::Error),
    /// The launcher does not answer.
    #[error("the sandbox launcher is gone")]
    LauncherGone(#[source] io::Error),
    /// Sockets, pipes or folders of one environment could not be made.
    #[error("failed to prepare a sandbox: {what}")]
    Prepare {
        /// What was being made.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A message to the sandbox did not go through.
    #[error("a sandbox does not take messages")]
    Unreachable(#[source] io::Error),
    /// Its first process ended while it was being made.
    #[error("the first process of a sandbox is gone")]
    InitGone,
    /// The walls could not be built.
    #[error("failed to build a sandbox: {step}")]
    Build {
        /// What was being done.
        step: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The `/tmp` of one environment could not be made.
    #[error("failed to make the ephemeral storage of a sandbox: failed to {step}")]
    EphemeralStorage {
        /// What was being done.
        step: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The network of an environment could not be made.
    #[error("cannot give functions a network")]
    Network(#[from] NetworkError),
    /// The limits of an environment could not be set, or its processes not be made to stand still or go on.
    #[error("failed to use cgroups")]
    Cgroups(#[from] cgroups::CgroupError),
    /// Without root the backend needs user namespaces.
    #[error(
        "isolation `namespaces` needs user namespaces without root, and this host does not let this user have them: {step}"
    )]
    UserNamespaces {
        /// What keeps it from having them.
        obstacle: Obstacle,
        /// What was being done.
        step: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// What to do on a host that does not let Hearth have namespaces.
const NAMESPACES_HINT: &str = "isolation `namespaces` needs Linux 5.12 or newer, and in a container the right to make namespaces and to mount \
     (CAP_SYS_ADMIN); `--isolation process` does without, for functions that you trust";

impl SandboxError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UserNamespaces { obstacle, .. } => Some(obstacle.hint()),
            // What its first process could not do is in a warning above.
            Self::Build { .. } | Self::InitGone | Self::Unreachable(_) => Some(NAMESPACES_HINT),
            Self::EphemeralStorage { .. } => Some(
                "see whether the disk of the data folder is full, and whether there are free loop devices",
            ),
            Self::Cgroups(error) => error.hint(),
            // Who may not make one may not make the other namespaces, either.
            Self::Network(error) if error.step == network::MAKE_NAMESPACE => Some(NAMESPACES_HINT),
            Self::Network(_) => Some(
                "functions reach the internet by veth interfaces and nf_tables, for which Hearth needs Linux with both \
                 (modprobe veth nf_tables nft_masq nft_fib_inet nft_reject_inet nft_connlimit), and in a container the capabilities NET_ADMIN \
                 and SYS_ADMIN and a writable /proc/sys/net and /run; `--network none` does without, for functions that \
                 need no network",
            ),
            Self::StartLauncher(_) | Self::LauncherGone(_) | Self::Prepare { .. } => None,
        }
    }
}

/// Lambda's name of the code's folder.
pub const TASK_ROOT: &str = "/var/task";
/// Lambda's name of the layers' folder.
pub const LAYERS_ROOT: &str = "/opt";

/// What an environment needs to see, and how much it may keep. A backend that has no root file system of its own has
/// nothing to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxPlan {
    /// The function's code on this host; `/var/task` inside.
    pub code: Option<PathBuf>,
    /// Its layers, merged, on this host; `/opt` inside.
    pub layers: Option<PathBuf>,
    /// Folders and files of interpreter, runtime client and libraries; inside they are where they are on this host.
    pub runtime_files: Vec<PathBuf>,
    /// The size of `/tmp`.
    pub ephemeral_storage_mb: u32,
    /// The memory of all processes together; it says what share of the CPU they have, too.
    pub memory_size_mb: u32,
    /// Where its connections may go.
    pub network: NetworkPolicy,
}

impl Default for SandboxPlan {
    /// Nothing but the host's programs, no network, and the `/tmp` and the memory of a function that does not say anything
    /// about them.
    fn default() -> Self {
        Self {
            code: None,
            layers: None,
            runtime_files: vec![],
            ephemeral_storage_mb: ephemeral_storage::SIZE_MB_DEFAULT,
            memory_size_mb: 128,
            network: NetworkPolicy::None,
        }
    }
}

/// Where processes find the function's code and layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// Where they are on this host.
    Host,
    /// Where they are on Lambda: [`TASK_ROOT`] and [`LAYERS_ROOT`].
    Lambda,
}

/// Opens a TCP socket for IPv4 that does not block and is not connected. Takes some ten microseconds.
pub type OpenSocket = Arc<dyn Fn() -> io::Result<OwnedFd> + Send + Sync>;

/// What the processes of an environment have of the memory, without cached pages of files, which the kernel takes back when
/// it needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryBytes {
    /// Now.
    pub now: u64,
    /// At most so far.
    pub most: u64,
}

/// Makes sandboxes of one kind.
pub trait Sandboxes: Send + Sync + 'static {
    /// Returns how its sandboxes isolate.
    fn isolation(&self) -> Isolation;

    /// Returns what is in force on this host, and what is not.
    fn facts(&self) -> Facts;

    /// Returns how many environments of an earlier server had left something behind.
    fn left_over(&self) -> usize;

    /// Makes an empty sandbox for an environment.
    fn create<'a>(
        &'a self,
        environment: EnvironmentId,
        plan: &'a SandboxPlan,
    ) -> BoxFuture<'a, Result<Box<dyn Sandbox>, SandboxError>>;
}

/// The walls of one environment. Dropping it kills everything inside and removes its files.
pub trait Sandbox: Send + Sync + 'static {
    /// Returns the reading end of the pipe for [`Output::Shared`]. Does not block.
    fn output(&self) -> Result<OwnedFd, SandboxError>;

    /// Returns the number under which processes find the pipe for framed log records.
    fn log_fd(&self) -> i32;

    /// Returns environment variables that the backend adds, because it cannot give the function AWS's paths.
    fn extra_environment(&self) -> Vec<(OsString, OsString)>;

    /// Returns where processes find the function's code and layers.
    fn paths(&self) -> Paths {
        Paths::Host
    }

    /// Returns the listener for the Runtime API, if this sandbox has a network of its own. Only once.
    fn runtime_api(&self) -> Option<TcpListener> {
        None
    }

    /// Returns the listener for the AWS API that functions reach without going out, at [`AWS_API`], if this sandbox has a
    /// network of its own. Only once.
    fn aws_api(&self) -> Option<TcpListener> {
        None
    }

    /// Returns what opens sockets in the network of this sandbox, if it has one of its own: who connects with them reaches
    /// what the function's own processes would, and a loopback address is the environment's.
    fn sockets(&self) -> Option<OpenSocket> {
        None
    }

    /// Begins to start a process. [`SandboxEvent::Started`] or [`SandboxEvent::StartFailed`] follows.
    fn start(&self, process: ProcessId, command: &Command, output: Output<'_>) -> Result<(), SandboxError>;

    /// Sends `SIGTERM` to a process and its group.
    fn terminate(&self, process: ProcessId) -> Result<(), SandboxError>;

    /// Kills a process and its group.
    fn kill(&self, process: ProcessId) -> Result<(), SandboxError>;

    /// Stops a process and its group, with `SIGSTOP`, until [`Self::go_on`]. It can be killed meanwhile.
    fn stop(&self, process: ProcessId) -> Result<(), SandboxError>;

    /// Lets a process and its group go on that were stopped.
    fn go_on(&self, process: ProcessId) -> Result<(), SandboxError>;

    /// Kills every process; [`SandboxEvent::AllGone`] follows when none is left. The sandbox can be used again then.
    fn kill_all(&self) -> Result<(), SandboxError>;

    /// Waits for the next event. Safe to cancel: no event is lost. One task at a time.
    fn next_event(&self) -> BoxFuture<'_, SandboxEvent>;

    /// Says whether its processes can stand still.
    fn can_freeze(&self) -> bool {
        false
    }

    /// Makes all processes stand still, which takes microseconds from here on, until [`Self::thaw`].
    fn freeze(&self) -> Result<(), SandboxError> {
        Ok(())
    }

    /// Lets all processes go on at once. Signals and kills reach them only then.
    fn thaw(&self) -> Result<(), SandboxError> {
        Ok(())
    }

    /// Holds all processes to the function's share of the CPU from now on, where a backend can. Before that they have a
    /// whole CPU at least, to begin with.
    fn limit_cpu(&self) -> Result<(), SandboxError> {
        Ok(())
    }

    /// Returns the largest memory that the processes used so far, in bytes, added up over all of them.
    fn memory_bytes_max(&self) -> u64;

    /// Returns the memory that the processes have now and that their end would free, and the most of it that they had, in
    /// bytes: without cached pages of files. Where nobody knows, both are the most that they had with them.
    fn memory(&self) -> MemoryBytes {
        let most = self.memory_bytes_max();
        MemoryBytes { now: most, most }
    }

    /// Returns what a process has used so far, with all that it started; of one that has ended, until the next
    /// [`SandboxEvent::AllGone`]. Reads some files for each process that runs.
    fn usage(&self, process: ProcessId) -> Option<ProcessUsage>;

    /// Returns the process id, on the host, of a running process.
    fn pid(&self, process: ProcessId) -> Option<i32>;
}
