//! The cgroups of a server's environments: opened, entered, and how much is allowed during Init.

use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use hearth_sandbox_init::messages::ToInit;

use crate::cgroups::{Cgroups, Discovery, EnvironmentCgroup, Limits, MilliCpu};
use crate::processes::Processes;
use crate::rootless::Mode;
use crate::{Fact, SandboxError, SandboxPlan, in_force};

/// How the names of all servers' cgroups begin.
const SERVERS: &str = "hearth-";

/// The share of the CPU that Init has at least, however small the function: one whole. AWS does not document it; users
/// see there that Init is as fast with little memory as with much.
pub(super) const CPU_IN_INIT_MIN: MilliCpu = MilliCpu(1_000);

/// Opens the groups of a server that keeps its environments in `folder`, and ends what servers left that no longer run.
/// Without root there may be none that this user can write, which is said.
pub(super) fn open_cgroups(folder: &Path, mode: Mode) -> Result<(Option<Cgroups>, Vec<Fact>), SandboxError> {
    let discovery = Discovery::of_this_host()?;
    let cgroups = match Cgroups::open(&discovery, &group_name(folder)) {
        Ok(cgroups) => cgroups,
        Err(error) if mode == Mode::Rootless => {
            let obstacle = match error.hint() {
                Some(hint) => format!("{error}; {hint}"),
                None => error.to_string(),
            };
            return Ok((None, in_force::limits(&discovery, Some(&obstacle))));
        }
        Err(error) => return Err(error.into()),
    };
    // Of another data folder: they may never come back to look themselves.
    let reaped = cgroups.reap_dead_servers(SERVERS)?;
    if reaped > 0 {
        tracing::info!(reaped, "ended what servers with other data folders had left in cgroups");
    }
    Ok((Some(cgroups), in_force::limits(&discovery, None)))
}

/// The name of a server's cgroups: always the same for the same folder, so that the next server finds what this one may
/// leave.
fn group_name(folder: &Path) -> String {
    // FNV-1a: the standard library's hash may change from one compiler to the next.
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = folder.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fold);
    format!("{SERVERS}{hash:016x}")
}

/// What processes may use during Init.
pub(super) fn limits_in_init(plan: &SandboxPlan) -> Limits {
    let limits = Limits::of_memory_size(plan.memory_size_mb.into());
    Limits { cpu: limits.cpu.max(CPU_IN_INIT_MIN), ..limits }
}

/// Has init start everything in the groups of its environment.
pub(super) fn enter_groups(
    processes: &Processes,
    cgroup: Option<&EnvironmentCgroup>,
) -> Result<(), SandboxError> {
    let Some(cgroup) = cgroup else { return Ok(()) };
    let mut files = cgroup.entries()?;
    let freezer = cgroup.freezer_to_kill()?;
    let has_freezer = freezer.is_some();
    files.extend(freezer);
    let files: Vec<i32> = files.iter().map(AsRawFd::as_raw_fd).collect();
    processes.say(&ToInit::EnterGroups { has_freezer }, &files)
}
