//! From an HTTP request to the event: payload format 2.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hearth_aws_wire::query_pairs;
use hearth_types::Region;
use http::header::{CONTENT_TYPE, COOKIE, HOST, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};

use crate::{Call, Signer, TRACE_ID};

/// Makes the event of a request.
pub(crate) fn of(
    call: &Call,
    region: &Region,
    signer: Option<&Signer<'_>>,
    head: &Parts,
    body: &Bytes,
) -> Bytes {
    let headers = &head.headers;
    let id = &call.address.id;
    let source_ip =
        call.source.map_or_else(|| "127.0.0.1".to_owned(), |source| source.ip().to_canonical().to_string());
    let user_agent = headers.get(USER_AGENT).map(text);
    let host = headers.get(HOST).map(text).unwrap_or_default();
    // A client that comes by the path has another host.
    let domain = match host.contains(".lambda-url.") {
        true => host.rsplit_once(':').map_or(host.clone(), |(domain, _)| domain.to_owned()),
        false => format!("{id}.lambda-url.{region}.localhost"),
    };
    let query = head.uri.query().unwrap_or("");
    let time = jiff::Timestamp::from_millisecond(call.epoch_ms).unwrap_or_default();
    let mut http = json!({
        "method": head.method.as_str(),
        "path": call.address.path,
        "protocol": "HTTP/1.1",
        "sourceIp": source_ip,
    });
    if let Some(user_agent) = user_agent {
        http["userAgent"] = user_agent.into();
    }
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": call.address.path,
        "rawQueryString": query,
        "headers": shown_headers(call, headers, &source_ip, &host),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": id,
            "domainName": domain,
            "domainPrefix": id,
            "http": http,
            "requestId": call.request_id.to_string(),
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": call.epoch_ms,
        },
        "isBase64Encoded": false,
    });
    if let Some(Signer { credential, account }) = signer {
        let caller = &credential.identity.caller;
        event["requestContext"]["accountId"] = account.as_str().into();
        event["requestContext"]["authorizer"] = json!({
            "iam": {
                "accessKey": credential.access_key_id,
                "accountId": account.as_str(),
                "callerId": caller.user_id,
                "cognitoIdentity": null,
                "principalOrgId": credential.identity.organization_id,
                "userArn": caller.arn,
                "userId": caller.user_id,
            },
        });
    }
    let cookies = cookies(headers);
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    let parameters = joined(query_pairs(query));
    if !parameters.is_empty() {
        event["queryStringParameters"] = parameters.into();
    }
    if !body.is_empty() {
        let as_text = is_text(headers.get(CONTENT_TYPE)).then(|| std::str::from_utf8(body).ok()).flatten();
        event["isBase64Encoded"] = as_text.is_none().into();
        event["body"] = as_text.map_or_else(|| STANDARD.encode(body), str::to_owned).into();
    }
    Bytes::from(event.to_string())
}

/// What belongs to the connection, and not to the function.
const OF_THE_CONNECTION: &[&str] =
    &["connection", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// Headers as the function sees them: names in small letters, repeated ones joined, cookies elsewhere; and what AWS's
/// front adds to them.
fn shown_headers(call: &Call, headers: &HeaderMap, source_ip: &str, host: &str) -> Map<String, Value> {
    let pairs =
        headers.iter().filter(|(name, _)| *name != COOKIE && !OF_THE_CONNECTION.contains(&name.as_str()));
    let mut shown = joined(pairs.map(|(name, value)| (name.as_str().to_owned(), text(value))));
    let forwarded = shown.get("x-forwarded-for").and_then(Value::as_str);
    let forwarded = forwarded.map_or(source_ip.to_owned(), |before| format!("{before}, {source_ip}"));
    let port = host.rsplit_once(':').map_or("80", |(_, port)| port);
    for (name, value) in [
        ("x-forwarded-for", forwarded.as_str()),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", port),
        (TRACE_ID.as_str(), call.trace.as_str()),
    ] {
        shown.insert(name.to_owned(), value.into());
    }
    shown
}

/// A header's value as text. Bytes that are none are read one by one, so that none is lost.
fn text(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().map(|&byte| char::from(byte)).collect(),
    }
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let all = headers.get_all(COOKIE).iter().map(text);
    let each = |cookies: String| {
        let cookies: Vec<String> = cookies.split(';').map(|cookie| cookie.trim().to_owned()).collect();
        cookies
    };
    all.flat_map(each).filter(|cookie| !cookie.is_empty()).collect()
}

/// Joins the values of repeated names with commas.
fn joined(pairs: impl IntoIterator<Item = (String, String)>) -> Map<String, Value> {
    let mut joined = Map::new();
    for (name, value) in pairs {
        match joined.get_mut(&name) {
            Some(Value::String(before)) => {
                before.push(',');
                before.push_str(&value);
            }
            _ => drop(joined.insert(name, value.into())),
        }
    }
    joined
}

/// Whether a body of this type is handed on as text; all else goes as base64, forms too, as on AWS.
fn is_text(content_type: Option<&HeaderValue>) -> bool {
    let Some(content_type) = content_type.and_then(|value| value.to_str().ok()) else { return false };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some((kind, format)) = essence.split_once('/') else { return false };
    match (kind, format) {
        ("text", _) => true,
        ("application", "json" | "xml" | "javascript" | "graphql") => true,
        (_, format) => format.ends_with("+json") || format.ends_with("+xml"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use hearth_types::{RequestId, TraceHeader};
    use http::Request;

    use super::*;
    use crate::Address;

    fn check(request: http::request::Builder, path: &str, body: &'static [u8], expected: Expect) {
        let (head, ()) = request.body(()).unwrap().into_parts();
        let call = Call {
            address: Address { id: "abc".to_owned(), path: path.to_owned() },
            source: Some("[::ffff:1.2.3.4]:5".parse().unwrap()),
            request_id: RequestId::parse("8476a536-e9f4-41e8-9739-2dfe598c3fcd").unwrap(),
            trace: TraceHeader::from_caller("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0").unwrap(),
            epoch_ms: 1_583_348_638_390,
        };
        let event = of(&call, &Region::new("us-east-1").unwrap(), None, &head, &Bytes::from_static(body));
        let event: Value = serde_json::from_slice(&event).unwrap();
        expected.assert_eq(&format!("{event:#}\n"));
    }

    #[test]
    fn a_request_is_an_event_of_payload_format_2() {
        let request = Request::builder()
            .method("POST")
            .uri("/p%20/a?k=1&k=2&e&s=a+b%2f")
            .header("Host", "abc.lambda-url.us-east-1.localhost:4566")
            .header("User-Agent", "test")
            .header("Content-Type", "application/json; charset=utf-8")
            .header("Cookie", "a=1; b=2")
            .header("X-Twice", "1")
            .header("X-Twice", "2");
        check(
            request,
            "/p%20/a",
            b"{\"x\":1}",
            expect![[r#"
            {
              "body": "{\"x\":1}",
              "cookies": [
                "a=1",
                "b=2"
              ],
              "headers": {
                "content-type": "application/json; charset=utf-8",
                "host": "abc.lambda-url.us-east-1.localhost:4566",
                "user-agent": "test",
                "x-amzn-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
                "x-forwarded-for": "1.2.3.4",
                "x-forwarded-port": "4566",
                "x-forwarded-proto": "http",
                "x-twice": "1,2"
              },
              "isBase64Encoded": false,
              "queryStringParameters": {
                "e": "",
                "k": "1,2",
                "s": "a b/"
              },
              "rawPath": "/p%20/a",
              "rawQueryString": "k=1&k=2&e&s=a+b%2f",
              "requestContext": {
                "accountId": "anonymous",
                "apiId": "abc",
                "domainName": "abc.lambda-url.us-east-1.localhost",
                "domainPrefix": "abc",
                "http": {
                  "method": "POST",
                  "path": "/p%20/a",
                  "protocol": "HTTP/1.1",
                  "sourceIp": "1.2.3.4",
                  "userAgent": "test"
                },
                "requestId": "8476a536-e9f4-41e8-9739-2dfe598c3fcd",
                "routeKey": "$default",
                "stage": "$default",
                "time": "04/Mar/2020:19:03:58 +0000",
                "timeEpoch": 1583348638390
              },
              "routeKey": "$default",
              "version": "2.0"
            }
        "#]],
        );
    }

    #[test]
    fn what_is_no_text_goes_as_base64() {
        for (content_type, is_base64) in [
            (Some("text/html"), false),
            (Some("application/ld+json"), false),
            (Some("APPLICATION/XML"), false),
            (Some("application/x-www-form-urlencoded"), true),
            (Some("multipart/form-data; boundary=x"), true),
            (Some("application/octet-stream"), true),
            (Some("nonsense"), true),
            (None, true),
        ] {
            let value = content_type.map(|value| HeaderValue::from_str(value).unwrap());
            assert_eq!(!is_text(value.as_ref()), is_base64, "{content_type:?}");
        }
    }
}
