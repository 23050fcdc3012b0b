//! How quiet the machine is. Nobody should believe figures without having seen this.

use std::fs;
use std::thread;
use std::time::Duration;

/// Above this share of all processors, other programs disturb the measurement.
const BUSY_MAX: f64 = 0.1;

/// Watches the machine for a moment, while nothing of ours runs, and returns a line about it.
pub(crate) fn describe() -> String {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let Some(busy) = busy_share() else {
        return format!("{processors} processors; it is unknown how busy they are.");
    };
    let percent = busy * 100.0;
    let verdict = if busy <= BUSY_MAX { "quiet" } else { "NOT QUIET: measure again later" };
    format!("{processors} processors, {percent:.0} % busy with other programs: {verdict}.")
}

/// Returns the share of processor time that was not idle during one second.
fn busy_share() -> Option<f64> {
    let before = processor_ticks()?;
    thread::sleep(Duration::from_secs(1));
    let after = processor_ticks()?;
    let all = after.0.checked_sub(before.0)?;
    let idle = after.1.checked_sub(before.1)?;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred ticks")]
    let share = 1.0 - idle as f64 / all.max(1) as f64;
    Some(share)
}

/// Returns the ticks of all processors since boot: all, and idle ones (with those that waited for a disk).
fn processor_ticks() -> Option<(u64, u64)> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let first = stat.lines().next()?;
    let ticks: Vec<u64> = first.split_whitespace().skip(1).map_while(|word| word.parse().ok()).collect();
    Some((ticks.iter().sum(), ticks.get(3)? + ticks.get(4)?))
}
