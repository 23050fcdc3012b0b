//! The operations of the API.

use std::sync::Arc;

use hearth_aws_wire::{Response, drop_body, json_response, query_pairs, read_body};
use hearth_store::{ScheduleGroupRecord, ScheduleRecord};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::error::ScheduleError;
use crate::expression::Expression;
use crate::request::{DEFAULT_GROUP, Document, checked_name, parsed};
use crate::{Schedules, operation};

/// How long a request may be: the input of a target, escaped, and a margin.
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// How many schedules there may be. Ours: AWS's quota is a million, and each is held in memory.
const SCHEDULES_MAX: usize = 10_000;
/// How many groups there may be. Source: EventBridge Scheduler quotas, read 2026-11.
const GROUPS_MAX: usize = 500;
/// How many are listed on a page, at most and unless fewer are asked for.
const PAGE_MAX: usize = 100;

impl Schedules {
    pub(crate) async fn dispatch(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response, ScheduleError> {
        let Some((operation, name)) = operation(request.method(), request.uri().path()) else {
            let asked = format!("{} {}", request.method(), request.uri().path());
            drop_body(request).await;
            return Err(ScheduleError::not_implemented(&asked));
        };
        let query = query_pairs(request.uri().query().unwrap_or(""));
        let body = read_body(request, REQUEST_BYTES_MAX).await;
        let body = body.map_err(|error| ScheduleError::of_body(&error))?;
        // A client that hangs up must not leave a change half made.
        let (schedules, name) = (self.clone(), name.unwrap_or_default());
        let answered =
            tokio::spawn(async move { schedules.perform(operation, &name, &query, &body).await }).await;
        let output = answered.unwrap_or(Err(ScheduleError::Failed))?;
        Ok(json_response(StatusCode::OK, output.to_string()))
    }

    async fn perform(
        &self,
        operation: &str,
        name: &str,
        query: &[(String, String)],
        body: &[u8],
    ) -> Result<Value, ScheduleError> {
        let group = || asked_group(query);
        match operation {
            "CreateSchedule" => self.create(name, &Document::parse(body)?).await,
            "UpdateSchedule" => self.update(name, &Document::parse(body)?).await,
            "GetSchedule" => self.schedule(&group()?, name).map(|schedule| self.described(&schedule)),
            "DeleteSchedule" => self.delete(&group()?, name).await,
            "ListSchedules" => self.list(query),
            "CreateScheduleGroup" => self.create_group(name, &Document::parse(body)?).await,
            "GetScheduleGroup" => self.group(name).map(|group| self.described_group(&group)),
            "DeleteScheduleGroup" => self.delete_group(name).await,
            "ListScheduleGroups" => self.list_groups(query),
            other => Err(ScheduleError::not_implemented(other)),
        }
    }

    async fn create(&self, name: &str, document: &Document) -> Result<Value, ScheduleError> {
        let _changing = self.changing.lock().await;
        let now_ms = self.clock.epoch_ms();
        let schedule = document.schedule(name, now_ms, (&self.region, &self.account))?;
        self.group(&schedule.group)?;
        let there = self.kept().schedules.get(&schedule.key()).cloned();
        if let Some(there) = there {
            // The same request once more.
            if there.client_token.is_some() && there.client_token == schedule.client_token {
                return Ok(json!({ "ScheduleArn": self.arn(&there) }));
            }
            return Err(ScheduleError::exists("Schedule", name));
        }
        let (expression, _) = parsed(&schedule.expression, &schedule.timezone)?;
        if schedule.next_ms.is_none() && matches!(expression, Expression::At(_)) {
            let message = format!("Invalid Schedule Expression {}. That time is over.", schedule.expression);
            return Err(ScheduleError::validation(message));
        }
        if self.kept().schedules.len() >= SCHEDULES_MAX {
            return Err(ScheduleError::too_many("schedules", SCHEDULES_MAX));
        }
        let arn = self.arn(&schedule);
        self.keep(schedule).await?;
        Ok(json!({ "ScheduleArn": arn }))
    }

    /// What is left out of an update is as if it were left out of a new schedule, as on AWS.
    async fn update(&self, name: &str, document: &Document) -> Result<Value, ScheduleError> {
        let _changing = self.changing.lock().await;
        let now_ms = self.clock.epoch_ms();
        let mut schedule = document.schedule(name, now_ms, (&self.region, &self.account))?;
        let there = self.schedule(&schedule.group, name)?;
        (schedule.created_ms, schedule.client_token) = (there.created_ms, there.client_token);
        let arn = self.arn(&schedule);
        self.keep(schedule).await?;
        Ok(json!({ "ScheduleArn": arn }))
    }

    async fn delete(&self, group: &str, name: &str) -> Result<Value, ScheduleError> {
        let _changing = self.changing.lock().await;
        let key = self.schedule(group, name)?.key();
        self.forget(&key).await?;
        Ok(json!({}))
    }

    /// Keeps a schedule, for whoever holds `changing`.
    pub(crate) async fn keep(&self, schedule: ScheduleRecord) -> Result<(), ScheduleError> {
        self.store.put_schedule(schedule.clone()).await.map_err(|error| ScheduleError::store(&error))?;
        let mut kept = self.kept();
        kept.retries.remove(&schedule.key());
        kept.schedules.insert(schedule.key(), schedule);
        drop(kept);
        self.changed.notify_one();
        Ok(())
    }

    /// Removes a schedule, for whoever holds `changing`.
    pub(crate) async fn forget(&self, key: &str) -> Result<(), ScheduleError> {
        self.store.remove_schedule(key.to_owned()).await.map_err(|error| ScheduleError::store(&error))?;
        let mut kept = self.kept();
        kept.retries.remove(key);
        kept.schedules.remove(key);
        Ok(())
    }

    fn schedule(&self, group: &str, name: &str) -> Result<ScheduleRecord, ScheduleError> {
        checked_name(name, "name")?;
        let there = self.kept().schedules.get(&format!("{group}/{name}")).cloned();
        there.ok_or_else(|| ScheduleError::not_found("Schedule", name))
    }

    fn list(&self, query: &[(String, String)]) -> Result<Value, ScheduleError> {
        let (group, prefix) = (value(query, "ScheduleGroup"), value(query, "NamePrefix").unwrap_or(""));
        if let Some(group) = group {
            self.group(group)?;
        }
        let state = value(query, "State");
        if let Some(state) = state
            && !["ENABLED", "DISABLED"].contains(&state)
        {
            let constraint = "Member must satisfy enum value set: [ENABLED, DISABLED]";
            return Err(ScheduleError::constraint(state, "state", constraint));
        }
        let kept = self.kept();
        let wanted = kept.schedules.iter().filter(|(_, schedule)| {
            group.is_none_or(|group| schedule.group == group)
                && schedule.name.starts_with(prefix)
                && state.is_none_or(|state| schedule.is_enabled == (state == "ENABLED"))
        });
        let (page, next) = page(query, wanted)?;
        let page: Vec<Value> = page.into_iter().map(|schedule| self.summary(schedule)).collect();
        Ok(without_nulls(json!({ "Schedules": page, "NextToken": next })))
    }

    async fn create_group(&self, name: &str, document: &Document) -> Result<Value, ScheduleError> {
        let _changing = self.changing.lock().await;
        checked_name(name, "name")?;
        if document.has("Tags") {
            return Err(ScheduleError::unsupported("Tags"));
        }
        if name == DEFAULT_GROUP || self.kept().groups.contains_key(name) {
            return Err(ScheduleError::exists("Schedule group", name));
        }
        if self.kept().groups.len() >= GROUPS_MAX {
            return Err(ScheduleError::too_many("schedule groups", GROUPS_MAX));
        }
        let group = ScheduleGroupRecord { name: name.to_owned(), created_ms: self.clock.epoch_ms() };
        let kept = self.store.put_schedule_group(group.clone()).await;
        kept.map_err(|error| ScheduleError::store(&error))?;
        self.kept().groups.insert(group.name.clone(), group);
        Ok(json!({ "ScheduleGroupArn": self.group_arn(name) }))
    }

    async fn delete_group(&self, name: &str) -> Result<Value, ScheduleError> {
        let _changing = self.changing.lock().await;
        if name == DEFAULT_GROUP {
            return Err(ScheduleError::validation("The default schedule group can't be deleted."));
        }
        self.group(name)?;
        let removed = self.store.remove_schedule_group(name.to_owned()).await;
        removed.map_err(|error| ScheduleError::store(&error))?;
        let mut kept = self.kept();
        kept.groups.remove(name);
        kept.schedules.retain(|_, schedule| schedule.group != name);
        kept.retries.retain(|key, _| key.split('/').next() != Some(name));
        Ok(json!({}))
    }

    fn group(&self, name: &str) -> Result<ScheduleGroupRecord, ScheduleError> {
        checked_name(name, "name")?;
        if name == DEFAULT_GROUP {
            // It is there from the beginning.
            return Ok(ScheduleGroupRecord { name: name.to_owned(), created_ms: 0 });
        }
        self.kept().groups.get(name).cloned().ok_or_else(|| ScheduleError::not_found("Schedule group", name))
    }

    fn list_groups(&self, query: &[(String, String)]) -> Result<Value, ScheduleError> {
        let prefix = value(query, "NamePrefix").unwrap_or("");
        let mut groups = self.kept().groups.clone();
        groups.insert(DEFAULT_GROUP.to_owned(), self.group(DEFAULT_GROUP)?);
        let wanted = groups.iter().filter(|(name, _)| name.starts_with(prefix));
        let (page, next) = page(query, wanted)?;
        let page: Vec<Value> = page.into_iter().map(|group| self.described_group(group)).collect();
        Ok(without_nulls(json!({ "ScheduleGroups": page, "NextToken": next })))
    }

    fn described_group(&self, group: &ScheduleGroupRecord) -> Value {
        json!({
            "Arn": self.group_arn(&group.name),
            "Name": group.name,
            "State": "ACTIVE",
            "CreationDate": seconds(group.created_ms),
            "LastModificationDate": seconds(group.created_ms),
        })
    }

    fn summary(&self, schedule: &ScheduleRecord) -> Value {
        json!({
            "Arn": self.arn(schedule),
            "Name": schedule.name,
            "GroupName": schedule.group,
            "State": state(schedule),
            "CreationDate": seconds(schedule.created_ms),
            "LastModificationDate": seconds(schedule.modified_ms),
            "Target": { "Arn": schedule.target_arn },
        })
    }

    fn described(&self, schedule: &ScheduleRecord) -> Value {
        let mode = if schedule.window_minutes.is_some() { "FLEXIBLE" } else { "OFF" };
        without_nulls(json!({
            "Arn": self.arn(schedule),
            "Name": schedule.name,
            "GroupName": schedule.group,
            "Description": schedule.description,
            "ScheduleExpression": schedule.expression,
            "ScheduleExpressionTimezone": schedule.timezone,
            "StartDate": schedule.start_ms.map(seconds),
            "EndDate": schedule.end_ms.map(seconds),
            "State": state(schedule),
            "CreationDate": seconds(schedule.created_ms),
            "LastModificationDate": seconds(schedule.modified_ms),
            "ActionAfterCompletion": if schedule.is_deleted_after { "DELETE" } else { "NONE" },
            "FlexibleTimeWindow": without_nulls(json!({
                "Mode": mode,
                "MaximumWindowInMinutes": schedule.window_minutes,
            })),
            "Target": without_nulls(json!({
                "Arn": schedule.target_arn,
                "RoleArn": schedule.role_arn,
                "Input": schedule.input,
                "RetryPolicy": {
                    "MaximumEventAgeInSeconds": schedule.event_age_seconds_max,
                    "MaximumRetryAttempts": schedule.retry_attempts_max,
                },
            })),
        }))
    }
}

fn state(schedule: &ScheduleRecord) -> &'static str {
    if schedule.is_enabled { "ENABLED" } else { "DISABLED" }
}

/// Times are seconds since 1970 in this protocol.
fn seconds(epoch_ms: i64) -> f64 {
    epoch_ms as f64 / 1_000.0
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    value
}

fn value<'query>(query: &'query [(String, String)], name: &str) -> Option<&'query str> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn asked_group(query: &[(String, String)]) -> Result<String, ScheduleError> {
    let name = value(query, "groupName").unwrap_or(DEFAULT_GROUP);
    checked_name(name, "groupName").map(|()| name.to_owned())
}

/// Returns one page, and the token of the next. A token is the last name of its page.
fn page<'kept, R>(
    query: &[(String, String)],
    wanted: impl Iterator<Item = (&'kept String, &'kept R)>,
) -> Result<(Vec<&'kept R>, Option<&'kept String>), ScheduleError> {
    let most = match value(query, "MaxResults") {
        None => PAGE_MAX,
        Some(text) => text.parse().ok().filter(|most| (1..=PAGE_MAX).contains(most)).ok_or_else(|| {
            ScheduleError::constraint(text, "maxResults", "Member must be a number from 1 to 100")
        })?,
    };
    let token = value(query, "NextToken").unwrap_or("");
    let mut rest = wanted.filter(|(key, _)| token.is_empty() || key.as_str() > token).peekable();
    let (mut page, mut last) = (Vec::new(), None);
    while page.len() < most
        && let Some((key, item)) = rest.next()
    {
        page.push(item);
        last = Some(key);
    }
    Ok((page, last.filter(|_| rest.peek().is_some())))
}
