//! The processes of one environment as the server sees them: what it tells their init, and what it hears from there.
//! The same for every backend that has an init.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hearth_sandbox_init::ENVIRONMENT;
use hearth_sandbox_init::messages::{self, FromInit, Program, ToInit};
use hearth_types::{ProcessUsage, limits};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{Gid, Uid, fchown};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use crate::launcher::Launchers;
use crate::memory::MemoryMeter;
use crate::usage::{self, Usages};
use crate::{Command, Output, ProcessId, SandboxError, SandboxEvent, output_pipe};

/// The descriptor of the log pipe inside an environment; AWS's number, seen there in 2026.
pub(crate) const LOG_FD: i32 = 62;

/// An init and what runs below it.
pub(crate) struct Processes {
    /// Closing it ends the tree.
    control: UnixDatagram,
    output: OwnedFd,
    output_to: OwnedFd,
    /// Whose the processes are on the host, if not the server's.
    user: Option<u32>,
    /// Whether init counts processes as the host does.
    is_walled: bool,
    pids: Mutex<Vec<(ProcessId, i32)>>,
    usages: Mutex<Usages>,
    /// `None` where a cgroup counts.
    memory: Option<Mutex<MemoryMeter>>,
}

impl Processes {
    /// Has an init of this kind started. With `meters_memory` the memory of what runs below it is added up.
    pub(crate) fn begin(
        launchers: &Launchers,
        kind: &[u8],
        user: Option<u32>,
        meters_memory: bool,
    ) -> Result<Self, SandboxError> {
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
        launchers.hand_over(&theirs, kind)?;
        // Tokio knows no `SOCK_SEQPACKET`; in all that we use, such a socket is a datagram socket that also has an end.
        let control = UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(ours))
            .map_err(|source| SandboxError::Prepare { what: "a control socket", source })?;
        Ok(Self {
            control,
            output,
            output_to,
            user,
            is_walled: kind != ENVIRONMENT,
            pids: Mutex::new(Vec::new()),
            usages: Mutex::default(),
            memory: meters_memory.then(|| Mutex::new(MemoryMeter::default())),
        })
    }

    pub(crate) fn output(&self) -> Result<OwnedFd, SandboxError> {
        self.output.try_clone().map_err(|source| SandboxError::Prepare { what: "an output pipe", source })
    }

    pub(crate) fn start(
        &self,
        process: ProcessId,
        command: &Command,
        output: Output<'_>,
    ) -> Result<(), SandboxError> {
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
            Output::Shared => self.output_to.as_fd(),
            Output::Own(output) => output,
        };
        if let Some(user) = self.user {
            // So that it can open `/dev/stdout`, which leads to the pipe.
            fchown(output, Some(Uid::from_raw(user)), Some(Gid::from_raw(user)))
                .map_err(|errno| SandboxError::Prepare { what: "an output pipe", source: errno.into() })?;
        }
        let mut descriptors = vec![output.as_raw_fd()];
        if let Some(snapshot) = &command.restored_from {
            descriptors.extend(snapshot.descriptors().iter().map(AsRawFd::as_raw_fd));
        }
        self.say(&ToInit::Start { process: process.0, program }, &descriptors)
    }

    pub(crate) fn say(&self, message: &ToInit, descriptors: &[i32]) -> Result<(), SandboxError> {
        messages::send(self.control.as_fd(), &message.encode(), descriptors)
            .map_err(SandboxError::Unreachable)
    }

    pub(crate) fn signal(&self, process: ProcessId, signal: i32) -> Result<(), SandboxError> {
        self.say(&ToInit::Signal { process: process.0, signal }, &[])
    }

    pub(crate) fn kill_all(&self) -> Result<(), SandboxError> {
        self.say(&ToInit::KillAll, &[])
    }

    pub(crate) async fn next_event(&self) -> SandboxEvent {
        match self.receive().await {
            Some((message, descriptors)) => self.hear(&message, &descriptors),
            None => SandboxEvent::Lost,
        }
    }

    /// Waits for the next message; `None` when init is gone or talks nonsense.
    pub(crate) async fn receive(&self) -> Option<(FromInit, Vec<OwnedFd>)> {
        let mut packet = [0; 256];
        loop {
            self.control.readable().await.ok()?;
            let receive = || messages::receive(self.control.as_fd(), &mut packet);
            match self.control.try_io(Interest::READABLE, receive) {
                Ok((length, descriptors)) if length > 0 => {
                    return FromInit::decode(&packet[..length]).map(|message| (message, descriptors));
                }
                // The other end did not read all that we said; what it said itself comes after this error, which comes once.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => return None,
            }
        }
    }

    fn hear(&self, message: &FromInit, descriptors: &[OwnedFd]) -> SandboxEvent {
        let mut pids = self.pids.lock().unwrap_or_else(PoisonError::into_inner);
        match *message {
            FromInit::Started { process, pid } => {
                let pid = match self.is_walled {
                    false => Some(pid),
                    true => descriptors.first().and_then(pid_on_host),
                };
                if let Some(pid) = pid {
                    pids.push((ProcessId(process), pid));
                    if let Some(mut meter) = self.meter() {
                        meter.watch(pid);
                    }
                }
                SandboxEvent::Started { process: ProcessId(process) }
            }
            FromInit::StartFailed { process, errno } => {
                SandboxEvent::StartFailed { process: ProcessId(process), errno }
            }
            FromInit::Exited { process, status, memory_kb_max, cpu_us } => {
                if let Some(mut meter) = self.meter() {
                    meter.at_least(memory_kb_max.saturating_mul(1_024));
                }
                let process = ProcessId(process);
                let cpu = Duration::from_micros(cpu_us);
                let memory_bytes_max = memory_kb_max.saturating_mul(1_024);
                self.usages().see(process, ProcessUsage { cpu, memory_bytes_max });
                pids.retain(|(known, _)| *known != process);
                SandboxEvent::Exited { process, status, was_out_of_memory: false }
            }
            FromInit::AllGone => {
                pids.clear();
                self.usages().forget();
                if let Some(mut meter) = self.meter() {
                    meter.forget_processes();
                }
                SandboxEvent::AllGone
            }
            // Said before anything else, and heard by whoever asked for walls.
            FromInit::FoundationLaid | FromInit::WallsBuilt | FromInit::WallsFailed { .. } => {
                SandboxEvent::Lost
            }
        }
    }

    pub(crate) fn memory_bytes_max(&self) -> u64 {
        self.meter().map_or(0, |mut meter| meter.measure())
    }

    pub(crate) fn usage(&self, process: ProcessId) -> Option<ProcessUsage> {
        let seen = self.pid(process).and_then(usage::look_at);
        let mut usages = self.usages();
        match seen {
            Some(seen) => Some(usages.see(process, seen)),
            None => usages.of(process),
        }
    }

    fn usages(&self) -> MutexGuard<'_, Usages> {
        self.usages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pid(&self, process: ProcessId) -> Option<i32> {
        let pids = self.pids.lock().unwrap_or_else(PoisonError::into_inner);
        pids.iter().find(|(known, _)| *known == process).map(|(_, pid)| *pid)
    }

    fn meter(&self) -> Option<MutexGuard<'_, MemoryMeter>> {
        Some(self.memory.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The process id, as the server counts, of the process that a pidfd is for. `None` when it has ended already.
fn pid_on_host(pidfd: &OwnedFd) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    let pid = text.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    pid.trim().parse().ok().filter(|&pid| pid > 0)
}
