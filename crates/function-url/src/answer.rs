//! From what a function answers to an HTTP response: payload format 2.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hearth_aws_wire::{Body, Response};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::refusal;

/// Names that belong to the connection or to us. A function that sets one finds it again with a prefix, as on AWS.
const REMAPPED: &[&str] = &[
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-authenticate",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-amzn-requestid",
    "x-amzn-trace-id",
];

/// Status, headers and cookies, as a function says them.
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

/// Makes the response of a buffered payload. With a `statusCode` it says what the response is; anything else is the body.
pub(crate) fn of_payload(payload: &Bytes) -> Response {
    let (members, whole) = match serde_json::from_slice(payload) {
        Ok(Value::Object(members)) if members.contains_key("statusCode") => (members, None),
        // A text is sent without its quotes.
        Ok(Value::String(text)) => (Map::new(), Some(Bytes::from(text))),
        Ok(_) | Err(_) => (Map::new(), Some(payload.clone())),
    };
    if let Some(whole) = whole {
        let mut response = http::Response::new(Body::new(whole));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return response;
    }
    match (head(&members), body(&members)) {
        (Some(mut head), Some(body)) => {
            head.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            with(head, Body::new(body))
        }
        _ => refusal::bad_gateway(),
    }
}

/// Makes the response of bytes that say nothing of themselves.
pub(crate) fn of_bytes(bytes: Bytes) -> Response {
    let mut response = http::Response::new(Body::new(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response
}

/// Puts a response together.
pub(crate) fn with(head: Head, body: Body) -> Response {
    let mut response = http::Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    response
}

/// Reads status, headers and cookies. `None`: they make no response.
pub(crate) fn head(members: &Map<String, Value>) -> Option<Head> {
    let status = match members.get("statusCode") {
        None => StatusCode::OK,
        Some(code) => {
            let code = u16::try_from(code.as_u64()?).ok()?;
            // 1xx are no answers.
            StatusCode::from_u16(code).ok().filter(|status| (200..600).contains(&status.as_u16()))?
        }
    };
    let mut headers = HeaderMap::new();
    match members.get("headers") {
        None | Some(Value::Null) => {}
        Some(Value::Object(given)) => {
            for (name, value) in given {
                let value = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(_) | Value::Bool(_) => value.to_string(),
                    Value::Null => continue,
                    Value::Array(_) | Value::Object(_) => return None,
                };
                let name = name.to_ascii_lowercase();
                let name = match REMAPPED.contains(&name.as_str()) {
                    true => format!("x-amzn-remapped-{name}"),
                    false => name,
                };
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                headers.append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
            }
        }
        Some(_) => return None,
    }
    match members.get("cookies") {
        None | Some(Value::Null) => {}
        Some(Value::Array(cookies)) => {
            for cookie in cookies {
                headers.append(SET_COOKIE, HeaderValue::from_bytes(cookie.as_str()?.as_bytes()).ok()?);
            }
        }
        Some(_) => return None,
    }
    Some(Head { status, headers })
}

fn body(members: &Map<String, Value>) -> Option<Bytes> {
    let text = match members.get("body") {
        None | Some(Value::Null) => return Some(Bytes::new()),
        Some(Value::String(text)) => text,
        Some(_) => return None,
    };
    match members.get("isBase64Encoded") {
        Some(Value::Bool(true)) => STANDARD.decode(text).ok().map(Bytes::from),
        _ => Some(Bytes::from(text.clone())),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use http_body_util::BodyExt as _;

    use super::*;

    async fn check(payload: &'static str, expected: Expect) {
        let response = of_payload(&Bytes::from_static(payload.as_bytes()));
        let mut shown = format!("{}\n", response.status().as_u16());
        for (name, value) in response.headers() {
            shown += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
        }
        let body = response.into_body().collect().await.unwrap().to_bytes();
        shown += &String::from_utf8_lossy(&body);
        expected.assert_eq(&shown);
    }

    #[tokio::test]
    async fn a_payload_with_a_status_code_is_the_response() {
        check(
            r#"{"statusCode":201,"headers":{"Content-Type":"text/plain","X-N":1,"Connection":"close"},"cookies":["a=1; Secure","b=2"],"multiValueHeaders":{"x":["1"]},"body":"aGk=","isBase64Encoded":true}"#,
            expect![[r#"
                201
                x-amzn-remapped-connection: close
                content-type: text/plain
                x-n: 1
                set-cookie: a=1; Secure
                set-cookie: b=2
                hi"#]],
        )
        .await;
    }

    #[tokio::test]
    async fn any_other_payload_is_the_body() {
        for (payload, body) in [
            (r#""hello""#, "hello"),
            (r#"{"a": 1}"#, r#"{"a": 1}"#),
            ("null", "null"),
            ("no json", "no json"),
        ] {
            let response = of_payload(&Bytes::from_static(payload.as_bytes()));
            assert_eq!(
                (response.status().as_u16(), &response.headers()[CONTENT_TYPE]),
                (200, &HeaderValue::from_static("application/json"))
            );
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body);
        }
    }

    #[tokio::test]
    async fn what_makes_no_response_is_502() {
        for payload in [
            r#"{"statusCode":"200"}"#,
            r#"{"statusCode":200.5}"#,
            r#"{"statusCode":99}"#,
            r#"{"statusCode":101}"#,
            r#"{"statusCode":600}"#,
            r#"{"statusCode":null}"#,
            r#"{"statusCode":200,"headers":[]}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
            r#"{"statusCode":200,"headers":{"a":"c\r\nd: e"}}"#,
            r#"{"statusCode":200,"headers":{"a":{}}}"#,
            r#"{"statusCode":200,"cookies":"a=1"}"#,
            r#"{"statusCode":200,"cookies":["a\nb"]}"#,
            r#"{"statusCode":200,"body":{}}"#,
            r#"{"statusCode":200,"body":"%","isBase64Encoded":true}"#,
        ] {
            assert_eq!(of_payload(&Bytes::from_static(payload.as_bytes())).status(), 502, "{payload}");
        }
    }
}
