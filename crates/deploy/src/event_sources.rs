//! Queues and streams that functions are fed from: events of type `SQS`, `Kinesis` and `DynamoDB`, and
//! `AWS::Lambda::EventSourceMapping`.
//!
//! All become event source mappings. Sources that Hearth does not poll are told as unsupported.

use serde_json::{Map, Value, json};

use crate::finding::Finding;
use crate::intrinsics::Scope;
use crate::properties::{Properties, request_value};
use crate::resources;
use crate::schedules::Called;
use crate::serverless;
use crate::stack::{EventSourceMapping, Place, Stack};
use crate::yaml::{Kind, Node};

const NUMBERS: &[&str] = &[
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "MaximumConcurrency",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "StartingPositionTimestamp",
    "TumblingWindowInSeconds",
];
const BOOLEANS: &[&str] = &["BisectBatchOnFunctionError", "Enabled"];

/// Members of mappings that are not built. The server would refuse them.
const UNSUPPORTED: &[&str] = &[
    "AmazonManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "KmsKeyArn",
    "LoggingConfig",
    "MetricsConfig",
    "ProvisionedPollerConfig",
    "Queues",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "Topics",
];

/// Returns the members that the mapping of a source has, with what they are when nobody says. Source: CreateEventSourceMapping
/// in the Lambda API reference, read 2026-11.
pub(crate) fn defaults(source_arn: &str) -> Map<String, Value> {
    let defaults = if is_queue(source_arn) {
        json!({
            "BatchSize": 10,
            "Enabled": true,
            "FilterCriteria": {},
            "FunctionResponseTypes": [],
            "MaximumBatchingWindowInSeconds": 0,
            "ScalingConfig": {},
        })
    } else {
        json!({
            "BatchSize": 100,
            "BisectBatchOnFunctionError": false,
            "DestinationConfig": { "OnFailure": {} },
            "Enabled": true,
            "FilterCriteria": {},
            "FunctionResponseTypes": [],
            "MaximumBatchingWindowInSeconds": 0,
            "MaximumRecordAgeInSeconds": -1,
            "MaximumRetryAttempts": -1,
            "ParallelizationFactor": 1,
            "TumblingWindowInSeconds": 0,
        })
    };
    match defaults {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The service in an ARN.
fn service(arn: &str) -> &str {
    arn.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(1)).unwrap_or_default()
}

fn is_queue(source_arn: &str) -> bool {
    service(source_arn) == "sqs"
}

/// Takes one event of a function. Returns whether it is a queue or a stream.
pub(crate) fn event(
    called: &Called<'_>,
    (event_name, event): (&str, &Node),
    stack: &mut Stack,
    findings: &mut Vec<Finding>,
) -> bool {
    let member = match event.get("Type").and_then(Node::text) {
        Some("SQS") => "Queue",
        Some("Kinesis" | "DynamoDB") => "Stream",
        _ => return false,
    };
    let mut properties = Properties::new(event.get("Properties").cloned(), findings);
    let logical_id = format!("{}{event_name}", called.logical_id);
    let place = Place { logical_id, line: event.line };
    let source = source(member, &place, &mut properties, &mut stack.unsupported);
    let function_arn = called.arn.clone();
    stack.event_source_mappings.extend(
        source.map(|source| mapping(place, function_arn, source, &mut properties, &mut stack.unsupported)),
    );
    for (name, node) in properties.rest() {
        properties.wrong(node.line, format!("the event `{event_name}` has no property `{name}`"));
    }
    true
}

/// Takes an `AWS::Lambda::EventSourceMapping`.
pub(crate) fn resource(scope: &Scope<'_>, place: Place, mut properties: Properties<'_>, stack: &mut Stack) {
    let logical_id = place.logical_id.clone();
    let Some((_, function)) = properties.text("FunctionName") else {
        properties.wrong(place.line, format!("`{logical_id}` has no `FunctionName`"));
        return;
    };
    // A name, a partial ARN or an ARN, each with or without a qualifier.
    let function_arn = match function.split_once(":function:") {
        Some(_) if function.starts_with("arn:") => function,
        Some((_, name)) => resources::function_arn(scope, name),
        None => resources::function_arn(scope, &function),
    };
    let tags = serverless::tags(&mut properties, false);
    // Instead of an ARN.
    if let Some(node) = properties.take("SelfManagedEventSource") {
        let message = format!("`{logical_id}`: `SelfManagedEventSource` is not built");
        stack.unsupported.push(Finding::new(node.line, message));
        return;
    }
    if let Some(source) = source("EventSourceArn", &place, &mut properties, &mut stack.unsupported) {
        let mapping = mapping(place, function_arn, source, &mut properties, &mut stack.unsupported);
        stack.event_source_mappings.push(EventSourceMapping { tags, ..mapping });
    }
    serverless::unknown(&mut properties, &logical_id);
}

/// Takes the ARN of a source. Without one that is polled, its other properties are taken with it.
fn source(
    member: &str,
    place: &Place,
    properties: &mut Properties<'_>,
    unsupported: &mut Vec<Finding>,
) -> Option<String> {
    let logical_id = &place.logical_id;
    let Some((line, arn)) = properties.text(member) else {
        properties.rest();
        properties.wrong(place.line, format!("`{logical_id}` has no `{member}`"));
        return None;
    };
    match service(&arn) {
        "sqs" | "kinesis" | "dynamodb" => return Some(arn),
        "" => properties.wrong(line, format!("`{member}` has to be the ARN of a source, not `{arn}`")),
        other => {
            let message = format!("`{logical_id}`: a source of {other} is not built");
            unsupported.push(Finding::new(line, message));
        }
    }
    properties.rest();
    None
}

/// Takes the rest of a mapping, which is the same everywhere.
fn mapping(
    place: Place,
    function_arn: String,
    source_arn: String,
    properties: &mut Properties<'_>,
    unsupported: &mut Vec<Finding>,
) -> EventSourceMapping {
    for member in UNSUPPORTED {
        if let Some(node) = properties.take(member) {
            let message = format!("`{}`: `{member}` is not built", place.logical_id);
            unsupported.push(Finding::new(node.line, message));
        }
    }
    let mut request = defaults(&source_arn);
    for (member, default) in &mut request {
        let Some(node) = properties.take(member) else { continue };
        let line = node.line;
        let mut value = member_value(member, node);
        if member == "DestinationConfig"
            && let Some(on_failure) = value["OnFailure"].as_object_mut()
        {
            // SAM's own word, for policies that it makes.
            on_failure.remove("Type");
        }
        let wanted = match default {
            Value::Number(_) if !value.is_i64() => "a whole number",
            Value::Bool(_) if !value.is_boolean() => "true or false",
            Value::Array(_) if !value.is_array() => "a list",
            Value::Object(_) if !value.is_object() => "a map",
            _ => {
                *default = value;
                continue;
            }
        };
        properties.wrong(line, format!("`{member}` has to be {wanted}"));
    }
    let mut starting = Map::new();
    if !is_queue(&source_arn) {
        for member in ["StartingPosition", "StartingPositionTimestamp"] {
            if let Some(node) = properties.take(member) {
                starting.insert(member.to_owned(), member_value(member, node));
            }
        }
        if !starting.contains_key("StartingPosition") {
            let message = format!("`{}` has no `StartingPosition`", place.logical_id);
            properties.wrong(place.line, message);
        }
    }
    EventSourceMapping { place, function_arn, source_arn, starting, request, tags: Default::default() }
}

fn member_value(member: &str, node: Node) -> Value {
    let entry = Node { line: node.line, kind: Kind::Map(vec![(member.to_owned(), node)]) };
    request_value(&entry, NUMBERS, BOOLEANS)[member].take()
}
