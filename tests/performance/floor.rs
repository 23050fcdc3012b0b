//! The floor: the least that hyper can do for an Invoke. It pairs a request with a runtime's parked `/next`, and the
//! runtime's answer with the request. No names, no limits, no log, no lifecycle.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// Clients of a measurement never have more requests than this in flight.
const QUEUE: usize = 1_024;

struct Event {
    payload: Bytes,
    answer: oneshot::Sender<Bytes>,
}

struct Floor {
    offer: mpsc::Sender<Event>,
    take: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    running: Mutex<(u64, HashMap<u64, oneshot::Sender<Bytes>>)>,
}

/// Serves until killed, on as many threads as Hearth; prints the two addresses, for callers and for runtimes.
pub(crate) fn serve() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let (offer, take) = mpsc::channel(QUEUE);
        let floor = Arc::new(Floor { offer, take: tokio::sync::Mutex::new(take), running: Mutex::default() });
        let callers = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let runtimes = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{} {}", callers.local_addr().unwrap(), runtimes.local_addr().unwrap());
        tokio::join!(listen(callers, Arc::clone(&floor)), listen(runtimes, floor));
    });
}

async fn listen(listener: TcpListener, floor: Arc<Floor>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let floor = Arc::clone(&floor);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&floor), request));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(floor: Arc<Floor>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let response = Response::builder().header("Content-Type", "application/json");
    if path.ends_with("/next") {
        let event = floor.take.lock().await.recv().await.unwrap();
        let id = {
            let mut running = floor.running.lock().unwrap();
            running.0 += 1;
            let id = running.0;
            running.1.insert(id, event.answer);
            id
        };
        let response = response
            .header("Lambda-Runtime-Aws-Request-Id", id.to_string())
            .header("Lambda-Runtime-Deadline-Ms", "4102444800000")
            .header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:f")
            .header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0");
        return Ok(response.body(Full::new(event.payload)).unwrap());
    }
    let payload = request.into_body().collect().await.unwrap().to_bytes();
    if let Some(id) = path.strip_suffix("/response").and_then(|path| path.rsplit('/').next()) {
        let waiting = floor.running.lock().unwrap().1.remove(&id.parse().unwrap());
        let _ = waiting.unwrap().send(payload);
        return Ok(response
            .status(202)
            .body(Full::new(Bytes::from_static(b"{\"status\":\"OK\"}\n")))
            .unwrap());
    }
    let (answer, answered) = oneshot::channel();
    floor.offer.send(Event { payload, answer }).await.ok().unwrap();
    Ok(response.body(Full::new(answered.await.unwrap())).unwrap())
}
