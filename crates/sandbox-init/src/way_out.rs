//! The way to other networks for an environment that was made without root: Debian's `pasta` carries its packets.
//!
//! ```text
//!   launcher ──fork──> keeper, process 1 of an outer pid namespace, in the host's network
//!                        ├──fork──> init, process 1 of the environment's pid namespace, which the keeper is not seen in
//!                        └──exec──> pasta, in both networks
//! ```
//!
//! The keeper ends with init, and the kernel ends pasta with the keeper. Functions have the user of pasta, but do not see
//! it: it is not in their pid namespace.
//!
//! The host itself stays closed: pasta forwards no port, and maps no address to the host. What it would connect to
//! because the host can, link-local addresses and those of the host, has no route inside. Addresses that the host
//! gets later than the environment its network are not closed.

#![allow(clippy::disallowed_methods, reason = "starting pasta is what the keeper is for")]

use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::ForkResult;

use crate::user_namespace::Owner;
use crate::walls::{Failed, io_step, step};
use crate::{init, launcher, messages, privileges, routes};

/// Where distributions have it.
const PASTA: &[&str] = &["/usr/bin/pasta", "/usr/local/bin/pasta", "/bin/pasta"];

/// IPv4 only, as in other networks of ours; no ports in either direction; the gateway is the gateway, not the host.
/// Standard input is the environment's network namespace.
const ARGUMENTS: &[&str] = &[
    "--quiet",
    "--ipv4-only",
    "--config-net",
    "--tcp-ports=none",
    "--udp-ports=none",
    "--tcp-ns=none",
    "--udp-ns=none",
    "--no-map-gw",
    "--no-dhcp",
    "--no-netns-quit",
    "--netns-only",
    "--netns=/proc/self/fd/0",
];

/// Link-local addresses: where clouds have their metadata, with the host's credentials.
const LINK_LOCAL: (Ipv4Addr, u8) = (Ipv4Addr::new(169, 254, 0, 0), 16);

/// What begins the text of a failure of it.
pub const STEP: &str = "connect the network by pasta";

/// Returns pasta, if it is here.
pub fn pasta() -> Option<&'static Path> {
    PASTA.iter().map(Path::new).find(|path| path.exists())
}

/// Becomes the keeper of an environment. Runs in a child of the launcher that was born into a new user and a new pid
/// namespace.
pub(crate) fn keep(control: OwnedFd, owner: Owner) -> ! {
    let code = match try_keep(control, owner) {
        Ok(()) => 0,
        Err(errno) => {
            eprintln!("warning: the keeper of an environment failed: {errno}");
            1
        }
    };
    // SAFETY: `_exit` has no conditions; it skips what belongs to the launcher that this process was forked from.
    #[allow(unsafe_code)]
    unsafe {
        libc::_exit(code)
    }
}

fn try_keep(control: OwnedFd, owner: Owner) -> Result<(), Errno> {
    // The launcher has one thread, and outlives its environments unless it is killed.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let flags = SockFlag::SOCK_CLOEXEC;
    let (ours, of_init) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    let init = match launcher::fork_into(CloneFlags::CLONE_NEWPID)? {
        ForkResult::Child => {
            drop(ours);
            init::run(control, init::Birth::Rootless(owner), Some(WayOut(of_init)))
        }
        ForkResult::Parent { child } => child,
    };
    drop((control, of_init));
    if let Ok((1, descriptors)) = messages::receive(ours.as_fd(), &mut [0; 1])
        && let Some(network) = descriptors.into_iter().next()
    {
        let answer = run_pasta(network).err().unwrap_or_default();
        let text: String = format!("={answer}").chars().take(ANSWER_CHARACTERS_MAX).collect();
        // Init may be gone; then we are, too.
        let _ = messages::send(ours.as_fd(), text.as_bytes(), &[]);
    }
    while waitpid(None, None)?.pid() != Some(init) {}
    Ok(())
}

/// How much of what pasta says is told.
const ANSWER_CHARACTERS_MAX: usize = 150;

/// Starts it, and returns once it has furnished the network: its first process ends then, and leaves one to carry packets.
fn run_pasta(network: OwnedFd) -> Result<(), String> {
    let pasta = pasta().ok_or("it is not here")?;
    privileges::let_programs_have_networks().map_err(|errno| errno.to_string())?;
    let mut command = Command::new(pasta);
    command.args(ARGUMENTS).env_clear().current_dir("/").stdin(Stdio::from(network));
    let ended = command.output().map_err(|error| error.to_string())?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    Err(said.lines().last().map_or_else(|| ended.status.to_string(), str::to_owned))
}

/// Init's end of the channel to its keeper.
pub(crate) struct WayOut(OwnedFd);

impl WayOut {
    /// Returns what must have no route in an environment. Asked in the host's network.
    pub(crate) fn closed_networks() -> Result<Vec<(Ipv4Addr, u8)>, Failed> {
        let own = routes::own_addresses().map_err(step("list the host's addresses"))?;
        let own = own.into_iter().filter(|address| !address.is_loopback()).map(|address| (address, 32));
        Ok(std::iter::once(LINK_LOCAL).chain(own).collect())
    }

    /// Connects the network that this process is in with those of the host, but for what is `closed`.
    pub(crate) fn connect(&self, closed: &[(Ipv4Addr, u8)]) -> Result<(), Failed> {
        routes::close(closed).map_err(step("close the host's addresses"))?;
        let network =
            nix::fcntl::open("/proc/self/ns/net", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
                .map_err(step("find the network namespace"))?;
        let mut answer = [0; 4 * ANSWER_CHARACTERS_MAX];
        messages::send(self.0.as_fd(), b"n", &[network.as_raw_fd()]).map_err(io_step(STEP))?;
        let (length, _) = messages::receive(self.0.as_fd(), &mut answer).map_err(io_step(STEP))?;
        match answer[..length].split_first() {
            Some((b'=', [])) => Ok(()),
            Some((_, why)) => {
                let step = format!("{STEP}: {}", String::from_utf8_lossy(why));
                Err(Failed { step, errno: Errno::ENETUNREACH })
            }
            None => Err(Failed { step: STEP.to_owned(), errno: Errno::EPIPE }),
        }
    }
}
