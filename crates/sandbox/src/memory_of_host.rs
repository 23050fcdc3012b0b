//! Whether this host has memory to spare for what is only made ahead.

use std::fs;

/// Below which share of the host's memory, in percent, nothing is kept ahead. Ours.
const AVAILABLE_PERCENT_MIN: u64 = 10;

/// Says whether the host is short of memory. Where that cannot be read, it is not.
pub fn memory_is_short() -> bool {
    fs::read_to_string("/proc/meminfo").is_ok_and(|text| is_short(&text))
}

fn is_short(meminfo: &str) -> bool {
    let kb = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    match (kb("MemTotal:"), kb("MemAvailable:")) {
        (Some(total), Some(available)) => {
            available.saturating_mul(100) < total.saturating_mul(AVAILABLE_PERCENT_MIN)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_less_than_a_tenth_of_its_memory_is_short_of_it() {
        let meminfo =
            |available: u64| format!("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: {available} kB\n");
        assert!(is_short(&meminfo(99)));
        assert!(!is_short(&meminfo(100)));
        assert!(!is_short("nothing of the kind"));
    }
}
