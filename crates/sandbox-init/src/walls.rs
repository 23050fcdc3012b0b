//! Building the walls of an environment: its own namespaces, its network, its root file system.
//!
//! Runs once, in init, which is process 1 of a new pid namespace already (see `launcher`). Everything that is mounted
//! here is seen by this environment only and goes with its last process. See `root_file_system` for what it finds.
//!
//! The foundation is the same for every function and most of the work: it can be laid before there is a call. Nothing of
//! any function has been near it, and it is used once.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::messages::{Foundation, Temporary, Walls};
use crate::root_file_system::TemporaryMount;
use crate::sockets::Sockets;
use crate::user_namespace::{Owner, UserNamespace};
use crate::way_out::WayOut;
use crate::{exec, landlock, privileges, root_file_system};

/// Where the Runtime API is, from inside.
pub const RUNTIME_API: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, RUNTIME_API_PORT);
/// Its port; AWS's number, seen there in 2026.
pub const RUNTIME_API_PORT: u16 = 9_001;
/// Where Hearth's own AWS API is, from inside. An address of its own, so that a function may listen at this port.
pub const AWS_API: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 2), 9_002);
/// What the environment believes to be called.
const HOST_NAME: &str = "sandbox";

/// What could not be done, and why.
pub(crate) struct Failed {
    pub(crate) step: String,
    pub(crate) errno: Errno,
}

/// Says which step an error belongs to.
pub(crate) fn step(step: impl Into<String>) -> impl FnOnce(Errno) -> Failed {
    move |errno| Failed { step: step.into(), errno }
}

/// The same for errors of the standard library.
pub(crate) fn io_step(step: impl Into<String>) -> impl FnOnce(std::io::Error) -> Failed {
    move |error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
        Failed { step: step.into(), errno }
    }
}

/// What the server needs of the network inside.
pub(crate) struct Network {
    /// Where the Runtime API listens; only this environment can reach it.
    runtime_api: TcpListener,
    /// Where the AWS API listens; only this environment can reach it.
    aws_api: TcpListener,
    /// With what the server asks [`Network::sockets`].
    way_in: OwnedFd,
    /// Where init is asked for sockets inside.
    pub(crate) sockets: Option<Sockets>,
}

impl Network {
    /// Returns what goes to the server, in the order of [`FromInit::WallsBuilt`](crate::messages::FromInit::WallsBuilt).
    pub(crate) fn descriptors(&self) -> [RawFd; 3] {
        [self.runtime_api.as_raw_fd(), self.aws_api.as_raw_fd(), self.way_in.as_raw_fd()]
    }
}

/// What is there before the walls.
pub(crate) struct Laid {
    root: PathBuf,
    /// Of the environment's processes.
    pub(crate) user: u32,
    /// To enter at the end, if init was not born in one.
    user_namespace: Option<UserNamespace>,
    /// What of the host's networks has no route inside, if there is a way out.
    closed: Option<Vec<(Ipv4Addr, u8)>>,
}

/// Lays the foundation. `owner` is whose user namespace this process was born in, if it was; `way_out` is what will
/// connect its network with others.
pub(crate) fn lay_foundation(
    foundation: &Foundation,
    owner: Option<Owner>,
    way_out: Option<&WayOut>,
) -> Result<Laid, Failed> {
    if let Some(owner) = owner {
        owner.become_only_user(foundation.user)?;
    }
    exec::goes_before_the_service();
    let closed = way_out.map(|_| WayOut::closed_networks()).transpose()?;
    let namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(namespaces).map_err(step("make namespaces"))?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    // Nothing that is mounted here may reach the host, nor the other way round.
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount::<str, str, str, str>(None, "/", None, private, None).map_err(step("separate the mounts"))?;
    set_host_name().map_err(step("set the host name"))?;
    let root = PathBuf::from(&foundation.root);
    root_file_system::begin(&root, foundation.user)?;
    let proc = root.join("proc");
    let user_namespace =
        foundation.root_user.map(|of_root| UserNamespace::new(foundation.user, of_root, &proc));
    Ok(Laid { root, user: foundation.user, user_namespace: user_namespace.transpose()?, closed })
}

/// Builds the walls on their foundation. `descriptors` are what the walls say is handed in. Returns the network inside, if
/// none was handed in.
pub(crate) fn build(
    walls: &Walls,
    laid: Laid,
    descriptors: Vec<OwnedFd>,
    way_out: Option<&WayOut>,
) -> Result<Option<Network>, Failed> {
    let mut descriptors = descriptors.into_iter();
    let mut handed_in =
        |what: &str| descriptors.next().ok_or(Errno::EBADF).map_err(step(format!("take over {what}")));
    let network = if walls.network_is_prepared {
        let network = handed_in("a network")?;
        setns(network, CloneFlags::CLONE_NEWNET).map_err(step("enter a network"))?;
        None
    } else {
        unshare(CloneFlags::CLONE_NEWNET).map_err(step("make a network"))?;
        Some(own_network()?)
    };
    let temporary = match walls.temporary {
        Temporary::Mounted => TemporaryMount::Made(handed_in("/tmp")?),
        Temporary::Memory { bytes_max } => TemporaryMount::Memory { bytes_max },
    };
    if let (Some(way_out), Some(closed)) = (way_out, &laid.closed) {
        way_out.connect(closed)?;
    }
    root_file_system::complete(&laid.root, walls, temporary)?;
    if let Some(user_namespace) = laid.user_namespace {
        user_namespace.enter()?;
    }
    privileges::keep_what_init_needs().map_err(step("drop capabilities"))?;
    landlock::restrict()?;
    Ok(network)
}

/// Furnishes a new network namespace with the only thing that can be had there: its loopback interface.
fn own_network() -> Result<Network, Failed> {
    switch_on_loopback().map_err(step("switch on the loopback interface"))?;
    let listen = |address: SocketAddrV4| {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    let runtime_api = listen(RUNTIME_API).map_err(io_step("open a listener for the Runtime API"))?;
    let aws_api = listen(AWS_API).map_err(io_step("open a listener for the AWS API"))?;
    let (sockets, way_in) = Sockets::new().map_err(step("make a socket for the server"))?;
    Ok(Network { runtime_api, aws_api, way_in, sockets: Some(sockets) })
}

fn set_host_name() -> Result<(), Errno> {
    // SAFETY: the pointer and the length are those of a constant, which is only read.
    #[allow(unsafe_code)]
    let result = unsafe { libc::sethostname(HOST_NAME.as_ptr().cast(), HOST_NAME.len()) };
    Errno::result(result).map(drop)
}

/// A new network namespace has a loopback interface that is down, and nothing else.
fn switch_on_loopback() -> Result<(), Errno> {
    // SAFETY: takes plain numbers; the result is checked.
    #[allow(unsafe_code)]
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    let socket = Errno::result(socket)?;
    // SAFETY: the kernel has just opened it, and nobody else owns it.
    #[allow(unsafe_code)]
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let mut request =
        Flags { name: [0; libc::IFNAMSIZ], flags: libc::IFF_UP as libc::c_short, rest: [0; 22] };
    request.name[..2].copy_from_slice(b"lo");
    // SAFETY: the call reads an `ifreq`, of which `Flags` is one kind with the same size.
    #[allow(unsafe_code)]
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    Errno::result(result).map(drop)
}

/// `struct ifreq` with flags.
#[repr(C)]
struct Flags {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}
