//! Messages of `application/vnd.amazon.eventstream`, as they are sent.
//!
//! ```text
//!   4 bytes  length of the message        ┐ prelude; integers are big-endian
//!   4 bytes  length of the headers        ┘
//!   4 bytes  CRC-32 of the prelude
//!            headers: 1 byte length of the name, name, 1 byte type (7: a string), 2 bytes length of the value, value
//!            payload
//!   4 bytes  CRC-32 of everything before
//! ```
//!
//! Source: "Event stream encoding" of the Smithy specification, read 2026-11.

use bytes::{BufMut as _, Bytes, BytesMut};

/// The content type of such a stream.
pub const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// The type of a header whose value is a string.
const STRING: u8 = 7;

/// Returns an event, in three pieces that follow each other: the payload is not copied.
pub fn event(event_type: &str, content_type: &str, payload: Bytes) -> [Bytes; 3] {
    message(
        [(":event-type", event_type), (":content-type", content_type), (":message-type", "event")],
        payload,
    )
}

/// Returns an exception of the model, after which a stream ends, in three pieces as well.
pub fn exception(exception_type: &str, content_type: &str, payload: Bytes) -> [Bytes; 3] {
    let kind = (":message-type", "exception");
    message([(":exception-type", exception_type), (":content-type", content_type), kind], payload)
}

fn message(all: [(&str, &str); 3], payload: Bytes) -> [Bytes; 3] {
    let mut headers = BytesMut::with_capacity(128);
    for (name, value) in all {
        headers.put_u8(name.len() as u8);
        headers.put_slice(name.as_bytes());
        headers.put_u8(STRING);
        headers.put_u16(value.len() as u16);
        headers.put_slice(value.as_bytes());
    }
    let mut head = BytesMut::with_capacity(12 + headers.len());
    head.put_u32((12 + headers.len() + payload.len() + 4) as u32);
    head.put_u32(headers.len() as u32);
    head.put_u32(crc32fast::hash(&head));
    head.put_slice(&headers);
    let mut crc = crc32fast::Hasher::new();
    crc.update(&head);
    crc.update(&payload);
    [head.freeze(), payload, Bytes::copy_from_slice(&crc.finalize().to_be_bytes())]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checksums are those of Python's `binascii.crc32`.
    #[test]
    fn an_event_reads_as_the_specification_says() {
        let message = event("PayloadChunk", "application/octet-stream", Bytes::from_static(b"hi")).concat();
        let expected = [
            &[0x00, 0x00, 0x00, 0x6c, 0x00, 0x00, 0x00, 0x5a][..],
            &[0xb2, 0x5e, 0xfd, 0xcf],
            b"\x0b:event-type\x07\x00\x0cPayloadChunk",
            b"\x0d:content-type\x07\x00\x18application/octet-stream",
            b"\x0d:message-type\x07\x00\x05event",
            b"hi",
            &[0x11, 0x62, 0xe4, 0x69],
        ];
        assert_eq!(message, expected.concat());
    }

    #[test]
    fn an_exception_says_which_one_it_is() {
        let message =
            exception("SessionTimeoutException", "application/json", Bytes::from_static(b"{}")).concat();
        let headers = b"\x0f:exception-type\x07\x00\x17SessionTimeoutException\
            \x0d:content-type\x07\x00\x10application/json\x0d:message-type\x07\x00\x09exception{}";
        assert_eq!(message[12..message.len() - 4], headers[..]);
        assert_eq!(u32::from_be_bytes(message[..4].try_into().unwrap()) as usize, message.len());
    }
}
