//! The memory of this host, or of the group that the server is in where that has less; and how busy the processors are.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cgroups::{Hierarchy, Host, keyed_number};

/// How much memory there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostMemory {
    /// In all.
    pub bytes: u64,
    /// What can be had without taking it from anybody: page cache that is not in use counts.
    pub bytes_available: u64,
}

/// Where it is read. Found once: a server with many environments sees many mounts.
#[derive(Debug, Clone)]
pub struct HostMemoryFiles {
    groups: Vec<(Hierarchy, PathBuf)>,
}

impl HostMemoryFiles {
    /// Finds the groups that the server is in.
    pub fn find() -> Self {
        Self { groups: Host::read().map(|host| host.memory_groups()).unwrap_or_default() }
    }

    /// Reads `/proc/meminfo` and the files of the groups. `None` where the kernel does not tell.
    pub fn read(&self) -> Option<HostMemory> {
        let host = HostMemory::of_meminfo(&fs::read_to_string("/proc/meminfo").ok()?)?;
        let groups = self.groups.iter();
        let groups = groups.filter_map(|(hierarchy, group)| HostMemory::of_group(*hierarchy, group));
        Some(groups.fold(host, |least, group| HostMemory {
            bytes: least.bytes.min(group.bytes),
            bytes_available: least.bytes_available.min(group.bytes_available),
        }))
    }
}

impl HostMemory {
    fn of_meminfo(text: &str) -> Option<Self> {
        let kilobytes = |key| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim().strip_suffix("kB")?.trim().parse().ok()
        };
        let bytes = kilobytes("MemTotal:")?.saturating_mul(1_024);
        Some(Self { bytes, bytes_available: kilobytes("MemAvailable:")?.saturating_mul(1_024) })
    }

    /// What a group lets the server have; `None` for one without a limit.
    fn of_group(hierarchy: Hierarchy, group: &Path) -> Option<Self> {
        let (limit, usage) = match hierarchy {
            Hierarchy::V1 => ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            Hierarchy::V2 => ("memory.max", "memory.current"),
        };
        let number = |file| -> Option<u64> { fs::read_to_string(group.join(file)).ok()?.trim().parse().ok() };
        // v1 says a number near 2^63 when there is no limit, v2 the word `max`.
        let bytes = number(limit).filter(|bytes| *bytes < 1 << 60)?;
        let stat = fs::read_to_string(group.join("memory.stat")).ok()?;
        // Of v1 with the groups below; v2 counts them always. Cached pages of files can be had back.
        let files = ["inactive_file", "active_file"].into_iter().filter_map(|key| {
            keyed_number(&stat, &format!("total_{key}")).or_else(|| keyed_number(&stat, key))
        });
        let used = number(usage)?.saturating_sub(files.sum());
        Some(Self { bytes, bytes_available: bytes.saturating_sub(used) })
    }
}

/// Returns how many threads of this host run or wait for a processor at this moment, the one that asks among them. Takes some
/// microseconds. `None` where the kernel does not tell.
pub fn runnable_processes() -> Option<usize> {
    of_loadavg(&fs::read_to_string("/proc/loadavg").ok()?)
}

fn of_loadavg(text: &str) -> Option<usize> {
    text.split(' ').nth(3)?.split_once('/')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_memory_and_something_runs() {
        let HostMemory { bytes, bytes_available } = HostMemoryFiles::find().read().unwrap();
        assert!(bytes > 64 << 20 && bytes_available <= bytes, "{bytes_available} of {bytes}");
        assert!(runnable_processes() >= Some(1));
    }

    #[test]
    fn odd_texts_say_nothing() {
        let text = "MemTotal:  2048 kB\nMemFree: 1 kB\nMemAvailable: 1024 kB\n";
        assert_eq!(
            HostMemory::of_meminfo(text),
            Some(HostMemory { bytes: 2 << 20, bytes_available: 1 << 20 })
        );
        assert_eq!(HostMemory::of_meminfo("MemTotal: 1 kB\n"), None);
        assert_eq!(of_loadavg("0.20 0.18 0.12 3/80 11206\n"), Some(3));
        assert_eq!((of_loadavg(""), of_loadavg("1 2 3 x/4 5")), (None, None));
    }

    #[test]
    fn a_group_with_a_limit_leaves_what_it_does_not_use() {
        let group = std::env::temp_dir().join(format!("hearth-host-memory-{}", std::process::id()));
        fs::create_dir_all(&group).unwrap();
        for (file, text) in [
            ("memory.max", "1000\n"),
            ("memory.current", "700\n"),
            ("memory.stat", "anon 400\ninactive_file 150\nactive_file 50\n"),
        ] {
            fs::write(group.join(file), text).unwrap();
        }
        let read = HostMemory::of_group(Hierarchy::V2, &group);
        assert_eq!(read, Some(HostMemory { bytes: 1_000, bytes_available: 500 }));
        fs::write(group.join("memory.max"), "max\n").unwrap();
        assert_eq!(HostMemory::of_group(Hierarchy::V2, &group), None);
        fs::remove_dir_all(&group).unwrap();
    }
}
