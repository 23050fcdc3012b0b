//! Paths and methods that are none.

use crate::refusal::*;
use crate::support::Api;

#[tokio::test]
async fn case_002_an_unknown_path_is_404_and_a_wrong_method_405() {
    let api = Api::start().await.with_function().await;
    for path in [
        "/bucket/key",
        "/2015-03-31",
        "/2015-03-31/functions/f/unknown",
        "/2015-03-31/functions/f/invocations/more",
        "/2015-03-30/functions/f",
        "/2015-03-31/functions/f/code/%2e%2e/configuration",
        "/2015-03-31/functions/../functions",
        "//2015-03-31/functions",
        "/2015-03-31/Functions",
        "/latest/meta-data/",
        "/%00",
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"] {
            unknown_operation().check(&format!("{method} {path}"), &api.send(method, path, &[], b"").await);
        }
    }
    for (method, path) in
        [("GET", "/2015-03-31/functions/%ff"), ("POST", "/2015-03-31/functions/%ff/invocations")]
    {
        unknown_operation().check(path, &api.send(method, path, &[], b"").await);
    }
    for (method, path, allow) in [
        ("PATCH", "/2015-03-31/functions/f", "DELETE, GET"),
        ("POST", "/2015-03-31/functions/f", "DELETE, GET"),
        ("OPTIONS", "/2015-03-31/functions/f", "DELETE, GET"),
        ("PUT", "/2015-03-31/functions", "GET, POST"),
        ("DELETE", "/2015-03-31/functions/", "GET, POST"),
        ("GET", "/2015-03-31/functions/f/invocations", "POST"),
        ("PUT", "/2015-03-31/functions/f/invocations", "POST"),
        ("GET", "/2015-03-31/functions/f/code", "PUT"),
        ("POST", "/2015-03-31/functions/f/configuration", "GET, PUT"),
        ("BREW", "/2015-03-31/functions/f/configuration", "GET, PUT"),
        ("TRACE", "/2015-03-31/functions/f/configuration", "GET, PUT"),
    ] {
        let answer = api.send(method, path, &[], b"").await;
        wrong_method().check(&format!("{method} {path}"), &answer);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    // The same head, and never a body.
    let head = api.send("HEAD", "/2015-03-31/functions/f", &[], b"").await;
    assert_eq!((head.status, head.text()), (405, ""));
    assert_eq!(head.header("x-amzn-errortype"), Some("MethodNotAllowedException"));
    assert!(head.header("x-amzn-requestid").is_some());
    assert_eq!(api.get("/2015-03-31/functions/f").await.status, 200);
}

#[tokio::test]
async fn an_operation_that_is_not_there_yet_is_named_whatever_it_was_sent() {
    let api = Api::start().await.with_function().await;
    for (method, path, operation) in [
        ("GET", "/2025-11-30/capacity-providers/", "ListCapacityProviders"),
        ("GET", "/2025-11-30/functions/f/function-scaling-config", "GetFunctionScalingConfig"),
        ("DELETE", "/2025-11-30/capacity-providers/x/", "DeleteCapacityProvider"),
        ("PUT", "/2025-11-30/functions/a%20b/function-scaling-config", "PutFunctionScalingConfig"),
    ] {
        for body in [&b""[..], b"{}", b"xyz", b"\xff"] {
            not_implemented(operation).check(path, &api.send(method, path, &[], body).await);
        }
    }
}
