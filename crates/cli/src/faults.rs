//! `HEARTH_FAULTS`: what goes wrong at which fault point. For tests: an ordinary build has no fault points, and says so.
//!
//! `POINT=ACTION`, several with `;` between them, in the words of the crate `fail`: `store::commit=3*off->return(fsync)`.
//! One action is ours: `kill(N)` ends this process with SIGKILL at the N-th passing, and the point `*` is all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;

/// Every place at which something is made durable, removed, or acknowledged.
const POINTS: &[&str] = &[
    "code::delete_archive",
    "code::hide_tree",
    "code::make_tree",
    "code::merge_entry",
    "code::remove_tree",
    "code::rename_tree",
    "code::unpack_entry",
    "code::write_archive",
    "code::write_boot_id",
    "credentials::write",
    "deliveries::begin",
    "deliveries::delivered",
    "deliveries::finished",
    "durable::change",
    "durable::changed",
    "durable::start",
    "durable::started",
    "event_sources::call",
    "event_sources::called",
    "event_sources::deleted",
    "event_sources::mapping_kept",
    "event_sources::position_kept",
    "events::accept",
    "events::accepted",
    "events::begin",
    "events::finished",
    "events::handed_over",
    "events::postponed",
    "events::ran",
    "functions::aliased",
    "functions::concurrency",
    "functions::created",
    "functions::deployed",
    "functions::published",
    "functions::removed",
    "functions::settle",
    "functions::settled",
    "functions::updated",
    "functions::url_kept",
    "functions::version_deleted",
    "journal::append",
    "layers::deployed",
    "layers::policy_changed",
    "layers::published",
    "layers::removed",
    "logs::append",
    "logs::appended",
    "logs::open_segment",
    "metrics::write",
    "metrics::written",
    "objects::delete",
    "objects::finish",
    "objects::kept",
    "objects::put",
    "objects::write",
    "sandbox::folder",
    "sandbox::remove",
    "sandbox::storage_file",
    "sessions::key",
    "schedules::called",
    "store::commit",
    "store::committed",
    "store::create",
];

/// Does what the variable says. A word that is not understood is an error.
pub(crate) fn set_up() -> anyhow::Result<()> {
    let faults = std::env::var("HEARTH_FAULTS").unwrap_or_default();
    if !faults.is_empty() && !fail::has_failpoints() {
        bail!("HEARTH_FAULTS is set, and this build has no fault points");
    }
    for fault in faults.split(';').filter(|fault| !fault.is_empty()) {
        set(fault).with_context(|| format!("HEARTH_FAULTS is not understood: `{fault}`"))?;
    }
    Ok(())
}

fn set(fault: &str) -> anyhow::Result<()> {
    let (point, action) = fault.split_once('=').context("there is no `=`")?;
    let Some(passings) = action.strip_prefix("kill(").and_then(|rest| rest.strip_suffix(')')) else {
        return fail::cfg(point, action).map_err(|error| anyhow!(error));
    };
    let last: u64 = passings.parse().context("that is no number of passings")?;
    let passed = Arc::new(AtomicU64::new(0));
    let one = [point];
    for name in if point == "*" { POINTS } else { &one } {
        let passed = passed.clone();
        let kill_at_last = move || {
            if passed.fetch_add(1, Ordering::SeqCst) + 1 == last {
                let _ = kill(getpid(), Signal::SIGKILL);
                // The signal has been sent, but it may hit another thread first.
                loop {
                    std::thread::park();
                }
            }
        };
        fail::cfg_callback(*name, kill_at_last).map_err(|error| anyhow!(error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::POINTS;

    /// Adds the names of the fault points in the sources below `folder`.
    fn collect(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let points = text.split("fail_point!(\"").skip(1);
                found.extend(points.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
            }
        }
    }

    #[test]
    fn every_fault_point_of_the_sources_is_in_the_list() {
        let mut found = BTreeSet::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut found);
        // Not moments, but readings.
        found.remove("server::event_clock");
        found.remove("server::wall_clock");
        found.retain(|name| !name.contains(" "));
        assert_eq!(found, POINTS.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>());
    }
}
