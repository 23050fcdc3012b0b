//! What has to change so that the server has what the template says. Compares; asks nobody, changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hearth_deploy::{Finding, Function, Layer};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::server::{Companion, Found, Known, STACK_TAG};

/// The tag with the name of the resource in its template.
pub(super) const LOGICAL_ID_TAG: &str = "hearth:logical-id";

/// What is done about one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Update,
    Keep,
    Delete,
    /// It is of the stack, and the template has it no longer; nobody asked to delete it.
    Leave,
}

impl Action {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Keep => "no change",
            Self::Delete => "delete",
            Self::Leave => "not in the template",
        }
    }
}

/// One change of a function, in the order in which they are made.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    Create,
    Code {
        architectures: Option<Value>,
    },
    /// The members that change, as they are to be and as they are.
    Configuration {
        to: Map<String, Value>,
        from: Map<String, Value>,
    },
    Tags {
        set: BTreeMap<String, String>,
        remove: Vec<String>,
    },
    Companion {
        companion: Companion,
        to: Option<Map<String, Value>>,
        from: Option<Map<String, Value>>,
    },
    /// A version is published, and the alias leads to it.
    Publish,
}

/// Returns SHA-256 as Lambda shows it.
pub(super) fn code_sha256(zip: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(zip))
}

/// Says what differs between a layer and a version of it; nothing is no difference.
pub(super) fn layer_changes(layer: &Layer, sha256: &str, version: Option<&Value>) -> Vec<String> {
    let Some(version) = version else { return vec!["first version".to_owned()] };
    let mut details = Vec::new();
    if version["Content"]["CodeSha256"] != sha256 {
        details.push("content".to_owned());
    }
    for member in ["Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo"] {
        let empty = |value: &Value| match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        let (to, from) = (layer.request.get(member).unwrap_or(&Value::Null), &version[member]);
        if to != from && !(empty(to) && empty(from)) {
            details.push(member.to_owned());
        }
    }
    details
}

/// Returns the tags that a function is to have: the template's, and which stack it is of.
pub(super) fn tags(function: &Function, stack: &str) -> BTreeMap<String, String> {
    with_stack(&function.tags, stack, &function.place.logical_id)
}

/// Adds to tags those that say which resource of which stack something is.
pub(super) fn with_stack(
    tags: &BTreeMap<String, String>,
    stack: &str,
    logical_id: &str,
) -> BTreeMap<String, String> {
    let mut tags = tags.clone();
    tags.insert(STACK_TAG.to_owned(), stack.to_owned());
    tags.insert(LOGICAL_ID_TAG.to_owned(), logical_id.to_owned());
    tags
}

/// Names a function that is to be durable and is not, or the other way: it is said when a function is made, or never.
pub(super) fn durable_or_not(function: &Function, known: &Known) -> Option<Finding> {
    let there = known.function.as_ref()?;
    let (wanted, is) =
        (function.request.contains_key("DurableConfig"), there.configuration["DurableConfig"].is_object());
    let name = &function.name;
    let what = match (wanted, is) {
        (true, false) => "is not durable, and the template has `DurableConfig`",
        (false, true) => "is durable, and the template has no `DurableConfig`",
        _ => return None,
    };
    let message = format!(
        "function `{name}` {what}: that is decided when a function is created; delete it first, or give it another name"
    );
    Some(Finding { line: function.place.line, message })
}

/// Tags that are set, and those that go.
pub(super) type TagChanges = (BTreeMap<String, String>, Vec<String>);

/// Says how tags change, if they do.
pub(super) fn tag_changes(
    to: &BTreeMap<String, String>,
    from: &BTreeMap<String, String>,
) -> Option<TagChanges> {
    let set: BTreeMap<String, String> = to
        .iter()
        .filter(|(key, value)| from.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let remove: Vec<String> = from.keys().filter(|key| !to.contains_key(*key)).cloned().collect();
    (!set.is_empty() || !remove.is_empty()).then_some((set, remove))
}

/// Says the same in words.
pub(super) fn tags_in_words((set, remove): &TagChanges) -> String {
    let names: BTreeSet<&str> = set.keys().chain(remove).map(String::as_str).collect();
    format!("tags {}", names.into_iter().collect::<Vec<_>>().join(", "))
}

/// Returns what a function is to have beside its configuration, with its line in the template.
pub(super) fn wanted(function: &Function, companion: Companion) -> Option<(usize, Map<String, Value>)> {
    let one =
        |(line, value): (usize, Value), member: &str| (line, Map::from_iter([(member.to_owned(), value)]));
    match companion {
        Companion::ReservedConcurrency => function
            .reserved_concurrency
            .map(|(line, number)| one((line, number.into()), "ReservedConcurrentExecutions")),
        Companion::EventInvokeConfig => {
            let (line, config) = function.event_invoke_config.clone()?;
            (!config.is_empty()).then_some((line, config))
        }
        Companion::ProvisionedConcurrency => function
            .provisioned_concurrency
            .map(|(line, number)| one((line, number.into()), "ProvisionedConcurrentExecutions")),
        Companion::RecursionConfig => {
            let (line, word) = function.recursive_loop.clone()?;
            Some(one((line, word.into()), "RecursiveLoop"))
        }
        Companion::Url => {
            let url = function.url.clone()?;
            let mut request = url.request;
            request.entry("InvokeMode").or_insert_with(|| "BUFFERED".into());
            Some((url.line, request))
        }
    }
}

/// Names what the template asks for and the server does not implement.
pub(super) fn not_implemented(function: &Function, known: &Known) -> Vec<Finding> {
    let asked = known.companions.iter().filter(|(_, found)| **found == Found::NotImplemented);
    asked
        .filter_map(|(companion, _)| {
            let (line, _) = wanted(function, *companion)?;
            let (id, property) = (&function.place.logical_id, companion.property());
            let message = format!("`{id}`: this server does not implement `{property}`");
            Some(Finding { line, message })
        })
        .collect()
}

/// Says what has to change of a function, and the same in words.
pub(super) fn function_changes(
    function: &Function,
    sha256: &str,
    stack: &str,
    known: &Known,
) -> (Vec<Change>, Vec<String>) {
    let (mut changes, mut details) = (Vec::new(), Vec::new());
    let is_new = known.function.is_none();
    let mut is_changed = is_new;
    if let Some(there) = &known.function {
        if !there.tags.contains_key(STACK_TAG) {
            details.push("taken over: no stack made it".to_owned());
        }
        let architectures = function.request.get("Architectures");
        let architectures =
            architectures.filter(|architectures| **architectures != there.configuration["Architectures"]);
        if there.configuration["CodeSha256"] != sha256 || architectures.is_some() {
            changes.push(Change::Code { architectures: architectures.cloned() });
            details.push("code".to_owned());
        }
        let (to, from) = configuration_changes(&function.request, &there.configuration);
        if !to.is_empty() {
            details.extend(to.iter().map(|(member, value)| in_words(member, &from[member], value)));
            changes.push(Change::Configuration { to, from });
        }
        is_changed = !changes.is_empty();
        if let Some(tags) = tag_changes(&tags(function, stack), &there.tags) {
            details.push(tags_in_words(&tags));
            let (set, remove) = tags;
            changes.push(Change::Tags { set, remove });
        }
    } else {
        changes.push(Change::Create);
    }
    if let Some(alias) = &function.alias {
        let there = known.function.as_ref().and_then(|there| there.alias.as_ref());
        // Also when somebody has moved it by hand, or a version was never published.
        let leads_elsewhere = there.is_none_or(|(there, version)| {
            version["CodeSha256"] != sha256
                || !configuration_changes(&function.request, version).0.is_empty()
                || there["RoutingConfig"]["AdditionalVersionWeights"]
                    .as_object()
                    .is_some_and(|weights| !weights.is_empty())
        });
        if is_changed || leads_elsewhere {
            changes.push(Change::Publish);
            details.push(format!("a version for alias {}", alias.name));
        }
    }
    for companion in Companion::ALL {
        let to = wanted(function, companion).map(|(_, members)| members);
        let from = match known.companions.get(&companion) {
            Some(Found::There(members)) => Some(members.clone()),
            _ => None,
        };
        if is_same(companion, to.as_ref(), from.as_ref()) {
            continue;
        }
        details.push(match &to {
            Some(to) => format!("{} {}", companion.property(), short(to)),
            None => format!("no {}", companion.property()),
        });
        changes.push(Change::Companion { companion, to, from });
    }
    (changes, details)
}

fn is_same(companion: Companion, to: Option<&Map<String, Value>>, from: Option<&Map<String, Value>>) -> bool {
    let Some(to) = to else {
        // The default is said of every function.
        return from.is_none()
            || (companion == Companion::RecursionConfig
                && from.is_none_or(|from| from.get("RecursiveLoop") == Some(&json!("Terminate"))));
    };
    let mut from = from.cloned().unwrap_or_default();
    if companion == Companion::EventInvokeConfig {
        // A request that leaves them out gets them.
        for (member, default) in [("MaximumEventAgeInSeconds", 21_600), ("MaximumRetryAttempts", 2)] {
            if !to.contains_key(member) && from.get(member).is_some_and(|value| *value == default) {
                from.remove(member);
            }
        }
    }
    *to == from
}

fn short(members: &Map<String, Value>) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let values: Vec<String> = members.values().map(text).collect();
    values.join(" ")
}

/// Returns the members of a configuration that differ, as they are to be and as they are.
fn configuration_changes(to: &Map<String, Value>, there: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let (mut changed, mut before) = (Map::new(), Map::new());
    for (member, value) in to {
        // What names it; and what comes with its code.
        if matches!(member.as_str(), "FunctionName" | "Architectures") {
            continue;
        }
        let from = as_requested(member, &there[member], value);
        if from != *value {
            changed.insert(member.clone(), value.clone());
            before.insert(member.clone(), from);
        }
    }
    (changed, before)
}

/// Turns a member of an answer into what a request would have said for it, instead of `wanted`.
fn as_requested(member: &str, told: &Value, wanted: &Value) -> Value {
    match member {
        "VpcConfig" => json!({
            "SubnetIds": told["SubnetIds"].as_array().cloned().unwrap_or_default(),
            "SecurityGroupIds": told["SecurityGroupIds"].as_array().cloned().unwrap_or_default(),
            "Ipv6AllowedForDualStack": told["Ipv6AllowedForDualStack"].as_bool().unwrap_or_default(),
        }),
        "FileSystemConfigs" => {
            let systems = told.as_array().into_iter().flatten().map(without_nulls);
            Value::Array(systems.collect())
        }
        "SnapStart" => json!({ "ApplyOn": told["ApplyOn"].as_str().unwrap_or("None") }),
        // What is not said stays as it is.
        "DurableConfig" => {
            let members = wanted.as_object().into_iter().flatten();
            Value::Object(members.map(|(name, _)| (name.clone(), told[name].clone())).collect())
        }
        "Layers" => {
            let arns = told.as_array().into_iter().flatten().map(|layer| layer["Arn"].clone());
            Value::Array(arns.collect())
        }
        "Environment" => {
            let variables = told["Variables"].as_object().cloned().unwrap_or_default();
            json!({ "Variables": variables })
        }
        "KMSKeyArn" => json!(told.as_str().unwrap_or_default()),
        "DeadLetterConfig" => json!({ "TargetArn": told["TargetArn"].as_str().unwrap_or_default() }),
        "LoggingConfig" => without_nulls(told),
        _ => told.clone(),
    }
}

fn without_nulls(value: &Value) -> Value {
    let members = value.as_object().into_iter().flatten();
    Value::Object(
        members.filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect(),
    )
}

/// Says how a member changes. Of variables only their names: their values may be secrets.
fn in_words(member: &str, from: &Value, to: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if member == "Environment" {
        let empty = Map::new();
        let [from, to] = [from, to].map(|value| value["Variables"].as_object().unwrap_or(&empty));
        let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
        let changed = names.into_iter().filter(|name| from.get(*name) != to.get(*name));
        let changed = changed.map(|name| match (from.get(name), to.get(name)) {
            (None, _) => format!("+{name}"),
            (_, None) => format!("-{name}"),
            _ => name.clone(),
        });
        return format!("variables {}", changed.collect::<Vec<_>>().join(" "));
    }
    // An object of one member is as good as its member.
    let inner = |value: &Value| match value.as_object() {
        Some(members) if members.len() == 1 => members.values().next().map(text).unwrap_or_default(),
        _ => text(value),
    };
    format!("{member} {} -> {}", inner(from), inner(to))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};
    use hearth_deploy::{Surroundings, Template};

    use super::super::server::KnownFunction;
    use super::*;

    const SHA256: &str = "the hash";

    fn function(properties: &str) -> Function {
        let properties = properties.replace('\n', "\n      ");
        let template = format!(
            "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Runtime: python3.11\n      \
             Handler: app.handler\n      CodeUri: src\n      FunctionName: f\n      {properties}\n"
        );
        let surroundings = Surroundings {
            stack_name: "shop".to_owned(),
            account: "000000000000".to_owned(),
            ..Surroundings::default()
        };
        Template::read(&template).unwrap().resolve(&surroundings).unwrap().functions.remove(0)
    }

    /// What a server says that has the function as `properties` say.
    fn there(properties: &str) -> Known {
        let function = function(properties);
        let mut configuration = Value::Object(function.request.clone());
        configuration["CodeSha256"] = SHA256.into();
        let arns = configuration["Layers"].as_array().unwrap().iter();
        configuration["Layers"] = arns.map(|arn| json!({ "Arn": arn, "CodeSize": 1 })).collect();
        let alias = function
            .alias
            .as_ref()
            .map(|alias| (json!({ "Name": alias.name, "FunctionVersion": "1" }), configuration.clone()));
        let companions = Companion::ALL.map(|companion| {
            let found = wanted(&function, companion);
            (companion, found.map_or(Found::Nothing, |(_, members)| Found::There(members)))
        });
        Known {
            function: Some(KnownFunction {
                tags: tags(&function, "shop"),
                configuration,
                code_location: String::new(),
                alias,
            }),
            companions: companions.into(),
        }
    }

    #[track_caller]
    fn check(from: &str, to: &str, wanted: Expect) {
        let (changes, details) = function_changes(&function(to), SHA256, "shop", &there(from));
        let mut text = format!("{}\n", details.join(", "));
        for change in changes {
            let name = match change {
                Change::Create => "create".to_owned(),
                Change::Code { .. } => "code".to_owned(),
                Change::Configuration { to, from } => {
                    format!("configuration {} <- {}", json!(to), json!(from))
                }
                Change::Tags { set, remove } => format!("tags {set:?} {remove:?}"),
                Change::Companion { companion, to, from } => {
                    format!("{companion:?} {} <- {}", json!(to), json!(from))
                }
                Change::Publish => "publish".to_owned(),
            };
            writeln!(text, "{name}").unwrap();
        }
        wanted.assert_eq(&text);
    }

    #[test]
    fn what_is_there_is_no_change() {
        for properties in [
            "",
            "MemorySize: 512\nLayers: [a, b]\nEnvironment: {Variables: {A: 1}}\nTags: {team: web}",
            "AutoPublishAlias: live\nProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 2}",
            "ReservedConcurrentExecutions: 0\nRecursiveLoop: Allow\nLoggingConfig: {LogFormat: JSON}",
            "EventInvokeConfig: {MaximumRetryAttempts: 0}\nDeadLetterQueue: {Type: SQS, TargetArn: arn}",
            "FunctionUrlConfig: {AuthType: NONE, Cors: {AllowOrigins: ['*'], MaxAge: 5}}",
            "VpcConfig: {SubnetIds: [a], SecurityGroupIds: [b]}\nSnapStart: {ApplyOn: PublishedVersions}",
            "FileSystemConfigs: [{Arn: a, LocalMountPath: /mnt/a}]\nDurableConfig: {ExecutionTimeout: 60}",
        ] {
            let (changes, details) =
                function_changes(&function(properties), SHA256, "shop", &there(properties));
            assert_eq!((changes, details), (vec![], vec![]), "{properties}");
        }
    }

    #[test]
    fn every_difference_is_a_change_and_can_be_taken_back() {
        check(
            "",
            "MemorySize: 512\nLayers: [a]",
            expect![[r#"
            Layers [] -> ["a"], MemorySize 128 -> 512
            configuration {"Layers":["a"],"MemorySize":512} <- {"Layers":[],"MemorySize":128}
        "#]],
        );
        check(
            "Environment: {Variables: {SAME: 1, GONE: 1, CHANGED: 1}}\nTags: {old: a, same: b}",
            "Environment: {Variables: {SAME: 1, NEW: secret, CHANGED: 2}}\nTags: {new: a, same: b}",
            expect![[r#"
                variables CHANGED -GONE +NEW, tags new, old
                configuration {"Environment":{"Variables":{"CHANGED":"2","NEW":"secret","SAME":"1"}}} <- {"Environment":{"Variables":{"CHANGED":"1","GONE":"1","SAME":"1"}}}
                tags {"new": "a"} ["old"]
            "#]],
        );
        check(
            "AutoPublishAlias: live",
            "AutoPublishAlias: live\nTimeout: 9",
            expect![[r#"
            Timeout 3 -> 9, a version for alias live
            configuration {"Timeout":9} <- {"Timeout":3}
            publish
        "#]],
        );
        check(
            "",
            "AutoPublishAlias: live",
            expect![[r#"
            a version for alias live
            publish
        "#]],
        );
        check(
            "ReservedConcurrentExecutions: 5\nEventInvokeConfig: {MaximumRetryAttempts: 0}\nRecursiveLoop: Allow",
            "ReservedConcurrentExecutions: 6\nFunctionUrlConfig: {AuthType: NONE}",
            expect![[r#"
                ReservedConcurrentExecutions 6, no RecursiveLoop, no EventInvokeConfig, FunctionUrlConfig NONE BUFFERED
                ReservedConcurrency {"ReservedConcurrentExecutions":6} <- {"ReservedConcurrentExecutions":5}
                RecursionConfig null <- {"RecursiveLoop":"Allow"}
                EventInvokeConfig null <- {"MaximumRetryAttempts":0}
                Url {"AuthType":"NONE","InvokeMode":"BUFFERED"} <- null
            "#]],
        );
    }

    #[test]
    fn what_is_kept_of_a_function_is_compared_as_the_server_shows_it() {
        let mut known = there("DurableConfig: {ExecutionTimeout: 60, RetentionPeriodInDays: 1}");
        let configuration = &mut known.function.as_mut().unwrap().configuration;
        // As of a function that has nothing of it; and a member that nobody asked for.
        configuration["VpcConfig"].take();
        configuration["FileSystemConfigs"].take();
        configuration["SnapStart"] = json!({ "ApplyOn": "None", "OptimizationStatus": "Off" });
        configuration["DurableConfig"]["KMSKeyArn"] = "arn".into();
        let same = function("DurableConfig: {RetentionPeriodInDays: 1}");
        assert_eq!(function_changes(&same, SHA256, "shop", &known).0, vec![]);
        assert_eq!(durable_or_not(&same, &known), None);
        let not_durable = durable_or_not(&function(""), &known).unwrap();
        assert!(not_durable.message.starts_with("function `f` is durable, and"), "{not_durable}");
        let durable = durable_or_not(&same, &there("")).unwrap();
        assert!(durable.message.starts_with("function `f` is not durable, and"), "{durable}");
        check(
            "VpcConfig: {SubnetIds: [a], SecurityGroupIds: [b]}",
            "SnapStart: {ApplyOn: PublishedVersions}",
            expect![[r#"
                SnapStart None -> PublishedVersions, VpcConfig {"Ipv6AllowedForDualStack":false,"SecurityGroupIds":["b"],"SubnetIds":["a"]} -> {"Ipv6AllowedForDualStack":false,"SecurityGroupIds":[],"SubnetIds":[]}
                configuration {"SnapStart":{"ApplyOn":"PublishedVersions"},"VpcConfig":{"Ipv6AllowedForDualStack":false,"SecurityGroupIds":[],"SubnetIds":[]}} <- {"SnapStart":{"ApplyOn":"None"},"VpcConfig":{"Ipv6AllowedForDualStack":false,"SecurityGroupIds":["b"],"SubnetIds":["a"]}}
            "#]],
        );
    }

    #[test]
    fn what_a_server_does_not_implement_is_told_only_if_it_is_asked_for() {
        let mut known = there("");
        for found in known.companions.values_mut() {
            *found = Found::NotImplemented;
        }
        assert_eq!(not_implemented(&function(""), &known), vec![]);
        let asking = function("ReservedConcurrentExecutions: 5\nFunctionUrlConfig:\n  AuthType: NONE");
        let told: Vec<String> = not_implemented(&asking, &known).iter().map(Finding::to_string).collect();
        assert_eq!(
            told,
            [
                "line 9: `F`: this server does not implement `ReservedConcurrentExecutions`",
                "line 10: `F`: this server does not implement `FunctionUrlConfig`",
            ]
        );
    }
}
