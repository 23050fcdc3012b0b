//! Resources: which types there are, and what their properties are in the Lambda API.
//!
//! A property is taken, told as unsupported, told as without effect, or refused as unknown. None is passed over.

use serde_json::{Map, Value, json};

use crate::finding::Finding;
use crate::globals::merged;
use crate::intrinsics::Scope;
use crate::properties::{Properties, request_value};
use crate::resources;

use crate::schedules::{self, Called};
use crate::stack::{Alias, Code, Function, Layer, Place, Stack, Url};
use crate::yaml::Node;
use crate::{event_sources, kept_only};

/// Properties of `AWS::Serverless::Function` that have no effect, because Hearth asks no policy what a function may do, or
/// deploys all at once.
const NO_EFFECT: &[&str] = &[
    "AssumeRolePolicyDocument",
    "AutoPublishAliasAllProperties",
    "AutoPublishCodeSha256",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "PublishToLatestPublished",
    "RolePath",
];
/// Properties that change what a function does, or who reaches it, and are not built.
const UNSUPPORTED: &[&str] = &[
    "CapacityProviderConfig",
    "CodeSigningConfigArn",
    "DeploymentPreference",
    "FunctionScalingConfig",
    "ImageConfig",
    "ImageUri",
    "RuntimeManagementConfig",
    "SourceKMSKeyArn",
    "TenancyConfig",
    "VersionDeletionPolicy",
];
/// Resources that Hearth needs not: they are there by themselves, or nobody asks for them.
const TYPES_WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("AWS::IAM::Role", "functions may call Hearth's own API as the server's `function_rights` say"),
    ("AWS::IAM::Policy", "functions may call Hearth's own API as the server's `function_rights` say"),
    ("AWS::IAM::ManagedPolicy", "functions may call Hearth's own API as the server's `function_rights` say"),
    (
        "AWS::Logs::LogGroup",
        "log groups come with their first line, and are kept as long as the server is set to",
    ),
    ("AWS::CDK::Metadata", "nobody reads it"),
];

/// Adds what a resource asks for.
pub(crate) fn add(
    scope: &Scope<'_>,
    logical_id: &str,
    resource: &Node,
    stack: &mut Stack,
    findings: &mut Vec<Finding>,
) {
    let kind = resource.get("Type").and_then(Node::text).unwrap_or_default();
    let line = resource.get("Type").map_or(resource.line, |node| node.line);
    let place = Place { logical_id: logical_id.to_owned(), line };
    if let Some((_, why)) = TYPES_WITHOUT_EFFECT.iter().find(|(known, _)| *known == kind) {
        stack.notes.push(Finding::new(line, format!("`{logical_id}` ({kind}) has no effect: {why}")));
        return;
    }
    // What rules and schedules need on AWS. Who else may call is another matter.
    let principal = resource.get("Properties").and_then(|properties| properties.get("Principal")?.text());
    if kind == "AWS::Lambda::Permission"
        && matches!(principal, Some("events.amazonaws.com" | "scheduler.amazonaws.com"))
    {
        let message = format!("`{logical_id}` ({kind}) has no effect: schedules need no permission");
        stack.notes.push(Finding::new(line, message));
        return;
    }
    let global = match kind {
        "AWS::Serverless::Function" => scope.globals.and_then(|globals| globals.get("Function")),
        "AWS::Serverless::LayerVersion" => scope.globals.and_then(|globals| globals.get("LayerVersion")),
        "AWS::Lambda::Function" | "AWS::Lambda::LayerVersion" => None,
        "AWS::Scheduler::Schedule" | "AWS::Events::Rule" | "AWS::Lambda::EventSourceMapping" => None,
        _ => {
            stack.unsupported.push(Finding::new(line, format!("`{logical_id}`: {kind} is not built")));
            return;
        }
    };
    check_attributes(logical_id, resource, stack, findings);
    let properties = match merged(scope, global, resource.get("Properties")) {
        Ok(properties) => properties,
        Err(more) => {
            findings.extend(more);
            return;
        }
    };
    if kind == "AWS::Lambda::EventSourceMapping" {
        event_sources::resource(scope, place, Properties::new(properties, findings), stack);
        return;
    }
    let name = match resources::name(scope, logical_id, resource) {
        Ok(name) => name,
        Err(finding) => {
            findings.push(finding);
            return;
        }
    };
    let properties = Properties::new(properties, findings);
    if kind == "AWS::Scheduler::Schedule" {
        schedules::resource(scope, place, name, properties, stack);
    } else if kind == "AWS::Events::Rule" {
        schedules::rule(scope, place, name, properties, stack);
    } else if kind.ends_with("LayerVersion") {
        let is_sam = kind == "AWS::Serverless::LayerVersion";
        stack.layers.extend(layer(scope, place, name, is_sam, properties, &mut stack.notes));
    } else {
        let is_sam = kind == "AWS::Serverless::Function";
        let function = function(scope, place, name, is_sam, properties, stack);
        stack.functions.extend(function);
    }
}

/// Attributes of a resource besides its type and properties.
fn check_attributes(logical_id: &str, resource: &Node, stack: &mut Stack, findings: &mut Vec<Finding>) {
    for (name, node) in resource.map().unwrap_or_default() {
        match name.as_str() {
            "Type" | "Properties" | "DependsOn" | "Condition" => {}
            "Metadata" => {
                let is_built = node.get("SamResourceId").is_some();
                for member in ["BuildMethod", "BuildProperties", "Dockerfile", "DockerContext"] {
                    if let Some(built) = node.get(member)
                        && !is_built
                    {
                        stack.unsupported.push(Finding::new(
                            built.line,
                            format!(
                                "`{logical_id}`: Hearth builds nothing (`{member}`): run `sam build`, then deploy \
                                 `.aws-sam/build/template.yaml`"
                            ),
                        ));
                    }
                }
            }
            "DeletionPolicy" | "UpdateReplacePolicy" => {
                if node.text() != Some("Delete") {
                    stack.notes.push(Finding::new(node.line, format!("`{name}` has no effect")));
                }
            }
            _ => findings.push(Finding::new(node.line, format!("`{logical_id}` has no attribute `{name}`"))),
        }
    }
}

fn layer(
    scope: &Scope<'_>,
    place: Place,
    name: String,
    is_sam: bool,
    mut properties: Properties<'_>,
    notes: &mut Vec<Finding>,
) -> Option<Layer> {
    let mut request = Map::new();
    properties.take("LayerName");
    let description = properties.text("Description").map_or_else(String::new, |(_, text)| text);
    request.insert("Description".to_owned(), description.into());
    for member in ["CompatibleRuntimes", "CompatibleArchitectures"] {
        let items = properties.texts(member).map_or_else(Vec::new, |(_, items)| items);
        request.insert(member.to_owned(), items.into());
    }
    if let Some((_, license)) = properties.text("LicenseInfo") {
        request.insert("LicenseInfo".to_owned(), license.into());
    }
    if is_sam
        && let Some((line, policy)) = properties.text("RetentionPolicy")
        && policy == "Delete"
    {
        notes.push(Finding::new(line, "`RetentionPolicy` has no effect: old versions of layers are kept"));
    }
    if is_sam && let Some(publish) = properties.take("PublishLambdaVersion") {
        notes.push(Finding::new(publish.line, "`PublishLambdaVersion` has no effect"));
    }
    let code = code(scope, &mut properties, if is_sam { "ContentUri" } else { "Content" }, &place);
    unknown(&mut properties, &place.logical_id);
    Some(Layer { place, name, request, code: code? })
}

/// Reads where a package is: a path of this machine, or an object in a bucket of the server.
fn code(scope: &Scope<'_>, properties: &mut Properties<'_>, member: &str, place: &Place) -> Option<Code> {
    let Some(node) = properties.take(member) else {
        properties.wrong(place.line, format!("`{}` has no `{member}`", place.logical_id));
        return None;
    };
    let line = node.line;
    if let Some(uri) = node.text() {
        if let Some(object) = uri.strip_prefix("s3://") {
            let Some((bucket, key)) =
                object.split_once('/').filter(|(bucket, key)| ![*bucket, *key].contains(&""))
            else {
                properties.wrong(line, format!("`{member}` `{uri}` names no object: s3://BUCKET/KEY"));
                return None;
            };
            return Some(Code::Bucket {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                version: None,
                line,
            });
        }
        if uri.contains("://") {
            properties.wrong(
                line,
                format!("`{member}` `{uri}` is not on this machine: name a folder, a zip or another file"),
            );
            return None;
        }
        return Some(Code::Path { path: scope.surroundings.folder.join(uri), line });
    }
    // SAM's words, and CloudFormation's.
    let text = |sam: &str, plain: &str| {
        node.get(sam).or_else(|| node.get(plain)).and_then(Node::text).map(str::to_owned)
    };
    if let (Some(bucket), Some(key)) = (text("Bucket", "S3Bucket"), text("Key", "S3Key")) {
        return Some(Code::Bucket { bucket, key, version: text("Version", "S3ObjectVersion"), line });
    }
    properties.wrong(
        line,
        format!("`{member}` has to name a folder, a zip or another file, or an object in a bucket"),
    );
    None
}

fn inline(properties: &mut Properties<'_>, line: usize, runtime: &str, text: String) -> Option<Code> {
    let file_name = match runtime {
        runtime if runtime.starts_with("python") => "index.py",
        runtime if runtime.starts_with("nodejs") => "index.js",
        _ => {
            properties.wrong(line, "code in a template is only for Node.js and Python");
            return None;
        }
    };
    Some(Code::Inline { file_name, text })
}

pub(crate) fn unknown(properties: &mut Properties<'_>, logical_id: &str) {
    for (name, node) in properties.rest() {
        properties.wrong(node.line, format!("`{logical_id}` has no property `{name}`"));
    }
}

fn function(
    scope: &Scope<'_>,
    place: Place,
    name: String,
    is_sam: bool,
    mut properties: Properties<'_>,
    stack: &mut Stack,
) -> Option<Function> {
    let logical_id = place.logical_id.clone();
    refuse_unbuilt(&mut properties, &logical_id, stack);
    let mut request = Map::new();
    let mut set = |member: &str, value: Value| request.insert(member.to_owned(), value);
    properties.take("FunctionName");
    set("FunctionName", name.clone().into());
    let role = properties.text("Role").map(|(_, role)| role);
    set("Role", role.unwrap_or_else(|| resources::made_role_arn(scope, &logical_id)).into());
    let runtime = required(&mut properties, "Runtime", &place);
    let handler = required(&mut properties, "Handler", &place);
    set("Runtime", runtime.clone().into());
    set("Handler", handler.into());
    set("Description", properties.text("Description").map_or_else(String::new, |(_, text)| text).into());
    set("Timeout", properties.integer("Timeout").map_or(3, |(_, seconds)| seconds).into());
    set("MemorySize", properties.integer("MemorySize").map_or(128, |(_, mb)| mb).into());
    let variables = environment(&mut properties);
    set("Environment", json!({ "Variables": variables }));
    set("Layers", properties.texts("Layers").map_or_else(Vec::new, |(_, layers)| layers).into());
    if let Some((_, architectures)) = properties.texts("Architectures") {
        set("Architectures", architectures.into());
    }
    let storage = properties.map("EphemeralStorage");
    let storage = storage.map(|node| request_value(&node, &["Size"], &[]));
    set("EphemeralStorage", storage.unwrap_or_else(|| json!({ "Size": 512 })));
    set("KMSKeyArn", key(&mut properties, is_sam).into());
    set("TracingConfig", json!({ "Mode": tracing(&mut properties, is_sam) }));
    set("DeadLetterConfig", json!({ "TargetArn": dead_letter(&mut properties, is_sam) }));
    let logging = properties.map("LoggingConfig").map(|node| request_value(&node, &[], &[]));
    let mut logging_config = json!({ "LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}") });
    if let (Some(Value::Object(given)), Some(known)) = (logging, logging_config.as_object_mut()) {
        known.extend(given);
        if known["LogFormat"] == "JSON" {
            // What lines without these say.
            for member in ["ApplicationLogLevel", "SystemLogLevel"] {
                known.entry(member).or_insert_with(|| "INFO".into());
            }
        }
    }
    set("LoggingConfig", logging_config);
    kept_only::take(&mut properties, &logical_id, stack, &mut request);

    let inlined = if is_sam { properties.text("InlineCode") } else { zip_file(&mut properties) };
    let code = match inlined {
        Some((line, text)) => {
            properties.take("CodeUri");
            inline(&mut properties, line, &runtime, text)
        }
        None => code(scope, &mut properties, if is_sam { "CodeUri" } else { "Code" }, &place),
    };
    let tags = tags(&mut properties, is_sam);
    let reserved_concurrency = properties.integer("ReservedConcurrentExecutions");
    let recursive_loop = properties.text("RecursiveLoop");
    let (mut alias, mut event_invoke_config, mut provisioned_concurrency, mut url) = (None, None, None, None);
    if is_sam {
        let version_description = properties.text("VersionDescription").map(|(_, text)| text);
        alias =
            properties.text("AutoPublishAlias").map(|(line, name)| Alias { line, name, version_description });
        event_invoke_config = event_invoke(&mut properties, stack, &logical_id);
        provisioned_concurrency = provisioned(&mut properties, alias.is_some());
        url = properties.map("FunctionUrlConfig").and_then(|node| {
            if node.get("AuthType").is_none() {
                properties.wrong(node.line, "`FunctionUrlConfig` has no `AuthType`");
                return None;
            }
            let Value::Object(request) = request_value(&node, &["MaxAge"], &["AllowCredentials"]) else {
                return None;
            };
            Some(Url { line: node.line, request })
        });
    }
    let qualifier = alias.as_ref().map_or_else(String::new, |alias| format!(":{}", alias.name));
    let arn = format!("{}{qualifier}", resources::function_arn(scope, &name));
    events(scope, &Called { logical_id: &logical_id, arn }, &mut properties, stack);
    unknown(&mut properties, &logical_id);
    Some(Function {
        place,
        name,
        request,
        code: code?,
        tags,
        alias,
        event_invoke_config,
        reserved_concurrency,
        provisioned_concurrency,
        recursive_loop,
        url,
    })
}

/// Takes what is not built or has no effect, and says so.
fn refuse_unbuilt(properties: &mut Properties<'_>, logical_id: &str, stack: &mut Stack) {
    for member in NO_EFFECT {
        if let Some(node) = properties.take(member) {
            stack.notes.push(Finding::new(node.line, format!("`{logical_id}`: `{member}` has no effect")));
        }
    }
    let mut unsupported = |line, message: String| {
        stack.unsupported.push(Finding::new(line, format!("`{logical_id}`: {message}")));
    };
    for member in UNSUPPORTED {
        if let Some(node) = properties.take(member) {
            unsupported(node.line, format!("`{member}` is not built"));
        }
    }
    if let Some((line, kind)) = properties.text("PackageType")
        && kind != "Zip"
    {
        unsupported(line, format!("`PackageType` `{kind}` is not built"));
    }
}

/// Takes what calls a function.
fn events(scope: &Scope<'_>, called: &Called<'_>, properties: &mut Properties<'_>, stack: &mut Stack) {
    let Some(node) = properties.map("Events") else { return };
    for (name, event) in node.map().unwrap_or_default() {
        let (event_of, findings) = ((name.as_str(), event), properties.findings());
        if !schedules::event(scope, called, event_of, stack, findings)
            && !event_sources::event(called, event_of, stack, findings)
        {
            let kind = event.get("Type").and_then(Node::text).unwrap_or("none");
            let message = format!("`{}`: the event `{name}` of type {kind} is not built", called.logical_id);
            stack.unsupported.push(Finding::new(event.line, message));
        }
    }
}

fn required(properties: &mut Properties<'_>, member: &str, place: &Place) -> String {
    if let Some((_, text)) = properties.text(member) {
        return text;
    }
    properties.wrong(place.line, format!("`{}` has no `{member}`", place.logical_id));
    String::new()
}

fn environment(properties: &mut Properties<'_>) -> Map<String, Value> {
    let mut variables = Map::new();
    let Some(node) = properties.map("Environment") else { return variables };
    let given = node.get("Variables");
    for (name, value) in given.and_then(Node::map).unwrap_or_default() {
        match value.text() {
            Some(text) => {
                variables.insert(name.clone(), text.into());
            }
            None => properties.wrong(value.line, format!("the variable `{name}` has to be a text")),
        }
    }
    variables
}

fn key(properties: &mut Properties<'_>, is_sam: bool) -> String {
    let member = if is_sam { "KmsKeyArn" } else { "KMSKeyArn" };
    properties.text(member).map_or_else(String::new, |(_, key)| key)
}

fn tracing(properties: &mut Properties<'_>, is_sam: bool) -> String {
    let given = if is_sam {
        properties.text("Tracing").map(|(_, mode)| mode).filter(|mode| mode != "Disabled")
    } else {
        let node = properties.map("TracingConfig");
        node.and_then(|node| node.get("Mode").and_then(Node::text).map(str::to_owned))
    };
    given.unwrap_or_else(|| "PassThrough".to_owned())
}

fn dead_letter(properties: &mut Properties<'_>, is_sam: bool) -> String {
    let member = if is_sam { "DeadLetterQueue" } else { "DeadLetterConfig" };
    let node = properties.map(member);
    node.and_then(|node| node.get("TargetArn").and_then(Node::text).map(str::to_owned)).unwrap_or_default()
}

/// The code that stands in an `AWS::Lambda::Function`.
fn zip_file(properties: &mut Properties<'_>) -> Option<(usize, String)> {
    let node = properties.take("Code")?;
    if let Some(text) = node.get("ZipFile").and_then(Node::text) {
        return Some((node.line, text.to_owned()));
    }
    properties.put_back("Code", node);
    None
}

pub(crate) fn tags(
    properties: &mut Properties<'_>,
    is_sam: bool,
) -> std::collections::BTreeMap<String, String> {
    let Some(node) = properties.take("Tags") else { return Default::default() };
    let pairs: Option<Vec<(String, String)>> = if is_sam {
        node.map().and_then(|entries| {
            entries.iter().map(|(key, value)| Some((key.clone(), value.text()?.to_owned()))).collect()
        })
    } else {
        node.list().and_then(|items| {
            let text = |item: &Node, member| item.get(member).and_then(Node::text).map(str::to_owned);
            items.iter().map(|item| Some((text(item, "Key")?, text(item, "Value")?))).collect()
        })
    };
    if pairs.is_none() {
        properties.wrong(node.line, "`Tags` have to be texts");
    }
    pairs.unwrap_or_default().into_iter().collect()
}

fn provisioned(properties: &mut Properties<'_>, has_alias: bool) -> Option<(usize, u64)> {
    let node = properties.map("ProvisionedConcurrencyConfig")?;
    if !has_alias {
        properties.wrong(node.line, "`ProvisionedConcurrencyConfig` needs `AutoPublishAlias`");
        return None;
    }
    let given = node.get("ProvisionedConcurrentExecutions").and_then(Node::text);
    let number = given.and_then(|text| text.parse().ok());
    if number.is_none() {
        properties.wrong(node.line, "`ProvisionedConcurrentExecutions` has to be a whole number");
    }
    Some((node.line, number?))
}

fn event_invoke(
    properties: &mut Properties<'_>,
    stack: &mut Stack,
    logical_id: &str,
) -> Option<(usize, Map<String, Value>)> {
    let node = properties.map("EventInvokeConfig")?;
    let mut request = Map::new();
    for member in ["MaximumEventAgeInSeconds", "MaximumRetryAttempts"] {
        let Some(value) = node.get(member) else { continue };
        match value.text().and_then(|text| text.parse::<u64>().ok()) {
            Some(number) => {
                request.insert(member.to_owned(), number.into());
            }
            None => properties.wrong(value.line, format!("`{member}` has to be a whole number")),
        }
    }
    let mut destinations = Map::new();
    for member in ["OnSuccess", "OnFailure"] {
        let config = node.get("DestinationConfig").and_then(|config| config.get(member));
        let Some(config) = config else { continue };
        match config.get("Destination").and_then(Node::text) {
            Some(arn) => {
                destinations.insert(member.to_owned(), json!({ "Destination": arn }));
            }
            // SAM would make a queue or a topic.
            None => stack.unsupported.push(Finding::new(
                config.line,
                format!("`{logical_id}`: a destination without the ARN of a `Destination` is not built"),
            )),
        }
    }
    if !destinations.is_empty() {
        request.insert("DestinationConfig".to_owned(), destinations.into());
    }
    Some((node.line, request))
}
