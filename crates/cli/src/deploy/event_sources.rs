//! Event source mappings of a stack: comparing them with what is there. Bringing them there is `apply`'s.
//!
//! A mapping has no name. It is known again by its source and its function, and by tags that say which event of which stack it is:
//! so a mapping can move to another alias, and one that the template has no longer can be told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use hearth_deploy::{EventSourceMapping, Finding, Stack};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::apply::{ApplyError, LOOK_PAUSES, SETTLE_LIMIT};
use super::plan::{Action, LOGICAL_ID_TAG, TagChanges, tag_changes, tags_in_words, with_stack};
use super::report::Planned;
use super::schedules::differences;
use super::server::{Request, STACK_TAG, optional, tags, tags_path, without_nothing};
use crate::client::{Client, ClientError, escape};

const PATH: &str = "/2015-03-31/event-source-mappings";

/// One mapping, and what is done about it.
#[derive(Debug)]
pub(super) struct MappingChange {
    pub(super) action: Action,
    pub(super) source_arn: String,
    /// As it is to be, or else as it is.
    pub(super) function_arn: String,
    logical_id: String,
    /// The mapping that is there. Of one that is to be made: one of the same source and function that is about to be gone.
    pub(super) uuid: Option<String>,
    pub(super) arn: String,
    /// The members of the request that makes it so, and those that take it back.
    pub(super) to: Map<String, Value>,
    pub(super) from: Map<String, Value>,
    pub(super) tags: Option<TagChanges>,
    pub(super) tags_before: BTreeMap<String, String>,
    details: Vec<String>,
}

/// What is done about all mappings of a stack.
#[derive(Debug, Default)]
pub(super) struct MappingPlan {
    pub(super) changes: Vec<MappingChange>,
    /// What cannot be done.
    pub(super) wrong: Vec<Finding>,
    pub(super) unsupported: Vec<Finding>,
}

/// A mapping that is there.
struct There {
    document: Value,
    tags: BTreeMap<String, String>,
}

impl There {
    fn text(&self, member: &str) -> &str {
        self.document[member].as_str().unwrap_or_default()
    }

    fn is_of(&self, stack: &str) -> bool {
        self.tags.get(STACK_TAG).is_some_and(|of| of == stack)
    }

    fn is_going(&self) -> bool {
        self.text("State") == "Deleting"
    }
}

/// Compares the mappings of a stack with those that are there. Those of functions that stay although the template has them no
/// longer stay with them.
pub(super) async fn plan(
    client: &Client,
    stack: &Stack,
    stack_name: &str,
    staying: &[String],
) -> Result<MappingPlan, ApplyError> {
    let mut plan = MappingPlan::default();
    let mut there = match listed(client).await {
        Ok(there) => there,
        Err(ClientError::Refused { status: StatusCode::NOT_IMPLEMENTED, .. }) => {
            plan.unsupported.extend(
                stack
                    .event_source_mappings
                    .iter()
                    .map(|wanted| finding(wanted, "this server has no event source mappings")),
            );
            return Ok(plan);
        }
        Err(error) => return Err(error.into()),
    };
    for wanted in &stack.event_source_mappings {
        let same = there.iter().position(|there| is_same(there, wanted));
        let moved = || there.iter().position(|there| is_moved(there, wanted, stack_name));
        let Some(at) = same.or_else(moved) else {
            plan.changes.push(new(wanted, stack_name, None));
            continue;
        };
        let mut found = there.swap_remove(at);
        if let Some(other) = found.tags.get(STACK_TAG).filter(|other| *other != stack_name) {
            let what =
                format!("{} is fed from {} by the stack `{other}`", function_of(wanted), source_of(wanted));
            plan.wrong.push(finding(wanted, &what));
            continue;
        }
        let uuid = found.text("UUID").to_owned();
        if found.is_going() {
            plan.changes.push(new(wanted, stack_name, Some(uuid)));
            continue;
        }
        // Only then it says whether it is enabled.
        match settled(client, &uuid, None).await? {
            Some(document) => found.document = document,
            None => {
                plan.changes.push(new(wanted, stack_name, None));
                continue;
            }
        }
        if let Some(what) = other_start(&found, wanted) {
            plan.wrong.push(finding(wanted, &what));
        }
        plan.changes.push(known(wanted, stack_name, &found));
    }
    for left in there.iter().filter(|there| there.is_of(stack_name) && !there.is_going()) {
        let function = left.text("FunctionArn").split(':').nth(6).unwrap_or_default();
        let stays = staying.iter().any(|staying| staying == function);
        plan.changes.push(MappingChange {
            action: if stays { Action::Leave } else { Action::Delete },
            source_arn: left.text("EventSourceArn").to_owned(),
            function_arn: left.text("FunctionArn").to_owned(),
            logical_id: String::new(),
            uuid: Some(left.text("UUID").to_owned()),
            arn: left.text("EventSourceMappingArn").to_owned(),
            to: Map::new(),
            from: Map::new(),
            tags: None,
            tags_before: left.tags.clone(),
            details: Vec::new(),
        });
    }
    Ok(plan)
}

impl MappingChange {
    /// The row that tells about it.
    pub(super) fn planned(&self) -> Planned {
        Planned {
            kind: "event source mapping",
            name: self.name(),
            logical_id: self.logical_id.clone(),
            action: self.action,
            details: self.details.clone(),
        }
    }

    /// What people call it.
    pub(super) fn name(&self) -> String {
        format!("{} -> {}", short_source(&self.source_arn), short_function(&self.function_arn))
    }

    pub(super) fn create(&self) -> Request {
        Request::new(Method::POST, PATH.to_owned(), Some(Value::Object(self.to.clone())))
    }

    /// The request that changes members, and the one that takes it back.
    pub(super) fn update(&self, uuid: &str) -> (Request, Request) {
        let update = |members: &Map<String, Value>| {
            Request::new(Method::PUT, path(uuid), Some(Value::Object(members.clone())))
        };
        (update(&self.to), update(&self.from))
    }
}

pub(super) fn path(uuid: &str) -> String {
    format!("{PATH}/{}", escape(uuid))
}

/// Returns the UUIDs of the mappings of a source and a function.
pub(super) async fn uuids(
    client: &Client,
    source_arn: &str,
    function_arn: &str,
) -> Result<Vec<String>, ClientError> {
    let query = format!("EventSourceArn={}&FunctionName={}", escape(source_arn), escape(function_arn));
    let found: Value = client.get(&format!("{PATH}?{query}")).await?;
    let of = |mapping: &Value| {
        let is_meant = mapping["FunctionArn"] == function_arn;
        mapping["UUID"].as_str().filter(|_| is_meant).map(str::to_owned)
    };
    Ok(found["EventSourceMappings"].as_array().into_iter().flatten().filter_map(of).collect())
}

/// Waits until a mapping is Enabled or Disabled, and returns it; or nothing when it is gone.
pub(super) async fn settled(
    client: &Client,
    uuid: &str,
    interrupted: Option<&AtomicBool>,
) -> Result<Option<Value>, ApplyError> {
    let started = Instant::now();
    let (mut pause, longest) = LOOK_PAUSES;
    loop {
        let Some(document) = optional(client, &path(uuid)).await? else { return Ok(None) };
        if matches!(document["State"].as_str(), Some("Enabled" | "Disabled")) {
            return Ok(Some(document));
        }
        if interrupted.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Err(ApplyError::Interrupted);
        }
        if started.elapsed() > SETTLE_LIMIT {
            return Err(ApplyError::Unsettled);
        }
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

async fn listed(client: &Client) -> Result<Vec<There>, ClientError> {
    let (mut all, mut marker) = (Vec::new(), String::new());
    loop {
        let page: Value = client.get(&format!("{PATH}{marker}")).await?;
        for document in page["EventSourceMappings"].as_array().into_iter().flatten() {
            let path = tags_path(document["EventSourceMappingArn"].as_str().unwrap_or_default());
            // Gone in the meantime: then it is none.
            let Some(tagged) = optional(client, &path).await? else { continue };
            all.push(There { document: document.clone(), tags: tags(&tagged) });
        }
        match page["NextMarker"].as_str().filter(|marker| !marker.is_empty()) {
            None => return Ok(all),
            Some(next) => marker = format!("?Marker={}", escape(next)),
        }
    }
}

fn is_same(there: &There, wanted: &EventSourceMapping) -> bool {
    there.text("EventSourceArn") == wanted.source_arn && there.text("FunctionArn") == wanted.function_arn
}

/// Whether it is the mapping of the same event, which led to another version or alias.
fn is_moved(there: &There, wanted: &EventSourceMapping, stack: &str) -> bool {
    there.is_of(stack)
        && !there.is_going()
        && there.tags.get(LOGICAL_ID_TAG) == Some(&wanted.place.logical_id)
        && there.text("EventSourceArn") == wanted.source_arn
}

/// A mapping that is to be made.
fn new(wanted: &EventSourceMapping, stack: &str, going: Option<String>) -> MappingChange {
    let defaults = wanted.defaults();
    let said = |(member, value): &(&String, &Value)| defaults.get(*member) != Some(value);
    let mut to: Map<String, Value> =
        wanted.request.iter().filter(said).map(|(member, value)| (member.clone(), value.clone())).collect();
    let mut details: Vec<String> = to.iter().map(|(member, value)| format!("{member} {value}")).collect();
    details.extend(wanted.starting.iter().map(|(member, value)| format!("{member} {value}")));
    to.extend(wanted.starting.clone());
    to.insert("EventSourceArn".to_owned(), wanted.source_arn.clone().into());
    to.insert("FunctionName".to_owned(), wanted.function_arn.clone().into());
    to.insert("Tags".to_owned(), json!(with_stack(&wanted.tags, stack, &wanted.place.logical_id)));
    MappingChange {
        action: Action::Create,
        source_arn: wanted.source_arn.clone(),
        function_arn: wanted.function_arn.clone(),
        logical_id: wanted.place.logical_id.clone(),
        uuid: going,
        arn: String::new(),
        to,
        from: Map::new(),
        tags: None,
        tags_before: BTreeMap::new(),
        details,
    }
}

/// A mapping that is there: what of it changes.
fn known(wanted: &EventSourceMapping, stack: &str, there: &There) -> MappingChange {
    let defaults = wanted.defaults();
    let (mut to, mut from) = (Map::new(), Map::new());
    for (member, value) in &wanted.request {
        let told = match member.as_str() {
            "Enabled" => json!(there.text("State") == "Enabled"),
            _ => there.document[member].clone(),
        };
        let is_default = without_nothing(&told).is_null();
        let told = if is_default { defaults.get(member).cloned().unwrap_or_default() } else { told };
        if without_nothing(&told) != without_nothing(value) {
            to.insert(member.clone(), value.clone());
            from.insert(member.clone(), told);
        }
    }
    if there.text("FunctionArn") != wanted.function_arn {
        to.insert("FunctionName".to_owned(), wanted.function_arn.clone().into());
        from.insert("FunctionName".to_owned(), there.text("FunctionArn").into());
    }
    let mut details = Vec::new();
    if !there.tags.contains_key(STACK_TAG) {
        details.push("taken over: no stack made it".to_owned());
    }
    details.extend(differences(&from, &to));
    let tags = tag_changes(&with_stack(&wanted.tags, stack, &wanted.place.logical_id), &there.tags);
    details.extend(tags.as_ref().map(tags_in_words));
    MappingChange {
        action: if details.is_empty() { Action::Keep } else { Action::Update },
        source_arn: wanted.source_arn.clone(),
        function_arn: wanted.function_arn.clone(),
        logical_id: wanted.place.logical_id.clone(),
        uuid: Some(there.text("UUID").to_owned()),
        arn: there.text("EventSourceMappingArn").to_owned(),
        to,
        from,
        tags,
        tags_before: there.tags.clone(),
        details,
    }
}

/// Says that a stream is to be read from elsewhere than it was, which can be said of new mappings alone.
fn other_start(there: &There, wanted: &EventSourceMapping) -> Option<String> {
    let is_other = |(member, value): (&String, &Value)| {
        let told = &there.document[member];
        // One says whole seconds, the other may not.
        told != value && (told.as_f64().is_none() || told.as_f64() != value.as_f64())
    };
    let (member, value) = wanted.starting.iter().find(|entry| is_other(*entry))?;
    Some(format!(
        "`{member}` is {} and cannot become {value}: a stream is read on from where it is; to begin anew, deploy once without \
         this mapping",
        there.document[member]
    ))
}

fn finding(wanted: &EventSourceMapping, what: &str) -> Finding {
    Finding { line: wanted.place.line, message: format!("`{}`: {what}", wanted.place.logical_id) }
}

fn source_of(wanted: &EventSourceMapping) -> &str {
    short_source(&wanted.source_arn)
}

fn function_of(wanted: &EventSourceMapping) -> &str {
    short_function(&wanted.function_arn)
}

/// The name of a queue, a stream or a table in an ARN.
fn short_source(arn: &str) -> &str {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    resource.split('/').nth(1).unwrap_or(resource)
}

/// The name of a function in an ARN, with its qualifier.
fn short_function(arn: &str) -> &str {
    arn.splitn(7, ':').nth(6).unwrap_or(arn)
}
