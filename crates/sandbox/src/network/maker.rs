//! Making the network namespace of one environment. Runs in the thread of `Networks`, which goes into each namespace and
//! comes back.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use hearth_sandbox_init::{AWS_API, RUNTIME_API};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};

use super::error::{MAKE_NAMESPACE, NetworkError, step};
use super::links::{self, LOOPBACK};
use super::netlink::Socket;
use super::router::Router;
use super::{NetworkFacts, NetworkPolicy};

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
    home: OwnedFd,
    /// If any environment may go out.
    router: Option<Router>,
}

impl Maker {
    /// Prepares for networks up to this policy.
    pub(super) fn new(most: NetworkPolicy) -> Result<Self, NetworkError> {
        let home = current_namespace()?;
        let router = match most {
            NetworkPolicy::None => None,
            NetworkPolicy::Internet => Some(Router::start(&home)?),
        };
        Ok(Self { home, router })
    }

    pub(super) fn make(&mut self, policy: NetworkPolicy) -> Result<Network, NetworkError> {
        let (network, mut inside) = in_new_namespace(&self.home, || furnish(policy))?;
        match (policy, &mut self.router) {
            (NetworkPolicy::None, _) => {}
            (NetworkPolicy::Internet, Some(router)) => router.connect(&network.namespace, &mut inside)?,
            (NetworkPolicy::Internet, None) => {
                return Err(step("find a way out, which was not prepared")(Errno::ENETUNREACH));
            }
        }
        Ok(network)
    }

    /// Returns how many namespaces the router leads to.
    #[cfg(test)]
    pub(super) fn connected(&mut self) -> Option<usize> {
        self.router.as_mut().map(Router::connected)
    }

    pub(super) fn facts(&mut self) -> NetworkFacts {
        self.router.as_mut().map_or(NetworkFacts::None, Router::facts)
    }
}

/// Makes a namespace, does something in it, and comes back to `home`.
pub(super) fn in_new_namespace<T>(
    home: &OwnedFd,
    work: impl FnOnce() -> Result<T, NetworkError>,
) -> Result<T, NetworkError> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(step(MAKE_NAMESPACE))?;
    let done = work();
    setns(home, CloneFlags::CLONE_NEWNET).map_err(step("leave a network namespace"))?;
    done
}

/// Returns the namespace that this thread is in.
pub(super) fn current_namespace() -> Result<OwnedFd, NetworkError> {
    File::open("/proc/thread-self/ns/net").map(OwnedFd::from).map_err(step("find the network namespace"))
}

/// Switches on what a new namespace has, and listens there.
fn furnish(policy: NetworkPolicy) -> Result<(Network, Socket), NetworkError> {
    if policy != NetworkPolicy::None {
        without_ipv6().map_err(step("switch off IPv6 in a network namespace"))?;
    }
    let mut socket = Socket::for_routes().map_err(step("reach a network namespace"))?;
    socket.request(links::switch_on(LOOPBACK)).map_err(step("switch on the loopback interface"))?;
    let network = Network {
        namespace: Arc::new(current_namespace()?),
        runtime_api: listen(RUNTIME_API).map_err(step("open a listener for the Runtime API"))?,
        aws_api: listen(AWS_API).map_err(step("open a listener for the AWS API"))?,
    };
    Ok((network, socket))
}

/// Interfaces that come later get no IPv6 address.
pub(super) fn without_ipv6() -> io::Result<()> {
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
