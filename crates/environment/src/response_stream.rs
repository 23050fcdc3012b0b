//! A response that goes to the caller while the function still produces it.
//!
//! The bytes go from the runtime's connection to the caller through a bounded channel, past the state machine: that one
//! hears when a response begins and how it ended. A caller that reads slowly makes the runtime wait, as on AWS; one that
//! has hung up makes nobody wait, and the function runs to its end.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::invocation::InvokeResult;

/// How many pieces wait for a caller that reads slowly; then the runtime waits. A piece is what one read of its connection
/// brought: up to 1 MB, mostly a few KB.
const PIECES_MAX: usize = 8;

/// What a caller waits for who takes the response as it comes.
pub struct StreamingReply {
    /// Comes first when the function streams; does not come when it answers at once.
    pub began: oneshot::Receiver<BegunResponse>,
    /// The answer. When a stream began, it comes after the last byte, and its payload is empty unless the function failed.
    pub answer: oneshot::Receiver<InvokeResult>,
}

/// A response whose bytes are on their way.
#[derive(Debug)]
pub struct BegunResponse {
    /// What the runtime says it is.
    pub content_type: Option<String>,
    /// Its bytes. Closed when there are no more, whether it is complete or not.
    pub pieces: mpsc::Receiver<Bytes>,
}

/// Where the runtime's connection puts the bytes of a response.
pub struct ResponseSender(Option<mpsc::Sender<Bytes>>);

impl ResponseSender {
    /// Begins a response for whoever waits for it.
    pub(crate) fn begin(caller: oneshot::Sender<BegunResponse>, content_type: Option<String>) -> Self {
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        Self(caller.send(BegunResponse { content_type, pieces }).is_ok().then_some(sender))
    }

    /// Hands a piece on, when there is room for it. For a caller that has hung up it is forgotten.
    pub async fn send(&mut self, piece: Bytes) {
        if let Some(sender) = &self.0
            && sender.send(piece).await.is_err()
        {
            self.0 = None;
        }
    }
}
