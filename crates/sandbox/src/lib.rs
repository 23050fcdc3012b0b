//! The walls of an execution environment: where its processes run, and how all of them are ended.
//!
//! [`Sandboxes`] makes a [`Sandbox`] for each environment. A sandbox starts processes, signals them, kills the whole
//! tree and says what happened, as [`SandboxEvent`]s. It knows nothing of phases, runtimes or invocations.
//!
//! Two backends: [`process`] ends trees reliably, and isolates nothing; [`namespaces`] puts walls around each
//! environment. See `SECURITY.md`.

pub mod cgroups;
mod folder;
mod launcher;
mod memory;
pub mod namespaces;
pub mod process;
mod processes;

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
pub use hearth_sandbox_init::messages::ExitStatus;
use hearth_types::EnvironmentId;
use nix::fcntl::OFlag;

/// How a backend separates functions from the host and from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Not at all: own process groups and limits, nothing more.
    Process,
    /// By Linux namespaces, an own user, and a filter of system calls.
    Namespaces,
}

impl Isolation {
    /// What an operator has to know about it, in one line.
    pub const fn warning(self) -> &'static str {
        match self {
            Self::Process => {
                "isolation `process` isolates nothing: functions run as this user, can read and change what it can, \
                 and can see each other. Run only functions that you trust."
            }
            Self::Namespaces => {
                "isolation `namespaces` is not complete: functions have no network besides their Runtime API."
            }
        }
    }
}

/// Which process of an environment is meant. Numbers are never used twice within one sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u32);

/// A process to start. Nothing is inherited from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments, without the name at index 0.
    pub arguments: Vec<OsString>,
    /// All of its environment variables.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub working_directory: PathBuf,
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
    /// The limits of an environment could not be set, or its processes not be made to stand still or go on.
    #[error("failed to use cgroups")]
    Cgroups(#[from] cgroups::CgroupError),
    /// The backend needs root.
    #[error("isolation `namespaces` needs root")]
    NotRoot,
}

impl SandboxError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotRoot => Some(
                "start Hearth as root, or use `--isolation process` for functions that you trust: it does not isolate \
                 them from this machine",
            ),
            // What its first process could not do is in a warning above.
            Self::Build { .. } | Self::InitGone | Self::Unreachable(_) => Some(
                "isolation `namespaces` needs Linux 5.12 or newer, and in a container the right to make namespaces and to \
                 mount (CAP_SYS_ADMIN); `--isolation process` does without, for functions that you trust",
            ),
            Self::Cgroups(error) => error.hint(),
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
}

impl Default for SandboxPlan {
    /// Nothing but the host's programs, and the `/tmp` and the memory of a function that does not say anything about them.
    fn default() -> Self {
        Self {
            code: None,
            layers: None,
            runtime_files: vec![],
            ephemeral_storage_mb: 512,
            memory_size_mb: 128,
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

/// Makes sandboxes of one kind.
pub trait Sandboxes: Send + Sync + 'static {
    /// Returns how its sandboxes isolate.
    fn isolation(&self) -> Isolation;

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

    /// Returns what opens sockets in the network of this sandbox, if it has one of its own: who connects with them reaches
    /// what listens inside, and nothing else.
    fn sockets(&self) -> Option<OpenSocket> {
        None
    }

    /// Begins to start a process. [`SandboxEvent::Started`] or [`SandboxEvent::StartFailed`] follows.
    fn start(&self, process: ProcessId, command: &Command, output: Output<'_>) -> Result<(), SandboxError>;

    /// Sends `SIGTERM` to a process and its group.
    fn terminate(&self, process: ProcessId) -> Result<(), SandboxError>;

    /// Kills a process and its group.
    fn kill(&self, process: ProcessId) -> Result<(), SandboxError>;

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

    /// Returns the process id, on the host, of a running process.
    fn pid(&self, process: ProcessId) -> Option<i32>;
}
