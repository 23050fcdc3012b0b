//! Sockets in the network of an environment, for a server that may not go there: its init opens them.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Mutex, PoisonError};

use hearth_sandbox_init::messages;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long init may take, in milliseconds. It does nothing that takes long; this is for one that has been stopped.
const ANSWER_MS_MAX: u16 = 1_000;

/// The server's end of the channel to init.
pub(crate) struct SocketsInside(Mutex<OwnedFd>);

impl SocketsInside {
    pub(crate) fn new(channel: OwnedFd) -> Self {
        Self(Mutex::new(channel))
    }

    /// Has one opened: TCP for IPv4, not connected, and it does not block.
    pub(crate) fn open(&self) -> io::Result<OwnedFd> {
        let channel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        messages::send(channel.as_fd(), b"s", &[])?;
        loop {
            let mut ready = [PollFd::new(channel.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, PollTimeout::from(ANSWER_MS_MAX)) {
                Err(nix::Error::EINTR) => continue,
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                other => other?,
            };
            let (_, mut descriptors) = messages::receive(channel.as_fd(), &mut [0; 1])?;
            return descriptors.pop().ok_or_else(|| io::ErrorKind::NotConnected.into());
        }
    }
}
