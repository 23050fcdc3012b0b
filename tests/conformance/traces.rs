//! Traces: what a collector that reads OpenTelemetry's own messages gets of invocations, and what functions are told.

use std::net::TcpListener;
use std::time::Duration;

use hearth_tests::{Call, Collector, Function, Server, Settings, eventually, python, scripted};
use serde_json::{Value, json};

const ROOT: &str = "1-5bef4de7-ad49b0e87f6ef6c87fc2e7";
const PARENT: &str = "9a9197af755a6419";

/// Answers with the trace header that it was told; does what its event says.
const SOURCE: &str = "
import os
def handler(event, context):
    if event.get('do') == 'raise': raise ValueError('mine')
    if event.get('do') == 'crash': os._exit(3)
    return os.environ.get('_X_AMZN_TRACE_ID')
";

fn server(collector: &Collector) -> Server {
    Settings::new().arguments(&["--otlp-endpoint", &collector.url()]).start()
}

/// Calls with a trace header; returns the id of the request and what the function was told.
fn call(function: &Function<'_>, header: &str, payload: &Value) -> (String, String) {
    let named = [("X-Amzn-Trace-Id", header)];
    let headers: &[(&str, &str)] = if header.is_empty() { &[] } else { &named };
    let payload = payload.to_string();
    let answer = function.call(&Call { headers, payload: payload.as_bytes(), ..Call::default() });
    assert_eq!(answer.status(), 200, "{}", answer.text());
    (answer.request_id(), answer.text().trim_matches('"').to_owned())
}

/// The header of a trace of its own: `number` is its end.
fn header(number: u8, rest: &str) -> String {
    format!("Root={ROOT}{number:02x};{rest}")
}

/// Names the spans of a trace, each below its parent, and checks that it lies within that.
fn tree(trace: &[Value]) -> Vec<String> {
    let root = &trace[0];
    trace[1..]
        .iter()
        .map(|span| {
            let parent = trace.iter().find(|one| one["span_id"] == span["parent_span_id"]).unwrap();
            let times = |span: &Value| (span["start"].as_u64().unwrap(), span["end"].as_u64().unwrap());
            let ((start, end), (first, last)) = (times(span), times(root));
            assert!(first <= start && start <= end && end <= last, "{span} in {root}");
            assert_eq!(
                (span["kind"].as_str(), span["flags"].as_u64()),
                (Some("SPAN_KIND_INTERNAL"), Some(1))
            );
            let name = span["name"].as_str().unwrap();
            if parent == root {
                name.to_owned()
            } else {
                format!("{} > {name}", parent["name"].as_str().unwrap())
            }
        })
        .collect()
}

#[test]
fn an_invocation_is_one_trace_of_what_it_waited_for_what_it_did_and_what_came_after() {
    let collector = Collector::start();
    let server = server(&collector);
    let agent = scripted(&json!([{ "register": ["INVOKE", "SHUTDOWN"] }, { "events": true }]));
    let layer = server.publish_extensions(&[("agent", agent)]);
    let function = server.create(python("traced", SOURCE).whole_cpu().with("Layers", json!([layer])));

    let cold = header(1, &format!("Parent={PARENT};Sampled=1"));
    let (request_id, told) = call(&function, &cold, &json!({}));
    assert!(
        told.starts_with(&cold),
        "a function that passes it through is told what the caller said: {told}"
    );
    let trace = collector.trace_of(&request_id);
    let mut names = tree(&trace);
    names.sort();
    // The runtime may be ready later than the extension, or earlier.
    names.retain(|name| name != "extension-wait" && name != "extension-overhead");
    let init = ["extension agent", "extension-init", "extension-init agent", "function-init"];
    let rest = ["invoke", "invoke > response", "queueing", "runtime-init"];
    assert_eq!(names, [init, rest].concat());
    let root = &trace[0];
    assert_eq!(root["name"], "traced");
    assert_eq!(root["kind"], "SPAN_KIND_SERVER");
    assert_eq!(root["trace_id"], format!("{ROOT}01").replace('-', "")[1..]);
    assert_eq!((root["parent_span_id"].as_str(), root["status"].as_u64()), (Some(PARENT), Some(0)));
    let resource = &root["resource"];
    for (name, value) in [
        ("service.name", "traced"),
        ("faas.version", "$LATEST"),
        ("cloud.provider", "aws"),
        ("cloud.platform", "aws_lambda"),
        ("cloud.resource_id", "arn:aws:lambda:us-east-1:000000000000:function:traced:$LATEST"),
    ] {
        assert_eq!(resource[name], value, "{name}");
    }
    assert_eq!(resource["faas.max_memory"], 1_769 << 20);
    assert_eq!(resource["aws.log.group.names"], json!(["/aws/lambda/traced"]));
    let attributes = &root["attributes"];
    assert_eq!(
        (&attributes["faas.coldstart"], &attributes["hearth.why_cold"]),
        (&json!(true), &json!("first-invocation"))
    );

    let (request_id, _) = call(&function, &header(2, "Sampled=1"), &json!({}));
    let trace = collector.trace_of(&request_id);
    let mut names = tree(&trace);
    names.sort();
    names.retain(|name| name != "extension-overhead" && name != "queueing");
    assert_eq!(names, ["extension agent", "invoke", "invoke > response"], "a warm one has no Init");
    assert_eq!(trace[0]["attributes"]["faas.coldstart"], json!(false));
    assert_eq!(trace[0]["parent_span_id"], "", "its caller has named no span");

    for (do_what, error_type, number) in [("raise", "Runtime.Unknown", 3), ("crash", "Runtime.ExitError", 4)]
    {
        let (request_id, _) = call(&function, &header(number, "Sampled=1"), &json!({ "do": do_what }));
        let trace = collector.trace_of(&request_id);
        let root = &trace[0];
        assert_eq!((root["status"].as_u64(), root["message"].as_str()), (Some(2), Some(error_type)));
        assert_eq!(root["attributes"]["error.type"], error_type);
        let invoke = trace.iter().find(|span| span["name"] == "invoke").unwrap();
        assert_eq!(invoke["status"], 2);
    }
    // The reset begins a new Init, which this one waits for.
    let (request_id, _) = call(&function, &header(5, "Sampled=1"), &json!({}));
    let names = tree(&collector.trace_of(&request_id));
    assert!(names.iter().any(|name| name == "function-init"), "{names:?}");
}

#[test]
fn what_an_active_function_traces_goes_below_its_invocation_and_lambda_samples_for_it() {
    let collector = Collector::start();
    let server = server(&collector);
    let active = json!({ "Mode": "Active" });
    let function = server.create(python("active", SOURCE).with("TracingConfig", active));
    let caller = header(1, &format!("Parent={PARENT};Sampled=1"));
    let (request_id, told) = call(&function, &caller, &json!({}));
    let root = &collector.trace_of(&request_id)[0];
    let span_id = root["span_id"].as_str().unwrap();
    assert!(told.starts_with(&caller.replace(PARENT, span_id)), "{told}");
    assert_eq!(root["parent_span_id"], PARENT);

    // Nobody has decided: the first of a second is kept.
    let (request_id, told) = call(&function, "", &json!({}));
    let root = &collector.trace_of(&request_id)[0];
    assert!(told.contains(&format!("Parent={};Sampled=1", root["span_id"].as_str().unwrap())), "{told}");
    assert_eq!(root["parent_span_id"], "");
    // Of many in a row, some are not.
    let skipped = eventually("a trace is not kept", || {
        let (request_id, told) = call(&function, "", &json!({}));
        told.contains("Sampled=0").then_some(request_id)
    });
    let (last, _) = call(&function, &header(9, "Sampled=1"), &json!({}));
    collector.trace_of(&last);
    let is_of_skipped = |span: &Value| span["attributes"]["faas.invocation_id"] == skipped.as_str();
    assert!(!collector.spans().iter().any(is_of_skipped));
}

#[test]
fn a_caller_decides_and_traces_that_are_passed_through_are_kept_by_a_setting() {
    let collector = Collector::start();
    let all = server(&collector);
    let arguments = ["--otlp-endpoint", &collector.url(), "--otlp-pass-through", "none"];
    let none = Settings::new().arguments(&arguments).start();
    let (in_all, in_none) = (all.create(python("all", SOURCE)), none.create(python("none", SOURCE)));
    let (declined, told) = call(&in_all, &header(1, "Sampled=0"), &json!({}));
    assert!(told.contains("Sampled=0"), "{told}");
    let (kept, told) = call(&in_all, "", &json!({}));
    assert!(told.contains("Sampled=1"), "{told}");
    let (not_asked, told) = call(&in_none, "", &json!({}));
    assert!(told.contains("Sampled=0"), "{told}");
    let (asked, _) = call(&in_none, &header(2, "Sampled=1"), &json!({}));
    collector.trace_of(&kept);
    collector.trace_of(&asked);
    let ids: Vec<Value> =
        collector.spans().iter().map(|span| span["attributes"]["faas.invocation_id"].clone()).collect();
    assert!(!ids.contains(&declined.into()) && !ids.contains(&not_asked.into()), "{ids:?}");
}

#[test]
fn an_asynchronous_event_is_a_trace_too_under_the_id_that_its_caller_was_told() {
    let collector = Collector::start();
    let server = server(&collector);
    let function = server.create(python("event", SOURCE));
    let headers = [("X-Amz-Invocation-Type", "Event")];
    let answer = function.call(&Call { headers: &headers, payload: b"{}", ..Call::default() });
    assert_eq!(answer.status(), 202);
    let told = answer.0.header("x-amzn-trace-id").unwrap().to_owned();
    let trace = collector.trace_of(&answer.request_id());
    let id = trace[0]["trace_id"].as_str().unwrap();
    assert!(told.starts_with(&format!("Root=1-{}-{}", &id[..8], &id[8..])), "{told} and {id}");
    assert_eq!(trace[0]["parent_span_id"], "");
}

#[test]
fn a_collector_that_is_away_delays_no_call_and_gets_the_traces_when_it_is_back() {
    // Nobody listens there until the end of the test.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Settings::new().arguments(&["--otlp-endpoint", &format!("http://127.0.0.1:{port}")]).start();
    let function = server.create(python("patient", SOURCE));
    let ids: Vec<String> = (0..20).map(|_| call(&function, "", &json!({})).0).collect();
    let collector = Collector::start_at(port);
    for id in &ids {
        collector.trace_of(id);
    }
    // One that is overloaded is asked again; one that says no is not, and the log says so.
    collector.answer_next_with(&[503, 429]);
    let (retried, _) = call(&function, "", &json!({}));
    collector.trace_of(&retried);
    collector.answer_next_with(&[400]);
    call(&function, "", &json!({}));
    eventually("the log tells of dropped spans", || {
        server.stderr().contains("the collector of traces does not take all spans").then_some(())
    });
    assert!(server.stderr().contains("it answers 400"), "{}", server.stderr());
    // The last ones are sent when the server ends.
    let (last, _) = call(&function, "", &json!({}));
    server.stop();
    collector.trace_of(&last);
}

#[test]
fn a_collector_that_never_answers_neither_delays_calls_nor_the_end_of_the_server() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let server = Settings::new().arguments(&["--otlp-endpoint", &url]).start();
    let function = server.create(python("unheard", SOURCE));
    for _ in 0..50 {
        call(&function, "", &json!({}));
    }
    let (_connection, _) = silent.accept().unwrap();
    let begun = std::time::Instant::now();
    server.stop();
    assert!(begun.elapsed() < Duration::from_secs(60), "it waits a few seconds at most");
}

#[test]
fn opentelemetrys_own_variables_name_the_collector_and_its_headers() {
    let collector = Collector::start();
    let server = Settings::new()
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("{}/otlp/", collector.url()))
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=a%20key,x-team=blue")
        .start();
    let function = server.create(python("standard", SOURCE));
    let (request_id, _) = call(&function, "", &json!({}));
    collector.trace_of(&request_id);
    let request = &collector.requests()[0];
    assert_eq!(request["path"], "/otlp/v1/traces");
    assert_eq!((request["x-api-key"].as_str(), request["x-team"].as_str()), (Some("a key"), Some("blue")));
}
