//! Buckets and objects in the database. A change with several steps is one transaction.

use futures_util::future::BoxFuture;
use rusqlite::Transaction;

use super::EmbeddedStore;
use super::table::{Encoded, Table};
use crate::{BucketChange, BucketRecords, BucketStore, StoreError};

/// An object is `BUCKET/KEY`, a part `UPLOAD:NUMBER`.
pub(super) const MIGRATION: &str = "CREATE TABLE s3_buckets (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE s3_objects (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE s3_uploads (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE s3_parts (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;";

const BUCKETS: Table = Table { name: "s3_buckets", kind: "bucket" };
const OBJECTS: Table = Table { name: "s3_objects", kind: "object" };
const UPLOADS: Table = Table { name: "s3_uploads", kind: "upload" };
const PARTS: Table = Table { name: "s3_parts", kind: "part of an upload" };

/// A step, ready to be taken.
enum Step {
    Put(Table, Encoded),
    Remove(Table, String),
    RemoveUpload(String),
}

impl Step {
    fn of(change: BucketChange) -> Result<Self, StoreError> {
        Ok(match change {
            BucketChange::PutBucket(bucket) => {
                Self::Put(BUCKETS, Encoded::of(bucket.name.clone(), "", &bucket)?)
            }
            BucketChange::RemoveBucket(name) => Self::Remove(BUCKETS, name),
            BucketChange::PutObject(object) => {
                Self::Put(OBJECTS, Encoded::of(format!("{}/{}", object.bucket, object.key), "", &object)?)
            }
            BucketChange::RemoveObject(bucket, key) => Self::Remove(OBJECTS, format!("{bucket}/{key}")),
            BucketChange::PutUpload(upload) => {
                Self::Put(UPLOADS, Encoded::of(upload.id.clone(), "", &upload)?)
            }
            BucketChange::RemoveUpload(id) => Self::RemoveUpload(id),
            BucketChange::PutPart(part) => {
                Self::Put(PARTS, Encoded::of(format!("{}:{:05}", part.upload, part.number), "", &part)?)
            }
        })
    }

    fn take(&self, transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
        match self {
            Self::Put(table, record) => table.put_in(transaction, record),
            Self::Remove(table, name) => table.remove_in(transaction, name),
            Self::RemoveUpload(id) => {
                // `;` follows `:`, so this range has everything that begins with the id and a colon.
                transaction
                    .execute("DELETE FROM s3_parts WHERE name > ?1 || ':' AND name < ?1 || ';'", [id])?;
                UPLOADS.remove_in(transaction, id)
            }
        }
    }
}

impl BucketStore for EmbeddedStore {
    fn bucket_records(&self) -> BoxFuture<'_, Result<BucketRecords, StoreError>> {
        Box::pin(async move {
            Ok(BucketRecords {
                buckets: BUCKETS.load(self).await?,
                objects: OBJECTS.load(self).await?,
                uploads: UPLOADS.load(self).await?,
                parts: PARTS.load(self).await?,
            })
        })
    }

    fn change_buckets(&self, changes: Vec<BucketChange>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let steps: Vec<Step> = changes.into_iter().map(Step::of).collect::<Result<_, _>>()?;
            self.change_all(move |transaction| steps.iter().try_for_each(|step| step.take(transaction))).await
        })
    }
}
