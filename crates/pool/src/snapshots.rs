//! SnapStart: the snapshots of published versions. One is taken when a version is published, of an environment that is made
//! for it and ended afterwards; environments begin from it as long as the version is there.
//!
//! Where there can be none, versions begin with Init as any other: runtimes but Python, external extensions, isolation
//! `process`. A snapshot that is missing, as after a restart of the server, is taken again while calls go on without.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hearth_environment::{Environment, Template};
use hearth_functions::{ResolvedVersion, SnapshotFailure, StateReasonCode};
use hearth_invoke::InvokeError;
use hearth_runtimes::Credentials;
use hearth_sandbox::{Isolation, Snapshot};
use hearth_telemetry::{InitPhase, LifecycleEvent, PhaseStatus, ShutdownReason};
use hearth_types::{ColdReason, InitializationType, RuntimeFamily};
use tokio::sync::watch;

use crate::acquire::{Plan, StartsFrom};
use crate::measure::{Measured, Progress, Watcher};
use crate::{FunctionVersion, Pool, boot, key_of};

/// What is known of the snapshots of versions.
#[derive(Default)]
pub(crate) struct Snapshots(Mutex<HashMap<FunctionVersion, Known>>);

/// A snapshot, and what environments that begin from it have in common besides.
pub(crate) struct Kept {
    pub(crate) snapshot: Arc<Snapshot>,
    /// Clients that were made during Init have them. Each environment takes them in its own network only.
    pub(crate) credentials: Credentials,
}

enum Known {
    /// Somebody takes one.
    BeingTaken,
    Taken(Arc<Kept>),
    /// There cannot be one, or it was of no use.
    None,
}

impl Snapshots {
    fn lock(&self) -> MutexGuard<'_, HashMap<FunctionVersion, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a version that is gone.
    pub(crate) fn forget(&self, key: &FunctionVersion) {
        let removed = self.lock().remove(key);
        drop(removed); // the memory, after the lock
    }

    /// Whether nobody has taken a snapshot, or tried to. Then it is the caller's turn.
    fn begin(&self, key: &FunctionVersion) -> bool {
        match self.lock().entry(key.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(Known::BeingTaken);
                true
            }
        }
    }

    /// Says how it went, unless the version is gone meanwhile.
    fn finish(&self, key: &FunctionVersion, known: Known) {
        if let Some(entry) = self.lock().get_mut(key) {
            *entry = known;
        }
    }

    fn taken(&self, key: &FunctionVersion) -> Option<Arc<Kept>> {
        match self.lock().get(key)? {
            Known::Taken(kept) => Some(kept.clone()),
            Known::BeingTaken | Known::None => None,
        }
    }
}

/// Takes back the turn to take a snapshot, when whoever had it gave up.
struct Turn<'a> {
    snapshots: &'a Snapshots,
    key: FunctionVersion,
    is_over: bool,
}

impl Turn<'_> {
    fn finish(mut self, known: Known) {
        self.snapshots.finish(&self.key, known);
        self.is_over = true;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.snapshots.forget(&self.key);
        }
    }
}

impl Pool {
    /// Says what an environment of a version starts from. A snapshot that is missing is begun to be taken.
    pub(crate) fn starts_from(&self, version: &Arc<ResolvedVersion>) -> StartsFrom {
        if !self.can_have_snapshot(version) {
            return StartsFrom::Nothing;
        }
        let key = key_of(version);
        if let Some(kept) = self.snapshots.taken(&key) {
            return StartsFrom::Snapshot(kept);
        }
        if !self.snapshots.lock().contains_key(&key)
            && let Some(pool) = self.this.upgrade()
        {
            let version = version.clone();
            tokio::spawn(async move {
                if let Err(error) = pool.take_snapshot_of(version.clone()).await {
                    tracing::warn!(
                        function = %version.configuration.name, version = %version.version, reason = error.reason,
                        "no snapshot was taken of a version with SnapStart"
                    );
                }
            });
        }
        StartsFrom::Nothing
    }

    fn can_have_snapshot(&self, version: &ResolvedVersion) -> bool {
        let configuration = &version.configuration;
        self.parts.settings.snap_start
            && configuration.snap_start
            && matches!(version.version, hearth_types::Version::Number(_))
            && matches!(configuration.runtime.family(), RuntimeFamily::Python { .. })
            && Snapshot::is_possible()
            && self.parts.sandboxes.isolation() == Isolation::Namespaces
            && !boot::has_external_extensions(version)
    }

    /// Takes the snapshot of a version, if there can be one and nobody has.
    pub(crate) async fn take_snapshot_of(
        &self,
        version: Arc<ResolvedVersion>,
    ) -> Result<(), SnapshotFailure> {
        let key = key_of(&version);
        if !self.can_have_snapshot(&version) || !self.snapshots.begin(&key) {
            return Ok(());
        }
        let turn = Turn { snapshots: &self.snapshots, key, is_over: false };
        let template = Arc::new(Template::new(u64::from(version.configuration.memory.get()) << 20));
        let (status, credentials) = match self.run_template(&version, template.clone()).await {
            Ok(ended) => ended,
            // Not the function's fault: its versions begin with Init until it works.
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(function = %version.configuration.name, error, "cannot take a snapshot");
                return Ok(());
            }
        };
        let (function, number) = (&version.configuration.name, version.version);
        match (template.take(), status) {
            (Some(Ok(snapshot)), Some(PhaseStatus::Success)) => {
                tracing::info!(%function, version = %number, bytes = snapshot.bytes(), "snapshot taken");
                turn.finish(Known::Taken(Arc::new(Kept { snapshot: Arc::new(snapshot), credentials })));
                Ok(())
            }
            (Some(Err(error)), Some(PhaseStatus::Success)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%function, version = %number, error, "a version with SnapStart begins with Init");
                turn.finish(Known::None);
                Ok(())
            }
            // Its log says why.
            (None, Some(PhaseStatus::Success)) => {
                turn.finish(Known::None);
                Ok(())
            }
            (_, Some(PhaseStatus::Timeout)) => Err(SnapshotFailure {
                code: StateReasonCode::InitTimeout,
                reason: "The function did not initialize in time.".to_owned(),
            }),
            (_, Some(status)) => Err(SnapshotFailure {
                code: StateReasonCode::RuntimeInitError,
                reason: format!(
                    "The function could not be initialized: {}.",
                    status.error_type().unwrap_or(status.as_str())
                ),
            }),
            // The server stops.
            (_, None) => Ok(()),
        }
    }

    /// Runs an Init to have a snapshot taken at its end; returns how it ended, if it came to an end, and the keys that it had.
    async fn run_template(
        &self,
        version: &Arc<ResolvedVersion>,
        template: Arc<Template>,
    ) -> Result<(Option<PhaseStatus>, Credentials), InvokeError> {
        // Calls wait for their cold starts; this may not take all turns from them.
        let own_turn = self.provisioned_starts.clone().acquire_owned().await;
        let own_turn = own_turn.map_err(|_| InvokeError::Draining)?;
        let turn = self.cold_starts.clone().acquire_owned().await.map_err(|_| InvokeError::Draining)?;
        self.evict_if_full(&version.configuration.name);
        let (sender, mut progress) = watch::channel(Progress::Begins);
        let plan = Plan {
            why_made: ColdReason::Forced,
            initialization_type: InitializationType::SnapStart,
            owner: Arc::new(Watcher::new(self.this.clone(), sender)),
            imports: None,
            room: self.room_in_any_case(version),
            starts_from: StartsFrom::NothingForSnapshot(template),
        };
        let member = self.make_planned(version, plan).await?;
        let (environment, credentials) = (member.environment.clone(), member.credentials.clone());
        let draining = {
            let mut state = self.lock();
            state.measured.insert(environment.id(), Measured::uncounted(member));
            state.draining
        };
        if draining {
            environment.shut_down(ShutdownReason::ServerStops);
            return Err(InvokeError::Draining);
        }
        environment.begin_init();
        let _ = progress.wait_for(|progress| *progress >= Progress::Settled).await;
        drop((own_turn, turn));
        let status = status(&environment, InitPhase::Init);
        environment.shut_down(ShutdownReason::SnapshotTaken);
        let _ = progress.wait_for(|progress| *progress == Progress::Gone).await;
        Ok((status, credentials))
    }

    /// Looks at how a restore went. A process that did not even come back will not the next time, either.
    pub(crate) fn see_restore(&self, environment: &Environment) {
        if environment.record().facts.initialization_type != InitializationType::SnapStart {
            return;
        }
        let ended = status(environment, InitPhase::Restore);
        if ended.as_ref().and_then(PhaseStatus::error_type) == Some("Runtime.ExitError") {
            let key = crate::key_of_environment(environment);
            tracing::warn!(
                function = %key.0, version = %key.1,
                "a snapshot could not be restored; the version begins with Init from now on"
            );
            self.snapshots.finish(&key, Known::None);
        }
    }
}

/// How an Init or a restore of an environment ended.
fn status(environment: &Environment, wanted: InitPhase) -> Option<PhaseStatus> {
    let steps = environment.record().events();
    steps.iter().find_map(|(_, step, _)| match step {
        LifecycleEvent::InitDone { phase, status } if *phase == wanted => Some(status.clone()),
        _ => None,
    })
}
