//! Invoking a function from its page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use maud::{Markup, html};

use crate::PATH;
use crate::ask::Api;
use crate::page::note;
use crate::text::{beginning, encoded, visible};

/// How much of an answer a page shows.
const SHOWN_BYTES_MAX: usize = 256 << 10;

/// Calls a function, waits, and shows what came of it.
pub(crate) async fn invoke(api: &Api<'_>, name: &str, payload: &str, qualifier: &str) -> Markup {
    let qualifier = qualifier.trim();
    let query =
        if qualifier.is_empty() { String::new() } else { format!("?Qualifier={}", encoded(qualifier)) };
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/2015-03-31/functions/{}/invocations{query}", encoded(name)))
        .header("content-type", "application/json")
        .header("x-amz-log-type", "Tail")
        .body(Bytes::copy_from_slice(payload.as_bytes()));
    let Ok(request) = request else {
        return html! { p.note.bad role="alert" { "That is no name of a function." } };
    };
    let answer = match api.send(request).await {
        Ok(answer) => answer,
        Err(problem) => return note(&problem),
    };
    if !answer.status.is_success() {
        return match answer.json() {
            Err(problem) => note(&problem),
            Ok(_) => html! {},
        };
    }
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let text = String::from_utf8_lossy(&answer.body);
    let (text, is_cut) = beginning(&text, SHOWN_BYTES_MAX);
    let tail = header("x-amz-log-result").and_then(|tail| STANDARD.decode(tail).ok()).unwrap_or_default();
    let tail = String::from_utf8_lossy(&tail);
    let request_id = header("x-amzn-requestid").unwrap_or("");
    html! {
        @if let Some(kind) = header("x-amz-function-error") {
            p.note.bad { strong { "Function error" } " (" (visible(kind)) "). The call reached the function, which failed." }
        } @else {
            p.note.good { strong { "Success" } " (status " (answer.status.as_u16()) ")" }
        }
        p {
            "Request "
            a href=(format!("{PATH}/invocations/{}?function={}", encoded(request_id), encoded(name))) {
                code { (visible(request_id)) }
            }
            @if let Some(version) = header("x-amz-executed-version") { ", version " (visible(version)) }
        }
        h3 { "Answer" }
        pre.answer tabindex="0" { (visible(text)) }
        @if is_cut { p.small { "This is its beginning; the whole answer has " (answer.body.len()) " bytes." } }
        h3 { "Log tail" }
        pre.log tabindex="0" { (visible(&tail)) }
    }
}
