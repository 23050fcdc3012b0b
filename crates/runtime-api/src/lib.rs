//! HTTP as runtimes and extensions see it from inside: Runtime API, Extensions API, Telemetry and Logs API, on a listener of
//! its own for each environment.
//!
//! What comes in is untrusted: bounded in size, checked against the state machine of `environment`, and answered with
//! the statuses and texts of AWS. There are no time-outs here: a runtime may wait for its next event for hours, and a
//! slow answer is a matter of the function's own time-out. What one environment can make us keep is bounded instead: see
//! the constants.

mod body;
mod error_type;
mod extensions;
mod imports;
mod reply;
mod routes;
mod subscriptions;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hearth_environment::Environment;
use hearth_telemetry::imports::ImportCollector;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use routes::Visitor;

/// How many connections an environment may have open; more wait. A runtime needs one or two, an extension as many.
const CONNECTIONS_MAX: usize = 256;
/// Longest request line and headers: what AWS takes (1 MB; Go's `net/http` adds 4 KB). Runtimes report the stack of an
/// error in a header, and the official ones send up to 1 MB there.
const HEAD_BYTES_MAX: usize = (1 << 20) + 4_096;
/// How many of the connections of an environment may send heads as long as that. What is open besides gets less, so that
/// an environment that opens all it may makes us keep 24 MB and not 256.
const LONG_HEADS_CONNECTIONS_MAX: usize = 8;
/// Longest head on the other connections.
const SHORT_HEAD_BYTES_MAX: usize = 64 << 10;
/// How large the future of an answer may be. Ours: the HTTP library moves it about for each request, and every open connection
/// keeps room for one.
const ANSWER_BYTES_MAX: usize = if cfg!(debug_assertions) { 16 << 10 } else { 4 << 10 };
/// How long to wait when no connection can be accepted, mostly for lack of descriptors.
const BACK_OFF: Duration = Duration::from_millis(100);

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
        Self::from_listener(listener)
    }

    /// Takes a listener, not blocking, that somebody has opened where only the environment can reach it.
    pub fn from_listener(listener: std::net::TcpListener) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self { listener: TcpListener::from_std(listener)?, address })
    }

    /// Returns the value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `environment` until the returned handle is dropped.
    pub fn serve(self, environment: Arc<Environment>) -> RuntimeApi {
        RuntimeApi(tokio::spawn(accept(self.listener, environment, None)).abort_handle())
    }

    /// The same, and takes what the runtime client tells about imports.
    pub fn serve_with_imports(
        self,
        environment: Arc<Environment>,
        imports: Arc<ImportCollector>,
    ) -> RuntimeApi {
        RuntimeApi(tokio::spawn(accept(self.listener, environment, Some(imports))).abort_handle())
    }
}

/// A served Runtime API. Dropping it closes the listener and every connection.
pub struct RuntimeApi(AbortHandle);

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(listener: TcpListener, environment: Arc<Environment>, imports: Option<Arc<ImportCollector>>) {
    let port = listener.local_addr().map_or(0, |address| address.port());
    let mut connections = JoinSet::new();
    let reports = Arc::default();
    let mut was_refused = false;
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Once for as long as it lasts: the log is not to fill up with it.
                if !was_refused {
                    tracing::warn!(environment_id = %environment.id(), %error, "cannot accept a runtime's connection");
                }
                was_refused = true;
                tokio::time::sleep(BACK_OFF).await;
                continue;
            }
        };
        was_refused = false;
        if stream.set_nodelay(true).is_err() {
            continue; // it is gone already
        }
        let visitor = Visitor::new(environment.connect(), Arc::clone(&reports), port, imports.clone());
        let has_room = connections.len() < LONG_HEADS_CONNECTIONS_MAX;
        let head_bytes_max = if has_room { HEAD_BYTES_MAX } else { SHORT_HEAD_BYTES_MAX };
        connections.spawn(serve(stream, visitor, head_bytes_max));
    }
}

/// Returns the future of an answer, if it is a small one: the HTTP library moves it about for each request.
fn small<F: Future>(answer: F) -> F {
    const { assert!(size_of::<F>() <= ANSWER_BYTES_MAX, "the future of an answer is moved about") };
    answer
}

/// Serves one connection to its end.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, visitor: Visitor, head_bytes_max: usize) {
    let service = service_fn(move |request| {
        let visitor = visitor.clone();
        small(async move { Ok::<_, std::convert::Infallible>(visitor.answer(request).await) })
    });
    // A connection that breaks concerns nobody: the process behind it is what counts.
    // Names of headers as AWS writes them: `Lambda-Extension-Identifier`. Not every script looks them up without case.
    let connection = http1::Builder::new()
        .max_buf_size(head_bytes_max)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    let _ = connection.await;
}

/// Serves one connection of the processes that run now. For the fuzzer, whose connections are in memory.
#[doc(hidden)]
pub fn serve_connection<S>(stream: S, environment: &Arc<Environment>) -> impl Future<Output = ()> + use<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    serve(stream, Visitor::new(environment.connect(), Arc::default(), 0, None), SHORT_HEAD_BYTES_MAX)
}
