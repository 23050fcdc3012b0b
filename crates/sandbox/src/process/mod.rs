//! Backend `process`: the processes of an environment run beside the server, as the same user.
//!
//! What it does: own process groups, limits on files and core dumps, a scrubbed environment, closed descriptors, one
//! folder for temporary files an environment, and a whole tree that ends with its environment or with the server.
//! What it does not: keep hostile code away from anything. `/tmp` is the host's; `TMPDIR` names the own folder.

mod launcher;
mod memory;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use hearth_sandbox_init::messages::{self, FromInit, Program, ToInit};
use hearth_types::{EnvironmentId, limits};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use crate::{
    Command, Isolation, Output, ProcessId, Sandbox, SandboxError, SandboxEvent, Sandboxes, output_pipe,
};
use launcher::Launcher;
use memory::MemoryMeter;

/// The descriptor of the log pipe inside an environment; AWS's number, seen there in 2026.
const LOG_FD: i32 = 62;

/// Makes sandboxes that are plain process trees.
pub struct ProcessSandboxes {
    launcher: Mutex<Launcher>,
    folder: PathBuf,
    left_over: usize,
}

impl ProcessSandboxes {
    /// Starts the launcher. `folder` will hold a folder for each environment; what an earlier server left in it is
    /// removed.
    pub fn start(folder: &Path) -> Result<Self, SandboxError> {
        let prepare = |source| SandboxError::Prepare { what: "its folder", source };
        let left_over = std::fs::read_dir(folder).map_or(0, Iterator::count);
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(prepare(error)),
            _ => {}
        }
        std::fs::create_dir_all(folder).map_err(prepare)?;
        let launcher = Launcher::start().map_err(SandboxError::StartLauncher)?;
        Ok(Self { launcher: Mutex::new(launcher), folder: folder.to_owned(), left_over })
    }

    /// Returns how many environments of an earlier server had left their folder behind.
    pub fn left_over(&self) -> usize {
        self.left_over
    }
}

impl Sandboxes for ProcessSandboxes {
    fn isolation(&self) -> Isolation {
        Isolation::Process
    }

    fn create(&self, environment: EnvironmentId) -> Result<Box<dyn Sandbox>, SandboxError> {
        let prepare = |what| move |errno: nix::Error| SandboxError::Prepare { what, source: errno.into() };
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        )
        .map_err(prepare("a control socket"))?;
        // Init waits in poll and then reads, so a non-blocking end suits it too.
        let (output, output_to) = output_pipe()?;

        let folder = self.folder.join(environment.to_string());
        let temporary = folder.join("tmp");
        std::fs::create_dir_all(&temporary)
            .map_err(|source| SandboxError::Prepare { what: "a folder for temporary files", source })?;
        fail::fail_point!("sandbox::folder");

        let mut launcher = self.launcher.lock().unwrap_or_else(PoisonError::into_inner);
        if launcher.hand_over(&theirs).is_err() {
            tracing::warn!("the sandbox launcher is gone; starting another");
            *launcher = Launcher::start().map_err(SandboxError::StartLauncher)?;
            launcher.hand_over(&theirs).map_err(SandboxError::LauncherGone)?;
        }
        drop(launcher);

        // Tokio knows no `SOCK_SEQPACKET`; in all that we use, such a socket is a datagram socket that also has an end.
        let control = UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(ours))
            .map_err(|source| SandboxError::Prepare { what: "a control socket", source })?;
        Ok(Box::new(ProcessSandbox {
            control,
            output,
            output_to,
            folder,
            temporary,
            pids: Mutex::new(Vec::new()),
            memory: Mutex::new(MemoryMeter::default()),
        }))
    }
}

/// One process tree.
struct ProcessSandbox {
    /// Closing it ends the tree.
    control: UnixDatagram,
    output: OwnedFd,
    output_to: OwnedFd,
    folder: PathBuf,
    temporary: PathBuf,
    pids: Mutex<Vec<(ProcessId, i32)>>,
    memory: Mutex<MemoryMeter>,
}

impl ProcessSandbox {
    fn say(&self, message: &ToInit, output: &[i32]) -> Result<(), SandboxError> {
        messages::send(self.control.as_fd(), &message.encode(), output).map_err(SandboxError::Unreachable)
    }

    fn signal(&self, process: ProcessId, signal: i32) -> Result<(), SandboxError> {
        self.say(&ToInit::Signal { process: process.0, signal }, &[])
    }

    fn hear(&self, message: &FromInit) -> SandboxEvent {
        let mut pids = self.pids.lock().unwrap_or_else(PoisonError::into_inner);
        match *message {
            FromInit::Started { process, pid } => {
                pids.push((ProcessId(process), pid));
                self.meter().watch(pid);
                SandboxEvent::Started { process: ProcessId(process) }
            }
            FromInit::StartFailed { process, errno } => {
                SandboxEvent::StartFailed { process: ProcessId(process), errno }
            }
            FromInit::Exited { process, status, memory_kb_max } => {
                self.meter().at_least(memory_kb_max * 1_024);
                let process = ProcessId(process);
                pids.retain(|(known, _)| *known != process);
                SandboxEvent::Exited { process, status }
            }
            FromInit::AllGone => {
                pids.clear();
                self.meter().forget_processes();
                SandboxEvent::AllGone
            }
        }
    }

    fn meter(&self) -> std::sync::MutexGuard<'_, MemoryMeter> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn receive(&self) -> SandboxEvent {
        let mut packet = [0; 256];
        loop {
            if self.control.readable().await.is_err() {
                return SandboxEvent::Lost;
            }
            let receive = || messages::receive(self.control.as_fd(), &mut packet);
            match self.control.try_io(Interest::READABLE, receive) {
                Ok((length, _)) if length > 0 => {
                    return match FromInit::decode(&packet[..length]) {
                        Some(message) => self.hear(&message),
                        None => SandboxEvent::Lost,
                    };
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => return SandboxEvent::Lost,
            }
        }
    }
}

impl Sandbox for ProcessSandbox {
    fn output(&self) -> Result<OwnedFd, SandboxError> {
        self.output.try_clone().map_err(|source| SandboxError::Prepare { what: "an output pipe", source })
    }

    fn log_fd(&self) -> i32 {
        LOG_FD
    }

    fn extra_environment(&self) -> Vec<(OsString, OsString)> {
        vec![("TMPDIR".into(), self.temporary.clone().into())]
    }

    fn start(&self, process: ProcessId, command: &Command, output: Output<'_>) -> Result<(), SandboxError> {
        let mut arguments = vec![command.program.clone().into_os_string()];
        arguments.extend(command.arguments.iter().cloned());
        let join = |(name, value): &(OsString, OsString)| {
            let mut text = name.clone();
            text.push("=");
            text.push(value);
            text
        };
        let program = Program {
            path: command.program.clone().into(),
            arguments,
            environment: command.environment.iter().map(join).collect(),
            working_directory: command.working_directory.clone().into(),
            log_fd: match output {
                Output::Shared => Some(LOG_FD),
                Output::Own(_) => None,
            },
            open_files_max: limits::OPEN_FILES_MAX,
        };
        let output = match output {
            Output::Shared => self.output_to.as_raw_fd(),
            Output::Own(output) => output.as_raw_fd(),
        };
        self.say(&ToInit::Start { process: process.0, program }, &[output])
    }

    fn terminate(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.signal(process, nix::libc::SIGTERM)
    }

    fn kill(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.signal(process, nix::libc::SIGKILL)
    }

    fn kill_all(&self) -> Result<(), SandboxError> {
        self.say(&ToInit::KillAll, &[])
    }

    fn next_event(&self) -> BoxFuture<'_, SandboxEvent> {
        Box::pin(self.receive())
    }

    fn memory_bytes_max(&self) -> u64 {
        self.meter().measure()
    }

    fn pid(&self, process: ProcessId) -> Option<i32> {
        let pids = self.pids.lock().unwrap_or_else(PoisonError::into_inner);
        pids.iter().find(|(known, _)| *known == process).map(|(_, pid)| *pid)
    }
}

impl Drop for ProcessSandbox {
    fn drop(&mut self) {
        // A function may have left many files; removing them is no work for an async thread. What cannot be removed
        // now, because the tree is just being killed, goes with the next start of the server.
        let folder = std::mem::take(&mut self.folder);
        let remove = move || {
            fail::fail_point!("sandbox::remove");
            if let Err(error) = std::fs::remove_dir_all(&folder) {
                tracing::warn!(folder = %folder.display(), %error, "cannot remove an environment's files");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(tokio) => drop(tokio.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}
