//! Who waits for the answer to an invocation, and gets it when its log is complete.

use hearth_types::ColdStart;
use tokio::sync::oneshot;

use super::Inner;
use super::actions::Afterwards;
use crate::invocation::{Answer, InvokeResult};
use crate::response_stream::BegunResponse;

pub(super) struct Caller {
    pub(super) reply: oneshot::Sender<InvokeResult>,
    /// Who hears when a response begins to stream; `None` for callers that want it whole, and once it has begun.
    pub(super) streaming: Option<oneshot::Sender<BegunResponse>>,
    pub(super) wants_log_tail: bool,
    /// Why its invocation is cold, as far as is known.
    pub(super) why_cold: Option<ColdStart>,
    /// The answer, while the log is not complete.
    pub(super) held: Option<Answer>,
}

impl Inner {
    /// Gives the caller its answer, or holds it until the log is complete.
    pub(super) fn answer(&mut self, result: InvokeResult, afterwards: &mut Afterwards) {
        let result = result.map(|answer| {
            let why_cold = self.caller.as_mut().and_then(|caller| caller.why_cold.take());
            Answer { why_cold, ..answer }
        });
        match (self.caller.take(), result) {
            (Some(mut caller), Ok(answer)) if caller.wants_log_tail => {
                caller.held = Some(answer);
                self.caller = Some(caller);
            }
            (Some(caller), result) => afterwards.answer = Some((caller.reply, result)),
            (None, _) => {}
        }
    }

    /// Gives the caller the answer that was held, with the log.
    pub(super) fn finish_caller(&mut self, afterwards: &mut Afterwards) {
        match self.caller.take() {
            Some(Caller { reply, held: Some(mut answer), .. }) => {
                answer.log_tail = Some(self.telemetry.take_tail());
                afterwards.answer = Some((reply, Ok(answer)));
            }
            other => {
                self.caller = other;
                self.telemetry.forget_tail();
            }
        }
    }
}
