//! Which hierarchy serves each controller, or why none does.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::error::CgroupError;
use super::host::{Hierarchy, Host, Mounted};

/// The group into which the server puts itself on v2, where a group with processes cannot limit the groups below it.
/// Also a name for systemd's `DelegateSubgroup=`.
pub(super) const SERVER_GROUP: &str = "hearth-server";

/// What an environment needs of cgroups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// The limit of memory, and how much was used.
    Memory,
    /// The share of the CPU.
    Cpu,
    /// The limit of processes and threads.
    Pids,
    /// Standing still between invocations. On v2 it is no controller of its own but part of every group.
    Freezer,
}

impl Controller {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Cpu, Self::Pids, Self::Freezer];

    /// Returns the kernel's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
            Self::Freezer => "freezer",
        }
    }
}

/// What serves a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The kind of hierarchy.
    pub hierarchy: Hierarchy,
    /// The folder of the group below which the server makes its own.
    pub group: PathBuf,
}

/// Why nothing serves a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// No hierarchy that could is mounted.
    NotMounted,
    /// The mount does not show the group that the server is in.
    Hidden {
        /// Where it is mounted.
        point: PathBuf,
    },
    /// It is mounted read-only, as containers often have it.
    ReadOnly {
        /// Where it is mounted.
        point: PathBuf,
    },
    /// The server's user may not make groups.
    NotWritable {
        /// Where.
        group: PathBuf,
    },
    /// The v2 group has not been given the controller by the one above it.
    NotDelegated {
        /// The group.
        group: PathBuf,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMounted => f.write_str("not mounted; boot with it, and mount it below /sys/fs/cgroup"),
            Self::Hidden { point } => {
                write!(f, "`{}` does not show the server's group; mount all of it", point.display())
            }
            Self::ReadOnly { point } => write!(f, "`{}` is read-only; mount it writable", point.display()),
            Self::NotWritable { group } => {
                write!(f, "`{}` is not writable; run as root or delegate it", group.display())
            }
            Self::NotDelegated { group } => {
                write!(f, "`{}` was not given it; delegate it (systemd: `Delegate=yes`)", group.display())
            }
        }
    }
}

/// What is known of a folder of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// This process may make groups in it and move processes.
    pub is_writable: bool,
    /// On v2, what it can give to groups below it.
    pub controllers: Vec<String>,
    /// On v2, groups below it can be frozen (Linux 5.2).
    pub can_freeze: bool,
}

impl Facts {
    /// Looks at a folder.
    pub fn of(group: &Path) -> Self {
        let may_write = |path: &Path| access(path, AccessFlags::W_OK).is_ok();
        let controllers = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
        // The topmost group has no file to freeze it, and none that says its type.
        let is_topmost = !group.join("cgroup.type").exists();
        Self {
            is_writable: may_write(group) && may_write(&group.join("cgroup.procs")),
            controllers: controllers.split_whitespace().map(str::to_owned).collect(),
            can_freeze: group.join("cgroup.freeze").exists() || (is_topmost && kernel_is_at_least(5, 2)),
        }
    }
}

fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|character: char| !character.is_ascii_digit()).map(str::parse::<u32>);
    let (Some(Ok(first)), Some(Ok(second))) = (numbers.next(), numbers.next()) else { return false };
    (first, second) >= (major, minor)
}

/// For each controller, what serves it or why nothing does. Prints as lines for the start-up block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    found: [(Controller, Result<Served, Missing>); 4],
}

impl Discovery {
    /// Looks at this host.
    pub fn of_this_host() -> Result<Self, CgroupError> {
        Ok(Self::decide(&Host::read()?, Facts::of))
    }

    /// Decides for a host, given a way to look at folders.
    pub fn decide(host: &Host, look: impl Fn(&Path) -> Facts) -> Self {
        Self { found: Controller::ALL.map(|controller| (controller, find(host, controller, &look))) }
    }

    /// Returns what serves a controller.
    pub fn of(&self, controller: Controller) -> Result<&Served, &Missing> {
        // The order of both is that of `Controller::ALL`.
        self.found[controller as usize].1.as_ref()
    }

    /// Returns the controllers that nothing serves.
    pub fn missing(&self) -> impl Iterator<Item = (Controller, &Missing)> {
        self.found.iter().filter_map(|(controller, found)| Some((*controller, found.as_ref().err()?)))
    }
}

impl fmt::Display for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (controller, found)) in self.found.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{:<8} ", controller.name())?;
            match found {
                Ok(Served { hierarchy: Hierarchy::V1, group }) => write!(f, "cgroup v1 {}", group.display())?,
                Ok(Served { hierarchy: Hierarchy::V2, group }) => write!(f, "cgroup v2 {}", group.display())?,
                Err(missing) => write!(f, "none: {missing}")?,
            }
        }
        Ok(())
    }
}

/// A controller is bound to v1 or to v2, never to both. Only the freezer is in both, and v2's is preferred: a thaw costs
/// 10 µs instead of 80 µs (Linux 6.18), frozen processes can be killed, and `cgroup.kill` is there.
fn find(host: &Host, controller: Controller, look: &impl Fn(&Path) -> Facts) -> Result<Served, Missing> {
    let v1 = host.v1_of(controller.name());
    let candidates: Vec<&Mounted> = match controller {
        Controller::Freezer => host.v2().chain(v1).collect(),
        Controller::Memory | Controller::Cpu | Controller::Pids => v1.chain(host.v2()).collect(),
    };
    let is_of_v1 = candidates.iter().any(|mount| mount.hierarchy == Hierarchy::V1);
    let mut reason = None;
    for mount in candidates {
        match serve(mount, controller, look) {
            Ok(served) => return Ok(served),
            // What v2 lacks is no news where v1 has the controller.
            Err(_) if is_of_v1 && mount.hierarchy == Hierarchy::V2 => {}
            Err(missing) => reason = reason.or(Some(missing)),
        }
    }
    Err(reason.unwrap_or(Missing::NotMounted))
}

fn serve(mount: &Mounted, controller: Controller, look: &impl Fn(&Path) -> Facts) -> Result<Served, Missing> {
    let own = mount.own.as_deref().ok_or_else(|| Missing::Hidden { point: mount.point.clone() })?;
    // A server that has put itself aside makes its groups beside itself.
    let is_aside = mount.hierarchy == Hierarchy::V2
        && own != mount.point
        && own.file_name().is_some_and(|it| it == SERVER_GROUP);
    let group = own.parent().filter(|_| is_aside).unwrap_or(own).to_owned();
    if !mount.is_writable {
        return Err(Missing::ReadOnly { point: mount.point.clone() });
    }
    let facts = look(&group);
    let can_serve = match (mount.hierarchy, controller) {
        (Hierarchy::V1, _) => true,
        (Hierarchy::V2, Controller::Freezer) => facts.can_freeze,
        (Hierarchy::V2, _) => facts.controllers.iter().any(|name| name == controller.name()),
    };
    if !can_serve {
        // At the top it means that the kernel does not have it, or that v1 does.
        return Err(if group == mount.point { Missing::NotMounted } else { Missing::NotDelegated { group } });
    }
    if !facts.is_writable {
        return Err(Missing::NotWritable { group });
    }
    Ok(Served { hierarchy: mount.hierarchy, group })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service of systemd with `Delegate=yes` on Debian 12.
    const PURE_V2: (&str, &str) = (
        "0::/system.slice/hearth.service\n",
        "24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n\
         28 22 0:25 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n\
         29 22 0:26 / /sys/fs/pstore rw,nosuid shared:10 - pstore pstore rw\n",
    );

    /// A service of systemd on Debian 10 and its kind: controllers on v1, some of them joined, and v2 for systemd alone.
    const HYBRID: (&str, &str) = (
        "12:pids:/system.slice/hearth.service\n11:devices:/system.slice/hearth.service\n10:freezer:/\n\
         9:memory:/system.slice/hearth.service\n8:cpuset:/\n7:net_cls,net_prio:/\n\
         4:cpu,cpuacct:/system.slice/hearth.service\n1:name=systemd:/system.slice/hearth.service\n\
         0::/system.slice/hearth.service\n",
        "25 17 0:22 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755\n\
         26 25 0:23 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:10 - cgroup2 cgroup2 rw\n\
         27 25 0:24 / /sys/fs/cgroup/systemd rw,nosuid shared:11 - cgroup cgroup rw,xattr,name=systemd\n\
         30 25 0:27 / /sys/fs/cgroup/net_cls,net_prio rw,nosuid shared:15 - cgroup cgroup rw,net_cls,net_prio\n\
         31 25 0:28 / /sys/fs/cgroup/memory rw,nosuid shared:16 - cgroup cgroup rw,memory\n\
         32 25 0:29 / /sys/fs/cgroup/pids rw,nosuid shared:17 - cgroup cgroup rw,pids\n\
         33 25 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:18 - cgroup cgroup rw,cpu,cpuacct\n\
         34 25 0:31 / /sys/fs/cgroup/cpuset rw,nosuid shared:19 - cgroup cgroup rw,cpuset\n\
         35 25 0:32 / /sys/fs/cgroup/freezer rw,nosuid shared:20 - cgroup cgroup rw,freezer\n",
    );

    /// A virtual machine with each v1 controller alone, and a v2 that has none of ours.
    const EACH_ALONE: (&str, &str) = (
        "9:name=systemd:/\n8:pids:/\n7:blkio:/\n6:freezer:/\n5:devices:/\n4:memory:/jobs/42fa\n3:cpuset:/\n\
         2:cpuacct:/\n1:cpu:/\n0::/\n",
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
         32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
         33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n\
         35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
         37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer\n\
         39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
         40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n\
         41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
    );

    /// A container on a v2 host, not privileged.
    const CONTAINER_V2: (&str, &str) = (
        "0::/\n",
        "1043 1040 0:25 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n",
    );

    /// A container on a v1 host, without a cgroup namespace.
    const CONTAINER_V1: (&str, &str) = (
        "6:freezer:/docker/5d0c\n4:memory:/docker/5d0c\n3:pids:/docker/5d0c\n2:cpu,cpuacct:/docker/5d0c\n0::/docker/5d0c\n",
        "709 708 0:30 /docker/5d0c /sys/fs/cgroup/cpu,cpuacct rw,nosuid master:18 - cgroup cgroup rw,cpu,cpuacct\n\
         710 708 0:28 /docker/5d0c /sys/fs/cgroup/memory ro,nosuid master:16 - cgroup cgroup rw,memory\n\
         711 708 0:29 /docker/other /sys/fs/cgroup/pids rw,nosuid master:17 - cgroup cgroup rw,pids\n",
    );

    fn decide((cgroup, mountinfo): (&str, &str), look: impl Fn(&Path) -> Facts) -> String {
        Discovery::decide(&Host::parse(cgroup, mountinfo), look).to_string()
    }

    fn writable(controllers: &str) -> Facts {
        let controllers = controllers.split_whitespace().map(str::to_owned).collect();
        Facts { is_writable: true, controllers, can_freeze: true }
    }

    #[track_caller]
    fn assert_lines(found: &str, expected: [&str; 4]) {
        assert_eq!(found.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_host_with_v2_only() {
        assert_lines(
            &decide(PURE_V2, |_| writable("cpuset cpu io memory pids")),
            [
                "memory   cgroup v2 /sys/fs/cgroup/system.slice/hearth.service",
                "cpu      cgroup v2 /sys/fs/cgroup/system.slice/hearth.service",
                "pids     cgroup v2 /sys/fs/cgroup/system.slice/hearth.service",
                "freezer  cgroup v2 /sys/fs/cgroup/system.slice/hearth.service",
            ],
        );
    }

    #[test]
    fn a_v2_group_that_was_not_given_a_controller() {
        assert_lines(
            &decide(PURE_V2, |_| writable("memory pids")),
            [
                "memory   cgroup v2 /sys/fs/cgroup/system.slice/hearth.service",
                "cpu      none: `/sys/fs/cgroup/system.slice/hearth.service` was not given it; delegate it (systemd: `Delegate=yes`)",
                "pids     cgroup v2 /sys/fs/cgroup/system.slice/hearth.service",
                "freezer  cgroup v2 /sys/fs/cgroup/system.slice/hearth.service",
            ],
        );
    }

    #[test]
    fn a_server_that_has_moved_aside_finds_the_group_it_came_from() {
        let aside = "0::/system.slice/hearth.service/hearth-server\n";
        let look = |group: &Path| {
            assert!(group.ends_with("hearth.service"));
            writable("cpu memory pids")
        };
        assert_eq!(decide((aside, PURE_V2.1), look), decide(PURE_V2, look));
        // At the top of a mount there is nothing above.
        let mount = "28 22 0:25 /a/hearth-server /hearth-server rw - cgroup2 cgroup2 rw\n";
        let found = decide(("0::/a/hearth-server\n", mount), |_| writable("memory"));
        assert_eq!(found.lines().next(), Some("memory   cgroup v2 /hearth-server"));
    }

    #[test]
    fn a_systemd_hybrid_with_joined_controllers() {
        assert_lines(
            &decide(HYBRID, |_| writable("")),
            [
                "memory   cgroup v1 /sys/fs/cgroup/memory/system.slice/hearth.service",
                "cpu      cgroup v1 /sys/fs/cgroup/cpu,cpuacct/system.slice/hearth.service",
                "pids     cgroup v1 /sys/fs/cgroup/pids/system.slice/hearth.service",
                "freezer  cgroup v2 /sys/fs/cgroup/unified/system.slice/hearth.service",
            ],
        );
    }

    #[test]
    fn an_old_kernel_freezes_with_v1() {
        let found = decide(HYBRID, |_| Facts { can_freeze: false, ..writable("") });
        assert_eq!(found.lines().last(), Some("freezer  cgroup v1 /sys/fs/cgroup/freezer"));
    }

    #[test]
    fn v1_controllers_each_alone_and_an_empty_v2() {
        assert_lines(
            &decide(EACH_ALONE, |_| writable("hugetlb")),
            [
                "memory   cgroup v1 /sys/fs/cgroup/memory/jobs/42fa",
                "cpu      cgroup v1 /sys/fs/cgroup/cpu",
                "pids     cgroup v1 /sys/fs/cgroup/pids",
                "freezer  cgroup v2 /sys/fs/cgroup/unified",
            ],
        );
    }

    #[test]
    fn a_user_who_is_not_root_and_was_delegated_nothing() {
        let found = decide(EACH_ALONE, |_| Facts { is_writable: false, ..writable("") });
        assert_lines(
            &found,
            [
                "memory   none: `/sys/fs/cgroup/memory/jobs/42fa` is not writable; run as root or delegate it",
                "cpu      none: `/sys/fs/cgroup/cpu` is not writable; run as root or delegate it",
                "pids     none: `/sys/fs/cgroup/pids` is not writable; run as root or delegate it",
                "freezer  none: `/sys/fs/cgroup/freezer` is not writable; run as root or delegate it",
            ],
        );
    }

    #[test]
    fn containers_that_may_not_write() {
        let read_only = "none: `/sys/fs/cgroup` is read-only; mount it writable";
        let names = ["memory", "cpu", "pids", "freezer"].map(|name| format!("{name:<8} {read_only}"));
        assert_lines(
            &decide(CONTAINER_V2, |_| writable("cpu memory pids")),
            names.each_ref().map(String::as_str),
        );
        assert_lines(
            &decide(CONTAINER_V1, |_| writable("")),
            [
                "memory   none: `/sys/fs/cgroup/memory` is read-only; mount it writable",
                "cpu      cgroup v1 /sys/fs/cgroup/cpu,cpuacct",
                "pids     none: `/sys/fs/cgroup/pids` does not show the server's group; mount all of it",
                "freezer  none: not mounted; boot with it, and mount it below /sys/fs/cgroup",
            ],
        );
    }

    #[test]
    fn a_host_without_cgroups_is_missing_all() {
        let discovery = Discovery::decide(&Host::parse("", ""), Facts::of);
        let missing: Vec<_> = discovery.missing().collect();
        assert_eq!(missing, Controller::ALL.map(|controller| (controller, &Missing::NotMounted)));
    }
}
