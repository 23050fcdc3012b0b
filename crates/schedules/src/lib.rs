//! EventBridge Scheduler, as far as it calls functions: schedules in groups, kept on disk, each of which calls a function
//! asynchronously when its time has come.
//!
//! [`expression`] and [`cron`] say when that is, [`runner`] waits for it, [`operations`] are the API.

mod cron;
mod error;
mod event;
mod expression;
mod operations;
mod request;
mod runner;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hearth_auth::{Asked, Resource};
use hearth_aws_wire::{CredentialScope, REQUEST_ID, Response, path_segments};
use hearth_invoke::{EventClock, EventQueue};
use hearth_store::{ScheduleGroupRecord, ScheduleRecord, ScheduleStore, StoreError};
use hearth_types::{AccountId, Region, RequestId};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request};
use hyper::body::Incoming;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use cron::Cron;
pub use expression::{Expression, ExpressionError};

use error::ScheduleError;
use runner::Retry;

/// The name by which requests are signed, and rights are named.
const SERVICE: &str = "scheduler";

/// The schedules of one account in one region.
pub struct Schedules {
    store: Arc<dyn ScheduleStore>,
    region: Region,
    account: AccountId,
    clock: Arc<dyn EventClock>,
    events: Arc<EventQueue>,
    kept: Mutex<Kept>,
    /// One change after the other: the store is written first.
    changing: tokio::sync::Mutex<()>,
    /// Rung when something may be due earlier than before.
    changed: Notify,
    stop: watch::Sender<bool>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

/// What is kept, as the store has it; and which calls are to be tried again.
#[derive(Default)]
struct Kept {
    /// By [`ScheduleRecord::key`].
    schedules: BTreeMap<String, ScheduleRecord>,
    groups: BTreeMap<String, ScheduleGroupRecord>,
    retries: BTreeMap<String, Retry>,
}

/// Says which operation a request is for: its name, and the name in its path.
fn operation(method: &Method, path: &str) -> Option<(&'static str, Option<String>)> {
    let segments: Vec<&str> = path_segments(path).collect();
    let (kind, name) = match segments[..] {
        [kind] => (kind, None),
        [kind, name] => (kind, Some(hearth_aws_wire::decode(name)?)),
        _ => return None,
    };
    let operation = match (kind, method.as_str(), &name) {
        ("schedules", "GET", None) => "ListSchedules",
        ("schedules", "POST", Some(_)) => "CreateSchedule",
        ("schedules", "GET", Some(_)) => "GetSchedule",
        ("schedules", "PUT", Some(_)) => "UpdateSchedule",
        ("schedules", "DELETE", Some(_)) => "DeleteSchedule",
        ("schedule-groups", "GET", None) => "ListScheduleGroups",
        ("schedule-groups", "POST", Some(_)) => "CreateScheduleGroup",
        ("schedule-groups", "GET", Some(_)) => "GetScheduleGroup",
        ("schedule-groups", "DELETE", Some(_)) => "DeleteScheduleGroup",
        _ => return None,
    };
    Some((operation, name))
}

impl Schedules {
    /// Reads the schedules that are kept, and begins to wait for their times. Needs a Tokio runtime.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn start(
        store: Arc<dyn ScheduleStore>,
        (region, account): (Region, AccountId),
        clock: Arc<dyn EventClock>,
        events: Arc<EventQueue>,
    ) -> Result<Arc<Self>, StoreError> {
        let schedules = store.schedules().await?.into_iter().map(|schedule| (schedule.key(), schedule));
        let groups = store.schedule_groups().await?.into_iter().map(|group| (group.name.clone(), group));
        let kept = Kept { schedules: schedules.collect(), groups: groups.collect(), ..Kept::default() };
        let (stop, stopped) = watch::channel(false);
        let schedules = Arc::new(Self {
            store,
            region,
            account,
            clock,
            events,
            kept: Mutex::new(kept),
            changing: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            stop,
            worker: Mutex::default(),
        });
        let worker = tokio::spawn(schedules.clone().run(stopped));
        *schedules.worker.lock().unwrap_or_else(PoisonError::into_inner) = Some(worker);
        Ok(schedules)
    }

    /// Calls nothing any more, and waits for the call that is being handed over.
    pub async fn stop(&self) {
        let _ = self.stop.send(true);
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker
            && worker.await.is_err()
        {
            tracing::error!("who waits for the times of schedules panicked");
        }
    }

    /// Whether a request is meant for EventBridge Scheduler: one that is signed for it, or that is not signed and has one of its
    /// paths.
    pub fn is_asked<B>(request: &Request<B>) -> bool {
        match CredentialScope::of(request.headers()) {
            Some(scope) => scope.service == SERVICE,
            None => {
                let path = request.uri().path();
                let is_ours = ["/schedules", "/schedule-groups"].iter().any(|ours| {
                    path.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                });
                is_ours && !request.headers().contains_key(AUTHORIZATION)
            }
        }
    }

    /// Returns what a request asks for, as rights name it. `None` when it is no operation, and nothing to allow.
    pub fn asked<B>(request: &Request<B>) -> Option<Asked> {
        let (operation, _) = operation(request.method(), request.uri().path())?;
        Some(Asked { action: format!("{SERVICE}:{operation}"), resource: Resource::Any })
    }

    /// Answers a request for which [`Schedules::is_asked`] holds.
    pub async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Response {
        let answer = self.dispatch(request).await;
        let mut response = answer.unwrap_or_else(ScheduleError::into_response);
        if let Ok(value) = HeaderValue::from_str(&RequestId::random().to_string()) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arn(&self, schedule: &ScheduleRecord) -> String {
        format!("arn:aws:scheduler:{}:{}:schedule/{}", self.region, self.account, schedule.key())
    }

    fn group_arn(&self, name: &str) -> String {
        format!("arn:aws:scheduler:{}:{}:schedule-group/{name}", self.region, self.account)
    }
}
