//! Chained invocations: a durable function invokes another one, durable or not, and is invoked again with its result.

use std::sync::Arc;

use bytes::Bytes;
use hearth_functions::ResolveError;
use hearth_invoke::{InvokeError, InvokeRequest, InvokeResponse};
use hearth_store::{Details, ErrorObject, ExecutionRecord, ExecutionStatus, OperationStatus};
use hearth_types::{FunctionReference, RequestId, TraceHeader, random_uuid};

use crate::CHAINED_PAYLOAD_BYTES_MAX;
use crate::checkpoint::ChainedTarget;
use crate::engine::{DurableError, Shared};
use crate::execution::{Execution, NO_ROOM_WAITS, OperationEnd, error_of};
use crate::invocation::{function_error, refusal};
use crate::start::{Chained, StartRequest, trace};

/// A chained invocation that goes on.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    operation: String,
    function: String,
    input: Option<String>,
    child: Option<String>,
    trace: TraceHeader,
}

impl Open {
    /// Returns the id of the operation.
    pub(crate) fn operation(&self) -> &String {
        &self.operation
    }
}

impl Execution {
    /// Returns the chained invocations that go on.
    pub(crate) fn open_chained(&self) -> Vec<Open> {
        if self.head.status.is_final() {
            return Vec::new();
        }
        let open = self.operations.iter().filter(|operation| operation.status == OperationStatus::Started);
        let trace = trace(&self.head.trace);
        open.filter_map(|operation| match &operation.details {
            Details::ChainedInvoke { function, input, child } => Some(Open {
                operation: operation.id.clone(),
                function: function.clone(),
                input: input.clone(),
                child: child.clone(),
                trace: trace.clone(),
            }),
            _ => None,
        })
        .collect()
    }
}

impl Shared {
    /// Finds out what a chained invocation would run.
    pub(crate) fn find_target(&self, function: &str) -> Result<ChainedTarget, ErrorObject> {
        let reference = self.reference(function)?;
        let version = match self.functions.resolve(&reference.name, reference.qualifier.as_ref()) {
            Ok(version) => version,
            // It is waited for.
            Err(ResolveError::Pending { .. }) => return Ok(ChainedTarget::default()),
            Err(error) => return Err(refusal(&InvokeError::Resolve(error))),
        };
        let number = version.version.to_string();
        let child = match &version.configuration.durable {
            None => None,
            Some(_) if reference.qualifier.is_none() => {
                let message = "You cannot invoke a durable function using an unqualified ARN.";
                return Err(error_of("InvalidParameterValueException", message));
            }
            Some(_) => {
                let id = random_uuid();
                let arn = self.arn(reference.name.as_str(), &number, &id, &id);
                Some((id, arn))
            }
        };
        Ok(ChainedTarget { version: Some(number), child })
    }

    fn reference(&self, function: &str) -> Result<FunctionReference, ErrorObject> {
        let invalid = |message: &str| error_of("InvalidParameterValueException", message);
        let reference = FunctionReference::parse(function)
            .map_err(|_| invalid(&format!("Invalid function ARN '{function}'")))?;
        let ours = self.functions.settings();
        if reference.account.as_ref().is_some_and(|account| *account != ours.account) {
            return Err(invalid("Cannot start a CHAINED_INVOKE on a function in another account."));
        }
        if reference.region.as_ref().is_some_and(|region| *region != ours.region) {
            return Err(invalid("Cannot start a CHAINED_INVOKE on a function in another region."));
        }
        Ok(reference)
    }

    /// Begins chained invocations of an execution, or goes on with them.
    pub(crate) fn chain(self: &Arc<Self>, execution: &str, open: Vec<Open>) {
        for open in open {
            self.spawn(self.clone().run_chained(execution.to_owned(), open));
        }
    }

    async fn run_chained(self: Arc<Self>, execution: String, open: Open) {
        let parent = (execution, open.operation.clone());
        let end = match open.child.clone() {
            Some(child) => self.begin_child(child, parent.clone(), &open).await,
            None => self.invoke_other(&open).await,
        };
        if let Some(end) = end {
            self.chained_ended(parent, end).await;
        }
    }

    /// Begins the execution of a durable function. Returns its end when that is known already.
    async fn begin_child(
        self: &Arc<Self>,
        child: String,
        parent: (String, String),
        open: &Open,
    ) -> Option<OperationEnd> {
        match self.store.load_execution(child.clone()).await {
            // An earlier server began it.
            Ok(Some(known)) => {
                return known.execution.status.is_final().then(|| end_of_child(&known.execution));
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(
                    execution = child,
                    error = &error as &dyn std::error::Error,
                    "an execution cannot be loaded"
                );
                return Some(OperationEnd::Failed(refusal(&InvokeError::Service(error.to_string()))));
            }
        }
        let reference = match self.reference(&open.function) {
            Ok(reference) => reference,
            Err(error) => return Some(OperationEnd::Failed(error)),
        };
        let version = match self.functions.resolve(&reference.name, reference.qualifier.as_ref()) {
            Ok(version) => version,
            Err(error) => return Some(OperationEnd::Failed(refusal(&InvokeError::Resolve(error)))),
        };
        let request = StartRequest {
            name: Some(child.clone()),
            input: input(open),
            trace: Some(open.trace.with_run_of(&version.arn)),
        };
        match self.begin(&version, request, Some(Chained { id: child, parent })).await {
            Ok(_) => None,
            // The next server goes on.
            Err(DurableError::Draining) => None,
            Err(error) => Some(OperationEnd::Failed(refusal(&error.into()))),
        }
    }

    /// Invokes a function that is not durable. `None` when the server stops first.
    async fn invoke_other(&self, open: &Open) -> Option<OperationEnd> {
        let reference = match self.reference(&open.function) {
            Ok(reference) => reference,
            Err(error) => return Some(OperationEnd::Failed(error)),
        };
        let mut waits = 0u32;
        let mut stop = self.stop.subscribe();
        loop {
            let request = InvokeRequest {
                request_id: RequestId::random(),
                qualifier: reference.qualifier.clone(),
                payload: input(open),
                content_type: None,
                client_context: None,
                trace: Some(open.trace.clone()),
                wants_log_tail: false,
            };
            match self.invoker.invoke(&reference.name, request).await {
                Ok(response) => return Some(end_of_response(&response)),
                Err(InvokeError::Draining) => return None,
                Err(InvokeError::Throttled { .. }) => {}
                Err(error) => return Some(OperationEnd::Failed(refusal(&error))),
            }
            let until_ms = self.clock.epoch_ms().saturating_add(NO_ROOM_WAITS.after_ms(waits));
            waits = waits.saturating_add(1);
            tokio::select! {
                () = self.clock.wait_until(until_ms) => {}
                _ = stop.wait_for(|stop| *stop) => return None,
            }
        }
    }

    /// Tells the execution that waits for an ended one.
    pub(crate) async fn tell_parent(self: Arc<Self>, record: ExecutionRecord) {
        if let Some(parent) = record.parent.clone() {
            self.chained_ended(parent, end_of_child(&record)).await;
        }
    }

    async fn chained_ended(self: &Arc<Self>, (execution, operation): (String, String), end: OperationEnd) {
        let told = self
            .with(&execution, |execution, now_ms| {
                execution.chained_ended(&operation, end, now_ms);
                Ok(())
            })
            .await;
        match told {
            Ok(()) | Err(DurableError::NotFound) => {}
            // The next server finds out by itself.
            Err(error) => tracing::error!(
                execution,
                error = &error as &dyn std::error::Error,
                "the end of a chained invocation could not be kept"
            ),
        }
    }
}

fn input(open: &Open) -> Bytes {
    let input = open.input.clone().filter(|input| !input.is_empty());
    Bytes::from(input.unwrap_or_else(|| "{}".to_owned()))
}

fn end_of_response(response: &InvokeResponse) -> OperationEnd {
    let message = |text: String| {
        OperationEnd::Failed(ErrorObject { error_message: Some(text), ..ErrorObject::default() })
    };
    if response.function_error {
        return OperationEnd::Failed(function_error(&response.payload));
    }
    match std::str::from_utf8(&response.payload) {
        Err(_) => message("CHAINED_INVOKE response could not be decoded as UTF-8.".to_owned()),
        Ok(text) if text.len() > CHAINED_PAYLOAD_BYTES_MAX => message(format!(
            "CHAINED_INVOKE output payload size must be less than or equal to {CHAINED_PAYLOAD_BYTES_MAX} bytes."
        )),
        Ok(text) => OperationEnd::Succeeded(Some(text.to_owned()).filter(|text| !text.is_empty())),
    }
}

fn end_of_child(record: &ExecutionRecord) -> OperationEnd {
    let error = record.error.clone();
    match record.status {
        ExecutionStatus::Succeeded => OperationEnd::Succeeded(record.result.clone()),
        ExecutionStatus::TimedOut => {
            let message = format!("CHAINED_INVOKE timed out after {} seconds.", record.timeout_s);
            OperationEnd::TimedOut(error_of("ChainedInvoke.Timeout", &message))
        }
        ExecutionStatus::Stopped => OperationEnd::Stopped(error.unwrap_or_default()),
        ExecutionStatus::Failed
        | ExecutionStatus::Running
        | ExecutionStatus::Pausing
        | ExecutionStatus::Paused => OperationEnd::Failed(error.unwrap_or_else(|| ErrorObject {
            error_message: Some("Chained invoke failed.".to_owned()),
            ..ErrorObject::default()
        })),
    }
}
