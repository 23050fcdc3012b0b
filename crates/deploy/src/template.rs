//! A template as a whole: its sections, parameters, conditions and resources.

use std::collections::BTreeMap;
use std::path::PathBuf;

use regex_lite::Regex;

use crate::finding::Finding;
use crate::globals;
use crate::intrinsics::Scope;
use crate::serverless;
use crate::stack::Stack;
use crate::yaml::{self, Kind, Node};

/// How many resources a template may have. Source: CloudFormation quotas, read 2026-11.
const RESOURCES_MAX: usize = 500;

/// The sections that a template may have. Source: CloudFormation User Guide, "Template sections", read 2026-11.
const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

/// A template that is YAML and has the right sections.
#[derive(Debug, Clone)]
pub struct Template {
    document: Node,
    resources: Vec<(String, Node)>,
}

/// What a template is resolved with.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `AWS::Region`: the server's.
    pub region: String,
    /// `AWS::AccountId`: the server's.
    pub account: String,
    /// `AWS::StackName`. Names of functions begin with it, unless they have one.
    pub stack_name: String,
    /// The folder of the template: relative paths begin here.
    pub folder: PathBuf,
    /// Values of parameters, instead of their defaults.
    pub parameters: BTreeMap<String, String>,
    /// ARNs of layer versions by the names of their layers, as far as they are known.
    pub layer_version_arns: BTreeMap<String, String>,
    /// Function URLs by the names of their functions, as far as they are known.
    pub function_urls: BTreeMap<String, String>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, by line.
    pub fn read(text: &str) -> Result<Self, Vec<Finding>> {
        let document = yaml::read(text).map_err(|finding| vec![finding])?;
        let Some(sections) = document.map() else {
            return Err(vec![Finding::new(
                document.line,
                "a template is a map with the section `Resources`",
            )]);
        };
        let mut findings = Vec::new();
        for (section, node) in sections {
            if !SECTIONS.contains(&section.as_str()) {
                findings.push(Finding::new(node.line, format!("`{section}` is no section of a template")));
            }
        }
        check_transform(&document, &mut findings);
        if document.get("Rules").is_some_and(|rules| rules.kind != Kind::Null) {
            let line = document.get("Rules").map_or(1, |rules| rules.line);
            findings.push(Finding::new(line, "`Rules` are not built"));
        }
        for section in ["Parameters", "Mappings", "Conditions", "Globals", "Outputs"] {
            if let Some(node) = document.get(section)
                && node.map().is_none()
            {
                findings.push(Finding::new(node.line, format!("`{section}` has to be a map")));
            }
        }
        let resources = match document.get("Resources") {
            None => {
                findings.push(Finding::new(document.line, "the section `Resources` is missing"));
                Vec::new()
            }
            Some(node) => match node.map() {
                Some(resources) if !resources.is_empty() => resources.to_vec(),
                _ => {
                    findings.push(Finding::new(node.line, "`Resources` has to be a map with a resource"));
                    Vec::new()
                }
            },
        };
        if resources.len() > RESOURCES_MAX {
            findings.push(Finding::new(1, format!("more than {RESOURCES_MAX} resources")));
        }
        for (logical_id, resource) in &resources {
            check_resource(logical_id, resource, &resources, &mut findings);
        }
        if findings.is_empty() { Ok(Self { document, resources }) } else { Err(in_order(findings)) }
    }

    /// Resolves all of it.
    ///
    /// # Errors
    /// Everything that is wrong, by line. What is only not built is in the stack's `unsupported`.
    pub fn resolve(&self, surroundings: &Surroundings) -> Result<Stack, Vec<Finding>> {
        let mut findings = Vec::new();
        let parameters = self.parameters(surroundings, &mut findings);
        let scope = Scope::new(surroundings, &self.document, &self.resources, parameters);
        for (name, node) in self.document.get("Conditions").and_then(Node::map).unwrap_or_default() {
            if let Err(finding) = scope.condition(name, node.line) {
                findings.push(finding);
            }
        }
        if !findings.is_empty() {
            // What follows from them is not worth telling.
            return Err(in_order(findings));
        }
        let mut stack = Stack::default();
        if let Some(section) = self.document.get("Globals") {
            globals::check(section, &mut stack, &mut findings);
        }
        for (logical_id, resource) in &self.resources {
            match resource.get("Condition").and_then(Node::text) {
                Some(condition) if !scope.condition(condition, resource.line).unwrap_or(true) => {}
                _ => serverless::add(&scope, logical_id, resource, &mut stack, &mut findings),
            }
        }
        check_names(&stack, &mut findings);
        self.outputs(&scope, &mut stack);
        if !findings.is_empty() {
            return Err(in_order(findings));
        }
        stack.unsupported = in_order(stack.unsupported);
        stack.notes = in_order(stack.notes);
        Ok(stack)
    }

    fn parameters(&self, surroundings: &Surroundings, findings: &mut Vec<Finding>) -> BTreeMap<String, Node> {
        let declared = self.document.get("Parameters");
        let mut values = BTreeMap::new();
        for name in surroundings.parameters.keys() {
            if declared.is_none_or(|declared| declared.get(name).is_none()) {
                let line = declared.map_or(1, |declared| declared.line);
                findings.push(Finding::new(line, format!("the template has no parameter `{name}`")));
            }
        }
        for (name, declaration) in declared.and_then(Node::map).unwrap_or_default() {
            match parameter(name, declaration, surroundings.parameters.get(name).map(String::as_str)) {
                Ok(value) => {
                    values.insert(name.clone(), value);
                }
                Err(finding) => findings.push(finding),
            }
        }
        values
    }

    /// What cannot be known before the server has it, such as the address of an API, is a note.
    fn outputs(&self, scope: &Scope<'_>, stack: &mut Stack) {
        for (name, output) in self.document.get("Outputs").and_then(Node::map).unwrap_or_default() {
            if let Some(condition) = output.get("Condition").and_then(Node::text)
                && !scope.condition(condition, output.line).unwrap_or(true)
            {
                continue;
            }
            let Some(value) = output.get("Value") else {
                stack.notes.push(Finding::new(output.line, format!("the output `{name}` has no `Value`")));
                continue;
            };
            match scope.text(value) {
                Ok(text) => {
                    stack.outputs.insert(name.clone(), text);
                }
                Err(finding) => stack.notes.push(Finding::new(
                    finding.line,
                    format!("the output `{name}` is left out: {}", finding.message),
                )),
            }
        }
    }
}

fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort();
    findings.dedup();
    findings
}

fn check_transform(document: &Node, findings: &mut Vec<Finding>) {
    let Some(transform) = document.get("Transform") else { return };
    let one = std::slice::from_ref(transform);
    for node in transform.list().unwrap_or(one) {
        match node.text() {
            Some("AWS::Serverless-2016-10-31") => {}
            other => {
                let other = other.unwrap_or("that");
                findings.push(Finding::new(node.line, format!("the transform `{other}` is not built")));
            }
        }
    }
}

fn check_resource(logical_id: &str, resource: &Node, all: &[(String, Node)], findings: &mut Vec<Finding>) {
    let line = resource.line;
    if logical_id.len() > 255
        || logical_id.is_empty()
        || !logical_id.bytes().all(|c| c.is_ascii_alphanumeric())
    {
        findings
            .push(Finding::new(line, format!("`{logical_id}`: names of resources are letters and digits")));
    }
    if resource.get("Type").and_then(Node::text).is_none() {
        findings.push(Finding::new(line, format!("`{logical_id}` has no `Type`")));
    }
    if let Some(properties) = resource.get("Properties")
        && !matches!(properties.kind, Kind::Map(_) | Kind::Null)
    {
        findings.push(Finding::new(properties.line, "`Properties` has to be a map"));
    }
    if let Some(node) = resource.get("DependsOn") {
        let one = std::slice::from_ref(node);
        for name in node.list().unwrap_or(one) {
            let text = name.text().unwrap_or_default();
            if !all.iter().any(|(known, _)| known == text) {
                findings.push(Finding::new(name.line, format!("`DependsOn` names no resource: `{text}`")));
            }
        }
    }
}

/// Two resources cannot be the same function or layer.
fn check_names(stack: &Stack, findings: &mut Vec<Finding>) {
    let functions = stack.functions.iter().map(|function| ("function", &function.name, &function.place));
    let layers = stack.layers.iter().map(|layer| ("layer", &layer.name, &layer.place));
    let schedules = stack.schedules.iter().map(|schedule| ("schedule", &schedule.name, &schedule.place));
    let mut seen = BTreeMap::new();
    for (kind, name, place) in functions.chain(layers).chain(schedules) {
        if let Some(other) = seen.insert((kind, name), &place.logical_id) {
            findings.push(Finding::new(
                place.line,
                format!("`{other}` and `{}` are the same {kind} `{name}`", place.logical_id),
            ));
        }
    }
    let mut seen = BTreeMap::new();
    for mapping in &stack.event_source_mappings {
        let (source, function) = (&mapping.source_arn, &mapping.function_arn);
        let id = &mapping.place.logical_id;
        if let Some(other) = seen.insert((source, function), id) {
            let message = format!("`{other}` and `{id}` are the same: `{source}` for `{function}`");
            findings.push(Finding::new(mapping.place.line, message));
        }
    }
}

/// Finds the value of a parameter, and checks it as its declaration says.
fn parameter(name: &str, declaration: &Node, given: Option<&str>) -> Result<Node, Finding> {
    let line = declaration.line;
    let wrong = |what: String| Finding::new(line, format!("parameter `{name}`: {what}"));
    let kind =
        declaration.get("Type").and_then(Node::text).ok_or_else(|| wrong("it has no `Type`".into()))?;
    let value = match (given, declaration.get("Default")) {
        (Some(given), _) => given.to_owned(),
        (None, Some(default)) if kind.starts_with("AWS::SSM::Parameter::") => {
            let default = default.text().unwrap_or_default();
            return Err(wrong(format!(
                "its value `{default}` is in Systems Manager, which Hearth is not: give it with --parameter-overrides"
            )));
        }
        (None, Some(default)) => {
            default.text().ok_or_else(|| wrong("its `Default` has to be a text".into()))?.to_owned()
        }
        (None, None) => {
            return Err(wrong(format!("it has no default: give it with --parameter-overrides {name}=VALUE")));
        }
    };
    let is_list = kind == "CommaDelimitedList" || kind.starts_with("List<");
    let items: Vec<&str> = if is_list { value.split(',').map(str::trim).collect() } else { vec![&value] };
    for item in &items {
        check_value(kind, declaration, item).map_err(|what| wrong(format!("`{item}` {what}")))?;
    }
    let kind = if is_list {
        Kind::List(items.into_iter().map(|item| Node::text_at(line, item)).collect())
    } else {
        Kind::Scalar { text: value, plain: kind == "Number" }
    };
    Ok(Node { line, kind })
}

fn check_value(kind: &str, declaration: &Node, value: &str) -> Result<(), String> {
    let number = |member: &str| -> Option<f64> { declaration.get(member)?.text()?.parse().ok() };
    if matches!(kind, "Number" | "List<Number>") {
        let parsed: f64 = value.parse().map_err(|_| "is not a number".to_owned())?;
        if number("MinValue").is_some_and(|least| parsed < least) {
            return Err("is less than its `MinValue`".to_owned());
        }
        if number("MaxValue").is_some_and(|most| parsed > most) {
            return Err("is more than its `MaxValue`".to_owned());
        }
    }
    let length = value.chars().count() as f64;
    if number("MinLength").is_some_and(|least| length < least) {
        return Err("is shorter than its `MinLength`".to_owned());
    }
    if number("MaxLength").is_some_and(|most| length > most) {
        return Err("is longer than its `MaxLength`".to_owned());
    }
    if let Some(allowed) = declaration.get("AllowedValues").and_then(Node::list)
        && !allowed.iter().any(|allowed| allowed.text() == Some(value))
    {
        let allowed: Vec<&str> = allowed.iter().filter_map(Node::text).collect();
        return Err(format!("is none of its `AllowedValues`: {}", allowed.join(", ")));
    }
    if let Some(pattern) = declaration.get("AllowedPattern").and_then(Node::text) {
        let regex = Regex::new(&format!("^(?:{pattern})$"))
            .map_err(|_| format!("cannot be checked: `AllowedPattern` `{pattern}` is not read"))?;
        if !regex.is_match(value) {
            return Err(format!("does not match its `AllowedPattern` `{pattern}`"));
        }
    }
    Ok(())
}
