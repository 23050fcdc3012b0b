//! The group of one environment: its limits, what it used, standing still, and its end.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hearth_types::EnvironmentId;

use super::discover::Controller;
use super::error::CgroupError;
use super::files::{OpenFile, keyed_number, set};
use super::host::Hierarchy;
use super::limits::{CPU_PERIOD_US, Limits, MilliCpu};
use super::parent::{Parent, make};
use super::reap;
use crate::MemoryBytes;

/// How long freezing may take. It takes microseconds; a process in an uninterruptible wait, such as a child of `vfork`
/// that has not called `exec` yet causes in its parent, makes it last as long as that.
const FREEZE_LIMIT: Duration = Duration::from_secs(1);

/// How often a state is looked at before pausing between two looks: a look takes a microsecond, a process on another CPU
/// stands still after some ten of them, and a pause is longer than a millisecond.
const LOOKS_WITHOUT_PAUSE: usize = 50;

/// The limits of one environment. Dropping it kills everything inside and removes it.
#[derive(Debug)]
pub struct EnvironmentCgroup {
    memory: Memory,
    freezer: Freezer,
    cpu: Option<(Hierarchy, PathBuf)>,
    groups: Groups,
}

/// The files that tell about memory.
#[derive(Debug)]
enum Memory {
    V1 {
        peak: OpenFile,
        oom_control: OpenFile,
    },
    V2 {
        peak: OpenFile,
        events: OpenFile,
    },
    /// Before Linux 5.19 there is no `memory.peak`: the highest of what was seen counts.
    V2WithoutPeak {
        current: OpenFile,
        events: OpenFile,
        bytes_seen: AtomicU64,
        bytes_limit: u64,
    },
}

/// The files that freeze.
#[derive(Debug)]
enum Freezer {
    V1 { state: OpenFile },
    V2 { freeze: OpenFile, events: OpenFile },
}

impl EnvironmentCgroup {
    /// Makes the groups and sets the limits, before any process is inside.
    pub(super) fn create(
        parent: Arc<Parent>,
        environment: EnvironmentId,
        limits: &Limits,
    ) -> Result<Self, CgroupError> {
        let name = environment.to_string();
        let paths = parent.groups.iter().map(|group| group.path.join(&name)).collect();
        // From here on, a failure removes what has been made.
        let groups = Groups { paths, parent: Some(parent) };
        let (mut memory, mut freezer, mut cpu) = (None, None, None);
        for (group, path) in groups.parent.iter().flat_map(|parent| &parent.groups).zip(&groups.paths) {
            make(path, group.hierarchy)?;
            for controller in &group.controllers {
                match controller {
                    Controller::Memory => {
                        memory = Some(Memory::limit(group.hierarchy, path, limits.memory_bytes)?)
                    }
                    Controller::Cpu => {
                        limit_cpu(group.hierarchy, path, limits.cpu)?;
                        cpu = Some((group.hierarchy, path.clone()));
                    }
                    Controller::Pids => set(path, "pids.max", &limits.processes.to_string())?,
                    Controller::Freezer => freezer = Some(Freezer::open(group.hierarchy, path)?),
                }
            }
        }
        let (Some(memory), Some(freezer)) = (memory, freezer) else {
            return Err(CgroupError::Missing { controllers: "memory or freezer".to_owned() });
        };
        Ok(Self { memory, freezer, cpu, groups })
    }

    /// Changes the share of the CPU.
    pub fn limit_cpu(&self, share: MilliCpu) -> Result<(), CgroupError> {
        self.cpu.as_ref().map_or(Ok(()), |(hierarchy, path)| limit_cpu(*hierarchy, path, share))
    }

    /// Opens the file through which all processes go on, by writing `THAWED`, if they cannot be killed while they stand
    /// still: on v1. Close-on-exec.
    pub fn freezer_to_kill(&self) -> Result<Option<OwnedFd>, CgroupError> {
        match &self.freezer {
            Freezer::V1 { state } => state.to_hand_on().map(Some),
            Freezer::V2 { .. } => Ok(None),
        }
    }

    /// Moves a process, with all its threads, into the environment. What it has allocated before is not counted, so it
    /// should be young; processes that it starts later are inside from their first moment.
    pub fn add(&self, pid: i32) -> Result<(), CgroupError> {
        self.groups.paths.iter().try_for_each(|path| set(path, "cgroup.procs", &pid.to_string()))
    }

    /// Opens the files through which a process enters by itself, by writing `0` to each of them before `exec`.
    /// Close-on-exec.
    pub fn entries(&self) -> Result<Vec<OwnedFd>, CgroupError> {
        let open = |path: &PathBuf| {
            let path = path.join("cgroup.procs");
            let file = fs::OpenOptions::new().write(true).open(&path);
            file.map(OwnedFd::from).map_err(CgroupError::io("open", &path))
        };
        self.groups.paths.iter().map(open).collect()
    }

    /// Returns the folders of the environment, one in each hierarchy in use.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.groups.paths.iter().map(PathBuf::as_path)
    }

    /// Returns the most memory that all processes together have had so far, with the cached pages of files that they
    /// were the first to read or write.
    pub fn memory_bytes_max(&self) -> Result<u64, CgroupError> {
        self.memory.bytes_max()
    }

    /// Returns what all processes have now, and had at most, without the cached pages of files. Opens and reads some files.
    pub fn memory(&self) -> Result<MemoryBytes, CgroupError> {
        self.memory.without_files()
    }

    /// Begins to measure anew, as far as the kernel can: v1 always, v2 since Linux 6.12. Otherwise the mark stays.
    pub fn forget_memory_max(&self) {
        self.memory.forget_max();
    }

    /// Returns how many processes the kernel has killed because the limit of memory was reached. v2 kills all of the
    /// environment together, and may count the first one twice; v1 kills the one that has most.
    pub fn oom_kills(&self) -> Result<u64, CgroupError> {
        self.memory.oom_kills()
    }

    /// Says whether the limit of memory has ended a process.
    pub fn was_out_of_memory(&self) -> Result<bool, CgroupError> {
        Ok(self.oom_kills()? > 0)
    }

    /// Makes all processes stand still, and waits until they do. Safe to cancel: [`Self::thaw`] undoes it at any time.
    /// Freezing twice is fine.
    pub async fn freeze(&self) -> Result<(), CgroupError> {
        self.begin_freeze()?;
        let deadline = Instant::now() + FREEZE_LIMIT;
        let mut looks = 0;
        while !self.is_frozen()? {
            if Instant::now() > deadline {
                let ms_max = FREEZE_LIMIT.as_millis().try_into().unwrap_or(u64::MAX);
                let path = self.freezer.file().path().to_owned();
                return Err(CgroupError::Late { path, state: "frozen", ms_max });
            }
            looks += 1;
            if looks < LOOKS_WITHOUT_PAUSE {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(reap::PAUSE).await;
            }
        }
        Ok(())
    }

    /// Begins to freeze, without waiting.
    pub fn begin_freeze(&self) -> Result<(), CgroupError> {
        match &self.freezer {
            Freezer::V1 { state } => state.write("FROZEN"),
            Freezer::V2 { freeze, .. } => freeze.write("1"),
        }
    }

    /// Says whether all processes stand still.
    pub fn is_frozen(&self) -> Result<bool, CgroupError> {
        match &self.freezer {
            Freezer::V1 { state } => Ok(state.read()?.trim() == "FROZEN"),
            Freezer::V2 { events, .. } => Ok(events.keyed("frozen", "a line `frozen 0`")? == 1),
        }
    }

    /// Lets all processes go on, at once. Thawing what is not frozen is fine.
    pub fn thaw(&self) -> Result<(), CgroupError> {
        match &self.freezer {
            Freezer::V1 { state } => state.write("THAWED"),
            Freezer::V2 { freeze, .. } => freeze.write("0"),
        }
    }

    /// Kills all processes, however fast they fork and even if they are frozen, and waits until none is left. The group
    /// can be used again then, and is not frozen. Dead processes count against the limit of processes until their parent
    /// has waited for them; an init of the environment's own PID namespace takes all of them with it.
    pub async fn kill(&self) -> Result<(), CgroupError> {
        self.groups.kill().await?;
        self.thaw()
    }

    /// Kills all processes, waits, and removes the groups.
    pub async fn remove(mut self) -> Result<(), CgroupError> {
        self.groups.kill().await?;
        let deadline = Instant::now() + reap::END_LIMIT;
        while !reap::remove(&self.groups.paths)? {
            if Instant::now() > deadline {
                return Err(reap::late(&self.groups.paths));
            }
            tokio::time::sleep(reap::PAUSE).await;
        }
        self.groups.paths.clear();
        Ok(())
    }
}

impl Memory {
    fn limit(hierarchy: Hierarchy, group: &Path, bytes: u64) -> Result<Self, CgroupError> {
        let limit = bytes.to_string();
        match hierarchy {
            Hierarchy::V1 => {
                // In this order: that of memory and swap together may never be the lower one.
                set(group, "memory.limit_in_bytes", &limit)?;
                if group.join("memory.memsw.limit_in_bytes").exists() {
                    set(group, "memory.memsw.limit_in_bytes", &limit)?;
                } else {
                    set(group, "memory.swappiness", "0")?;
                }
                Ok(Self::V1 {
                    peak: OpenFile::both(group.join("memory.max_usage_in_bytes"))?,
                    oom_control: OpenFile::to_read(group.join("memory.oom_control"))?,
                })
            }
            Hierarchy::V2 => {
                set(group, "memory.max", &limit)?;
                // A kernel without swap has no such file, and a process of an environment that ran out of memory is of
                // no use without the others.
                for (file, value) in [("memory.swap.max", "0"), ("memory.oom.group", "1")] {
                    if group.join(file).exists() {
                        set(group, file, value)?;
                    }
                }
                let events = OpenFile::to_read(group.join("memory.events"))?;
                let peak = group.join("memory.peak");
                // It can be written since Linux 6.12.
                match OpenFile::both(peak.clone()).or_else(|_| OpenFile::to_read(peak)) {
                    Ok(peak) => Ok(Self::V2 { peak, events }),
                    Err(CgroupError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                        let current = OpenFile::to_read(group.join("memory.current"))?;
                        Ok(Self::V2WithoutPeak {
                            current,
                            events,
                            bytes_seen: AtomicU64::new(0),
                            bytes_limit: bytes,
                        })
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    fn without_files(&self) -> Result<MemoryBytes, CgroupError> {
        let (file, usage) = match self {
            Self::V1 { peak, .. } => (peak, "memory.usage_in_bytes"),
            Self::V2 { peak: file, .. } | Self::V2WithoutPeak { current: file, .. } => {
                (file, "memory.current")
            }
        };
        let usage = OpenFile::to_read(file.path().with_file_name(usage))?.number()?;
        let stat = file.path().with_file_name("memory.stat");
        let stat = fs::read_to_string(&stat).map_err(CgroupError::io("read", &stat))?;
        let files = ["inactive_file", "active_file"].into_iter().filter_map(|key| keyed_number(&stat, key));
        let files = files.sum();
        let now = usage.saturating_sub(files);
        // The pages of files are those of now: they come in the beginning, and stay.
        let most = self.bytes_max()?.saturating_sub(files).max(now);
        Ok(MemoryBytes { now, most })
    }

    fn bytes_max(&self) -> Result<u64, CgroupError> {
        match self {
            Self::V1 { peak, .. } | Self::V2 { peak, .. } => peak.number(),
            Self::V2WithoutPeak { current, events, bytes_seen, bytes_limit } => {
                // Whoever touched the limit has had all of it.
                let touched_limit = keyed_number(&events.read()?, "max").unwrap_or(0) > 0;
                let bytes = if touched_limit { *bytes_limit } else { current.number()? };
                Ok(bytes_seen.fetch_max(bytes, Ordering::Relaxed).max(bytes))
            }
        }
    }

    fn forget_max(&self) {
        match self {
            Self::V1 { peak, .. } | Self::V2 { peak, .. } => {
                if let Err(error) = peak.write("0") {
                    tracing::debug!(%error, "the mark of memory stays where it is");
                }
            }
            // Its own group may have touched the limit, and the kernel does not forget that.
            Self::V2WithoutPeak { .. } => {}
        }
    }

    fn oom_kills(&self) -> Result<u64, CgroupError> {
        match self {
            Self::V1 { oom_control: file, .. }
            | Self::V2 { events: file, .. }
            | Self::V2WithoutPeak { events: file, .. } => file.keyed("oom_kill", "a line `oom_kill 0`"),
        }
    }
}

impl Freezer {
    fn open(hierarchy: Hierarchy, group: &Path) -> Result<Self, CgroupError> {
        Ok(match hierarchy {
            Hierarchy::V1 => Self::V1 { state: OpenFile::both(group.join("freezer.state"))? },
            Hierarchy::V2 => Self::V2 {
                freeze: OpenFile::to_write(group.join("cgroup.freeze"))?,
                events: OpenFile::to_read(group.join("cgroup.events"))?,
            },
        })
    }

    fn file(&self) -> &OpenFile {
        match self {
            Self::V1 { state: file } | Self::V2 { freeze: file, .. } => file,
        }
    }
}

/// Sets what a group gets at most, and what part of it when all want more than there is: a crowd of small functions must
/// not push a larger one aside.
fn limit_cpu(hierarchy: Hierarchy, group: &Path, cpu: MilliCpu) -> Result<(), CgroupError> {
    let quota_us = cpu.quota_us();
    match hierarchy {
        Hierarchy::V1 => {
            set(group, "cpu.shares", &cpu.shares().to_string())?;
            set(group, "cpu.cfs_period_us", &CPU_PERIOD_US.to_string())?;
            match set(group, "cpu.cfs_quota_us", &quota_us.to_string()) {
                // v1 refuses a share that is larger than the server's own, which holds anyway.
                Err(CgroupError::Io { source, .. }) if source.kind() == io::ErrorKind::InvalidInput => {
                    tracing::debug!(path = %group.display(), quota_us, "the server's own share of the CPU is smaller");
                    Ok(())
                }
                done => done,
            }
        }
        Hierarchy::V2 => {
            set(group, "cpu.weight", &cpu.weight().to_string())?;
            set(group, "cpu.max", &format!("{quota_us} {CPU_PERIOD_US}"))
        }
    }
}

/// The folders of an environment, which go when this is dropped.
#[derive(Debug)]
struct Groups {
    paths: Vec<PathBuf>,
    /// Stays as long as this does. `None` only while dropping.
    parent: Option<Arc<Parent>>,
}

impl Groups {
    async fn kill(&self) -> Result<(), CgroupError> {
        let deadline = Instant::now() + reap::END_LIMIT;
        while !reap::kill_round(&self.paths)? {
            if Instant::now() > deadline {
                return Err(reap::late(&self.paths));
            }
            tokio::time::sleep(reap::PAUSE).await;
        }
        Ok(())
    }
}

impl Drop for Groups {
    /// Removes at once what is empty. Otherwise waiting is left to a thread, since whoever drops may be a task.
    fn drop(&mut self) {
        let paths = std::mem::take(&mut self.paths);
        let parent = self.parent.take();
        if matches!(reap::kill_round(&paths), Ok(true)) && matches!(reap::remove(&paths), Ok(true)) {
            return;
        }
        let finish = move || {
            if let Err(error) = reap::reap(&paths) {
                tracing::warn!(%error, "the cgroup of an environment stays behind until the next start");
            }
            drop(parent);
        };
        if let Err(error) = thread::Builder::new().name("cgroup-remove".to_owned()).spawn(finish) {
            tracing::warn!(%error, "the cgroup of an environment stays behind until the next start");
        }
    }
}
