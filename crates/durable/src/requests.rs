//! What functions and clients ask of executions: checkpoints, states, callbacks, histories, lists, and their end.

use hearth_store::{ErrorObject, ExecutionFilter, ExecutionRecord, HistoryRecord, LoadedExecution, Outcome};

use crate::arn::DurableExecutionArn;
use crate::checkpoint::Checkpointed;
use crate::engine::{DurableError, DurableExecutions};
use crate::execution::{CallbackError, Execution, OperationEnd};
use crate::paging::Page;
use crate::token::read_callback_id;
use crate::update::OperationUpdate;

impl DurableExecutions {
    /// Returns the ARN of an execution.
    pub fn arn_of(&self, record: &ExecutionRecord) -> String {
        let ExecutionRecord { function, version, name, id, .. } = record;
        self.shared.arn(function, version, name, id)
    }

    /// Checks that an ARN is of this account and region.
    fn check(&self, arn: &DurableExecutionArn) -> Result<(), DurableError> {
        let ours = self.shared.functions.settings();
        let is_ours = arn.region == ours.region && arn.account == ours.account;
        if is_ours { Ok(()) } else { Err(DurableError::NotFound) }
    }

    /// Does something to the execution of an ARN.
    async fn with<T>(
        &self,
        arn: &DurableExecutionArn,
        work: impl FnOnce(&mut Execution, i64) -> Result<T, DurableError>,
    ) -> Result<T, DurableError> {
        self.check(arn)?;
        self.shared
            .with(&arn.id, |execution, now_ms| {
                check_is(execution.record(), arn)?;
                work(execution, now_ms)
            })
            .await
    }

    /// Applies a checkpoint: when this returns, it is on disk.
    pub async fn checkpoint(
        &self,
        arn: &DurableExecutionArn,
        token: &str,
        updates: Vec<OperationUpdate>,
        client_token: Option<&str>,
    ) -> Result<Checkpointed, DurableError> {
        let find = |function: &str| self.shared.find_target(function);
        let (checkpointed, open) = self
            .with(arn, |execution, now_ms| {
                let done = execution.checkpoint(token, updates, client_token, &find, now_ms)?;
                let open = match done.chained.is_empty() {
                    true => Vec::new(),
                    false => execution.open_chained(),
                };
                Ok((done, open))
            })
            .await?;
        let begun = open.into_iter().filter(|open| checkpointed.chained.contains(open.operation()));
        self.shared.chain(&arn.id, begun.collect());
        Ok(checkpointed)
    }

    /// Returns a page of operations to an invocation that goes on.
    pub async fn state(
        &self,
        arn: &DurableExecutionArn,
        token: &str,
        marker: Option<&str>,
        most: usize,
    ) -> Result<Page, DurableError> {
        self.with(arn, |execution, _| Ok(execution.state(token, marker, most)?)).await
    }

    /// Returns an execution, as it is on disk.
    pub async fn get(&self, arn: &DurableExecutionArn) -> Result<Execution, DurableError> {
        self.check(arn)?;
        let LoadedExecution { execution, operations, .. } =
            self.shared.store.load_execution(arn.id.clone()).await?.ok_or(DurableError::NotFound)?;
        check_is(&execution, arn)?;
        Ok(Execution::load(execution, operations))
    }

    /// Returns at most `limit` events of the history of an execution, from the event `from` on: upwards, or downwards.
    pub async fn history(
        &self,
        arn: &DurableExecutionArn,
        from: u64,
        downwards: bool,
        limit: u32,
    ) -> Result<Vec<HistoryRecord>, DurableError> {
        self.get(arn).await?;
        Ok(self.shared.store.history(arn.id.clone(), from, downwards, limit).await?)
    }

    /// Returns executions of a function.
    pub async fn list(&self, filter: ExecutionFilter) -> Result<Vec<ExecutionRecord>, DurableError> {
        Ok(self.shared.store.list_executions(filter).await?)
    }

    /// Stops an execution, and returns when it ended, in milliseconds since 1970.
    pub async fn stop_execution(
        &self,
        arn: &DurableExecutionArn,
        error: Option<ErrorObject>,
    ) -> Result<i64, DurableError> {
        self.with(arn, |execution, now_ms| Ok(execution.stop(error, now_ms))).await
    }

    /// Lets an execution rest.
    pub async fn pause(
        &self,
        arn: &DurableExecutionArn,
        reason: Option<String>,
        timeout_paused: bool,
    ) -> Result<(), DurableError> {
        self.with(arn, |execution, now_ms| Ok(execution.pause(reason, timeout_paused, now_ms)?)).await
    }

    /// Goes on with an execution that rests.
    pub async fn resume(
        &self,
        arn: &DurableExecutionArn,
        reason: Option<String>,
    ) -> Result<(), DurableError> {
        self.with(arn, |execution, now_ms| Ok(execution.resume(reason, now_ms)?)).await
    }

    /// Removes an execution that has ended, and returns when, in milliseconds since 1970.
    pub async fn delete(&self, arn: &DurableExecutionArn) -> Result<i64, DurableError> {
        let now_ms = self
            .with(arn, |execution, now_ms| match execution.record().status.is_final() {
                true => Ok(now_ms),
                false => Err(DurableError::Running),
            })
            .await?;
        match self.shared.store.remove_execution(arn.id.clone()).await? {
            Outcome::Done => Ok(now_ms),
            Outcome::Conflict => Err(DurableError::NotFound),
        }
    }

    /// Answers a callback.
    pub async fn answer_callback(&self, callback_id: &str, end: OperationEnd) -> Result<(), DurableError> {
        let (execution, operation) = read_callback_id(callback_id).ok_or(CallbackError::NotFound)?;
        self.shared
            .with(&execution, |execution, now_ms| Ok(execution.answer_callback(&operation, end, now_ms)?))
            .await
    }

    /// Hears that the answer to a callback is still to come.
    pub async fn hear_of_callback(&self, callback_id: &str) -> Result<(), DurableError> {
        let (execution, operation) = read_callback_id(callback_id).ok_or(CallbackError::NotFound)?;
        self.shared
            .with(&execution, |execution, now_ms| Ok(execution.hear_of_callback(&operation, now_ms)?))
            .await
    }
}

fn check_is(record: &ExecutionRecord, arn: &DurableExecutionArn) -> Result<(), DurableError> {
    let is_it =
        record.function == arn.function.as_str() && record.version == arn.version && record.name == arn.name;
    if is_it { Ok(()) } else { Err(DurableError::NotFound) }
}
