//! The server's side of the launcher: starts it, and hands it a control socket for each new environment.

#![allow(clippy::disallowed_methods, reason = "starting processes is what this crate is for")]

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};

use hearth_sandbox_init::{LAUNCHER_ARGUMENT, messages};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

/// A running launcher. Dropping it lets it end, once it has ended what is left below it.
pub(super) struct Launcher {
    socket: Option<OwnedFd>,
    process: Child,
}

impl Launcher {
    /// Starts this very program once more, as the launcher.
    pub(super) fn start() -> io::Result<Self> {
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

    /// Lets the launcher fork an init that listens to `control`.
    pub(super) fn hand_over(&self, control: &OwnedFd) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Err(io::ErrorKind::NotConnected.into()) };
        messages::send(socket.as_fd(), b"environment", &[control.as_raw_fd()])
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
