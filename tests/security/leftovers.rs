//! What an environment could leave behind on the host, and waiting until none of it is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hearth_tests::{Server, eventually, within};

/// What belongs to some environments, as the host sees it.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// The users that their processes run as. None of them is anybody else's.
    users: BTreeSet<u32>,
    /// Their ids: the names of folders and cgroups.
    environments: Vec<String>,
    /// Their runtimes.
    pids: Vec<u64>,
    data_dir: PathBuf,
}

impl Traces {
    /// Finds those of a function's environments that are there now.
    pub(crate) fn of(server: &Server, function: &str) -> Self {
        let mut traces = Self { data_dir: server.data_dir().path().to_owned(), ..Self::default() };
        for environment in server.environments(function) {
            traces.environments.push(environment["environment_id"].as_str().unwrap().to_owned());
            let pid = environment["pid"].as_u64();
            traces.pids.extend(pid);
            traces.users.extend(pid.and_then(user_of));
        }
        traces
    }

    /// Adds what another function has.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.users.extend(other.users);
        self.environments.extend(other.environments);
        self.pids.extend(other.pids);
        self
    }

    /// The users of the processes.
    pub(crate) fn users(&self) -> &BTreeSet<u32> {
        &self.users
    }

    /// The runtimes' processes.
    pub(crate) fn environment_pids(&self) -> &[u64] {
        &self.pids
    }

    /// Waits until none of it is there.
    pub(crate) fn go_away(&self) {
        eventually("nothing of the environments is left", || self.left().is_none().then_some(()));
    }

    /// Waits until no process of it is there.
    pub(crate) fn processes_end_within(&self, limit: Duration) {
        within(limit, "the processes are gone", || self.processes().is_empty().then_some(()));
    }

    /// The processes of these users.
    pub(crate) fn processes(&self) -> Vec<u64> {
        let all = fs::read_dir("/proc").unwrap().flatten();
        let pids = all.filter_map(|process| process.file_name().to_str()?.parse().ok());
        pids.filter(|&pid| user_of(pid).is_some_and(|user| self.users.contains(&user))).collect()
    }

    /// Says what is left, if anything is.
    pub(crate) fn left(&self) -> Option<String> {
        if let Some(pid) = self.processes().first() {
            return Some(format!("process {pid}"));
        }
        let is_ours = |text: &str| self.environments.iter().any(|id| text.contains(id.as_str()));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        if let Some(mount) = mounts.lines().find(|line| is_ours(line)) {
            return Some(format!("mount {mount}"));
        }
        let folder = self.data_dir.join("run");
        let folders = fs::read_dir(&folder).into_iter().flatten().flatten();
        if let Some(entry) = folders.into_iter().find(|entry| is_ours(&entry.file_name().to_string_lossy())) {
            return Some(format!("folder {}", entry.path().display()));
        }
        let loops = fs::read_dir("/sys/block").into_iter().flatten().flatten();
        for device in loops {
            let backing = fs::read_to_string(device.path().join("loop/backing_file")).unwrap_or_default();
            if is_ours(&backing) {
                return Some(format!("{} on {backing}", device.path().display()));
            }
        }
        cgroup(Path::new("/sys/fs/cgroup"), 6, &is_ours).map(|path| format!("cgroup {}", path.display()))
    }
}

/// The real user of a process, if it is there and no zombie.
pub(crate) fn user_of(pid: u64) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = |start: &str| status.lines().find_map(|line| line.strip_prefix(start));
    if line("State:")?.trim().starts_with('Z') {
        return None;
    }
    line("Uid:")?.split_whitespace().next()?.parse().ok()
}

/// The parent of a process.
pub(crate) fn parent_of(pid: u64) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn cgroup(folder: &Path, depth: u8, is_ours: &impl Fn(&str) -> bool) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if is_ours(&entry.file_name().to_string_lossy()) {
            return Some(entry.path());
        }
        let below = if depth == 0 { None } else { cgroup(&entry.path(), depth - 1, is_ours) };
        if below.is_some() {
            return below;
        }
    }
    None
}
