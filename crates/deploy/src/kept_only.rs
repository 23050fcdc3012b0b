//! `VpcConfig`, `FileSystemConfigs`, `SnapStart` and `DurableConfig` of a function, as requests say them. The server keeps and
//! shows the first three without any effect, which is noted, but for SnapStart of Python functions.

use serde_json::{Map, Value, json};

use crate::finding::Finding;
use crate::properties::{Properties, request_value};
use crate::stack::Stack;
use crate::yaml::Node;

/// How long executions are kept when nobody says, in days. Source: Lambda Developer Guide, "Configure Lambda durable functions",
/// read 2026-11.
const RETENTION_DAYS_DEFAULT: u64 = 14;

/// Takes them into a request.
pub(crate) fn take(
    properties: &mut Properties<'_>,
    logical_id: &str,
    stack: &mut Stack,
    request: &mut Map<String, Value>,
) {
    let mut note = |line, member: &str| {
        let message =
            format!("`{logical_id}`: the server keeps and shows `{member}`, which has no effect on it");
        stack.notes.push(Finding::new(line, message));
    };
    let mut vpc = json!({ "SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": false });
    let members = ["SubnetIds", "SecurityGroupIds", "Ipv6AllowedForDualStack"];
    if let Some((line, given)) = map(properties, "VpcConfig", &members)
        && let Some(known) = vpc.as_object_mut()
    {
        known.extend(given);
        if known["SubnetIds"] != json!([]) {
            note(line, "VpcConfig");
        }
    }
    request.insert("VpcConfig".to_owned(), vpc);

    let systems = properties.take("FileSystemConfigs");
    if let Some(node) = &systems {
        if node.list().is_none() {
            properties.wrong(node.line, "`FileSystemConfigs` has to be a list");
        }
        note(node.line, "FileSystemConfigs");
    }
    let systems = systems.map_or_else(|| json!([]), |node| request_value(&node, &[], &[]));
    request.insert("FileSystemConfigs".to_owned(), systems);

    let mut snap_start = json!({ "ApplyOn": "None" });
    if let Some((line, given)) = map(properties, "SnapStart", &["ApplyOn"])
        && let Some(known) = snap_start.as_object_mut()
    {
        known.extend(given);
        // Python functions begin from snapshots.
        let runtime = request.get("Runtime").and_then(Value::as_str).unwrap_or_default();
        if known["ApplyOn"] != "None" && !runtime.starts_with("python") {
            note(line, "SnapStart");
        }
    }
    request.insert("SnapStart".to_owned(), snap_start);

    let members = ["ExecutionTimeout", "RetentionPeriodInDays", "KMSKeyArn"];
    if let Some((_, mut given)) = map(properties, "DurableConfig", &members) {
        given.entry("RetentionPeriodInDays").or_insert_with(|| RETENTION_DAYS_DEFAULT.into());
        request.insert("DurableConfig".to_owned(), given.into());
    }
}

/// Takes a map that has no other members than these.
fn map(
    properties: &mut Properties<'_>,
    property: &str,
    members: &[&str],
) -> Option<(usize, Map<String, Value>)> {
    let node: Node = properties.map(property)?;
    for (name, value) in node.map().unwrap_or_default() {
        if !members.contains(&name.as_str()) {
            properties.wrong(value.line, format!("`{property}` has no member `{name}`"));
        }
    }
    let numbers = ["ExecutionTimeout", "RetentionPeriodInDays"];
    let mut given = match request_value(&node, &numbers, &["Ipv6AllowedForDualStack"]) {
        Value::Object(given) => given,
        _ => return None,
    };
    given.retain(|_, value| !value.is_null());
    for number in numbers {
        if given.get(number).is_some_and(|value| !value.is_u64()) {
            properties.wrong(node.line, format!("`{number}` has to be a whole number"));
        }
    }
    Some((node.line, given))
}
