//! The web console at `/_hearth/console`: pages on what runs, what happened and what it cost.
//!
//! It uses nothing that a customer could not use: everything it shows comes from the server's own APIs, asked through the
//! port [`Ask`] as the viewer. Pages are made here and work without scripts where that makes sense; the scripts are our own.
//! This crate decides neither who has a key nor what a key may do: `server` fulfils the port.

mod ask;
mod assets;
mod cost_page;
mod delete_page;
mod facts;
mod function_page;
mod functions_page;
mod gate;
mod invocation_page;
mod invoke;
mod lifecycle_page;
mod live;
mod login_page;
mod page;
mod parts;
mod profiles;
mod sessions;
mod tail_page;
mod text;
mod whatif;

use std::io;
use std::sync::Arc;

use hearth_aws_wire::{Response, decode, drop_body, query_pairs, read_body};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use tokio::sync::{Semaphore, watch};

pub use ask::{Answer, Ask, AskError, Viewer};
pub use gate::is_of_another_site;

use ask::{Api, Problem};
use page::{Frame, Tab};
use sessions::Sessions;

/// Where the console is.
pub const PATH: &str = "/_hearth/console";

/// The longest form: the largest event of a synchronous call, with every byte percent-encoded.
const EVENT_FORM_BYTES_MAX: usize = 3 * (6 << 20) + (64 << 10);
/// The longest of all other forms, and of whoever has not signed in.
const FORM_BYTES_MAX: usize = 64 << 10;
/// How many streams of live events there are at once. A page has one or two; browsers try again by themselves.
const STREAMS_MAX: usize = 128;

/// The console of a server.
pub struct Console {
    ask: Arc<dyn Ask>,
    sessions: Arc<Sessions>,
    streams: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
}

/// Who looks at a page, as far as their cookie says.
struct Visitor {
    /// The id in their cookie.
    id: String,
    /// Whether they have to be given it.
    is_new: bool,
    is_over_tls: bool,
    viewer: Option<Viewer>,
}

impl Console {
    /// Makes the console. Its live streams end when `stopped` becomes true.
    pub fn new(ask: Arc<dyn Ask>, stopped: watch::Receiver<bool>) -> io::Result<Self> {
        Ok(Self {
            ask,
            sessions: Arc::new(Sessions::new()?),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            stopped,
        })
    }

    /// Whether a request is for the console.
    pub fn is_asked<B>(request: &Request<B>) -> bool {
        let rest = request.uri().path().strip_prefix(PATH);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Answers a request. Whether its sender may be here is found out here.
    pub async fn answer(&self, request: Request<Incoming>) -> Response {
        let path = request.uri().path().strip_prefix(PATH).unwrap_or("").to_owned();
        let parts: Option<Vec<String>> =
            path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
        let Some(parts) = parts else {
            drop_body(request).await;
            return self.refuse(StatusCode::NOT_FOUND, "There is no such page.");
        };
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let method = request.method().clone();
        if method != Method::GET && method != Method::POST {
            drop_body(request).await;
            return self.refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                "Pages are asked for with GET, forms sent with POST.",
            );
        }
        if method == Method::GET
            && let Some(asset) = assets::find(&parts)
        {
            return asset;
        }
        if !self.ask.asks_for_keys() && !gate::is_name_of_ours(request.headers()) {
            drop_body(request).await;
            return self.refuse(
                StatusCode::MISDIRECTED_REQUEST,
                "This server has no keys, so it answers only under an IP address or as localhost: a page of somebody \
                 else's could make any other name point here. Use the address, or make a key with `hearth credentials add`.",
            );
        }
        let visitor = match self.visitor(&request) {
            Ok(visitor) => visitor,
            Err(error) => {
                tracing::error!(%error, "there are no random numbers for a session");
                drop_body(request).await;
                return self.refuse(StatusCode::INTERNAL_SERVER_ERROR, "No session can be made.");
            }
        };
        if method == Method::POST {
            return self.change(&parts, visitor, request).await;
        }
        let query = query_pairs(request.uri().query().unwrap_or(""));
        if parts == ["login"] {
            return self.show(&visitor, self.login_form(&visitor, &value(&query, "next"), None));
        }
        let Some(viewer) = &visitor.viewer else {
            return match parts.first() {
                Some(&("data" | "live")) => page::plain(StatusCode::UNAUTHORIZED, "sign in first"),
                _ => page::to_login(&path, request.uri().query()),
            };
        };
        self.page(&parts, &query, viewer, &visitor).await
    }

    async fn page(
        &self,
        parts: &[&str],
        query: &[(String, String)],
        viewer: &Viewer,
        visitor: &Visitor,
    ) -> Response {
        let api = Api { ask: &*self.ask, viewer };
        let token = self.sessions.token(&visitor.id);
        let frame = |tab, title: &str| Frame::new(tab, title, viewer, &token);
        let function = Some(value(query, "function")).filter(|name| !name.is_empty());
        let function = function.as_deref();
        let shown = match *parts {
            [] => functions_page::show(&api, &frame(Tab::Functions, "Functions")).await,
            ["functions", name] => function_page::show(&api, &frame(Tab::Functions, name), name).await,
            ["functions", name, "delete"] => {
                delete_page::show(&api, &frame(Tab::Functions, "Delete"), name).await
            }
            ["lifecycle"] => lifecycle_page::show(&api, &frame(Tab::Lifecycle, "Lifecycle"), function).await,
            ["invocations", id] => {
                let at = value(query, "at").parse().ok();
                invocation_page::show(&api, &frame(Tab::Functions, "Invocation"), id, function, at).await
            }
            ["cost"] => cost_page::show(&api, &frame(Tab::Cost, "Cost"), function).await,
            ["tail"] => tail_page::show(&api, &frame(Tab::Tail, "Live tail"), function).await,
            ["data", what] => return live::data(&api, what, query).await,
            ["live", ref what @ ..] => {
                return match self.streams.clone().try_acquire_owned() {
                    Ok(place) => {
                        let reader = live::Reader {
                            ask: self.ask.clone(),
                            viewer: viewer.clone(),
                            session: (self.sessions.clone(), visitor.id.clone()),
                            stopped: self.stopped.clone(),
                        };
                        live::stream(reader, what, function, place)
                    }
                    Err(_) => page::plain(StatusCode::SERVICE_UNAVAILABLE, "too many pages look on live"),
                };
            }
            _ => Err(Problem::new(StatusCode::NOT_FOUND, "There is no such page.")),
        };
        self.show(
            visitor,
            shown.unwrap_or_else(|problem| page::problem(&frame(Tab::None, "Not shown"), &problem)),
        )
    }

    /// Carries out a form, when it was sent from a page of ours by whoever it was shown to.
    async fn change(&self, parts: &[&str], visitor: Visitor, request: Request<Incoming>) -> Response {
        if !gate::is_from_our_page(request.headers()) {
            drop_body(request).await;
            return self.refuse(StatusCode::FORBIDDEN, "This form was not sent from a page of this server.");
        }
        let wants_part = request.headers().contains_key("x-hearth-part");
        let has_event = visitor.viewer.is_some() && matches!(*parts, ["functions", _, "invoke"]);
        let bytes_max = if has_event { EVENT_FORM_BYTES_MAX } else { FORM_BYTES_MAX };
        let Ok(body) = read_body(request, bytes_max).await else {
            return self.refuse(StatusCode::BAD_REQUEST, "The form is too long, or did not come as a whole.");
        };
        let form = query_pairs(std::str::from_utf8(&body).unwrap_or(""));
        if !self.sessions.is_token(&visitor.id, &value(&form, "token")) {
            return self.refuse(
                StatusCode::FORBIDDEN,
                "This form is of an earlier visit. Load the page again, and send it once more.",
            );
        }
        match *parts {
            ["login"] => return self.login(&visitor, &form),
            ["logout"] => {
                self.sessions.end(&visitor.id);
                return page::to_login("", None);
            }
            _ => {}
        }
        let Some(viewer) = &visitor.viewer else {
            return page::to_login("", None);
        };
        let api = Api { ask: &*self.ask, viewer };
        let token = self.sessions.token(&visitor.id);
        let frame = Frame::new(Tab::Functions, "Function", viewer, &token);
        match *parts {
            ["functions", name, "invoke"] => {
                let done =
                    invoke::invoke(&api, name, &value(&form, "payload"), &value(&form, "qualifier")).await;
                if wants_part {
                    return page::part(&done);
                }
                self.show(&visitor, page::with_part(&frame, name, &done))
            }
            ["functions", name, "delete"] => match delete_page::delete(&api, name).await {
                Ok(()) => page::to(""),
                Err(problem) => self.show(&visitor, page::problem(&frame, &problem)),
            },
            _ => self.show(
                &visitor,
                page::problem(&frame, &Problem::new(StatusCode::NOT_FOUND, "There is no such form.")),
            ),
        }
    }

    fn login(&self, visitor: &Visitor, form: &[(String, String)]) -> Response {
        let (id, secret) = (value(form, "access_key_id"), value(form, "secret_access_key"));
        let next = value(form, "next");
        let Some(viewer) = self.ask.verify(id.trim(), secret.trim()) else {
            let said = "There is no such key, or its secret is another.";
            let mut response = self.show(visitor, self.login_form(visitor, &next, Some(said)));
            *response.status_mut() = StatusCode::FORBIDDEN;
            return response;
        };
        // A new id: whoever knows the one from before must not be signed in with it.
        match self.sessions.begin(viewer, self.ask.now_epoch_ms()) {
            Ok(id) => {
                let mut response = page::to(page::own_path(&next));
                page::set_cookie(&mut response, &id, visitor.is_over_tls);
                response
            }
            Err(error) => {
                tracing::error!(%error, "there are no random numbers for a session");
                self.refuse(StatusCode::INTERNAL_SERVER_ERROR, "No session can be made.")
            }
        }
    }

    fn login_form(&self, visitor: &Visitor, next: &str, said: Option<&str>) -> page::Page {
        login_page::show(&self.sessions.token(&visitor.id), next, said, self.ask.asks_for_keys())
    }

    /// Finds out who is looking. Whoever comes without a cookie gets one, which says nothing about them.
    fn visitor(&self, request: &Request<Incoming>) -> io::Result<Visitor> {
        let headers = request.headers();
        let sent = gate::cookie(headers).filter(|id| Sessions::is_id(id)).map(str::to_owned);
        let is_new = sent.is_none();
        let id = sent.map_or_else(Sessions::fresh_id, Ok)?;
        let viewer = if self.ask.asks_for_keys() {
            self.sessions.viewer(&id, self.ask.now_epoch_ms()).filter(|viewer| match viewer {
                Viewer::Anybody => false,
                Viewer::Key { access_key_id, .. } => self.ask.is_known(access_key_id),
            })
        } else {
            Some(Viewer::Anybody)
        };
        Ok(Visitor { id, is_new, is_over_tls: gate::is_over_tls(headers), viewer })
    }

    fn show(&self, visitor: &Visitor, page: page::Page) -> Response {
        let mut response = page.into_response();
        if visitor.is_new {
            page::set_cookie(&mut response, &visitor.id, visitor.is_over_tls);
        }
        response
    }

    fn refuse(&self, status: StatusCode, message: &str) -> Response {
        page::refusal(status, message).into_response()
    }
}

/// Returns the value of a name in a query or form; empty if it is not there.
fn value(pairs: &[(String, String)], name: &str) -> String {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}
