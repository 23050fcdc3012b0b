//! Answers that are read as they come: chunked bodies, and the event-stream messages in them.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::function::{NewFunction, bootstrap};
use crate::gate::PYTHON_WAIT;
use crate::raw_zip::crc32;

/// No piece of an answer takes longer than this.
const PIECE_LIMIT: Duration = Duration::from_secs(90);

/// A function with a runtime of its own that streams what each event tells it to: `streaming_runtime.py`.
pub fn streaming_bootstrap(name: &str) -> NewFunction {
    let runtime = include_str!("streaming_runtime.py");
    bootstrap(name, format!("#!/usr/bin/env python3\n{PYTHON_WAIT}\n{runtime}"))
}

/// An answer whose head has come.
pub struct Streamed {
    /// The status code.
    pub status: u16,
    /// The headers as they came.
    pub headers: Vec<(String, String)>,
    stream: BufReader<TcpStream>,
    /// What is left of the chunk, or of a body of known length.
    left: usize,
    is_chunked: bool,
    is_over: bool,
}

/// A message of an event stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// `PayloadChunk` or `InvokeComplete`.
    pub event_type: String,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// Sends a request to a host name and waits for the head of the answer.
///
/// # Panics
/// When there is none.
pub fn begin_http(
    address: SocketAddr,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Streamed {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PIECE_LIMIT)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).unwrap();
    // A server may answer, and close, before it has read all of a body that it refuses.
    let _ = stream.write_all(body);
    let mut stream = BufReader::new(stream);
    let line = read_line(&mut stream).unwrap();
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut stream).unwrap();
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut answer =
        Streamed { status, headers, stream, left: 0, is_chunked: false, is_over: method == "HEAD" };
    answer.is_chunked = answer.header("transfer-encoding") == Some("chunked");
    if let Some(length) = answer.header("content-length") {
        answer.left = length.parse().unwrap();
    }
    answer
}

fn read_line(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

impl Read for Streamed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && self.is_chunked && !self.is_over {
            let line = read_line(&mut self.stream)?;
            self.left = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            if self.left == 0 {
                self.is_over = true;
                read_line(&mut self.stream)?;
            }
        }
        if self.left == 0 || self.is_over {
            return Ok(0);
        }
        let length = buffer.len().min(self.left);
        let read = self.stream.read(&mut buffer[..length])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read;
        if self.left == 0 && self.is_chunked {
            read_line(&mut self.stream)?;
        }
        Ok(read)
    }
}

impl Streamed {
    /// Returns a header; upper and lower case are the same.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Reads the rest of the body as text.
    ///
    /// # Panics
    /// When it is cut off.
    pub fn text(&mut self) -> String {
        let mut body = Vec::new();
        self.read_to_end(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }

    /// Reads so many bytes of the body as text.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn text_of(&mut self, bytes: usize) -> String {
        let mut body = vec![0; bytes];
        self.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }

    /// Reads the next message; `None` at the end of the body.
    ///
    /// # Panics
    /// When it is no message, or its checksums are wrong.
    pub fn message(&mut self) -> Option<Message> {
        let mut prelude = [0; 12];
        let read = self.read(&mut prelude).unwrap();
        if read == 0 {
            return None;
        }
        self.read_exact(&mut prelude[read..]).unwrap();
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
        assert_eq!(number(&prelude[8..]), crc32(&prelude[..8]));
        let (length, headers_length) = (number(&prelude[..4]) as usize, number(&prelude[4..8]) as usize);
        let mut message = prelude.to_vec();
        message.resize(length, 0);
        self.read_exact(&mut message[12..]).unwrap();
        assert_eq!(number(&message[length - 4..]), crc32(&message[..length - 4]));
        let mut headers = &message[12..12 + headers_length];
        let mut event_type = String::new();
        while let [name_length, rest @ ..] = headers {
            let (name, rest) = rest.split_at(usize::from(*name_length));
            assert_eq!(rest[0], 7, "a text");
            let value_length = usize::from(u16::from_be_bytes([rest[1], rest[2]]));
            let (value, rest) = rest[3..].split_at(value_length);
            if name == b":event-type" {
                event_type = String::from_utf8(value.to_vec()).unwrap();
            }
            headers = rest;
        }
        let payload = message[12 + headers_length..length - 4].to_vec();
        Some(Message { event_type, payload })
    }

    /// Reads all messages: the payload of the chunks, and what `InvokeComplete` says.
    ///
    /// # Panics
    /// When there is no `InvokeComplete`, or something follows it.
    pub fn messages(&mut self) -> (Vec<u8>, Value) {
        let mut payload = Vec::new();
        loop {
            let message = self.message().expect("`InvokeComplete` is the last message");
            match message.event_type.as_str() {
                "PayloadChunk" => payload.extend_from_slice(&message.payload),
                "InvokeComplete" => {
                    assert_eq!(self.message(), None);
                    return (payload, serde_json::from_slice(&message.payload).unwrap());
                }
                other => panic!("{other}"),
            }
        }
    }
}
