//! Which cgroup hierarchies a process sees, and where it is in each: `/proc/self/cgroup` and `/proc/self/mountinfo`.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::CgroupError;

/// A version of the kernel's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hierarchy {
    /// One of possibly many, each for some controllers.
    V1,
    /// The one for all others.
    V2,
}

/// A mounted hierarchy, with the server's own place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mounted {
    pub(super) hierarchy: Hierarchy,
    /// Of v1; a v2 group lists its controllers itself.
    pub(super) controllers: Vec<String>,
    /// The folder of the group that the server is in; `None` when the mount does not show it.
    pub(super) own: Option<PathBuf>,
    /// Where it is mounted.
    pub(super) point: PathBuf,
    pub(super) is_writable: bool,
}

/// The hierarchies of a host, as a process sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub(super) mounts: Vec<Mounted>,
}

impl Host {
    /// Reads what this process sees.
    pub fn read() -> Result<Self, CgroupError> {
        let read = |path: &str| fs::read_to_string(path).map_err(CgroupError::io("read", Path::new(path)));
        Ok(Self::parse(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?))
    }

    /// Makes sense of the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`. Lines that are odd are left out.
    pub fn parse(cgroup: &str, mountinfo: &str) -> Self {
        let memberships: Vec<Membership<'_>> = cgroup.lines().filter_map(Membership::parse).collect();
        let mounts = mountinfo.lines().filter_map(|line| mounted(line, &memberships)).collect();
        Self { mounts }
    }

    /// Returns the hierarchies in which a controller is bound to v1.
    pub(super) fn v1_of(&self, controller: &str) -> impl Iterator<Item = &Mounted> {
        self.mounts.iter().filter(move |mount| mount.controllers.iter().any(|name| name == controller))
    }

    /// Returns the groups that limit the memory of this process: its own, and those above it that can be seen.
    pub(crate) fn memory_groups(&self) -> Vec<(Hierarchy, PathBuf)> {
        let of_memory = self.v1_of("memory").chain(self.v2());
        let groups = of_memory.filter_map(|mount| Some((mount, mount.own.as_ref()?)));
        groups
            .flat_map(|(mount, own)| {
                let above = own.ancestors().take_while(|group| group.starts_with(&mount.point));
                above.map(|group| (mount.hierarchy, group.to_owned()))
            })
            .collect()
    }

    /// Returns the mounts of v2.
    pub(super) fn v2(&self) -> impl Iterator<Item = &Mounted> {
        self.mounts.iter().filter(|mount| mount.hierarchy == Hierarchy::V2)
    }
}

/// A line of `/proc/self/cgroup`: `4:cpu,cpuacct:/a/b`, or `0::/a/b` for v2.
struct Membership<'a> {
    controllers: Vec<&'a str>,
    path: &'a str,
}

impl<'a> Membership<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.splitn(3, ':');
        let number = fields.next()?;
        let controllers: Vec<&str> = fields.next()?.split(',').filter(|name| !name.is_empty()).collect();
        let path = fields.next()?;
        let is_v2 = number == "0";
        (path.starts_with('/') && is_v2 == controllers.is_empty()).then_some(Self { controllers, path })
    }
}

/// Reads a line of `/proc/self/mountinfo`; `None` for what is no cgroup.
fn mounted(line: &str, memberships: &[Membership<'_>]) -> Option<Mounted> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3);
    let (root, point, options) = (fields.next()?, fields.next()?, fields.next()?);
    let mut fields = after.split(' ');
    let (kind, _source, super_options) = (fields.next()?, fields.next()?, fields.next()?);
    let membership = match kind {
        "cgroup" => memberships.iter().find(|membership| {
            !membership.controllers.is_empty()
                && membership
                    .controllers
                    .iter()
                    .all(|name| super_options.split(',').any(|option| option == *name))
        }),
        "cgroup2" => memberships.iter().find(|membership| membership.controllers.is_empty()),
        _ => return None,
    };
    let hierarchy = if kind == "cgroup" { Hierarchy::V1 } else { Hierarchy::V2 };
    let point = PathBuf::from(unescape(point));
    let own = membership.and_then(|membership| own_folder(&point, &unescape(root), membership.path));
    let controllers = membership.map_or_else(Vec::new, |membership| {
        membership.controllers.iter().map(|&name| name.to_owned()).collect()
    });
    let is_writable = |options: &str| options.split(',').any(|option| option == "rw");
    let is_writable = is_writable(options) && is_writable(super_options);
    Some(Mounted { hierarchy, controllers, own, point, is_writable })
}

/// Returns where group `path` is when a mount at `point` shows the groups from `root` on. Both can begin with `/..`
/// where a cgroup namespace hides what is above.
fn own_folder(point: &Path, root: &str, path: &str) -> Option<PathBuf> {
    let below = Path::new(path).strip_prefix(root).ok()?;
    let is_plain = below.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    is_plain.then(|| if below.as_os_str().is_empty() { point.to_owned() } else { point.join(below) })
}

/// Undoes the kernel's `\040` for blanks, tabs, line ends and backslashes.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                plain.push(char::from(code));
                rest = &after[3..];
            }
            None => {
                plain.push('\\');
                rest = after;
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_lines_are_left_out() {
        let cgroup = "\n:::\n1\n1:cpu\n1:cpu:relative\n0:memory:/\n5::/\nx:pids:/a:b\n";
        let mountinfo = "\n-\n - \n1 2 3 - cgroup\n36 31 0:34 / /cg rw - cgroup cgroup rw,pids\n\
                         1 2 0:1 / /x\\04 rw - cgroup2 c rw\n1 2 0:1 / /\\999\\ rw,a b - cgroup2 c ro\n";
        let host = Host::parse(cgroup, mountinfo);
        let shown: Vec<_> =
            host.mounts.iter().map(|mount| (mount.point.to_str().unwrap(), mount.own.as_deref())).collect();
        assert_eq!(shown, [("/cg", Some(Path::new("/cg/a:b"))), ("/x\\04", None), ("/\\999\\", None)]);
        assert!(!host.mounts[2].is_writable);
    }

    #[test]
    fn names_with_blanks_are_read() {
        let host = Host::parse("0::/a b\n", "36 31 0:34 / /my\\040groups rw shared:9 - cgroup2 none rw\n");
        assert_eq!(host.mounts[0].own.as_deref(), Some(Path::new("/my groups/a b")));
    }

    #[test]
    fn a_group_that_the_mount_does_not_show_is_nowhere() {
        let own = |root, path| own_folder(Path::new("/cg"), root, path);
        assert_eq!(own("/", "/"), Some("/cg".into()));
        assert_eq!(own("/docker/1", "/docker/1"), Some("/cg".into()));
        assert_eq!(own("/docker/1", "/docker/1/x"), Some("/cg/x".into()));
        assert_eq!(own("/docker/1", "/docker/12"), None);
        assert_eq!(own("/", "/../other"), None);
    }
}
