//! From the body of a request to a blob: framing taken away, summed up, compared with everything that the client says of
//! it, and written as it comes, with at most one piece of it in memory.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use hearth_auth::SignedPayload;
use hearth_aws_wire::BodyPieces;
use hearth_store::{BlobStore, BlobWriter, ChecksumRecord, PieceRecord};
use hearth_types::RequestId;
use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::buckets::Piece;
use crate::checksum::{self, Algorithm, Hasher};
use crate::chunked::Chunked;
use crate::error::S3Error;
use crate::request::Asked;

/// How much is written at once, and so in memory of each upload. Ours.
const WRITE_BYTES: usize = 1 << 20;

/// What was uploaded.
pub(crate) struct Uploaded {
    /// `None` when it has no bytes.
    pub(crate) piece: Option<Piece>,
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) checksum: Option<ChecksumRecord>,
}

/// Writes a blob, and sums it up.
pub(crate) struct Sink {
    blobs: Arc<dyn BlobStore>,
    blob: String,
    writer: Option<Box<dyn BlobWriter>>,
    waiting: BytesMut,
    size: u64,
    md5: Md5,
}

impl Sink {
    pub(crate) fn new(blobs: Arc<dyn BlobStore>) -> Self {
        let blob = RequestId::random().to_string();
        Self { blobs, blob, writer: None, waiting: BytesMut::new(), size: 0, md5: Md5::new() }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), S3Error> {
        self.size += bytes.len() as u64;
        self.md5.update(bytes);
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= WRITE_BYTES { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), S3Error> {
        let bytes = self.waiting.split().freeze();
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none
                .insert(self.blobs.write(self.blob.clone()).await.map_err(|error| S3Error::store(&error))?),
        };
        writer.write(bytes).await.map_err(|error| S3Error::store(&error))
    }

    /// Makes the blob durable. It goes again unless somebody keeps it.
    pub(crate) async fn finish(mut self) -> Result<Uploaded, S3Error> {
        if !self.waiting.is_empty() {
            self.flush().await?;
        }
        let mut piece = None;
        if let Some(writer) = self.writer.take() {
            writer.finish().await.map_err(|error| S3Error::store(&error))?;
            let record = PieceRecord { blob: self.blob.clone(), size: self.size };
            piece = Some(Piece::new(record, self.blobs.clone(), false));
        }
        Ok(Uploaded { piece, size: self.size, md5: self.md5.finalize().into(), checksum: None })
    }
}

/// Everything that a head says of its body.
struct Expected {
    bytes: Option<u64>,
    md5: Option<Vec<u8>>,
    sha256: Option<[u8; 32]>,
    algorithm: Option<Algorithm>,
    checksum: Option<String>,
}

impl Expected {
    fn of(asked: &Asked, payload: &SignedPayload) -> Result<Self, S3Error> {
        let decoded = asked.header("x-amz-decoded-content-length");
        let length = decoded.or_else(|| asked.header("content-length").filter(|_| !is_chunked(asked)));
        let bytes = length.map(|length| length.parse().map_err(|_| S3Error::incomplete())).transpose()?;
        let invalid_digest =
            || S3Error::new(400, "InvalidDigest", "The Content-MD5 you specified was invalid.");
        let md5 = asked.headers.get("content-md5").map(|value| {
            let decoded = STANDARD.decode(value.as_bytes()).ok();
            decoded.filter(|md5| md5.len() == 16).ok_or_else(invalid_digest)
        });
        let sha256 = if let SignedPayload::Hash(hash) = payload { Some(*hash) } else { None };
        let given: Vec<Algorithm> = checksum::ALL
            .into_iter()
            .filter(|algorithm| asked.headers.contains_key(algorithm.header()))
            .collect();
        let trailing = asked.header("x-amz-trailer").map(str::trim);
        let trailing = match trailing {
            None | Some("") => None,
            Some(name) => Some(Algorithm::of_header(name).ok_or_else(|| {
                S3Error::new(
                    400,
                    "InvalidRequest",
                    "The value specified in the x-amz-trailer header is not supported",
                )
            })?),
        };
        if given.len() + usize::from(trailing.is_some()) > 1 {
            let message =
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
            return Err(S3Error::new(400, "InvalidRequest", message));
        }
        let algorithm = given.first().copied();
        let checksum = algorithm.and_then(|algorithm| asked.header(algorithm.header())).map(str::to_owned);
        Ok(Self { bytes, md5: md5.transpose()?, sha256, algorithm: algorithm.or(trailing), checksum })
    }
}

fn is_chunked(asked: &Asked) -> bool {
    asked.header("x-amz-content-sha256").is_some_and(|hash| hash.starts_with("STREAMING-"))
        || asked
            .header("content-encoding")
            .is_some_and(|encodings| encodings.split(',').any(|encoding| encoding.trim() == "aws-chunked"))
}

/// Reads a body of at most `bytes_max` into a blob.
pub(crate) async fn receive(
    asked: &Asked,
    payload: SignedPayload,
    body: &mut BodyPieces,
    bytes_max: u64,
    blobs: Arc<dyn BlobStore>,
) -> Result<Uploaded, S3Error> {
    let mut sink = Sink::new(blobs);
    let (checksum, md5) = read(asked, payload, body, bytes_max, Keep::Blob(&mut sink)).await?;
    let mut uploaded = sink.finish().await?;
    if md5.is_some_and(|md5| md5 != uploaded.md5) {
        return Err(bad_digest("Content-MD5"));
    }
    uploaded.checksum = checksum;
    Ok(uploaded)
}

/// Reads a body of at most `bytes_max` into memory: a document.
pub(crate) async fn document(
    asked: &Asked,
    payload: SignedPayload,
    body: &mut BodyPieces,
    bytes_max: u64,
) -> Result<Bytes, S3Error> {
    let mut document = BytesMut::new();
    let (_, md5) = read(asked, payload, body, bytes_max, Keep::Memory(&mut document)).await?;
    if md5.is_some_and(|md5| md5[..] != Md5::digest(&document)[..]) {
        return Err(bad_digest("Content-MD5"));
    }
    Ok(document.freeze())
}

/// Where a body goes.
enum Keep<'a> {
    Blob(&'a mut Sink),
    Memory(&'a mut BytesMut),
}

impl Keep<'_> {
    async fn add(&mut self, bytes: &[u8]) -> Result<(), S3Error> {
        match self {
            Self::Blob(sink) => sink.write(bytes).await,
            Self::Memory(document) => {
                document.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

/// Reads a body, and compares it with what was said of it, but for its MD5, which is returned.
async fn read(
    asked: &Asked,
    payload: SignedPayload,
    body: &mut BodyPieces,
    bytes_max: u64,
    mut keep: Keep<'_>,
) -> Result<(Option<ChecksumRecord>, Option<Vec<u8>>), S3Error> {
    let expected = Expected::of(asked, &payload)?;
    if expected.bytes.is_some_and(|bytes| bytes > bytes_max) {
        return Err(S3Error::too_large());
    }
    let signer = if let SignedPayload::Chunks(signer) = payload { Some(signer) } else { None };
    let mut chunked = is_chunked(asked).then(|| Chunked::new(signer));
    let mut sha256 = expected.sha256.map(|_| Sha256::new());
    let mut hasher = expected.algorithm.map(Hasher::new);
    let (mut size, mut pieces) = (0_u64, vec![]);
    while let Some(bytes) = body.next().await.map_err(|error| S3Error::of_body(&error))? {
        match &mut chunked {
            Some(chunked) => chunked.push(bytes, &mut pieces)?,
            None => pieces.push(bytes),
        }
        for piece in pieces.drain(..) {
            size += piece.len() as u64;
            if size > bytes_max {
                return Err(S3Error::too_large());
            }
            if let Some(sha256) = &mut sha256 {
                sha256.update(&piece);
            }
            if let Some(hasher) = &mut hasher {
                hasher.update(&piece);
            }
            keep.add(&piece).await?;
        }
    }
    let is_complete = chunked.as_ref().is_none_or(Chunked::is_complete);
    if !is_complete || expected.bytes.is_some_and(|bytes| bytes != size) {
        return Err(S3Error::incomplete());
    }
    let hash: Option<[u8; 32]> = sha256.map(|sha256| sha256.finalize().into());
    if hash != expected.sha256 {
        return Err(S3Error::new(
            400,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ));
    }
    let (Some(algorithm), Some(hasher)) = (expected.algorithm, hasher) else {
        return Ok((None, expected.md5));
    };
    let of_trailer = || {
        let trailer = chunked.iter().flat_map(|chunked| &chunked.trailer);
        trailer.into_iter().find(|(name, _)| name == algorithm.header()).map(|(_, value)| value.clone())
    };
    let given = expected.checksum.or_else(of_trailer).ok_or_else(|| {
        S3Error::new(400, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
    })?;
    let computed = hasher.finish();
    if given != computed {
        return Err(bad_digest(algorithm.name()));
    }
    Ok((Some(checksum::record(algorithm, computed)), expected.md5))
}

fn bad_digest(what: &str) -> S3Error {
    S3Error::new(400, "BadDigest", format!("The {what} you specified did not match the calculated checksum."))
}

/// Writes an MD5 as an ETag.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
