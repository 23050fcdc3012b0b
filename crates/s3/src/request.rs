//! What a request names: a bucket, a key, and what its query says.

use hearth_aws_wire::{CredentialScope, query_pairs};
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, Method, Request, Uri};

use crate::error::S3Error;

/// A request without its body.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) bucket: Option<String>,
    pub(crate) key: Option<String>,
    query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
}

/// Whether a request is meant for S3. Its paths could be those of any other service, so the signature has to say it, or
/// the host.
pub(crate) fn is_for_s3<B>(request: &Request<B>) -> bool {
    if request.headers().contains_key(AUTHORIZATION) {
        return CredentialScope::of(request.headers()).is_some_and(|scope| scope.service == "s3");
    }
    let query = request.uri().query().unwrap_or("");
    if query.contains("X-Amz-Credential") {
        let pairs = query_pairs(query);
        let credential = pairs.iter().find(|(name, _)| name == "X-Amz-Credential");
        return credential
            .and_then(|(_, value)| CredentialScope::parse(value))
            .is_some_and(|scope| scope.service == "s3");
    }
    // A presigned URL of the signature version before.
    if ["AWSAccessKeyId=", "Signature=", "Expires="].iter().all(|name| query.contains(name)) {
        return true;
    }
    let host = host(request.headers());
    host.starts_with("s3.") || host.contains(".s3.")
}

fn host(headers: &HeaderMap) -> &str {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    host.rsplit_once(':').map_or(host, |(host, _)| host)
}

/// Returns the bucket that stands in the name of the host: `BUCKET.s3.…`, `BUCKET.localhost`.
fn bucket_of_host(host: &str) -> Option<&str> {
    if host.starts_with("s3.") {
        return None;
    }
    let bucket =
        host.split_once(".s3.").map(|(bucket, _)| bucket).or_else(|| host.strip_suffix(".localhost"))?;
    let bucket = bucket.strip_suffix(".s3").unwrap_or(bucket);
    Some(bucket).filter(|bucket| !bucket.is_empty() && *bucket != "s3")
}

impl Asked {
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Self, S3Error> {
        let not_utf8 = || S3Error::new(400, "InvalidURI", "Couldn't parse the specified URI.");
        let path = hearth_aws_wire::decode(uri.path()).ok_or_else(not_utf8)?;
        let rest = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = match bucket_of_host(host(headers)) {
            Some(bucket) => (bucket, rest),
            None => rest.split_once('/').unwrap_or((rest, "")),
        };
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (bucket, key) = (some(bucket), some(key));
        if bucket.is_none() && key.is_some() {
            return Err(S3Error::new(400, "InvalidBucketName", "The specified bucket is not valid."));
        }
        Ok(Self {
            method: method.clone(),
            bucket,
            key,
            query: query_pairs(uri.query().unwrap_or("")),
            headers: headers.clone(),
        })
    }

    /// Returns a value of the query; of one that is there twice, the first.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the query has a name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.query(name).is_some()
    }

    /// Returns a header that is a text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns a number of the query within bounds.
    pub(crate) fn number(&self, name: &'static str, least: u32, most: u32) -> Result<Option<u32>, S3Error> {
        let Some(text) = self.query(name) else { return Ok(None) };
        let number = text.parse::<u32>().ok().filter(|number| *number >= least);
        match number {
            Some(number) => Ok(Some(number.min(most))),
            None => Err(S3Error::invalid_argument(
                name,
                format!("Provided {name} not an integer or within integer range"),
            )),
        }
    }

    pub(crate) fn bucket(&self) -> &str {
        self.bucket.as_deref().unwrap_or_default()
    }

    pub(crate) fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_in_the_path_or_in_the_host() {
        for (host, uri, expected) in [
            ("127.0.0.1:4566", "/bucket/a%2Fb/c%20d?x", "bucket a/b/c d"),
            ("localhost:4566", "/bucket", "bucket -"),
            ("localhost", "/bucket/", "bucket -"),
            ("bucket.localhost:4566", "/a/b", "bucket a/b"),
            ("bucket.s3.localhost", "/a", "bucket a"),
            ("my.bucket.s3.us-east-1.localhost", "/", "my.bucket -"),
            ("s3.localhost:4566", "/bucket/folder/", "bucket folder/"),
            ("s3.localhost:4566", "/", "- -"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            let asked = Asked::of(&Method::GET, &uri.parse().unwrap(), &headers).unwrap();
            let text = |part: &Option<String>| part.clone().unwrap_or("-".to_owned());
            assert_eq!(format!("{} {}", text(&asked.bucket), text(&asked.key)), expected, "{host} {uri}");
        }
    }
}
