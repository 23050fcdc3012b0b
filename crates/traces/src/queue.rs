//! What waits to be sent: invocations as spans, and how many spans were dropped because there was no room.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::otlp::ResourceSpans;

/// How many spans wait at most, or are being sent: about 20 MB. Ours: ten seconds of 200 warm calls a second and more.
const SPANS_MAX: usize = 16_384;

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Rung when there is something to send, or nothing more will come.
    pub(crate) rung: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<ResourceSpans>,
    /// How many spans wait, or are being sent.
    spans: usize,
    dropped: u64,
    is_closed: bool,
}

/// How many spans an invocation has.
pub(crate) fn count(invocation: &ResourceSpans) -> usize {
    invocation.scope_spans.iter().map(|scope| scope.spans.len()).sum()
}

impl Queue {
    /// Puts an invocation in; without room it is dropped and counted.
    pub(crate) fn put(&self, invocation: ResourceSpans) {
        let mut state = self.lock();
        let spans = count(&invocation);
        if state.is_closed || state.spans + spans > SPANS_MAX {
            state.dropped += spans as u64;
            return;
        }
        state.spans += spans;
        state.waiting.push_back(invocation);
        drop(state);
        self.rung.notify_one();
    }

    /// Takes invocations of about `spans_max` spans. They have their room until [`Queue::sent`].
    pub(crate) fn take(&self, spans_max: usize) -> Vec<ResourceSpans> {
        let mut state = self.lock();
        let (mut taken, mut spans) = (Vec::new(), 0);
        while spans < spans_max
            && let Some(invocation) = state.waiting.pop_front()
        {
            spans += count(&invocation);
            taken.push(invocation);
        }
        taken
    }

    /// Gives the room of `spans` back, of which so many are dropped.
    pub(crate) fn sent(&self, spans: usize, dropped: u64) {
        let mut state = self.lock();
        state.spans = state.spans.saturating_sub(spans);
        state.dropped += dropped;
    }

    /// Takes nothing more.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.rung.notify_one();
    }

    /// Whether nothing waits, and whether nothing more will come.
    pub(crate) fn is_empty_and_closed(&self) -> (bool, bool) {
        let state = self.lock();
        (state.waiting.is_empty(), state.is_closed)
    }

    /// Returns how many spans were dropped since it was asked last.
    pub(crate) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.lock().dropped)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::{ScopeSpans, Span};

    #[test]
    fn what_has_no_room_is_dropped_and_counted_and_room_comes_back_when_spans_are_sent() {
        let of = |spans| ResourceSpans {
            resource: None,
            scope_spans: vec![ScopeSpans { scope: None, spans: vec![Span::default(); spans] }],
        };
        let queue = Queue::default();
        (0..5).for_each(|_| queue.put(of(4_000)));
        assert_eq!(queue.take_dropped(), 4_000);
        let taken = queue.take(5_000);
        assert_eq!(taken.len(), 2);
        queue.put(of(4_000));
        assert_eq!(queue.take_dropped(), 4_000, "what is being sent has its room");
        queue.sent(8_000, 3);
        queue.put(of(8_000));
        assert_eq!((queue.take_dropped(), queue.is_empty_and_closed()), (3, (false, false)));
        queue.close();
        queue.put(of(1));
        assert_eq!((queue.take_dropped(), queue.take(usize::MAX).len()), (1, 3));
        assert_eq!(queue.is_empty_and_closed(), (true, true));
    }
}
