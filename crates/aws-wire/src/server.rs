//! The server loop: accepts connections, speaks HTTP/1.1 on each, and ends in order.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::Response;

/// The limits of a server.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// How many connections may be open at once; more wait to be accepted.
    pub connections_max: usize,
    /// How long a client may take to send a whole request head, its first byte included.
    pub head_timeout: Duration,
    /// How long to wait when no connection can be accepted, mostly for lack of descriptors.
    pub back_off: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            connections_max: 8_192,
            head_timeout: Duration::from_secs(30),
            back_off: Duration::from_millis(100),
        }
    }
}

/// Accepts connections and serves them.
pub struct Server {
    /// Its limits.
    pub settings: ServerSettings,
}

impl Server {
    /// Serves `listener` until `stop` becomes true; then accepts no more, lets running requests finish, and returns.
    pub async fn serve<F, Answer>(self, listener: TcpListener, answer: F, mut stop: watch::Receiver<bool>)
    where
        F: Fn(http::Request<Incoming>) -> Answer + Clone + Send + Sync + 'static,
        Answer: Future<Output = Response> + Send + 'static,
    {
        let room = Arc::new(Semaphore::new(self.settings.connections_max));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &room) => accepted,
                () = stopped(&mut stop) => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            };
            let (stream, place) = match accepted {
                Ok(accepted) => accepted,
                // A client that was gone before it was accepted says nothing about the next one.
                Err(error) if is_of_the_client(&error) => continue,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::select! {
                        () = tokio::time::sleep(self.settings.back_off) => continue,
                        () = stopped(&mut stop) => break,
                    }
                }
            };
            if stream.set_nodelay(true).is_err() {
                continue; // it is gone already
            }
            let answer = answer.clone();
            let service = service_fn(move |request| {
                let response = answer(request);
                async move { Ok::<_, Infallible>(response.await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.settings.head_timeout)
                .serve_connection(TokioIo::new(stream), service);
            let mut stop = stop.clone();
            connections.spawn(async move {
                let _place = place;
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
            });
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
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
) -> io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = room.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::{Barrier, Notify};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::{Body, BodyError, read_body};

    /// Longer than anything here takes; a test that waits for it fails.
    const LIMIT: Duration = Duration::from_secs(20);

    struct Served {
        address: SocketAddr,
        stop: watch::Sender<bool>,
        serving: JoinHandle<()>,
    }

    async fn serve<F, Answer>(settings: ServerSettings, answer: F) -> Served
    where
        F: Fn(http::Request<Incoming>) -> Answer + Clone + Send + Sync + 'static,
        Answer: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(Server { settings }.serve(listener, answer, stopped));
        Served { address, stop, serving }
    }

    /// Sends `request` whole, and only then reads until the other end closes.
    async fn call(address: SocketAddr, request: &[u8]) -> String {
        let exchange = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            String::from_utf8(answer).unwrap()
        };
        tokio::time::timeout(LIMIT, exchange).await.expect("an answer in time")
    }

    fn said(text: impl Into<String>) -> Response {
        http::Response::new(Body::from(text.into()))
    }

    async fn length(request: http::Request<Incoming>) -> Response {
        match read_body(request, 1_000).await {
            Ok(body) => said(format!("{} bytes", body.len())),
            Err(BodyError::TooLong { bytes }) => said(format!("{bytes} are too many")),
            Err(error) => said(error.to_string()),
        }
    }

    fn announced(bytes: usize) -> Vec<u8> {
        let head =
            format!("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; bytes]].concat()
    }

    fn in_chunks(chunks: &[usize]) -> Vec<u8> {
        let head = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut request = head.as_bytes().to_vec();
        for bytes in chunks {
            request.extend(format!("{bytes:x}\r\n").bytes());
            request.extend(vec![b'x'; *bytes]);
            request.extend(b"\r\n");
        }
        request.extend(b"0\r\n\r\n");
        request
    }

    #[tokio::test]
    async fn the_limit_of_a_body_holds_with_and_without_an_announced_length() {
        let served = serve(ServerSettings::default(), length).await;
        let of = async |request: Vec<u8>| {
            let answer = call(served.address, &request).await;
            answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned()
        };
        assert_eq!(of(announced(0)).await, "0 bytes");
        assert_eq!(of(announced(1_000)).await, "1000 bytes");
        assert_eq!(of(announced(1_001)).await, "1001 are too many");
        assert_eq!(of(in_chunks(&[400, 600])).await, "1000 bytes");
        assert!(of(in_chunks(&[400, 601])).await.ends_with("are too many"));
    }

    #[tokio::test]
    async fn a_client_that_sends_everything_first_still_hears_that_it_is_too_much() {
        let served = serve(ServerSettings::default(), length).await;
        let bytes = 32 << 20; // more than the buffers of both sockets hold
        let answer = call(served.address, &announced(bytes)).await;
        assert!(answer.ends_with(&format!("{bytes} are too many")), "{answer}");
        let answer = call(served.address, &in_chunks(&[bytes / 2, bytes / 2])).await;
        assert!(answer.ends_with("are too many"), "{answer}");
    }

    #[tokio::test]
    async fn a_client_that_asks_first_is_refused_before_it_sends() {
        let served = serve(ServerSettings::default(), length).await;
        let head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n";
        let answer = call(served.address, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "no 100 Continue: {answer}");
        assert!(answer.ends_with("5000 are too many"), "{answer}");
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_closes_the_connection() {
        let settings =
            ServerSettings { head_timeout: Duration::from_millis(50), ..ServerSettings::default() };
        let served = serve(settings, async |_| said("")).await;
        let answer = call(served.address, b"POST / HTTP/1.1\r\nHost: h\r\nX-Slow: ").await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[tokio::test]
    async fn more_connections_than_allowed_wait_for_their_turn() {
        static OPEN: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let settings = ServerSettings { connections_max: 2, ..ServerSettings::default() };
        // Each answer needs a second one at the same time: two connections are open, and never a third.
        let pair = Arc::new(Barrier::new(2));
        let served = serve(settings, move |_| {
            let pair = pair.clone();
            async move {
                MOST.fetch_max(OPEN.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                pair.wait().await;
                OPEN.fetch_sub(1, Ordering::SeqCst);
                said("done")
            }
        })
        .await;
        let mut calls = JoinSet::new();
        for _ in 0..8 {
            calls.spawn(async move { call(served.address, &announced(0)).await });
        }
        while let Some(answer) = calls.join_next().await {
            assert!(answer.unwrap().ends_with("done"));
        }
        assert_eq!(MOST.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_stop_lets_a_running_request_finish_and_closes_what_is_idle() {
        let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let served = {
            let (begun, go) = (begun.clone(), go.clone());
            serve(ServerSettings::default(), move |_| {
                let (begun, go) = (begun.clone(), go.clone());
                async move {
                    begun.notify_one();
                    go.notified().await;
                    said("done")
                }
            })
            .await
        };
        let address = served.address;
        let mut idle = TcpStream::connect(address).await.unwrap();
        // No `Connection: close`: the connection ends because the server stops.
        let running = tokio::spawn(async move { call(address, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await });
        begun.notified().await;
        served.stop.send(true).unwrap();
        let closed = tokio::time::timeout(LIMIT, idle.read(&mut [0; 16])).await.expect("closed in time");
        assert_eq!(closed.unwrap(), 0);
        go.notify_one();
        assert!(running.await.unwrap().ends_with("done"));
        tokio::time::timeout(LIMIT, served.serving).await.expect("it ends in time").unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
