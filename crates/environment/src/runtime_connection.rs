//! What a runtime says on one of its connections, as calls.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hearth_types::RequestId;
use tokio::sync::oneshot;

use crate::environment::Environment;
use crate::invocation::{AnswerKind, Delivery};
use crate::machine::{Event, RuntimeAnswer};
use crate::runtime_state::Rejection;

/// The reply to a `/next`: what to wait for, or why not.
pub type NextReply = Result<oneshot::Receiver<Delivery>, Rejection>;

/// One connection of a runtime, as long as it is open. It belongs to the processes that ran when it was accepted: after a
/// reset it gets no more events.
#[derive(Clone)]
pub struct RuntimeConnection {
    environment: Arc<Environment>,
    generation: u32,
    connected: Arc<Connected>,
}

/// Lives as long as its connection: whoever holds a weak one can tell whether the connection is still there.
pub(crate) struct Connected;

impl RuntimeConnection {
    pub(crate) fn new(environment: Arc<Environment>, generation: u32) -> Self {
        Self { environment, generation, connected: Arc::new(Connected) }
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn connected(&self) -> &Arc<Connected> {
        &self.connected
    }

    /// The runtime asks for an event.
    pub fn next(&self, function_init_started: Option<Instant>) -> NextReply {
        let (next, delivery) = oneshot::channel();
        let event = |holder| Event::Next { function_init_started, holder };
        self.environment.hear_runtime(self, event, Some(next)).map(|()| delivery)
    }

    /// The runtime begins to report that Init failed: whether it may.
    pub fn begin_init_error(&self) -> Result<(), Rejection> {
        self.hear(Event::InitErrorBegins)
    }

    /// The runtime reports that Init failed.
    pub fn init_error(
        &self,
        function_init_started: Option<Instant>,
        error_type: String,
        payload: Bytes,
    ) -> Result<(), Rejection> {
        self.hear(Event::InitError { function_init_started, error_type, payload })
    }

    /// The runtime begins to send a response or an error.
    pub fn begin_answer(
        &self,
        request_id: Option<RequestId>,
        kind: AnswerKind,
    ) -> Result<OpenAnswer<'_>, Rejection> {
        self.hear(Event::AnswerBegins { request_id, kind })?;
        Ok(OpenAnswer { connection: self, is_finished: false })
    }

    fn hear(&self, event: Event) -> Result<(), Rejection> {
        self.environment.hear_runtime(self, |_| event, None)
    }
}

/// A response or an error that the runtime has begun to send. Dropped before it is finished, it was cut off.
#[must_use = "an answer that is dropped was cut off"]
pub struct OpenAnswer<'connection> {
    connection: &'connection RuntimeConnection,
    is_finished: bool,
}

impl OpenAnswer<'_> {
    /// It is complete, or will never be.
    pub fn finish(mut self, answer: RuntimeAnswer) -> Result<(), Rejection> {
        self.is_finished = true;
        self.connection.hear(Event::AnswerArrived(answer))
    }
}

impl Drop for OpenAnswer<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            // Its connection broke while nobody was reading from it. There is nobody to hear the reply.
            let _ = self.connection.hear(Event::AnswerArrived(RuntimeAnswer::Truncated));
        }
    }
}
