//! One signed request to a service of AWS at an endpoint, and what its answer means. Knows no operation. A connection a
//! request: they are few.

mod tls;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use hearth_auth::{ToSign, authorization};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub use tls::Tls;

/// How long a request may take, from connecting to the end of its answer. Ours.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);
/// How much of an answer is read. Ours: most answers are a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Names of errors that may pass, beside those that speak of throttling.
const PASSING: [&str; 6] = [
    "RequestLimitExceeded",
    "SlowDown",
    "InternalFailure",
    "InternalException",
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
];
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
pub enum EndpointError {
    /// It is none.
    #[error(
        "`{url}` is not an endpoint: an endpoint looks like http://127.0.0.1:5000 or https://gateway.example"
    )]
    Url {
        /// The URL.
        url: String,
    },
    /// Nobody's certificate could be checked.
    #[error(
        "`{url}` asks for TLS, and this host trusts no authority: install its `ca-certificates`, or name a file of \
         certificates in SSL_CERT_FILE"
    )]
    NoAuthorities {
        /// The URL.
        url: String,
    },
}

/// Where services are: `http://HOST:PORT` or `https://HOST:PORT`.
#[derive(Debug, Clone)]
pub struct Endpoint {
    host: String,
    port: u16,
    authority: HeaderValue,
    tls: Option<Tls>,
    keys: Keys,
    region: String,
}

/// Why a request has brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The service says no, and will say so again.
    #[error("{reason}")]
    Refused {
        /// The name of its error; empty when it gives none.
        code: String,
        /// What it says.
        reason: String,
    },
    /// It may be another time: the service is not there, or busy.
    #[error("{reason}")]
    Unreachable {
        /// The name of its error; empty when it gives none.
        code: String,
        /// What happened.
        reason: String,
    },
}

impl ClientError {
    fn unreachable(reason: String) -> Self {
        Self::Unreachable { code: String::new(), reason }
    }

    /// Returns the name of the service's error, without its namespace; empty when there is none.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } | Self::Unreachable { code, .. } => code,
        }
    }
}

/// A request that is to be made.
pub struct Asked<'a> {
    /// The service, as signatures name it.
    pub service: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: &'a str,
    /// The type of its body.
    pub content_type: &'static str,
    /// More headers.
    pub headers: &'a [(&'static str, &'a str)],
    /// Its body.
    pub body: Bytes,
}

/// How long and how large an answer may be.
#[derive(Debug, Clone, Copy)]
pub struct AnswerLimits {
    /// From connecting to the end of the answer.
    pub within: Duration,
    /// How many bytes of it are read.
    pub bytes_max: usize,
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self { within: REQUEST_LIMIT, bytes_max: ANSWER_BYTES_MAX }
    }
}

impl Endpoint {
    /// Reads an URL without a path. Requests are signed for `region`.
    ///
    /// # Errors
    /// It is no such URL, or asks for TLS where no certificate could be checked.
    pub fn parse(url: &str, region: String, keys: Keys) -> Result<Self, EndpointError> {
        let wrong = || EndpointError::Url { url: url.to_owned() };
        let uri: Uri = url.trim().parse().map_err(|_| wrong())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let authority = HeaderValue::from_str(&format!("{host}:{port}")).map_err(|_| wrong())?;
        // An IPv6 address has brackets in an URL only.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = if is_tls { Some(Tls::to(&host, url)?) } else { None };
        Ok(Self { host, port, authority, tls, keys, region })
    }

    /// Makes a request, and returns the body of its answer. `now_ms` is the time that it is signed at, in milliseconds since
    /// 1970.
    pub async fn ask(&self, asked: Asked<'_>, now_ms: i64) -> Result<Bytes, ClientError> {
        self.ask_within(asked, now_ms, AnswerLimits::default()).await
    }

    /// The same, for an answer that takes longer or is larger.
    pub async fn ask_within(
        &self,
        asked: Asked<'_>,
        now_ms: i64,
        limits: AnswerLimits,
    ) -> Result<Bytes, ClientError> {
        let request = self.request(asked, now_ms)?;
        match tokio::time::timeout(limits.within, self.send(request, limits.bytes_max)).await {
            Ok(Ok((status, body))) => judged(status, body),
            Ok(Err(error)) => Err(ClientError::unreachable(error.to_string())),
            Err(_) => {
                let seconds = limits.within.as_secs();
                Err(ClientError::unreachable(format!("it does not answer within {seconds} seconds")))
            }
        }
    }

    fn request(&self, asked: Asked<'_>, now_ms: i64) -> Result<Request<Full<Bytes>>, ClientError> {
        let refused =
            |error: http::Error| ClientError::Refused { code: String::new(), reason: error.to_string() };
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
        bytes_max: usize,
    ) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        match &self.tls {
            None => exchange(stream, request, bytes_max).await,
            Some(tls) => exchange(tls.connect(stream).await?, request, bytes_max).await,
        }
    }
}

/// Sends a request over a connection of its own, and reads the answer.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    bytes_max: usize,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, bytes_max).collect().await?.to_bytes();
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

/// Says what an answer means.
fn judged(status: StatusCode, body: Bytes) -> Result<Bytes, ClientError> {
    if status.is_success() {
        return Ok(body);
    }
    let text = String::from_utf8_lossy(&body);
    let code = code_of(&text).unwrap_or_default();
    let shown: String = text.chars().filter(|character| !character.is_control()).collect();
    let end = shown.floor_char_boundary(REASON_BYTES_MAX);
    let reason = format!("{} {code}: {}", status.as_u16(), &shown[..end]);
    if is_passing(status, &code) {
        Err(ClientError::Unreachable { code, reason })
    } else {
        Err(ClientError::Refused { code, reason })
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

/// Whether an error of a service may pass.
pub fn is_passing(status: StatusCode, code: &str) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
        || code.contains("Throttl")
        || PASSING.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys { access_key_id: "id".to_owned(), secret_access_key: "secret".to_owned() }
    }

    #[test]
    fn an_endpoint_is_an_url_without_a_path() {
        for good in ["http://127.0.0.1:5000", "http://moto/", " http://[::1]:1 "] {
            assert!(Endpoint::parse(good, "us-east-1".to_owned(), keys()).is_ok(), "{good}");
        }
        for bad in ["", "moto:5000", "https://", "https://sqs/queue", "http://a/b", "http://a?b", "ftp://a"] {
            let error = Endpoint::parse(bad, "us-east-1".to_owned(), keys()).unwrap_err();
            assert!(error.to_string().contains("is not an endpoint"), "{error}");
        }
        assert!(!format!("{:?}", keys()).contains("secret\""), "{:?}", keys());
    }

    #[test]
    fn what_may_pass_is_tried_again_and_a_no_is_a_no() {
        let passes = |status: u16, body: &'static str| {
            let judged = judged(StatusCode::from_u16(status).unwrap(), Bytes::from_static(body.as_bytes()));
            matches!(judged, Err(ClientError::Unreachable { .. }))
        };
        assert!(passes(503, "") && passes(500, "<Code>InternalError</Code>") && passes(429, "{}"));
        assert!(passes(400, "{\"__type\":\"com.amazon#ThrottlingException\"}"));
        assert!(passes(400, "<Error><Code>Throttling</Code></Error>"));
        assert!(!passes(400, "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\"}"));
        assert!(!passes(403, "") && !passes(404, "<Code>NoSuchBucket</Code>") && !passes(301, ""));
        assert!(!passes(400, "\u{7}é"), "whatever it is");
    }
}
