//! One call of the function of a mapping, and what came of it.

use bytes::Bytes;
use hearth_invoke::{InvokeError, InvokeRequest, Invoker};
use hearth_types::{RequestId, TraceHeader, Version};
use serde_json::Value;

use crate::mapping::Mapping;

/// What came of a call.
#[derive(Debug)]
pub(crate) enum Called {
    /// The function has answered.
    Succeeded(Bytes),
    /// The function failed: its error, a time-out, an Init that failed.
    Failed(FailedCall),
    /// The function did not run: there is none, no concurrency, or we failed. The reason is for the log.
    NotRun(String),
}

/// A call whose function failed, as records of failures tell of it.
#[derive(Debug, Clone)]
pub(crate) struct FailedCall {
    pub(crate) request_id: RequestId,
    pub(crate) executed_version: Version,
}

/// Calls the function with an event.
pub(crate) async fn call(
    invoker: &Invoker,
    mapping: &Mapping,
    event: &Value,
    trace: Option<TraceHeader>,
) -> Called {
    let request_id = RequestId::random();
    let request = InvokeRequest {
        request_id,
        qualifier: mapping.qualifier.clone(),
        payload: Bytes::from(event.to_string()),
        content_type: None,
        client_context: None,
        trace,
        wants_log_tail: false,
    };
    fail::fail_point!("event_sources::call");
    let called = match invoker.invoke(&mapping.function, request).await {
        Ok(response) if response.function_error => {
            Called::Failed(FailedCall { request_id, executed_version: response.executed_version })
        }
        Ok(response) => Called::Succeeded(response.payload),
        // It stays one call too many however often it is tried.
        Err(InvokeError::Recursive { .. }) => {
            Called::Failed(FailedCall { request_id, executed_version: Version::Latest })
        }
        Err(error) => Called::NotRun(error.to_string()),
    };
    fail::fail_point!("event_sources::called");
    called
}

/// Whether the function of a mapping could be called now.
pub(crate) fn is_there(invoker: &Invoker, mapping: &Mapping) -> Result<(), String> {
    match invoker.dry_run(&mapping.function, mapping.qualifier.as_ref()) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
