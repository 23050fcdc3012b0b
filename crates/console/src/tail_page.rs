//! The log as it comes: of one function, or of all.

use maud::html;

use crate::PATH;
use crate::ask::{Api, Problem};
use crate::facts::{self, text};
use crate::live::TAILED_MAX;
use crate::page::{Frame, Page};
use crate::text::{encoded, visible};

pub(crate) async fn show(api: &Api<'_>, frame: &Frame<'_>, function: Option<&str>) -> Result<Page, Problem> {
    let functions = facts::functions(api).await?;
    let query = function.map_or_else(String::new, |name| format!("?function={}", encoded(name)));
    let content = html! {
        div.title {
            h1 { "Live tail" }
            form.chooser method="get" action=(format!("{PATH}/tail")) {
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
        @if function.is_none() && functions.len() > TAILED_MAX {
            p.note { "Only the first " (TAILED_MAX) " of " (functions.len()) " functions are followed. Choose one to follow another." }
        }
        div.toolbar role="toolbar" aria-label="What is shown" {
            label for="filter" { "Only lines with" }
            input id="filter" type="search" data-filter spellcheck="false" maxlength="200";
            button type="button" data-pause aria-pressed="false" { "Pause" }
            button.quiet type="button" data-clear { "Clear" }
            span.small role="status" data-count {}
        }
        div.log.live.tall data-tail=(format!("{PATH}/live/logs{query}")) tabindex="0" role="log" aria-live="off"
            aria-label="Log lines as they come" {}
    };
    Ok(frame.page(&["tail.js"], content))
}
