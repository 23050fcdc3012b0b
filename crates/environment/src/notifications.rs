//! The events of extensions, between the state machine and their parked `event/next`.

use std::collections::HashMap;

use hearth_types::{ExtensionId, RequestId, TraceHeader};
use tokio::sync::oneshot;

use crate::event::ShutdownEventReason;

/// What an extension gets as the answer to `event/next`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// An invocation begins.
    Invoke {
        /// When it times out, in milliseconds since 1970.
        deadline_epoch_ms: i64,
        /// Which one.
        request_id: RequestId,
        /// The ARN as the caller named it.
        invoked_function_arn: String,
        /// The trace it belongs to.
        trace: TraceHeader,
    },
    /// The environment ends.
    Shutdown {
        /// Why.
        reason: ShutdownEventReason,
        /// When it is killed, in milliseconds since 1970.
        deadline_epoch_ms: i64,
    },
}

/// For each extension, who waits for an event, or which event waits for somebody.
#[derive(Default)]
pub(crate) struct Notifications(HashMap<ExtensionId, Place>);

enum Place {
    Parked(oneshot::Sender<Notification>),
    Waiting(Notification),
}

impl Notifications {
    /// Forgets everything: other processes are going to be started.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the event that waits for this extension.
    pub(crate) fn take(&mut self, extension: ExtensionId) -> Option<Notification> {
        match self.0.remove(&extension)? {
            Place::Waiting(notification) => Some(notification),
            parked @ Place::Parked(_) => {
                self.0.insert(extension, parked);
                None
            }
        }
    }

    /// Lets a poll wait. An earlier one of the same extension waits no more: its client has given it up.
    pub(crate) fn park(&mut self, extension: ExtensionId, reply: oneshot::Sender<Notification>) {
        self.0.insert(extension, Place::Parked(reply));
    }

    /// Hands over an event, or keeps it for the next poll. The last one counts: whoever has missed an invocation and is told
    /// of the end needs to hear of the end.
    pub(crate) fn send(&mut self, extension: ExtensionId, notification: Notification) {
        let unsent = match self.0.remove(&extension) {
            Some(Place::Parked(reply)) => reply.send(notification).err(),
            Some(Place::Waiting(_)) | None => Some(notification),
        };
        if let Some(notification) = unsent {
            self.0.insert(extension, Place::Waiting(notification));
        }
    }
}
