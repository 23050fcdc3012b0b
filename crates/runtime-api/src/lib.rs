//! HTTP as a function sees it from inside: the Runtime API, on a listener of its own for each environment.
//!
//! What comes in is untrusted: bounded in size, checked against the state machine of `environment`, and answered with
//! the statuses and texts of AWS. There are no time-outs here: a runtime may wait for its next event for hours, and a
//! slow answer is a matter of the function's own time-out.

mod body;
mod error_type;
mod reply;
mod routes;

use std::net::SocketAddr;
use std::sync::Arc;

use hearth_environment::Environment;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

/// How many connections an environment may have open. A runtime needs one or two.
const CONNECTIONS_MAX: usize = 256;

/// The Runtime API of one environment, bound but not yet served: the address is needed before the environment exists.
pub struct BoundRuntimeApi {
    listener: TcpListener,
    address: SocketAddr,
}

impl BoundRuntimeApi {
    /// Binds a free port on the loopback interface. In `process` mode any local process can reach it; see `SECURITY.md`.
    pub fn bind() -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener: TcpListener::from_std(listener)?, address })
    }

    /// Returns the value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `environment` until the returned handle is dropped.
    pub fn serve(self, environment: Arc<Environment>) -> RuntimeApi {
        RuntimeApi(tokio::spawn(accept(self.listener, environment)).abort_handle())
    }
}

/// A served Runtime API. Dropping it closes the listener and every connection.
pub struct RuntimeApi(AbortHandle);

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(listener: TcpListener, environment: Arc<Environment>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, mostly: wait for one of ours to close rather than spin.
                tracing::warn!(environment_id = %environment.id(), %error, "cannot accept a runtime's connection");
                if connections.join_next().await.is_none() {
                    tokio::task::yield_now().await;
                }
                continue;
            }
        };
        if stream.set_nodelay(true).is_err() {
            continue; // it is gone already
        }
        connections.spawn(serve_connection(stream, &environment));
    }
}

/// Serves one connection to its end. It belongs to the processes that run now. Public for the fuzzer, whose connections
/// are in memory.
#[doc(hidden)]
pub fn serve_connection<S>(stream: S, environment: &Arc<Environment>) -> impl Future<Output = ()> + use<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = environment.connect();
    let service = service_fn(move |request| {
        let connection = connection.clone();
        async move { Ok::<_, std::convert::Infallible>(routes::answer(connection, request).await) }
    });
    async move {
        // A connection that breaks concerns nobody: the process behind it is what counts.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}
