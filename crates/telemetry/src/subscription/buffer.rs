//! What waits for one subscriber: bounded, and sent when enough has gathered or it has waited long enough.
//!
//! Whoever puts something in never waits. What finds no place is dropped and counted, and so is a batch that cannot be
//! delivered; the next batch that arrives tells the subscriber how much it was.

use std::collections::VecDeque;
use std::time::Instant;

use super::request::Buffering;
use crate::platform_event::Dropped;

/// How many times a batch's limit may wait, in bytes. Source: AWS documents that a batch may grow to about twice its
/// limit; ours waits outside of the batch. A single event always finds a place when nothing waits, and is at most 1.6 MB
/// (a log event of 256 KiB whose every byte needs six in JSON). So one subscription holds less than 4 MiB: as much as
/// waits, and the batch that is under way.
const WAITING_BATCHES_MAX: usize = 2;
/// What an event costs besides its bytes.
const EVENT_OVERHEAD_BYTES: usize = 64;

/// Events that wait.
#[derive(Debug)]
pub(super) struct Buffer {
    limits: Buffering,
    waiting: VecDeque<Vec<u8>>,
    /// The sum of their lengths.
    bytes: usize,
    /// Since when the first of them waits.
    since: Option<Instant>,
    /// Nothing waits for company: what is there is sent.
    is_hurried: bool,
    /// A batch was taken, and has neither arrived nor been given up.
    is_under_way: bool,
    /// What the subscriber has not been told of.
    dropped: Dropped,
    /// What the function's log does not tell of.
    unlogged: Dropped,
}

/// When something has to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Now,
    At(Instant),
    Never,
}

/// Events that are sent together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// Never empty.
    pub(super) events: Vec<Vec<u8>>,
    /// What it has to tell of.
    pub(super) dropped: Dropped,
}

impl Batch {
    /// Returns what is lost if it does not arrive.
    pub(super) fn loss(&self) -> Dropped {
        let bytes: usize = self.events.iter().map(Vec::len).sum();
        Dropped { records: self.events.len() as u64, bytes: bytes as u64 }
    }
}

impl Buffer {
    pub(super) fn new(limits: Buffering) -> Self {
        Self {
            limits,
            waiting: VecDeque::new(),
            bytes: 0,
            since: None,
            is_hurried: false,
            is_under_way: false,
            dropped: Dropped::default(),
            unlogged: Dropped::default(),
        }
    }

    /// Counts an event of at least so many bytes as dropped if there is no room for it. Returns whether there is: only
    /// then it is worth being written.
    pub(super) fn has_room(&mut self, bytes: usize) -> bool {
        let room = WAITING_BATCHES_MAX * self.limits.bytes_max;
        let used = self.bytes + self.waiting.len() * EVENT_OVERHEAD_BYTES;
        let fits = self.waiting.is_empty() || used + bytes + EVENT_OVERHEAD_BYTES <= room;
        if !fits {
            self.note_dropped(Dropped { records: 1, bytes: bytes as u64 });
        }
        fits
    }

    /// Takes an event, or counts it as dropped. Returns whether the sender has to look again.
    pub(super) fn push(&mut self, now: Instant, event: Vec<u8>) -> bool {
        if !self.has_room(event.len()) {
            return false;
        }
        self.bytes += event.len();
        self.waiting.push_back(event);
        let is_first = self.since.is_none();
        self.since.get_or_insert(now);
        is_first || self.is_full()
    }

    /// Counts what got lost on the way here or from here.
    pub(super) fn note_dropped(&mut self, dropped: Dropped) {
        self.dropped.add(dropped);
        self.unlogged.add(dropped);
    }

    /// The batch did not arrive: what it had is lost, and what it would have told is still to be told.
    pub(super) fn give_up(&mut self, told: Dropped, lost: Dropped) {
        self.dropped.add(told);
        self.note_dropped(lost);
    }

    /// Sends what waits now, without waiting for more.
    pub(super) fn hurry(&mut self) {
        self.is_hurried = !self.waiting.is_empty();
    }

    /// The batch that was taken has arrived, or has been given up.
    pub(super) fn end_batch(&mut self) {
        self.is_under_way = false;
    }

    /// Whether a batch is on its way, or is to go at once.
    pub(super) fn is_delivering(&self) -> bool {
        self.is_under_way || self.is_hurried
    }

    pub(super) fn due(&self, now: Instant) -> Due {
        let Some(since) = self.since else { return Due::Never };
        let at = since + self.limits.timeout;
        if self.is_hurried || self.is_full() || at <= now { Due::Now } else { Due::At(at) }
    }

    /// Takes the oldest events, up to the limits of a batch; the last one may go beyond the bytes. `None` when there are
    /// none.
    pub(super) fn take(&mut self, now: Instant) -> Option<Batch> {
        let mut events = Vec::new();
        let mut bytes = 0;
        while events.len() < self.limits.items_max && bytes < self.limits.bytes_max {
            let Some(event) = self.waiting.pop_front() else { break };
            bytes += event.len();
            events.push(event);
        }
        self.bytes -= bytes;
        self.is_hurried &= !self.waiting.is_empty();
        // What is left came later; it waits its time from now on.
        self.since = (!self.waiting.is_empty()).then_some(now);
        self.is_under_way = !events.is_empty();
        (!events.is_empty()).then(|| Batch { events, dropped: std::mem::take(&mut self.dropped) })
    }

    /// Takes what the function's log has to tell of.
    pub(super) fn take_unlogged(&mut self) -> Dropped {
        std::mem::take(&mut self.unlogged)
    }

    fn is_full(&self) -> bool {
        self.waiting.len() >= self.limits.items_max || self.bytes >= self.limits.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: Buffering =
        Buffering { items_max: 1_000, bytes_max: 262_144, timeout: Duration::from_millis(100) };

    #[test]
    fn a_batch_is_due_at_whichever_limit_comes_first() {
        let now = Instant::now();
        let mut buffer = Buffer::new(LIMITS);
        assert_eq!(buffer.due(now), Due::Never);
        assert!(buffer.push(now, vec![b'x'; 10]), "the first one sets the timer");
        assert!(!buffer.push(now + Duration::from_millis(60), vec![b'x'; 10]));
        assert_eq!(buffer.due(now), Due::At(now + LIMITS.timeout));
        assert_eq!(buffer.due(now + LIMITS.timeout), Due::Now);
        for _ in 2..LIMITS.items_max - 1 {
            assert!(!buffer.push(now, vec![b'x'; 10]));
        }
        assert!(buffer.push(now, vec![b'x'; 10]), "as many as a batch may have");
        assert_eq!(buffer.due(now), Due::Now);
        assert_eq!(buffer.take(now).unwrap().events.len(), 1_000);
        assert_eq!((buffer.due(now), buffer.take(now)), (Due::Never, None));

        buffer.push(now, vec![b'x'; 100]);
        assert!(buffer.push(now, vec![b'x'; LIMITS.bytes_max]));
        assert_eq!(buffer.due(now), Due::Now);
    }

    #[test]
    fn hurried_means_once() {
        let now = Instant::now();
        let mut buffer = Buffer::new(LIMITS);
        buffer.hurry();
        buffer.push(now, vec![b'x']);
        assert_eq!(buffer.due(now), Due::At(now + LIMITS.timeout));
        buffer.hurry();
        assert_eq!(buffer.due(now), Due::Now);
        buffer.take(now);
        buffer.push(now, vec![b'x']);
        assert_eq!(buffer.due(now), Due::At(now + LIMITS.timeout));
    }

    #[test]
    fn what_is_lost_is_told_with_the_next_batch_until_one_arrives() {
        let now = Instant::now();
        let mut buffer = Buffer::new(LIMITS);
        while buffer.dropped.is_none() {
            buffer.push(now, vec![b'x'; 1_000]);
        }
        let one = Dropped { records: 1, bytes: 1_000 };
        let batch = buffer.take(now).unwrap();
        assert_eq!(batch.dropped, one);
        let loss = batch.loss();
        buffer.give_up(batch.dropped, loss);
        let batch = buffer.take(now).unwrap();
        let sum = Dropped { records: loss.records + 1, bytes: loss.bytes + 1_000 };
        assert_eq!(batch.dropped, sum);
        assert_eq!(buffer.take_unlogged(), sum);
        assert_eq!(buffer.take_unlogged(), Dropped::default());
        buffer.push(now, vec![b'x']);
        while let Some(batch) = buffer.take(now) {
            assert_eq!(batch.dropped, Dropped::default());
        }
    }

    /// Whatever comes in whatever order: nothing is lost uncounted, order is kept, and the bound holds.
    #[test]
    fn every_event_arrives_in_order_or_is_counted() {
        // A plain generator: the same sequences in every run.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for _ in 0..200 {
            let start = Instant::now();
            let mut now = start;
            let mut buffer = Buffer::new(LIMITS);
            let (mut put, mut arrived, mut told) = (0_u64, Vec::new(), Dropped::default());
            let mut lost = Dropped::default();
            let mut unlogged = Dropped::default();
            for _ in 0..random(400) {
                now += Duration::from_millis(random(20));
                match random(10) {
                    0..=6 => {
                        let length = if random(20) == 0 { random(1_600_000) } else { random(4_000) };
                        let mut event = vec![0; 8 + length as usize];
                        event[..8].copy_from_slice(&put.to_be_bytes());
                        put += 1;
                        buffer.push(now, event);
                    }
                    7 => buffer.hurry(),
                    8 => unlogged.add(buffer.take_unlogged()),
                    _ if buffer.due(now) == Due::Now => {
                        let batch = buffer.take(now).unwrap();
                        if random(3) == 0 {
                            lost.add(batch.loss());
                            buffer.give_up(batch.dropped, batch.loss());
                        } else {
                            told.add(batch.dropped);
                            arrived.extend(batch.events);
                        }
                    }
                    _ => {}
                }
                let sum: usize = buffer.waiting.iter().map(Vec::len).sum();
                assert_eq!(sum, buffer.bytes);
                assert!(buffer.waiting.len() <= 1 || sum <= 2 * LIMITS.bytes_max, "{sum} bytes wait");
            }
            while let Some(batch) = buffer.take(now) {
                told.add(batch.dropped);
                arrived.extend(batch.events);
            }
            told.add(buffer.dropped);
            unlogged.add(buffer.take_unlogged());
            let numbers: Vec<u64> =
                arrived.iter().map(|event| u64::from_be_bytes(event[..8].try_into().unwrap())).collect();
            assert!(numbers.is_sorted(), "{numbers:?}");
            assert_eq!(arrived.len() as u64 + told.records, put);
            assert_eq!(told, unlogged);
            assert!(told.records >= lost.records);
        }
    }
}
