//! Walls without root: whose the processes are then, and what a host does that does not let users have namespaces.

use std::fs;
use std::path::Path;

use hearth_sandbox_init::way_out;

/// What pasta carries packets through.
const TUN: &str = "/dev/net/tun";

/// Who the processes of environments are on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The server is root of the host: each environment has users of its own.
    Root {
        /// Whether it has a user namespace, too.
        with_user_namespace: bool,
    },
    /// All are the server's user, each in a user namespace.
    Rootless,
}

impl Mode {
    /// Returns what this process can do. Root of a container whose users are not all there is like an ordinary user.
    pub(crate) fn of_this_process(last_user: u32) -> Self {
        let proc = Path::new("/proc");
        let map = fs::read_to_string(proc.join("self/uid_map")).unwrap_or_default();
        if nix::unistd::geteuid().is_root() && has_user(&map, last_user) {
            let with_user_namespace = obstacle_of_count(proc).is_none();
            return Self::Root { with_user_namespace };
        }
        Self::Rootless
    }
}

/// Whether a user exists in the namespace with this `uid_map`.
fn has_user(map: &str, user: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_ascii_whitespace().map_while(|number| number.parse::<u64>().ok());
        let (Some(first), Some(_), Some(count)) = (numbers.next(), numbers.next(), numbers.next()) else {
            return false;
        };
        (first..first + count).contains(&u64::from(user))
    })
}

/// Says why functions can have no way to other networks without root, if they cannot.
pub(crate) fn obstacle_of_pasta() -> Option<String> {
    if way_out::pasta().is_none() {
        return Some("for a way out without root install pasta, in Debian's package passt".to_owned());
    }
    let device = fs::OpenOptions::new().read(true).write(true).open(TUN);
    device.err().map(|error| format!("pasta, their way out without root, cannot open {TUN}: {error}"))
}

/// What keeps users from making user namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Debian's switch, `kernel.unprivileged_userns_clone`.
    Switch,
    /// AppArmor lets only named programs have them, as on Ubuntu.
    AppArmor,
    /// There may be none at all: `user.max_user_namespaces` is 0.
    Count,
    /// Nothing that can be seen from here, such as the filter of a container.
    Unknown,
}

impl Obstacle {
    /// Looks what it is on this host.
    pub(crate) fn of_this_host() -> Self {
        Self::found_below(Path::new("/proc"))
    }

    fn found_below(proc: &Path) -> Self {
        let says = |name: &str, value: &str| {
            fs::read_to_string(proc.join("sys/kernel").join(name)).is_ok_and(|text| text.trim() == value)
        };
        if says("unprivileged_userns_clone", "0") {
            Self::Switch
        } else if let Some(count) = obstacle_of_count(proc) {
            count
        } else if says("apparmor_restrict_unprivileged_userns", "1") {
            Self::AppArmor
        } else {
            Self::Unknown
        }
    }

    /// What the operator can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Switch => {
                "allow them with `sysctl kernel.unprivileged_userns_clone=1`, start Hearth as root, or use `--isolation \
                 process` for functions that you trust: it does not isolate them from this machine"
            }
            Self::AppArmor => {
                "allow them for Hearth with an AppArmor profile that says `userns,`, or for all with `sysctl \
                 kernel.apparmor_restrict_unprivileged_userns=0`, or start Hearth as root, or use `--isolation process` \
                 for functions that you trust: it does not isolate them from this machine"
            }
            Self::Count => {
                "allow them with `sysctl user.max_user_namespaces=10000`, start Hearth as root, or use `--isolation \
                 process` for functions that you trust: it does not isolate them from this machine"
            }
            Self::Unknown => {
                "allow user namespaces (in a container its seccomp profile may forbid them), start Hearth as root, or use \
                 `--isolation process` for functions that you trust: it does not isolate them from this machine"
            }
        }
    }
}

fn obstacle_of_count(proc: &Path) -> Option<Obstacle> {
    let count = fs::read_to_string(proc.join("sys/user/max_user_namespaces")).ok()?;
    (count.trim() == "0").then_some(Obstacle::Count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_forbids_user_namespaces_is_named() {
        let proc = std::env::temp_dir().join(format!("hearth-obstacle-{}", std::process::id()));
        for folder in ["sys/kernel", "sys/user"] {
            fs::create_dir_all(proc.join(folder)).unwrap();
        }
        assert_eq!(Obstacle::found_below(&proc), Obstacle::Unknown);
        let set = |name: &str, value: &str| fs::write(proc.join("sys").join(name), value).unwrap();
        set("kernel/apparmor_restrict_unprivileged_userns", "1\n");
        assert_eq!(Obstacle::found_below(&proc), Obstacle::AppArmor);
        set("user/max_user_namespaces", "0\n");
        assert_eq!(Obstacle::found_below(&proc), Obstacle::Count);
        set("user/max_user_namespaces", "30\n");
        set("kernel/unprivileged_userns_clone", "0\n");
        assert_eq!(Obstacle::found_below(&proc), Obstacle::Switch);
        set("kernel/unprivileged_userns_clone", "1\n");
        set("kernel/apparmor_restrict_unprivileged_userns", "0\n");
        assert_eq!(Obstacle::found_below(&proc), Obstacle::Unknown);
        fs::remove_dir_all(proc).unwrap();
    }

    #[test]
    fn root_of_a_container_with_few_users_is_an_ordinary_user() {
        assert!(has_user("         0          0 4294967295\n", 2_000_000_000));
        assert!(!has_user(
            "         0       1000          1\n         1     100000      65536\n",
            2_000_000_000
        ));
        assert!(!has_user("nonsense\n", 0));
    }
}
