//! Ending all processes of a group, and removing it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::CgroupError;
use super::files::{processes_of, set};

/// How long a tree may take to end. Only a process in an uninterruptible wait, such as for a dead disk, takes this long.
pub(super) const END_LIMIT: Duration = Duration::from_secs(10);

/// The pause between two looks at a group that does not empty at once.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// How often the state of the v1 freezer is read before processes are killed that may still run. It is a matter of
/// microseconds, and the next round kills whatever they forked.
const FREEZER_LOOKS: usize = 100;

/// Kills what is in the groups of one environment, one in each hierarchy, and below them. Returns whether they are
/// empty; if not, it has to be called again.
pub(super) fn kill_round(groups: &[PathBuf]) -> Result<bool, CgroupError> {
    let mut is_empty = true;
    for group in groups.iter().flat_map(|group| with_groups_below(group)) {
        if is_gone_or_empty(&group)? {
            continue;
        }
        is_empty = false;
        if group.join("cgroup.kill").exists() {
            set(&group, "cgroup.kill", "1")?;
        } else {
            kill_one_by_one(&group)?;
        }
    }
    Ok(is_empty)
}

/// Without `cgroup.kill`, a tree that forks faster than it is killed has to stand still meanwhile.
fn kill_one_by_one(group: &Path) -> Result<(), CgroupError> {
    let freezer = if group.join("freezer.state").exists() {
        Some(("freezer.state", "FROZEN", "THAWED"))
    } else if group.join("cgroup.freeze").exists() {
        Some(("cgroup.freeze", "1", "0"))
    } else {
        // A v1 group of another controller. The same processes are in that of the freezer.
        None
    };
    if let Some((file, freeze, _)) = freezer {
        set(group, file, freeze)?;
        for _ in 0..FREEZER_LOOKS {
            let state = fs::read_to_string(group.join(file)).unwrap_or_default();
            if state.trim() == freeze {
                break;
            }
            thread::yield_now();
        }
    }
    for pid in processes_of(group)? {
        // A process that is of another PID namespace has the number 0, which would mean our own group.
        if pid > 0 {
            // One that is gone already is fine.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    match freezer {
        Some((file, _, thaw)) => set(group, file, thaw),
        None => Ok(()),
    }
}

/// Ends and removes, and waits for it. Returns whether that succeeded in time.
pub(super) fn reap(groups: &[PathBuf]) -> Result<(), CgroupError> {
    let deadline = Instant::now() + END_LIMIT;
    loop {
        if kill_round(groups)? && remove(groups)? {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(late(groups));
        }
        thread::sleep(PAUSE);
    }
}

pub(super) fn late(groups: &[PathBuf]) -> CgroupError {
    let path = groups.first().cloned().unwrap_or_default();
    CgroupError::Late { path, state: "empty", ms_max: END_LIMIT.as_millis().try_into().unwrap_or(u64::MAX) }
}

/// Removes groups and what is below them. Returns `false` when one is still busy: processes that have ended leave
/// their group a moment later.
pub(super) fn remove(groups: &[PathBuf]) -> Result<bool, CgroupError> {
    for group in groups.iter().flat_map(|group| with_groups_below(group)) {
        match fs::remove_dir(&group) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => return Ok(false),
            Err(error) => return Err(CgroupError::io("remove cgroup", &group)(error)),
        }
    }
    Ok(true)
}

fn is_gone_or_empty(group: &Path) -> Result<bool, CgroupError> {
    match processes_of(group) {
        Ok(processes) => Ok(processes.is_empty()),
        Err(CgroupError::Io { source, .. }) if is_gone(&source) => Ok(true),
        Err(error) => Err(error),
    }
}

/// A group that somebody removes meanwhile has no files, or files that cannot be read.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ENODEV)
}

/// Returns the groups below `group`, deepest first, and then itself.
fn with_groups_below(group: &Path) -> Vec<PathBuf> {
    let mut found = vec![group.to_owned()];
    let mut next = 0;
    while let Some(folder) = found.get(next) {
        let below = groups_in(folder);
        found.extend(below);
        next += 1;
    }
    found.reverse();
    found
}

/// Returns the groups directly below `group`.
pub(super) fn groups_in(group: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(group) else { return Vec::new() };
    let is_group = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.flatten().filter(is_group).map(|entry| entry.path()).collect()
}
