//! Objects that are uploaded in parts. Each part is a blob; the object that they become has them all, and nothing is copied.

use std::collections::BTreeMap;
use std::sync::Arc;

use hearth_auth::SignedPayload;
use hearth_aws_wire::{BodyPieces, Response};
use hearth_store::{BucketChange, ObjectRecord, PartRecord, UploadRecord};
use hearth_types::RequestId;
use http::StatusCode;
use md5::{Digest as _, Md5};

use crate::buckets::{Object, Part, State, UPLOADS_MAX, Upload};
use crate::checksum::{ALL, Algorithm};
use crate::error::S3Error;
use crate::object_operations::{UPLOAD_BYTES_MAX, put};
use crate::request::Asked;
use crate::xml::{Element, Xml};
use crate::{S3, conditions, description, document, empty, encryption, set, upload, xml};

/// How many parts an object may have, and how small they may be, but for the last. Source: "Amazon S3 multipart upload
/// limits", read 2026-11.
const PARTS_MAX: u16 = 10_000;
const PART_BYTES_MIN: u64 = 5 << 20;
/// Longest list of parts: ten thousand, each with a checksum.
const PARTS_BYTES_MAX: u64 = 4 << 20;
/// The longest page of a list.
const PAGE_MAX: u32 = 1_000;

impl S3 {
    pub(crate) async fn create_multipart_upload(&self, asked: &Asked) -> Result<Response, S3Error> {
        let record = UploadRecord {
            id: RequestId::random().to_string(),
            bucket: asked.bucket().to_owned(),
            key: asked.key().to_owned(),
            initiated_ms: self.buckets.clock.epoch_ms(),
            description: description::of(asked)?,
        };
        let (kept, started) = (record.clone(), record.clone());
        let plan = move |state: &State| {
            state.bucket(&kept.bucket)?;
            match state.uploads.len() >= UPLOADS_MAX {
                true => Err(S3Error::new(
                    507,
                    "TooManyUploads",
                    format!("There are {UPLOADS_MAX} uploads in progress; complete or abort some of them"),
                )),
                false => Ok(vec![BucketChange::PutUpload(kept)]),
            }
        };
        let apply = move |state: &mut State| {
            state.uploads.insert(started.id.clone(), Upload { record: started, parts: BTreeMap::new() });
        };
        self.buckets.change(vec![], plan, apply).await?;
        let answer = Xml::default()
            .with("Bucket", &record.bucket)
            .with("Key", &record.key)
            .with("UploadId", &record.id);
        let mut response = document(xml::document(&answer, "InitiateMultipartUploadResult"));
        encryption::tell(&mut response, &record.description);
        for name in ["x-amz-checksum-algorithm", "x-amz-checksum-type"] {
            if let Some(text) = asked.header(name) {
                set(&mut response, name, text);
            }
        }
        Ok(response)
    }

    pub(crate) async fn upload_part(
        &self,
        asked: &Asked,
        payload: SignedPayload,
        body: &mut BodyPieces,
    ) -> Result<Response, S3Error> {
        if asked.headers.contains_key("x-amz-copy-source") {
            return Err(S3Error::not_implemented("UploadPartCopy"));
        }
        let number = asked.query("partNumber").and_then(|number| number.parse::<u16>().ok());
        let number = number.filter(|number| (1..=PARTS_MAX).contains(number)).ok_or_else(|| {
            S3Error::invalid_argument(
                "partNumber",
                "Part number must be an integer between 1 and 10000, inclusive",
            )
        })?;
        let id = asked.query("uploadId").unwrap_or_default().to_owned();
        let description = {
            let state = self.buckets.read();
            let upload = state.upload(&id, asked.bucket(), asked.key())?;
            state.check_room()?;
            upload.record.description.clone()
        };
        let _place = self.bodies.try_acquire().map_err(|_| S3Error::slow_down())?;
        let blobs = self.buckets.blobs.clone();
        let uploaded = upload::receive(asked, payload, body, UPLOAD_BYTES_MAX, blobs).await?;
        let piece = uploaded.piece.map(Arc::new);
        let record = PartRecord {
            upload: id.clone(),
            number,
            piece: piece.as_ref().map(|piece| piece.record.clone()),
            etag: upload::hex(&uploaded.md5),
            modified_ms: self.buckets.clock.epoch_ms(),
            checksum: uploaded.checksum,
        };
        let (kept, part) = (record.clone(), Part { record: record.clone(), piece: piece.clone() });
        let (bucket, key) = (asked.bucket().to_owned(), asked.key().to_owned());
        let plan = move |state: &State| {
            state.upload(&id, &bucket, &key)?;
            state.check_room()?;
            Ok(vec![BucketChange::PutPart(kept)])
        };
        let apply = move |state: &mut State| {
            let upload = state.uploads.get_mut(&part.record.upload);
            let before = upload.and_then(|upload| upload.parts.insert(number, part));
            match before {
                Some(before) => before.piece.iter().for_each(|piece| piece.discard()),
                None => state.things += 1,
            }
        };
        self.buckets.change(piece.into_iter().collect(), plan, apply).await?;
        let mut response = empty(StatusCode::OK);
        set(&mut response, "etag", &format!("\"{}\"", record.etag));
        encryption::tell(&mut response, &description);
        if let Some(checksum) = &record.checksum
            && let Some(algorithm) = Algorithm::of_name(&checksum.algorithm)
        {
            set(&mut response, algorithm.header(), &checksum.value);
        }
        Ok(response)
    }

    pub(crate) async fn complete_multipart_upload(
        &self,
        asked: &Asked,
        payload: SignedPayload,
        body: &mut BodyPieces,
    ) -> Result<Response, S3Error> {
        let id = asked.query("uploadId").unwrap_or_default().to_owned();
        self.buckets.read().upload(&id, asked.bucket(), asked.key())?;
        // Of the whole object: it was never in one hand. That of the document itself is none of these.
        if let Some(algorithm) =
            ALL.into_iter().find(|algorithm| asked.headers.contains_key(algorithm.header()))
        {
            return Err(S3Error::not_implemented(&format!(
                "{} of CompleteMultipartUpload",
                algorithm.header()
            )));
        }
        let _place = self.bodies.try_acquire().map_err(|_| S3Error::slow_down())?;
        let list = Element::read(&upload::document(asked, payload, body, PARTS_BYTES_MAX).await?)?;
        let wanted = wanted_parts(&list)?;
        let (bucket, key) = (asked.bucket().to_owned(), asked.key().to_owned());
        let modified_ms = self.buckets.clock.epoch_ms();
        let conditions_of = Asked::of(&asked.method, &http::Uri::from_static("/"), &asked.headers).ok();
        let planned: Arc<std::sync::Mutex<Option<Arc<Object>>>> = Arc::default();
        let made = planned.clone();
        let upload_id = id.clone();
        let plan = move |state: &State| {
            let upload = state.upload(&id, &bucket, &key)?;
            let there = state.bucket(&bucket)?.objects.get(&key);
            if let Some(asked) = &conditions_of {
                conditions::check_write(asked, there.map(|object| &object.record))?;
            }
            let object = Arc::new(assemble(upload, &wanted, modified_ms)?);
            let record = object.record.clone();
            *planned.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(object);
            Ok(vec![BucketChange::PutObject(record), BucketChange::RemoveUpload(id)])
        };
        let apply = move |state: &mut State| {
            let object = made.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()?;
            if let Some(upload) = state.uploads.remove(&upload_id) {
                state.things = state.things.saturating_sub(upload.parts.len());
                let is_used = |piece: &Arc<_>| object.pieces.iter().any(|used| Arc::ptr_eq(used, piece));
                let parts = upload.parts.values().filter_map(|part| part.piece.as_ref());
                parts.filter(|piece| !is_used(piece)).for_each(|piece| piece.discard());
            }
            put(state, object.clone());
            Some(object)
        };
        let object = self.buckets.change(vec![], plan, apply).await?;
        let etag = object.as_ref().map(|object| object.record.etag.clone()).unwrap_or_default();
        let answer = Xml::default()
            .with("Location", format!("/{}/{}", asked.bucket(), asked.key()))
            .with("Bucket", asked.bucket())
            .with("Key", asked.key())
            .with("ETag", format!("\"{etag}\""));
        let mut response = document(xml::document(&answer, "CompleteMultipartUploadResult"));
        if let Some(object) = &object {
            encryption::tell(&mut response, &object.record.description);
        }
        Ok(response)
    }

    pub(crate) async fn abort_multipart_upload(&self, asked: &Asked) -> Result<Response, S3Error> {
        let id = asked.query("uploadId").unwrap_or_default().to_owned();
        let (bucket, key, removed) = (asked.bucket().to_owned(), asked.key().to_owned(), id.clone());
        let plan = move |state: &State| {
            state.upload(&id, &bucket, &key)?;
            Ok(vec![BucketChange::RemoveUpload(id)])
        };
        let apply = move |state: &mut State| {
            let Some(upload) = state.uploads.remove(&removed) else { return };
            state.things = state.things.saturating_sub(upload.parts.len());
            upload.parts.values().filter_map(|part| part.piece.as_ref()).for_each(|piece| piece.discard());
        };
        self.buckets.change(vec![], plan, apply).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(crate) fn list_parts(&self, asked: &Asked) -> Result<Response, S3Error> {
        let id = asked.query("uploadId").unwrap_or_default();
        let page = asked.number("max-parts", 1, PAGE_MAX)?.unwrap_or(PAGE_MAX);
        let after = asked.number("part-number-marker", 0, u32::from(PARTS_MAX))?.unwrap_or(0);
        let state = self.buckets.read();
        let upload = state.upload(id, asked.bucket(), asked.key())?;
        let mut rest = upload.parts.values().filter(|part| u32::from(part.record.number) > after);
        let parts: Vec<&Part> = rest.by_ref().take(page as usize).collect();
        let next = rest.next().and(parts.last()).map(|part| part.record.number.to_string());
        let mut list = Xml::default()
            .with("Bucket", asked.bucket())
            .with("Key", asked.key())
            .with("UploadId", id)
            .with("PartNumberMarker", after.to_string())
            .with_some("NextPartNumberMarker", next.as_deref())
            .with("MaxParts", page.to_string())
            .with("IsTruncated", next.is_some().to_string())
            .with("StorageClass", "STANDARD");
        for part in parts {
            let part = &part.record;
            let size = part.piece.as_ref().map_or(0, |piece| piece.size);
            let mut entry = Xml::default()
                .with("PartNumber", part.number.to_string())
                .with("LastModified", description::date(part.modified_ms))
                .with("ETag", format!("\"{}\"", part.etag))
                .with("Size", size.to_string());
            if let Some(checksum) = &part.checksum {
                entry = entry.with(&format!("Checksum{}", checksum.algorithm), &checksum.value);
            }
            list = list.with_inside("Part", &entry);
        }
        Ok(document(xml::document(&list, "ListPartsResult")))
    }

    pub(crate) fn list_multipart_uploads(&self, asked: &Asked) -> Result<Response, S3Error> {
        if ["delimiter", "key-marker", "upload-id-marker", "encoding-type"]
            .iter()
            .any(|name| asked.query(name).is_some_and(|value| !value.is_empty() && value != "url"))
        {
            return Err(S3Error::not_implemented("pages of ListMultipartUploads"));
        }
        let prefix = asked.query("prefix").unwrap_or_default();
        let state = self.buckets.read();
        state.bucket(asked.bucket())?;
        let of_bucket = state.uploads.values().map(|upload| &upload.record);
        let mut uploads: Vec<&UploadRecord> = of_bucket
            .filter(|upload| upload.bucket == asked.bucket() && upload.key.starts_with(prefix))
            .collect();
        uploads.sort_by(|one, other| (&one.key, one.initiated_ms).cmp(&(&other.key, other.initiated_ms)));
        let mut list = Xml::default()
            .with("Bucket", asked.bucket())
            .with("Prefix", prefix)
            .with("MaxUploads", UPLOADS_MAX.to_string())
            .with("IsTruncated", "false");
        for upload in uploads {
            let entry = Xml::default()
                .with("Key", &upload.key)
                .with("UploadId", &upload.id)
                .with("StorageClass", "STANDARD")
                .with("Initiated", description::date(upload.initiated_ms));
            list = list.with_inside("Upload", &entry);
        }
        Ok(document(xml::document(&list, "ListMultipartUploadsResult")))
    }
}

/// A part that an object is to have: its number, its ETag, and checksums with their algorithms.
struct Wanted {
    number: u16,
    etag: String,
    checksums: Vec<(Algorithm, String)>,
}

fn wanted_parts(list: &Element) -> Result<Vec<Wanted>, S3Error> {
    let parts = list.children.iter().filter(|child| child.name == "Part");
    let read = |part: &Element| {
        let number = part.child("PartNumber").and_then(|number| number.trim().parse().ok());
        let etag = part.child("ETag").map(|etag| etag.trim().trim_matches('"').to_owned());
        let (number, etag) = number.zip(etag).ok_or_else(S3Error::malformed_xml)?;
        let checksum = |algorithm: Algorithm| {
            Some((algorithm, part.child(&format!("Checksum{}", algorithm.name()))?.trim().to_owned()))
        };
        Ok(Wanted { number, etag, checksums: ALL.into_iter().filter_map(checksum).collect() })
    };
    let wanted: Vec<Wanted> = parts.map(read).collect::<Result<_, S3Error>>()?;
    if list.name != "CompleteMultipartUpload" || wanted.is_empty() || wanted.len() > usize::from(PARTS_MAX) {
        return Err(S3Error::malformed_xml());
    }
    if !wanted.is_sorted_by(|one, next| one.number < next.number) {
        return Err(S3Error::new(
            400,
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ));
    }
    Ok(wanted)
}

/// Makes an object of the parts that are wanted.
fn assemble(upload: &Upload, wanted: &[Wanted], modified_ms: i64) -> Result<Object, S3Error> {
    let invalid = || {
        S3Error::new(
            400,
            "InvalidPart",
            "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified \
             entity tag may not match the part's entity tag.",
        )
    };
    let (mut etags, mut pieces, mut size) = (Md5::new(), vec![], 0);
    for (at, wanted_part) in wanted.iter().enumerate() {
        let part = upload.parts.get(&wanted_part.number).ok_or_else(invalid)?;
        let is_same = |(algorithm, value): &(Algorithm, String)| {
            let ours = part.record.checksum.as_ref().filter(|ours| ours.algorithm == algorithm.name());
            ours.is_some_and(|ours| ours.value == *value)
        };
        if part.record.etag != wanted_part.etag || !wanted_part.checksums.iter().all(is_same) {
            return Err(invalid());
        }
        let bytes = part.piece.as_ref().map_or(0, |piece| piece.record.size);
        if bytes < PART_BYTES_MIN && at + 1 < wanted.len() {
            return Err(S3Error::new(
                400,
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
            ));
        }
        let md5: Vec<u8> = (0..part.record.etag.len() / 2)
            .filter_map(|at| u8::from_str_radix(part.record.etag.get(2 * at..2 * at + 2)?, 16).ok())
            .collect();
        etags.update(md5);
        pieces.extend(part.piece.clone());
        size += bytes;
    }
    let record = ObjectRecord {
        bucket: upload.record.bucket.clone(),
        key: upload.record.key.clone(),
        pieces: pieces.iter().map(|piece| piece.record.clone()).collect(),
        size,
        etag: format!("{}-{}", upload::hex(&etags.finalize()), wanted.len()),
        modified_ms,
        description: upload.record.description.clone(),
        checksum: None,
    };
    Ok(Object { record, pieces })
}
