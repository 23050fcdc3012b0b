//! The table: which operation a request is, and what rights call it.

use hearth_auth::Resource;
use http::Method;

use crate::error::S3Error;
use crate::request::Asked;

/// The operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    GetBucketVersioning,
    ListObjects,
    ListObjectsV2,
    ListMultipartUploads,
    DeleteObjects,
    PutObject,
    CopyObject,
    GetObject,
    HeadObject,
    DeleteObject,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
}

/// What a query asks for that is not here: parts of buckets and objects that have operations of their own.
const SUBRESOURCES: [&str; 36] = [
    "accelerate",
    "acl",
    "analytics",
    "append",
    "attributes",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "select-type",
    "session",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
    "website",
];

impl Operation {
    /// Finds the operation of a request.
    pub(crate) fn of(asked: &Asked) -> Result<Self, S3Error> {
        use Operation as Is;
        let found = match (asked.method.as_str(), asked.bucket.is_some(), asked.key.is_some()) {
            ("GET", false, _) => Is::ListBuckets,
            ("PUT", true, false) => Is::CreateBucket,
            ("HEAD", true, false) => Is::HeadBucket,
            ("DELETE", true, false) => Is::DeleteBucket,
            ("GET", true, false) if asked.has("location") => Is::GetBucketLocation,
            ("GET", true, false) if asked.has("versioning") => Is::GetBucketVersioning,
            ("GET", true, false) if asked.has("uploads") => Is::ListMultipartUploads,
            ("GET", true, false) if asked.query("list-type") == Some("2") => Is::ListObjectsV2,
            ("GET", true, false) => Is::ListObjects,
            ("POST", true, false) if asked.has("delete") => Is::DeleteObjects,
            ("POST", true, true) if asked.has("uploads") => Is::CreateMultipartUpload,
            ("POST", true, true) if asked.has("uploadId") => Is::CompleteMultipartUpload,
            ("PUT", true, true) if asked.has("uploadId") => Is::UploadPart,
            ("DELETE", true, true) if asked.has("uploadId") => Is::AbortMultipartUpload,
            ("GET", true, true) if asked.has("uploadId") => Is::ListParts,
            ("PUT", true, true) if asked.headers.contains_key("x-amz-copy-source") => Is::CopyObject,
            ("PUT", true, true) => Is::PutObject,
            ("GET", true, true) => Is::GetObject,
            ("HEAD", true, true) => Is::HeadObject,
            ("DELETE", true, true) => Is::DeleteObject,
            (_, false, _) | ("POST", ..) => {
                return Err(S3Error::not_implemented(&format!("{} of this resource", plain(&asked.method))));
            }
            _ => {
                return Err(S3Error::new(
                    405,
                    "MethodNotAllowed",
                    "The specified method is not allowed against this resource.",
                ));
            }
        };
        let own: &[&str] = match found {
            Is::GetBucketVersioning => &["versioning"],
            Is::ListMultipartUploads | Is::CreateMultipartUpload => &["uploads"],
            Is::UploadPart => &["uploadId", "partNumber"],
            Is::CompleteMultipartUpload | Is::AbortMultipartUpload | Is::ListParts => &["uploadId"],
            _ => &[],
        };
        let other = SUBRESOURCES.iter().find(|name| asked.has(name) && !own.contains(name));
        match other {
            None => Ok(found),
            Some(other) => {
                Err(S3Error::not_implemented(&format!("`?{other}` of {} requests", plain(&asked.method))))
            }
        }
    }

    /// The action that rights name. Source: "Actions, resources, and condition keys for Amazon S3" in the Service
    /// Authorization Reference, read 2026-11.
    pub(crate) fn rights(self, asked: &Asked) -> Vec<hearth_auth::Asked> {
        let right = |action: &str, resource| hearth_auth::Asked { action: action.to_owned(), resource };
        let resource = match (self, &asked.bucket, &asked.key) {
            (Self::ListBuckets, ..) | (_, None, _) => Resource::Any,
            // Which ones says the body.
            (Self::DeleteObjects, ..) => Resource::Untold,
            (_, Some(bucket), None) => Resource::Named { arn: format!("arn:aws:s3:::{bucket}") },
            (_, Some(bucket), Some(key)) => Resource::Named { arn: format!("arn:aws:s3:::{bucket}/{key}") },
        };
        let action = match self {
            Self::ListBuckets => "s3:ListAllMyBuckets",
            Self::CreateBucket => "s3:CreateBucket",
            Self::HeadBucket | Self::ListObjects | Self::ListObjectsV2 => "s3:ListBucket",
            Self::DeleteBucket => "s3:DeleteBucket",
            Self::GetBucketLocation => "s3:GetBucketLocation",
            Self::GetBucketVersioning => "s3:GetBucketVersioning",
            Self::ListMultipartUploads => "s3:ListBucketMultipartUploads",
            Self::DeleteObjects | Self::DeleteObject => "s3:DeleteObject",
            Self::GetObject | Self::HeadObject => "s3:GetObject",
            Self::CopyObject => {
                return vec![right("s3:PutObject", resource), right("s3:GetObject", source(asked))];
            }
            Self::PutObject
            | Self::CreateMultipartUpload
            | Self::UploadPart
            | Self::CompleteMultipartUpload => "s3:PutObject",
            Self::AbortMultipartUpload => "s3:AbortMultipartUpload",
            Self::ListParts => "s3:ListMultipartUploadParts",
        };
        vec![right(action, resource)]
    }
}

/// Returns the object that is copied.
fn source(asked: &Asked) -> Resource {
    match crate::copy::source(asked) {
        Ok((bucket, key)) => Resource::Named { arn: format!("arn:aws:s3:::{bucket}/{key}") },
        Err(_) => Resource::Untold,
    }
}

fn plain(method: &Method) -> &str {
    method.as_str()
}
