//! `aws-chunked`: the framing that SDKs put around a body whose checksum or signature comes behind it.
//!
//! ```text
//! SIZE[;chunk-signature=SIGNATURE]\r\n DATA \r\n … 0[;chunk-signature=…]\r\n [NAME:VALUE\r\n …] \r\n
//! ```
//!
//! Bytes in, bytes out; no I/O.

use bytes::{Buf as _, Bytes};
use hearth_auth::ChunkSigner;
use sha2::{Digest as _, Sha256};

use crate::error::S3Error;

/// Longest line with the size of a chunk. Signed ones have about 90 bytes.
const LINE_BYTES_MAX: usize = 1_024;
/// Longest trailer.
const TRAILER_BYTES_MAX: usize = 8_192;
/// The header of the trailer's own signature.
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// Takes the framing away from a body.
pub(crate) struct Chunked {
    state: State,
    line: Vec<u8>,
    /// Verifies the chunks, when the head was signed so.
    signer: Option<ChunkSigner>,
    chunk: Sha256,
    signature: String,
    trailer_bytes: usize,
    /// The lines of the trailer, their names in lower case.
    pub(crate) trailer: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Data(u64),
    AfterData,
    Trailer,
    End,
}

impl Chunked {
    pub(crate) fn new(signer: Option<ChunkSigner>) -> Self {
        Self {
            state: State::Size,
            line: vec![],
            signer,
            chunk: Sha256::new(),
            signature: String::new(),
            trailer_bytes: 0,
            trailer: vec![],
        }
    }

    /// Takes some bytes of the body, and hands the data in them to `out`.
    pub(crate) fn push(&mut self, mut bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), S3Error> {
        while !bytes.is_empty() {
            match self.state {
                State::Data(left) => {
                    let taken = bytes.split_to(bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
                    if self.signer.is_some() {
                        self.chunk.update(&taken);
                    }
                    let left = left - taken.len() as u64;
                    out.push(taken);
                    self.state = if left == 0 { State::AfterData } else { State::Data(left) };
                }
                State::End => return Err(S3Error::incomplete()),
                State::Size | State::AfterData | State::Trailer => {
                    let byte = bytes.get_u8();
                    if byte != b'\n' {
                        self.line.push(byte);
                        if self.line.len() > LINE_BYTES_MAX {
                            return Err(S3Error::incomplete());
                        }
                        continue;
                    }
                    let mut line = std::mem::take(&mut self.line);
                    // Some clients end the lines of the trailer with a line feed alone.
                    if line.last() == Some(&b'\r') {
                        line.pop();
                    }
                    let line = String::from_utf8(line).map_err(|_| S3Error::incomplete())?;
                    self.line_is_there(&line)?;
                }
            }
        }
        Ok(())
    }

    fn line_is_there(&mut self, line: &str) -> Result<(), S3Error> {
        match self.state {
            State::Size => {
                let (size, extension) = line.split_once(';').unwrap_or((line, ""));
                let is_hex = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit());
                let size = is_hex.then(|| u64::from_str_radix(size, 16).ok()).flatten();
                let size = size.ok_or_else(S3Error::incomplete)?;
                self.signature =
                    extension.strip_prefix("chunk-signature=").unwrap_or_default().trim().to_owned();
                if size > 0 {
                    self.state = State::Data(size);
                    return Ok(());
                }
                self.chunk_is_whole()?;
                self.state = State::Trailer;
            }
            State::AfterData if line.is_empty() => {
                self.chunk_is_whole()?;
                self.state = State::Size;
            }
            State::Trailer if line.is_empty() => {
                self.trailer_is_whole()?;
                self.state = State::End;
            }
            State::Trailer => {
                self.trailer_bytes += line.len();
                let (name, value) = line.split_once(':').ok_or_else(S3Error::incomplete)?;
                if self.trailer_bytes > TRAILER_BYTES_MAX {
                    return Err(S3Error::incomplete());
                }
                self.trailer.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
            State::AfterData | State::Data(_) | State::End => return Err(S3Error::incomplete()),
        }
        Ok(())
    }

    fn chunk_is_whole(&mut self) -> Result<(), S3Error> {
        let hash = std::mem::take(&mut self.chunk).finalize();
        let signer = self.signer.as_mut();
        let is_right = signer.is_none_or(|signer| signer.is_signed(&hash.into(), &self.signature));
        if is_right { Ok(()) } else { Err(mismatch()) }
    }

    fn trailer_is_whole(&mut self) -> Result<(), S3Error> {
        let signature = self.trailer.iter().position(|(name, _)| name == TRAILER_SIGNATURE);
        let signature = signature.map(|at| self.trailer.remove(at).1);
        let Some(signer) = &mut self.signer else { return Ok(()) };
        let text: String = self.trailer.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        match signature {
            None if self.trailer.is_empty() => Ok(()),
            Some(signature) if signer.is_trailer_signed(text.as_bytes(), &signature) => Ok(()),
            _ => Err(mismatch()),
        }
    }

    /// Whether the body may end here. The empty line behind an empty trailer is left out by some clients.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, State::End)
            || self.state == State::Trailer && self.line.is_empty() && self.trailer.is_empty()
    }
}

fn mismatch() -> S3Error {
    S3Error::new(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, step: usize) -> Result<String, S3Error> {
        let mut chunked = Chunked::new(None);
        let mut out = vec![];
        for piece in text.as_bytes().chunks(step) {
            chunked.push(Bytes::copy_from_slice(piece), &mut out)?;
        }
        let data: String = out.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
        if chunked.is_complete() {
            Ok(format!("{data} {:?}", chunked.trailer))
        } else {
            Err(S3Error::incomplete())
        }
    }

    #[test]
    fn the_framing_is_taken_away_wherever_the_pieces_end() {
        let text = "5\r\nhello\r\n6;chunk-signature=0\r\n world\r\n0\r\nX-Amz-Checksum-Crc32:abc=\r\n\r\n";
        for step in [1, 2, 7, 1_000] {
            assert_eq!(read(text, step).unwrap(), "hello world [(\"x-amz-checksum-crc32\", \"abc=\")]");
        }
        assert_eq!(read("0\r\n\r\n", 1).unwrap(), " []");
    }

    #[test]
    fn what_is_cut_off_or_no_framing_is_refused() {
        for text in [
            "",
            "5\r\nhel",
            "5\r\nhello\r\n",
            "x\r\n",
            "-1\r\n",
            "5\r\nhelloX\r\n0\r\n\r\n",
            "0\r\nabc\r\n\r\n",
            "0\r\n\r\nmore",
        ] {
            assert!(read(text, 3).is_err(), "{text:?}");
        }
        assert!(read(&"1".repeat(2_000), 100).is_err());
    }
}
