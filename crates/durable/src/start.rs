//! Starting an execution, and waiting for its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearth_functions::{ResolveError, ResolvedVersion};
use hearth_invoke::{DurableFunctions, InvokeError, InvokeRequest, InvokeResponse};
use hearth_store::{ErrorObject, ExecutionRecord, ExecutionStatus, Outcome};
use hearth_types::{TraceHeader, random_uuid};
use serde_json::json;

use crate::engine::{DurableError, DurableExecutions, Phase, Shared, phase};
use crate::execution::{Execution, NewExecution};

/// How long an execution may be for somebody to wait for its end, in seconds. Source: Lambda Developer Guide, "Invoking
/// durable Lambda functions", read 2026-11.
pub const SYNC_EXECUTION_S_MAX: u32 = 900;

/// An execution that is to be started.
#[derive(Debug, Clone)]
pub struct StartRequest {
    /// The name that the caller gave it.
    pub name: Option<String>,
    /// The event: JSON.
    pub input: Bytes,
    /// The trace that the caller is part of.
    pub trace: Option<TraceHeader>,
}

/// An execution that is there.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Its id.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// The trace that it is part of.
    pub trace: String,
}

/// An execution that a chained invocation begins.
pub(crate) struct Chained {
    pub(crate) id: String,
    pub(crate) parent: (String, String),
}

impl DurableExecutions {
    /// Starts an execution: when this returns, it is on disk. One that has the same name and event is the same.
    pub async fn begin(
        &self,
        version: &ResolvedVersion,
        request: StartRequest,
    ) -> Result<Begun, DurableError> {
        self.shared.begin(version, request, None).await
    }

    /// Waits for the end of an execution, and returns it.
    pub async fn wait(&self, id: &str) -> Result<ExecutionRecord, DurableError> {
        self.shared.wait(id).await
    }
}

impl Shared {
    pub(crate) async fn begin(
        self: &Arc<Self>,
        version: &ResolvedVersion,
        request: StartRequest,
        chained: Option<Chained>,
    ) -> Result<Begun, DurableError> {
        let Some(durable) = &version.configuration.durable else { return Err(DurableError::NotDurable) };
        if self.is_stopped() {
            return Err(DurableError::Draining);
        }
        let now_ms = self.clock.epoch_ms();
        let trace = request.trace.unwrap_or_else(|| TraceHeader::generate(now_ms));
        let (id, parent) = match chained {
            Some(Chained { id, parent }) => (id, Some(parent)),
            None => (random_uuid(), None),
        };
        let new = NewExecution {
            name: request.name.unwrap_or_else(|| id.clone()),
            id,
            function: version.configuration.name.to_string(),
            version: version.version.to_string(),
            input: String::from_utf8_lossy(&request.input).into_owned(),
            timeout_s: durable.execution_timeout_s,
            retention_days: durable.retention_days,
            kms_key_arn: durable.kms_key_arn.clone(),
            trace: trace.as_str().to_owned(),
            parent,
        };
        // An execution of the name may go just when it was found.
        for _ in 0..8 {
            if let Some(begun) = self.same(&new).await? {
                return Ok(begun);
            }
            if let Some(begun) = self.insert(new.clone(), now_ms).await? {
                return Ok(begun);
            }
            if self.functions.get(&version.configuration.name).is_err() {
                break;
            }
        }
        let arn = self.functions.arn(&version.configuration.name, None);
        Err(ResolveError::NotFound { arn }.into())
    }

    /// Returns the execution that has the name already.
    async fn same(&self, new: &NewExecution) -> Result<Option<Begun>, DurableError> {
        let Some(id) = self.store.execution_named(new.function.clone(), new.name.clone()).await? else {
            return Ok(None);
        };
        let Some(known) = self.store.load_execution(id).await? else { return Ok(None) };
        let known = Execution::load(known.execution, known.operations);
        if known.input() != new.input {
            return Err(DurableError::AlreadyStarted { name: new.name.clone() });
        }
        Ok(Some(self.begun(known.record())))
    }

    fn begun(&self, record: &ExecutionRecord) -> Begun {
        let ExecutionRecord { function, version, name, id, .. } = record;
        Begun { id: id.clone(), arn: self.arn(function, version, name, id), trace: record.trace.clone() }
    }

    /// Keeps a new execution and begins its first invocation. `None` when its name is taken, or its function gone.
    async fn insert(self: &Arc<Self>, new: NewExecution, now_ms: i64) -> Result<Option<Begun>, DurableError> {
        let id = new.id.clone();
        let lane = self.lane(&id);
        let mut state = lane.state.lock().await;
        let mut execution = Execution::begin(new, now_ms);
        let invocation = self.next_invocation(&mut execution, now_ms);
        let change = execution.take_change(now_ms);
        fail::fail_point!("durable::start");
        let kept = match change {
            Some(change) => self.store.begin_execution(change).await,
            None => Ok(Outcome::Done),
        };
        let begun = match kept {
            Ok(Outcome::Done) => {
                fail::fail_point!("durable::started");
                let begun = self.begun(execution.record());
                self.go_on(&execution, invocation, false);
                lane.phase.send_replace(phase(&execution));
                *state = Some(execution);
                self.look.notify_one();
                Ok(Some(begun))
            }
            Ok(Outcome::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        };
        drop(state);
        self.give_back(&id, lane);
        begun
    }

    pub(crate) async fn wait(&self, id: &str) -> Result<ExecutionRecord, DurableError> {
        let lane = self.lane(id);
        let limit = Duration::from_secs(SYNC_EXECUTION_S_MAX.into());
        let ended = match tokio::time::timeout(limit, self.ended(id, &lane)).await {
            Ok(ended) => ended,
            Err(_) => Err(DurableError::TooLong),
        };
        self.give_back(id, lane);
        ended
    }

    async fn ended(&self, id: &str, lane: &crate::engine::Lane) -> Result<ExecutionRecord, DurableError> {
        let mut phase = lane.phase.subscribe();
        let mut stop = self.stop.subscribe();
        loop {
            let now = *phase.borrow_and_update();
            // While an invocation goes on, it has not ended.
            if now != Phase::Invoking {
                let known = self.store.load_execution(id.to_owned()).await?.ok_or(DurableError::NotFound)?;
                if known.execution.status.is_final() {
                    return Ok(known.execution);
                }
                if *stop.borrow() {
                    return Err(DurableError::Draining);
                }
            }
            tokio::select! {
                changed = phase.changed() => if changed.is_err() { return Err(DurableError::NotFound) },
                changed = stop.changed(), if now != Phase::Invoking => {
                    if changed.is_err() {
                        return Err(DurableError::Draining);
                    }
                }
            }
        }
    }
}

/// Returns what somebody who waited for an execution gets: what the function returned, or how it failed. The second says
/// whether it failed.
pub(crate) fn response(record: &ExecutionRecord) -> (Bytes, bool) {
    if record.status == ExecutionStatus::Succeeded {
        return (Bytes::from(record.result.clone().unwrap_or_else(|| "null".to_owned())), false);
    }
    let ErrorObject { error_message, error_type, error_data, stack_trace } =
        record.error.clone().unwrap_or_default();
    let mut error = json!({
        "errorType": error_type.unwrap_or_else(|| "Error".to_owned()),
        "errorMessage": error_message.unwrap_or_default(),
    });
    if let Some(data) = error_data {
        error["errorData"] = data.into();
    }
    if let Some(trace) = stack_trace {
        error["stackTrace"] = trace.into();
    }
    (Bytes::from(error.to_string()), true)
}

impl DurableExecutions {
    /// Answers somebody who waited for an execution.
    pub fn answer(
        &self,
        record: &ExecutionRecord,
        version: hearth_types::Version,
        trace: TraceHeader,
    ) -> InvokeResponse {
        let (payload, function_error) = response(record);
        InvokeResponse {
            payload,
            function_error,
            executed_version: version,
            log_tail: None,
            trace,
            why_cold: None,
        }
    }

    async fn run_to_the_end(
        &self,
        version: Arc<ResolvedVersion>,
        request: InvokeRequest,
    ) -> Result<InvokeResponse, DurableError> {
        let start = StartRequest { name: None, input: request.payload, trace: request.trace };
        let begun = self.begin(&version, start).await?;
        let record = self.wait(&begun.id).await?;
        Ok(self.answer(&record, version.version, trace(&begun.trace)))
    }

    async fn begin_of_event(
        &self,
        version: Arc<ResolvedVersion>,
        request: InvokeRequest,
    ) -> Result<InvokeResponse, DurableError> {
        // The event may come again, after a crash: it is the same execution.
        let name = Some(request.request_id.to_string());
        let start = StartRequest { name, input: request.payload, trace: request.trace };
        let begun = self.begin(&version, start).await?;
        Ok(InvokeResponse {
            payload: Bytes::from(json!({ "durableExecutionArn": begun.arn }).to_string()),
            function_error: false,
            executed_version: version.version,
            log_tail: None,
            trace: trace(&begun.trace),
            why_cold: None,
        })
    }
}

/// Returns a trace that was kept.
pub(crate) fn trace(text: &str) -> TraceHeader {
    TraceHeader::from_caller(text).unwrap_or_else(|| TraceHeader::generate(0))
}

impl DurableFunctions for DurableExecutions {
    fn run(
        &self,
        version: Arc<ResolvedVersion>,
        request: InvokeRequest,
    ) -> BoxFuture<'_, Result<InvokeResponse, InvokeError>> {
        Box::pin(async move { self.run_to_the_end(version, request).await.map_err(InvokeError::from) })
    }

    fn begin(
        &self,
        version: Arc<ResolvedVersion>,
        request: InvokeRequest,
    ) -> BoxFuture<'_, Result<InvokeResponse, InvokeError>> {
        Box::pin(async move { self.begin_of_event(version, request).await.map_err(InvokeError::from) })
    }
}

impl From<DurableError> for InvokeError {
    fn from(error: DurableError) -> Self {
        match error {
            DurableError::Resolve(error) => error.into(),
            DurableError::Draining => Self::Draining,
            error => {
                let mut text = error.to_string();
                let mut source = std::error::Error::source(&error);
                while let Some(cause) = source {
                    text.push_str(": ");
                    text.push_str(&cause.to_string());
                    source = cause.source();
                }
                Self::Service(text)
            }
        }
    }
}
