//! CopyObject: the bytes are copied, so that each object has its own.

use hearth_aws_wire::Response;

use crate::error::S3Error;
use crate::object_operations::{UPLOAD_BYTES_MAX, read};
use crate::request::Asked;
use crate::upload::Sink;
use crate::xml::Xml;
use crate::{S3, description, document, encryption, xml};

/// Conditions on the source: refused, because they would be taken and forgotten.
const CONDITIONS: &str = "x-amz-copy-source-if-";

impl S3 {
    pub(crate) async fn copy_object(&self, asked: &Asked) -> Result<Response, S3Error> {
        if let Some(name) = asked.headers.keys().find(|name| name.as_str().starts_with(CONDITIONS)) {
            return Err(S3Error::not_implemented(name.as_str()));
        }
        if asked.headers.contains_key("x-amz-checksum-algorithm") {
            return Err(S3Error::not_implemented("x-amz-checksum-algorithm of copies"));
        }
        let (bucket, key) = &source(asked)?;
        let object = {
            let state = self.buckets.read();
            state.bucket(asked.bucket())?;
            let object = state.bucket(bucket)?.objects.get(key).cloned();
            object.ok_or_else(|| S3Error::no_such_key(key))?
        };
        let described = match asked.header("x-amz-metadata-directive") {
            None | Some("COPY")
                if *bucket == asked.bucket()
                    && *key == asked.key()
                    && !asked.headers.contains_key(encryption::HEADER) =>
            {
                return Err(S3Error::new(
                    400,
                    "InvalidRequest",
                    "This copy request is illegal because it is trying to copy an object to itself without changing the \
                     object's metadata, storage class, website redirect location or encryption attributes.",
                ));
            }
            None | Some("COPY") => {
                let mut description = object.record.description.clone();
                // It is of each writing, and does not go with the object.
                encryption::keep(asked, &mut description);
                description
            }
            Some("REPLACE") => description::of(asked)?,
            Some(_) => {
                return Err(S3Error::invalid_argument(
                    "x-amz-metadata-directive",
                    "Unknown metadata directive.",
                ));
            }
        };
        if object.record.size > UPLOAD_BYTES_MAX {
            return Err(S3Error::new(
                400,
                "InvalidRequest",
                "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
            ));
        }
        let blobs = self.buckets.blobs.clone();
        let mut sink = Sink::new(blobs.clone());
        let (mut at, size) = (0, object.record.size);
        while at < size {
            let bytes = read(&object, at..size, &*blobs).await.map_err(|error| {
                tracing::error!(error = &*error, "an object cannot be copied");
                S3Error::new(500, "InternalError", "We encountered an internal error. Please try again.")
            })?;
            at += bytes.len() as u64;
            sink.write(&bytes).await?;
        }
        let mut uploaded = sink.finish().await?;
        uploaded.checksum = object.record.checksum.clone();
        let record = self.keep(asked, described, uploaded).await?;
        let answer = Xml::default()
            .with("ETag", format!("\"{}\"", record.etag))
            .with("LastModified", description::date(record.modified_ms));
        let mut response = document(xml::document(&answer, "CopyObjectResult"));
        encryption::tell(&mut response, &record.description);
        Ok(response)
    }
}

/// Reads which object is copied: its bucket and its key.
pub(crate) fn source(asked: &Asked) -> Result<(String, String), S3Error> {
    let wrong = || {
        S3Error::invalid_argument(
            "x-amz-copy-source",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        )
    };
    let source = asked.header("x-amz-copy-source").unwrap_or_default();
    let (source, version) = source.split_once("?versionId=").unwrap_or((source, "null"));
    if version != "null" {
        return Err(S3Error::new(404, "NoSuchVersion", "The specified version does not exist."));
    }
    let source = hearth_aws_wire::decode(source).ok_or_else(wrong)?;
    let (bucket, key) = source.strip_prefix('/').unwrap_or(&source).split_once('/').ok_or_else(wrong)?;
    Ok((bucket.to_owned(), key.to_owned()))
}
