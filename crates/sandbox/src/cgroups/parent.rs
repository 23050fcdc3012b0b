//! The server's own group in each hierarchy, and what an earlier server left in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hearth_types::EnvironmentId;

use super::discover::{Controller, Discovery, SERVER_GROUP};
use super::environment::EnvironmentCgroup;
use super::error::CgroupError;
use super::favour;
use super::files::{processes_of, set};
use super::host::Hierarchy;
use super::limits::Limits;
use super::reap;

/// How many servers may end, one after another, while one begins.
const LOCK_ROUNDS_MAX: usize = 10;
/// How long and how often a lock that somebody has is asked for again: another server may be removing what ours left when
/// it was killed, and is done with that soon.
const LOCK_WAIT: Duration = Duration::from_millis(10);
const LOCK_WAITS_MAX: usize = 300;

/// Makes the groups of environments. When it and all of them are dropped, nothing is left.
#[derive(Debug)]
pub struct Cgroups {
    parent: Arc<Parent>,
    reaped: usize,
}

/// The server's groups, which go when the last environment has gone.
#[derive(Debug)]
pub(super) struct Parent {
    pub(super) groups: Vec<ParentGroup>,
    /// Their folders, locked as long as the server lives, however it ends.
    locks: Vec<File>,
}

/// The server's group in one hierarchy.
#[derive(Debug)]
pub(super) struct ParentGroup {
    pub(super) hierarchy: Hierarchy,
    pub(super) path: PathBuf,
    pub(super) controllers: Vec<Controller>,
}

impl Cgroups {
    /// Makes the server's group, called `name`, in each hierarchy that serves a controller. Kills and removes what a
    /// server that ended without cleaning up left in it; blocks until that is done, which takes milliseconds.
    ///
    /// On v2 it may move this process into a group beside, because a group with processes cannot limit groups below it.
    pub fn open(discovery: &Discovery, name: &str) -> Result<Self, CgroupError> {
        check_name(name)?;
        let missing: Vec<String> =
            discovery.missing().map(|(controller, why)| format!("{} ({why})", controller.name())).collect();
        if !missing.is_empty() {
            return Err(CgroupError::Missing { controllers: missing.join(", ") });
        }
        let mut homes: BTreeMap<&Path, (Hierarchy, Vec<Controller>)> = BTreeMap::new();
        for controller in Controller::ALL {
            if let Ok(served) = discovery.of(controller) {
                let home = homes.entry(&served.group).or_insert((served.hierarchy, Vec::new()));
                home.1.push(controller);
            }
        }
        let mut homes: Vec<_> = homes.into_iter().collect();
        // Killing begins where it can freeze or kill all at once, so this group comes first.
        homes.sort_by_key(|(_, (_, controllers))| !controllers.contains(&Controller::Freezer));
        // From here on, a failure removes what has been made.
        let mut parent = Parent { groups: Vec::new(), locks: Vec::new() };
        for (home, (hierarchy, controllers)) in homes {
            if hierarchy == Hierarchy::V2 {
                hand_down_beside_the_server(home, &controllers)?;
            }
            let path = home.join(name);
            parent.locks.push(make_and_lock(&path, hierarchy)?);
            parent.groups.push(ParentGroup { hierarchy, path, controllers });
        }
        favour::favour_moves();
        let reaped = parent.reap_left_over()?;
        for group in parent.groups.iter().filter(|group| group.hierarchy == Hierarchy::V2) {
            hand_down(&group.path, &group.controllers)?;
        }
        Ok(Self { parent: Arc::new(parent), reaped })
    }

    /// Returns of how many environments an earlier server had left groups behind.
    pub fn reaped(&self) -> usize {
        self.reaped
    }

    /// Kills and removes what servers left that have ended without cleaning up: groups beside the own ones, with names
    /// that begin with `prefix`, that nobody has locked. Returns of how many environments that was.
    pub fn reap_dead_servers(&self, prefix: &str) -> Result<usize, CgroupError> {
        let mut environments = BTreeSet::new();
        for own in &self.parent.groups {
            for group in own.path.parent().map(reap::groups_in).unwrap_or_default() {
                let name = group.file_name().and_then(OsStr::to_str).unwrap_or_default();
                if group == own.path || name == SERVER_GROUP || !name.starts_with(prefix) {
                    continue;
                }
                // Whoever has the lock lives, or is just being reaped by another server; a group without folder is gone.
                let Ok(lock) = File::open(&group) else { continue };
                if lock.try_lock().is_err() {
                    continue;
                }
                let left_over = reap::groups_in(&group);
                reap::reap(&left_over)?;
                environments
                    .extend(left_over.iter().filter_map(|path| path.file_name().map(ToOwned::to_owned)));
                if let Err(error) = fs::remove_dir(&group) {
                    tracing::debug!(path = %group.display(), %error, "a cgroup of a server stays behind");
                }
            }
        }
        Ok(environments.len())
    }

    /// Returns the server's groups, one in each hierarchy in use.
    pub fn groups(&self) -> impl Iterator<Item = &Path> {
        self.parent.groups.iter().map(|group| group.path.as_path())
    }

    /// Makes an empty group with limits.
    pub fn create(
        &self,
        environment: EnvironmentId,
        limits: &Limits,
    ) -> Result<EnvironmentCgroup, CgroupError> {
        EnvironmentCgroup::create(Arc::clone(&self.parent), environment, limits)
    }
}

impl Parent {
    /// Ends what an earlier server left, and returns how many environments that were.
    fn reap_left_over(&self) -> Result<usize, CgroupError> {
        let mut left_over: BTreeMap<OsString, Vec<PathBuf>> = BTreeMap::new();
        for path in self.groups.iter().flat_map(|group| reap::groups_in(&group.path)) {
            if let Some(name) = path.file_name() {
                left_over.entry(name.to_owned()).or_default().push(path);
            }
        }
        for groups in left_over.values() {
            reap::reap(groups)?;
        }
        Ok(left_over.len())
    }
}

impl Drop for Parent {
    /// The locks are let go only afterwards, so that no new server finds a group that is about to go.
    fn drop(&mut self) {
        for group in &self.groups {
            if let Err(error) = fs::remove_dir(&group.path) {
                tracing::warn!(path = %group.path.display(), %error, "a cgroup of the server stays behind");
            }
        }
        self.locks.clear();
    }
}

fn check_name(name: &str) -> Result<(), CgroupError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_good = !name.is_empty() && name.len() <= 100 && name != SERVER_GROUP && name.bytes().all(is_plain);
    if is_good { Ok(()) } else { Err(CgroupError::Name { name: name.to_owned() }) }
}

/// Makes a group; one that is there already is fine.
pub(super) fn make(path: &Path, hierarchy: Hierarchy) -> Result<(), CgroupError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(CgroupError::io("create cgroup", path)(error));
        }
        _ => {}
    }
    if hierarchy == Hierarchy::V1 && path.join("cpuset.cpus").exists() {
        // Where v1 joins `cpuset` to a controller of ours, a new group takes no process before these are set.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let of_above = path.parent().unwrap_or(path).join(file);
            let value = fs::read_to_string(&of_above).map_err(CgroupError::io("read", &of_above))?;
            set(path, file, value.trim())?;
        }
    }
    Ok(())
}

/// Makes the server's group and keeps others out of it. A server that ends may remove its group between our making and
/// our locking it; what is locked then is no longer there, and it takes another round.
fn make_and_lock(path: &Path, hierarchy: Hierarchy) -> Result<File, CgroupError> {
    let (mut rounds, mut waits) = (0, 0);
    while rounds < LOCK_ROUNDS_MAX && waits < LOCK_WAITS_MAX {
        make(path, hierarchy)?;
        let folder = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                rounds += 1;
                continue;
            }
            opened => opened.map_err(CgroupError::io("open", path))?,
        };
        match folder.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waits += 1;
                std::thread::sleep(LOCK_WAIT);
                continue;
            }
            Err(TryLockError::Error(error)) => return Err(CgroupError::io("lock", path)(error)),
        }
        let locked = folder.metadata().map_err(CgroupError::io("look at", path))?;
        if fs::metadata(path).is_ok_and(|there| there.ino() == locked.ino()) {
            return Ok(folder);
        }
        rounds += 1;
    }
    Err(CgroupError::InUse { path: path.to_owned() })
}

/// Gives controllers to the groups below a v2 group.
fn hand_down(group: &Path, controllers: &[Controller]) -> Result<(), CgroupError> {
    let path = group.join("cgroup.subtree_control");
    let given = fs::read_to_string(&path).map_err(CgroupError::io("read", &path))?;
    let is_given = |controller: Controller| given.split_whitespace().any(|name| name == controller.name());
    for &controller in controllers {
        // Every group can be frozen, without asking.
        if controller != Controller::Freezer && !is_given(controller) {
            set(group, "cgroup.subtree_control", &format!("+{}", controller.name()))?;
        }
    }
    Ok(())
}

/// The same for the group that the server may be in: it has to move aside then.
fn hand_down_beside_the_server(home: &Path, controllers: &[Controller]) -> Result<(), CgroupError> {
    match hand_down(home, controllers) {
        Err(CgroupError::Io { source, .. }) if source.kind() == io::ErrorKind::ResourceBusy => {
            move_server_aside(home)?;
            hand_down(home, controllers)
        }
        done => done,
    }
}

/// Moves this process and those it has started to a group of their own. Processes of others stay untouched.
fn move_server_aside(home: &Path) -> Result<(), CgroupError> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let mut ours = hearth_sandbox_init::tree::descendants_of(own);
    ours.push(own);
    let processes = processes_of(home)?;
    if processes.iter().any(|pid| !ours.contains(pid)) {
        return Err(CgroupError::NotAlone { path: home.to_owned() });
    }
    let aside = home.join(SERVER_GROUP);
    make(&aside, Hierarchy::V2)?;
    for pid in processes {
        set(&aside, "cgroup.procs", &pid.to_string())?;
    }
    Ok(())
}
