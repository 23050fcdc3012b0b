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
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(self.settings.back_off).await;
                    continue;
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

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = room.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}
