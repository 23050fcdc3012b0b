//! The floor of warm calls: the least that hyper can do for an Invoke, and runtimes that do the least for an event.
//!
//! It pairs a call with a runtime's parked `/next`, and the runtime's answer with the call. No names, no limits, no
//! log, no lifecycle: whatever Hearth takes above it is what those cost.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The floor is a number on a given machine only with a given number of threads.
const THREADS: usize = 2;

/// A running floor: the dispatcher and its runtimes, all processes of their own, as Hearth's are.
pub(crate) struct Floor {
    /// Where calls go.
    pub(crate) address: String,
    processes: Vec<Child>,
}

impl Floor {
    /// Starts the dispatcher, and `count` runtimes by `runtime`.
    pub(crate) fn start(runtime: impl Fn() -> Command, count: usize) -> Self {
        let mut dispatcher = Command::new(std::env::current_exe().unwrap());
        let mut dispatcher = dispatcher.arg("floor").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(dispatcher.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (calls, runtimes) = line.trim().split_once(' ').unwrap();
        let mut processes = vec![dispatcher];
        processes.extend((0..count).map(|_| {
            let mut runtime = runtime();
            runtime.env("AWS_LAMBDA_RUNTIME_API", runtimes).stdin(Stdio::null()).spawn().unwrap()
        }));
        Self { address: calls.to_owned(), processes }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // Runtimes first: they have nothing to say about a dispatcher that goes away.
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A call that has not been answered.
struct Call {
    payload: Bytes,
    answer: oneshot::Sender<Bytes>,
}

#[derive(Default)]
struct Dispatcher {
    /// Runtimes that wait for an event. The last one to come is the first one to go, as in Hearth.
    parked: Vec<oneshot::Sender<Call>>,
    /// Calls that wait for a runtime. As many at most as the benchmark has clients.
    waiting: VecDeque<Call>,
    running: HashMap<u64, oneshot::Sender<Bytes>>,
    last_id: u64,
}

type Shared = Arc<Mutex<Dispatcher>>;

/// Is the dispatcher, until killed; prints where calls and where runtimes connect.
pub(crate) fn serve() {
    let tokio =
        tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().unwrap();
    tokio.block_on(async {
        let shared = Shared::default();
        let calls = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let runtimes = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{} {}", calls.local_addr().unwrap(), runtimes.local_addr().unwrap());
        tokio::join!(
            listen(
                calls,
                Arc::clone(&shared),
                |shared, request| async move { invoke(shared, request).await }
            ),
            listen(runtimes, shared, |shared, request| async move { runtime_api(shared, request).await }),
        );
    });
}

async fn listen<F>(
    listener: TcpListener,
    shared: Shared,
    answer: impl Fn(Shared, Request<Incoming>) -> F + Copy + Send + 'static,
) where
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(Arc::clone(&shared), request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            // A connection that breaks is a client that was killed.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn invoke(shared: Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let payload = request.into_body().collect().await.unwrap().to_bytes();
    let (answer, answered) = oneshot::channel();
    offer(&shared, Call { payload, answer });
    let payload = answered.await.unwrap();
    Response::builder().header("Content-Type", "application/json").body(Full::new(payload)).unwrap()
}

/// Hands the call to a parked runtime that is still there, or lets it wait for one.
fn offer(shared: &Shared, mut call: Call) {
    let mut dispatcher = shared.lock().unwrap();
    while let Some(runtime) = dispatcher.parked.pop() {
        match runtime.send(call) {
            Ok(()) => return,
            Err(refused) => call = refused,
        }
    }
    dispatcher.waiting.push_back(call);
}

async fn runtime_api(shared: Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let response = Response::builder().header("Content-Type", "application/json");
    let path = request.uri().path();
    if let Some(id) = path.strip_suffix("/response").and_then(|path| path.rsplit('/').next()) {
        let id = id.parse().unwrap();
        let payload = request.into_body().collect().await.unwrap().to_bytes();
        let answer = shared.lock().unwrap().running.remove(&id).unwrap();
        let _ = answer.send(payload);
        return response.status(202).body(Full::new(Bytes::from_static(b"{\"status\":\"OK\"}\n"))).unwrap();
    }
    let call = next(&shared).await;
    let id = {
        let mut dispatcher = shared.lock().unwrap();
        dispatcher.last_id += 1;
        let id = dispatcher.last_id;
        dispatcher.running.insert(id, call.answer);
        id
    };
    response
        .header("Lambda-Runtime-Aws-Request-Id", id.to_string())
        .header("Lambda-Runtime-Deadline-Ms", "4102444800000")
        .header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:floor")
        .header("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
        .body(Full::new(call.payload))
        .unwrap()
}

async fn next(shared: &Shared) -> Call {
    let parked = {
        let mut dispatcher = shared.lock().unwrap();
        if let Some(call) = dispatcher.waiting.pop_front() {
            return call;
        }
        let (park, parked) = oneshot::channel();
        dispatcher.parked.push(park);
        parked
    };
    parked.await.unwrap()
}
