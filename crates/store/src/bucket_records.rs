//! Buckets of S3, and what is in them, as they are kept. The bytes are blobs.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketRecord {
    /// Its name.
    pub name: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// A blob that is a part of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceRecord {
    /// The key of the blob.
    pub blob: String,
    /// In bytes.
    pub size: u64,
}

/// What an owner says of an object besides its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectDescription {
    /// Headers that come back with it, such as `content-type`, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// `x-amz-meta-…`, without that.
    pub metadata: BTreeMap<String, String>,
}

/// A checksum that a client has sent along, and that was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecksumRecord {
    /// `CRC32`, `CRC32C`, `CRC64NVME`, `SHA1` or `SHA256`.
    pub algorithm: String,
    /// In base64.
    pub value: String,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// Its bucket.
    pub bucket: String,
    /// Its key; with the bucket, that of the record.
    pub key: String,
    /// Its bytes, in order.
    pub pieces: Vec<PieceRecord>,
    /// In bytes.
    pub size: u64,
    /// Without quotation marks.
    pub etag: String,
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: i64,
    /// What its owner says of it.
    pub description: ObjectDescription,
    /// The checksum that came along.
    pub checksum: Option<ChecksumRecord>,
}

/// A multipart upload that is neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRecord {
    /// Its id.
    pub id: String,
    /// The bucket of the object to be.
    pub bucket: String,
    /// The key of the object to be.
    pub key: String,
    /// When it began, in milliseconds since 1970.
    pub initiated_ms: i64,
    /// What its owner says of the object to be.
    pub description: ObjectDescription,
}

/// A part of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Of which upload.
    pub upload: String,
    /// Between 1 and 10,000; with the upload, the key of the record.
    pub number: u16,
    /// Its bytes: one blob, or none when it is empty.
    pub piece: Option<PieceRecord>,
    /// Without quotation marks.
    pub etag: String,
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: i64,
    /// The checksum that came along.
    pub checksum: Option<ChecksumRecord>,
}

/// One step of a change.
#[derive(Debug, Clone)]
pub enum BucketChange {
    /// Keeps a bucket.
    PutBucket(BucketRecord),
    /// Removes a bucket.
    RemoveBucket(String),
    /// Keeps an object in the place of the one with its key, if there is one.
    PutObject(ObjectRecord),
    /// Removes an object: its bucket and its key.
    RemoveObject(String, String),
    /// Keeps an upload.
    PutUpload(UploadRecord),
    /// Removes an upload with all of its parts.
    RemoveUpload(String),
    /// Keeps a part in the place of the one with its number, if there is one.
    PutPart(PartRecord),
}

/// Everything that is kept of buckets.
#[derive(Debug, Clone, Default)]
pub struct BucketRecords {
    /// The buckets.
    pub buckets: Vec<BucketRecord>,
    /// The objects of all of them.
    pub objects: Vec<ObjectRecord>,
    /// The uploads.
    pub uploads: Vec<UploadRecord>,
    /// The parts of all of them.
    pub parts: Vec<PartRecord>,
}

/// Which buckets are there, and what is in them?
pub trait BucketStore: Send + Sync + 'static {
    /// Returns everything.
    fn bucket_records(&self) -> BoxFuture<'_, Result<BucketRecords, StoreError>>;

    /// Takes all steps of a change, or none of them.
    fn change_buckets(&self, steps: Vec<BucketChange>) -> BoxFuture<'_, Result<(), StoreError>>;
}
