//! What an extension asks for when it subscribes: read, checked, and refused with AWS's words.
//!
//! A body comes from inside a sandbox: it may be anything.

use std::fmt;
use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Uri};
use serde_json::{Map, Value};

use super::Schema;
use crate::record::{SubscriptionApi, TelemetryTypes};

/// Longest body that is looked at. Source: AWS documents 1 MiB for managed instances, read 2026-11; we take it for all.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest destination. Ours: AWS states no limit.
const URI_BYTES_MAX: usize = 2_048;
/// The port that AWS's own Runtime API has. Source: "Lambda Telemetry API", read 2026-11.
const RESERVED_PORT: u16 = 9_001;
/// Names of the environment itself. Source: the Telemetry API has the first one, the Logs API's documentation both.
const HOSTS: [&str; 2] = ["sandbox.localdomain", "sandbox"];

/// What an extension has subscribed to, and where it wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub(super) schema: Schema,
    pub(super) types: TelemetryTypes,
    pub(super) buffering: Buffering,
    pub(super) destination: Destination,
}

/// When what has gathered is sent: as soon as one of these is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Buffering {
    pub(super) items_max: usize,
    pub(super) bytes_max: usize,
    pub(super) timeout: Duration,
}

/// Where it is sent: a port of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination {
    /// A request for each batch.
    Http { port: u16, host: HeaderValue, path: PathAndQuery, method: Method },
    /// A line for each event.
    Tcp { port: u16 },
}

/// Why a subscription is refused: the body of a 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SubscriptionError {
    /// AWS's `errorType`.
    pub error_type: &'static str,
    /// AWS's `errorMessage`: everything that is wrong, joined by `; `.
    pub message: String,
}

impl Subscription {
    /// Reads the body of a request. `runtime_api_port` is where the environment's Runtime API listens: nobody else can.
    ///
    /// # Errors
    ///
    /// When it breaks a rule of the interface; the error names every rule.
    pub fn parse(
        api: SubscriptionApi,
        body: &[u8],
        runtime_api_port: u16,
    ) -> Result<Self, SubscriptionError> {
        // Source: the example of each interface's documentation, read 2026-11.
        let error_type = match api {
            SubscriptionApi::Telemetry => "ValidationError",
            SubscriptionApi::Logs => "Logs.ValidationError",
        };
        let refuse = |message: String| SubscriptionError { error_type, message };
        if body.len() > BODY_BYTES_MAX {
            return Err(refuse(format!("request body should be at most {BODY_BYTES_MAX} bytes")));
        }
        let request: Value =
            serde_json::from_slice(body).map_err(|error| refuse(format!("Invalid JSON: {error}")))?;
        let Value::Object(request) = request else {
            return Err(refuse("request body should be an object".to_owned()));
        };
        let mut problems = Problems(Vec::new());
        let schema = schema(api, &request, &mut problems);
        let destination = destination(api, &request, runtime_api_port, &mut problems);
        let types = types(&request, &mut problems);
        let buffering = buffering(&request, &mut problems);
        match (schema, destination) {
            (Some(schema), Some(destination)) if problems.0.is_empty() => {
                Ok(Self { schema, types, buffering, destination })
            }
            _ => Err(refuse(problems.0.join("; "))),
        }
    }

    /// Returns to what it subscribes.
    pub fn types(&self) -> TelemetryTypes {
        self.types
    }

    /// Returns through which interface it came.
    pub fn api(&self) -> SubscriptionApi {
        self.schema.api()
    }
}

/// What is wrong with a request.
struct Problems(Vec<String>);

impl Problems {
    fn note(&mut self, problem: impl fmt::Display) {
        self.0.push(problem.to_string());
    }

    /// Notes a problem in place of a value.
    fn refuse<T>(&mut self, problem: impl fmt::Display) -> Option<T> {
        self.note(problem);
        None
    }
}

fn schema(api: SubscriptionApi, request: &Map<String, Value>, problems: &mut Problems) -> Option<Schema> {
    let version = match (request.get("schemaVersion"), api) {
        (None, SubscriptionApi::Telemetry) => return problems.refuse("schemaVersion is not provided"),
        (None, SubscriptionApi::Logs) => return Some(Schema::Logs20200815),
        (Some(version), _) => version.as_str(),
    };
    let known = Schema::ALL.iter().filter(|schema| schema.api() == api);
    let found = known.clone().find(|schema| version == Some(schema.as_str()));
    if found.is_none() {
        let names: Vec<&str> = known.map(|schema| schema.as_str()).collect();
        problems.note(format_args!("schemaVersion should be one of {}", names.join(", ")));
    }
    found.copied()
}

fn types(request: &Map<String, Value>, problems: &mut Problems) -> TelemetryTypes {
    let mut types = TelemetryTypes::default();
    let Some(given) = request.get("types") else {
        problems.note("types is not provided");
        return types;
    };
    let Value::Array(given) = given else {
        problems.note("types should be an array");
        return types;
    };
    if given.is_empty() {
        problems.note("types should not be empty");
    }
    for name in given {
        match name.as_str() {
            Some("platform") => types.platform = true,
            Some("function") => types.function = true,
            Some("extension") => types.extension = true,
            Some(_) | None => {
                problems.note("types should be a subset of platform, function, extension");
                return types;
            }
        }
    }
    types
}

fn buffering(request: &Map<String, Value>, problems: &mut Problems) -> Buffering {
    let nothing = Map::new();
    let given = match request.get("buffering") {
        None => &nothing,
        Some(Value::Object(given)) => given,
        Some(_) => {
            problems.note("buffering should be an object");
            &nothing
        }
    };
    // Source: "Lambda Telemetry API", section on buffering, read 2026-11.
    let mut number = |name: &str, default: u64, min: u64, max: u64| -> u64 {
        let value = given.get(name).map_or(Some(default), Value::as_u64);
        match value.filter(|value| (min..=max).contains(value)) {
            Some(value) => value,
            None => {
                problems.note(format_args!("{name} should be between {min} and {max}"));
                default
            }
        }
    };
    Buffering {
        items_max: number("maxItems", 10_000, 1_000, 10_000) as usize,
        bytes_max: number("maxBytes", 262_144, 262_144, 1_048_576) as usize,
        timeout: Duration::from_millis(number("timeoutMs", 1_000, 25, 30_000)),
    }
}

fn destination(
    api: SubscriptionApi,
    request: &Map<String, Value>,
    runtime_api_port: u16,
    problems: &mut Problems,
) -> Option<Destination> {
    let Some(given) = request.get("destination") else {
        return problems.refuse("destination is not provided");
    };
    let Value::Object(given) = given else {
        return problems.refuse("destination should be an object");
    };
    let destination = match given.get("protocol").map(Value::as_str) {
        None => return problems.refuse("protocol is not provided"),
        Some(Some("HTTP")) => http_destination(api, given, problems)?,
        Some(Some("TCP")) => Destination::Tcp { port: tcp_port(given, problems)? },
        Some(_) => return problems.refuse("protocol should be HTTP or TCP"),
    };
    let port = destination.port();
    if port == RESERVED_PORT || port == runtime_api_port {
        return problems.refuse(format_args!("port {port} is reserved"));
    }
    Some(destination)
}

fn tcp_port(given: &Map<String, Value>, problems: &mut Problems) -> Option<u16> {
    let Some(port) = given.get("port") else {
        return problems.refuse("port is not provided");
    };
    let port = port.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    port.or_else(|| problems.refuse("port should be between 1 and 65535"))
}

fn http_destination(
    api: SubscriptionApi,
    given: &Map<String, Value>,
    problems: &mut Problems,
) -> Option<Destination> {
    let Some(uri) = given.get("URI") else {
        return problems.refuse("URI is not provided");
    };
    let uri = uri.as_str().filter(|uri| uri.len() <= URI_BYTES_MAX);
    let Some(uri) = uri.and_then(|uri| uri.parse::<Uri>().ok()) else {
        return problems.refuse("URI is not valid");
    };
    if uri.scheme_str() != Some("http") {
        return problems.refuse("URI scheme should be http");
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    if !HOSTS.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        problems.note("URI host should be sandbox.localdomain");
    }
    if port.is_empty() {
        return problems.refuse("URI port is not provided");
    }
    let Some(port) = port.parse::<u16>().ok().filter(|port| *port > 0) else {
        return problems.refuse("URI port should be between 1 and 65535");
    };
    // Only the Logs API lets choose.
    let word = |name: &str| match api {
        SubscriptionApi::Telemetry => None,
        SubscriptionApi::Logs => given.get(name).map(Value::as_str),
    };
    let method = match word("method") {
        None | Some(Some("POST")) => Method::POST,
        Some(Some("PUT")) => Method::PUT,
        Some(_) => return problems.refuse("method should be POST or PUT"),
    };
    if !matches!(word("encoding"), None | Some(Some("JSON"))) {
        return problems.refuse("encoding should be JSON");
    }
    let Ok(host) = HeaderValue::try_from(format!("{host}:{port}")) else {
        return problems.refuse("URI is not valid");
    };
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Some(Destination::Http { port, host, path, method })
}

impl Destination {
    /// Returns on which port the extension listens.
    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Http { port, .. } | Self::Tcp { port } => *port,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn parse(api: SubscriptionApi, body: &Value) -> Result<Subscription, SubscriptionError> {
        Subscription::parse(api, body.to_string().as_bytes(), 40_123)
    }

    fn refused(api: SubscriptionApi, body: Value, expected: Expect) {
        expected.assert_eq(&parse(api, &body).unwrap_err().message);
    }

    fn whole() -> Value {
        json!({
            "schemaVersion": "2022-12-13",
            "types": ["platform", "function", "extension"],
            "buffering": { "maxItems": 1000, "maxBytes": 262_144, "timeoutMs": 100 },
            "destination": { "protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/path?q=1" },
        })
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut body = whole();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[name] = value;
        body
    }

    fn without(pointer: &str) -> Value {
        let mut body = whole();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        body
    }

    #[test]
    fn the_documented_request_is_taken() {
        let subscription = parse(SubscriptionApi::Telemetry, &whole()).unwrap();
        let all = TelemetryTypes { platform: true, function: true, extension: true };
        assert_eq!(subscription.types(), all);
        assert_eq!(subscription.schema, Schema::Telemetry20221213);
        let timeout = Duration::from_millis(100);
        assert_eq!(subscription.buffering, Buffering { items_max: 1_000, bytes_max: 262_144, timeout });
        let expected = Destination::Http {
            port: 8_080,
            host: HeaderValue::from_static("sandbox.localdomain:8080"),
            path: PathAndQuery::from_static("/path?q=1"),
            method: Method::POST,
        };
        assert_eq!(subscription.destination, expected);
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let subscription = parse(SubscriptionApi::Telemetry, &without("/buffering")).unwrap();
        let timeout = Duration::from_secs(1);
        assert_eq!(subscription.buffering, Buffering { items_max: 10_000, bytes_max: 262_144, timeout });

        let body = json!({
            "types": ["function"],
            "destination": { "protocol": "HTTP", "URI": "http://sandbox:8080", "method": "PUT", "encoding": "JSON" },
        });
        let subscription = parse(SubscriptionApi::Logs, &body).unwrap();
        assert_eq!(subscription.schema, Schema::Logs20200815);
        assert_eq!(subscription.api(), SubscriptionApi::Logs);
        let Destination::Http { method, path, .. } = subscription.destination else { panic!() };
        assert_eq!((method, path.as_str()), (Method::PUT, "/"));

        let body = with("/destination", json!({ "protocol": "TCP", "port": 9_000 }));
        let subscription = parse(SubscriptionApi::Telemetry, &body).unwrap();
        assert_eq!(subscription.destination, Destination::Tcp { port: 9_000 });
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let telemetry = |body, expected| refused(SubscriptionApi::Telemetry, body, expected);
        let mut two = with("/types", json!([]));
        two["destination"]["URI"] = json!("http://sandbox.localdomain");
        telemetry(two, expect!["URI port is not provided; types should not be empty"]);
        telemetry(
            json!({}),
            expect!["schemaVersion is not provided; destination is not provided; types is not provided"],
        );
        telemetry(
            with("/schemaVersion", json!("2021-03-18")),
            expect!["schemaVersion should be one of 2022-07-01, 2022-12-13, 2025-01-29"],
        );
        telemetry(
            with("/types", json!(["platform", "metrics"])),
            expect!["types should be a subset of platform, function, extension"],
        );
        telemetry(with("/types", json!("platform")), expect!["types should be an array"]);
        telemetry(
            with("/buffering", json!({ "maxItems": 999, "maxBytes": 1_048_577, "timeoutMs": 24.5 })),
            expect![
                "maxItems should be between 1000 and 10000; maxBytes should be between 262144 and 1048576; timeoutMs should be between 25 and 30000"
            ],
        );
        telemetry(with("/buffering", json!([])), expect!["buffering should be an object"]);
        telemetry(with("/destination", json!("x")), expect!["destination should be an object"]);
        telemetry(with("/destination", json!({})), expect!["protocol is not provided"]);
        telemetry(
            with("/destination", json!({ "protocol": "UDP" })),
            expect!["protocol should be HTTP or TCP"],
        );
        telemetry(without("/destination/URI"), expect!["URI is not provided"]);
    }

    #[test]
    fn destinations_are_ports_of_the_environment() {
        let http = |uri: &str, expected: Expect| {
            refused(SubscriptionApi::Telemetry, with("/destination/URI", json!(uri)), expected);
        };
        http("http://127.0.0.1:8080/", expect!["URI host should be sandbox.localdomain"]);
        http("http://user@sandbox.localdomain:80/", expect!["URI host should be sandbox.localdomain"]);
        http(
            "http://[::1]:80/",
            expect!["URI host should be sandbox.localdomain; URI port should be between 1 and 65535"],
        );
        http("https://sandbox.localdomain:8080/", expect!["URI scheme should be http"]);
        http("sandbox.localdomain:8080", expect!["URI scheme should be http"]);
        http("/path", expect!["URI scheme should be http"]);
        http("http://sandbox.localdomain:8080/\r\nX: y", expect!["URI is not valid"]);
        http("", expect!["URI is not valid"]);
        http(&format!("http://sandbox.localdomain:8080/{}", "x".repeat(2_048)), expect!["URI is not valid"]);
        http("http://sandbox.localdomain:/", expect!["URI port is not provided"]);
        http("http://sandbox.localdomain:0/", expect!["URI port should be between 1 and 65535"]);
        http("http://sandbox.localdomain:65536/", expect!["URI port should be between 1 and 65535"]);
        http("http://sandbox.localdomain:9001/", expect!["port 9001 is reserved"]);
        http("http://sandbox.localdomain:40123/", expect!["port 40123 is reserved"]);
        let tcp = |port: Value, expected: Expect| {
            let destination = json!({ "protocol": "TCP", "port": port });
            refused(SubscriptionApi::Telemetry, with("/destination", destination), expected);
        };
        tcp(json!(9_001), expect!["port 9001 is reserved"]);
        tcp(json!(0), expect!["port should be between 1 and 65535"]);
        tcp(json!(-1), expect!["port should be between 1 and 65535"]);
        tcp(json!("8080"), expect!["port should be between 1 and 65535"]);
        let destination = json!({ "protocol": "TCP" });
        refused(
            SubscriptionApi::Telemetry,
            with("/destination", destination),
            expect!["port is not provided"],
        );
    }

    #[test]
    fn the_logs_api_has_its_own_versions_and_words() {
        let logs = |pointer: &str, value: Value, expected: Expect| {
            let mut body = with(pointer, value);
            if pointer != "/schemaVersion" {
                body["schemaVersion"] = json!("2021-03-18");
            }
            refused(SubscriptionApi::Logs, body, expected);
        };
        logs(
            "/schemaVersion",
            json!("2022-12-13"),
            expect!["schemaVersion should be one of 2020-08-15, 2021-03-18"],
        );
        logs("/destination/method", json!("GET"), expect!["method should be POST or PUT"]);
        logs("/destination/encoding", json!("XML"), expect!["encoding should be JSON"]);
        let error = Subscription::parse(SubscriptionApi::Logs, b"{}", 1).unwrap_err();
        assert_eq!(error.error_type, "Logs.ValidationError");
        let error = Subscription::parse(SubscriptionApi::Telemetry, b"{}", 1).unwrap_err();
        assert_eq!(error.error_type, "ValidationError");
    }

    #[test]
    fn a_body_may_be_anything() {
        let whole = whole().to_string();
        let mut bodies: Vec<Vec<u8>> = (0..whole.len()).map(|end| whole.as_bytes()[..end].to_vec()).collect();
        bodies.extend([
            b"null".to_vec(),
            b"[]".to_vec(),
            b"\xff\xfe".to_vec(),
            "[".repeat(100_000).into_bytes(),
            "{\"types\":".repeat(10_000).into_bytes(),
            vec![b' '; BODY_BYTES_MAX + 1],
        ]);
        for body in bodies {
            let error = Subscription::parse(SubscriptionApi::Telemetry, &body, 1).unwrap_err();
            assert!(error.message.len() < 200, "{error}");
        }
    }
}
