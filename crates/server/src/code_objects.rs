//! Gives Lambda the packages that are in S3.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearth_lambda_api::{CodeObjectError, CodeObjects};
use hearth_s3::S3;

/// The buckets of this server.
pub(crate) struct CodeInS3(pub(crate) Arc<S3>);

impl CodeObjects for CodeInS3 {
    fn get<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        bytes_max: u64,
    ) -> BoxFuture<'a, Result<Option<Bytes>, CodeObjectError>> {
        Box::pin(async move {
            let object = self.0.get(bucket, key, bytes_max).await;
            object.map_err(|error| CodeObjectError { code: error.code, message: error.message })
        })
    }
}
