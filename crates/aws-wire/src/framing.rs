//! Where each request begins and ends in what a client sends, and which heads are refused before the HTTP library sees
//! them: ambiguous framing, broken escapes, anything over a limit. Bytes in, decisions out; no I/O.
//!
//! Two parsers that disagree about where a request ends are how requests are smuggled. This one is the stricter: what it
//! does not understand ends the connection.

use std::mem::MaybeUninit;

use crate::refusal::Refusal;

/// Longest request line and headers together. AWS's load balancers take as much (Elastic Load Balancing quotas, read
/// 2026-11); real clients send about 2 KB, with a session token 4 KB.
pub(crate) const HEAD_BYTES_MAX: usize = 65_536;
/// Longest path with its query. As above.
pub(crate) const TARGET_BYTES_MAX: usize = 16_384;
/// Most headers. Clients send about 15.
pub(crate) const HEADERS_MAX: usize = 100;
/// Longest method and version around a target: a request line that is longer than both has too long a target.
const REQUEST_LINE_REST_MAX: usize = 64;
/// Longest line with the size of a chunk, its extensions included. AWS's signed chunks need about 90 bytes.
const CHUNK_LINE_BYTES_MAX: u32 = 1_024;
/// Longest trailers after the last chunk, all together.
const TRAILER_BYTES_MAX: u32 = 8_192;
/// Hex digits of a chunk's size: 64 GB and more is no request.
const CHUNK_SIZE_DIGITS_MAX: u32 = 9;

/// Follows one connection.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    state: State,
    /// How many heads were complete so far.
    requests: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The next byte belongs to a head.
    #[default]
    Head,
    /// So much of a body is left.
    Body(u64),
    /// Within a body in chunks.
    Chunked(Chunked),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunked {
    Size {
        value: u64,
        digits: u32,
    },
    Extension {
        value: u64,
        length: u32,
    },
    SizeLf {
        value: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// At the start of a line after the last chunk.
    TrailerStart {
        length: u32,
    },
    Trailer {
        length: u32,
    },
    TrailerLf {
        length: u32,
    },
    EndLf,
}

/// What some bytes turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Advance {
    /// So many of them are whole heads, and bodies. The rest is the beginning of a head, or what was refused.
    pub(crate) passed: usize,
    pub(crate) stop: Option<Stop>,
}

/// Why nothing more can be taken from a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A head is refused, and the client is told why.
    Head(Refusal),
    /// The framing of a body is broken. Whoever reads it sees that it ends early, and answers.
    Body,
}

impl Framing {
    /// How many heads were complete so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    /// Whether the next byte begins a request.
    pub(crate) fn is_between_requests(&self) -> bool {
        self.state == State::Head
    }

    /// Goes through `bytes`. When they end within a head, the next call has to begin with that head once more.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Advance {
        let mut passed = 0;
        while passed < bytes.len() {
            let rest = &bytes[passed..];
            match self.state {
                State::Head => match head(rest) {
                    Ok(Some(head)) => {
                        self.requests += 1;
                        self.state = head.body;
                        passed += head.length;
                    }
                    Ok(None) => return Advance { passed, stop: None },
                    Err(refusal) => return Advance { passed, stop: Some(Stop::Head(refusal)) },
                },
                State::Body(left) => {
                    let taken = left.min(rest.len() as u64);
                    passed += taken as usize;
                    self.state = if taken == left { State::Head } else { State::Body(left - taken) };
                }
                State::Chunked(chunked) => match chunked.step(rest) {
                    Some((taken, next)) => {
                        passed += taken;
                        self.state = next;
                    }
                    None => return Advance { passed, stop: Some(Stop::Body) },
                },
            }
        }
        Advance { passed, stop: None }
    }
}

impl Chunked {
    /// Takes one byte, or as much of a chunk's data as there is. `None`: it is not what has to stand there.
    fn step(self, bytes: &[u8]) -> Option<(usize, State)> {
        let byte = bytes[0];
        let next = match self {
            Self::Size { value, digits } => match (char::from(byte).to_digit(16), byte) {
                (Some(digit), _) if digits < CHUNK_SIZE_DIGITS_MAX => {
                    Self::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
                }
                (None, b'\r') if digits > 0 => Self::SizeLf { value },
                (None, b';') if digits > 0 => Self::Extension { value, length: 0 },
                _ => return None,
            },
            Self::Extension { value, length } => match byte {
                b'\r' => Self::SizeLf { value },
                b' '..=b'~' | b'\t' if length < CHUNK_LINE_BYTES_MAX => {
                    Self::Extension { value, length: length + 1 }
                }
                _ => return None,
            },
            Self::SizeLf { value } => match (byte, value) {
                (b'\n', 0) => Self::TrailerStart { length: 0 },
                (b'\n', left) => Self::Data { left },
                _ => return None,
            },
            Self::Data { left } => {
                let taken = left.min(bytes.len() as u64);
                let next = if taken == left { Self::DataCr } else { Self::Data { left: left - taken } };
                return Some((taken as usize, State::Chunked(next)));
            }
            Self::DataCr if byte == b'\r' => Self::DataLf,
            Self::DataLf if byte == b'\n' => Self::Size { value: 0, digits: 0 },
            Self::TrailerStart { length } => match byte {
                b'\r' => Self::EndLf,
                b'!'..=b'~' => Self::Trailer { length: length + 1 },
                _ => return None,
            },
            Self::Trailer { length } => match byte {
                b'\r' => Self::TrailerLf { length },
                b'\0' | b'\n' => return None,
                _ if length < TRAILER_BYTES_MAX => Self::Trailer { length: length + 1 },
                _ => return None,
            },
            Self::TrailerLf { length } if byte == b'\n' => Self::TrailerStart { length },
            Self::EndLf if byte == b'\n' => return Some((1, State::Head)),
            Self::DataCr | Self::DataLf | Self::TrailerLf { .. } | Self::EndLf => return None,
        };
        Some((1, State::Chunked(next)))
    }
}

/// A head that is taken.
struct Head {
    length: usize,
    body: State,
}

/// Reads the head at the start of `bytes`. `None`: it is not complete yet.
fn head(bytes: &[u8]) -> Result<Option<Head>, Refusal> {
    // One empty line may stand between requests; more of them are no client.
    if matches!(bytes, [b'\n', ..] | [b'\r', b'\n', b'\r' | b'\n', ..]) {
        return Err(Refusal::MALFORMED_HEAD);
    }
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return partial(bytes).map(|()| None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HEAD_TOO_LARGE),
        Err(httparse::Error::Version) if names_a_version(bytes) => return Err(Refusal::VERSION),
        Err(_) => return Err(Refusal::MALFORMED_HEAD),
    };
    if length > HEAD_BYTES_MAX {
        return Err(Refusal::HEAD_TOO_LARGE);
    }
    // The parser takes a line feed alone for the end of a line; a carriage return alone it refuses.
    let count = |wanted: u8| bytes[..length].iter().filter(|byte| **byte == wanted).count();
    if count(b'\n') > count(b'\r') {
        return Err(Refusal::MALFORMED_HEAD);
    }
    check_target(request.path.unwrap_or_default())?;
    let is_http_1_1 = request.version == Some(1);
    let body = body(request.headers, is_http_1_1)?;
    Ok(Some(Head { length, body }))
}

/// Whether a request line ends with a version, if not one of ours.
fn names_a_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
    let mut parts = line.split(|&byte| byte == b' ').skip(2);
    matches!((parts.next(), parts.next()), (Some(version), None) if version.starts_with(b"HTTP/"))
}

/// Refuses the beginning of a head when it is too long already.
fn partial(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() > TARGET_BYTES_MAX + REQUEST_LINE_REST_MAX && !bytes[2..].contains(&b'\n') {
        return Err(Refusal::TARGET_TOO_LONG);
    }
    if bytes.len() > HEAD_BYTES_MAX { Err(Refusal::HEAD_TOO_LARGE) } else { Ok(()) }
}

/// Checks a target: a path and a query, with whole escapes. Forms for proxies are refused: a client that takes us for one
/// should hear it, and nobody can be led to check a signature for a host other than that of the `Host` header.
fn check_target(target: &str) -> Result<(), Refusal> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(Refusal::TARGET_TOO_LONG);
    }
    if !target.starts_with('/') {
        return Err(Refusal::TARGET_FORM);
    }
    let bytes = target.as_bytes();
    let is_whole =
        |at: usize| matches!(bytes.get(at + 1..at + 3), Some(hex) if hex.iter().all(u8::is_ascii_hexdigit));
    let escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    if !escapes.map(|(at, _)| at).all(is_whole) {
        return Err(Refusal::ESCAPE);
    }
    // Nothing to think about in most paths. What the HTTP library would refuse, it would refuse without a word; and `#`,
    // which never stands in a request, it would drop with what follows.
    let is_usual = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.%:?&=+$,".contains(byte);
    if bytes.iter().all(is_usual) {
        return Ok(());
    }
    let is_plain = bytes.iter().all(|byte| matches!(byte, b'!'..=b'~') && *byte != b'#');
    if !is_plain || http::uri::PathAndQuery::try_from(target).is_err() {
        return Err(Refusal::MALFORMED_HEAD);
    }
    Ok(())
}

/// Says how the body of a request is framed. Anything that two readers could understand in two ways is refused.
fn body(headers: &[httparse::Header<'_>], is_http_1_1: bool) -> Result<State, Refusal> {
    let (mut length, mut is_chunked, mut hosts) = (None, false, 0);
    for header in headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let value = header.value.trim_ascii();
        if is("host") {
            hosts += 1;
        } else if is("content-length") {
            if length.is_some() {
                return Err(Refusal::FRAMING);
            }
            length = Some(content_length(value).ok_or(Refusal::FRAMING)?);
        } else if is("transfer-encoding") {
            if is_chunked || !is_http_1_1 || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal::FRAMING);
            }
            is_chunked = true;
        } else if is("expect") && !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::EXPECTATION);
        }
    }
    if hosts > 1 || (hosts == 0 && is_http_1_1) {
        return Err(Refusal::HOST);
    }
    match (length, is_chunked) {
        (Some(_), true) => Err(Refusal::FRAMING),
        (None, true) => Ok(State::Chunked(Chunked::Size { value: 0, digits: 0 })),
        (None | Some(0), false) => Ok(State::Head),
        (Some(length), false) => Ok(State::Body(length)),
    }
}

/// Reads a length: digits and nothing else, and not more than any file.
fn content_length(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let length: u64 = is_number.then(|| std::str::from_utf8(value).ok()?.parse().ok())??;
    (length <= i64::MAX as u64).then_some(length)
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
