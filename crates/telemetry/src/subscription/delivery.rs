//! Sending to one subscriber: a task that waits for a batch, sends it, tries again, and gives it up.
//!
//! The listener is code of the function's author. It may be slow, silent, gone, or answer anything: each attempt has a
//! limit, of an answer only the status counts, and nobody but this task waits for it.

use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout_at};

use super::buffer::{Batch, Buffer, Due};
use super::request::{Buffering, Destination};
use super::{OpenSocket, Schema};
use crate::platform_event::Dropped;
use crate::{Clock, platform_json};

/// How long one attempt may take, from connecting to the end of the answer. Ours: AWS states none.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);
/// How often a batch is sent before it is dropped. Ours, like the pauses: AWS says "retries with back-off".
const ATTEMPTS_MAX: u32 = 4;
/// The pause after the first attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How much of an answer is read, so that the listener can finish it; nobody looks at it.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// What a subscriber's events wait in, shared by those who put them in and the task that sends them.
#[derive(Debug)]
pub(super) struct Outbox {
    clock: Clock,
    buffer: Mutex<Buffer>,
    /// Rung when the sender has to look again.
    rung: Notify,
    /// Whether the subscriber stands still.
    is_held: watch::Sender<bool>,
}

impl Outbox {
    pub(super) fn new(clock: Clock, limits: Buffering) -> Self {
        let is_held = watch::Sender::new(false);
        Self { clock, buffer: Mutex::new(Buffer::new(limits)), rung: Notify::new(), is_held }
    }

    /// Puts an event in, or drops and counts it; never waits.
    pub(super) fn push(&self, event: Vec<u8>) {
        let now = self.clock.now();
        if self.lock().push(now, event) {
            self.rung.notify_one();
        }
    }

    /// Whether an event of at least so many bytes has a place; counts it as dropped if not.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.lock().has_room(bytes)
    }

    /// Counts what was lost before it came here.
    pub(super) fn note_dropped(&self, dropped: Dropped) {
        self.lock().note_dropped(dropped);
    }

    /// Has sent now what waits.
    pub(super) fn hurry(&self) {
        self.lock().hurry();
        self.rung.notify_one();
    }

    /// Whether the subscriber is being sent something.
    pub(super) fn is_delivering(&self) -> bool {
        self.lock().is_delivering()
    }

    /// Says whether the subscriber stands still.
    pub(super) fn hold(&self, is_held: bool) {
        self.is_held.send_replace(is_held);
    }

    /// Waits until the subscriber stands still, or doesn't.
    async fn until_held(&self, is_held: bool) {
        // It fails only when the sender is gone, which is ours.
        let _ = self.is_held.subscribe().wait_for(|it| *it == is_held).await;
    }

    /// Takes what the function's log has to tell of.
    pub(super) fn take_unlogged(&self) -> Dropped {
        self.lock().take_unlogged()
    }

    async fn batch(&self) -> Batch {
        loop {
            let due = {
                let (now, mut buffer) = (self.clock.now(), self.lock());
                match buffer.due(now) {
                    Due::Now => match buffer.take(now) {
                        Some(batch) => return batch,
                        None => Due::Never,
                    },
                    later => later,
                }
            };
            match due {
                Due::At(at) => {
                    // Woken or not: look again.
                    let _ = timeout_at(at.into(), self.rung.notified()).await;
                }
                Due::Now | Due::Never => self.rung.notified().await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum AttemptError {
    #[error("the listener cannot be reached")]
    Connect(#[source] io::Error),
    #[error("the listener breaks off")]
    Write(#[source] io::Error),
    #[error("the listener does not speak HTTP")]
    Http(#[source] hyper::Error),
    #[error("the listener answers {0}")]
    Status(StatusCode),
    #[error("the listener takes too long")]
    TooSlow,
}

/// Sends what waits in an outbox, for as long as it is polled.
pub(super) struct Sender {
    pub(super) outbox: Arc<Outbox>,
    pub(super) schema: Schema,
    pub(super) destination: Destination,
    /// Opens sockets in the network of the environment, if that is not the host's.
    pub(super) open: Option<OpenSocket>,
    /// The connection for lines. Requests get one each: an extension that is slow to notice a closed connection, or quick
    /// to close one, loses nothing.
    pub(super) lines: Option<TcpStream>,
}

impl Sender {
    pub(super) async fn run(mut self) {
        loop {
            let mut batch = self.outbox.batch().await;
            self.outbox.until_held(false).await;
            let (loss, told) = (batch.loss(), batch.dropped);
            if !told.is_none() {
                // Whatever it subscribed to: otherwise it could not know.
                let now = self.outbox.clock.epoch_ms();
                batch.events.push(platform_json::logs_dropped(self.schema, now, told));
            }
            let body = match self.destination {
                Destination::Http { .. } => as_array(batch.events),
                Destination::Tcp { .. } => as_lines(batch.events),
            };
            if let Err(error) = self.deliver(body).await {
                tracing::debug!(port = self.destination.port(), %error, "telemetry is dropped");
                self.outbox.lock().give_up(told, loss);
            }
            self.outbox.lock().end_batch();
        }
    }

    async fn deliver(&mut self, body: Bytes) -> Result<(), AttemptError> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let error = match self.attempt_in_time(body.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // Half a line may be on its way.
            self.lines = None;
            if attempt == ATTEMPTS_MAX {
                return Err(error);
            }
            attempt += 1;
            sleep(pause).await;
            self.outbox.until_held(false).await;
            pause *= 2;
        }
    }

    /// Tries once. Only the time counts in which the listener could do something.
    async fn attempt_in_time(&mut self, body: Bytes) -> Result<(), AttemptError> {
        let outbox = self.outbox.clone();
        let mut attempt = std::pin::pin!(self.attempt(body));
        loop {
            tokio::select! {
                biased;
                result = &mut attempt => return result,
                () = outbox.until_held(true) => {}
                () = sleep(ATTEMPT_LIMIT) => return Err(AttemptError::TooSlow),
            }
            tokio::select! {
                result = &mut attempt => return result,
                () = outbox.until_held(false) => {}
            }
        }
    }

    async fn attempt(&mut self, body: Bytes) -> Result<(), AttemptError> {
        let port = self.destination.port();
        match &self.destination {
            Destination::Http { host, path, method, .. } => {
                let mut request = Request::new(Full::new(body));
                *request.method_mut() = method.clone();
                *request.uri_mut() = path.clone().into();
                let headers = request.headers_mut();
                headers.insert(HOST, host.clone());
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
                let stream = connect(self.open.clone(), port).await.map_err(AttemptError::Connect)?;
                exchange(stream, request).await
            }
            Destination::Tcp { .. } => {
                let stream = match self.lines.take().and_then(still_open) {
                    Some(stream) => stream,
                    None => connect(self.open.clone(), port).await.map_err(AttemptError::Connect)?,
                };
                self.lines.insert(stream).write_all(&body).await.map_err(AttemptError::Write)
            }
        }
    }
}

/// Connects to a port of the environment.
async fn connect(open: Option<OpenSocket>, port: u16) -> io::Result<TcpStream> {
    let listener = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Some(open) = open else { return TcpStream::connect(listener).await };
    let socket = tokio::task::spawn_blocking(move || open()).await.map_err(io::Error::other)??;
    TcpSocket::from_std_stream(socket.into()).connect(listener).await
}

/// Returns a connection that the listener has not closed. What it sends is of no interest, and thrown away.
///
/// Asks the kernel: Tokio knows of a close only once it has waited for one.
fn still_open(stream: TcpStream) -> Option<TcpStream> {
    let mut stream = stream.into_std().ok()?;
    match stream.read(&mut [0; 1_024]) {
        Ok(0) => return None,
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(_) => return None,
    }
    TcpStream::from_std(stream).ok()
}

/// Sends a request on a connection of its own, and waits for the answer.
async fn exchange(stream: TcpStream, request: Request<Full<Bytes>>) -> Result<(), AttemptError> {
    let (mut requests, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(AttemptError::Http)?;
    let exchange = async {
        let response = requests.send_request(request).await.map_err(AttemptError::Http)?;
        let status = response.status();
        // A listener that is closed on before it has sent everything may take that for a failure.
        let _ = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        if status == StatusCode::OK { Ok(()) } else { Err(AttemptError::Status(status)) }
    };
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        result = &mut exchange => result,
        // It may end before the exchange has seen the end of the answer.
        _ = connection => exchange.await,
    }
}

fn as_array(events: Vec<Vec<u8>>) -> Bytes {
    joined(events, b"[", b",", b"]")
}

fn as_lines(events: Vec<Vec<u8>>) -> Bytes {
    joined(events, b"", b"\n", b"\n")
}

fn joined(events: Vec<Vec<u8>>, before: &[u8], between: &[u8], after: &[u8]) -> Bytes {
    let length: usize = events.iter().map(|event| event.len() + between.len()).sum();
    let mut joined = Vec::with_capacity(length + before.len() + after.len());
    joined.extend_from_slice(before);
    for (number, event) in events.into_iter().enumerate() {
        if number > 0 {
            joined.extend_from_slice(between);
        }
        joined.extend_from_slice(&event);
    }
    joined.extend_from_slice(after);
    joined.into()
}
