//! What the server needs of the network of an environment: listeners in it, and sockets from it.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::OpenSocket;
use crate::network::Network;
use crate::sockets_inside::SocketsInside;

/// What the server needs of the network of an environment.
pub(super) struct NetworkInside {
    pub(super) runtime_api: TcpListener,
    pub(super) aws_api: TcpListener,
    pub(super) sockets: OpenSocket,
}

impl NetworkInside {
    pub(super) fn prepared(network: Network) -> Self {
        let Network { namespace, runtime_api, aws_api, .. } = network;
        Self { runtime_api, aws_api, sockets: Arc::new(move || open_socket(namespace.clone())) }
    }

    /// Takes what came with [`WallsBuilt`](hearth_sandbox_init::messages::FromInit::WallsBuilt).
    pub(super) fn of_init(descriptors: Vec<OwnedFd>) -> Option<Self> {
        let mut descriptors = descriptors.into_iter();
        let (runtime_api, aws_api) = (descriptors.next()?.into(), descriptors.next()?.into());
        let sockets = SocketsInside::new(descriptors.next()?);
        Some(Self { runtime_api, aws_api, sockets: Arc::new(move || sockets.open()) })
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
