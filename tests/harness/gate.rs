//! A gate that functions wait at, so that a test decides when a call goes on.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::wait::LIMIT;

/// Python source of `wait_at(port)`: connects to the gate and waits until it opens.
pub const PYTHON_WAIT: &str = "
import socket
def wait_at(port):
    with socket.create_connection((\"127.0.0.1\", port)) as gate:
        gate.recv(1)
";

/// JavaScript source of `await waitAt(port)`: connects to the gate and waits until it opens.
pub const NODE_WAIT: &str = "
import net from \"node:net\";
const waitAt = (port) => new Promise((resolve) => {
  const gate = net.connect(port, \"127.0.0.1\");
  gate.once(\"data\", () => { gate.destroy(); resolve(); });
});
";

/// A closed gate. Functions connect to its port and wait for a byte.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    shared: Arc<(Mutex<Waiting>, Condvar)>,
}

#[derive(Debug, Default)]
struct Waiting {
    arrived: usize,
    streams: Vec<TcpStream>,
    open: bool,
}

impl Gate {
    /// Makes a gate that is closed.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new((Mutex::new(Waiting::default()), Condvar::new()));
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (waiting, changed) = &*theirs;
                let mut waiting = waiting.lock().unwrap();
                waiting.arrived += 1;
                if waiting.open {
                    let _ = stream.write_all(b"!");
                } else {
                    waiting.streams.push(stream);
                }
                changed.notify_all();
            }
        });
        Self { address, shared }
    }

    /// Returns its port.
    pub fn port(&self) -> u16 {
        self.address.port()
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
