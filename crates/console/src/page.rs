//! What every page has: its frame, its headers, and the answers that are no pages.

use bytes::Bytes;
use hearth_aws_wire::{Body, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::PATH;
use crate::ask::{Problem, Viewer};
use crate::gate::COOKIE_NAME;
use crate::text::{encoded, visible};

/// What a browser may do with our pages: run and fetch what this server has, and nothing of anybody else's; nothing that is
/// written into a page runs; no other page shows them in a frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Where in the console a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Functions,
    Lifecycle,
    Cost,
    Tail,
    None,
}

/// What stands around the content of a page.
pub(crate) struct Frame<'a> {
    tab: Tab,
    pub(crate) title: String,
    viewer: &'a Viewer,
    /// What the forms of the page carry.
    pub(crate) token: &'a str,
}

/// A page that is ready to be sent.
pub(crate) struct Page {
    status: StatusCode,
    markup: Markup,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(tab: Tab, title: &str, viewer: &'a Viewer, token: &'a str) -> Self {
        Self { tab, title: visible(title), viewer, token }
    }

    /// Puts the frame around some content; `scripts` are modules that the page runs.
    pub(crate) fn page(&self, scripts: &[&str], content: Markup) -> Page {
        let tabs = [
            (Tab::Functions, "Functions", ""),
            (Tab::Lifecycle, "Lifecycle", "/lifecycle"),
            (Tab::Cost, "Cost and what-if", "/cost"),
            (Tab::Tail, "Live tail", "/tail"),
        ];
        let header = html! {
            nav aria-label="Console" {
                ul {
                    @for (tab, name, path) in tabs {
                        li {
                            a href=(format!("{PATH}{path}")) aria-current=[(tab == self.tab).then_some("page")] { (name) }
                        }
                    }
                }
            }
            @if let Viewer::Key { access_key_id, arn } = self.viewer {
                form.viewer method="post" action=(format!("{PATH}/logout")) {
                    input type="hidden" name="token" value=(self.token);
                    span title=(access_key_id) { (arn.rsplit('/').next().unwrap_or(access_key_id)) }
                    button.quiet type="submit" { "Sign out" }
                }
            }
        };
        Page { status: StatusCode::OK, markup: document(&self.title, scripts, header, content) }
    }
}

impl Page {
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn into_response(self) -> Response {
        answer(self.status, "text/html; charset=utf-8", self.markup.into_string())
    }
}

/// A whole document.
pub(crate) fn document(title: &str, scripts: &[&str], header: Markup, content: Markup) -> Markup {
    let asset = |name: &str| format!("{PATH}/assets/{name}");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Hearth" }
                link rel="icon" href=(asset("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(asset("style.css"));
                script src=(asset("theme.js")) {}
                script type="module" src=(asset("console.js")) {}
                @for script in scripts {
                    script type="module" src=(asset(script)) {}
                }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header.top {
                    a.brand href=(PATH) { (flame()) "Hearth" }
                    (header)
                    button.quiet.theme type="button" data-theme-switch aria-label="Switch between light and dark" hidden {
                        span aria-hidden="true" { "◐" }
                    }
                }
                main id="content" tabindex="-1" { (content) }
            }
        }
    }
}

/// The sign of the house.
fn flame() -> Markup {
    html! {
        svg aria-hidden="true" viewBox="0 0 24 24" width="22" height="22" {
            (PreEscaped(
                "<path class=\"flame\" d=\"M12 2c1 4 6 6 6 12a6 6 0 0 1-12 0c0-3 2-4 3-7 1 1 2 2 2 4 1-2 2-5 1-9z\"/>"
            ))
        }
    }
}

/// A page that says why something is not shown.
pub(crate) fn problem(frame: &Frame<'_>, problem: &Problem) -> Page {
    let status = if problem.status.is_server_error() || problem.status.is_client_error() {
        problem.status
    } else {
        StatusCode::BAD_GATEWAY
    };
    let content = html! {
        h1 { @if status == StatusCode::NOT_FOUND { "Not found" } @else { "This cannot be shown" } }
        (note(problem))
        p { a href=(PATH) { "All functions" } }
    };
    frame.page(&[], content).with_status(status)
}

/// A paragraph that says why something is not shown.
pub(crate) fn note(problem: &Problem) -> Markup {
    html! {
        p.note.bad role="alert" {
            @if problem.is_of_rights() { strong { "Your key may not see or do this. " } }
            (visible(&problem.message))
        }
    }
}

/// A page for whoever is not let in.
pub(crate) fn refusal(status: StatusCode, message: &str) -> Page {
    let content = html! { h1 { "Refused" } p.note.bad { (message) } };
    Page { status, markup: document("Refused", &[], html! {}, content) }
}

/// A page without a viewer.
pub(crate) fn bare(title: &str, content: Markup) -> Page {
    Page { status: StatusCode::OK, markup: document(title, &[], html! {}, content) }
}

/// A part of a page, for a script that puts it in its place.
pub(crate) fn part(markup: &Markup) -> Response {
    answer(StatusCode::OK, "text/html; charset=utf-8", markup.0.clone())
}

/// The same part, for a browser without scripts.
pub(crate) fn with_part(frame: &Frame<'_>, function: &str, markup: &Markup) -> Page {
    frame.page(
        &[],
        html! {
            p.crumbs { a href=(function_path(function)) { (visible(function)) } }
            h1 { "Invoked " (visible(function)) }
            (markup)
        },
    )
}

/// Where the page of a function is.
pub(crate) fn function_path(name: &str) -> String {
    format!("{PATH}/functions/{}", encoded(name))
}

/// An answer that is a line of text.
pub(crate) fn plain(status: StatusCode, text: &str) -> Response {
    answer(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

/// Sends the browser to another page of ours.
pub(crate) fn to(path: &str) -> Response {
    let mut response = plain(StatusCode::SEE_OTHER, "see there");
    let location = HeaderValue::try_from(format!("{PATH}{path}"));
    response.headers_mut().insert(LOCATION, location.unwrap_or(HeaderValue::from_static(PATH)));
    response
}

/// Sends the browser to sign in, and back to where it was then.
pub(crate) fn to_login(path: &str, query: Option<&str>) -> Response {
    let next = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    to(&format!("/login?next={}", encoded(&next)))
}

/// Returns where to go after signing in: a page of the console, whatever somebody has made of the link.
pub(crate) fn own_path(next: &str) -> &str {
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_plain && next.starts_with('/') && !next.contains("//") && !next.contains("..") { next } else { "" }
}

/// Gives the browser a cookie, which it sends to the console alone and shows to no script.
pub(crate) fn set_cookie(response: &mut Response, id: &str, is_over_tls: bool) {
    let secure = if is_over_tls { "; Secure" } else { "" };
    let cookie = format!("{COOKIE_NAME}={id}; Path={PATH}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
}

pub(crate) fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    guard(response.headers_mut());
    response
}

/// Sets the headers that keep other pages away from ours.
pub(crate) fn guard(headers: &mut HeaderMap) {
    let mut set = |name: &'static str, value: &'static str| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    };
    set("content-security-policy", CONTENT_SECURITY_POLICY);
    set("x-frame-options", "DENY");
    set("x-content-type-options", "nosniff");
    // Not `no-referrer`: a form would be sent without saying from where.
    set("referrer-policy", "same-origin");
    set("cross-origin-resource-policy", "same-origin");
    set("cross-origin-opener-policy", "same-origin");
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_signing_in_nobody_is_sent_to_another_site() {
        for next in ["/lifecycle?function=a", "/functions/a%20b", "/"] {
            assert_eq!(own_path(next), next);
        }
        for next in
            ["//evil.example", "https://evil.example", "/\\evil", "/../..", "@evil", "", "/a\nb", "/a//b"]
        {
            assert_eq!(own_path(next), "", "{next}");
        }
    }
}
