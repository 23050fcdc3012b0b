//! The cgroups of an environment, which its processes enter by themselves, before they become programs.
//!
//! Init stays outside: a limit that is reached may end everything inside, and what stands still cannot end anything.

use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use nix::unistd::write;

/// Files that the server has opened, one `cgroup.procs` for each hierarchy: no process could open them behind walls, and
/// the kernel asks what the opener may do.
#[derive(Default)]
pub(crate) struct Groups {
    entries: Vec<OwnedFd>,
    /// The `freezer.state` of v1, where what stands still cannot be killed.
    freezer: Option<OwnedFd>,
}

impl Groups {
    pub(crate) fn new(mut descriptors: Vec<OwnedFd>, has_freezer: bool) -> Self {
        let freezer = if has_freezer { descriptors.pop() } else { None };
        Self { entries: descriptors, freezer }
    }

    /// Moves this process into them.
    pub(crate) fn enter(&self) -> Result<(), Errno> {
        for entry in &self.entries {
            write(entry.as_fd(), b"0")?;
        }
        Ok(())
    }

    /// Lets what stands still go on, so that it can end.
    pub(crate) fn thaw(&self) {
        if let Some(freezer) = &self.freezer {
            // Without the group there is nothing that could stand still.
            let _ = write(freezer.as_fd(), b"THAWED");
        }
    }
}
