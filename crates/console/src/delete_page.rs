//! Deleting a function, after having asked.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use maud::html;

use crate::ask::{Api, Problem};
use crate::facts::text;
use crate::page::{Frame, Page, function_path};
use crate::text::{encoded, visible};

/// The page that asks.
pub(crate) async fn show(api: &Api<'_>, frame: &Frame<'_>, name: &str) -> Result<Page, Problem> {
    let function = api.get(&format!("/2015-03-31/functions/{}/configuration", encoded(name))).await?;
    let name = text(&function, "FunctionName");
    let here = function_path(name);
    Ok(frame.page(
        &[],
        html! {
            h1 { "Delete " (visible(name)) "?" }
            p {
                "The function goes with all its versions and aliases, and its environments are shut down. "
                "Its logs stay until their retention ends."
            }
            form method="post" action=(format!("{here}/delete")) {
                input type="hidden" name="token" value=(frame.token);
                p.actions {
                    button.bad type="submit" { "Delete " (visible(name)) }
                    a.button.quiet href=(here) { "Keep it" }
                }
            }
        },
    ))
}

/// Deletes it.
pub(crate) async fn delete(api: &Api<'_>, name: &str) -> Result<(), Problem> {
    let request = Request::builder()
        .method(Method::DELETE)
        .uri(format!("/2015-03-31/functions/{}", encoded(name)))
        .body(Bytes::new())
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "no such function"))?;
    api.send(request).await?.json().map(drop)
}
