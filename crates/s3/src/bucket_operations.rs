//! Buckets.

use std::collections::BTreeMap;

use hearth_auth::SignedPayload;
use hearth_aws_wire::{BodyPieces, Response};
use hearth_store::{BucketChange, BucketRecord};
use http::StatusCode;

use crate::buckets::{BUCKETS_MAX, Bucket};
use crate::error::S3Error;
use crate::request::Asked;
use crate::xml::{Element, Xml};
use crate::{S3, description, document, empty, names, set, upload, xml};

/// Longest description of a bucket to be. Ours: it has one or two elements.
const CONFIGURATION_BYTES_MAX: u64 = 65_536;
/// The region that has no name in locations.
const REGION_WITHOUT_NAME: &str = "us-east-1";

impl S3 {
    pub(crate) fn list_buckets(&self, asked: &Asked) -> Result<Response, S3Error> {
        let page = asked.number("max-buckets", 1, 10_000)?.unwrap_or(10_000) as usize;
        let (prefix, after) = (asked.query("prefix"), asked.query("continuation-token"));
        let state = self.buckets.read();
        let mut rest = state.buckets.values().map(|bucket| &bucket.record).filter(|bucket| {
            prefix.is_none_or(|prefix| bucket.name.starts_with(prefix))
                && after.is_none_or(|after| bucket.name.as_str() > after)
        });
        let listed: Vec<&BucketRecord> = rest.by_ref().take(page).collect();
        let next = rest.next().and(listed.last()).map(|bucket| &bucket.name);
        let buckets = listed.iter().fold(Xml::default(), |list, bucket| {
            let entry = Xml::default()
                .with("Name", &bucket.name)
                .with("CreationDate", description::date(bucket.created_ms))
                .with("BucketRegion", self.region.as_str());
            list.with_inside("Bucket", &entry)
        });
        let owner = Xml::default().with("ID", "hearth").with("DisplayName", "hearth");
        let answer = Xml::default()
            .with_inside("Buckets", &buckets)
            .with_inside("Owner", &owner)
            .with_some("ContinuationToken", next);
        Ok(document(xml::document(&answer, "ListAllMyBucketsResult")))
    }

    pub(crate) async fn create_bucket(
        &self,
        asked: &Asked,
        payload: SignedPayload,
        body: &mut BodyPieces,
    ) -> Result<Response, S3Error> {
        let configuration = upload::document(asked, payload, body, CONFIGURATION_BYTES_MAX).await?;
        if !configuration.is_empty() {
            self.check_location(&Element::read(&configuration)?)?;
        }
        let name = asked.bucket().to_owned();
        names::check_bucket(&name)?;
        let record = BucketRecord { name: name.clone(), created_ms: self.buckets.clock.epoch_ms() };
        let (kept, taken) = (record.clone(), name.clone());
        let plan = move |state: &crate::buckets::State| {
            if state.buckets.contains_key(&taken) {
                return Err(S3Error::new(
                    409,
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                ));
            }
            match state.buckets.len() >= BUCKETS_MAX {
                true => Err(S3Error::new(
                    400,
                    "TooManyBuckets",
                    "You have attempted to create more buckets than allowed",
                )),
                false => Ok(vec![BucketChange::PutBucket(kept)]),
            }
        };
        self.buckets
            .change(vec![], plan, move |state| {
                state.buckets.insert(record.name.clone(), Bucket { record, objects: BTreeMap::new() });
            })
            .await?;
        let mut response = empty(StatusCode::OK);
        set(&mut response, "location", &format!("/{name}"));
        Ok(response)
    }

    fn check_location(&self, configuration: &Element) -> Result<(), S3Error> {
        if configuration.name != "CreateBucketConfiguration" {
            return Err(S3Error::malformed_xml());
        }
        match configuration.child("LocationConstraint") {
            None | Some("") => Ok(()),
            Some(region) if region == self.region.as_str() => Ok(()),
            Some(_) => Err(S3Error::new(
                400,
                "IllegalLocationConstraintException",
                "The location constraint is incompatible for the region specific endpoint this request was sent to.",
            )),
        }
    }

    pub(crate) fn head_bucket(&self, asked: &Asked) -> Result<Response, S3Error> {
        self.buckets.read().bucket(asked.bucket())?;
        let mut response = empty(StatusCode::OK);
        set(&mut response, "x-amz-bucket-region", self.region.as_str());
        Ok(response)
    }

    pub(crate) async fn delete_bucket(&self, asked: &Asked) -> Result<Response, S3Error> {
        let name = asked.bucket().to_owned();
        let removed = name.clone();
        let plan = move |state: &crate::buckets::State| {
            let is_used = !state.bucket(&name)?.objects.is_empty()
                || state.uploads.values().any(|upload| upload.record.bucket == name);
            match is_used {
                true => Err(S3Error::new(
                    409,
                    "BucketNotEmpty",
                    "The bucket you tried to delete is not empty: it has objects, or uploads in progress",
                )),
                false => Ok(vec![BucketChange::RemoveBucket(name)]),
            }
        };
        self.buckets.change(vec![], plan, move |state| drop(state.buckets.remove(&removed))).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(crate) fn get_bucket_location(&self, asked: &Asked) -> Result<Response, S3Error> {
        self.buckets.read().bucket(asked.bucket())?;
        let region = Some(self.region.as_str()).filter(|region| *region != REGION_WITHOUT_NAME);
        Ok(document(format!(
            "{}<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</LocationConstraint>",
            crate::xml::DECLARATION,
            region.unwrap_or_default()
        )))
    }

    /// A bucket that never had versions says nothing of them.
    pub(crate) fn get_bucket_versioning(&self, asked: &Asked) -> Result<Response, S3Error> {
        self.buckets.read().bucket(asked.bucket())?;
        Ok(document(xml::document(&Xml::default(), "VersioningConfiguration")))
    }
}
