//! What an environment has to do with snapshots: one is taken of it, or it begins from one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hearth_sandbox::{Snapshot, SnapshotError};

use crate::environment::Environment;
use crate::runtime_connection::{ParkedNext, RuntimeConnection};
use crate::runtime_state::Rejection;
use crate::watch::runtime_process;

/// How long it may take until the sandbox has told which process the runtime is. Ours: it has told before, mostly.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(1);

/// What an environment has to do with snapshots.
#[derive(Debug, Clone)]
pub enum SnapStart {
    /// Nothing.
    None,
    /// One is taken of it when its runtime asks to be restored. No event comes to it.
    Template(Arc<Template>),
    /// It begins from one.
    Restored,
}

impl PartialEq for SnapStart {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// The environment that a snapshot is taken of.
#[derive(Debug)]
pub struct Template {
    bytes_max: u64,
    taken: Mutex<Option<Result<Snapshot, SnapshotError>>>,
}

impl Template {
    /// Has a snapshot of at most `bytes_max` of memory taken.
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes_max, taken: Mutex::default() }
    }

    /// Takes the snapshot out, or why there is none. `None`: the runtime has not asked for one.
    pub fn take(&self) -> Option<Result<Snapshot, SnapshotError>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl RuntimeConnection {
    /// Whether the environment begins from a snapshot, so that it may report that its hooks failed.
    pub fn is_restored(&self) -> bool {
        self.environment().snap_start == SnapStart::Restored
    }

    /// The runtime is initialised and asks to be restored: the moment of the snapshot. `None`: nobody wants one.
    pub async fn restore_next(
        &self,
        function_init_started: Option<Instant>,
    ) -> Option<Result<ParkedNext<'_>, Rejection>> {
        let SnapStart::Template(template) = &self.environment().snap_start else { return None };
        let taken = take(self.environment(), self.generation(), template.bytes_max).await;
        *template.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
        // For the environment it is the end of its Init.
        Some(self.next(function_init_started))
    }
}

async fn take(environment: &Environment, generation: u32, bytes_max: u64) -> Result<Snapshot, SnapshotError> {
    let deadline = environment.clock.now() + KNOWN_WITHIN;
    let pid = loop {
        match environment.sandbox.pid(runtime_process(generation)) {
            Some(pid) => break pid,
            None if environment.clock.now() < deadline => tokio::time::sleep(LOOK_AGAIN_AFTER).await,
            None => return Err(SnapshotError::Refused("its process is not known".to_owned())),
        }
    };
    match tokio::task::spawn_blocking(move || Snapshot::take(pid, bytes_max)).await {
        Ok(taken) => taken,
        Err(error) => {
            Err(SnapshotError::Failed { what: "take a snapshot", source: std::io::Error::other(error) })
        }
    }
}
