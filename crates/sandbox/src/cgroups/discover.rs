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

/// A controller is bound to v1 or to v2, never to both. Only the freezer is in both, and v2's is preferred: it freezes
/// without a race against forks, frozen processes can be killed, and `cgroup.kill` is there.
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
