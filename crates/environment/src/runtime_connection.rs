//! What a runtime says on one of its connections, as calls.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hearth_types::RequestId;
use tokio::sync::oneshot;

use crate::environment::Environment;
use crate::invocation::{AnswerKind, Delivery};
use crate::machine::{Event, RuntimeAnswer};
use crate::parts::FunctionFacts;
use crate::response_stream::ResponseSender;
use crate::runtime_state::Rejection;

/// One connection of a runtime, as long as it is open. It belongs to the processes that ran when it was accepted: after a
/// reset it gets no more events.
#[derive(Clone)]
pub struct RuntimeConnection {
    environment: Arc<Environment>,
    generation: u32,
    connected: Arc<Connected>,
}

/// Stands for one connection: two are the same when their addresses are.
pub(crate) struct Connected {
    /// Something without a size has no address of its own.
    _is_somewhere: u8,
}

impl RuntimeConnection {
    pub(crate) fn new(environment: Arc<Environment>, generation: u32) -> Self {
        Self { environment, generation, connected: Arc::new(Connected { _is_somewhere: 0 }) }
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn environment(&self) -> &Arc<Environment> {
        &self.environment
    }

    pub(crate) fn connected(&self) -> &Arc<Connected> {
        &self.connected
    }

    /// Returns the facts of the function that the processes may know.
    pub fn function(&self) -> &FunctionFacts {
        self.environment.function()
    }

    /// The runtime asks for an event.
    pub fn next(&self, function_init_started: Option<Instant>) -> Result<ParkedNext<'_>, Rejection> {
        let (next, delivery) = oneshot::channel();
        let event = |holder| Event::Next { function_init_started, holder };
        self.environment.hear_runtime(self, event, Some(next))?;
        Ok(ParkedNext { connection: self, delivery })
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

    pub(crate) fn hear(&self, event: Event) -> Result<(), Rejection> {
        self.environment.hear_runtime(self, |_| event, None)
    }
}

/// A `/next` that waits for its event. Dropped before it has one, its connection is gone.
pub struct ParkedNext<'connection> {
    connection: &'connection RuntimeConnection,
    delivery: oneshot::Receiver<Delivery>,
}

impl ParkedNext<'_> {
    /// Waits for the event, for hours if need be. `Ending`: the environment is gone, and there will be none.
    pub async fn event(mut self) -> Result<Delivery, Rejection> {
        (&mut self.delivery).await.map_err(|_| Rejection::Ending)
    }
}

impl Drop for ParkedNext<'_> {
    fn drop(&mut self) {
        self.delivery.close();
        // It came, and nobody took it out.
        if self.delivery.try_recv().is_ok() {
            self.connection.environment.take_back_event(self.connection);
        }
    }
}

/// A response or an error that the runtime has begun to send. Dropped before it is finished, it was cut off.
#[must_use = "an answer that is dropped was cut off"]
pub struct OpenAnswer<'connection> {
    connection: &'connection RuntimeConnection,
    is_finished: bool,
}

impl OpenAnswer<'_> {
    /// The response comes in a stream: returns where its bytes go, unless the caller wants it whole.
    pub fn stream(&self, content_type: Option<String>) -> Option<ResponseSender> {
        self.connection.environment.begin_stream(self.connection, content_type)
    }

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
