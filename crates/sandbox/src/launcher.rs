//! The server's side of the launcher: starts it, and hands it a control socket for each new environment.

#![allow(clippy::disallowed_methods, reason = "starting processes is what this crate is for")]

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

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
        let process = Command::new("/proc/self/exe")
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
