//! A collector of traces of the test's own, on OpenTelemetry's own messages: `tests/clients/otlp_collector.py`.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::http::http;
use crate::programs::{EndedOnDrop, python};
use crate::wait::{eventually, repository};

/// A collector. It ends with this.
pub struct Collector {
    _child: EndedOnDrop,
    address: SocketAddr,
}

impl Collector {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_at(0)
    }

    /// Starts one on a port; 0 takes a free one.
    ///
    /// # Panics
    /// When it does not say where it listens.
    pub fn start_at(port: u16) -> Self {
        let mut command = python();
        command.arg(repository().join("tests/clients/otlp_collector.py")).arg(port.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = EndedOnDrop(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().expect("the collector says where it listens");
        Self { _child: child, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets it answer the next requests with these statuses, and take nothing of those that are not 200.
    pub fn answer_next_with(&self, statuses: &[u16]) {
        let body = json!(statuses).to_string();
        assert_eq!(http(self.address, "POST", "/answers", &[], body.as_bytes()).status, 200);
    }

    /// Returns all spans that it has taken.
    pub fn spans(&self) -> Vec<Value> {
        self.list("/spans")
    }

    /// Returns the headers of all requests, with their `path`.
    pub fn requests(&self) -> Vec<Value> {
        self.list("/requests")
    }

    /// Waits for the trace of an invocation, and returns its spans by their start; the invocation itself is the first.
    pub fn trace_of(&self, request_id: &str) -> Vec<Value> {
        eventually("the trace is there", || {
            let spans = self.spans();
            let root = spans.iter().find(|span| span["attributes"]["faas.invocation_id"] == request_id)?;
            let mut trace: Vec<Value> =
                spans.iter().filter(|span| span["trace_id"] == root["trace_id"]).cloned().collect();
            trace.sort_by_key(|span| (span["start"].as_u64(), span["span_id"] != root["span_id"]));
            Some(trace)
        })
    }

    fn list(&self, path: &str) -> Vec<Value> {
        http(self.address, "GET", path, &[], b"").json().as_array().unwrap().clone()
    }
}
