//! S3, as far as tools need it to upload code and the like: buckets, objects, lists, multipart uploads, presigned URLs.
//! REST with XML. One module a family of operations; [`operation`] is the table.
//!
//! Who calls, and whether they may, has been found out before a request comes here (`hearth-auth`); what the signature
//! says of the body is compared here, while the body is read. There are no versions of objects, no access control lists
//! and no encryption: what asks for them is refused.

mod bucket_operations;
mod buckets;
mod checksum;
mod chunked;
mod conditions;
mod copy;
mod description;
mod encryption;
mod error;
mod lists;
mod multipart;
mod names;
mod object_operations;
mod operation;
mod presigned;
mod request;
mod unsupported;
mod upload;
mod xml;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hearth_auth::SignedPayload;
use hearth_aws_wire::{Body, BodyPieces, REQUEST_ID, Response};
use hearth_store::{BlobStore, BucketStore, Clock, StoreError};
use hearth_types::{Region, RequestId};
use http::header::{CONNECTION, CONTENT_TYPE, EXPECT, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use buckets::Buckets;
use error::S3Error;
use operation::Operation;
use request::Asked;

/// How many bodies are read at once. Each has at most a piece of 1 MiB in memory, and one that comes too slowly is refused.
const BODIES_MAX: usize = 64;
/// How much of an object is read at once. Ours.
const READ_BYTES: u64 = 256 << 10;

const REQUEST_ID_OF_S3: HeaderName = HeaderName::from_static("x-amz-request-id");

/// The buckets of one account in one region.
pub struct S3 {
    buckets: Arc<Buckets>,
    region: Region,
    bodies: Semaphore,
}

/// Why an object cannot be read by another part of the server: in S3's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetObjectError {
    /// Such as `NoSuchKey`.
    pub code: &'static str,
    /// The text.
    pub message: String,
}

impl S3 {
    /// Reads what is kept.
    pub async fn open(
        store: Arc<dyn BucketStore>,
        blobs: Arc<dyn BlobStore>,
        clock: Arc<dyn Clock>,
        region: Region,
    ) -> Result<Arc<Self>, StoreError> {
        let buckets = Arc::new(Buckets::open(store, blobs, clock).await?);
        Ok(Arc::new(Self { buckets, region, bodies: Semaphore::new(BODIES_MAX) }))
    }

    /// Whether a request is meant for S3.
    pub fn is_asked<B>(request: &Request<B>) -> bool {
        request::is_for_s3(request)
    }

    /// Returns what a request asks for, as rights name it. Empty when it is no operation, and nothing to allow.
    pub fn asked<B>(request: &Request<B>) -> Vec<hearth_auth::Asked> {
        let Ok(asked) = Asked::of(request.method(), request.uri(), request.headers()) else { return vec![] };
        Operation::of(&asked).map_or(vec![], |operation| operation.rights(&asked))
    }

    /// Answers a request.
    pub async fn answer(self: &Arc<Self>, mut request: Request<Incoming>) -> Response {
        let request_id = RequestId::random().to_string();
        let asked = Asked::of(request.method(), request.uri(), request.headers());
        let path = request.uri().path().to_owned();
        let waits_for_us = request.headers().contains_key(EXPECT);
        let payload = request.extensions_mut().remove::<SignedPayload>();
        let mut body = BodyPieces::of(request);
        let answer = match asked {
            Ok(asked) => self.dispatch(&asked, payload, &mut body).await,
            Err(error) => Err(error),
        };
        let mut response = match answer {
            Ok(response) => response,
            Err(error) => {
                // Who asked first whether to send has sent nothing.
                let keeps_its_body = waits_for_us && !body.has_begun();
                if !keeps_its_body {
                    body.drop_rest().await;
                }
                let mut response = error.into_response(&path, &request_id);
                if keeps_its_body {
                    // The next request cannot be told from the body that was announced.
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                response
            }
        };
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID_OF_S3, value.clone());
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }

    async fn dispatch(
        &self,
        asked: &Asked,
        payload: Option<SignedPayload>,
        body: &mut BodyPieces,
    ) -> Result<Response, S3Error> {
        let operation = Operation::of(asked)?;
        presigned::check(asked, self.buckets.clock.epoch_ms())?;
        unsupported::check(asked)?;
        encryption::check(asked, operation)?;
        if let Some(key) = &asked.key {
            names::check_key(key)?;
        }
        // Without keys nobody verifies a signature; what the head says of the body is compared all the same.
        let payload = payload.unwrap_or_else(|| presigned::claimed_payload(asked));
        match operation {
            Operation::ListBuckets => self.list_buckets(asked),
            Operation::CreateBucket => self.create_bucket(asked, payload, body).await,
            Operation::HeadBucket => self.head_bucket(asked),
            Operation::DeleteBucket => self.delete_bucket(asked).await,
            Operation::GetBucketLocation => self.get_bucket_location(asked),
            Operation::GetBucketVersioning => self.get_bucket_versioning(asked),
            Operation::ListObjects => self.list_objects(asked),
            Operation::ListObjectsV2 => self.list_objects_v2(asked),
            Operation::ListMultipartUploads => self.list_multipart_uploads(asked),
            Operation::DeleteObjects => self.delete_objects(asked, payload, body).await,
            Operation::PutObject => self.put_object(asked, payload, body).await,
            Operation::CopyObject => self.copy_object(asked).await,
            Operation::GetObject => self.get_object(asked),
            Operation::HeadObject => self.head_object(asked),
            Operation::DeleteObject => self.delete_object(asked).await,
            Operation::CreateMultipartUpload => self.create_multipart_upload(asked).await,
            Operation::UploadPart => self.upload_part(asked, payload, body).await,
            Operation::CompleteMultipartUpload => self.complete_multipart_upload(asked, payload, body).await,
            Operation::AbortMultipartUpload => self.abort_multipart_upload(asked).await,
            Operation::ListParts => self.list_parts(asked),
        }
    }

    /// Reads an object of at most `bytes_max` into memory, for a function's code. `Ok(None)` is one that is larger.
    pub async fn get(
        &self,
        bucket: &str,
        key: &str,
        bytes_max: u64,
    ) -> Result<Option<Bytes>, GetObjectError> {
        let found = {
            let state = self.buckets.read();
            let objects = state.bucket(bucket).map(|bucket| bucket.objects.get(key).cloned());
            objects.and_then(|object| object.ok_or_else(|| S3Error::no_such_key(key)))
        };
        let refused = |error: S3Error| GetObjectError { code: error.code, message: error.message };
        let object = found.map_err(refused)?;
        if object.record.size > bytes_max {
            return Ok(None);
        }
        let mut read = BytesMut::with_capacity(usize::try_from(object.record.size).unwrap_or(0));
        for piece in &object.pieces {
            let range = 0..piece.record.size;
            let bytes = self.buckets.blobs.read(piece.record.blob.clone(), range).await;
            match bytes.map_err(|error| refused(S3Error::store(&error)))? {
                Some(bytes) => read.extend_from_slice(&bytes),
                None => return Err(refused(S3Error::internal(&object_operations::Gone))),
            }
        }
        Ok(Some(read.freeze()))
    }
}

/// Returns an answer with a document.
fn document(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Returns an answer without a body.
fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

/// Sets a header. A text that cannot stand in one has been refused when it came.
fn set(response: &mut Response, name: &str, text: &str) {
    if let (Ok(name), Ok(value)) =
        (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(text.as_bytes()))
    {
        response.headers_mut().insert(name, value);
    }
}
