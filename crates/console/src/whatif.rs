//! What would have been under other policies: the server's simulation as curves, with the table behind them.

use maud::{Markup, html};
use serde_json::Value;

use crate::facts::text;
use crate::function_page::tree;
use crate::text::{NOTHING, ms, visible};

/// How many policies are shown.
const POLICIES_MAX: usize = 60;
/// The inside of a chart, in the units of its picture.
const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 34.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 16.0;

/// Shows the answer of `/_hearth/functions/NAME/whatif`.
pub(crate) fn show(said: &Value) -> Markup {
    let Some(policies) = said["policies"].as_array().filter(|policies| !policies.is_empty()) else {
        return tree(said, 0);
    };
    let advice = &said["advice"];
    let recorded = &said["recorded"];
    let fixed: Vec<&Value> = policies.iter().filter(|policy| policy["keep_alive_s"].is_number()).collect();
    let kept: Vec<&Value> =
        fixed.iter().copied().filter(|policy| text(policy, "policy").starts_with("fixed")).collect();
    let provisioned: Vec<&Value> =
        policies.iter().filter(|policy| policy["provisioned"].is_number()).collect();
    html! {
        @if !text(advice, "why").is_empty() {
            p.note.good {
                @if text(advice, "what").is_empty() { strong { "Leave it as it is. " } }
                @else { strong { (visible(text(advice, "what"))) ". " } }
                (visible(text(advice, "why")))
            }
        }
        p.small {
            "Recorded: " (recorded["calls"]) " calls, " (recorded["cold_calls"]) " of them cold."
            @for note in said["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) { " " (visible(note)) }
        }
        div.charts {
            (chart("Cold calls by how long environments are kept", "kept for, s", &kept, "keep_alive_s", "cold_share"))
            (chart("Environment-seconds by how long environments are kept", "kept for, s", &kept, "keep_alive_s", "environment_seconds"))
            (chart("Cold calls by provisioned environments", "provisioned", &provisioned, "provisioned", "cold_share"))
        }
        div.scroll tabindex="0" role="region" aria-label="Policies" {
            table {
                caption { "Policies, and what would have come of them: an estimate" }
                thead {
                    tr {
                        th scope="col" { "Policy" }
                        th.number scope="col" { "Cold calls" }
                        th.number scope="col" { "Share" }
                        th.number scope="col" { "Added, p50" }
                        th.number scope="col" { "Added, p99" }
                        th.number scope="col" { "Environment-seconds" }
                        th.number scope="col" { "Cost" }
                    }
                }
                tbody {
                    @for policy in policies.iter().take(POLICIES_MAX) {
                        tr {
                            th scope="row" { (visible(text(policy, "label"))) }
                            td.number { (policy["cold_calls"]) }
                            td.number { (share(&policy["cold_share"])) }
                            td.number { (policy["added_p50_ms"].as_f64().map_or(NOTHING.to_owned(), ms)) }
                            td.number { (policy["added_p99_ms"].as_f64().map_or(NOTHING.to_owned(), ms)) }
                            td.number { (policy["environment_seconds"].as_f64().map_or(NOTHING.to_owned(), |s| format!("{s:.1}"))) }
                            td.number { (cost(&policy["cost_usd"]["total"])) }
                        }
                    }
                }
            }
        }
    }
}

fn share(value: &Value) -> String {
    value.as_f64().map_or(NOTHING.to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

fn cost(value: &Value) -> String {
    value.as_f64().map_or(NOTHING.to_owned(), |usd| format!("${usd:.7}"))
}

/// A curve through what policies have in common: one member over another. The table has the figures.
fn chart(title: &str, along: &str, policies: &[&Value], x: &str, y: &str) -> Markup {
    let mut points: Vec<(f64, f64)> =
        policies.iter().filter_map(|policy| Some((policy[x].as_f64()?, policy[y].as_f64()?))).collect();
    points.retain(|(x, y)| x.is_finite() && y.is_finite());
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    if points.len() < 2 {
        return html! {};
    }
    // Times to keep something are worth telling apart where they are short.
    let scaled = |value: f64| (1.0 + value.max(0.0)).ln();
    let right = points.last().map_or(1.0, |(x, _)| scaled(*x)).max(f64::MIN_POSITIVE);
    let most = points.iter().map(|(_, y)| *y).fold(0.0_f64, f64::max).max(f64::MIN_POSITIVE);
    let place = |(x, y): (f64, f64)| {
        let across = LEFT + scaled(x) / right * (WIDTH - LEFT - RIGHT);
        (across, HEIGHT - BOTTOM - y / most * (HEIGHT - TOP - BOTTOM))
    };
    let line: Vec<String> = points
        .iter()
        .map(|point| {
            let (x, y) = place(*point);
            format!("{x:.1},{y:.1}")
        })
        .collect();
    let top = if y == "cold_share" { format!("{:.1} %", 100.0 * most) } else { format!("{most:.1}") };
    html! {
        figure {
            figcaption { (title) }
            svg.curve viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(format!("{title}. The table has the figures.")) {
                line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(TOP) y2=(TOP) {}
                line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(HEIGHT - BOTTOM) y2=(HEIGHT - BOTTOM) {}
                text.end x=(LEFT - 8.0) y=(TOP + 5.0) { (top) }
                text.end x=(LEFT - 8.0) y=(HEIGHT - BOTTOM + 4.0) { "0" }
                polyline points=(line.join(" ")) {}
                @for point in &points {
                    @let (x, y) = place(*point);
                    circle cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="3.5" {}
                }
                text x=(LEFT) y=(HEIGHT - 10.0) { (points[0].0) }
                text.end x=(WIDTH - RIGHT) y=(HEIGHT - 10.0) { (points[points.len() - 1].0) " (" (along) ")" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_simulation_is_shown_as_curves_with_the_table_behind_them_and_its_labels_stay_text() {
        let policy = |keep: f64, cold: f64| {
            json!({
                "policy": "fixed", "label": format!("kept <b> {keep} s"), "keep_alive_s": keep, "cold_calls": 3,
                "cold_share": cold, "environment_seconds": 4.0, "cost_usd": { "total": 0.0000123 },
            })
        };
        let shown = show(
            &json!({ "policies": [policy(0.0, 1.0), policy(60.0, 0.25)], "advice": { "why": "few calls" } }),
        );
        let shown = shown.into_string();
        assert!(shown.contains("<polyline points=\"64.0,12.0 504.0,120.0\">"), "{shown}");
        assert!(
            shown.contains("kept &lt;b&gt; 60 s") && shown.contains("25.0 %") && shown.contains("$0.0000123")
        );
        assert!(shown.contains("Leave it as it is."));
    }

    #[test]
    fn an_answer_of_another_shape_is_shown_as_it_is() {
        assert!(show(&json!({ "hello": "<i>" })).into_string().contains("&lt;i&gt;"));
    }
}
