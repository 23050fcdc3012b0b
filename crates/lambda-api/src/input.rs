//! The input of an operation: labels of the path, query, and body, gathered as the one structure that the model
//! describes, checked, and read into its type.

use bytes::Bytes;
use hearth_aws_wire::{query_pairs, read_body};
use hearth_types::limits::REQUEST_BYTES_MAX;
use http::Request;
use hyper::body::{Body, Incoming};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::ApiError;
use crate::generated::Shape;
use crate::validation;

/// From which length on a request counts as an upload.
const UPLOAD_BYTES_MIN: u64 = 1 << 20;

/// How many uploads are in memory at once; more wait before they are read. Each takes up to twice its 70 MB: as it came
/// and as it is decoded. Ours, not AWS's.
const UPLOADS_MAX: usize = 4;

/// Room for uploads.
pub(crate) struct Uploads(Semaphore);

impl Default for Uploads {
    fn default() -> Self {
        Self(Semaphore::new(UPLOADS_MAX))
    }
}

impl Uploads {
    /// Waits until there is room for the body of `request`. `None` for one that is small, and says so.
    pub(crate) async fn admit<B: Body>(&self, request: &Request<B>) -> Option<SemaphorePermit<'_>> {
        let bytes = request.body().size_hint().upper().unwrap_or(u64::MAX);
        match bytes < UPLOAD_BYTES_MIN {
            true => None,
            false => Some(self.0.acquire().await.expect("nobody closes the semaphore")),
        }
    }
}

/// Reads the body of a control-plane request.
pub(crate) async fn body(operation: &str, request: Request<Incoming>) -> Result<Bytes, ApiError> {
    read_body(request, REQUEST_BYTES_MAX).await.map_err(|error| ApiError::of_body(&error, operation))
}

/// Runs `work` on a body. Parsing and decoding an upload takes long enough to hold up the invocations on this thread, so
/// a large one is worked on elsewhere.
pub(crate) async fn work_on<T: Send + 'static>(
    body: Bytes,
    work: impl FnOnce(Bytes) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    if (body.len() as u64) < UPLOAD_BYTES_MIN {
        return work(body);
    }
    match tokio::task::spawn_blocking(move || work(body)).await {
        Ok(done) => done,
        Err(error) => Err(ApiError::service(&error)),
    }
}

/// Puts the input together, checks it against the model and reads it. An empty body is an empty structure.
pub(crate) fn read<T: DeserializeOwned>(
    shape: &'static Shape,
    outside: Vec<(&'static str, Value)>,
    body: &[u8],
) -> Result<T, ApiError> {
    let mut members = if body.iter().all(u8::is_ascii_whitespace) {
        Map::new()
    } else {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err(ApiError::serialization("The request body is not a JSON object")),
            Err(error) => {
                return Err(ApiError::serialization(format!(
                    "Could not parse request body into json: {error}"
                )));
            }
        }
    };
    for (name, value) in outside {
        members.insert(name.to_owned(), value);
    }
    // An unset member is the same as none.
    members.retain(|_, value| !value.is_null());
    let input = Value::Object(members);
    validation::check(shape, &input)?;
    serde_json::from_value(input).map_err(|error| ApiError::serialization(error.to_string()))
}

/// Reads chosen members from a query, as texts or numbers.
pub(crate) fn of_query<B>(
    request: &Request<B>,
    texts: &[&'static str],
    numbers: &[&'static str],
) -> Result<Vec<(&'static str, Value)>, ApiError> {
    let mut members = Vec::new();
    for (key, value) in query_pairs(request.uri().query().unwrap_or("")) {
        if let Some(name) = texts.iter().find(|name| **name == key) {
            members.push((*name, Value::String(value)));
        } else if let Some(name) = numbers.iter().find(|name| **name == key) {
            let number: i64 = value.parse().map_err(|_| {
                ApiError::serialization(format!("`{value}` can not be converted to an Integer"))
            })?;
            members.push((*name, Value::from(number)));
        }
    }
    Ok(members)
}
