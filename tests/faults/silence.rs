//! Waiting as long as the server waits for a client that says nothing.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::Duration;

use hearth_tests::Server;

/// Connects, says nothing, and returns when the server has closed the connection.
pub(crate) fn wait_until_silence_is_closed(server: &Server) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0, "closed without a word");
}
