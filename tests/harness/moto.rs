//! A moto server of the test's own: SQS, SNS, EventBridge and S3 at one endpoint.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use crate::programs::{EndedOnDrop, python_of};
use crate::server::Settings;
use crate::wait::LIMIT;

/// A moto server. It ends with this.
pub struct Moto {
    _child: EndedOnDrop,
    port: u16,
}

impl Moto {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_at(0)
    }

    /// Starts one on a port; 0 takes a free one.
    ///
    /// # Panics
    /// When it does not say where it listens.
    pub fn start_at(port: u16) -> Self {
        let mut command = python_of("moto");
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        command.env_remove("AWS_ENDPOINT_URL").env("PYTHONUNBUFFERED", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = EndedOnDrop(command.spawn().unwrap());
        let stderr = BufReader::new(child.0.stderr.take().unwrap());
        let (found, port) = mpsc::channel();
        // Read to its end, so that the server never waits for us.
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("Running on http://127.0.0.1:") {
                    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                    let _ = found.send(digits.parse::<u16>().unwrap());
                }
            }
        });
        let port = port.recv_timeout(LIMIT).expect("moto says where it listens");
        Self { _child: child, port }
    }

    /// Returns the port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Settings {
    /// Brings the ends of events to what listens at `url`.
    #[must_use]
    pub fn aws_endpoint(self, url: &str) -> Self {
        self.variable("HEARTH_AWS_ENDPOINT", url)
            .variable("HEARTH_AWS_ACCESS_KEY_ID", "test")
            .variable("HEARTH_AWS_SECRET_ACCESS_KEY", "test")
    }
}
