//! One environment behind its walls.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use hearth_types::ProcessUsage;

use super::groups::CPU_IN_INIT_MIN;
use crate::cgroups::{EnvironmentCgroup, MilliCpu};
use crate::ephemeral_storage::Contents;
use crate::folder::Folder;
use crate::processes::{LOG_FD, Processes};
use crate::{
    Command, ExitStatus, MemoryBytes, OpenSocket, Output, Paths, ProcessId, Sandbox, SandboxError,
    SandboxEvent,
};

/// One environment behind its walls.
pub(super) struct NamespaceSandbox {
    // In this order: the tree ends before what is in its `/tmp`, and before its folder goes.
    pub(super) processes: Processes,
    pub(super) cgroup: Option<EnvironmentCgroup>,
    /// The function's share.
    pub(super) cpu: MilliCpu,
    /// How often memory had run out before the processes that run now were started.
    pub(super) out_of_memory_kills_before: AtomicU64,
    pub(super) runtime_api: Mutex<Option<TcpListener>>,
    pub(super) aws_api: Mutex<Option<TcpListener>>,
    /// Opens sockets in its network namespace.
    pub(super) sockets: OpenSocket,
    /// Of its `/tmp`, if that is on disk.
    pub(super) _contents: Option<Contents>,
    pub(super) _folder: Folder,
}

impl Sandbox for NamespaceSandbox {
    fn output(&self) -> Result<OwnedFd, SandboxError> {
        self.processes.output()
    }

    fn log_fd(&self) -> i32 {
        LOG_FD
    }

    fn extra_environment(&self) -> Vec<(OsString, OsString)> {
        vec![]
    }

    fn paths(&self) -> Paths {
        Paths::Lambda
    }

    fn runtime_api(&self) -> Option<TcpListener> {
        self.runtime_api.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn aws_api(&self) -> Option<TcpListener> {
        self.aws_api.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn sockets(&self) -> Option<OpenSocket> {
        Some(self.sockets.clone())
    }

    fn start(&self, process: ProcessId, command: &Command, output: Output<'_>) -> Result<(), SandboxError> {
        self.processes.start(process, command, output)
    }

    fn terminate(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.processes.signal(process, nix::libc::SIGTERM)
    }

    fn kill(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.processes.signal(process, nix::libc::SIGKILL)
    }

    fn stop(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.processes.signal(process, nix::libc::SIGSTOP)
    }

    fn go_on(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.processes.signal(process, nix::libc::SIGCONT)
    }

    fn kill_all(&self) -> Result<(), SandboxError> {
        self.processes.kill_all()
    }

    fn next_event(&self) -> BoxFuture<'_, SandboxEvent> {
        Box::pin(async {
            let mut event = self.processes.next_event().await;
            match &mut event {
                SandboxEvent::Exited {
                    status: ExitStatus::Signal { signal: nix::libc::SIGKILL, .. },
                    was_out_of_memory,
                    ..
                } => *was_out_of_memory = self.has_run_out_of_memory(),
                SandboxEvent::AllGone => self.begin_anew(),
                SandboxEvent::Started { .. }
                | SandboxEvent::StartFailed { .. }
                | SandboxEvent::Exited { .. }
                | SandboxEvent::Lost => {}
            }
            event
        })
    }

    fn can_freeze(&self) -> bool {
        self.cgroup.is_some()
    }

    fn freeze(&self) -> Result<(), SandboxError> {
        Ok(self.cgroup.as_ref().map_or(Ok(()), EnvironmentCgroup::begin_freeze)?)
    }

    fn thaw(&self) -> Result<(), SandboxError> {
        Ok(self.cgroup.as_ref().map_or(Ok(()), EnvironmentCgroup::thaw)?)
    }

    fn limit_cpu(&self) -> Result<(), SandboxError> {
        Ok(self.cgroup.as_ref().map_or(Ok(()), |cgroup| cgroup.limit_cpu(self.cpu))?)
    }

    fn memory_bytes_max(&self) -> u64 {
        let Some(cgroup) = &self.cgroup else { return self.processes.memory_bytes_max() };
        cgroup.memory_bytes_max().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read how much memory an environment has used");
            0
        })
    }

    fn memory(&self) -> MemoryBytes {
        let memory = self.cgroup.as_ref().and_then(|cgroup| cgroup.memory().ok());
        memory.unwrap_or_else(|| {
            let most = self.memory_bytes_max();
            MemoryBytes { now: most, most }
        })
    }

    fn usage(&self, process: ProcessId) -> Option<ProcessUsage> {
        self.processes.usage(process)
    }

    fn pid(&self, process: ProcessId) -> Option<i32> {
        self.processes.pid(process)
    }
}

impl NamespaceSandbox {
    fn has_run_out_of_memory(&self) -> bool {
        let before = self.out_of_memory_kills_before.load(Ordering::Relaxed);
        self.out_of_memory_kills() > before
    }

    /// Forgets what the processes did that are gone: what comes next begins with Init.
    fn begin_anew(&self) {
        let Some(cgroup) = &self.cgroup else { return };
        self.out_of_memory_kills_before.store(self.out_of_memory_kills(), Ordering::Relaxed);
        cgroup.forget_memory_max();
        if let Err(error) = cgroup.limit_cpu(self.cpu.max(CPU_IN_INIT_MIN)) {
            tracing::warn!(%error, "Init will be slower than usual");
        }
    }

    fn out_of_memory_kills(&self) -> u64 {
        let Some(cgroup) = &self.cgroup else { return 0 };
        cgroup.oom_kills().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read whether an environment has run out of memory");
            0
        })
    }
}
