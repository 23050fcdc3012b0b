//! What a server takes that has done nothing yet.

use std::fs;

use hearth_tests::{Server, family};

use crate::table::{Bound, Of, Row, Table};

const MIB_MAX: Bound = Bound::AtMost(20.0);
const MIB_STRETCH: f64 = 12.0;

/// Measures the memory of a server that has just started.
pub(crate) fn measure(server: &Server, table: &mut Table) {
    let resident = mib(server.resident_kib());
    table.add(
        Row::alone("idle server, resident", "MiB", resident).must(Of::Hearth, MIB_MAX).stretch(MIB_STRETCH),
    );
    // Shared pages are counted once here, so that the launcher, which is the same program, is counted fairly.
    let processes = family(server.pid());
    let shares: Option<Vec<u64>> = processes.iter().map(|&pid| proportional_kib(pid)).collect();
    match shares {
        Some(shares) => {
            let measure = format!("idle server, all its {} processes (PSS)", processes.len());
            table.add(
                Row::alone(measure, "MiB", mib(shares.iter().sum()))
                    .must(Of::Hearth, MIB_MAX)
                    .stretch(MIB_STRETCH),
            );
        }
        None => table.skip("proportional set size", "the kernel does not tell it"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
pub(crate) fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

pub(crate) fn proportional_kib(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
