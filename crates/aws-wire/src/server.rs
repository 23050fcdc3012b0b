//! The server loop: accepts connections, speaks HTTP/1.1 on each, and ends in order.
//!
//! What a connection may do, and for how long, is in `stream.rs`; which requests are refused unread, in `framing.rs`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::room::{BodyRoom, ROOM_KIB};
use crate::stream::{Answered, Full, GuardedStream};
use crate::{Body, CutOff, Response};

/// How many connections may wait to be accepted. The usual 128 are full at once when hundreds of clients come in the same
/// moment, and whoever finds them full tries again only after a second. The kernel may allow less (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;

/// Listens on an address; port 0 takes a free one. Needs a Tokio runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A server that has just ended leaves connections behind that would keep the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The limits of a server.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// How many connections may be open at once; more wait to be accepted, and idle ones are closed for them.
    pub connections_max: usize,
    /// How long a client may take to send a whole request head: the first one from its connection on, later ones from
    /// their first byte on.
    pub head_timeout: Duration,
    /// How long a connection may be idle between two requests.
    pub keep_alive_timeout: Duration,
    /// How long a connection may be idle, or without a whole head, while all places are taken.
    pub patience_when_full: Duration,
    /// How long a client may take none of the bytes of its answer.
    pub write_timeout: Duration,
    /// How long to wait when no connection can be accepted, mostly for lack of descriptors.
    pub back_off: Duration,
    /// How much of all bodies that are being read is kept at once, in KiB. One that is longer cannot be read.
    pub body_room_kib: usize,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            // Each costs about 20 KB with its buffers: 160 MB when all are open and quiet.
            connections_max: 8_192,
            // Heads are 2 to 4 KB and come in one or two packets; this leaves room for several lost ones.
            head_timeout: Duration::from_secs(20),
            // Longer than the pools of AWS's SDKs keep theirs (Java 60 s, Go and Rust 90 s, .NET 100 s; read 2026-11), so
            // that the client closes first: a request that crosses with our closing would fail.
            keep_alive_timeout: Duration::from_secs(120),
            // Heads of clients at work have arrived by then, and a new connection costs them a millisecond.
            patience_when_full: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            back_off: Duration::from_millis(100),
            body_room_kib: ROOM_KIB,
        }
    }
}

/// Where a request came from, as an extension of it.
#[derive(Debug, Clone, Copy)]
pub struct Peer(SocketAddr);

impl Peer {
    /// Returns the address of the client, if it is known.
    pub fn of<B>(request: &http::Request<B>) -> Option<SocketAddr> {
        request.extensions().get::<Self>().map(|peer| peer.0)
    }
}

/// Accepts connections and serves them.
pub struct Server {
    /// Its limits.
    pub settings: ServerSettings,
}

/// How large the future of an answer may be. The HTTP library moves it about for each request, and every open connection keeps
/// room for one, so what only few requests need is put into a box by whoever answers them. Ours: it was about 15 KB with room for
/// the largest operation, and is 6 KB without.
const ANSWER_BYTES_MAX: usize = if cfg!(debug_assertions) { 32 << 10 } else { 8 << 10 };

impl Server {
    /// Serves `listener` until `stop` becomes true; then accepts no more, lets running requests finish, and returns.
    pub async fn serve<F, Answer>(self, listener: TcpListener, answer: F, mut stop: watch::Receiver<bool>)
    where
        F: Fn(http::Request<Incoming>) -> Answer + Clone + Send + Sync + 'static,
        Answer: Future<Output = Response> + Send + 'static,
    {
        const { assert!(size_of::<Answer>() <= ANSWER_BYTES_MAX, "the future of an answer is moved about") };
        let room = Arc::new(Semaphore::new(self.settings.connections_max));
        let (body_room, full) = (BodyRoom::of(self.settings.body_room_kib), Full::default());
        let mut connections = JoinSet::new();
        let mut was_refused = false;
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &room, &full) => accepted,
                () = stopped(&mut stop) => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            };
            let (stream, place) = match accepted {
                Ok(accepted) => accepted,
                // A client that was gone before it was accepted says nothing about the next one.
                Err(error) if is_of_the_client(&error) => continue,
                Err(error) => {
                    // Once for as long as it lasts: the log is not to fill up with it.
                    if !was_refused {
                        tracing::warn!(%error, "cannot accept a connection");
                    }
                    was_refused = true;
                    tokio::select! {
                        () = tokio::time::sleep(self.settings.back_off) => continue,
                        () = stopped(&mut stop) => break,
                    }
                }
            };
            was_refused = false;
            if stream.set_nodelay(true).is_err() {
                continue; // it is gone already
            }
            let peer = stream.peer_addr().ok();
            let answered = Answered::default();
            let stream = GuardedStream::new(stream, &self.settings, answered.clone(), full.clone());
            let answer = answer.clone();
            let from_peer = move |mut request: http::Request<Incoming>| {
                if let Some(peer) = peer {
                    request.extensions_mut().insert(Peer(peer));
                }
                answer(request)
            };
            let conversation = converse(stream, answered, body_room.clone(), from_peer, stop.clone());
            connections.spawn(async move {
                let _place = place;
                conversation.await;
            });
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }
}

/// Serves one connection to its end, or until the server stops and nothing is being answered on it.
async fn converse<S, F, Answer>(
    stream: GuardedStream<S>,
    answered: Answered,
    body_room: BodyRoom,
    answer: F,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(http::Request<Incoming>) -> Answer,
    Answer: Future<Output = Response>,
{
    let service = service_fn(move |mut request| {
        body_room.go_along(&mut request);
        let response = answer(request);
        let answered = answered.clone();
        async move { Ok::<_, Infallible>(response.await.map(|body| Counted { body, answered })) }
    });
    let connection = http1::Builder::new()
        // `GuardedStream` knows better when a head has begun, and when a connection is idle.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Serves one connection as [`Server`] does. For the fuzzer (`fuzz/`), whose connections are in memory.
#[doc(hidden)]
pub async fn serve_connection<S, F, Answer>(stream: S, settings: &ServerSettings, answer: F)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(http::Request<Incoming>) -> Answer,
    Answer: Future<Output = Response>,
{
    let (_stop, stopped) = watch::channel(false);
    let answered = Answered::default();
    let stream = GuardedStream::new(stream, settings, answered.clone(), Full::default());
    converse(stream, answered, BodyRoom::of(settings.body_room_kib), answer, stopped).await;
}

/// A body that is counted when the HTTP library has taken all of it.
struct Counted {
    body: Body,
    answered: Arc<AtomicU64>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.answered.fetch_add(1, Ordering::Release);
    }
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Waits until the server is to stop. A sender that is gone stops it too.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    full: &Full,
) -> io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = match room.clone().try_acquire_owned() {
        Ok(place) => {
            full.store(false, Ordering::Relaxed);
            place
        }
        Err(_) => {
            full.store(true, Ordering::Relaxed);
            room.clone().acquire_owned().await.map_err(io::Error::other)?
        }
    };
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
