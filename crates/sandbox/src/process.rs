//! Backend `process`: the processes of an environment run beside the server, as the same user.
//!
//! What it does: own process groups, limits on files and core dumps, a scrubbed environment, closed descriptors, one
//! folder for temporary files an environment, and a whole tree that ends with its environment or with the server.
//! What it does not: keep hostile code away from anything. `/tmp` is the host's; `TMPDIR` names the own folder.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;

use futures_util::future::BoxFuture;
use hearth_sandbox_init::ENVIRONMENT;
use hearth_types::{EnvironmentId, ProcessUsage};

use crate::folder::{Folder, Folders};
use crate::launcher::Launchers;
use crate::processes::{LOG_FD, Processes};
use crate::{
    Command, Fact, Facts, Isolation, Output, ProcessId, Sandbox, SandboxError, SandboxEvent, SandboxPlan,
    Sandboxes,
};

/// Where an environment has its temporary files, in its folder.
const TEMPORARY: &str = "tmp";

/// Makes sandboxes that are plain process trees.
pub struct ProcessSandboxes {
    launchers: Launchers,
    folders: Folders,
}

impl ProcessSandboxes {
    /// Starts the launcher. `folder` will hold a folder for each environment; what an earlier server left in it is
    /// removed.
    pub fn start(folder: &Path) -> Result<Self, SandboxError> {
        Ok(Self { folders: Folders::start(folder)?, launchers: Launchers::start()? })
    }

    fn create_now(&self, environment: EnvironmentId) -> Result<Box<dyn Sandbox>, SandboxError> {
        let folder = self.folders.make(environment)?;
        folder.add(TEMPORARY)?;
        let processes = Processes::begin(&self.launchers, ENVIRONMENT, None, true)?;
        Ok(Box::new(ProcessSandbox { processes, folder }))
    }
}

impl Sandboxes for ProcessSandboxes {
    fn isolation(&self) -> Isolation {
        Isolation::Process
    }

    fn facts(&self) -> Facts {
        let nothing = "none: functions run as this user, can read and change what it can, and can see each other; run only \
                       functions that you trust";
        let facts = vec![
            Fact::missing("walls", nothing),
            Fact::missing("limits", "open files and core files only; memory and CPU are not limited"),
            Fact::missing("network", "this machine's, with everything that listens there"),
            Fact::missing("/tmp", "this machine's; TMPDIR names a folder of the environment's own"),
        ];
        Facts { isolation: self.isolation(), facts }
    }

    fn left_over(&self) -> usize {
        self.folders.left_over()
    }

    /// Ignores the plan: code and layers are where they are on the host, and `/tmp` is the host's.
    fn create<'a>(
        &'a self,
        environment: EnvironmentId,
        _plan: &'a SandboxPlan,
    ) -> BoxFuture<'a, Result<Box<dyn Sandbox>, SandboxError>> {
        Box::pin(std::future::ready(self.create_now(environment)))
    }
}

/// One process tree.
struct ProcessSandbox {
    // In this order: the tree ends before its files go.
    processes: Processes,
    folder: Folder,
}

impl Sandbox for ProcessSandbox {
    fn output(&self) -> Result<OwnedFd, SandboxError> {
        self.processes.output()
    }

    fn log_fd(&self) -> i32 {
        LOG_FD
    }

    fn extra_environment(&self) -> Vec<(OsString, OsString)> {
        vec![("TMPDIR".into(), self.folder.join(TEMPORARY).into())]
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
        Box::pin(self.processes.next_event())
    }

    fn memory_bytes_max(&self) -> u64 {
        self.processes.memory_bytes_max()
    }

    fn usage(&self, process: ProcessId) -> Option<ProcessUsage> {
        self.processes.usage(process)
    }

    fn pid(&self, process: ProcessId) -> Option<i32> {
        self.processes.pid(process)
    }
}
