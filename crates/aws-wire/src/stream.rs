//! One connection below the HTTP library: holds back heads until they are complete and allowed, ends what waits too long,
//! and says goodbye to clients that are refused.
//!
//! | a client that | is closed after |
//! |---|---|
//! | sends nothing, or not a whole first head | `head_timeout`, counted from its connection |
//! | has begun a later head | `head_timeout`, counted from its first byte |
//! | is idle between requests | `keep_alive_timeout` |
//! | does not read its answer | `write_timeout` without progress |
//!
//! While all places for connections are taken, the first three have only `patience_when_full`: whoever does nothing makes
//! room for somebody who does.
//!
//! Bodies have limits of their own, see `body.rs`. While a request is being answered nothing here runs out.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::framing::{Framing, HEAD_BYTES_MAX, Stop};
use crate::refusal::Refusal;
use crate::server::ServerSettings;

/// How long a refused client may take to read why. Closing at once would reset the connection while it still sends, and
/// it would never see the answer.
const LINGER_LIMIT: Duration = Duration::from_secs(2);
/// How much it may send meanwhile: more than the largest upload, so that one to a wrong path hears that, too.
const LINGER_BYTES_MAX: usize = 128 << 20;

/// Counts the answers that the HTTP library has taken over.
pub(crate) type Answered = Arc<AtomicU64>;
/// Whether all places for connections are taken.
pub(crate) type Full = Arc<AtomicBool>;

/// A connection whose heads have been checked.
pub(crate) struct GuardedStream<S> {
    stream: S,
    framing: Framing,
    answered: Answered,
    full: Full,
    /// The beginning of a head.
    held: Vec<u8>,
    /// How long that was when it was looked through last.
    looked_through: usize,
    /// What came in pieces and is whole now. It goes out before anything else is read.
    whole: Bytes,
    stop: Option<Stop>,
    /// Whether the last answer has left the buffers of the HTTP library.
    flushed: bool,
    limits: Limits,
    accepted: Instant,
    /// Since when the client is waited for, and for what.
    waiting: Option<Waiting>,
    timer: Timer,
    write_stalled: Timer,
    farewell: Farewell,
}

struct Limits {
    head: Duration,
    keep_alive: Duration,
    when_full: Duration,
    write: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Waiting {
    since: Instant,
    requests: u64,
    within_head: bool,
    /// When to look next whether the places are all taken.
    look_at: Instant,
}

/// The end of a connection, step by step.
enum Farewell {
    /// To be sent first.
    Send(Bytes),
    Shutdown,
    /// Reads what the client still sends, so much at most, and forgets it.
    Linger(usize),
}

impl<S> GuardedStream<S> {
    pub(crate) fn new(stream: S, settings: &ServerSettings, answered: Answered, full: Full) -> Self {
        let limits = Limits {
            head: settings.head_timeout,
            keep_alive: settings.keep_alive_timeout,
            when_full: settings.patience_when_full,
            write: settings.write_timeout,
        };
        Self {
            stream,
            framing: Framing::default(),
            answered,
            full,
            held: Vec::new(),
            looked_through: 0,
            whole: Bytes::new(),
            stop: None,
            flushed: true,
            limits,
            accepted: Instant::now(),
            waiting: None,
            timer: Timer::default(),
            write_stalled: Timer::default(),
            farewell: Farewell::Shutdown,
        }
    }

    /// Whether a request is being answered.
    fn is_busy(&self) -> bool {
        self.framing.requests() != self.answered.load(Ordering::Acquire)
    }

    fn stop(&mut self, stop: Stop) {
        self.stop = Some(stop);
        self.held = Vec::new();
        if let Stop::Head(refusal) = stop {
            self.farewell = Farewell::Send(refusal.into_bytes());
        }
    }

    /// Takes what was read in addition to the beginning of a head.
    fn add_to_held(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        // A head that trickles in is not looked through for each byte: only when a line ends, or it has grown a lot.
        let is_worth_it = bytes.contains(&b'\n')
            || self.held.len() >= 2 * self.looked_through
            || self.held.len() > HEAD_BYTES_MAX;
        if !is_worth_it {
            return;
        }
        self.looked_through = self.held.len();
        let advance = self.framing.advance(&self.held);
        self.whole = Bytes::copy_from_slice(&self.held[..advance.passed]);
        self.held.drain(..advance.passed);
        if self.held.is_empty() {
            self.held = Vec::new();
        }
        if let Some(stop) = advance.stop {
            self.stop(stop);
        }
    }

    /// Waits for the client, within the limit of what it is waited for.
    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_busy() {
            self.waiting = None;
            return Poll::Pending;
        }
        let (requests, within_head) = (self.framing.requests(), !self.held.is_empty());
        let mut waiting = match self.waiting {
            Some(waiting) if waiting.requests == requests && waiting.within_head == within_head => waiting,
            _ => {
                // The first head counts from the connection: silence and a slow head together are one wait.
                let since = if requests == 0 { self.accepted } else { Instant::now() };
                Waiting { since, requests, within_head, look_at: since + self.limits.when_full }
            }
        };
        let limit = if within_head || requests == 0 { self.limits.head } else { self.limits.keep_alive };
        let deadline = waiting.since + limit;
        loop {
            let until = waiting.look_at.min(deadline);
            self.waiting = Some(waiting);
            ready!(self.timer.poll_until(until, cx));
            if until == deadline || self.full.load(Ordering::Relaxed) {
                break;
            }
            waiting.look_at = until + self.limits.when_full;
        }
        if within_head {
            self.stop(Stop::Head(Refusal::TIMED_OUT));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        ready!(self.write_stalled.poll_for(self.limits.write, cx));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer"))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.whole.is_empty() {
                let length = this.whole.len().min(buf.remaining());
                buf.put_slice(&this.whole.split_to(length));
                return Poll::Ready(Ok(()));
            }
            match this.stop {
                None => {}
                Some(Stop::Body) => return Poll::Ready(Ok(())),
                // The requests before it are answered first; `poll_flush` wakes us.
                Some(Stop::Head(_)) if this.is_busy() || !this.flushed => return Poll::Pending,
                Some(Stop::Head(_)) => return Poll::Ready(Ok(())),
            }
            let before = buf.filled().len();
            let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) else {
                ready!(this.poll_limit(cx))?;
                if this.stop.is_some() {
                    continue;
                }
                return Poll::Ready(Ok(()));
            };
            read?;
            let new = &buf.filled()[before..];
            if new.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if !this.held.is_empty() {
                this.add_to_held(new);
                buf.set_filled(before);
                continue;
            }
            let advance = this.framing.advance(new);
            if let Some(stop) = advance.stop {
                this.stop(stop);
            } else if advance.passed < new.len() {
                this.held.extend_from_slice(&new[advance.passed..]);
                this.looked_through = this.held.len();
            }
            buf.set_filled(before + advance.passed);
            if advance.passed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.flushed = false;
        match Pin::new(&mut this.stream).poll_write_vectored(cx, pieces) {
            Poll::Ready(written) => {
                this.write_stalled.stop();
                Poll::Ready(written)
            }
            Poll::Pending => this.poll_stalled(cx).map(Err),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
        if !this.flushed {
            this.flushed = true;
            // The HTTP library has been told already that there is nothing to read, and does not ask again.
            if this.stop.is_some() {
                cx.waker().wake_by_ref();
            } else {
                let _ = this.poll_limit(cx);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.farewell {
                Farewell::Send(bytes) => {
                    match Pin::new(&mut this.stream).poll_write(cx, bytes) {
                        Poll::Ready(written) => bytes.advance(written?),
                        Poll::Pending => return this.poll_stalled(cx).map(Err),
                    }
                    if bytes.is_empty() {
                        this.farewell = Farewell::Shutdown;
                    }
                }
                Farewell::Shutdown => {
                    ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                    // Between two requests there is nothing that the client could still be sending.
                    if this.stop.is_none() && this.held.is_empty() && this.framing.is_between_requests() {
                        return Poll::Ready(Ok(()));
                    }
                    this.timer.stop();
                    this.farewell = Farewell::Linger(LINGER_BYTES_MAX);
                }
                Farewell::Linger(left) => {
                    let mut scratch = [std::mem::MaybeUninit::uninit(); 8_192];
                    let mut scratch = ReadBuf::uninit(&mut scratch);
                    match Pin::new(&mut this.stream).poll_read(cx, &mut scratch) {
                        Poll::Ready(Ok(()))
                            if !scratch.filled().is_empty() && *left > scratch.filled().len() =>
                        {
                            *left -= scratch.filled().len();
                        }
                        Poll::Ready(_) => return Poll::Ready(Ok(())),
                        Poll::Pending => return this.timer.poll_for(LINGER_LIMIT, cx).map(Ok),
                    }
                }
            }
        }
    }
}

/// A timer that is set again only when it has to fire earlier: a connection that goes from request to request touches it
/// about once in the time of its limit.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// For [`Timer::poll_for`]: whether it counts already.
    counts: bool,
}

impl Timer {
    /// Waits until `deadline`.
    fn poll_until(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }

    /// Waits for `limit`, counted from the first call since the last [`Timer::stop`].
    fn poll_for(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !self.counts {
            self.counts = true;
            sleep.as_mut().reset(Instant::now() + limit);
        }
        sleep.as_mut().poll(cx)
    }

    fn stop(&mut self) {
        self.counts = false;
    }
}
