//! A gate that functions wait at, so that a test decides when a call goes on.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex};

use crate::link::Links;
use crate::wait::LIMIT;

/// Python source of `wait_at(gate)`: comes to the gate of this number and waits until it opens.
pub const PYTHON_WAIT: &str = concat!(
    include_str!("link.py"),
    "
def wait_at(gate):
    with link(gate) as stream:
        stream.recv(1)
"
);

/// JavaScript source of `await waitAt(gate)`: the same.
pub const NODE_WAIT: &str = "
import net from \"node:net\";
const waitAt = (gate) => new Promise((resolve) => {
  const listener = net.createServer((stream) => {
    listener.close();
    stream.once(\"data\", () => { stream.destroy(); resolve(); });
  });
  listener.listen(`/tmp/hearth-link-${gate}-${crypto.randomUUID()}`);
});
";

/// A closed gate. Functions come to it under its number and wait for a byte.
#[derive(Debug)]
pub struct Gate {
    links: Links,
    shared: Arc<(Mutex<Waiting>, Condvar)>,
}

#[derive(Debug, Default)]
struct Waiting {
    arrived: usize,
    streams: Vec<UnixStream>,
    open: bool,
}

impl Gate {
    /// Makes a gate that is closed.
    pub fn new() -> Self {
        let shared = Arc::new((Mutex::new(Waiting::default()), Condvar::new()));
        let theirs = Arc::clone(&shared);
        let links = Links::new(move |mut stream| {
            let (waiting, changed) = &*theirs;
            let mut waiting = waiting.lock().unwrap();
            waiting.arrived += 1;
            if waiting.open {
                let _ = stream.write_all(b"!");
            } else {
                waiting.streams.push(stream);
            }
            changed.notify_all();
        });
        Self { links, shared }
    }

    /// Returns the number that functions know it by.
    pub fn number(&self) -> u64 {
        self.links.number()
    }

    /// Waits until `number` calls have come to it, since it was made.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn wait_for(&self, number: usize) {
        let (waiting, changed) = &*self.shared;
        let waiting = waiting.lock().unwrap();
        let (waiting, timed_out) =
            changed.wait_timeout_while(waiting, LIMIT, |waiting| waiting.arrived < number).unwrap();
        assert!(!timed_out.timed_out(), "{} of {number} calls came to the gate", waiting.arrived);
    }

    /// Lets everybody pass who waits, and who comes later.
    pub fn open(&self) {
        let (waiting, _) = &*self.shared;
        let mut waiting = waiting.lock().unwrap();
        waiting.open = true;
        for mut stream in waiting.streams.drain(..) {
            let _ = stream.write_all(b"!");
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
