//! Schedules and their groups, as they are kept.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// A schedule. The texts are those of EventBridge Scheduler's API; all times are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// The group that it is in.
    pub group: String,
    /// Its name in the group.
    pub name: String,
    /// `rate(…)`, `cron(…)` or `at(…)`.
    pub expression: String,
    /// The time zone in which the expression is meant.
    pub timezone: String,
    /// Not before.
    pub start_ms: Option<i64>,
    /// Not after.
    pub end_ms: Option<i64>,
    /// The description.
    pub description: Option<String>,
    /// Whether it runs.
    pub is_enabled: bool,
    /// The ARN of the function that it calls, perhaps with a qualifier.
    pub target_arn: String,
    /// The role that it says to call in.
    pub role_arn: String,
    /// The event: JSON, with context attributes that are not replaced yet. `None` is the default notification.
    pub input: Option<String>,
    /// How long a call that does not succeed is tried again, in seconds.
    pub event_age_seconds_max: u32,
    /// How often it is tried again.
    pub retry_attempts_max: u32,
    /// The minutes of a flexible time window.
    pub window_minutes: Option<u32>,
    /// Whether it is removed when it will not run any more.
    pub is_deleted_after: bool,
    /// What the request that made it called itself.
    pub client_token: Option<String>,
    /// When it was made.
    pub created_ms: i64,
    /// When it was changed.
    pub modified_ms: i64,
    /// When it runs next. `None`: never.
    pub next_ms: Option<i64>,
}

impl ScheduleRecord {
    /// Returns the text under which the record is kept.
    pub fn key(&self) -> String {
        format!("{}/{}", self.group, self.name)
    }
}

/// A group of schedules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleGroupRecord {
    /// Its name.
    pub name: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// Which schedules and groups of them are there?
pub trait ScheduleStore: Send + Sync + 'static {
    /// Returns every schedule.
    fn schedules(&self) -> BoxFuture<'_, Result<Vec<ScheduleRecord>, StoreError>>;

    /// Keeps a schedule in the place of the one with its key, if there is one.
    fn put_schedule(&self, schedule: ScheduleRecord) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Removes the schedule with this [`ScheduleRecord::key`]. Not an error when it is not there.
    fn remove_schedule(&self, key: String) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Returns every group.
    fn schedule_groups(&self) -> BoxFuture<'_, Result<Vec<ScheduleGroupRecord>, StoreError>>;

    /// Keeps a group in the place of the one with its name, if there is one.
    fn put_schedule_group(&self, group: ScheduleGroupRecord) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Removes a group with all of its schedules, in one step.
    fn remove_schedule_group(&self, name: String) -> BoxFuture<'_, Result<(), StoreError>>;
}
