//! Headers that ask for what is not here. They are refused, never taken and forgotten.

use crate::error::S3Error;
use crate::request::Asked;

/// Beginnings of headers.
const REFUSED: [&str; 9] = [
    "x-amz-server-side-encryption-",
    "x-amz-copy-source-server-side-encryption",
    "x-amz-tagging",
    "x-amz-object-lock",
    "x-amz-bucket-object-lock",
    "x-amz-website-redirect-location",
    "x-amz-grant-",
    "x-amz-write-offset-bytes",
    "x-amz-copy-source-range",
];

pub(crate) fn check(asked: &Asked) -> Result<(), S3Error> {
    let refused =
        asked.headers.keys().find(|name| REFUSED.iter().any(|start| name.as_str().starts_with(start)));
    if let Some(name) = refused {
        return Err(S3Error::not_implemented(name.as_str()));
    }
    if let Some(acl) = asked.headers.get("x-amz-acl")
        && acl != "private"
        && acl != "bucket-owner-full-control"
    {
        return Err(S3Error::new(400, "AccessControlListNotSupported", "The bucket does not allow ACLs"));
    }
    if asked.headers.get("x-amz-storage-class").is_some_and(|class| class != "STANDARD") {
        let message = "The storage class you specified is not valid";
        return Err(S3Error::new(400, "InvalidStorageClass", message));
    }
    match asked.query("versionId") {
        None | Some("null") => Ok(()),
        Some(_) => Err(S3Error::new(404, "NoSuchVersion", "The specified version does not exist.")),
    }
}
