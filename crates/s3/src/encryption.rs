//! `x-amz-server-side-encryption: AES256`, with which `sam package` and `aws s3 cp --sse` write.
//!
//! On AWS it asks for what every object has anyway: AWS encrypts it with a key that AWS alone has, and decrypts it for whoever may
//! read it. So no client can tell from an object whether it was done. Here an object is kept as everything in the data directory
//! is: Hearth encrypts nothing, and who wants it encrypted puts the directory on an encrypted disk. The word is kept and answered
//! where it was said, and of no other object. Keys that a client names are another matter, and refused.

use hearth_aws_wire::Response;
use hearth_store::ObjectDescription;

use crate::error::S3Error;
use crate::operation::Operation;
use crate::request::Asked;
use crate::set;

/// The header, in requests and in answers.
pub(crate) const HEADER: &str = "x-amz-server-side-encryption";
const AES256: &str = "AES256";

/// Refuses every other encryption, and this one where nothing is written.
pub(crate) fn check(asked: &Asked, operation: Operation) -> Result<(), S3Error> {
    let writes =
        matches!(operation, Operation::PutObject | Operation::CopyObject | Operation::CreateMultipartUpload);
    for value in asked.headers.get_all(HEADER) {
        match value.as_bytes() {
            b"AES256" if writes => {}
            b"AES256" => {
                let message = format!("{HEADER} header is not supported for this operation.");
                return Err(S3Error::invalid_argument(HEADER, message));
            }
            b"aws:kms" | b"aws:kms:dsse" | b"aws:fsx" => {
                let value = String::from_utf8_lossy(value.as_bytes());
                return Err(S3Error::not_implemented(&format!("{HEADER}: {value}")));
            }
            _ => {
                let message = "The encryption method specified is not supported";
                return Err(S3Error::invalid_argument(HEADER, message));
            }
        }
    }
    Ok(())
}

/// Keeps what a request says, instead of what was said before.
pub(crate) fn keep(asked: &Asked, description: &mut ObjectDescription) {
    description.headers.remove(HEADER);
    if asked.headers.contains_key(HEADER) {
        description.headers.insert(HEADER.to_owned(), AES256.to_owned());
    }
}

/// Says it of an object that is being written.
pub(crate) fn tell(response: &mut Response, description: &ObjectDescription) {
    if let Some(value) = description.headers.get(HEADER) {
        set(response, HEADER, value);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

    use super::*;

    #[track_caller]
    fn check_header(operation: Operation, value: &'static [u8], wanted: Option<(u16, &str)>) {
        let value = HeaderValue::from_bytes(value).unwrap();
        let headers = HeaderMap::from_iter([(HeaderName::from_static(HEADER), value)]);
        let asked = Asked::of(&Method::PUT, &Uri::from_static("/b/k"), &headers).unwrap();
        let refused = check(&asked, operation).err();
        assert_eq!(refused.map(|error| (error.status.as_u16(), error.code)), wanted);
    }

    #[test]
    fn only_aes256_is_taken_and_only_where_an_object_is_written() {
        for operation in [Operation::PutObject, Operation::CopyObject, Operation::CreateMultipartUpload] {
            check_header(operation, b"AES256", None);
            check_header(operation, b"aws:kms", Some((501, "NotImplemented")));
            check_header(operation, b"aes256", Some((400, "InvalidArgument")));
            check_header(operation, b"AES\xff", Some((400, "InvalidArgument")));
        }
        check_header(Operation::GetObject, b"AES256", Some((400, "InvalidArgument")));
        check_header(Operation::UploadPart, b"AES256", Some((400, "InvalidArgument")));
    }
}
