//! What the server has found out about a function's Init, import by import, and about what its extensions cost.

use maud::{Markup, html};
use serde_json::Value;

use crate::ask::Api;
use crate::facts::text;
use crate::function_page::tree;
use crate::text::{NOTHING, encoded, ms, visible};

/// How many imports are shown, in the order in which they come.
const IMPORTS_MAX: usize = 200;
/// How deep they are indented.
const DEPTH_MAX: u64 = 12;

/// Shows what there is; nothing where the server has none of it.
pub(crate) async fn show(api: &Api<'_>, name: &str) -> Markup {
    let name = encoded(name);
    let flame = api.get(&format!("/_hearth/functions/{name}/flame")).await.ok();
    let tax = api.get(&format!("/_hearth/functions/{name}/tax")).await.ok();
    html! {
        @if let Some(flame) = &flame {
            section aria-labelledby="flame-title" {
                h2 id="flame-title" { "Init, import by import" }
                (imports(flame))
            }
        }
        @if let Some(tax) = tax.as_ref().filter(|tax| !is_without_extensions(tax)) {
            section aria-labelledby="tax-title" {
                h2 id="tax-title" { "What extensions cost" }
                (extensions(tax))
            }
        }
    }
}

fn is_without_extensions(tax: &Value) -> bool {
    tax["extensions"].as_array().is_some_and(Vec::is_empty)
}

fn time(value: &Value) -> String {
    value.as_f64().map_or(NOTHING.to_owned(), ms)
}

fn imports(flame: &Value) -> Markup {
    let Some(imports) = flame["imports"].as_array() else { return tree(flame, 0) };
    let total = flame["init"]["total_ms"].as_f64().unwrap_or(0.0).max(0.001);
    let advice = match &flame["advice"] {
        Value::String(advice) => advice.as_str(),
        advice => ["text", "what", "why", "message"]
            .iter()
            .map(|name| text(advice, name))
            .find(|it| !it.is_empty())
            .unwrap_or(""),
    };
    html! {
        @if !advice.is_empty() { p.note { (visible(advice)) } }
        p.small { "Profiled at " (visible(text(flame, "profiled_at"))) "; Init took " (time(&flame["init"]["total_ms"])) " then." }
        div.scroll tabindex="0" role="region" aria-label="Imports" {
            table.imports {
                caption { "Imports of the last profile" }
                thead {
                    tr {
                        th scope="col" { "Import" }
                        th scope="col" { "Share of Init" }
                        th.number scope="col" { "Total" }
                        th.number scope="col" { "Itself" }
                        th.number scope="col" { "Memory" }
                    }
                }
                tbody {
                    @for import in imports.iter().take(IMPORTS_MAX) {
                        @let depth = import["depth"].as_u64().unwrap_or(0).min(DEPTH_MAX);
                        @let share = 100.0 * import["total_ms"].as_f64().unwrap_or(0.0) / total;
                        tr {
                            th scope="row" class=(format!("depth-{depth}")) { code { (visible(text(import, "name"))) } }
                            td {
                                svg.share viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                                    rect width=(format!("{:.1}", share.clamp(0.0, 100.0))) height="8" {}
                                }
                            }
                            td.number { (time(&import["total_ms"])) }
                            td.number { (time(&import["self_ms"])) }
                            td.number { (import["memory_mb"].as_f64().map_or(NOTHING.to_owned(), |mb| format!("{mb:.1} MB"))) }
                        }
                    }
                }
            }
        }
        @if imports.len() > IMPORTS_MAX { p.small { "and " (imports.len() - IMPORTS_MAX) " more" } }
    }
}

fn extensions(tax: &Value) -> Markup {
    let Some(extensions) = tax["extensions"].as_array() else { return tree(tax, 0) };
    html! {
        div.scroll tabindex="0" role="region" aria-label="Extensions" {
            table {
                caption { "Extensions, and what each adds: an estimate" }
                thead {
                    tr {
                        th scope="col" { "Extension" }
                        th.number scope="col" { "Init" }
                        th.number scope="col" { "After a call" }
                        th.number scope="col" { "CPU a call" }
                        th.number scope="col" { "Memory" }
                        th.number scope="col" { "Billed" }
                        th.number scope="col" { "Cost" }
                    }
                }
                tbody {
                    @for extension in extensions {
                        tr {
                            th scope="row" { (visible(text(extension, "name"))) }
                            td.number { (time(&extension["init_ms"])) }
                            td.number { (time(&extension["after_call_ms"])) }
                            td.number { (time(&extension["cpu_ms_per_invocation"])) }
                            td.number { (extension["max_memory_used_mb"].as_u64().map_or(NOTHING.to_owned(), |mb| format!("{mb} MB"))) }
                            td.number { (time(&extension["billed_ms"])) }
                            td.number { (crate::facts::money(&extension["cost_usd"]).unwrap_or(NOTHING.to_owned())) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn imports_and_extensions_are_tables_and_their_names_stay_text() {
        let flame = json!({
            "init": { "total_ms": 200.0 }, "advice": "nothing to gain",
            "imports": [{ "name": "<pandas>", "depth": 1, "total_ms": 50.0, "self_ms": 5.0, "memory_mb": 3.25 }],
        });
        let shown = imports(&flame).into_string();
        assert!(
            shown.contains("&lt;pandas&gt;") && shown.contains("width=\"25.0\"") && shown.contains("3.2 MB"),
            "{shown}"
        );
        let tax =
            json!({ "extensions": [{ "name": "agent", "after_call_ms": 100.2, "cost_usd": 0.0000021 }] });
        let shown = extensions(&tax).into_string();
        assert!(
            shown.contains("agent") && shown.contains("100 ms") && shown.contains("$0.0000021"),
            "{shown}"
        );
    }
}
