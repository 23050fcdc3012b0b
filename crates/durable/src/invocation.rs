//! Invoking the function of an execution once, by the way that all invocations go.

use std::sync::Arc;

use bytes::Bytes;
use hearth_functions::ResolveError;
use hearth_invoke::{InvokeError, InvokeRequest, InvokeResponse};
use hearth_store::{ErrorObject, ExecutionRecord};
use hearth_types::{FunctionName, Qualifier, RequestId};
use serde::Deserialize;

use crate::engine::{DurableError, Shared};
use crate::execution::{Invocation, InvocationEnd, error_of};
use crate::output::Output;
use crate::{start, wire};

/// How long to wait before an end is kept that could not be kept. Ours.
const KEEP_AGAIN_MS: i64 = 1_000;

impl Shared {
    /// Makes an invocation, and notes how it ended.
    pub(crate) async fn invoke(self: Arc<Self>, record: ExecutionRecord, invocation: Invocation) {
        let number = invocation.number;
        let end = self.make(&record, invocation).await;
        loop {
            let end = end.clone();
            let kept = self
                .with(&record.id, |execution, now_ms| {
                    execution.invocation_ended(number, end, now_ms);
                    Ok(())
                })
                .await;
            match kept {
                Ok(()) | Err(DurableError::NotFound) => return,
                Err(error) => tracing::error!(
                    execution = record.id,
                    error = &error as &dyn std::error::Error,
                    "the end of an invocation could not be kept"
                ),
            }
            if self.is_stopped() {
                return;
            }
            self.clock.wait_until(self.clock.epoch_ms().saturating_add(KEEP_AGAIN_MS)).await;
        }
    }

    async fn make(&self, record: &ExecutionRecord, invocation: Invocation) -> InvocationEnd {
        let ExecutionRecord { id, function, version, name, .. } = record;
        let damaged = || InvocationEnd::Gone(error_of("ServiceException", "The execution names no function"));
        let Ok(function_name) = FunctionName::new(function) else { return damaged() };
        let Ok(qualifier) = Qualifier::parse(version) else { return damaged() };
        let Some(request_id) = RequestId::parse(&invocation.request_id) else { return damaged() };
        let event = wire::event(&self.arn(function, version, name, id), &invocation);
        drop(invocation);
        let request = InvokeRequest {
            request_id,
            qualifier: Some(qualifier),
            payload: Bytes::from(event.to_string()),
            content_type: None,
            client_context: None,
            trace: Some(start::trace(&record.trace)),
            wants_log_tail: false,
        };
        match self.invoker.invoke_handler(&function_name, request).await {
            Ok(InvokeResponse { function_error: false, payload, .. }) => {
                InvocationEnd::Returned(Output::read(&payload))
            }
            Ok(InvokeResponse { payload, .. }) => InvocationEnd::Failed(function_error(&payload)),
            Err(InvokeError::Throttled { .. }) => InvocationEnd::NoRoom,
            Err(InvokeError::Draining) => InvocationEnd::Interrupted,
            Err(error) => {
                let refusal = refusal(&error);
                match error {
                    InvokeError::Resolve(ResolveError::NotFound { .. }) | InvokeError::Recursive { .. } => {
                        InvocationEnd::Gone(refusal)
                    }
                    _ => InvocationEnd::Failed(refusal),
                }
            }
        }
    }
}

/// Returns how a function failed, as its response says it.
pub(crate) fn function_error(payload: &[u8]) -> ErrorObject {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Wire {
        error_message: Option<String>,
        error_type: Option<String>,
        error_data: Option<String>,
        stack_trace: serde_json::Value,
    }
    let wire: Wire = serde_json::from_slice(payload).unwrap_or_default();
    let lines = wire.stack_trace.as_array().map(|lines| {
        lines.iter().map(|line| line.as_str().map_or_else(|| line.to_string(), str::to_owned)).collect()
    });
    ErrorObject {
        error_message: wire.error_message,
        error_type: wire.error_type,
        error_data: wire.error_data,
        stack_trace: lines,
    }
}

/// Returns why a function could not be invoked, as AWS names it.
pub(crate) fn refusal(error: &InvokeError) -> ErrorObject {
    match error {
        InvokeError::Resolve(ResolveError::NotFound { arn }) => {
            error_of("ResourceNotFoundException", &format!("Function not found: {arn}"))
        }
        InvokeError::Resolve(error) => error_of("ResourceConflictException", &error.to_string()),
        InvokeError::Throttled { .. } => error_of("TooManyRequestsException", "Rate Exceeded."),
        InvokeError::Recursive { .. } => error_of("RecursiveInvocationException", &error.to_string()),
        InvokeError::Code { .. } => error_of("InvalidZipFileException", &error.to_string()),
        InvokeError::SnapStart { .. } => error_of("SnapStartException", &error.to_string()),
        InvokeError::SnapStartTimeout => error_of("SnapStartTimeoutException", &error.to_string()),
        InvokeError::Draining | InvokeError::Service(_) => {
            tracing::error!(error = %error, "a durable function could not be invoked");
            error_of("ServiceException", "The AWS Lambda service encountered an internal error.")
        }
    }
}
