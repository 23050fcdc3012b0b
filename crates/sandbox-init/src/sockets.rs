//! Opening sockets inside an environment for a server that may not enter its network namespace: it asks init.

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket, socketpair};

use crate::messages;

/// Init's end of the channel: each packet is answered with one socket.
pub(crate) struct Sockets(OwnedFd);

impl Sockets {
    /// Returns init's end, and the server's.
    pub(crate) fn new() -> Result<(Self, OwnedFd), Errno> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        Ok((Self(ours), theirs))
    }

    /// Lends what becomes readable when the server asks.
    pub(crate) fn asked(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Answers one question: a TCP socket for IPv4, or none, by which the server knows that there is no more.
    /// `false` when the server has closed its end.
    pub(crate) fn answer(&self) -> bool {
        match messages::receive(self.0.as_fd(), &mut [0; 1]) {
            Ok((1, _)) => {}
            Ok(_) | Err(_) => return false,
        }
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let opened = socket(AddressFamily::Inet, SockType::Stream, flags, None).ok();
        let opened: Vec<i32> = opened.iter().map(|socket| socket.as_raw_fd()).collect();
        messages::send(self.0.as_fd(), b"s", &opened).is_ok()
    }
}
