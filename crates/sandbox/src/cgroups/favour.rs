//! Moving a process into a group at once instead of after a grace period of the kernel: 0.2 instead of 5 to 15 ms, which
//! every first process of an environment would wait (Linux 6.18). The option `favordynmods` (Linux 6.0) of any hierarchy
//! does it for all of them. It makes forks and exits on the host a little dearer, and it stays until the host boots.

use std::fs;

use nix::mount::{MsFlags, mount};

/// Asks the kernel for it. Where it refuses, starts are slower, and nothing else is different.
pub(super) fn favour_moves() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let Some(chosen) = choose(&mounts) else { return };
    let asked = mount::<str, str, str, str>(None, &chosen.point, None, chosen.flags, Some(&chosen.options));
    if let Err(error) = asked {
        tracing::debug!(point = chosen.point, %error, "processes enter cgroups slowly on this host");
    }
}

/// A hierarchy and how it is to be mounted anew.
#[derive(Debug, PartialEq, Eq)]
struct Remount {
    point: String,
    flags: MsFlags,
    options: String,
}

/// Finds a hierarchy, v2 if there is one; `None` when one has the option already. All that it was mounted with stays.
fn choose(mountinfo: &str) -> Option<Remount> {
    let hierarchies = || {
        mountinfo.lines().filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let mut after = after.split(' ');
            let (kind, options) = (after.next()?, after.nth(1)?);
            // Names with blanks are written with backslashes; nobody has them here, and a wrong point is refused.
            let mut before = before.split(' ').skip(4);
            let (point, flags) = (before.next()?, before.next()?);
            matches!(kind, "cgroup" | "cgroup2").then_some((kind, point, flags, options))
        })
    };
    if hierarchies().any(|(.., options)| options.split(',').any(|option| option == "favordynmods")) {
        return None;
    }
    // A v1 hierarchy without a controller has options of its own.
    let is_plain = |options: &str| !options.contains("name=");
    let mut found = hierarchies().filter(|(.., options)| is_plain(options));
    let v2 = hierarchies().find(|(kind, ..)| *kind == "cgroup2");
    let (_, point, flags, options) = v2.or_else(|| found.next())?;
    let flags = flags.split(',').fold(MsFlags::MS_REMOUNT, |all, flag| {
        all | match flag {
            "ro" => MsFlags::MS_RDONLY,
            "nosuid" => MsFlags::MS_NOSUID,
            "nodev" => MsFlags::MS_NODEV,
            "noexec" => MsFlags::MS_NOEXEC,
            "relatime" => MsFlags::MS_RELATIME,
            "noatime" => MsFlags::MS_NOATIME,
            _ => MsFlags::empty(),
        }
    });
    let kept = options.split(',').filter(|option| !matches!(*option, "rw" | "ro"));
    let options = kept.chain(["favordynmods"]).collect::<Vec<_>>().join(",");
    Some(Remount { point: point.to_owned(), flags, options })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v2_is_mounted_anew_with_all_that_it_has() {
        let mountinfo = "28 22 0:25 / /cg rw,nosuid,nodev,noexec,relatime shared:9 - cgroup cgroup rw,memory\n\
                         41 31 0:38 / /cg/unified rw,nosuid,relatime - cgroup2 cgroup2 rw,nsdelegate\n";
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_RELATIME;
        let expected =
            Remount { point: "/cg/unified".to_owned(), flags, options: "nsdelegate,favordynmods".to_owned() };
        assert_eq!(choose(mountinfo), Some(expected));
    }

    #[test]
    fn v1_does_where_there_is_no_v2_and_once_is_enough() {
        let mountinfo = "40 31 0:37 / /cg/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
                         28 22 0:25 / /cg/memory rw,noexec - cgroup cgroup rw,memory\n";
        let chosen = choose(mountinfo).unwrap();
        assert_eq!((chosen.point.as_str(), chosen.options.as_str()), ("/cg/memory", "memory,favordynmods"));
        assert_eq!(choose(&mountinfo.replace("rw,memory", "rw,memory,favordynmods")), None);
        assert_eq!(choose("24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"), None);
    }
}
