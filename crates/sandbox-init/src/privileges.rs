//! What init and the processes behind walls may do: as little as they need.

use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use crate::seccomp::Filter;

/// What init needs once the walls stand: to become the function's user in a child, and to signal that user's processes.
const OF_INIT: [u32; 3] = [CAP_KILL, CAP_SETGID, CAP_SETUID];
const CAP_KILL: u32 = 5;
const CAP_SETGID: u32 = 6;
const CAP_SETUID: u32 = 7;

/// What pasta needs to enter a network namespace and furnish it, and to lock itself up afterwards.
const OF_PASTA: [u32; 4] = [CAP_SETGID, CAP_SETUID, CAP_NET_ADMIN, CAP_SYS_ADMIN];
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;

/// How much memory a process may lock; AWS's number, seen there in 2026.
const LOCKED_BYTES_MAX: u64 = 65_536;

/// How the processes of an environment are held down. Made once, before any of them.
pub(crate) struct Confinement {
    user: u32,
    processes_max: u64,
    /// Whether groups can be left: not in a user namespace that was made without root.
    leaves_groups: bool,
    filter: Filter,
}

impl Confinement {
    pub(crate) fn new(user: u32, processes_max: u64, leaves_groups: bool) -> Self {
        Self { user, processes_max, leaves_groups, filter: Filter::new() }
    }

    /// Sets limits that do not depend on what the service's own happen to be.
    pub(crate) fn limit(&self) -> Result<(), Errno> {
        lower(Resource::RLIMIT_NPROC, self.processes_max)?; // of the user as a whole, in its user namespace
        lower(Resource::RLIMIT_MEMLOCK, LOCKED_BYTES_MAX)?;
        setrlimit(Resource::RLIMIT_NICE, 0, 0)?;
        setrlimit(Resource::RLIMIT_RTPRIO, 0, 0)
    }

    /// Turns this process into one of the function's user, without any privilege and without a way back to one.
    pub(crate) fn become_user(&self) -> Result<(), Errno> {
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.user));
        if self.leaves_groups {
            setgroups(&[])?;
        }
        setresgid(group, group, group)?;
        setresuid(user, user, user)?;
        set_capabilities(&[])
    }

    /// Closes the last doors; everything after this is the function's.
    pub(crate) fn seal(&self) -> Result<(), Errno> {
        prctl::set_no_new_privs()?;
        self.filter.install()
    }
}

/// Sets a limit, but never above what this host allows us: without privileges a hard limit cannot be raised.
fn lower(limit: Resource, to: u64) -> Result<(), Errno> {
    let (_, hard) = getrlimit(limit)?;
    setrlimit(limit, to.min(hard), to.min(hard))
}

/// Gives up what init needed only to build the walls. Its children never had more: the bounding set is emptied.
pub(crate) fn keep_what_init_needs() -> Result<(), Errno> {
    for capability in 0..64 {
        // SAFETY: takes plain numbers only.
        #[allow(unsafe_code)]
        let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        match Errno::result(result) {
            Err(Errno::EINVAL) => break, // the kernel knows no more
            other => other?,
        };
    }
    // SAFETY: takes plain numbers only.
    #[allow(unsafe_code)]
    let result = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    Errno::result(result)?;
    set_capabilities(&OF_INIT)?;
    prctl::set_dumpable(false)
}

/// The kernel's `cap_user_header_t` and `cap_user_data_t`, version 3.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}
const VERSION_3: u32 = 0x2008_0522;

/// Lets the programs that this process starts enter and furnish networks of its user namespace.
pub(crate) fn let_programs_have_networks() -> Result<(), Errno> {
    set_capability_sets(&OF_PASTA, &OF_PASTA)?;
    for capability in OF_PASTA {
        // SAFETY: takes plain numbers only.
        #[allow(unsafe_code)]
        let result =
            unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, capability, 0, 0) };
        Errno::result(result)?;
    }
    Ok(())
}

/// Sets the effective and permitted capabilities, all below 32, and no inheritable ones.
fn set_capabilities(capabilities: &[u32]) -> Result<(), Errno> {
    set_capability_sets(capabilities, &[])
}

fn set_capability_sets(permitted: &[u32], inheritable: &[u32]) -> Result<(), Errno> {
    let mask = |capabilities: &[u32]| capabilities.iter().fold(0, |mask, capability| mask | 1 << capability);
    let (mask, inheritable) = (mask(permitted), mask(inheritable));
    let header = Header { version: VERSION_3, pid: 0 };
    let sets = [Sets { effective: mask, permitted: mask, inheritable }, Sets::default()];
    // SAFETY: version 3 reads one header and two sets of 32 bits each, which are here, and writes nothing.
    #[allow(unsafe_code)]
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) };
    Errno::result(result).map(drop)
}
