//! The input of an operation: labels of the path, query, headers and body, gathered as the one structure that the model
//! describes, checked, and read into its type.

use bytes::Bytes;
use hearth_aws_wire::read_body;
use hearth_types::limits::REQUEST_BYTES_MAX;
use http::Request;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::LambdaApi;
use crate::error::ApiError;
use crate::generated::{Location, Member, Operation, Shape};
use crate::routes::Labels;
use crate::validation;

/// From which length on a request counts as an upload.
const UPLOAD_BYTES_MIN: u64 = 1 << 20;

/// How many uploads are worked on at once; more wait, read as they are. Each takes up to twice its 70 MB: as it came, for
/// which `aws-wire` has its own limit, and as it is decoded. Ours, not AWS's.
const UPLOADS_MAX: usize = 4;

/// Room for uploads.
pub(crate) struct Uploads(Semaphore);

impl Default for Uploads {
    fn default() -> Self {
        Self(Semaphore::new(UPLOADS_MAX))
    }
}

impl Uploads {
    /// Waits until there is room for a package that is read from elsewhere.
    pub(crate) async fn admit_package(&self) -> SemaphorePermit<'_> {
        self.0.acquire().await.expect("nobody closes the semaphore")
    }

    /// Waits until there is room to decode `body`. `None` for one that is small. Only whole bodies wait here, so that a slow
    /// client holds up nobody.
    pub(crate) async fn admit(&self, body: &Bytes) -> Option<SemaphorePermit<'_>> {
        match (body.len() as u64) < UPLOAD_BYTES_MIN {
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

/// Reads a request whose body says nothing.
pub(crate) fn of_head<T: DeserializeOwned, B>(
    operation: &Operation,
    labels: Labels,
    request: &Request<B>,
) -> Result<T, ApiError> {
    read(operation.input, head(operation.input, labels, request)?, b"")
}

/// Reads a whole request.
pub(crate) async fn whole<T: DeserializeOwned + Send + 'static>(
    api: &LambdaApi,
    operation: &'static Operation,
    labels: Labels,
    request: Request<Incoming>,
) -> Result<T, ApiError> {
    let head = head(operation.input, labels, &request);
    // First the body, so that a wrong head is told over a connection that can go on.
    let body = body(operation.name, request).await?;
    let _upload = api.uploads.admit(&body).await;
    let head = head?;
    work_on(body, move |body| read(operation.input, head, &body)).await
}

/// Gathers what stands outside the body: labels of the path, query, headers. Nothing is checked yet; a text that is no
/// number where one should be stays a text, so that the check names its type.
pub(crate) fn head<B>(
    input: &'static Shape,
    labels: Labels,
    request: &Request<B>,
) -> Result<Map<String, Value>, ApiError> {
    let Shape::Structure(members) = input else { return Ok(Map::new()) };
    let mut head = Map::new();
    for (name, label) in labels {
        let value = match members.iter().find(|member| member.name == name) {
            Some(member) => of_text(member.shape, label),
            None => label.into(),
        };
        head.insert(name.to_owned(), value);
    }
    let query = request.uri().query().unwrap_or("");
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(key) = hearth_aws_wire::decode(key) else { continue };
        let member =
            members.iter().find(|member| matches!(member.location, Location::Query(name) if name == key));
        let Some(Member { name, shape, .. }) = member else { continue };
        let decoded = hearth_aws_wire::decode(&value.replace('+', " "));
        let value = decoded.ok_or_else(|| {
            ApiError::serialization(format!("The value of {key} in the query is not UTF-8"))
        })?;
        match (shape, head.get_mut(*name)) {
            (Shape::List { .. }, Some(Value::Array(values))) => values.push(value.into()),
            (Shape::List { .. }, _) => drop(head.insert((*name).to_owned(), Value::from(vec![value]))),
            // The first one counts.
            (_, Some(_)) => {}
            (_, None) => drop(head.insert((*name).to_owned(), of_text(shape, value))),
        }
    }
    for Member { name, location, shape, .. } in *members {
        let Location::Header(header) = location else { continue };
        let Some(value) = request.headers().get(*header) else { continue };
        let value = value
            .to_str()
            .map_err(|_| ApiError::validation(format!("The header {header} is no plain text")))?;
        head.insert((*name).to_owned(), of_text(shape, value.to_owned()));
    }
    Ok(head)
}

/// Reads a value that stands in a path, query or header as its type.
fn of_text(shape: &Shape, text: String) -> Value {
    match shape {
        Shape::Integer { .. } => text.parse::<i64>().map_or(Value::String(text), Value::from),
        Shape::Boolean => text.parse().map_or(Value::String(text), Value::Bool),
        _ => Value::String(text),
    }
}

/// Puts the input together, checks it against the model and reads it. No body is an empty structure, where the model
/// needs nothing of it.
pub(crate) fn read<T: DeserializeOwned>(
    shape: &'static Shape,
    head: Map<String, Value>,
    body: &[u8],
) -> Result<T, ApiError> {
    let Shape::Structure(known) = shape else { unreachable!("the input of every operation is a structure") };
    let is_needed = known.iter().any(|member| member.required && member.location == Location::Body);
    let mut members = if !is_needed && body.iter().all(u8::is_ascii_whitespace) {
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
    // What the model has in the path must not be said by the body.
    for member in known.iter().filter(|member| member.location != Location::Body) {
        members.remove(member.name);
    }
    members.extend(head);
    // An unset member is the same as none.
    members.retain(|_, value| !value.is_null());
    let input = Value::Object(members);
    validation::check(shape, &input)?;
    serde_json::from_value(input).map_err(|error| ApiError::serialization(error.to_string()))
}
