//! The server's side of the launcher: starts it, and hands it a control socket for each new environment.

#![allow(clippy::disallowed_methods, reason = "starting processes is what this crate is for")]

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::SandboxError;
use hearth_sandbox_init::{LAUNCHER_ARGUMENT, messages};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

/// A running launcher. Dropping it lets it end, once it has ended what is left below it.
struct Launcher {
    socket: Option<OwnedFd>,
    process: Child,
}

impl Launcher {
    /// Starts this very program once more, as the launcher.
    fn start() -> io::Result<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        let program = this_program()?;
        let process = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()))
            .arg(LAUNCHER_ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { socket: Some(ours), process })
    }

    /// Lets the launcher fork an init of this kind that listens to `control`.
    fn hand_over(&self, control: &OwnedFd, kind: &[u8]) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Err(io::ErrorKind::NotConnected.into()) };
        messages::send(socket.as_fd(), kind, &[control.as_raw_fd()])
    }
}

/// Opens the program that runs: the file that it was started from, also when another has taken its place on disk.
///
/// By its name where that still leads to it, because tools that run programs themselves, such as Valgrind, answer for the
/// name; a path below `/proc/self` they cannot start.
fn this_program() -> io::Result<File> {
    static PROGRAM: OnceLock<File> = OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return program.try_clone();
    }
    let program = match fs::read_link("/proc/self/exe").and_then(File::open) {
        Ok(program) => program,
        // It has been replaced or removed since it was started.
        Err(_) => File::open("/proc/self/exe")?,
    };
    PROGRAM.get_or_init(|| program).try_clone()
}

/// The launcher of a backend: started again when it is gone.
pub(crate) struct Launchers(Mutex<Launcher>);

impl Launchers {
    /// Starts one.
    pub(crate) fn start() -> Result<Self, SandboxError> {
        Launcher::start().map(|launcher| Self(Mutex::new(launcher))).map_err(SandboxError::StartLauncher)
    }

    /// Lets it fork an init of this kind that listens to `control`.
    pub(crate) fn hand_over(&self, control: &OwnedFd, kind: &[u8]) -> Result<(), SandboxError> {
        let mut launcher = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if launcher.hand_over(control, kind).is_err() {
            tracing::warn!("the sandbox launcher is gone; starting another");
            *launcher = Launcher::start().map_err(SandboxError::StartLauncher)?;
            launcher.hand_over(control, kind).map_err(SandboxError::LauncherGone)?;
        }
        Ok(())
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        self.socket = None;
        if let Err(error) = self.process.wait() {
            tracing::warn!(%error, "cannot wait for the sandbox launcher");
        }
    }
}
