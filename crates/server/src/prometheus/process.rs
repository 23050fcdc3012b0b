//! What Prometheus is used to hear of a process, read from `/proc`. What cannot be read is left out.

use std::fs;
use std::time::Duration;

use hearth_telemetry::Clock;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeValLike as _;

use super::Page;

pub(super) fn write(page: &mut Page, clock: Clock) {
    if let Some(bytes) = resident_bytes() {
        let help = "Resident memory of the server, without that of functions.";
        page.single("process_resident_memory_bytes", "gauge", help, bytes);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        page.single("process_open_fds", "gauge", "Files and sockets that are open.", open.count() as f64);
    }
    if let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
        page.single("process_max_fds", "gauge", "How many files and sockets may be open.", soft as f64);
    }
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        let ms = usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds();
        let help = "CPU time that the server used, without that of functions.";
        page.single("process_cpu_seconds_total", "counter", help, ms as f64 / 1_000.0);
    }
    let up: Duration = clock.since_start(clock.now());
    let started = clock.epoch_ms() as f64 / 1_000.0 - up.as_secs_f64();
    let help = "When the server started, in seconds since 1970.";
    page.single("process_start_time_seconds", "gauge", help, started);
    page.single(
        "hearth_uptime_seconds",
        "gauge",
        "For how long the server has been running.",
        up.as_secs_f64(),
    );
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024.0)
}
