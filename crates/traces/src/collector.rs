//! The collector: where it is, and one request to it.

use std::time::Duration;

use bytes::Bytes;
use hearth_aws_client::{EndpointError, Tls};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::otlp::{ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse};

/// How long a request may take, from connecting to the end of its answer.
///
/// Source: OpenTelemetry Protocol Exporter, `OTEL_EXPORTER_OTLP_TIMEOUT`, read 2026-11.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// How much of an answer is read. Ours: it says how many spans were refused.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// What follows the endpoint for traces.
const PATH: &str = "/v1/traces";

/// Why there is no such collector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectorError {
    /// The URL is none, or nobody's certificate could be checked.
    #[error(
        "`{0}` is not an OTLP endpoint: one looks like http://127.0.0.1:4318 or https://collector.example/otlp"
    )]
    Url(String),
    /// TLS is asked for where no certificate could be checked.
    #[error(transparent)]
    Tls(#[from] EndpointError),
    /// A header is none.
    #[error(
        "`{0}` is no list of headers: one looks like name=value,other=value, with values in percent-encoding"
    )]
    Headers(String),
}

/// Where spans go.
#[derive(Debug, Clone)]
pub struct Collector {
    host: String,
    port: u16,
    uri: Uri,
    tls: Option<Tls>,
    headers: HeaderMap,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It was taken, but for so many spans.
    Taken { rejected: u64, why: String },
    /// It will never be.
    Refused(String),
    /// It may be another time; not before so long, if the collector says so.
    Unreachable { why: String, after: Option<Duration> },
}

impl Collector {
    /// Reads an endpoint, to which the path of traces is added, and headers as OpenTelemetry's
    /// `OTEL_EXPORTER_OTLP_HEADERS` has them.
    ///
    /// # Errors
    /// One of them cannot be read, or the endpoint asks for TLS where no certificate could be checked.
    pub fn parse(endpoint: &str, headers: &str) -> Result<Self, CollectorError> {
        let wrong = || CollectorError::Url(endpoint.to_owned());
        let uri: Uri = endpoint.trim().parse().map_err(|_| wrong())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?.to_owned();
        if uri.query().is_some() || uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(wrong());
        }
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let authority = HeaderValue::from_str(&format!("{host}:{port}")).map_err(|_| wrong())?;
        let path = format!("{}{PATH}", uri.path().trim_end_matches('/'));
        let uri = Uri::builder().path_and_query(path).build().map_err(|_| wrong())?;
        // An IPv6 address has brackets in an URL only.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = if is_tls { Some(Tls::to(&host, endpoint)?) } else { None };
        let mut all = HeaderMap::new();
        all.insert(HOST, authority);
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        all.insert(USER_AGENT, HeaderValue::from_static(concat!("hearth/", env!("CARGO_PKG_VERSION"))));
        all.extend(parse_headers(headers)?);
        Ok(Self { host, port, uri, tls, headers: all })
    }

    /// Sends spans once.
    pub(crate) async fn send(&self, request: &ExportTraceServiceRequest) -> Sent {
        let request = self.request(request.encode_to_vec().into());
        match tokio::time::timeout(REQUEST_LIMIT, self.exchange(request)).await {
            Ok(Ok((status, headers, body))) => judged(status, &headers, &body),
            Ok(Err(error)) => Sent::Unreachable { why: error.to_string(), after: None },
            Err(_) => {
                let why = format!("it does not answer within {} seconds", REQUEST_LIMIT.as_secs());
                Sent::Unreachable { why, after: None }
            }
        }
    }

    fn request(&self, body: Bytes) -> Request<Full<Bytes>> {
        let length = HeaderValue::from(body.len());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(CONTENT_LENGTH, length);
        request
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        match &self.tls {
            None => over(stream, request).await,
            Some(tls) => over(tls.connect(stream).await?, request).await,
        }
    }
}

/// Sends a request over a connection of its own, and reads the answer: batches are few.
async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, HeaderMap, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
        Ok((head.status, head.headers, body))
    };
    tokio::pin!(answer, connection);
    tokio::select! {
        answer = &mut answer => answer,
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(error.into()),
        },
    }
}

fn parse_headers(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, CollectorError> {
    // It may be a secret: what is shown is the name at most.
    let wrong =
        |pair: &str| CollectorError::Headers(pair.split('=').next().unwrap_or_default().trim().to_owned());
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or_else(|| wrong(pair))?;
            let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| wrong(pair))?;
            let name: HeaderName = name.trim().parse().map_err(|_| wrong(pair))?;
            let mut value = HeaderValue::from_str(&value).map_err(|_| wrong(pair))?;
            value.set_sensitive(true);
            Ok((name, value))
        })
        .collect()
}

/// Says what an answer means.
///
/// Source: OTLP specification 1.7, "OTLP/HTTP Response", read 2026-11.
fn judged(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Sent {
    if status.is_success() {
        // One that cannot be read says nothing.
        let answer = ExportTraceServiceResponse::decode(body.clone()).unwrap_or_default();
        let ExportTracePartialSuccess { rejected_spans, error_message } =
            answer.partial_success.unwrap_or_default();
        return Sent::Taken { rejected: u64::try_from(rejected_spans).unwrap_or(0), why: error_message };
    }
    let why = format!("it answers {}", status.as_u16());
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            Sent::Unreachable { why, after: seconds.map(Duration::from_secs) }
        }
        _ => Sent::Refused(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_may_have_a_path_and_headers_in_percent_encoding() {
        let read = |endpoint, headers| {
            let collector: Collector =
                Collector::parse(endpoint, headers).map_err(|error| error.to_string())?;
            let named = collector.headers.get("x-key").map(|value| value.to_str().unwrap().to_owned());
            Ok::<_, String>((collector.host, collector.port, collector.uri.to_string(), named))
        };
        let (local, none) = ("127.0.0.1".to_owned(), None::<String>);
        assert_eq!(
            read("http://127.0.0.1:4318", ""),
            Ok((local, 4318, "/v1/traces".to_owned(), none.clone()))
        );
        let with = read(" http://[::1]/otlp/ ", "X-Key=a%20b%3D , other=1,");
        assert_eq!(with, Ok(("::1".to_owned(), 80, "/otlp/v1/traces".to_owned(), Some("a b=".to_owned()))));
        for bad in ["", "127.0.0.1:4318", "grpc://a", "http://", "http://a?b", "http://me:secret@a"] {
            assert!(read(bad, "").unwrap_err().contains("is not an OTLP endpoint"), "{bad}");
        }
        for bad in ["a", "a b=secret", "a=secret%0A", "=secret"] {
            let error = read("http://a", bad).unwrap_err();
            assert!(error.contains("no list of headers") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again_and_what_was_rejected_is_known() {
        let of = |status: u16, body: &'static [u8]| {
            judged(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), &Bytes::from_static(body))
        };
        for passing in [429, 502, 503, 504] {
            assert!(matches!(of(passing, b""), Sent::Unreachable { after: None, .. }), "{passing}");
        }
        for no in [301, 400, 401, 404, 413, 500, 501] {
            assert!(matches!(of(no, b""), Sent::Refused(_)), "{no}");
        }
        let rejected = |body| match of(200, body) {
            Sent::Taken { rejected, .. } => rejected,
            other => panic!("{other:?}"),
        };
        // A partial success with three rejected spans; none; nonsense.
        assert_eq!((rejected(b"\x0a\x02\x08\x03"), rejected(b""), rejected(b"{}")), (3, 0, 0));
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        let later = judged(StatusCode::SERVICE_UNAVAILABLE, &headers, &Bytes::new());
        assert!(matches!(later, Sent::Unreachable { after: Some(after), .. } if after.as_secs() == 7));
    }
}
