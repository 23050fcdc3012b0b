//! Making the network namespace of one environment. Runs in the thread of `Networks`, which goes into each namespace and
//! comes back.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use hearth_sandbox_init::{AWS_API, RUNTIME_API};
use nix::sched::{CloneFlags, setns, unshare};

use super::NetworkPolicy;
use super::error::{NetworkError, step};
use super::links::{self, LOOPBACK};
use super::netlink::Socket;

/// The network of one environment, used once. It goes with the last of its descriptors, sockets and processes.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) namespace: Arc<OwnedFd>,
    /// Listens at [`RUNTIME_API`].
    pub(crate) runtime_api: TcpListener,
    /// Listens at [`AWS_API`].
    pub(crate) aws_api: TcpListener,
}

/// Makes them.
pub(super) struct Maker {
    /// The namespace of the server.
    home: File,
}

impl Maker {
    pub(super) fn new() -> Result<Self, NetworkError> {
        Ok(Self { home: current_namespace()? })
    }

    pub(super) fn make(&mut self, _policy: NetworkPolicy) -> Result<Network, NetworkError> {
        self.in_new_namespace(furnish)
    }

    /// Makes a namespace, and does something in it.
    fn in_new_namespace<T>(&self, work: impl FnOnce() -> Result<T, NetworkError>) -> Result<T, NetworkError> {
        unshare(CloneFlags::CLONE_NEWNET).map_err(step("make a network namespace"))?;
        let done = work();
        setns(&self.home, CloneFlags::CLONE_NEWNET).map_err(step("leave a network namespace"))?;
        done
    }
}

/// Returns the namespace that this thread is in.
fn current_namespace() -> Result<File, NetworkError> {
    File::open("/proc/thread-self/ns/net").map_err(step("find the network namespace"))
}

/// Switches on what a new namespace has, and listens there.
fn furnish() -> Result<Network, NetworkError> {
    without_ipv6().map_err(step("switch off IPv6 in a network namespace"))?;
    let mut socket = Socket::for_routes().map_err(step("reach a network namespace"))?;
    socket.request(links::switch_on(LOOPBACK)).map_err(step("switch on the loopback interface"))?;
    Ok(Network {
        namespace: Arc::new(current_namespace()?.into()),
        runtime_api: listen(RUNTIME_API).map_err(step("open a listener for the Runtime API"))?,
        aws_api: listen(AWS_API).map_err(step("open a listener for the AWS API"))?,
    })
}

/// Interfaces that come later get no IPv6 address.
fn without_ipv6() -> io::Result<()> {
    match fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()), // or the kernel has none
    }
}

fn listen(address: SocketAddrV4) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
