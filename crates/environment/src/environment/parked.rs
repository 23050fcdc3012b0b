//! The runtime's `/next` that wait for an event, and who has got it.

use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::oneshot;

use super::{Environment, Inner};
use crate::invocation::{Delivery, Invocation};
use crate::runtime_connection::{Connected, RuntimeConnection};

/// How many `/next` may wait at once. One is usual; a runtime with threads may have a few.
const PARKED_MAX: usize = 64;

/// A `/next` that waits, and the connection that it came on.
pub(crate) struct Parked {
    pub(super) reply: oneshot::Sender<Delivery>,
    pub(super) connected: Weak<Connected>,
}

impl Environment {
    pub(super) fn deliver(&self, inner: &mut Inner, now: Instant, invocation: Invocation) {
        let deadline = inner.machine.running().map_or(now, |(_, deadline)| deadline);
        let mut delivery = Delivery {
            request_id: invocation.request_id,
            deadline_epoch_ms: self.clock.epoch_ms_at(deadline, now),
            invoked_function_arn: invocation.invoked_function_arn,
            trace: invocation.delivered_trace,
            client_context: invocation.client_context,
            content_type: invocation.content_type,
            payload: invocation.payload,
        };
        inner.holder = None;
        while let Some(Parked { reply, connected }) = inner.parked.pop_front() {
            match reply.send(delivery) {
                Ok(()) => {
                    inner.holder = Some(connected);
                    return;
                }
                // That connection is gone. If it was the last, the next `/next` gets the event.
                Err(returned) => delivery = returned,
            }
        }
    }
}

impl Inner {
    pub(super) fn is_held_by_another(&self, connection: &RuntimeConnection) -> bool {
        let connected = Arc::as_ptr(connection.connected());
        // A weak one keeps the address taken: no later connection can have the same.
        self.holder.as_ref().is_some_and(|holder| !std::ptr::eq(holder.as_ptr(), connected))
    }

    pub(super) fn has_parked(&self) -> bool {
        self.parked.iter().any(|parked| !parked.reply.is_closed())
    }

    pub(super) fn park(&mut self, next: Parked) {
        self.parked.retain(|parked| !parked.reply.is_closed());
        if self.parked.len() >= PARKED_MAX {
            self.parked.pop_front();
        }
        self.parked.push_back(next);
    }
}
