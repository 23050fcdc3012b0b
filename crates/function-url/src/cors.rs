//! What browsers on other origins are told.

use hearth_aws_wire::{Body, Response};
use hearth_functions::Cors;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Answers a preflight in the function's place. Without the headers, for an origin that is not allowed, a browser goes no
/// further.
pub(crate) fn preflight(cors: &Cors, origin: &HeaderValue) -> Response {
    let mut response = http::Response::new(Body::default());
    let headers = response.headers_mut();
    add(cors, Some(origin), headers);
    headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
    if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        set_list(headers, ACCESS_CONTROL_ALLOW_METHODS, cors.allow_methods.as_deref());
        set_list(headers, ACCESS_CONTROL_ALLOW_HEADERS, cors.allow_headers.as_deref());
        if let Some(seconds) = cors.max_age_seconds {
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
        }
    }
    response
}

/// Adds to a response what a browser has to know. It counts more than what the function says of it.
pub(crate) fn add(cors: &Cors, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    for name in [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS]
    {
        headers.remove(name);
    }
    let Some(origin) = origin else { return };
    let allowed = cors.allow_origins.as_deref().unwrap_or_default();
    let any = allowed.iter().any(|allowed| allowed == "*");
    if !any && !allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
        return;
    }
    let with_credentials = cors.allow_credentials == Some(true);
    // Browsers take no `*` together with credentials.
    let shown = if any && !with_credentials { HeaderValue::from_static("*") } else { origin.clone() };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, shown);
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if with_credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    set_list(headers, ACCESS_CONTROL_EXPOSE_HEADERS, cors.expose_headers.as_deref());
}

fn set_list(headers: &mut HeaderMap, name: HeaderName, values: Option<&[String]>) {
    let Some(values) = values.filter(|values| !values.is_empty()) else { return };
    // The model lets no control characters pass.
    if let Ok(value) = HeaderValue::from_str(&values.join(",")) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn list(values: &[&str]) -> Option<Vec<String>> {
        Some(values.iter().map(|&value| value.to_owned()).collect())
    }

    fn check(cors: &Cors, origin: &'static str, expected: Expect) {
        let mut headers = preflight(cors, &HeaderValue::from_static(origin)).headers().clone();
        let mut shown = String::new();
        for (name, value) in &headers {
            shown += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://of.the.function"));
        add(cors, Some(&HeaderValue::from_static(origin)), &mut headers);
        shown += "--\n";
        for (name, value) in &headers {
            shown += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_listed_origin_is_let_in_and_another_one_is_not() {
        let cors = Cors {
            allow_credentials: Some(true),
            allow_headers: list(&["x-a", "x-b"]),
            allow_methods: list(&["GET", "PUT"]),
            allow_origins: list(&["https://a.example", "https://b.example"]),
            expose_headers: list(&["x-c"]),
            max_age_seconds: Some(60),
        };
        check(
            &cors,
            "https://b.example",
            expect![[r#"
                access-control-allow-origin: https://b.example
                vary: Origin
                access-control-allow-credentials: true
                access-control-allow-methods: GET,PUT
                access-control-allow-headers: x-a,x-b
                access-control-max-age: 60
                --
                access-control-allow-origin: https://b.example
                vary: Origin
                access-control-allow-credentials: true
                access-control-expose-headers: x-c
            "#]],
        );
        check(&cors, "https://evil.example", expect![["--\n"]]);
    }

    #[test]
    fn any_origin_is_a_star_unless_credentials_go_along() {
        let cors = Cors { allow_origins: list(&["*"]), ..Cors::default() };
        check(
            &cors,
            "https://a.example",
            expect![[r#"
                access-control-allow-origin: *
                vary: Origin
                --
                access-control-allow-origin: *
                vary: Origin
            "#]],
        );
    }
}
