//! One signed request to the endpoint, and what its answer means. A connection a request: messages are few.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use hearth_auth::{ToSign, authorization};
use hearth_invoke::DeliveryError;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// How long a request may take, from connecting to the end of its answer. Ours.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);
/// How much of an answer is read. Ours: the answers are a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How much of what a service says goes to the log. Ours.
const REASON_BYTES_MAX: usize = 300;

/// What requests are signed with.
#[derive(Clone)]
pub struct Keys {
    /// The id of the key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Why an URL is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` is not an endpoint: an endpoint looks like http://127.0.0.1:5000; TLS is not built yet")]
pub struct EndpointError {
    /// The URL.
    pub url: String,
}

/// Where services are: `http://HOST:PORT`.
#[derive(Debug, Clone)]
pub struct Endpoint {
    host: String,
    port: u16,
    authority: HeaderValue,
    keys: Keys,
    region: String,
}

/// A request that is to be made.
pub(crate) struct Asked<'a> {
    pub(crate) service: &'static str,
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) content_type: &'static str,
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: Bytes,
}

impl Endpoint {
    /// Reads an URL. Only `http`, and no path. Requests are signed for `region`.
    pub fn parse(url: &str, region: String, keys: Keys) -> Result<Self, EndpointError> {
        let wrong = || EndpointError { url: url.to_owned() };
        let uri: Uri = url.trim().parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("http") || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let port = uri.port_u16().unwrap_or(80);
        let authority = HeaderValue::from_str(&format!("{host}:{port}")).map_err(|_| wrong())?;
        // An IPv6 address has brackets in an URL only.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port, authority, keys, region })
    }

    /// Makes a request, and returns the body of its answer. What the service says no to is a [`DeliveryError`].
    pub(crate) async fn ask(&self, asked: Asked<'_>, now_ms: i64) -> Result<Bytes, DeliveryError> {
        let request = self.request(asked, now_ms)?;
        match tokio::time::timeout(REQUEST_LIMIT, self.send(request)).await {
            Ok(Ok((status, body))) => judged(status, body),
            Ok(Err(error)) => Err(DeliveryError::Unreachable(error.to_string())),
            Err(_) => {
                let seconds = REQUEST_LIMIT.as_secs();
                Err(DeliveryError::Unreachable(format!("it does not answer within {seconds} seconds")))
            }
        }
    }

    fn request(&self, asked: Asked<'_>, now_ms: i64) -> Result<Request<Full<Bytes>>, DeliveryError> {
        let refused = |error: http::Error| DeliveryError::Refused(error.to_string());
        let uri = Uri::builder().path_and_query(asked.path).build().map_err(refused)?;
        let mut headers = HeaderMap::new();
        headers.insert(HOST, self.authority.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(asked.content_type));
        for &(name, value) in asked.headers {
            let value = HeaderValue::from_str(value).map_err(|error| refused(error.into()))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        let to_sign = ToSign { method: &asked.method, uri: &uri, headers: &mut headers, body: &asked.body };
        let keys = (self.keys.access_key_id.as_str(), self.keys.secret_access_key.as_str(), None);
        authorization(to_sign, keys, (&self.region, asked.service), now_ms);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(asked.body.len()));
        let mut request = Request::new(Full::new(asked.body));
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (asked.method, uri, headers);
        Ok(request)
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let answer = async move {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
            Ok((head.status, body))
        };
        // The connection moves as long as somebody polls it, and ends with the answer.
        tokio::pin!(answer, connection);
        tokio::select! {
            answer = &mut answer => answer,
            ended = &mut connection => match ended {
                Ok(()) => answer.await,
                Err(error) => Err(error.into()),
            },
        }
    }
}

/// Says what an answer means.
fn judged(status: StatusCode, body: Bytes) -> Result<Bytes, DeliveryError> {
    if status.is_success() {
        return Ok(body);
    }
    let text = String::from_utf8_lossy(&body);
    let code = code_of(&text).unwrap_or_default();
    let shown: String = text.chars().filter(|character| !character.is_control()).collect();
    let end = shown.floor_char_boundary(REASON_BYTES_MAX);
    let reason = format!("{} {code}: {}", status.as_u16(), &shown[..end]);
    if is_passing(status, &code) {
        Err(DeliveryError::Unreachable(reason))
    } else {
        Err(DeliveryError::Refused(reason))
    }
}

/// Returns the code of an error in JSON or XML.
fn code_of(text: &str) -> Option<String> {
    if let Ok(error) = serde_json::from_str::<Value>(text) {
        let code = error["__type"].as_str().or(error["code"].as_str())?;
        return code.rsplit('#').next().map(str::to_owned);
    }
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code.to_owned())
}

/// Whether it may be another time.
pub(crate) fn is_passing(status: StatusCode, code: &str) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
        || code.contains("Throttl")
        || ["RequestLimitExceeded", "SlowDown", "InternalFailure", "InternalException"].contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys { access_key_id: "id".to_owned(), secret_access_key: "secret".to_owned() }
    }

    #[test]
    fn an_endpoint_is_plain_http_without_a_path() {
        for good in ["http://127.0.0.1:5000", "http://moto/", " http://[::1]:1 "] {
            assert!(Endpoint::parse(good, "us-east-1".to_owned(), keys()).is_ok(), "{good}");
        }
        for bad in
            ["", "moto:5000", "https://sqs.us-east-1.amazonaws.com", "http://a/b", "http://a?b", "ftp://a"]
        {
            let error = Endpoint::parse(bad, "us-east-1".to_owned(), keys()).unwrap_err();
            assert!(error.to_string().contains("TLS is not built yet"), "{error}");
        }
        assert!(!format!("{:?}", keys()).contains("secret\""), "{:?}", keys());
    }

    #[test]
    fn what_may_pass_is_tried_again_and_a_no_is_a_no() {
        let passes = |status: u16, body: &'static str| {
            let judged = judged(StatusCode::from_u16(status).unwrap(), Bytes::from_static(body.as_bytes()));
            matches!(judged, Err(DeliveryError::Unreachable(_)))
        };
        assert!(passes(503, "") && passes(500, "<Code>InternalError</Code>") && passes(429, "{}"));
        assert!(passes(400, "{\"__type\":\"com.amazon#ThrottlingException\"}"));
        assert!(passes(400, "<Error><Code>Throttling</Code></Error>"));
        assert!(!passes(400, "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\"}"));
        assert!(!passes(403, "") && !passes(404, "<Code>NoSuchBucket</Code>") && !passes(301, ""));
        assert!(!passes(400, "\u{7}é"), "whatever it is");
    }
}
