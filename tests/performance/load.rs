//! Clients that send the next call as soon as the last one is answered.

use std::thread;
use std::time::{Duration, Instant};

use hearth_tests::{Connection, Received};

use crate::median::quantile;

/// What a round of load saw.
pub(crate) struct Round {
    times_us: Vec<f64>,
    elapsed: Duration,
}

impl Round {
    /// Returns the time that `share` of the calls kept within.
    pub(crate) fn quantile_us(&self, share: f64) -> f64 {
        quantile(&self.times_us, share)
    }

    /// Returns how many calls a second were answered.
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 calls")]
        let calls = self.times_us.len() as f64;
        calls / self.elapsed.as_secs_f64()
    }
}

/// A call of a function that answers with its event.
pub(crate) struct Call {
    request: Vec<u8>,
    payload: Vec<u8>,
}

impl Call {
    /// Prepares a call, to be sent as often as wanted.
    pub(crate) fn new(path: &str, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            payload.len()
        );
        Self { request: [head.as_bytes(), &payload].concat(), payload }
    }

    /// Sends it and returns how long its answer took, in microseconds.
    ///
    /// # Panics
    /// When it does not succeed, or the answer is not the event.
    pub(crate) fn timed(&self, connection: &mut Connection) -> f64 {
        let start = Instant::now();
        let answer = connection.exchange(&self.request).unwrap();
        let elapsed = start.elapsed();
        assert!(has_succeeded(&answer) && answer.body == self.payload, "{}", shown(&answer));
        elapsed.as_secs_f64() * 1e6
    }

    /// Sends it and returns its answer, whatever that is.
    ///
    /// # Panics
    /// When it does not succeed.
    pub(crate) fn answer(&self, connection: &mut Connection) -> Vec<u8> {
        let answer = connection.exchange(&self.request).unwrap();
        assert!(has_succeeded(&answer), "{}", shown(&answer));
        answer.body.to_vec()
    }
}

fn has_succeeded(answer: &Received<'_>) -> bool {
    answer.head.starts_with("HTTP/1.1 200 ") && answer.header("x-amz-function-error").is_none()
}

fn shown(answer: &Received<'_>) -> String {
    format!("{}{}", answer.head, String::from_utf8_lossy(answer.body))
}

/// Lets `clients` call `path` for `duration`, each on a connection of its own that stays open.
///
/// # Panics
/// When a call does not succeed.
pub(crate) fn run(address: &str, path: &str, clients: usize, duration: Duration) -> Round {
    let call = Call::new(path, format!("\"{}\"", "x".repeat(98)));
    let connections: Vec<Connection> = (0..clients).map(|_| Connection::open(address).unwrap()).collect();
    let started = Instant::now();
    let call = &call;
    let times_us = thread::scope(|scope| {
        let one = |mut connection: Connection| {
            move || {
                let mut times_us = Vec::with_capacity(16 * 1024);
                while started.elapsed() < duration {
                    times_us.push(call.timed(&mut connection));
                }
                times_us
            }
        };
        let clients: Vec<_> =
            connections.into_iter().map(|connection| scope.spawn(one(connection))).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    Round { times_us, elapsed: started.elapsed() }
}
