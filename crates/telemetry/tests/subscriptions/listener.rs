//! Listeners of extensions: well-behaved ones, and others.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a test waits for what has to come.
const LIMIT: Duration = Duration::from_secs(20);

/// A request that an extension got.
#[derive(Debug)]
pub(crate) struct Received {
    /// Request line and headers, in lower case.
    pub(crate) head: String,
    pub(crate) events: Vec<Value>,
}

impl Received {
    pub(crate) fn kinds(&self) -> Vec<&str> {
        kinds(&self.events)
    }
}

pub(crate) fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// Listens for HTTP.
pub(crate) struct HttpListener {
    pub(crate) port: u16,
    requests: mpsc::UnboundedReceiver<Received>,
}

impl HttpListener {
    /// Answers each request well.
    pub(crate) async fn start() -> Self {
        Self::with_answers(&[]).await
    }

    /// Answers the first requests with these bytes, and all others well.
    pub(crate) async fn with_answers(answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, answers.to_vec())
    }

    pub(crate) fn on(listener: TcpListener, answers: Vec<&'static str>) -> Self {
        let port = listener.local_addr().unwrap().port();
        let (seen, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let Some(received) = read_request(&mut stream).await else { continue };
                if seen.send(received).is_err() {
                    return;
                }
                let answer = answers.next().unwrap_or("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, requests }
    }

    pub(crate) async fn request(&mut self) -> Received {
        timeout(LIMIT, self.requests.recv()).await.expect("a request comes").expect("the listener runs")
    }

    /// Returns what came already.
    pub(crate) fn requests_so_far(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }

    /// Collects events until one fulfils `is_last`.
    pub(crate) async fn events_until(&mut self, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut events = Vec::new();
        while !events.iter().any(&is_last) {
            events.extend(self.request().await.events);
        }
        events
    }
}

/// Reads one request; `None` when the sender goes before its end.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<Received> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let (_, length) = head.split_once("content-length: ")?;
    let length = length.lines().next()?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received { head, events: serde_json::from_slice(&body).expect("the body is a JSON array") })
}

/// A connection on which lines come.
pub(crate) struct Lines(BufReader<TcpStream>);

impl Lines {
    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        let (stream, _): (TcpStream, SocketAddr) =
            timeout(LIMIT, listener.accept()).await.expect("a connection comes").unwrap();
        Self(BufReader::new(stream))
    }

    /// Returns the next event; `None` when the connection ends.
    pub(crate) async fn event(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = timeout(LIMIT, self.0.read_line(&mut line)).await.expect("a line or the end comes");
        if read.unwrap() == 0 {
            return None;
        }
        assert!(line.ends_with('\n'));
        Some(serde_json::from_str(&line).unwrap())
    }
}
