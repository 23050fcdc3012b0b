//! Which processes descend from a process, read from `/proc`.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Returns the children of `pid`. Empty when it is gone.
pub fn children_of(pid: i32) -> Vec<i32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    match fs::read_to_string(path) {
        Ok(text) => text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect(),
        // Kernels without CONFIG_PROC_CHILDREN have no such file: ask every process for its parent.
        Err(_) => processes().into_iter().filter(|&process| parent_of(process) == Some(pid)).collect(),
    }
}

/// Returns all descendants of `pid`, children before grandchildren.
pub fn descendants_of(pid: i32) -> Vec<i32> {
    let mut found = children_of(pid);
    let mut at = 0;
    while at < found.len() {
        let more = children_of(found[at]);
        found.extend(more);
        at += 1;
    }
    found
}

/// Kills all descendants of `pid`. A process that forks meanwhile may get away once: callers repeat until none is left.
pub(crate) fn kill_descendants_of(pid: i32) {
    for process in descendants_of(pid) {
        let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
    }
}

fn processes() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold blanks and parentheses itself: what we want stands behind the last one.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}
