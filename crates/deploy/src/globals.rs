//! SAM's `Globals`: what all resources of a type have, unless they say otherwise.

use crate::finding::Finding;
use crate::intrinsics::Scope;
use crate::stack::Stack;
use crate::yaml::{Kind, Node};

/// Looks at `Globals`: its sections are merged into resources when these are read.
pub(crate) fn check(globals: &Node, stack: &mut Stack, findings: &mut Vec<Finding>) {
    for (section, node) in globals.map().unwrap_or_default() {
        match section.as_str() {
            "Function" | "LayerVersion" if node.map().is_none() => {
                findings.push(Finding::new(node.line, format!("`Globals.{section}` has to be a map")));
            }
            "Function" | "LayerVersion" => {}
            "Api" | "HttpApi" | "SimpleTable" | "StateMachine" | "WebSocketApi" | "CapacityProvider" => {
                stack.notes.push(Finding::new(
                    node.line,
                    format!("`Globals.{section}` is of resources that are not built"),
                ))
            }
            _ => findings.push(Finding::new(node.line, format!("`Globals` has no section `{section}`"))),
        }
    }
}

/// Puts what `Globals` says beneath the properties of a resource, as SAM does: maps are merged, lists follow one another,
/// everything else is replaced. Returns all findings, one a property.
pub(crate) fn merged(
    scope: &Scope<'_>,
    global: Option<&Node>,
    own: Option<&Node>,
) -> Result<Option<Node>, Vec<Finding>> {
    let both = match (global, own.filter(|own| own.kind != Kind::Null)) {
        (None, None) => return Ok(None),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (Some(global), Some(own)) => merge(global, own),
    };
    let (mut entries, mut findings) = (Vec::new(), Vec::new());
    for (name, node) in both.map().unwrap_or_default() {
        match scope.resolve(node) {
            Ok(Some(value)) => entries.push((name.clone(), value)),
            Ok(None) => {}
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() {
        Ok(Some(Node { line: both.line, kind: Kind::Map(entries) }))
    } else {
        Err(findings)
    }
}

fn merge(global: &Node, own: &Node) -> Node {
    let is_function =
        |entries: &[(String, Node)]| matches!(entries, [(key, _)] if key == "Ref" || key.starts_with("Fn::"));
    let kind = match (&global.kind, &own.kind) {
        (Kind::Map(global), Kind::Map(own)) if !is_function(global) && !is_function(own) => {
            let mut entries = global.clone();
            for (key, value) in own {
                match entries.iter_mut().find(|(known, _)| known == key) {
                    Some((_, known)) => *known = merge(known, value),
                    None => entries.push((key.clone(), value.clone())),
                }
            }
            Kind::Map(entries)
        }
        (Kind::List(global), Kind::List(own)) => Kind::List([global.as_slice(), own].concat()),
        (_, own) => own.clone(),
    };
    Node { line: own.line, kind }
}
