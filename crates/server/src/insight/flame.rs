//! `/_hearth/functions/NAME/flame`: what the Init of a function imports. POST forces an Init that is measured, and answers
//! with its profile; GET answers with the last one.
//!
//! The profiled Init is followed by one that is not profiled, so that what profiling itself took can be told.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hearth_aws_wire::{Response, json_response};
use hearth_functions::{ResolveError, ResolvedVersion};
use hearth_invoke::InvokeError;
use hearth_pool::{Measure, MeasuredInit, Pool};
use hearth_telemetry::PhaseStatus;
use hearth_types::{FunctionName, Qualifier, RuntimeFamily};
use http::{Method, Request, StatusCode, header};

use super::flame_json::{self, Flame};
use super::{Insight, Query, error};

/// How much is kept of all last profiles together, in bytes; the oldest go first. Ours: some hundred of large functions.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// The last profile of each function, and those that are being made.
#[derive(Default)]
pub(crate) struct Flames {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: HashSet<FunctionName>,
    kept: HashMap<FunctionName, Kept>,
    count: u64,
}

/// A profile that was made.
struct Kept {
    /// What was profiled.
    generation: u64,
    qualifier: Option<Qualifier>,
    /// Its number: later ones are greater.
    number: u64,
    json: Bytes,
}

/// The right to profile a function: one at a time has it.
struct Turn {
    flames: Arc<Flames>,
    name: FunctionName,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.flames.lock().running.remove(&self.name);
    }
}

impl Flames {
    fn begin(self: &Arc<Self>, name: &FunctionName) -> Option<Turn> {
        let is_first = self.lock().running.insert(name.clone());
        is_first.then(|| Turn { flames: self.clone(), name: name.clone() })
    }

    fn keep(&self, name: &FunctionName, generation: u64, qualifier: Option<Qualifier>, json: Bytes) {
        let mut state = self.lock();
        state.count += 1;
        let number = state.count;
        state.kept.insert(name.clone(), Kept { generation, qualifier, number, json });
        while state.kept.values().map(|kept| kept.json.len()).sum::<usize>() > KEPT_BYTES_MAX {
            let oldest = state.kept.iter().min_by_key(|(_, kept)| kept.number).map(|(name, _)| name.clone());
            let Some(oldest) = oldest else { break };
            state.kept.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Insight {
    /// Answers for one function, which is there.
    pub(super) async fn flame<B>(&self, name: &FunctionName, request: &Request<B>) -> Response {
        match *request.method() {
            Method::GET => self.last_flame(name),
            Method::POST => {
                // A web page of somebody else can make a browser send this, but not with this header.
                let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                if kind.is_none_or(|kind| kind.split(';').next() != Some("application/json")) {
                    let message = "the request must be of type application/json";
                    return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
                }
                match Query(request.uri().query().unwrap_or("")).get("qualifier") {
                    None => self.new_flame(name, None).await,
                    Some(qualifier) => match Qualifier::parse(&qualifier) {
                        Ok(qualifier) => self.new_flame(name, Some(qualifier)).await,
                        Err(cause) => error(StatusCode::BAD_REQUEST, &cause.to_string()),
                    },
                }
            }
            _ => error(StatusCode::METHOD_NOT_ALLOWED, "GET answers with the last profile, POST makes one"),
        }
    }

    fn last_flame(&self, name: &FunctionName) -> Response {
        let (generation, qualifier, json) = {
            let state = self.flames.lock();
            match state.kept.get(name) {
                Some(kept) => (kept.generation, kept.qualifier.clone(), kept.json.clone()),
                None => {
                    let message =
                        format!("the Init of `{name}` has not been profiled since the server started");
                    return error(StatusCode::NOT_FOUND, &message);
                }
            }
        };
        let version = self.functions.resolve(name, qualifier.as_ref());
        answer(&json, version.is_ok_and(|version| version.generation == generation))
    }

    async fn new_flame(&self, name: &FunctionName, qualifier: Option<Qualifier>) -> Response {
        self.functions.wait_until_settled(name).await;
        let version = match self.functions.resolve(name, qualifier.as_ref()) {
            Ok(version) => version,
            Err(cause @ ResolveError::NotFound { .. }) => {
                return error(StatusCode::NOT_FOUND, &cause.to_string());
            }
            Err(cause) => return error(StatusCode::CONFLICT, &cause.to_string()),
        };
        let Some(turn) = self.flames.begin(name) else {
            let message = format!("an Init of `{name}` is being profiled already; ask again when it is done");
            return error(StatusCode::CONFLICT, &message);
        };
        // It goes on when who asked does not wait for it: its environment has to be ended, and its profile is kept.
        let (pool, clock) = (self.pool.clone(), self.clock);
        let profiling = tokio::spawn(async move {
            let started_epoch_ms = clock.epoch_ms();
            let (profiled, unprofiled) = measured(&pool, &version).await?;
            let generation = version.generation;
            let vendored = flame_json::vendored(&version.code.root).await;
            let flame = Flame { version: &version, started_epoch_ms, profiled, unprofiled, vendored };
            let json = Bytes::from(flame_json::document(&flame).to_string());
            turn.flames.keep(&turn.name, generation, qualifier, json.clone());
            Ok(json)
        });
        match profiling.await {
            Ok(Ok(json)) => answer(&json, true),
            Ok(Err(cause)) => refusal(name, &cause),
            Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "the Init cannot be profiled"),
        }
    }
}

/// Measures an Init, with its imports if they can be known; then, if it went well, another one without them.
async fn measured(
    pool: &Pool,
    version: &Arc<ResolvedVersion>,
) -> Result<(MeasuredInit, Option<MeasuredInit>), InvokeError> {
    match version.configuration.runtime.family() {
        RuntimeFamily::NodeJs { .. } | RuntimeFamily::Python { .. } => {}
        RuntimeFamily::Provided | RuntimeFamily::Other => {
            return Ok((pool.measure_init(version, Measure::Phases).await?, None));
        }
    }
    let profiled = pool.measure_init(version, Measure::Imports).await?;
    if flame_json::status(&profiled) != Some(PhaseStatus::Success) {
        return Ok((profiled, None));
    }
    // The profile is worth something without the comparison, too.
    let unprofiled = pool.measure_init(version, Measure::Phases).await.ok();
    Ok((profiled, unprofiled))
}

fn refusal(name: &FunctionName, cause: &InvokeError) -> Response {
    match cause {
        InvokeError::Throttled { reason } => {
            let message = format!("the Init of `{name}` needs concurrency, and there is none: {reason}");
            error(StatusCode::TOO_MANY_REQUESTS, &message)
        }
        InvokeError::Draining => error(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping"),
        InvokeError::Code { .. } => error(StatusCode::CONFLICT, &cause.to_string()),
        // It is in the log already.
        InvokeError::Resolve(_)
        | InvokeError::Recursive { .. }
        | InvokeError::SnapStart { .. }
        | InvokeError::SnapStartTimeout
        | InvokeError::Service(_) => {
            error(StatusCode::INTERNAL_SERVER_ERROR, "no environment could be made to profile the Init in")
        }
    }
}

/// Puts in front whether the profile is still that of what a call would run.
fn answer(json: &Bytes, is_current: bool) -> Response {
    let rest = json.strip_prefix(b"{").unwrap_or_default();
    let mut body = format!("{{\"is_current\":{is_current},").into_bytes();
    body.extend_from_slice(rest);
    json_response(StatusCode::OK, body)
}
