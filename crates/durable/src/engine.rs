//! Keeps executions, one change at a time for each, and carries out what they want.
//!
//! An execution is in memory while an invocation of it goes on; otherwise it is on disk alone, and loaded when something
//! happens to it. So a million of them that wait cost no memory.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hearth_functions::{Functions, ResolveError};
use hearth_invoke::{EventClock, Invoker};
use hearth_store::{DurableStore, LoadedExecution, Outcome, StoreError};
use hearth_types::RequestId;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::arn::DurableExecutionArn;
use crate::checkpoint::CheckpointError;
use crate::execution::{CallbackError, Execution, Invocation};
use crate::pause::Ended;

/// Why something cannot be done to an execution.
#[derive(Debug, thiserror::Error)]
pub enum DurableError {
    /// It is not there, or not any more.
    #[error("there is no such durable execution")]
    NotFound,
    /// Its function cannot be invoked.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Another execution of the function has the name.
    #[error("an execution of the name `{name}` was started with another payload")]
    AlreadyStarted {
        /// Which name.
        name: String,
    },
    /// The function is not durable.
    #[error("the function is not durable")]
    NotDurable,
    /// A checkpoint is refused.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A callback cannot be answered.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// It has ended.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// It has not ended yet.
    #[error("the execution has not ended")]
    Running,
    /// It takes longer than anybody waits for it.
    #[error("the execution has not ended in time")]
    TooLong,
    /// The server stops.
    #[error("the server is stopping")]
    Draining,
    /// It cannot be kept.
    #[error("failed to keep a durable execution")]
    Store(#[from] StoreError),
}

/// What those who wait for an execution need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for something, or nobody knows.
    Waiting,
    /// An invocation goes on.
    Invoking,
    /// It has ended, or is gone.
    Ended,
}

/// An execution that something happens to.
pub(crate) struct Lane {
    /// The execution, while an invocation goes on.
    pub(crate) state: tokio::sync::Mutex<Option<Execution>>,
    pub(crate) phase: watch::Sender<Phase>,
}

/// Keeps durable executions, and lets them go on.
pub struct DurableExecutions {
    pub(crate) shared: Arc<Shared>,
    timer: Mutex<Option<JoinHandle<()>>>,
}

/// What all that goes on has in common.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn DurableStore>,
    pub(crate) functions: Arc<Functions>,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) clock: Arc<dyn EventClock>,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
    /// Rung when something may be due earlier than was known.
    pub(crate) look: Notify,
    pub(crate) stop: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
}

impl DurableExecutions {
    /// Knows what is kept, and does not go on with it yet.
    pub fn new(
        invoker: Arc<Invoker>,
        functions: Arc<Functions>,
        store: Arc<dyn DurableStore>,
        clock: Arc<dyn EventClock>,
    ) -> Self {
        let shared = Arc::new(Shared {
            store,
            functions,
            invoker,
            clock,
            lanes: Mutex::default(),
            look: Notify::new(),
            stop: watch::Sender::new(false),
            tasks: Mutex::default(),
        });
        Self { shared, timer: Mutex::new(None) }
    }

    /// Goes on with the executions that are there: functions can reach their API by now. Needs a Tokio runtime.
    pub async fn go_on(&self) -> Result<(), StoreError> {
        self.shared.recover().await?;
        let timer = tokio::spawn(self.shared.clone().keep_time());
        *self.timer.lock().unwrap_or_else(PoisonError::into_inner) = Some(timer);
        Ok(())
    }

    /// Begins no invocation any more. Those that go on may make checkpoints.
    pub fn stop(&self) {
        self.shared.stop.send_replace(true);
        self.shared.look.notify_one();
    }

    /// Stops, and waits for what goes on.
    pub async fn drain(&self) {
        self.stop();
        let timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(timer) = timer
            && timer.await.is_err()
        {
            tracing::error!("who keeps the time of durable executions panicked");
        }
        loop {
            let mut tasks = std::mem::take(&mut *self.shared.tasks());
            if tasks.is_empty() {
                return;
            }
            while tasks.join_next().await.is_some() {}
        }
    }

    /// Something about functions has changed that executions may have to hear of.
    pub fn functions_changed(&self) {
        self.shared.look.notify_one();
    }
}

impl Shared {
    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Lets something go on by itself.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks();
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a task of a durable execution panicked"
                );
            }
        }
        tasks.spawn(task);
    }

    /// Returns the lane of an execution, which stays as long as somebody holds it.
    pub(crate) fn lane(&self, id: &str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(id.to_owned()).or_insert_with(|| {
            Arc::new(Lane { state: tokio::sync::Mutex::new(None), phase: watch::Sender::new(Phase::Waiting) })
        });
        lane.clone()
    }

    /// Gives a lane back. It goes when nobody else holds it, and no invocation goes on.
    pub(crate) fn give_back(&self, id: &str, lane: Arc<Lane>) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_empty = lane.state.try_lock().is_ok_and(|state| state.is_none());
        // This one, and that of the table.
        if is_empty && Arc::strong_count(&lane) == 2 {
            lanes.remove(id);
        }
    }

    /// Does something to an execution, keeps what changed, and carries out what it wants. Nothing has happened when this
    /// returns an error.
    pub(crate) async fn with<T>(
        self: &Arc<Self>,
        id: &str,
        work: impl FnOnce(&mut Execution, i64) -> Result<T, DurableError>,
    ) -> Result<T, DurableError> {
        let lane = self.lane(id);
        let done = self.with_lane(&lane, id, work).await;
        self.give_back(id, lane);
        done
    }

    async fn with_lane<T>(
        self: &Arc<Self>,
        lane: &Lane,
        id: &str,
        work: impl FnOnce(&mut Execution, i64) -> Result<T, DurableError>,
    ) -> Result<T, DurableError> {
        let mut state = lane.state.lock().await;
        // Taken out: whatever fails from here on leaves what is on disk.
        let mut execution = match state.take() {
            Some(execution) => execution,
            None => match self.store.load_execution(id.to_owned()).await? {
                Some(LoadedExecution { execution, operations, .. }) => Execution::load(execution, operations),
                None => return Err(DurableError::NotFound),
            },
        };
        let now_ms = self.clock.epoch_ms();
        let had_ended = execution.record().status.is_final();
        let done = work(&mut execution, now_ms)?;
        let invocation = self.next_invocation(&mut execution, now_ms);
        if let Some(change) = execution.take_change(now_ms) {
            fail::fail_point!("durable::change");
            match self.store.change_execution(change).await? {
                Outcome::Done => {}
                Outcome::Conflict => return Err(DurableError::NotFound),
            }
            fail::fail_point!("durable::changed");
            self.look.notify_one();
        }
        self.go_on(&execution, invocation, had_ended);
        lane.phase.send_replace(phase(&execution));
        if execution.record().invoking.is_some() {
            *state = Some(execution);
        }
        Ok(done)
    }

    /// Begins the next invocation of an execution, if it wants one.
    pub(crate) fn next_invocation(&self, execution: &mut Execution, now_ms: i64) -> Option<Invocation> {
        if self.is_stopped() {
            return None;
        }
        execution.begin_invocation(RequestId::random().to_string(), now_ms)
    }

    /// Carries out what follows from a change that is on disk.
    pub(crate) fn go_on(
        self: &Arc<Self>,
        execution: &Execution,
        invocation: Option<Invocation>,
        had_ended: bool,
    ) {
        if let Some(invocation) = invocation {
            self.spawn(self.clone().invoke(execution.record().clone(), invocation));
        }
        if !had_ended && execution.record().status.is_final() && execution.record().parent.is_some() {
            self.spawn(self.clone().tell_parent(execution.record().clone()));
        }
    }

    /// Goes on with what an earlier server had begun.
    async fn recover(self: &Arc<Self>) -> Result<(), StoreError> {
        for id in self.store.unfinished_executions().await? {
            let open = self
                .with(&id, |execution, now_ms| {
                    let number = execution.record().invocations;
                    execution.invocation_ended(number, crate::InvocationEnd::Interrupted, now_ms);
                    execution.look_at_the_clock(now_ms);
                    Ok(execution.open_chained())
                })
                .await;
            match open {
                Ok(open) => self.chain(&id, open),
                Err(DurableError::Store(error)) => return Err(error),
                Err(error) => tracing::warn!(
                    execution = id,
                    error = &error as &dyn std::error::Error,
                    "a durable execution could not be taken up again"
                ),
            }
        }
        Ok(())
    }

    /// Returns the ARN of an execution.
    pub(crate) fn arn(&self, function: &str, version: &str, name: &str, id: &str) -> String {
        let settings = self.functions.settings();
        match hearth_types::FunctionName::new(function) {
            Ok(function) => DurableExecutionArn {
                region: settings.region.clone(),
                account: settings.account.clone(),
                function,
                version: version.to_owned(),
                name: name.to_owned(),
                id: id.to_owned(),
            }
            .to_string(),
            Err(_) => String::new(),
        }
    }
}

pub(crate) fn phase(execution: &Execution) -> Phase {
    if execution.record().status.is_final() {
        Phase::Ended
    } else if execution.record().invoking.is_some() {
        Phase::Invoking
    } else {
        Phase::Waiting
    }
}
