//! Objects: written, read, deleted.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use hearth_auth::SignedPayload;
use hearth_aws_wire::{Body, BodyPieces, CutOff, Response};
use hearth_store::{BlobStore, BucketChange, ObjectDescription, ObjectRecord};
use http::StatusCode;

use crate::buckets::{Object, State};
use crate::checksum::Algorithm;
use crate::error::S3Error;
use crate::request::Asked;
use crate::upload::{self, Uploaded};
use crate::xml::{Element, Xml};
use crate::{READ_BYTES, S3, conditions, description, document, empty, encryption, names, set, xml};

/// The largest object that is uploaded at once, and the largest part. Source: "Amazon S3 multipart upload limits", read
/// 2026-11.
pub(crate) const UPLOAD_BYTES_MAX: u64 = 5 << 30;
/// How many objects are deleted at once. Source: DeleteObjects in the S3 API reference, read 2026-11.
const DELETED_MAX: usize = 1_000;
/// Longest list of them: a thousand keys of a thousand bytes, each byte as an entity at worst.
const DELETE_BYTES_MAX: u64 = 8 << 20;

/// A record names bytes that are not there.
#[derive(Debug)]
pub(crate) struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the bytes of an object are gone")
    }
}

impl std::error::Error for Gone {}

impl S3 {
    pub(crate) async fn put_object(
        &self,
        asked: &Asked,
        payload: SignedPayload,
        body: &mut BodyPieces,
    ) -> Result<Response, S3Error> {
        let described = description::of(asked)?;
        {
            // Before anything is read; and once more when it is there.
            let state = self.buckets.read();
            let there = state.bucket(asked.bucket())?.objects.get(asked.key());
            conditions::check_write(asked, there.map(|object| &object.record))?;
            state.check_room()?;
        }
        let _place = self.bodies.try_acquire().map_err(|_| S3Error::slow_down())?;
        let blobs = self.buckets.blobs.clone();
        let uploaded = upload::receive(asked, payload, body, UPLOAD_BYTES_MAX, blobs).await?;
        let record = self.keep(asked, described, uploaded).await?;
        let mut response = empty(StatusCode::OK);
        set(&mut response, "etag", &format!("\"{}\"", record.etag));
        encryption::tell(&mut response, &record.description);
        if let Some(checksum) = &record.checksum
            && let Some(algorithm) = Algorithm::of_name(&checksum.algorithm)
        {
            set(&mut response, algorithm.header(), &checksum.value);
            set(&mut response, "x-amz-checksum-type", "FULL_OBJECT");
        }
        Ok(response)
    }

    /// Gives what was uploaded the name that a request asks for.
    pub(crate) async fn keep(
        &self,
        asked: &Asked,
        description: ObjectDescription,
        uploaded: Uploaded,
    ) -> Result<ObjectRecord, S3Error> {
        let pieces: Vec<_> = uploaded.piece.into_iter().map(Arc::new).collect();
        let record = ObjectRecord {
            bucket: asked.bucket().to_owned(),
            key: asked.key().to_owned(),
            pieces: pieces.iter().map(|piece| piece.record.clone()).collect(),
            size: uploaded.size,
            etag: upload::hex(&uploaded.md5),
            modified_ms: self.buckets.clock.epoch_ms(),
            description,
            checksum: uploaded.checksum,
        };
        let object = Arc::new(Object { record: record.clone(), pieces: pieces.clone() });
        let asked = Asked::of(&asked.method, &http::Uri::from_static("/"), &asked.headers);
        let (kept, conditions_of) = (record.clone(), asked.ok());
        let plan = move |state: &State| {
            let there = state.bucket(&kept.bucket)?.objects.get(&kept.key);
            if let Some(asked) = &conditions_of {
                conditions::check_write(asked, there.map(|object| &object.record))?;
            }
            state.check_room()?;
            Ok(vec![BucketChange::PutObject(kept)])
        };
        self.buckets.change(pieces, plan, move |state| put(state, object)).await?;
        Ok(record)
    }

    fn find(&self, asked: &Asked) -> Result<Arc<Object>, S3Error> {
        let state = self.buckets.read();
        let object = state.bucket(asked.bucket())?.objects.get(asked.key());
        object.cloned().ok_or_else(|| S3Error::no_such_key(asked.key()))
    }

    pub(crate) fn get_object(&self, asked: &Asked) -> Result<Response, S3Error> {
        let object = self.find(asked)?;
        let (mut response, range) = head(asked, &object.record)?;
        if !range.is_empty() {
            *response.body_mut() = body(object, range, self.buckets.blobs.clone());
        }
        Ok(response)
    }

    pub(crate) fn head_object(&self, asked: &Asked) -> Result<Response, S3Error> {
        Ok(head(asked, &self.find(asked)?.record)?.0)
    }

    pub(crate) async fn delete_object(&self, asked: &Asked) -> Result<Response, S3Error> {
        self.delete(asked.bucket(), vec![asked.key().to_owned()]).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(crate) async fn delete_objects(
        &self,
        asked: &Asked,
        payload: SignedPayload,
        body: &mut BodyPieces,
    ) -> Result<Response, S3Error> {
        self.buckets.read().bucket(asked.bucket())?;
        let _place = self.bodies.try_acquire().map_err(|_| S3Error::slow_down())?;
        let list = Element::read(&upload::document(asked, payload, body, DELETE_BYTES_MAX).await?)?;
        let mut keys = Vec::new();
        let mut answer = Xml::default();
        for object in list.children.iter().filter(|child| child.name == "Object") {
            let key = object.child("Key").filter(|key| !key.is_empty()).ok_or_else(S3Error::malformed_xml)?;
            let is_version =
                object.child("VersionId").is_some_and(|version| !version.is_empty() && version != "null");
            if is_version || names::check_key(key).is_err() {
                let refused = Xml::default()
                    .with("Key", key)
                    .with("Code", if is_version { "NoSuchVersion" } else { "KeyTooLongError" })
                    .with("Message", "There is no such object");
                answer = answer.with_inside("Error", &refused);
            } else {
                keys.push(key.to_owned());
            }
        }
        if list.name != "Delete" || keys.len() > DELETED_MAX || list.children.is_empty() {
            return Err(S3Error::malformed_xml());
        }
        let is_quiet = list.child("Quiet").is_some_and(|quiet| quiet.eq_ignore_ascii_case("true"));
        self.delete(asked.bucket(), keys.clone()).await?;
        if !is_quiet {
            for key in &keys {
                answer = answer.with_inside("Deleted", &Xml::default().with("Key", key));
            }
        }
        Ok(document(xml::document(&answer, "DeleteResult")))
    }

    /// Removes objects, all at once. Those that are not there are no error.
    async fn delete(&self, bucket: &str, keys: Vec<String>) -> Result<(), S3Error> {
        let (bucket, removed) = (bucket.to_owned(), (bucket.to_owned(), keys.clone()));
        let plan = move |state: &State| {
            let objects = &state.bucket(&bucket)?.objects;
            let there = keys.into_iter().filter(|key| objects.contains_key(key));
            Ok(there.map(|key| BucketChange::RemoveObject(bucket.clone(), key)).collect())
        };
        let apply = move |state: &mut State| {
            let (bucket, keys) = removed;
            let objects = state.buckets.get_mut(&bucket).map(|bucket| &mut bucket.objects);
            let Some(objects) = objects else { return };
            let gone: Vec<_> = keys.iter().filter_map(|key| objects.remove(key)).collect();
            state.things = state.things.saturating_sub(gone.len());
            gone.iter().flat_map(|object| &object.pieces).for_each(|piece| piece.discard());
        };
        self.buckets.change(vec![], plan, apply).await
    }
}

/// Puts an object in its place, and lets go of the one that was there.
pub(crate) fn put(state: &mut State, object: Arc<Object>) {
    let Some(bucket) = state.buckets.get_mut(&object.record.bucket) else { return };
    match bucket.objects.insert(object.record.key.clone(), object) {
        Some(before) => before.pieces.iter().for_each(|piece| piece.discard()),
        None => state.things += 1,
    }
}

/// Returns the head of an answer, and the range of bytes that belongs into its body.
fn head(asked: &Asked, object: &ObjectRecord) -> Result<(Response, Range<u64>), S3Error> {
    conditions::check_read(asked, object)?;
    let part = conditions::range(asked, object.size)?;
    let mut response = empty(if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK });
    description::tell(&mut response, asked, object, part.is_none());
    if let Some(part) = &part {
        set(
            &mut response,
            "content-range",
            &format!("bytes {}-{}/{}", part.start, part.end - 1, object.size),
        );
    }
    let range = part.unwrap_or(0..object.size);
    set(&mut response, "content-length", &(range.end - range.start).to_string());
    Ok((response, range))
}

/// Returns a part of an object, read as it is sent.
fn body(object: Arc<Object>, range: Range<u64>, blobs: Arc<dyn BlobStore>) -> Body {
    let pieces = stream::try_unfold(range, move |left| {
        let (object, blobs) = (object.clone(), blobs.clone());
        async move {
            if left.is_empty() {
                return Ok(None);
            }
            let bytes = read(&object, left.clone(), &*blobs).await.map_err(|error| {
                tracing::error!(error = &*error, "an object cannot be read to its end");
                CutOff
            })?;
            let next = left.start + bytes.len() as u64..left.end;
            Ok(Some((bytes, next)))
        }
    });
    Body::growing(pieces)
}

/// Reads bytes at the start of a range, not more than are to be in memory.
pub(crate) async fn read(
    object: &Object,
    range: Range<u64>,
    blobs: &dyn BlobStore,
) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let mut start = 0;
    for piece in &object.pieces {
        let end = start + piece.record.size;
        if range.start < end {
            let first = range.start - start;
            let last = (range.end.min(end) - start).min(first + READ_BYTES);
            let bytes = blobs.read(piece.record.blob.clone(), first..last).await?.ok_or(Gone)?;
            return if bytes.len() as u64 == last - first { Ok(bytes) } else { Err(Gone.into()) };
        }
        start = end;
    }
    Err(Gone.into())
}
