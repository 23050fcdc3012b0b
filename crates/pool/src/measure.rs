//! Inits that somebody asks for, to see what they take: each in an environment of its own, made as for a call and ended
//! afterwards. No event comes to it, and no call finds it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use hearth_environment::{Environment, Owner};
use hearth_functions::ResolvedVersion;
use hearth_invoke::{InvokeError, Permit};
use hearth_telemetry::imports::{ImportCollector, ImportProfile};
use hearth_telemetry::{EnvironmentRecord, LifecycleEvent, ShutdownReason};
use hearth_types::{ColdReason, InitializationType};
use tokio::sync::watch;

use crate::Pool;
use crate::acquire::{Plan, StartsFrom};
use crate::members::Member;

/// How long the last records of a profile may take to arrive after Init has ended. Ours: they are on their way already, or
/// their connection broke when everything was killed.
const RECORDS_WAIT: Duration = Duration::from_secs(5);

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The phases alone: an Init as any other.
    Phases,
    /// Each import, too, if the runtime is one of Hearth's clients.
    Imports,
}

/// An Init that was measured. Its environment is gone.
#[derive(Debug)]
pub struct MeasuredInit {
    /// All that happened in its environment.
    pub record: Arc<EnvironmentRecord>,
    /// What was imported, if that was asked for.
    pub imports: Option<ImportProfile>,
    /// The largest memory that its environment used, in bytes.
    pub memory_bytes_max: u64,
}

/// An environment that is measured, or is being ended after that.
pub(crate) struct Measured {
    pub(crate) member: Member,
    /// It counts as a call does.
    _permit: Option<Permit>,
}

impl Measured {
    /// One that does not count as a call does.
    pub(crate) fn uncounted(member: Member) -> Self {
        Self { member, _permit: None }
    }
}

/// How far an environment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Progress {
    Begins,
    /// Init is over, well or not.
    Settled,
    Gone,
}

/// Hears of one environment in the place of the pool.
pub(crate) struct Watcher {
    pool: Weak<Pool>,
    progress: watch::Sender<Progress>,
}

impl Watcher {
    pub(crate) fn new(pool: Weak<Pool>, progress: watch::Sender<Progress>) -> Self {
        Self { pool, progress }
    }

    fn reach(&self, progress: Progress) {
        self.progress.send_if_modified(|current| {
            let is_further = *current < progress;
            if is_further {
                *current = progress;
            }
            is_further
        });
    }
}

impl Owner for Watcher {
    fn initialized(&self, _: &Arc<Environment>) {}

    fn settled(&self, _: &Arc<Environment>) {
        self.reach(Progress::Settled);
    }

    fn gone(&self, environment: &Arc<Environment>) {
        if let Some(pool) = self.pool.upgrade() {
            // The member, with its listener and its code, is dropped after the lock.
            let measured = pool.lock().measured.remove(&environment.id());
            drop(measured);
            pool.changed.notify_waiters();
        }
        self.reach(Progress::Gone);
    }
}

impl Pool {
    /// Runs an Init of `version` in an environment of its own, ends that, and says what the Init took. Counts as one call
    /// to the concurrency of the function, and waits for its turn among cold starts.
    ///
    /// # Errors
    /// When there is no concurrency left, the server stops, or no environment can be made. An Init that fails is none.
    pub async fn measure_init(
        &self,
        version: &Arc<ResolvedVersion>,
        measure: Measure,
    ) -> Result<MeasuredInit, InvokeError> {
        let throttled = |reason| InvokeError::Throttled { reason };
        let name = &version.configuration.name;
        let permit = self.parts.concurrency.admit(name, version.version).map_err(throttled)?;
        permit.scale_up().map_err(throttled)?;
        // Calls wait for their cold starts; this may not take all turns from them.
        let own_turn = self.provisioned_starts.clone().acquire_owned().await;
        let own_turn = own_turn.map_err(|_| InvokeError::Draining)?;
        let turn = self.cold_starts.clone().acquire_owned().await.map_err(|_| InvokeError::Draining)?;
        self.evict_if_full(name);
        let collector = match measure {
            Measure::Phases => None,
            Measure::Imports => Some(ImportCollector::new(self.parts.clock)),
        };
        let (sender, mut progress) = watch::channel(Progress::Begins);
        let plan = Plan {
            why_made: ColdReason::Forced,
            initialization_type: InitializationType::OnDemand,
            owner: Arc::new(Watcher { pool: self.this.clone(), progress: sender }),
            imports: collector.clone(),
            room: self.room_in_any_case(version),
            starts_from: StartsFrom::Nothing,
        };
        let member = self.make_planned(version, plan).await?;
        let environment = member.environment.clone();
        let draining = {
            let mut state = self.lock();
            state.measured.insert(environment.id(), Measured { member, _permit: Some(permit) });
            state.draining
        };
        if draining {
            environment.shut_down(ShutdownReason::ServerStops);
            return Err(InvokeError::Draining);
        }
        environment.begin_init();
        // Ends when Init does, at the latest when its limit is reached.
        let _ = progress.wait_for(|progress| *progress >= Progress::Settled).await;
        drop((own_turn, turn));
        let record = environment.record().clone();
        let memory_bytes_max = environment.memory_bytes_max();
        environment.shut_down(ShutdownReason::Measured);
        if let Some(collector) = &collector {
            collector.wait_until_closed(RECORDS_WAIT).await;
        }
        // Shutdown has a limit of its own.
        let _ = progress.wait_for(|progress| *progress == Progress::Gone).await;
        let imports =
            collector.map(|collector| collector.profile(init_ended(&record, self.parts.clock.now())));
        Ok(MeasuredInit { record, imports, memory_bytes_max })
    }

    /// Ends all that are being measured.
    pub(crate) fn end_measured(&self) {
        let measured = |measured: &Measured| measured.member.environment.clone();
        let environments: Vec<_> = self.lock().measured.values().map(measured).collect();
        for environment in environments {
            environment.shut_down(ShutdownReason::ServerStops);
        }
    }
}

/// When Init ended; `otherwise` if the server stopped meanwhile.
fn init_ended(record: &EnvironmentRecord, otherwise: std::time::Instant) -> std::time::Instant {
    let steps = record.events();
    let ended = steps.iter().find(|(_, step, _)| matches!(step, LifecycleEvent::InitDone { .. }));
    ended.map_or(otherwise, |(at, _, _)| *at)
}
