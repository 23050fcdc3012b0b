//! Invoke: the function must not run.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::refusal::*;
use crate::support::Api;
use crate::{FUNCTIONS, NAMESPACED, QUALIFIER};

const INVOKE: &str = "/2015-03-31/functions/f/invocations";

#[tokio::test]
async fn case_004_011_012_a_name_that_is_wrong_or_not_ours_runs_nothing() {
    let api = Api::start().await.with_function().await;
    let unlike = |name: &str| broken(name, "functionName", pattern(NAMESPACED));
    for (name, query, refusal) in [
        ("g", "", function_not_found("g")),
        // Only who asks for it is answered with it.
        ("g", "?Qualifier=$LATEST", function_not_found("g:$LATEST")),
        ("f", "?Qualifier=42", function_not_found("f:42")),
        ("f:live", "", function_not_found("f:live")),
        ("f", "?Qualifier=$LATEST.PUBLISHED", function_not_found("f:$LATEST.PUBLISHED")),
        ("a.b", "", function_not_found("a.b")),
        ("a%20b", "", unlike("a b")),
        ("a%2Fb", "", unlike("a/b")),
        ("f%3A", "", unlike("f:")),
        ("%C3%A4", "", unlike("ä")),
        (
            "",
            "",
            validation(&[
                item("", "functionName", length_at_least(1)),
                item("", "functionName", pattern(NAMESPACED)),
            ]),
        ),
        ("f", "?Qualifier=a%20b", broken("a b", "qualifier", pattern(QUALIFIER))),
        ("f", "?Qualifier=%FF", unreadable("The value of Qualifier in the query is not UTF-8")),
        (
            "f:$LATEST",
            "?Qualifier=42",
            invalid_parameter(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ),
        ),
        ("arn:aws:lambda:ap-southeast-1:000000000000:function:f", "", unreachable_region("ap-southeast-1")),
        ("123456789012:function:f", "", denied("InvokeFunction")),
        ("moon:000000000000:function:f", "", unlike("moon:000000000000:function:f")),
    ] {
        let path = format!("{FUNCTIONS}/{name}/invocations{query}");
        refusal.check(&path, &api.send("POST", &path, &[], b"{}").await);
    }
    let long = |length: usize| format!("{FUNCTIONS}/{}/invocations", "x".repeat(length));
    function_not_found(&"x".repeat(65)).check("65", &api.send("POST", &long(65), &[], b"{}").await);
    broken(&"x".repeat(257), "functionName", length_at_most(256))
        .check("257", &api.send("POST", &long(257), &[], b"{}").await);
    assert_eq!(api.runs(), 0);
}

#[tokio::test]
async fn case_036_wrong_headers_run_nothing() {
    let api = Api::start().await.with_function().await;
    let long = "x".repeat(3_584);
    // The texts about the client context are Hearth's: AWS's are not recorded.
    let bad_context = || invalid_content("Client context must be a valid Base64-encoded JSON object.");
    let another_type =
        |value: &str| broken(value, "invocationType", one_of("Event, RequestResponse, DryRun"));
    for (name, value, refusal) in [
        ("X-Amz-Invocation-Type", "Tail", another_type("Tail")),
        ("X-Amz-Invocation-Type", "requestresponse", another_type("requestresponse")),
        ("X-Amz-Invocation-Type", "", another_type("")),
        ("X-Amz-Log-Type", "Head", broken("Head", "logType", one_of("None, Tail"))),
        ("X-Amz-Log-Type", "tail", broken("tail", "logType", one_of("None, Tail"))),
        ("X-Amz-Client-Context", "%", bad_context()),
        ("X-Amz-Client-Context", "bm8ganNvbg==", bad_context()),
        ("X-Amz-Client-Context", "/w==", bad_context()),
        ("X-Amz-Client-Context", &long, invalid_content("Client context must be no more than 3583 bytes.")),
        ("X-Amz-Tenant-Id", "blue", unsupported("TenantId")),
        ("X-Amz-Tenant-Id", "b!", broken("b!", "tenantId", pattern(r"[a-zA-Z0-9\._:\/=+\-@ ]+"))),
        (
            "X-Amz-Durable-Execution-Name",
            "e",
            invalid_parameter("You cannot name a durable execution of a function that is not durable."),
        ),
        (
            "X-Amz-Durable-Execution-Name",
            "e f",
            broken("e f", "durableExecutionName", pattern("[a-zA-Z0-9-_]+")),
        ),
        ("Content-Type", "application/xml", media_type("application/xml")),
        ("Content-Type", "text/html; charset=utf-8", media_type("text/html; charset=utf-8")),
        ("Content-Type", "multipart/form-data; boundary=x", media_type("multipart/form-data; boundary=x")),
        ("Content-Type", "image/png", media_type("image/png")),
    ] {
        refusal.check(&format!("{name}: {value}"), &api.send("POST", INVOKE, &[(name, value)], b"{}").await);
    }
    let both = [("X-Amz-Invocation-Type", "Tail"), ("X-Amz-Log-Type", "Head")];
    validation(&[
        item("Tail", "invocationType", one_of("Event, RequestResponse, DryRun")),
        item("Head", "logType", one_of("None, Tail")),
    ])
    .check("both", &api.send("POST", INVOKE, &both, b"{}").await);
    assert_eq!(api.runs(), 0);

    // What is as large as it may be runs, and so does all that real clients call a payload.
    let longest = STANDARD.encode(format!("\"{}\"", "x".repeat(2_683)));
    assert_eq!(longest.len(), 3_580, "base64 comes in fours");
    assert_eq!(api.send("POST", INVOKE, &[("X-Amz-Client-Context", &longest)], b"{}").await.status, 200);
    for content_type in [
        "application/json",
        "application/json; charset=utf-8",
        "application/octet-stream",
        "binary/octet-stream",
        "application/x-www-form-urlencoded",
        "application/x-amz-json-1.0",
        "application/cloudevents+json",
        "text/plain",
        "",
        "rubbish",
    ] {
        let answer = api.send("POST", INVOKE, &[("Content-Type", content_type)], b"{}").await;
        assert_eq!(answer.status, 200, "{content_type}: {}", answer.text());
    }
}

#[tokio::test]
async fn case_035_a_payload_that_is_no_json_runs_nothing() {
    let api = Api::start().await.with_function().await;
    let head = "Could not parse request body into json: Could not parse payload into json: ";
    let refused = |reason: &str| invalid_content(&format!("{head}{reason}")).and_so_on();
    for (payload, refusal) in [
        (&b"xyz"[..], refused("Unexpected character ('x' (code 120))")),
        (b"{\"open\": ", refused("Unexpected end-of-input")),
        (b"{} {}", refused("Unexpected character ('{' (code 123))")),
        (b"{'a': 1}", refused("Unexpected character (''' (code 39))")),
        (b"NaN", refused("Unexpected character ('N' (code 78))")),
        (b" ", refused("Unexpected end-of-input")),
        (b"\xff", refused("Invalid UTF-8 start byte 0xff")),
        (b"\"\xc3\"", refused("Invalid UTF-8 middle byte 0x22")),
        (b"\xef\xbb\xbf{}", refused("Unexpected character")),
        (b"{\"a\":1,}", refused("Unexpected character ('}' (code 125))")),
        (b"01", refused("")),
        (b"\"\n\"", refused("")),
    ] {
        let what = String::from_utf8_lossy(payload);
        refusal.check(&what, &api.send("POST", INVOKE, &[], payload).await);
        // A dry run looks at it, too.
        let dry = api.send("POST", INVOKE, &[("X-Amz-Invocation-Type", "DryRun")], payload).await;
        refusal.check(&format!("{what}, dry"), &dry);
    }
    assert_eq!(api.runs(), 0);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let answer = api.send("POST", INVOKE, &[("X-Amz-Invocation-Type", "DryRun")], deep.as_bytes()).await;
    assert_eq!(answer.status, 204, "depth is a matter of the runtime: {}", answer.text());
}

#[tokio::test]
async fn case_034_a_payload_beyond_its_limit_runs_nothing() {
    let api = Api::start().await.with_function().await;
    let payload = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let sync =
        "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)";
    let large = payload(6_291_457);
    payload_too_large(sync).check("sync", &api.send("POST", INVOKE, &[], large.as_bytes()).await);
    let event = [("X-Amz-Invocation-Type", "Event")];
    let asynchronous =
        "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)";
    let large = payload(1_048_577);
    payload_too_large(asynchronous).check("async", &api.send("POST", INVOKE, &event, large.as_bytes()).await);
    let no_json = api.send("POST", INVOKE, &event, b"{").await;
    assert!(no_json.outcome().starts_with("400 InvalidRequestContentException: "), "{}", no_json.outcome());
    let unknown = format!("{FUNCTIONS}/g/invocations");
    let unknown = api.send("POST", &unknown, &event, b"{}").await;
    assert_eq!(
        unknown.outcome(),
        "404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:g"
    );
    // What is wrong outside the payload is said first, and after all of it was read.
    let elsewhere = format!("{FUNCTIONS}/a%20b/invocations");
    broken("a b", "functionName", pattern(NAMESPACED))
        .check("both", &api.send("POST", &elsewhere, &[], payload(6_291_457).as_bytes()).await);
    assert_eq!(api.runs(), 0);
}

#[tokio::test]
async fn the_deprecated_way_to_send_an_event_checks_what_invoke_checks() {
    let api = Api::start().await.with_function().await;
    let path = |name: &str| format!("/2014-11-13/functions/{name}/invoke-async/");
    let large = format!("\"{}\"", "x".repeat(1_048_575));
    let send = async |name: &str, body: &str| api.send("POST", &path(name), &[], body.as_bytes()).await;
    function_not_found("g").check("unknown", &send("g", "{}").await);
    broken("a b", "functionName", pattern(NAMESPACED)).check("name", &send("a%20b", "{}").await);
    payload_too_large(
        "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
    )
    .check("large", &send("f", &large).await);
    assert!(send("f", "{").await.outcome().starts_with("400 InvalidRequestContentException: "));
    assert_eq!(api.runs(), 0);
    let answer = send("f", "{}").await;
    assert_eq!((answer.status, answer.text()), (202, "{\"Status\":202}"));
}
