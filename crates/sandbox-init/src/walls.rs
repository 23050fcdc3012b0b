//! Building the walls of an environment: its own namespaces, its network, its root file system.
//!
//! Runs once, in init, which is process 1 of a new pid namespace already (see `launcher`). Everything that is mounted
//! here is seen by this environment only and goes with its last process. See `root_file_system` for what it finds.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::messages::Walls;
use crate::{exec, privileges, root_file_system};

/// Where the Runtime API is, from inside.
pub const RUNTIME_API_PORT: u16 = 9_001;
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
    pub(crate) listener: TcpListener,
    /// The namespace itself, to open sockets in it.
    pub(crate) namespace: File,
}

/// Builds them, and returns the network inside.
pub(crate) fn build(walls: &Walls) -> Result<Network, Failed> {
    let namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(namespaces).map_err(step("make namespaces"))?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    // Nothing that is mounted here may reach the host, nor the other way round.
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount::<str, str, str, str>(None, "/", None, private, None).map_err(step("separate the mounts"))?;
    set_host_name().map_err(step("set the host name"))?;
    // When the host runs out of memory, a function is to go, not the service. Said while init may still do anything, it is
    // the least that any process below can ever set for itself.
    std::fs::write("/proc/self/oom_score_adj", exec::OOM_SCORE).map_err(io_step("set the OOM score"))?;
    switch_on_loopback().map_err(step("switch on the loopback interface"))?;
    let listener = TcpListener::bind(("127.0.0.1", RUNTIME_API_PORT));
    let listener = listener.map_err(io_step("open a listener for the Runtime API"))?;
    listener.set_nonblocking(true).map_err(io_step("open a listener for the Runtime API"))?;
    let namespace = File::open("/proc/self/ns/net").map_err(io_step("find the network namespace"))?;
    root_file_system::build(walls)?;
    privileges::keep_what_init_needs().map_err(step("drop capabilities"))?;
    Ok(Network { listener, namespace })
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
