//! A keep-alive HTTP/1.1 connection with as little in the way as possible: for measurements, at both ends, and for load.
//!
//! It understands bodies with a `Content-Length`, and no others.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;

/// An open connection and what has been read of it.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// `buffer[..message]` is the last message, `buffer[message..filled]` begins the next one.
    message: usize,
    filled: usize,
}

/// A message, in the connection's buffer.
#[derive(Debug)]
pub struct Received<'connection> {
    /// The first line and the headers, with the empty line.
    pub head: &'connection str,
    /// What follows them.
    pub body: &'connection [u8],
}

impl<'connection> Received<'connection> {
    /// Returns a header.
    pub fn header(&self, name: &str) -> Option<&'connection str> {
        header(self.head, name)
    }
}

impl Connection {
    /// Connects.
    pub fn open(address: &str) -> io::Result<Self> {
        Self::new(TcpStream::connect(address)?)
    }

    /// Takes a connection that somebody opened.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; READ_BYTES], message: 0, filled: 0 })
    }

    /// Sends a message, and waits for none.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.stream.write_all(message)
    }

    /// Sends a message and waits for one.
    pub fn exchange(&mut self, message: &[u8]) -> io::Result<Received<'_>> {
        self.send(message)?;
        self.receive()
    }

    /// Waits for a message.
    pub fn receive(&mut self) -> io::Result<Received<'_>> {
        self.buffer.copy_within(self.message..self.filled, 0);
        self.filled -= self.message;
        self.message = 0;
        let head_end = loop {
            match self.buffer[..self.filled].windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.fill()?,
            }
        };
        let head = std::str::from_utf8(&self.buffer[..head_end]).map_err(io::Error::other)?;
        let length: usize = match header(head, "content-length") {
            Some(length) => length.parse().map_err(io::Error::other)?,
            None => 0,
        };
        self.message = head_end + length;
        while self.filled < self.message {
            self.fill()?;
        }
        let head = std::str::from_utf8(&self.buffer[..head_end]).map_err(io::Error::other)?;
        Ok(Received { head, body: &self.buffer[head_end..self.message] })
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.buffer.len() < self.filled + READ_BYTES / 2 {
            self.buffer.resize(self.filled + READ_BYTES, 0);
        }
        match self.stream.read(&mut self.buffer[self.filled..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.filled += length;
                Ok(())
            }
        }
    }
}

fn header<'head>(head: &'head str, name: &str) -> Option<&'head str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
