//! What an owner says of an object, and how it comes back.

use hearth_aws_wire::Response;
use hearth_store::{ObjectDescription, ObjectRecord};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::checksum::Algorithm;
use crate::encryption;
use crate::error::S3Error;
use crate::request::Asked;
use crate::set;

/// Headers that come back as they were.
const HEADERS: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];
/// What the owner's own headers begin with.
const METADATA: &str = "x-amz-meta-";
/// How long all of them may be together. Source: "Working with object metadata" in the S3 User Guide, read 2026-11.
const METADATA_BYTES_MAX: usize = 2_048;
/// How long the others may be together. Ours.
const HEADERS_BYTES_MAX: usize = 8_192;
/// What an object is of whose type nobody spoke.
const TYPE_DEFAULT: &str = "binary/octet-stream";

/// Reads what a request says of an object to be.
pub(crate) fn of(asked: &Asked) -> Result<ObjectDescription, S3Error> {
    let mut description = ObjectDescription::default();
    for (name, value) in &asked.headers {
        let name = name.as_str();
        let is_known = HEADERS.contains(&name);
        let metadata = name.strip_prefix(METADATA).filter(|name| !name.is_empty());
        if !is_known && metadata.is_none() {
            continue;
        }
        // Texts beyond ASCII come as UTF-8, and go as they came.
        let text = std::str::from_utf8(value.as_bytes())
            .map_err(|_| S3Error::invalid_argument(name, "The value of a header is not UTF-8"))?;
        match metadata {
            Some(metadata) => drop(description.metadata.insert(metadata.to_owned(), text.to_owned())),
            None => drop(description.headers.insert(name.to_owned(), text.to_owned())),
        }
    }
    encryption::keep(asked, &mut description);
    // The framing of the upload is not that of the object.
    if let Some(encodings) = description.headers.remove("content-encoding") {
        let encodings: Vec<&str> = encodings
            .split(',')
            .map(str::trim)
            .filter(|encoding| *encoding != "aws-chunked" && !encoding.is_empty())
            .collect();
        if !encodings.is_empty() {
            description.headers.insert("content-encoding".to_owned(), encodings.join(","));
        }
    }
    let bytes = |(name, value): (&String, &String)| name.len() + value.len();
    if description.metadata.iter().map(bytes).sum::<usize>() > METADATA_BYTES_MAX {
        return Err(S3Error::new(
            400,
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
        ));
    }
    if description.headers.iter().map(bytes).sum::<usize>() > HEADERS_BYTES_MAX {
        return Err(S3Error::new(
            400,
            "RequestHeaderSectionTooLarge",
            "Your request headers exceed the maximum size",
        ));
    }
    Ok(description)
}

/// Says of an object what its owner did, and what a client may want to know. A presigned URL may say otherwise.
pub(crate) fn tell(response: &mut Response, asked: &Asked, object: &ObjectRecord, is_whole: bool) {
    set(response, "content-type", TYPE_DEFAULT);
    for (name, text) in &object.description.headers {
        set(response, name, text);
    }
    for name in HEADERS {
        if let Some(text) = asked.query(&format!("response-{name}")) {
            set(response, name, text);
        }
    }
    for (name, text) in &object.description.metadata {
        set(response, &format!("{METADATA}{name}"), text);
    }
    set(response, "etag", &format!("\"{}\"", object.etag));
    set(response, "last-modified", &http_date(object.modified_ms));
    set(response, "accept-ranges", "bytes");
    if let Some(checksum) = &object.checksum
        && is_whole
        && asked.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"))
        && let Some(algorithm) = Algorithm::of_name(&checksum.algorithm)
    {
        set(response, algorithm.header(), &checksum.value);
        set(response, "x-amz-checksum-type", "FULL_OBJECT");
    }
}

/// Writes a time as HTTP does.
pub(crate) fn http_date(ms: i64) -> String {
    let time = Timestamp::from_second(ms.div_euclid(1_000)).ok();
    time.and_then(|time| DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()).unwrap_or_default()
}

/// Writes a time as documents do.
pub(crate) fn date(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |time| format!("{time:.3}"))
}
