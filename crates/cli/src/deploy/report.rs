//! What `hearth deploy` tells: what will change, what is not built, and what the outputs are; for people and for programs.

use std::io::Write;

use hearth_deploy::{Finding, Function, Layer, Stack};
use serde_json::{Value, json};

use super::plan::Action;
use crate::table::{Column, Table};

/// One resource, and what is done about it.
pub(super) struct Planned {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) logical_id: String,
    pub(super) action: Action,
    pub(super) details: Vec<String>,
}

impl Planned {
    pub(super) fn of_layer(layer: &Layer, action: Action, details: Vec<String>) -> Self {
        let logical_id = layer.place.logical_id.clone();
        Self { kind: "layer", name: layer.name.clone(), logical_id, action, details }
    }

    pub(super) fn of_function(function: &Function, action: Action, details: Vec<String>) -> Self {
        let logical_id = function.place.logical_id.clone();
        let details = if action == Action::Keep { Vec::new() } else { details };
        Self { kind: "function", name: function.name.clone(), logical_id, action, details }
    }
}

/// What is going to change, for people and for programs.
pub(super) struct Report<'report> {
    pub(super) stack: &'report Stack,
    pub(super) name: &'report str,
    pub(super) planned: &'report [Planned],
    pub(super) unsupported: Vec<Finding>,
}

impl Report<'_> {
    pub(super) fn write(&self, template: &str, changes: usize, out: &mut dyn Write) -> anyhow::Result<()> {
        for Finding { line, message } in &self.stack.notes {
            writeln!(out, "{template}:{line}: note: {message}")?;
        }
        for Finding { line, message } in &self.unsupported {
            writeln!(out, "{template}:{line}: unsupported: {message}")?;
        }
        let mut table = Table::new([
            Column::Left("Action"),
            Column::Left("Resource"),
            Column::Left("Name"),
            Column::Left("What Changes"),
        ]);
        for planned in self.planned {
            table.row([
                planned.action.word().to_owned(),
                format!("{} {}", planned.kind, planned.logical_id).trim_end().to_owned(),
                planned.name.clone(),
                planned.details.join(", "),
            ]);
        }
        writeln!(out, "Stack {}", self.name)?;
        out.write_all(table.render().as_bytes())?;
        if self.planned.iter().any(|planned| planned.action == Action::Leave) {
            writeln!(out, "What is not in the template stays; --prune deletes it.")?;
        }
        if changes == 0 {
            writeln!(out, "Nothing changes: the server has what the template says.")?;
        }
        Ok(())
    }

    pub(super) fn json(&self, is_applied: bool) -> Value {
        let finding = |finding: &Finding| json!({ "Line": finding.line, "Message": finding.message });
        let changes: Vec<Value> = self
            .planned
            .iter()
            .map(|planned| {
                json!({
                    "Action": planned.action.word(),
                    "ResourceType": planned.kind,
                    "LogicalResourceId": planned.logical_id,
                    "Name": planned.name,
                    "Details": planned.details,
                })
            })
            .collect();
        json!({
            "StackName": self.name,
            "Resources": changes,
            "Unsupported": self.unsupported.iter().map(finding).collect::<Vec<_>>(),
            "Notes": self.stack.notes.iter().map(finding).collect::<Vec<_>>(),
            "Outputs": self.stack.outputs,
            "Applied": is_applied,
        })
    }
}

/// Writes what the template's outputs come to.
pub(super) fn write_outputs(stack: &Stack, out: &mut dyn Write) -> anyhow::Result<()> {
    if stack.outputs.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([Column::Left("Output"), Column::Left("Value")]);
    for (name, value) in &stack.outputs {
        table.row([name.clone(), value.clone()]);
    }
    writeln!(out)?;
    out.write_all(table.render().as_bytes())?;
    Ok(())
}
