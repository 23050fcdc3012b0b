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

use std::fs::File;
use std::path::Path;

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Gid, Uid, pause, setgroups, setresgid, setresuid};

use crate::launcher;
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

/// A user namespace that nobody is in yet.
pub(crate) struct UserNamespace(File);

impl UserNamespace {
    /// Makes one, as root on the host: `user` is that user of the host in it, and user 0 is the host's `root`. `proc` is
    /// where this process' pid namespace is shown.
    pub(crate) fn new(user: u32, root: u32, proc: &Path) -> Result<Self, Failed> {
        // Only a process outside may map users that are not its own. So another one is the first inside, and nobody waits
        // for it: it need not even come to run. It is reaped like any orphan.
        let first =
            match launcher::fork_into(CloneFlags::CLONE_NEWUSER).map_err(step("make a user namespace"))? {
                ForkResult::Child => loop {
                    pause();
                },
                ForkResult::Parent { child } => child,
            };
        let made = map_and_open(&proc.join(first.to_string()), user, root);
        let _ = kill(first, Signal::SIGKILL);
        made.map(Self)
    }

    /// Moves this process, which is process 1 and root on the host, into it. It is user 0 there afterwards.
    pub(crate) fn enter(self) -> Result<(), Failed> {
        setns(self.0, CloneFlags::CLONE_NEWUSER).map_err(step("enter a user namespace"))?;
        let (first, group) = (Uid::from_raw(0), Gid::from_raw(0));
        setgroups(&[]).map_err(step("leave the host's groups"))?;
        setresgid(group, group, group).map_err(step("leave the host's root"))?;
        setresuid(first, first, first).map_err(step("leave the host's root"))
    }
}

fn map_and_open(first: &Path, user: u32, root: u32) -> Result<File, Failed> {
    for map in ["uid_map", "gid_map"] {
        // In one call, as the kernel wants it.
        std::fs::write(first.join(map), format!("0 {root} 1\n{user} {user} 1\n"))
            .map_err(io_step(format!("write {map} of a user namespace")))?;
    }
    File::open(first.join("ns/user")).map_err(io_step("open a user namespace"))
}
