//! Where the package of a function or layer comes from: with the request, or from S3.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearth_types::limits::UNZIPPED_BYTES_MAX;
use tokio::sync::SemaphorePermit;

use crate::LambdaApi;
use crate::error::ApiError;

/// Reads objects of S3.
pub trait CodeObjects: Send + Sync {
    /// Returns an object of at most `bytes_max`. `Ok(None)` is one that is larger.
    fn get<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        bytes_max: u64,
    ) -> BoxFuture<'a, Result<Option<Bytes>, CodeObjectError>>;
}

/// Why there is no object, in S3's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeObjectError {
    /// Such as `NoSuchKey`.
    pub code: &'static str,
    /// The text.
    pub message: String,
}

/// Where there are no buckets.
pub(crate) struct NoBuckets;

impl CodeObjects for NoBuckets {
    fn get<'a>(
        &'a self,
        _bucket: &'a str,
        _key: &'a str,
        _bytes_max: u64,
    ) -> BoxFuture<'a, Result<Option<Bytes>, CodeObjectError>> {
        let message = "The specified bucket does not exist".to_owned();
        Box::pin(std::future::ready(Err(CodeObjectError { code: "NoSuchBucket", message })))
    }
}

/// A source that a request names.
pub(crate) enum CodeSource {
    /// With the request: decoded, or why it could not be.
    Request(Result<Bytes, ApiError>),
    /// In S3.
    Object { bucket: String, key: String },
}

impl CodeSource {
    /// Finds out which one is meant: `zip`, or a bucket, a key and a version. `missing` says that it is none.
    pub(crate) fn of(
        zip: Option<Result<Bytes, ApiError>>,
        in_s3: [Option<String>; 3],
        missing: &str,
    ) -> Result<Self, ApiError> {
        match (zip, in_s3) {
            (Some(zip), [None, None, None]) => Ok(Self::Request(zip)),
            (Some(_), _) => Err(ApiError::invalid_parameter(
                "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            )),
            // Objects have no versions here, but for the one that all have that were never versioned.
            (None, [Some(_), Some(_), Some(version)]) if version != "null" => {
                Err(refused("NoSuchVersion", "The specified version does not exist."))
            }
            (None, [Some(bucket), Some(key), _]) => Ok(Self::Object { bucket, key }),
            (None, _) => Err(ApiError::invalid_parameter(missing)),
        }
    }

    /// Returns the package, and the room that it takes.
    pub(crate) async fn read(
        self,
        api: &LambdaApi,
    ) -> Result<(Bytes, Option<SemaphorePermit<'_>>), ApiError> {
        let (bucket, key) = match self {
            Self::Request(zip) => return Ok((zip?, None)),
            Self::Object { bucket, key } => (bucket, key),
        };
        let room = api.uploads.admit_package().await;
        match api.code_objects.get(&bucket, &key, UNZIPPED_BYTES_MAX).await {
            Ok(Some(zip)) => Ok((zip, Some(room))),
            // Nothing that is larger packed has room unpacked.
            Ok(None) => Err(ApiError::invalid_parameter(format!(
                "Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes"
            ))),
            Err(error) => Err(refused(error.code, &error.message)),
        }
    }
}

fn refused(code: &str, message: &str) -> ApiError {
    ApiError::invalid_parameter(format!(
        "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
    ))
}
