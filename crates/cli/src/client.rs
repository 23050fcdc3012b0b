//! A client of a running server: plain HTTP/1.1, one connection a request. Knows no operation.

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hearth_auth::{ToSign, authorization};
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::arguments::ServerArguments;
use crate::exit_code::ExitCode;

/// Where a server listens unless somebody says otherwise.
const ENDPOINT_DEFAULT: &str = "http://127.0.0.1:4566";
/// The region that requests are signed for unless somebody says otherwise: a server's own default.
const REGION_DEFAULT: &str = "us-east-1";
/// How long a connection may take to be made. An invocation itself may take a quarter of an hour.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Largest answer that is read: ten times the largest response of a function.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// What a name may contain in a path without being escaped.
const PATH_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Why the server could not be asked, or did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("`{endpoint}` is not the URL of a server")]
    Endpoint { endpoint: String },
    #[error("no server answers at `{endpoint}`")]
    Unreachable { endpoint: Endpoint, source: io::Error },
    #[error("the connection to `{endpoint}` broke")]
    Broken { endpoint: Endpoint, source: Box<dyn std::error::Error + Send + Sync> },
    /// The server's own words.
    #[error("{message}")]
    Refused { status: StatusCode, message: String },
    #[error("the server at `{endpoint}` answers, but not as Hearth does")]
    NotHearth { endpoint: Endpoint, source: serde_json::Error },
}

impl ClientError {
    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Endpoint { .. } => {
                Some("an endpoint looks like http://127.0.0.1:4566; TLS is not built yet")
            }
            Self::Unreachable { .. } => {
                Some("start a server with `hearth serve`, or name a running one with --endpoint-url")
            }
            Self::NotHearth { .. } => {
                Some("is something else listening there? name Hearth with --endpoint-url")
            }
            Self::Refused { message, .. } if message.contains("(MissingAuthenticationTokenException)") => {
                Some(
                    "this server asks for a key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to one that \
                 `hearth credentials add` has made",
                )
            }
            Self::Broken { .. } | Self::Refused { .. } => None,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Endpoint { .. } => ExitCode::Usage,
            Self::Unreachable { .. } | Self::Broken { .. } => ExitCode::Unreachable,
            Self::Refused { .. } => ExitCode::Refused,
            Self::NotHearth { .. } => ExitCode::Failure,
        }
    }
}

/// Where a server is: `http://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// Reads an URL. Only `http`, and no path: everything of Hearth is at the root.
    pub(crate) fn parse(url: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::Endpoint { endpoint: url.to_owned() };
        let uri: Uri = url.trim().parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("http") || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?.to_owned();
        Ok(Self { host, port: uri.port_u16().unwrap_or(80) })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

/// What a server answered, when it did not refuse.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Returns a header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Asks one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    endpoint: Endpoint,
    keys: Option<Keys>,
}

/// What requests are signed with, if the environment has it. A server that asks nobody for a key does not look.
#[derive(Clone)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    region: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl Keys {
    fn of_environment() -> Option<Self> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Some(Self {
            access_key_id: variable("AWS_ACCESS_KEY_ID")?,
            secret_access_key: variable("AWS_SECRET_ACCESS_KEY")?,
            session_token: variable("AWS_SESSION_TOKEN"),
            region: variable("AWS_REGION")
                .or_else(|| variable("AWS_DEFAULT_REGION"))
                .unwrap_or_else(|| REGION_DEFAULT.to_owned()),
        })
    }

    /// For services that a request has to name, on a server that asks nobody for a key.
    fn of_nobody() -> Self {
        Self {
            access_key_id: "hearth".to_owned(),
            secret_access_key: "nobody".to_owned(),
            session_token: None,
            region: REGION_DEFAULT.to_owned(),
        }
    }

    fn sign(&self, request: &mut Request<Full<Bytes>>, body: &Bytes, service: &str) {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let to_sign = ToSign { method: &method, uri: &uri, headers: request.headers_mut(), body };
        let keys = (&*self.access_key_id, &*self.secret_access_key, self.session_token.as_deref());
        authorization(to_sign, keys, (&self.region, service), now_ms);
    }
}

impl Client {
    /// Makes a client of the server that the flag or `HEARTH_ENDPOINT`, then `AWS_ENDPOINT_URL` names.
    pub(crate) fn new(server: &ServerArguments) -> Result<Self, ClientError> {
        let named = named(server);
        let endpoint = Endpoint::parse(named.as_deref().unwrap_or(ENDPOINT_DEFAULT))?;
        Ok(Self { endpoint, keys: Keys::of_environment() })
    }

    /// Whether anything names a server; otherwise the default one is meant.
    pub(crate) fn is_named(server: &ServerArguments) -> bool {
        named(server).is_some()
    }

    pub(crate) fn of(endpoint: Endpoint) -> Self {
        Self { endpoint, keys: None }
    }

    /// Gets a document of `path`, which begins with `/` and is escaped already.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let answer = self.send(Method::GET, path, &[], Bytes::new()).await?;
        self.read(&answer.body)
    }

    /// Returns where the server is.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The error of a server that took a request and said nothing for too long.
    pub(crate) fn silent(&self) -> ClientError {
        let source = io::Error::from(io::ErrorKind::TimedOut).into();
        ClientError::Broken { endpoint: self.endpoint.clone(), source }
    }

    /// Reads a document that this server sent.
    pub(crate) fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ClientError> {
        let endpoint = || self.endpoint.clone();
        serde_json::from_slice(body).map_err(|source| ClientError::NotHearth { endpoint: endpoint(), source })
    }

    /// Sends a request; an answer of 400 and above is an error.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let service = match path.split('/').nth(1) {
            Some("_hearth") => "hearth",
            // Without what may follow it in a query.
            Some(first) if first.starts_with("schedule") => "scheduler",
            _ => "lambda",
        };
        self.send_to(service, method, path, headers, body).await
    }

    /// Gets an object of S3. `path` begins with `/` and is escaped already.
    pub(crate) async fn get_object(&self, path: &str) -> Result<Bytes, ClientError> {
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let headers = [("x-amz-content-sha256", nothing)];
        Ok(self.send_to("s3", Method::GET, path, &headers, Bytes::new()).await?.body)
    }

    /// Asks an operation of CloudWatch Logs.
    pub(crate) async fn logs(
        &self,
        operation: &str,
        request: &serde_json::Value,
    ) -> Result<Answer, ClientError> {
        let target = format!("Logs_20140328.{operation}");
        let body = Bytes::from(request.to_string());
        self.send_to("logs", Method::POST, "/", &[("X-Amz-Target", &target)], body).await
    }

    async fn send_to(
        &self,
        service: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let unreachable = |source| ClientError::Unreachable { endpoint: self.endpoint.clone(), source };
        // `[::1]` is how an URL writes it; the resolver wants it bare.
        let host = self.endpoint.host.trim_start_matches('[').trim_end_matches(']');
        let connect = TcpStream::connect((host, self.endpoint.port));
        let stream = tokio::time::timeout(CONNECT_LIMIT, connect).await;
        let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(unreachable)?;

        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, format!("{}:{}", self.endpoint.host, self.endpoint.port))
            .header(header::USER_AGENT, concat!("hearth/", env!("CARGO_PKG_VERSION")))
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Full::new(body.clone())).map_err(|error| self.broken(error))?;
        match &self.keys {
            Some(keys) => keys.sign(&mut request, &body, service),
            // Its paths say nothing: only a signature says that a request is for S3.
            None if service == "s3" => Keys::of_nobody().sign(&mut request, &body, service),
            None => {}
        }
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(error))?;
        let exchange = async {
            let (head, body) =
                sender.send_request(request).await.map_err(|error| self.broken(error))?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body =
                body.map_err(|source| ClientError::Broken { endpoint: self.endpoint.clone(), source })?;
            Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        tokio::pin!(exchange);
        let answer = tokio::select! {
            answer = &mut exchange => answer,
            // The connection ends first when the server closes it after its answer.
            _ = connection => exchange.await,
        }?;
        if answer.status.as_u16() < 400 { Ok(answer) } else { Err(refusal(&answer)) }
    }

    fn broken(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
        ClientError::Broken { endpoint: self.endpoint.clone(), source: source.into() }
    }
}

/// Returns the URL that is named by the flag or a variable.
fn named(server: &ServerArguments) -> Option<String> {
    let named = [server.endpoint_url.clone(), std::env::var("AWS_ENDPOINT_URL").ok()];
    named.into_iter().flatten().find(|url| !url.is_empty())
}

/// Escapes a name for use in a path or a query.
pub(crate) fn escape(name: &str) -> impl fmt::Display {
    utf8_percent_encode(name, PATH_SEGMENT)
}

/// Reads AWS's error (`Message` or `message`, and its name in a header) or ours (`message`).
fn refusal(answer: &Answer) -> ClientError {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = ["message", "Message"].iter().find_map(|key| body[key].as_str());
    let name = answer.header("x-amzn-errortype").and_then(|name| name.split(':').next());
    let message = match (text, name) {
        (Some(text), Some(name)) => format!("{text} ({name})"),
        (Some(text), None) => text.to_owned(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => format!("the server answered {}", answer.status),
    };
    ClientError::Refused { status: answer.status, message }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    /// A server that gives `answers` (status line and headers, then a body) in order, one a connection, and
    /// returns what it was asked: request line, AWS's headers and body.
    pub(crate) fn scripted(answers: &'static [(&str, &str)]) -> (Client, JoinHandle<Vec<String>>) {
        let mut next = answers.iter();
        answering(answers.len(), move |_| *next.next().unwrap())
    }

    /// A server that answers as many requests as `count`, each by its request line.
    pub(crate) fn answering(
        count: usize,
        mut answer: impl FnMut(&str) -> (&'static str, &'static str) + Send + 'static,
    ) -> (Client, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let server = std::thread::spawn(move || {
            (0..count)
                .map(|_| {
                    let mut stream = BufReader::new(listener.accept().unwrap().0);
                    let lines: Vec<String> = stream
                        .by_ref()
                        .lines()
                        .map(Result::unwrap)
                        .take_while(|line| !line.is_empty())
                        .collect();
                    let length = lines
                        .iter()
                        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                    let mut content = vec![0; length.unwrap_or(0)];
                    stream.read_exact(&mut content).unwrap();
                    let (head, body) = answer(&lines[0]);
                    let length = body.len();
                    let headers = format!("Content-Length: {length}\r\nConnection: close");
                    write!(stream.get_mut(), "HTTP/1.1 {head}\r\n{headers}\r\n\r\n{body}").unwrap();
                    let aws = lines.iter().filter(|line| line.to_lowercase().starts_with("x-amz-"));
                    let aws: String = aws.map(|line| format!(" [{line}]")).collect();
                    format!("{}{aws} {}", lines[0], String::from_utf8(content).unwrap()).trim_end().to_owned()
                })
                .collect()
        });
        (Client::of(endpoint), server)
    }

    /// Runs a future of the client.
    pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn error_of(head: &'static str, body: &'static str) -> String {
        let answers: &'static [(&str, &str)] = Vec::leak(vec![(head, body)]);
        let (client, server) = scripted(answers);
        let error = run(client.get::<serde_json::Value>("/x")).unwrap_err();
        server.join().unwrap();
        error.to_string()
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        let name = "404 Not Found\r\nX-Amzn-Errortype: ResourceNotFoundException:http://internal";
        assert_eq!(
            error_of(name, r#"{"Type":"User","Message":"Function not found: f"}"#),
            "Function not found: f (ResourceNotFoundException)"
        );
        assert_eq!(error_of("404 Not Found", r#"{"message":"no function `f`"}"#), "no function `f`");
        assert_eq!(error_of("502 Bad Gateway", "<html>"), "the server answered 502 Bad Gateway");
        assert!(error_of("200 OK", "<html>").contains("not as Hearth does"));
    }

    #[test]
    fn nobody_there_is_said_with_the_way_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let client = Client::of(Endpoint::parse(&url).unwrap());
        let error = run(client.get::<serde_json::Value>("/x")).unwrap_err();
        assert_eq!(error.to_string(), format!("no server answers at `{url}`"));
        assert_eq!(error.exit_code(), ExitCode::Unreachable);
        assert!(error.hint().unwrap().contains("hearth serve"));
    }

    #[test]
    fn an_endpoint_is_a_plain_http_url() {
        let parse = |url| Endpoint::parse(url).map(|endpoint| endpoint.to_string());
        assert_eq!(parse("http://localhost:4566/").unwrap(), "http://localhost:4566");
        assert_eq!(parse("http://[::1]:1").unwrap(), "http://[::1]:1");
        assert_eq!(parse("http://hearth").unwrap(), "http://hearth:80");
        for wrong in ["https://a", "localhost:4566", "http://a/b", "http://a?b", "", "http://"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
