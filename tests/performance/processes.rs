//! Which processors processes may use.

use std::fs;

use hearth_tests::family;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// While it lives, this program and everything that it started shares one processor.
///
/// Whether client, server and runtime share a processor is a matter of luck otherwise, and it matters more than anything
/// else: a call takes three times as long when each step has to wake another processor.
pub(crate) struct OneProcessor {
    usual: CpuSet,
}

impl OneProcessor {
    /// Begins it. `None` when there is nothing to choose from.
    pub(crate) fn begin() -> Option<Self> {
        let usual = sched_getaffinity(Pid::from_raw(0)).ok()?;
        let mut processors =
            (0..CpuSet::count()).filter(|&processor| usual.is_set(processor).unwrap_or(false));
        let (first, _) = (processors.next()?, processors.next()?);
        let mut one = CpuSet::new();
        one.set(first).ok()?;
        allow(&one);
        Some(Self { usual })
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        allow(&self.usual);
    }
}

fn allow(processors: &CpuSet) {
    for pid in family(std::process::id()) {
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let thread = thread.file_name().to_string_lossy().parse().ok();
            // One that has just ended needs no processor.
            let _ = thread.map(|thread| sched_setaffinity(Pid::from_raw(thread), processors));
        }
    }
}
