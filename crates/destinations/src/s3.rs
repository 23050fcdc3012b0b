//! PutObject of S3, with the bucket in the path.

use std::fmt::Write as _;

use bytes::Bytes;
use hearth_aws_client::{Asked, Endpoint};
use hearth_invoke::{DeliveryError, DeliveryRecord};
use hearth_types::Arn;
use http::Method;
use sha2::{Digest as _, Sha256};

use crate::undelivered;

/// Puts the record of the end of an event into a bucket.
pub(crate) async fn put_object(
    endpoint: &Endpoint,
    bucket: &Arn<'_>,
    delivery: &DeliveryRecord,
    now_ms: i64,
) -> Result<(), DeliveryError> {
    put(endpoint, bucket, &key(delivery), &delivery.message, now_ms).await
}

/// Puts a message into a bucket.
pub(crate) async fn put(
    endpoint: &Endpoint,
    bucket: &Arn<'_>,
    key: &str,
    message: &Bytes,
    now_ms: i64,
) -> Result<(), DeliveryError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !bucket.resource.bytes().all(is_plain) {
        return Err(DeliveryError::Refused("it names no bucket".to_owned()));
    }
    let path = format!("/{}/{key}", bucket.resource);
    let mut sha256 = String::new();
    for byte in Sha256::digest(message) {
        let _ = write!(sha256, "{byte:02x}");
    }
    let asked = Asked {
        service: "s3",
        method: Method::PUT,
        path: &path,
        content_type: "application/json",
        headers: &[("x-amz-content-sha256", &sha256)],
        body: message.clone(),
    };
    endpoint.ask(asked, now_ms).await.map_err(undelivered)?;
    Ok(())
}

/// Returns the key of the object. Its end is the id of the request, where AWS has a random one: a record that is brought
/// twice is one object.
fn key(delivery: &DeliveryRecord) -> String {
    let function = delivery.function_arn.split(':').nth(6).unwrap_or("unknown");
    object_key(&format!("async/{function}"), delivery.ended_ms, &delivery.request_id)
}

/// Returns the key of an object that tells of an end at `ended_ms`: `aws/lambda/FOLDER/DAY/TIME-ID`.
pub fn object_key(folder: &str, ended_ms: i64, id: &str) -> String {
    let ended = jiff::Timestamp::from_millisecond(ended_ms).unwrap_or_default();
    let (day, time) = (ended.strftime("%Y/%m/%d"), ended.strftime("%Y-%m-%dT%H.%M.%S"));
    format!("aws/lambda/{folder}/{day}/{time}-{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_function_the_time_and_the_request() {
        let delivery = DeliveryRecord {
            request_id: "c63c4ac2-5a0b-4a5b-9c3c-0d5ddb9a6a34".to_owned(),
            function_arn: "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST".to_owned(),
            destination: "arn:aws:s3:::b".to_owned(),
            condition: "RetriesExhausted".to_owned(),
            ended_ms: 1_573_754_165_568,
            dead_letter: None,
            message: Bytes::new(),
            due_ms: 0,
            backoffs: 0,
        };
        let expected =
            "aws/lambda/async/f/2019/11/14/2019-11-14T17.56.05-c63c4ac2-5a0b-4a5b-9c3c-0d5ddb9a6a34";
        assert_eq!(key(&delivery), expected);
    }
}
