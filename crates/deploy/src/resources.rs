//! What `Ref` and `Fn::GetAtt` of a resource are: known before anything is created, since Hearth chooses no random names.

use crate::finding::Finding;
use crate::intrinsics::Scope;
use crate::yaml::Node;

/// Longest name of a function. Source: Lambda API reference, read 2026-11.
const NAME_CHARS_MAX: usize = 64;

/// What stands for the number of a layer version that is not published yet.
const NEXT_VERSION: &str = "next";

/// Resolves a reference to a resource or one of its attributes.
pub(crate) fn reference(
    scope: &Scope<'_>,
    target: &str,
    attribute: Option<&str>,
    line: usize,
) -> Result<String, Finding> {
    let Some(resource) = scope.resource(target) else {
        if let Some(function) = target.strip_suffix("Url").and_then(|function| scope.resource(function))
            && property(scope, "Function", function, "FunctionUrlConfig").is_some()
            && attribute == Some("FunctionUrl")
        {
            // SAM's own name for it.
            return function_url(scope, target, function, line);
        }
        return of_made_role(scope, target, attribute)
            .ok_or_else(|| Finding::new(line, format!("there is no parameter or resource `{target}`")));
    };
    let kind = resource.get("Type").and_then(Node::text).unwrap_or_default();
    let missing = || {
        let what = attribute.map_or(format!("`{target}`"), |attribute| format!("`{target}.{attribute}`"));
        Finding::new(line, format!("{what} is not known to Hearth: `{target}` is {kind}"))
    };
    if let Some(condition) = resource.get("Condition").and_then(Node::text)
        && !scope.condition(condition, line)?
    {
        return Err(Finding::new(
            line,
            format!("`{target}` is not there: its condition `{condition}` is false"),
        ));
    }
    let name = || scope.once(target, line, || name(scope, target, resource));
    match (kind, attribute) {
        ("AWS::Serverless::Function" | "AWS::Lambda::Function", None) => name(),
        ("AWS::Serverless::Function" | "AWS::Lambda::Function", Some("Arn")) => {
            Ok(function_arn(scope, &name()?))
        }
        // SAM's own: the alias that it publishes.
        ("AWS::Serverless::Function", Some("Alias")) => {
            let alias = property(scope, "Function", resource, "AutoPublishAlias").ok_or_else(missing)?;
            Ok(format!("{}:{}", function_arn(scope, &name()?), scope.text(alias)?))
        }
        ("AWS::Serverless::LayerVersion" | "AWS::Lambda::LayerVersion", None) => {
            let name = name()?;
            let surroundings = scope.surroundings;
            Ok(surroundings.layer_version_arns.get(&name).cloned().unwrap_or_else(|| {
                format!(
                    "arn:aws:lambda:{}:{}:layer:{name}:{NEXT_VERSION}",
                    surroundings.region, surroundings.account
                )
            }))
        }
        ("AWS::IAM::Role" | "AWS::Logs::LogGroup", None) => name(),
        ("AWS::IAM::Role", Some("Arn")) => Ok(role_arn(scope, &name()?)),
        ("AWS::Scheduler::Schedule" | "AWS::Events::Rule", None) => name(),
        ("AWS::Events::Rule", Some("Arn")) => Ok(format!(
            "arn:aws:events:{}:{}:rule/{}",
            scope.surroundings.region,
            scope.surroundings.account,
            name()?
        )),
        _ => Err(missing()),
    }
}

/// Returns the name that a resource has on the server.
pub(crate) fn name(scope: &Scope<'_>, logical_id: &str, resource: &Node) -> Result<String, Finding> {
    let (section, member) = match resource.get("Type").and_then(Node::text).unwrap_or_default() {
        "AWS::Serverless::LayerVersion" | "AWS::Lambda::LayerVersion" => ("LayerVersion", "LayerName"),
        "AWS::IAM::Role" => ("Role", "RoleName"),
        "AWS::Logs::LogGroup" => ("LogGroup", "LogGroupName"),
        "AWS::Scheduler::Schedule" | "AWS::Events::Rule" => ("Schedule", "Name"),
        _ => ("Function", "FunctionName"),
    };
    if let Some(given) = property(scope, section, resource, member)
        && let Some(given_name) = scope.resolve(given)?
    {
        return match given_name.text() {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(Finding::new(given.line, format!("`{member}` has to be a text"))),
        };
    }
    if section == "LayerVersion" {
        return Ok(logical_id.to_owned());
    }
    let made = format!("{}-{logical_id}", scope.surroundings.stack_name);
    if made.len() > NAME_CHARS_MAX && section == "Function" {
        return Err(Finding::new(
            resource.line,
            format!("`{made}` is longer than {NAME_CHARS_MAX} characters: give it a `{member}`"),
        ));
    }
    Ok(made)
}

fn function_url(scope: &Scope<'_>, target: &str, function: &Node, line: usize) -> Result<String, Finding> {
    let logical_id = target.strip_suffix("Url").unwrap_or(target);
    let name = scope.once(logical_id, line, || name(scope, logical_id, function))?;
    let url = scope.surroundings.function_urls.get(&name);
    url.cloned()
        .ok_or_else(|| Finding::new(line, format!("`{target}.FunctionUrl` is not known before it is there")))
}

/// SAM makes a role `FUNCTIONRole` for a function without one; templates show it in their outputs.
fn of_made_role(scope: &Scope<'_>, target: &str, attribute: Option<&str>) -> Option<String> {
    let function = target.strip_suffix("Role").and_then(|function| scope.resource(function))?;
    let kind = function.get("Type").and_then(Node::text);
    if kind != Some("AWS::Serverless::Function") || property(scope, "Function", function, "Role").is_some() {
        return None;
    }
    let name = made_role_name(scope, target.strip_suffix("Role")?);
    match attribute {
        None => Some(name),
        Some("Arn") => Some(role_arn(scope, &name)),
        Some(_) => None,
    }
}

fn made_role_name(scope: &Scope<'_>, logical_id: &str) -> String {
    format!("{}-{logical_id}Role", scope.surroundings.stack_name).chars().take(NAME_CHARS_MAX).collect()
}

/// Returns the ARN of the role that a function without one is given.
pub(crate) fn made_role_arn(scope: &Scope<'_>, logical_id: &str) -> String {
    role_arn(scope, &made_role_name(scope, logical_id))
}

fn role_arn(scope: &Scope<'_>, name: &str) -> String {
    format!("arn:aws:iam::{}:role/{name}", scope.surroundings.account)
}

pub(crate) fn function_arn(scope: &Scope<'_>, name: &str) -> String {
    format!("arn:aws:lambda:{}:{}:function:{name}", scope.surroundings.region, scope.surroundings.account)
}

/// Finds a property of a resource, or what `Globals` says.
fn property<'scope>(
    scope: &Scope<'scope>,
    section: &str,
    resource: &'scope Node,
    member: &str,
) -> Option<&'scope Node> {
    let own = resource.get("Properties").and_then(|properties| properties.get(member));
    own.or_else(|| scope.globals?.get(section)?.get(member))
}
