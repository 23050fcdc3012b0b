//! What arrives at `/`: GetCallerIdentity of STS, and services that are none of ours. They have formats of their own.

use crate::refusal::unknown_operation;
use crate::support::Api;

#[tokio::test]
async fn a_request_without_an_operation_is_unknown() {
    let api = Api::start().await;
    for (method, path, body) in [
        ("POST", "/", &b""[..]),
        ("POST", "/", b"{}"),
        ("POST", "/", b"\xff\xfe"),
        ("POST", "/", b"Version=2011-06-15"),
        ("POST", "/", b"action=GetCallerIdentity"),
        ("GET", "/", b""),
        ("GET", "/?Version=2011-06-15", b""),
        ("PUT", "/?Action=GetCallerIdentity", b""),
        ("DELETE", "/", b""),
        ("PATCH", "/", b"Action=GetCallerIdentity"),
        ("OPTIONS", "/", b""),
    ] {
        unknown_operation().check(&format!("{method} {path}"), &api.send(method, path, &[], body).await);
    }
    let long = format!("Action=GetCallerIdentity&X={}", "x".repeat(65_536));
    unknown_operation().check("a long form", &api.send("POST", "/", &[], long.as_bytes()).await);
}

#[tokio::test]
async fn another_service_is_refused_in_the_shape_of_its_protocol() {
    let api = Api::start().await;
    for (headers, body, content_type, error_type) in [
        (
            &[("X-Amz-Target", "Logs_20140328.Nonsense")][..],
            "{}",
            "application/x-amz-json-1.1",
            "NotImplementedException",
        ),
        (&[("X-Amz-Target", "")], "{}", "application/x-amz-json-1.1", "NotImplementedException"),
        (&[("X-Amz-Target", "a\"b<c>")], "{}", "application/x-amz-json-1.1", "NotImplementedException"),
        (&[], "Action=ListRoles", "text/xml", "NotImplemented"),
        (&[], "Action=getcalleridentity", "text/xml", "NotImplemented"),
        (&[], "Action=", "text/xml", "NotImplemented"),
        (&[], "Action=%3C%2FMessage%3E", "text/xml", "NotImplemented"),
        (&[], "Action=%00%0D%0A", "text/xml", "NotImplemented"),
        (&[], "Action=AssumeRole&RoleArn=x", "text/xml", "NotImplemented"),
        (
            &[("Authorization", "AWS4-HMAC-SHA256 Credential=")],
            "Action=ListRoles",
            "text/xml",
            "NotImplemented",
        ),
    ] {
        let answer = api.send("POST", "/", headers, body.as_bytes()).await;
        let seen = (answer.status, answer.header("content-type"), answer.header("x-amzn-errortype"));
        assert_eq!(seen, (501, Some(content_type), Some(error_type)), "{headers:?} {body}");
        assert!(answer.header("x-amzn-requestid").is_some(), "{headers:?} {body}");
        assert!(
            !answer.text().contains("</Message></Message>") && !answer.text().contains("b<c>"),
            "{}",
            answer.text()
        );
    }
}
