//! What calls cost, and what they would under other policies. All of it is the server's estimate: nothing is computed here.

use maud::{Markup, html};
use serde_json::Value;

use crate::PATH;
use crate::ask::{Api, Problem};
use crate::facts::{self, money, text};
use crate::function_page::tree;
use crate::page::{Frame, Page, function_path};
use crate::text::{NOTHING, encoded, visible};
use crate::whatif;

const DAY_MS: i64 = 86_400_000;
/// How far back the page looks.
const DAYS: i64 = 30;

/// Sums by function or by day.
pub(crate) struct Costs {
    rows: Vec<(String, String, Value)>,
    total: Option<String>,
    said: Value,
}

impl Costs {
    /// Returns the sum of one function or day.
    pub(crate) fn of(&self, name: &str) -> Option<String> {
        self.rows.iter().find(|(row, ..)| row == name).map(|(_, sum, _)| sum.clone())
    }

    fn read(said: Value) -> Self {
        let sum = |value: &Value| {
            let names = ["total_usd", "cost_usd", "total", "usd", "cost"];
            names.iter().find_map(|name| {
                let member = &value[*name];
                money(member).or_else(|| money(&member["cost_usd"])).or_else(|| money(&member["usd"]))
            })
        };
        let lists = ["rows", "costs", "functions", "days", "groups", "items"];
        let rows = lists.iter().find_map(|name| said[*name].as_array()).map(|rows| {
            let name = |row: &Value| {
                let names = ["function_name", "function", "day", "date", "key", "name"];
                names.iter().map(|name| text(row, name)).find(|name| !name.is_empty()).map(str::to_owned)
            };
            rows.iter().filter_map(|row| Some((name(row)?, sum(row)?, row.clone()))).collect()
        });
        Self { rows: rows.unwrap_or_default(), total: sum(&said), said }
    }
}

/// Asks the server what calls cost.
pub(crate) async fn costs(
    api: &Api<'_>,
    function: Option<&str>,
    by: &str,
    (from_ms, to_ms): (i64, i64),
) -> Result<Costs, Problem> {
    let function = function.map_or_else(String::new, |name| format!("&function={}", encoded(name)));
    let path = format!("/_hearth/cost?by={by}&from_ms={from_ms}&to_ms={to_ms}{function}");
    Ok(Costs::read(api.get(&path).await?))
}

pub(crate) async fn show(api: &Api<'_>, frame: &Frame<'_>, function: Option<&str>) -> Result<Page, Problem> {
    let now = api.ask.now_epoch_ms();
    let window = (now - DAYS * DAY_MS, now);
    let functions = facts::functions(api).await.unwrap_or_default();
    let by_function = costs(api, function, "function", window).await;
    let by_day = costs(api, function, "day", window).await;
    let whatif = match function {
        Some(name) => Some(api.get(&format!("/_hearth/functions/{}/whatif", encoded(name))).await),
        None => None,
    };
    let content = html! {
        div.title {
            h1 {
                "Cost and what-if"
                @if let Some(name) = function { " of " a href=(function_path(name)) { (visible(name)) } }
            }
            form.chooser method="get" action=(format!("{PATH}/cost")) {
                label for="function" { "Function" }
                select id="function" name="function" data-submit {
                    option value="" { "All functions" }
                    @for item in &functions {
                        @let name = text(item, "FunctionName");
                        option value=(name) selected[Some(name) == function] { (visible(name)) }
                    }
                }
                button.quiet type="submit" data-without-script { "Show" }
            }
        }
        p.small { "The last " (DAYS) " days, at AWS's prices. An estimate: no bill of AWS's is known here." }
        (sums("By function", "Function", &by_function, true))
        (sums("By day", "Day", &by_day, false))
        section aria-labelledby="whatif-title" {
            h2 id="whatif-title" { "What if" }
            @match whatif {
                None => p.note { "Choose a function to see what its traffic would cost under other policies." },
                Some(Ok(whatif)) => (whatif::show(&whatif)),
                Some(Err(problem)) => (unavailable(&problem)),
            }
        }
    };
    Ok(frame.page(&[], content))
}

fn sums(title: &str, what: &str, costs: &Result<Costs, Problem>, is_of_functions: bool) -> Markup {
    let id = title.to_lowercase().replace(' ', "-");
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            @match costs {
                Err(problem) => (unavailable(problem)),
                Ok(costs) if costs.rows.is_empty() => {
                    @if costs.said.as_object().is_some_and(|said| !said.is_empty()) { (tree(&costs.said, 0)) }
                    @else { p.note { "Nothing was billed." } }
                }
                Ok(costs) => {
                    table {
                        caption.hidden { (title) }
                        thead {
                            tr {
                                th scope="col" { (what) }
                                th.number scope="col" { "Calls" }
                                th.number scope="col" { "Cold" }
                                th.number scope="col" { "Share of Init" }
                                th.number scope="col" { "Estimate" }
                            }
                        }
                        tbody {
                            @for (name, sum, row) in &costs.rows {
                                tr {
                                    th scope="row" {
                                        @if is_of_functions { a href=(function_path(name)) { (visible(name)) } }
                                        @else { (visible(name)) }
                                    }
                                    td.number { (row["requests"].as_u64().map_or(NOTHING.to_owned(), |it| it.to_string())) }
                                    td.number { (share(&row["cold_share"])) }
                                    td.number { (share(&row["init_share_of_cost"])) }
                                    td.number { (sum) }
                                }
                            }
                        }
                        @if let Some(total) = &costs.total {
                            tfoot { tr { th scope="row" colspan="4" { "Together" } td.number { (total) } } }
                        }
                    }
                    @let prices = &costs.said["prices"];
                    @if !text(prices, "source").is_empty() {
                        p.small { "Prices: " (visible(text(prices, "source"))) ", " (visible(text(prices, "date"))) "." }
                    }
                }
            }
        }
    }
}

fn share(value: &Value) -> String {
    value.as_f64().map_or(NOTHING.to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

fn unavailable(problem: &Problem) -> Markup {
    html! {
        p.note {
            strong { "Not available. " }
            @if problem.status == http::StatusCode::NOT_FOUND { "This server does not estimate it." }
            @else { (visible(&problem.message)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sums_are_read_from_whatever_list_there_is() {
        let costs = Costs::read(json!({
            "total": { "cost_usd": "0.30" }, "rows": [{ "function_name": "a", "cost_usd": "0.1" }, { "function": "b", "total_usd": 0.2 }],
        }));
        assert_eq!(costs.of("a").as_deref(), Some("$0.1"));
        assert_eq!(costs.of("b").as_deref(), Some("$0.2"));
        assert_eq!(costs.of("c"), None);
        assert_eq!(costs.total.as_deref(), Some("$0.3"));
        assert!(Costs::read(json!([1, 2])).rows.is_empty());
    }
}
