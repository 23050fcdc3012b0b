//! Clients that send the next request as soon as the last one is answered.

use std::thread;
use std::time::{Duration, Instant};

use crate::connection::Connection;

/// What a round of load saw.
pub(crate) struct Round {
    /// The time of each request, in microseconds, sorted.
    times_us: Vec<f64>,
    elapsed: Duration,
}

impl Round {
    /// Returns the time that `share` of the requests kept within.
    pub(crate) fn percentile_us(&self, share: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let index = (self.times_us.len() as f64 * share) as usize;
        self.times_us[index.min(self.times_us.len() - 1)]
    }

    /// Returns how many requests a second were answered.
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss)]
        let requests = self.times_us.len() as f64;
        requests / self.elapsed.as_secs_f64()
    }
}

/// Lets `clients` send to `path` for `duration`.
///
/// # Panics
/// When a request is not answered with status 200.
pub(crate) fn run(address: &str, path: &str, clients: usize, duration: Duration) -> Round {
    let payload = format!("\"{}\"", "x".repeat(98));
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{payload}",
        payload.len()
    );
    let started = Instant::now();
    let mut times_us: Vec<f64> = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = Connection::open(address).unwrap();
                    let mut times_us = Vec::with_capacity(64 * 1024);
                    while started.elapsed() < duration {
                        let start = Instant::now();
                        let answer = connection.exchange(request.as_bytes()).unwrap();
                        times_us.push(start.elapsed().as_secs_f64() * 1e6);
                        assert!(answer.head.starts_with("HTTP/1.1 200 "), "{}", answer.head);
                    }
                    times_us
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let elapsed = started.elapsed();
    times_us.sort_by(f64::total_cmp);
    Round { times_us, elapsed }
}
