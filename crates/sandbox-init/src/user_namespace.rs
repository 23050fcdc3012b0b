//! The user namespace of an environment: which users there are inside, and who they are on the host.
//!
//! | the server is | a function is, inside | on the host | user 0 inside is, on the host |
//! |---|---|---|---|
//! | root | the environment's user | the same number, of nobody else | another number of nobody else |
//! | an ordinary user | the environment's user | the server's user | nobody |
//!
//! As root the walls are built first, with the host's rights: the data folder may be closed to everybody else, and what
//! is mounted and opened then belongs to the host's user namespace, so that nothing inside has a right over it. Init
//! enters its own user namespace as the last step, and is nobody on the host from there on.
//!
//! An ordinary user has no rights to build with but those that a user namespace gives: init is born in it.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Uid, fork, pipe2, setgroups, setresgid, setresuid};

use crate::walls::{Failed, io_step, step};

/// The user and group outside of a user namespace that has been made without root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    user: Uid,
    group: Gid,
}

impl Owner {
    /// Returns whose a user namespace will be that this process makes.
    pub(crate) fn of_this_process() -> Self {
        Self { user: nix::unistd::geteuid(), group: nix::unistd::getegid() }
    }

    /// Lets this process, born into a new user namespace, be `user` there: the only user and group that exist inside.
    pub(crate) fn become_only_user(self, user: u32) -> Result<(), Failed> {
        let write = |file: &str, text: String| {
            std::fs::write(format!("/proc/self/{file}"), text)
                .map_err(io_step(format!("write {file} of a user namespace")))
        };
        // Without it the kernel allows no ordinary user to name a group: groups may also take rights away.
        write("setgroups", "deny".to_owned())?;
        write("uid_map", format!("{user} {} 1\n", self.user))?;
        write("gid_map", format!("{user} {} 1\n", self.group))
    }
}

/// Moves this process, which is process 1 and root on the host, into a new user namespace in which `user` is that user of
/// the host, and user 0 is the host's `root`. This process is user 0 there afterwards.
pub(crate) fn enter(user: u32, root: u32) -> Result<(), Failed> {
    // Only a process outside may map users that are not its own.
    let (go, going) = pipe2(OFlag::O_CLOEXEC).map_err(step("make a pipe"))?;
    // SAFETY: this process has a single thread (see `run_if_launcher`), so the child may do what the parent could.
    #[allow(unsafe_code)]
    let forked = unsafe { fork() }.map_err(step("fork"))?;
    let mapper = match forked {
        ForkResult::Child => {
            drop(going);
            let code = i32::from(map_users_of_init(go, user, root).is_err());
            // SAFETY: `_exit` has no conditions; it skips what belongs to init.
            #[allow(unsafe_code)]
            unsafe {
                nix::libc::_exit(code)
            }
        }
        ForkResult::Parent { child } => child,
    };
    drop(go);
    let entered = unshare(CloneFlags::CLONE_NEWUSER);
    if entered.is_ok() {
        let mut going = std::fs::File::from(going);
        going.write_all(b"x").map_err(io_step("have users mapped"))?;
    }
    let mapped = waitpid(mapper, None).map_err(step("have users mapped"))?;
    entered.map_err(step("make a user namespace"))?;
    if !matches!(mapped, WaitStatus::Exited(_, 0)) {
        return Err(Failed { step: "map the users of a user namespace".to_owned(), errno: Errno::EPERM });
    }
    let (first, group) = (Uid::from_raw(0), Gid::from_raw(0));
    setgroups(&[]).map_err(step("leave the host's groups"))?;
    setresgid(group, group, group).map_err(step("leave the host's root"))?;
    setresuid(first, first, first).map_err(step("leave the host's root"))
}

/// Runs in a child of init that stayed outside.
fn map_users_of_init(go: OwnedFd, user: u32, root: u32) -> std::io::Result<()> {
    std::fs::File::from(go).read_exact(&mut [0])?;
    for map in ["/proc/1/uid_map", "/proc/1/gid_map"] {
        // In one call, as the kernel wants it.
        std::fs::write(map, format!("0 {root} 1\n{user} {user} 1\n"))?;
    }
    Ok(())
}
