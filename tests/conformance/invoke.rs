//! The Invoke API as a caller sees it: names, payloads, headers, and what is refused.

use expect_test::expect;
use hearth_tests::{Call, Function, Server, needs_node, node, python};
use serde_json::json;

const ECHO: &str = "
def handler(event, context):
    return {'event': event, 'arn': context.invoked_function_arn}
";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:echo";

#[test]
fn a_function_is_found_by_name_and_by_partial_and_full_arn_with_and_without_qualifier() {
    let server = Server::start();
    let function = server.create(python("echo", ECHO));
    let qualified = format!("{ARN}:$LATEST");
    for (reference, query, arn) in [
        ("echo", "", ARN),
        ("echo:$LATEST", "", &qualified),
        ("echo", "Qualifier=%24LATEST", &qualified),
        ("echo:$LATEST", "Qualifier=$LATEST", &qualified),
        ("function:echo", "", ARN),
        ("000000000000:function:echo", "", ARN),
        ("000000000000:function:echo:$LATEST", "", &qualified),
        (ARN, "", ARN),
        (&qualified, "", &qualified),
    ] {
        let answer = function.call(&Call { reference, query, payload: b"{}", ..Call::default() });
        assert_eq!(answer.status(), 200, "{reference}?{query}: {}", answer.text());
        assert_eq!(answer.success()["arn"], *arn, "{reference}?{query}");
        assert_eq!(answer.0.header("X-Amz-Executed-Version"), Some("$LATEST"));
    }
}

#[test]
fn what_cannot_be_found_or_understood_is_refused_in_the_words_of_aws() {
    let server = Server::start();
    let function = server.create(python("echo", ECHO));
    let mut seen = String::new();
    for (reference, query, payload) in [
        ("nope", "", &b"{}"[..]),
        ("nope", "Qualifier=$LATEST", b"{}"),
        ("echo", "Qualifier=42", b"{}"),
        ("echo:42", "", b"{}"),
        ("echo:$LATEST", "Qualifier=42", b"{}"),
        ("arn:aws:lambda:ap-southeast-1:000000000000:function:echo", "", b"{}"),
        ("echo", "", b"xyz"),
        ("echo", "", b"{\"open\": "),
    ] {
        let answer = function.call(&Call { reference, query, payload, ..Call::default() });
        let (kind, status, message) = answer.exception();
        seen.push_str(&format!("{reference}?{query}: {status} {kind}: {}\n", message.replace('\n', "↵")));
    }
    expect![[r#"
        nope?: 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nope
        nope?Qualifier=$LATEST: 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nope:$LATEST
        echo?Qualifier=42: 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:echo:42
        echo:42?: 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:echo:42
        echo:$LATEST?Qualifier=42: 400 InvalidParameterValueException: The derived qualifier from the function name does not match the specified qualifier.
        arn:aws:lambda:ap-southeast-1:000000000000:function:echo?: 404 ResourceNotFoundException: Functions from 'ap-southeast-1' are not reachable in this region ('us-east-1')
        echo?: 400 InvalidRequestContentException: Could not parse request body into json: Could not parse payload into json: Unexpected character ('x' (code 120)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')↵ at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1]
        echo?: 400 InvalidRequestContentException: Could not parse request body into json: Could not parse payload into json: Unexpected end-of-input↵ at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 9]
    "#]]
    .assert_eq(&seen);
}

#[test]
fn no_payload_reaches_the_handler_as_an_empty_object_and_any_json_as_it_is() {
    let server = Server::start();
    let function = server.create(python("echo", ECHO));
    assert_eq!(function.invoke("").success()["event"], json!({}));
    for payload in ["null", "7", "\"text\"", "[1, 2]", r#"{"a": {"b": "ü😀\n"}}"#] {
        let event: serde_json::Value = serde_json::from_str(payload).unwrap();
        assert_eq!(function.invoke(payload).success()["event"], event);
    }
}

#[test]
fn a_request_over_six_megabytes_is_refused_and_one_of_exactly_that_size_is_not() {
    let server = Server::start();
    let function =
        server.create(python("length", "def handler(event, context): return len(event)\n").timeout(30));
    let payload = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert_eq!(function.invoke(payload(6_291_456)).success(), 6_291_454);
    let refused = function.call(&Call { payload: payload(6_291_457).as_bytes(), ..Call::default() });
    let (kind, status, _) = refused.exception();
    assert_eq!((kind.as_str(), status), ("RequestTooLargeException", 413));
}

#[test]
fn a_dry_run_answers_204_and_runs_nothing() {
    let server = Server::start();
    let function = server.create(python("echo", ECHO));
    let dry_run = [("X-Amz-Invocation-Type", "DryRun")];
    let answer = function.call(&Call { headers: &dry_run, payload: b"{}", ..Call::default() });
    assert_eq!((answer.status(), answer.text().as_str()), (204, ""));
    let missing = function.call(&Call { reference: "nope", headers: &dry_run, ..Call::default() });
    assert_eq!(missing.exception().1, 404);
    assert!(function.environments().is_empty());
}

/// Base64 of `{"custom":{"tenant":"blue"},"client":{"app_title":"shop"}}`.
const CLIENT_CONTEXT: &str =
    "eyJjdXN0b20iOnsidGVuYW50IjoiYmx1ZSJ9LCJjbGllbnQiOnsiYXBwX3RpdGxlIjoic2hvcCJ9fQ==";

fn with_client_context(function: &Function<'_>) -> serde_json::Value {
    let headers = [("X-Amz-Client-Context", CLIENT_CONTEXT)];
    let answer = function.call(&Call { headers: &headers, payload: b"{}", ..Call::default() });
    answer.success()
}

#[test]
fn the_client_context_reaches_a_python_handler() {
    let server = Server::start();
    let source = "
def handler(event, context):
    if context.client_context is None:
        return None
    return [context.client_context.custom, context.client_context.client.app_title]
";
    let function = server.create(python("context", source));
    assert_eq!(with_client_context(&function), json!([{ "tenant": "blue" }, "shop"]));
    assert_eq!(function.invoke("{}").success(), json!(null), "it belongs to one call");
}

#[test]
fn the_client_context_reaches_a_node_handler() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    let source = "export const handler = async (event, context) => context.clientContext ?? null;\n";
    let function = server.create(node("context", source));
    assert_eq!(
        with_client_context(&function),
        json!({ "custom": { "tenant": "blue" }, "client": { "app_title": "shop" } })
    );
    assert_eq!(function.invoke("{}").success(), json!(null), "it belongs to one call");
}

#[test]
fn a_call_to_a_function_that_is_still_pending_waits_for_it() {
    let server = Server::start();
    let new = python("echo", ECHO);
    let created = server.http("POST", "/2015-03-31/functions", new.body().to_string().as_bytes());
    assert_eq!(created.json()["State"], "Pending");
    assert_eq!(server.function("echo").invoke("{}").success()["arn"], ARN);
}

#[test]
fn the_context_has_its_documented_members() {
    let server = Server::start();
    let source = "
def handler(event, context):
    return {
        'function_name': context.function_name,
        'function_version': context.function_version,
        'memory_limit_in_mb': context.memory_limit_in_mb,
        'log_group_name': context.log_group_name,
        'log_stream_name': context.log_stream_name,
        'aws_request_id': context.aws_request_id,
        'remaining': context.get_remaining_time_in_millis(),
    }
";
    let function = server.create(python("context", source).timeout(20).with("MemorySize", 256));
    let answer = function.invoke("{}");
    let mut context = answer.success();
    let remaining = context["remaining"].take().as_u64().unwrap();
    assert!((10_000..=20_000).contains(&remaining), "{remaining} ms");
    let events = function.logs_with_reports(1);
    assert_eq!(
        context,
        json!({
            "function_name": "context",
            "function_version": "$LATEST",
            "memory_limit_in_mb": "256",
            "log_group_name": "/aws/lambda/context",
            "log_stream_name": events[0].log_stream,
            "aws_request_id": answer.request_id(),
            "remaining": null,
        })
    );
}
