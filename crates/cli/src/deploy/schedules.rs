//! Schedules of a stack: comparing them with what is there, and bringing them there.
//!
//! They are in a group of the stack's name, so that those that the template has no longer can be told.

use std::collections::BTreeMap;

use hearth_deploy::{Finding, Schedule, Stack};
use http::Method;
use serde_json::{Map, Value, json};

use super::plan::Action;
use super::report::Planned;
use super::server::{Request, optional};
use crate::client::{Client, ClientError, escape};

/// What is told of a schedule, and cannot be set.
const TOLD_ONLY: &[&str] = &["Arn", "Name", "GroupName", "CreationDate", "LastModificationDate"];

/// One schedule, and what is done about it.
#[derive(Debug)]
pub(super) struct ScheduleChange {
    pub(super) name: String,
    pub(super) group: String,
    logical_id: String,
    pub(super) action: Action,
    /// As it is to be.
    to: Option<Map<String, Value>>,
    /// As it is.
    from: Option<Map<String, Value>>,
    details: Vec<String>,
}

/// What is done about all schedules of a stack.
#[derive(Debug, Default)]
pub(super) struct SchedulePlan {
    /// The stack's group, if it has to be made.
    pub(super) new_group: Option<String>,
    pub(super) changes: Vec<ScheduleChange>,
}

/// Says which expressions are none, before a server is asked.
pub(super) fn wrong_expressions(stack: &Stack) -> Vec<Finding> {
    let of = |schedule: &Schedule| {
        let text = schedule.request["ScheduleExpression"].as_str()?;
        let error = hearth_schedules::Expression::parse(text).err()?;
        let (id, line) = (&schedule.place.logical_id, schedule.place.line);
        Some(Finding { line, message: format!("`{id}`: `{text}` is no schedule: {error}") })
    };
    stack.schedules.iter().filter_map(of).collect()
}

/// Compares the schedules of a stack with those that are there. Those of functions that stay although the template has them no
/// longer stay with them.
pub(super) async fn plan(
    client: &Client,
    stack: &Stack,
    stack_name: &str,
    staying: &[String],
) -> Result<SchedulePlan, ClientError> {
    let group_path = format!("/schedule-groups/{}", escape(stack_name));
    let there = match optional(client, &group_path).await {
        // The name of a stack may be longer than that of a group, which then cannot be there.
        Err(ClientError::Refused { status: http::StatusCode::BAD_REQUEST, .. }) => None,
        there => there?,
    };
    let wants_group = stack.schedules.iter().any(|schedule| schedule.is_own_group);
    let mut plan = SchedulePlan {
        new_group: (wants_group && there.is_none()).then(|| stack_name.to_owned()),
        changes: Vec::new(),
    };
    for schedule in &stack.schedules {
        let path = path(&schedule.name, &schedule.group);
        let from = optional(client, &path).await?.map(settable);
        let to = settable(Value::Object(schedule.request.clone()));
        let details = match &from {
            Some(from) => differences(from, &to),
            None => vec![schedule.request["ScheduleExpression"].as_str().unwrap_or_default().to_owned()],
        };
        let action = match &from {
            None => Action::Create,
            Some(_) if details.is_empty() => Action::Keep,
            Some(_) => Action::Update,
        };
        plan.changes.push(ScheduleChange {
            name: schedule.name.clone(),
            group: schedule.group.clone(),
            logical_id: schedule.place.logical_id.clone(),
            action,
            to: Some(to),
            from,
            details,
        });
    }
    if there.is_some() {
        let wanted = |name: &str| {
            stack.schedules.iter().any(|schedule| schedule.name == name && schedule.group == stack_name)
        };
        for (name, target) in listed(client, stack_name).await? {
            if wanted(&name) {
                continue;
            }
            let function = target.split(':').nth(6).unwrap_or_default();
            let stays = staying.iter().any(|staying| staying == function);
            let from = optional(client, &path(&name, stack_name)).await?.map(settable);
            plan.changes.push(ScheduleChange {
                name,
                group: stack_name.to_owned(),
                logical_id: String::new(),
                action: if stays { Action::Leave } else { Action::Delete },
                to: None,
                from,
                details: Vec::new(),
            });
        }
    }
    Ok(plan)
}

impl ScheduleChange {
    /// The row that tells about it.
    pub(super) fn planned(&self) -> Planned {
        Planned {
            kind: "schedule",
            name: self.name.clone(),
            logical_id: self.logical_id.clone(),
            action: self.action,
            details: self.details.clone(),
        }
    }

    /// The request that makes it so, and the one that takes it back.
    pub(super) fn requests(&self) -> (Request, Request) {
        let to = |from: Option<&Map<String, Value>>, to: Option<&Map<String, Value>>| match to {
            None => Request::delete(path(&self.name, &self.group)),
            Some(members) => {
                let method = if from.is_some() { Method::PUT } else { Method::POST };
                let mut body = members.clone();
                body.insert("GroupName".to_owned(), self.group.clone().into());
                let path = format!("/schedules/{}", escape(&self.name));
                Request::new(method, path, Some(Value::Object(body)))
            }
        };
        let (before, after) = (self.from.as_ref(), self.to.as_ref());
        (to(before, after), to(after, before))
    }
}

/// The request that makes a group, and the one that takes it back.
pub(super) fn group_requests(name: &str) -> (Request, Request) {
    let path = format!("/schedule-groups/{}", escape(name));
    (Request::new(Method::POST, path.clone(), Some(json!({}))), Request::delete(path))
}

fn path(name: &str, group: &str) -> String {
    format!("/schedules/{}?groupName={}", escape(name), escape(group))
}

/// Returns the names of the schedules of a group, and the ARNs of what they call.
async fn listed(client: &Client, group: &str) -> Result<BTreeMap<String, String>, ClientError> {
    let (mut all, mut token) = (BTreeMap::new(), String::new());
    loop {
        let path = format!("/schedules?ScheduleGroup={}{token}", escape(group));
        let page: Value = client.get(&path).await?;
        for schedule in page["Schedules"].as_array().into_iter().flatten() {
            let (name, target) = (&schedule["Name"], &schedule["Target"]["Arn"]);
            all.insert(
                name.as_str().unwrap_or_default().to_owned(),
                target.as_str().unwrap_or_default().to_owned(),
            );
        }
        match page["NextToken"].as_str() {
            Some(next) => token = format!("&NextToken={}", escape(next)),
            None => return Ok(all),
        }
    }
}

/// Leaves only what can be set, with times as the API tells them.
fn settable(document: Value) -> Map<String, Value> {
    let Value::Object(mut members) = document else { return Map::new() };
    members.retain(|name, _| !TOLD_ONLY.contains(&name.as_str()));
    for member in ["StartDate", "EndDate"] {
        if let Some(value) = members.get_mut(member)
            && let Some(time) = value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok())
        {
            *value = json!(time.as_millisecond() as f64 / 1_000.0);
        }
    }
    members
}

/// Says what differs.
pub(super) fn differences(from: &Map<String, Value>, to: &Map<String, Value>) -> Vec<String> {
    let mut names: Vec<&String> = from.keys().chain(to.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let differs = names.into_iter().filter(|name| from.get(*name) != to.get(*name));
    differs
        .map(|name| match (from.get(name).and_then(Value::as_str), to.get(name).and_then(Value::as_str)) {
            (Some(from), Some(to)) => format!("{name} {from} -> {to}"),
            _ => name.clone(),
        })
        .collect()
}
