//! Schedules that call functions: events of type `Schedule` and `ScheduleV2`, and the resources that CloudFormation has for
//! the same.
//!
//! All become schedules of EventBridge Scheduler. What a rule of EventBridge would send is written as the input of a
//! schedule, with context attributes for what is only known when it runs.

use serde_json::{Map, Value, json};

use crate::finding::Finding;
use crate::intrinsics::Scope;
use crate::properties::{Properties, request_value};
use crate::resources;
use crate::stack::{Place, Schedule, Stack};
use crate::yaml::Node;

/// Longest name of a schedule or a group. Source: EventBridge Scheduler API reference, read 2026-11.
const NAME_CHARS_MAX: usize = 64;
/// How often a call that does not succeed is tried again, and how long, in seconds, unless a schedule says otherwise.
/// Source: EventBridge Scheduler API reference, `RetryPolicy`, read 2026-11.
const RETRIES: (u64, u64) = (185, 86_400);

/// Members of schedules that are not built. The server would refuse them.
const UNSUPPORTED: &[&str] = &["DeadLetterConfig", "KmsKeyArn"];

/// The function that the events of a resource call.
pub(crate) struct Called<'function> {
    pub(crate) logical_id: &'function str,
    /// Its ARN, with the alias if there is one.
    pub(crate) arn: String,
}

/// Takes one event of a function. Returns whether it is a schedule.
pub(crate) fn event(
    scope: &Scope<'_>,
    called: &Called<'_>,
    (event_name, event): (&str, &Node),
    stack: &mut Stack,
    findings: &mut Vec<Finding>,
) -> bool {
    let kind = event.get("Type").and_then(Node::text).unwrap_or_default();
    if !matches!(kind, "Schedule" | "ScheduleV2") {
        return false;
    }
    let logical_id = format!("{}{event_name}", called.logical_id);
    let given = event.get("Properties").cloned();
    let mut properties = Properties::new(given, findings);
    let place = Place { logical_id: logical_id.clone(), line: event.line };
    let is_rule = kind == "Schedule";
    let member = if is_rule { "Schedule" } else { "ScheduleExpression" };
    let Some((line, expression)) = properties.text(member) else {
        properties.wrong(event.line, format!("the event `{event_name}` has no `{member}`"));
        return true;
    };
    for member in ["OmitName", "PermissionsBoundary"] {
        if let Some(node) = properties.take(member) {
            stack.notes.push(Finding::new(node.line, format!("`{logical_id}`: `{member}` has no effect")));
        }
    }
    let name = properties.text("Name").map(|(_, name)| name);
    let name = name.unwrap_or_else(|| format!("{}-{logical_id}", scope.surroundings.stack_name));
    let mut target = Map::new();
    target.insert("Arn".to_owned(), called.arn.clone().into());
    if let Some(enabled) = properties.text("Enabled") {
        // SAM's older word for it.
        let state = if enabled.1.eq_ignore_ascii_case("false") { "DISABLED" } else { "ENABLED" };
        properties.put_back("State", Node::text_at(enabled.0, state));
    }
    let parts = Parts { place: Place { line, ..place }, name, expression, target, is_rule };
    schedule(scope, parts, &mut properties, stack);
    for (name, node) in properties.rest() {
        properties.wrong(node.line, format!("the event `{event_name}` has no property `{name}`"));
    }
    true
}

/// Takes an `AWS::Scheduler::Schedule`.
pub(crate) fn resource(
    scope: &Scope<'_>,
    place: Place,
    name: String,
    mut properties: Properties<'_>,
    stack: &mut Stack,
) {
    let logical_id = place.logical_id.clone();
    properties.take("Name");
    let Some((line, expression)) = properties.text("ScheduleExpression") else {
        properties.wrong(place.line, format!("`{logical_id}` has no `ScheduleExpression`"));
        return;
    };
    let Some(node) = properties.map("Target") else {
        properties.wrong(place.line, format!("`{logical_id}` has no `Target`"));
        return;
    };
    // What belongs to the target here stands beside it in an event.
    let mut target = Map::new();
    for (member, value) in node.map().unwrap_or_default() {
        match member.as_str() {
            "Input" | "RetryPolicy" | "DeadLetterConfig" | "RoleArn" => {
                properties.put_back(member, value.clone());
            }
            _ => {
                let numbers = &["MaximumRetryAttempts", "MaximumEventAgeInSeconds"];
                target.insert(member.clone(), request_value(value, numbers, &[]));
            }
        }
    }
    let parts = Parts { place: Place { line, ..place }, name, expression, target, is_rule: false };
    schedule(scope, parts, &mut properties, stack);
    unknown(&mut properties, &logical_id);
}

/// Takes an `AWS::Events::Rule` that has a schedule. Patterns of events are not built.
pub(crate) fn rule(
    scope: &Scope<'_>,
    place: Place,
    name: String,
    mut properties: Properties<'_>,
    stack: &mut Stack,
) {
    let logical_id = place.logical_id.clone();
    properties.take("Name");
    for member in ["EventPattern", "EventBusName", "RoleArn"] {
        if let Some(node) = properties.take(member) {
            let message = format!("`{logical_id}`: `{member}` is not built");
            stack.unsupported.push(Finding::new(node.line, message));
        }
    }
    let expression = properties.text("ScheduleExpression");
    let description = properties.take("Description");
    let state = properties.take("State");
    let targets = properties.take("Targets");
    unknown(&mut properties, &logical_id);
    let Some((line, expression)) = expression else { return };
    let targets = targets.as_ref().and_then(Node::list).unwrap_or_default();
    for node in targets {
        let id = node.get("Id").and_then(Node::text).unwrap_or_default();
        let name = if targets.len() == 1 { name.clone() } else { format!("{name}-{id}") };
        for member in ["State", "Description"] {
            let beside = if member == "State" { &state } else { &description };
            if let Some(beside) = beside {
                properties.put_back(member, beside.clone());
            }
        }
        let mut target = Map::new();
        for (member, value) in node.map().unwrap_or_default() {
            match member.as_str() {
                "Id" => {}
                "Arn" => drop(target.insert(member.clone(), request_value(value, &[], &[]))),
                "Input" | "RetryPolicy" | "DeadLetterConfig" => properties.put_back(member, value.clone()),
                _ => {
                    let message = format!("`{logical_id}`: `{member}` of a target is not built");
                    stack.unsupported.push(Finding::new(value.line, message));
                }
            }
        }
        let place = Place { logical_id: logical_id.clone(), line };
        let parts = Parts { place, name, expression: expression.clone(), target, is_rule: true };
        schedule(scope, parts, &mut properties, stack);
    }
}

/// What events and resources say in different places.
struct Parts {
    /// Its line is the expression's.
    place: Place,
    name: String,
    expression: String,
    target: Map<String, Value>,
    /// Whether a rule of EventBridge is meant, which sends its own event.
    is_rule: bool,
}

/// Takes the rest of a schedule, which is the same everywhere.
fn schedule(scope: &Scope<'_>, parts: Parts, properties: &mut Properties<'_>, stack: &mut Stack) {
    let Parts { place, name, expression, mut target, is_rule } = parts;
    let (line, logical_id) = (place.line, &place.logical_id);
    for member in UNSUPPORTED {
        if let Some(node) = properties.take(member) {
            let message = format!("`{logical_id}`: `{member}` is not built");
            stack.unsupported.push(Finding::new(node.line, message));
        }
    }
    let surroundings = scope.surroundings;
    let group = properties.text("GroupName").map(|(_, group)| group);
    let is_own_group = group.is_none();
    let group = group.unwrap_or_else(|| surroundings.stack_name.clone());
    for (what, text) in [("schedule", &name), ("group of schedules", &group)] {
        let is_name = text.len() <= NAME_CHARS_MAX
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_name {
            properties.wrong(
                line,
                format!("`{text}` is no name of a {what}: letters, digits, `-`, `_` and `.`, at most {NAME_CHARS_MAX}"),
            );
        }
    }
    let role = properties.text("RoleArn").map(|(_, role)| role);
    target.insert(
        "RoleArn".to_owned(),
        role.unwrap_or_else(|| resources::made_role_arn(scope, logical_id)).into(),
    );
    match properties.text("Input") {
        Some((_, input)) => drop(target.insert("Input".to_owned(), input.into())),
        None if is_rule => {
            let rule = format!("arn:aws:events:{}:{}:rule/{name}", surroundings.region, surroundings.account);
            let event = json!({
                "version": "0",
                "id": "<aws.scheduler.execution-id>",
                "detail-type": "Scheduled Event",
                "source": "aws.events",
                "account": surroundings.account,
                "time": "<aws.scheduler.scheduled-time>",
                "region": surroundings.region,
                "resources": [rule],
                "detail": {},
            });
            target.insert("Input".to_owned(), event.to_string().into());
        }
        None => {}
    }
    let given = properties.map("RetryPolicy");
    let given =
        given.map(|node| request_value(&node, &["MaximumRetryAttempts", "MaximumEventAgeInSeconds"], &[]));
    let mut retries = json!({ "MaximumRetryAttempts": RETRIES.0, "MaximumEventAgeInSeconds": RETRIES.1 });
    if let (Some(Value::Object(given)), Some(known)) = (given, retries.as_object_mut()) {
        known.extend(given);
    }
    target.insert("RetryPolicy".to_owned(), retries);

    let mut request = Map::new();
    let mut set = |member: &str, value: Value| request.insert(member.to_owned(), value);
    set("ScheduleExpression", expression.into());
    let zone = properties.text("ScheduleExpressionTimezone").map(|(_, zone)| zone);
    set("ScheduleExpressionTimezone", zone.unwrap_or_else(|| "UTC".to_owned()).into());
    let state = properties.text("State").map(|(_, state)| state);
    set("State", state.unwrap_or_else(|| "ENABLED".to_owned()).into());
    let window = properties.map("FlexibleTimeWindow");
    let window = window.map(|node| request_value(&node, &["MaximumWindowInMinutes"], &[]));
    set("FlexibleTimeWindow", window.unwrap_or_else(|| json!({ "Mode": "OFF" })));
    let after = properties.text("ActionAfterCompletion").map(|(_, action)| action);
    set("ActionAfterCompletion", after.unwrap_or_else(|| "NONE".to_owned()).into());
    for member in ["Description", "StartDate", "EndDate"] {
        if let Some((_, text)) = properties.text(member) {
            set(member, text.into());
        }
    }
    set("Target", Value::Object(target));
    stack.schedules.push(Schedule { place, group, is_own_group, name, request });
}

fn unknown(properties: &mut Properties<'_>, logical_id: &str) {
    for (name, node) in properties.rest() {
        properties.wrong(node.line, format!("`{logical_id}` has no property `{name}`"));
    }
}
