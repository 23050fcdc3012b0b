//! How much of all bodies is in memory at once: without a limit for them together, each connection could fill 70 MB.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much of all bodies that are being read is kept at once, unless a server is told otherwise; whoever finds no room
/// waits, within the limits of a body. Seven uploads of 70 MB, or 80 events of 6 MB. Ours.
pub(crate) const ROOM_KIB: usize = 512 << 10;
/// Below this part of it there is little room left.
const SCARCE_PART: usize = 4;
/// A body that announces less takes no part in that: it comes in one piece mostly.
const SMALL_BYTES_MAX: u64 = 64 << 10;
/// A body from here on is an upload, and keeps its place until it has been worked on. Events are smaller: they may live as
/// long as their call, and how many there are is a matter of concurrency.
const KEPT_BYTES_MIN: usize = 8 << 20;

/// The room for bodies, of one server.
#[derive(Debug, Clone)]
pub(crate) struct BodyRoom {
    pub(crate) free: Arc<Semaphore>,
    scarce_kib: usize,
}

impl BodyRoom {
    /// Makes room for so much.
    pub(crate) fn of(kib: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(kib)), scarce_kib: kib / SCARCE_PART }
    }

    /// Goes along with a request whose body may be large.
    pub(crate) fn go_along(&self, request: &mut Request<Incoming>) {
        if request.body().size_hint().upper().is_none_or(|bytes| bytes > SMALL_BYTES_MAX) {
            request.extensions_mut().insert(self.clone());
        }
    }
}

/// The part of the room that one body takes. Small bodies take none.
pub(crate) struct Place {
    room: Option<BodyRoom>,
    taken: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// Begins with nothing taken.
    pub(crate) fn of(request: &Request<Incoming>) -> Self {
        Self { room: request.extensions().get::<BodyRoom>().cloned(), taken: None }
    }

    /// Waits until there is room for `bytes` in all.
    pub(crate) async fn grow_to(&mut self, bytes: usize) {
        let Some(BodyRoom { free: room, .. }) = &self.room else { return };
        let taken = self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(1 << 10).saturating_sub(taken);
        if more > 0 {
            let more = u32::try_from(more).unwrap_or(u32::MAX);
            let permit = room.clone().acquire_many_owned(more).await.expect("nobody closes the semaphore");
            match &mut self.taken {
                Some(taken) => taken.merge(permit),
                none => *none = Some(permit),
            }
        }
    }

    /// Whether there is little room for others.
    pub(crate) fn is_scarce(&self) -> bool {
        self.room.as_ref().is_some_and(|room| room.free.available_permits() < room.scarce_kib)
    }

    /// Gives the place back, or ties it to the body as long as that is kept.
    pub(crate) fn keep_with(self, body: Bytes) -> Bytes {
        match self.taken {
            Some(taken) if body.len() >= KEPT_BYTES_MIN => Bytes::from_owner(Kept { body, _taken: taken }),
            _ => body,
        }
    }
}

/// A body and its place.
struct Kept {
    body: Bytes,
    _taken: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}
