//! What each process of an environment uses: CPU time and resident memory, with all that it started.
//!
//! Of a process that runs, `/proc` tells; of one that has ended, the kernel has told its init, and counts what it waited
//! for. What a process starts and leaves to init, and what ends unseen between two looks, is missed.

use std::fs;
use std::time::Duration;

use hearth_sandbox_init::tree;
use hearth_types::ProcessUsage;
use nix::unistd::{SysconfVar, sysconf};

use crate::ProcessId;

/// How many processes are known at most. The runtime and ten extensions are usual; numbers are never used twice, and
/// [`Usages::forget`] comes with each reset.
const KNOWN_MAX: usize = 64;

/// What is known of each process, in the order in which they were asked for.
#[derive(Default)]
pub(crate) struct Usages(Vec<(ProcessId, ProcessUsage)>);

impl Usages {
    /// Takes what was seen of a process, and returns all that is known of it.
    pub(crate) fn see(&mut self, process: ProcessId, seen: ProcessUsage) -> ProcessUsage {
        match self.0.iter_mut().find(|(known, _)| *known == process) {
            Some((_, usage)) => {
                *usage = usage.max(seen);
                *usage
            }
            None => {
                if self.0.len() == KNOWN_MAX {
                    self.0.remove(0);
                }
                self.0.push((process, seen));
                seen
            }
        }
    }

    /// Returns what is known of a process.
    pub(crate) fn of(&self, process: ProcessId) -> Option<ProcessUsage> {
        self.0.iter().find(|(known, _)| *known == process).map(|(_, usage)| *usage)
    }

    /// Forgets all of them: they are gone.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

/// Looks at a process and its descendants. `None` when it is gone.
pub(crate) fn look_at(pid: i32) -> Option<ProcessUsage> {
    let own = of_pid(pid)?;
    let below = tree::descendants_of(pid).into_iter().filter_map(of_pid);
    Some(below.fold(own, |sum, of| ProcessUsage {
        cpu: sum.cpu + of.cpu,
        memory_bytes_max: sum.memory_bytes_max + of.memory_bytes_max,
    }))
}

fn of_pid(pid: i32) -> Option<ProcessUsage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ticks_a_second =
        sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok());
    let [own, of_children] = cpu_of(&stat, ticks_a_second.unwrap_or(100))?;
    Some(ProcessUsage {
        // `stat` counts in hundredths of a second; the scheduler knows it exactly, of the threads that are left.
        cpu: own.max(scheduled(pid)) + of_children,
        // A process that has just ended has no memory any more.
        memory_bytes_max: memory_of(&status).unwrap_or(0),
    })
}

/// Reads the time of a process, and that of the children it has waited for.
fn cpu_of(stat: &str, ticks_a_second: u64) -> Option<[Duration; 2]> {
    // The name, in parentheses, may hold blanks and parentheses itself. Behind it the fields count from the third one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let time = |fields: &[&str]| {
        let ticks: u64 = fields.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_micros(ticks.saturating_mul(1_000_000) / ticks_a_second.max(1))
    };
    Some([time(fields.get(11..13)?), time(fields.get(13..15)?)])
}

/// Adds up the time of all threads that a process has now. Nothing where the kernel does not tell.
fn scheduled(pid: i32) -> Duration {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Duration::ZERO };
    let time_of = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
    };
    threads.flatten().filter_map(time_of).sum()
}

fn memory_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_process_is_its_own_and_that_of_those_it_waited_for() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 9 8 7 6 150 50 30 20 20 0 1 0 100 4096 200";
        assert_eq!(cpu_of(stat, 100), Some([2_000, 500].map(Duration::from_millis)));
        assert_eq!(cpu_of("42 (short) S 1", 100), None);
        assert_eq!(memory_of("Name:\tx\nVmHWM:\t  2048 kB\n"), Some(2 << 20));
    }

    #[test]
    fn a_process_that_runs_uses_something_and_one_that_is_gone_does_not() {
        let own = look_at(std::process::id() as i32).unwrap();
        assert!(own.memory_bytes_max > 1 << 20 && own.cpu > Duration::ZERO, "{own:?}");
        assert_eq!(look_at(i32::MAX), None);
    }

    #[test]
    fn the_most_that_was_seen_counts() {
        let of = |ms, memory_bytes_max| ProcessUsage { cpu: Duration::from_millis(ms), memory_bytes_max };
        let mut usages = Usages::default();
        usages.see(ProcessId(1), of(10, 5_000));
        assert_eq!(usages.see(ProcessId(1), of(20, 3_000)), of(20, 5_000));
        assert_eq!((usages.of(ProcessId(1)), usages.of(ProcessId(2))), (Some(of(20, 5_000)), None));
        usages.forget();
        assert_eq!(usages.of(ProcessId(1)), None);
    }
}
