//! Reading a request's body, with limits on its size and on how long it may take.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use crate::room::Place;

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

/// How fast a body has to come while there is little room for others: slow ones make way. 2 Mbit/s.
const BYTES_PER_SECOND_WHEN_SCARCE: f64 = 262_144.0;
/// What a body may take in any case.
const GRACE_WHEN_SCARCE: Duration = Duration::from_secs(2);

/// How much of a body that is too long is read and dropped. Clients that listen only after they have sent everything
/// see a broken connection instead of the refusal when nobody reads the rest.
const DROPPED_BYTES_MAX: u64 = 256 << 20;

/// How long reading and dropping may take. Then the connection is broken after all.
const DROPPED_LIMIT: Duration = Duration::from_secs(10);

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

/// A body that somebody has read before its request was handed on. It goes along with the request.
#[derive(Clone)]
struct ReadAhead(Bytes);

/// Reads a body of at most `bytes_max`. A larger announced length is refused before anything is kept.
pub async fn read_body(mut request: Request<Incoming>, bytes_max: usize) -> Result<Bytes, BodyError> {
    match request.extensions_mut().remove::<ReadAhead>() {
        None => read_body_at(PACE, request, bytes_max).await,
        Some(ReadAhead(body)) if body.len() > bytes_max => {
            Err(BodyError::TooLong { bytes: body.len() as u64 })
        }
        Some(ReadAhead(body)) => Ok(body),
    }
}

/// Reads a body of at most `bytes_max` for somebody who has to see it before the request is answered, as who verifies a
/// signature. [`read_body`] gives it once more to whoever answers.
pub async fn read_ahead(request: &mut Request<Incoming>, bytes_max: usize) -> Result<Bytes, BodyError> {
    if let Some(ReadAhead(body)) = request.extensions().get() {
        return Ok(body.clone());
    }
    if request.body().is_end_stream() {
        return Ok(Bytes::new());
    }
    let body = read_from(PACE, request, bytes_max).await?;
    request.extensions_mut().insert(ReadAhead(body.clone()));
    Ok(body)
}

/// A body that is read piece by piece, by somebody who keeps none of it. It may be of any length, and has to come as fast
/// as any other.
pub struct BodyPieces {
    body: Incoming,
    ahead: Option<Bytes>,
    pace: Pace,
    /// What is left of the span of time, and what has to come in it. The clock stands while nobody waits for the client.
    left: Duration,
    wanted: usize,
    has_begun: bool,
}

impl BodyPieces {
    /// Takes the body of a request.
    pub fn of(mut request: Request<Incoming>) -> Self {
        let ahead = request.extensions_mut().remove::<ReadAhead>().map(|ReadAhead(body)| body);
        Self {
            body: request.into_body(),
            ahead,
            pace: PACE,
            left: PACE.window,
            wanted: PACE.bytes_min,
            has_begun: false,
        }
    }

    /// Returns what comes next. `None` is the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        loop {
            let asked = Instant::now();
            self.has_begun = true;
            let frame =
                tokio::time::timeout(self.left, self.body.frame()).await.map_err(|_| BodyError::TooSlow)?;
            self.left = self.left.saturating_sub(asked.elapsed());
            let Some(frame) = frame else { return Ok(None) };
            let Ok(data) = frame.map_err(BodyError::Incomplete)?.into_data() else { continue };
            self.wanted = self.wanted.saturating_sub(data.len());
            if self.wanted == 0 {
                (self.left, self.wanted) = (self.pace.window, self.pace.bytes_min);
            }
            return Ok(Some(data));
        }
    }

    /// Whether anything was asked of the client. One that waits for `100 Continue` has sent nothing before.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Reads the rest, and forgets it: clients that listen only when they have sent everything would not see a refusal.
    pub async fn drop_rest(mut self) {
        drop_rest(&mut self.body).await;
    }
}

/// Drops the body of a request that is refused without it. Clients that listen only after they have sent everything see a
/// broken connection instead of the refusal when nobody reads the rest.
pub async fn drop_body(request: Request<Incoming>) {
    // Who asks first whether to send has sent nothing.
    if !request.headers().contains_key(EXPECT) {
        drop_rest(&mut request.into_body()).await;
    }
}

async fn read_body_at(
    pace: Pace,
    mut request: Request<Incoming>,
    bytes_max: usize,
) -> Result<Bytes, BodyError> {
    read_from(pace, &mut request, bytes_max).await
}

async fn read_from(
    pace: Pace,
    request: &mut Request<Incoming>,
    bytes_max: usize,
) -> Result<Bytes, BodyError> {
    let waits_for_us = request.headers().contains_key(EXPECT);
    let mut place = Place::of(request);
    let body = request.body_mut();
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
        if place.is_scarce() && is_too_slow_when_scarce(bytes, started.elapsed()) {
            return Err(BodyError::TooSlow);
        }
        if collected.is_empty() {
            collected.reserve(announced.unwrap_or(0) as usize);
        }
        collected.extend_from_slice(&data);
        // A window that has brought enough is followed by a new one; one that has not runs out.
        if collected.len() >= bytes_wanted {
            (window_ends, bytes_wanted) = (Instant::now() + pace.window, collected.len() + pace.bytes_min);
        }
    }
    Ok(place.keep_with(collected.freeze()))
}

/// Whether a body that has brought so much in such a time makes way for others.
fn is_too_slow_when_scarce(bytes: usize, elapsed: Duration) -> bool {
    elapsed > GRACE_WHEN_SCARCE && (bytes as f64) < elapsed.as_secs_f64() * BYTES_PER_SECOND_WHEN_SCARCE
}

async fn drop_rest(body: &mut Incoming) {
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
