//! `/_hearth/faults`: what is to go wrong on purpose. Refused unless the server was started to allow it.

use std::time::Duration;

use hearth_aws_wire::{Response, read_body};
use hearth_functions::ResolveError;
use hearth_pool::{AddedFault, InjectedFaults, WantedFault};
use hearth_types::{ExtensionName, FaultDeed, FaultPhase, FunctionName, Qualifier, Version};
use http::{Method, Request, StatusCode, header};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Insight, answer, error, reply};

/// Largest request: some names and numbers.
const BODY_BYTES_MAX: usize = 16_384;
/// Most times that a fault may be asked for. Ours: whoever wants more wants it for ever, and can ask again.
const TIMES_MAX: u64 = 1_000_000;
/// Longest delay: the longest time-out of a function.
const DELAY_MS_MAX: u64 = 900_000;

/// What is asked for, as it comes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    function_name: String,
    qualifier: Option<String>,
    phase: String,
    #[serde(rename = "do")]
    deed: String,
    delay_ms: Option<u64>,
    extension: Option<String>,
    times: Option<u64>,
}

impl Insight {
    /// Answers one request; `path` is what follows `/_hearth/faults/`.
    pub(crate) async fn answer_faults(&self, path: &str, request: Request<Incoming>) -> Response {
        let method = request.method().clone();
        let Some(faults) = &self.faults else {
            return match (&method, path) {
                (&Method::GET, "") => answer(&json!({ "allowed": false, "faults": [] })),
                _ => error(
                    StatusCode::FORBIDDEN,
                    "this server injects no faults: start it with --allow-fault-injection, or set \
                     HEARTH_ALLOW_FAULT_INJECTION=true, to allow it",
                ),
            };
        };
        match (&method, path) {
            (&Method::GET, "") => answer(&document(faults.list())),
            (&Method::POST, "") => match self.add(faults, request).await {
                Ok(fault) => reply(StatusCode::CREATED, &written(&fault)),
                Err((status, message)) => error(status, &message),
            },
            (&Method::DELETE, "") => answer(&document(faults.remove(|_| true))),
            (&Method::DELETE, id) => {
                let id: Option<u64> = id.parse().ok();
                match faults.remove(|fault| Some(fault.id) == id) {
                    removed if removed.is_empty() => {
                        error(StatusCode::NOT_FOUND, "there is no fault with this id")
                    }
                    removed => answer(&document(removed)),
                }
            }
            _ => error(
                StatusCode::METHOD_NOT_ALLOWED,
                "GET lists faults, POST adds one, DELETE removes all, or the one whose id follows",
            ),
        }
    }

    async fn add(
        &self,
        faults: &InjectedFaults,
        request: Request<Incoming>,
    ) -> Result<AddedFault, (StatusCode, String)> {
        // A web page of somebody else can make a browser send this, but not with this header.
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_none_or(|kind| kind.split(';').next() != Some("application/json")) {
            let message = "the request must be of type application/json".to_owned();
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let wrong = |message: String| (StatusCode::BAD_REQUEST, message);
        let body = read_body(request, BODY_BYTES_MAX).await;
        let body = body.map_err(|_| wrong("the request is too large, or broke off".to_owned()))?;
        let asked: Asked = serde_json::from_slice(&body).map_err(|cause| wrong(cause.to_string()))?;
        let qualifier = asked.qualifier.clone();
        let mut wanted = wanted(asked).map_err(wrong)?;
        wanted.version = self.version(&wanted.function, qualifier.as_deref())?;
        let function = wanted.function.clone();
        let added =
            faults.add(wanted).map_err(|cause| (StatusCode::TOO_MANY_REQUESTS, format!("{cause}")))?;
        // It may have been deleted between two looks, and its faults with it, before this one was there.
        if let Err(cause) = self.functions.get(&function) {
            faults.remove(|fault| fault.id == added.id);
            return Err((StatusCode::NOT_FOUND, cause.to_string()));
        }
        Ok(added)
    }

    /// Returns the version that a qualifier stands for now; `None` without one.
    fn version(
        &self,
        name: &FunctionName,
        qualifier: Option<&str>,
    ) -> Result<Option<Version>, (StatusCode, String)> {
        let not_found = |cause: &dyn std::fmt::Display| (StatusCode::NOT_FOUND, cause.to_string());
        self.functions.get(name).map_err(|cause| not_found(&cause))?;
        let Some(qualifier) = qualifier else { return Ok(None) };
        let qualifier =
            Qualifier::parse(qualifier).map_err(|cause| (StatusCode::BAD_REQUEST, cause.to_string()))?;
        match qualifier {
            Qualifier::Alias(alias) => match self.functions.get_alias(name, &alias) {
                Ok(alias) => Ok(Some(alias.version)),
                Err(cause) => Err(not_found(&cause)),
            },
            Qualifier::Version(version) => match self.functions.resolve(name, Some(&qualifier)) {
                Err(cause @ ResolveError::NotFound { .. }) => Err(not_found(&cause)),
                // Whether it can be called by now does not matter.
                Ok(_) | Err(_) => Ok(Some(version)),
            },
        }
    }
}

/// Reads what is asked for. The error says what would be right.
fn wanted(asked: Asked) -> Result<WantedFault, String> {
    let function = FunctionName::new(&asked.function_name).map_err(|cause| cause.to_string())?;
    let phase = FaultPhase::parse(&asked.phase).ok_or_else(|| {
        let all: Vec<&str> = FaultPhase::ALL.iter().map(|phase| phase.as_str()).collect();
        format!("`{}` is no phase; phases are {}", asked.phase, all.join(", "))
    })?;
    let deed = deed(phase, &asked.deed, asked.delay_ms)?;
    let extension = match asked.extension {
        None => None,
        Some(name) => {
            if !phase.is_of_extensions() {
                return Err(format!("at {phase} only the runtime can be hit, no extension"));
            }
            if deed == FaultDeed::Throttle {
                return Err("calls are throttled, not extensions".to_owned());
            }
            Some(ExtensionName::new(&name).ok_or_else(|| format!("`{name}` is no name of an extension"))?)
        }
    };
    let times = asked.times.unwrap_or(1);
    let times = u32::try_from(times).ok().filter(|_| (1..=TIMES_MAX).contains(&times));
    let times = times.ok_or_else(|| format!("times must be from 1 to {TIMES_MAX}"))?;
    Ok(WantedFault { function, version: None, phase, deed, extension, times })
}

fn deed(phase: FaultPhase, word: &str, delay_ms: Option<u64>) -> Result<FaultDeed, String> {
    if !phase.deeds().contains(&word) {
        return Err(format!(
            "`{word}` cannot be done at {phase}; what can be is {}",
            phase.deeds().join(", ")
        ));
    }
    let deed = match (word, delay_ms) {
        ("delay", Some(ms)) if (1..=DELAY_MS_MAX).contains(&ms) => {
            return Ok(FaultDeed::Delay(Duration::from_millis(ms)));
        }
        ("delay", _) => return Err(format!("a delay needs delay_ms, from 1 to {DELAY_MS_MAX}")),
        (_, Some(_)) => return Err("only a delay has delay_ms".to_owned()),
        ("fail", None) => FaultDeed::Fail,
        ("hang", None) => FaultDeed::Hang,
        ("kill", None) => FaultDeed::Kill,
        ("oom", None) => FaultDeed::OutOfMemory,
        ("throttle", None) => FaultDeed::Throttle,
        (unknown, None) => return Err(format!("`{unknown}` is nothing that can be done")),
    };
    Ok(deed)
}

fn document(faults: Vec<AddedFault>) -> Value {
    let faults: Vec<Value> = faults.iter().map(written).collect();
    json!({ "allowed": true, "faults": faults })
}

fn written(fault: &AddedFault) -> Value {
    let AddedFault { id, wanted, happened } = fault;
    json!({
        "id": id,
        "function_name": wanted.function.as_str(),
        "version": wanted.version.map(|version| version.to_string()),
        "phase": wanted.phase.as_str(),
        "do": wanted.deed.as_str(),
        "delay_ms": wanted.deed.delay().map(|delay| delay.as_millis() as u64),
        "extension": wanted.extension.as_ref().map(|extension| extension.as_str()),
        "times": wanted.times,
        "happened": happened,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: Value) -> Result<WantedFault, String> {
        wanted(serde_json::from_value(request).unwrap())
    }

    #[test]
    fn every_combination_of_the_table_is_read_and_every_other_says_what_goes() {
        let deeds = ["fail", "hang", "delay", "kill", "oom", "throttle"];
        let mut taken = Vec::new();
        for phase in FaultPhase::ALL {
            for word in deeds {
                let delay_ms = (word == "delay").then_some(5);
                let asked = json!({ "function_name": "f", "phase": phase.as_str(), "do": word, "delay_ms": delay_ms });
                match read(asked) {
                    Ok(fault) => taken.push(format!("{} {}", fault.phase, fault.deed)),
                    Err(message) => assert_eq!(
                        message,
                        format!(
                            "`{word}` cannot be done at {phase}; what can be is {}",
                            phase.deeds().join(", ")
                        )
                    ),
                }
            }
        }
        assert_eq!(taken.len(), 5 * 4 + 6 + 3);
        assert!(
            taken.contains(&"invoke throttle".to_owned()) && taken.contains(&"shutdown delay 5".to_owned())
        );
        assert!(!taken.contains(&"shutdown fail".to_owned()));
    }
}
