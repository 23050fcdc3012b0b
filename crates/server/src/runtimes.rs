//! `/_hearth/runtimes`: what this host can run, and installing what it cannot, while the server runs.
//!
//! An installation goes on when its client goes away. Whoever started it asks how far it is, and waits for news a few
//! seconds at a time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hearth_aws_wire::{Response, json_response, read_body};
use hearth_functions::Functions;
use hearth_runtimes::{
    InstallError, InstallOptions, Installed, Listed, Manifest, Progress, RuntimePackages, Runtimes, Watcher,
};
use hearth_telemetry::Clock;
use hearth_types::Runtime;
use http::{Method, Request, StatusCode, header};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Longest time that a request waits for news of an installation.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Largest request to install something: some dozens of names.
const BODY_BYTES_MAX: usize = 65_536;

/// Answers everything under `/_hearth/runtimes`.
pub(crate) struct RuntimesApi {
    pub(crate) runtimes: Arc<Runtimes>,
    pub(crate) packages: Arc<RuntimePackages>,
    pub(crate) functions: Arc<Functions>,
    pub(crate) clock: Clock,
    /// What is installed for Node.js unless a request says otherwise.
    pub(crate) node_sdk_clients: Vec<String>,
    pub(crate) installations: Installations,
}

/// The last installation, which may be running.
#[derive(Default)]
pub(crate) struct Installations {
    last: Mutex<Option<Installation>>,
    count: AtomicU64,
}

/// One installation, of one runtime or several.
struct Installation {
    id: u64,
    news: watch::Receiver<News>,
    cancelled: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// How far an installation is.
#[derive(Debug, Clone, Default)]
struct News {
    /// Counts what is new.
    number: u64,
    /// What is being installed, and how far that is.
    current: Option<(Runtime, Progress)>,
    /// What has been installed.
    results: Vec<Value>,
    /// Why it ended before its end, and what to do about it.
    error: Option<(String, Option<&'static str>)>,
    done: bool,
}

impl RuntimesApi {
    /// Answers one request; `path` is what follows `/_hearth/runtimes/`.
    pub(crate) async fn answer(self: &Arc<Self>, path: &str, request: Request<Incoming>) -> Response {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let method = request.method().clone();
        match (&method, &parts[..]) {
            (&Method::GET, []) => self.list().await,
            (&Method::POST, ["installations"]) => self.install(request).await,
            (&Method::GET, ["installations", id]) => {
                let query = crate::insight::Query(request.uri().query().unwrap_or(""));
                let wait = Duration::from_millis(query.number("wait_ms").unwrap_or(0)).min(WAIT_MAX);
                self.news(id, query.number("after").unwrap_or(0), wait).await
            }
            (_, [] | ["installations"] | ["installations", _]) => error(
                StatusCode::METHOD_NOT_ALLOWED,
                "GET lists runtimes, POST to installations installs some",
                None,
            ),
            _ => error(StatusCode::NOT_FOUND, "there is nothing here", None),
        }
    }

    async fn list(&self) -> Response {
        let (runtimes, epoch_ms) = (self.runtimes.clone(), self.clock.epoch_ms());
        match tokio::task::spawn_blocking(move || document(&runtimes, epoch_ms)).await {
            Ok(document) => json_response(StatusCode::OK, document.to_string()),
            Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "the runtimes cannot be listed", None),
        }
    }

    async fn install(self: &Arc<Self>, request: Request<Incoming>) -> Response {
        // A web page of somebody else can make a browser send this, but not with this header.
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_none_or(|kind| kind.split(';').next() != Some("application/json")) {
            let message = "the request must be of type application/json";
            return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message, None);
        }
        let Ok(body) = read_body(request, BODY_BYTES_MAX).await else {
            return error(StatusCode::BAD_REQUEST, "the request is too large, or broke off", None);
        };
        let (runtimes, options) = match self.wanted(&body) {
            Ok(wanted) => wanted,
            Err(message) => return error(StatusCode::BAD_REQUEST, &message, None),
        };
        let mut last = self.installations.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|last| !last.task.is_finished()) {
            let hint = "wait until it is done, then ask again";
            return error(StatusCode::CONFLICT, "another installation is under way", Some(hint));
        }
        let id = self.installations.count.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, news) = watch::channel(News::default());
        let cancelled = Arc::new(AtomicBool::new(false));
        let (api, stop) = (self.clone(), cancelled.clone());
        let task = tokio::spawn(async move { api.install_all(&runtimes, &options, sender, stop).await });
        *last = Some(Installation { id, news, cancelled, task });
        json_response(StatusCode::ACCEPTED, json!({ "installation": id.to_string() }).to_string())
    }

    fn wanted(&self, body: &[u8]) -> Result<(Vec<Runtime>, InstallOptions), String> {
        let body: Value =
            serde_json::from_slice(body).map_err(|cause| format!("the request is no JSON: {cause}"))?;
        let texts = |member: &str| -> Result<Option<Vec<String>>, String> {
            let Some(value) = body.get(member).filter(|value| !value.is_null()) else { return Ok(None) };
            let texts = value.as_array().and_then(|values| {
                values.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
            });
            texts.map(Some).ok_or_else(|| format!("`{member}` must be a list of names"))
        };
        let identifiers = texts("runtimes")?.unwrap_or_default();
        let runtimes: Result<Vec<Runtime>, _> = identifiers.iter().map(|id| Runtime::parse(id)).collect();
        let runtimes = runtimes.map_err(|cause| cause.to_string())?;
        if runtimes.is_empty() {
            return Err("`runtimes` must name at least one runtime".to_owned());
        }
        let clients = texts("node_sdk_clients")?.unwrap_or_else(|| self.node_sdk_clients.clone());
        let node_sdk_clients =
            hearth_runtimes::node_sdk_clients(&clients).map_err(|cause| cause.to_string())?;
        let upgrade = body.get("upgrade").is_some_and(|upgrade| upgrade == true);
        Ok((runtimes, InstallOptions { node_sdk_clients, upgrade }))
    }

    async fn install_all(
        &self,
        runtimes: &[Runtime],
        options: &InstallOptions,
        sender: watch::Sender<News>,
        cancelled: Arc<AtomicBool>,
    ) {
        let sender = Arc::new(sender);
        let tell = |change: &dyn Fn(&mut News)| {
            sender.send_modify(|news| {
                change(news);
                news.number += 1;
            });
        };
        for &runtime in runtimes {
            let heard = sender.clone();
            let progress = move |progress: Progress| {
                heard.send_modify(|news| {
                    news.current = Some((runtime, progress));
                    news.number += 1;
                });
            };
            let watcher = Watcher { progress: Arc::new(progress), cancelled: cancelled.clone() };
            match self.packages.install(runtime, options.clone(), watcher).await {
                Ok(installed) => {
                    if installed.changed {
                        let digest = &installed.manifest.digest;
                        tracing::info!(%runtime, digest, "runtime installed");
                    }
                    // Also when there was nothing to do: somebody may have put an interpreter on the host.
                    self.functions.settle_again(|meant| meant == runtime).await;
                    tell(&|news| news.results.push(result(runtime, &installed)));
                }
                Err(cause) => {
                    let error = (with_source(&cause), cause.hint());
                    tracing::warn!(%runtime, error = error.0, "cannot install a runtime");
                    tell(&|news| news.error = Some(error.clone()));
                    break;
                }
            }
        }
        tell(&|news| {
            news.current = None;
            news.done = true;
        });
    }

    /// Tells how far an installation is, once there is more to tell than the caller has seen.
    async fn news(&self, id: &str, seen: u64, wait: Duration) -> Response {
        let news = {
            let last = self.installations.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.as_ref().filter(|last| last.id.to_string() == id).map(|last| last.news.clone())
        };
        let Some(mut news) = news else {
            return error(StatusCode::NOT_FOUND, "there is no such installation", None);
        };
        let is_new = |news: &News| news.number > seen || news.done;
        // Whether it came or not, and when the installation has ended too: what is known is the answer.
        let _ = tokio::time::timeout(wait, news.wait_for(is_new)).await;
        let news = news.borrow().clone();
        let current = news.current.map(|(runtime, progress)| {
            json!({
                "runtime": runtime.as_str(),
                "step": progress.step,
                "bytes_done": progress.bytes_done,
                "bytes_total": progress.bytes_total,
            })
        });
        let document = json!({
            "installation": id,
            "number": news.number,
            "done": news.done,
            "current": current,
            "results": news.results,
            "error": news.error.map(|(message, hint)| json!({ "message": message, "hint": hint })),
        });
        json_response(StatusCode::OK, document.to_string())
    }
}

impl Installations {
    /// Ends the installation that runs, if one does; it leaves nothing.
    pub(crate) async fn stop(&self) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Installation { cancelled, task, .. }) = last else { return };
        cancelled.store(true, Ordering::Relaxed);
        if task.await.is_err() {
            tracing::error!("an installation panicked");
        }
    }
}

/// Lists every identifier of AWS with what it is worth here. Blocks.
pub(crate) fn document(runtimes: &Runtimes, epoch_ms: i64) -> Value {
    let today = crate::insight::timestamp(epoch_ms);
    let today = today.get(..10).unwrap_or_default();
    let listed: Vec<Value> =
        runtimes.list(today).into_iter().map(|listed| described(&listed, today)).collect();
    json!({ "runtimes": listed })
}

fn described(listed: &Listed, today: &str) -> Value {
    let interpreter =
        listed.interpreter.as_ref().map(|(version, source)| json!({ "version": version, "source": source }));
    json!({
        "runtime": listed.entry.runtime.as_str(),
        "status": listed.status.as_str(),
        "deprecated": listed.is_deprecated(today),
        "deprecation_date": listed.entry.deprecation,
        "interpreter": interpreter,
        "libraries": listed.libraries.as_ref().map(libraries_of),
        "digest": listed.digest,
        "made_at": listed.made_at_ms.map(crate::insight::timestamp),
        "reason": listed.reason,
    })
}

fn libraries_of(libraries: &hearth_runtimes::LibrariesPart) -> Value {
    json!({ "source": libraries.source, "wanted": libraries.wanted, "packages": libraries.packages })
}

/// Describes what came of the installation of a runtime.
pub(crate) fn result(runtime: Runtime, installed: &Installed) -> Value {
    let Manifest { interpreter, libraries, digest, .. } = &installed.manifest;
    json!({
        "runtime": runtime.as_str(),
        "changed": installed.changed,
        "interpreter": { "version": interpreter.version, "source": interpreter.source },
        "libraries": libraries.as_ref().map(libraries_of),
        "digest": digest,
    })
}

/// Writes an error and its causes on a line.
fn with_source(error: &InstallError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn error(status: StatusCode, message: &str, hint: Option<&str>) -> Response {
    json_response(status, json!({ "message": message, "hint": hint }).to_string())
}
