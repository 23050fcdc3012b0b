//! Reading a request's body, with limits on its size and on how long it may take.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// How fast a body has to come. One that dribbles keeps what it has brought in our memory, and may hold the place of an
/// upload. 64 kbit/s is slower than any line that an upload of megabytes is tried on.
const PACE: Pace = Pace { window: Duration::from_secs(20), bytes_min: 160 << 10 };

/// How long any body may take: 70 MB at 1 Mbit/s are ten minutes.
const WHOLE_LIMIT: Duration = Duration::from_secs(900);

/// So many bytes at least in each such span of time, or the end of the body.
#[derive(Debug, Clone, Copy)]
struct Pace {
    window: Duration,
    bytes_min: usize,
}

/// How much of a body that is too long is read and dropped. Clients that listen only after they have sent everything
/// see a broken connection instead of the refusal when nobody reads the rest.
const DROPPED_BYTES_MAX: u64 = 256 << 20;

/// How long reading and dropping may take. Then the connection is broken after all.
const DROPPED_LIMIT: Duration = Duration::from_secs(10);

/// How much of all bodies that are still being read is kept at once; whoever has no room left waits, within the limits
/// above. Seven uploads of 70 MB, or 80 events of 6 MB. Ours: without it, every connection could fill 70 MB.
const ROOM_KIB: usize = 512 << 10;
/// A body that announces less takes no part in that: it comes in one piece mostly.
const SMALL_BYTES_MAX: u64 = 64 << 10;

/// The room for bodies that are being read, of one server.
#[derive(Debug, Clone)]
pub(crate) struct BodyRoom(Arc<Semaphore>);

impl Default for BodyRoom {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM_KIB)))
    }
}

impl BodyRoom {
    /// Goes along with a request whose body may be large.
    pub(crate) fn go_along(&self, request: &mut Request<Incoming>) {
        if request.body().size_hint().upper().is_none_or(|bytes| bytes > SMALL_BYTES_MAX) {
            request.extensions_mut().insert(self.clone());
        }
    }
}

/// The part of the room that one body takes.
struct Place<'room> {
    room: Option<&'room Semaphore>,
    taken: Option<SemaphorePermit<'room>>,
    kib: usize,
}

impl<'room> Place<'room> {
    /// Waits until there is room for `bytes` in all.
    async fn grow_to(&mut self, bytes: usize) {
        let (Some(room), kib) = (self.room, bytes.div_ceil(1 << 10)) else { return };
        if kib > self.kib {
            let more = u32::try_from(kib - self.kib).unwrap_or(u32::MAX);
            let permit = room.acquire_many(more).await.expect("nobody closes the semaphore");
            match &mut self.taken {
                Some(taken) => taken.merge(permit),
                none => *none = Some(permit),
            }
            self.kib = kib;
        }
    }
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is longer than allowed. What had come was dropped.
    #[error("the body is too long")]
    TooLong {
        /// The announced length, or how much had come when the limit was passed.
        bytes: u64,
    },
    /// It ended early, or its framing is wrong.
    #[error("the body is not complete")]
    Incomplete(#[source] hyper::Error),
    /// The client has stopped sending, or sends too slowly.
    #[error("the body takes too long")]
    TooSlow,
}

/// Reads a body of at most `bytes_max`. A larger announced length is refused before anything is kept.
pub async fn read_body(request: Request<Incoming>, bytes_max: usize) -> Result<Bytes, BodyError> {
    read_body_at(PACE, request, bytes_max).await
}

async fn read_body_at(pace: Pace, request: Request<Incoming>, bytes_max: usize) -> Result<Bytes, BodyError> {
    let waits_for_us = request.headers().contains_key(EXPECT);
    let room = request.extensions().get::<BodyRoom>().cloned();
    let mut place = Place { room: room.as_ref().map(|room| &*room.0), taken: None, kib: 0 };
    let mut body = request.into_body();
    let announced = body.size_hint().exact();
    if let Some(bytes) = announced.filter(|&bytes| bytes > bytes_max as u64) {
        // Who asks first whether to send (`Expect: 100-continue`) has sent nothing, and reading would ask for it.
        if !waits_for_us {
            drop_rest(body).await;
        }
        return Err(BodyError::TooLong { bytes });
    }
    let mut collected = BytesMut::new();
    let started = Instant::now();
    let (mut window_ends, mut bytes_wanted) = (started + pace.window, pace.bytes_min);
    loop {
        let limit = window_ends.min(started + WHOLE_LIMIT);
        let frame = tokio::time::timeout_at(limit, body.frame()).await.map_err(|_| BodyError::TooSlow)?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(BodyError::Incomplete)?.into_data() else { continue };
        // Most bodies come in one piece, and need no copy then.
        if collected.is_empty() && announced == Some(data.len() as u64) {
            return Ok(data);
        }
        let bytes = collected.len() + data.len();
        if bytes > bytes_max {
            drop(collected);
            drop_rest(body).await;
            return Err(BodyError::TooLong { bytes: bytes as u64 });
        }
        tokio::time::timeout_at(limit, place.grow_to(bytes)).await.map_err(|_| BodyError::TooSlow)?;
        if collected.is_empty() {
            collected.reserve(announced.unwrap_or(0) as usize);
        }
        collected.extend_from_slice(&data);
        // A window that has brought enough is followed by a new one; one that has not runs out.
        if collected.len() >= bytes_wanted {
            (window_ends, bytes_wanted) = (Instant::now() + pace.window, collected.len() + pace.bytes_min);
        }
    }
    Ok(collected.freeze())
}

async fn drop_rest(mut body: Incoming) {
    let dropping = async {
        let mut left = DROPPED_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    let _ = tokio::time::timeout(DROPPED_LIMIT, dropping).await;
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
