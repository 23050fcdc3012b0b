//! Functions that call themselves: the lineage in the trace header, and where a loop ends.

use hearth_tests::{Answer, Call, Function, NewFunction, Server, Settings, begin_http, eventually, python};
use serde_json::{Value, json};

/// Answers with the trace that it is part of.
const TRACED: &str = "
import os
def handler(event, context): return os.environ['_X_AMZN_TRACE_ID']
";

fn call_with(function: &Function<'_>, trace: &str) -> Answer {
    let headers = &[("X-Amzn-Trace-Id", trace)];
    function.call(&Call { headers, payload: b"{}", ..Call::default() })
}

/// A function that sends the requests of its event to Hearth from inside.
fn asking(name: &str) -> NewFunction {
    let source = include_str!("own_api/app.py").to_owned()
        + "

import json

plain = handler


def handler(event, context):
    if 'loop' not in event: return plain(event, context)
    print('SAW', event['loop'])
    body = json.dumps({**event, 'loop': event['loop'] + 1})
    path = '/2015-03-31/functions/' + context.function_name + '/invocations'
    headers = {'X-Amzn-Trace-Id': os.environ['_X_AMZN_TRACE_ID']}
    headers.update(event.get('headers', {}))
    request = {'method': 'POST', 'path': path, 'body': body, 'headers': headers}
    return plain([request], context)
";
    python(name, &source).timeout(60)
}

#[test]
fn case_047_the_seventeenth_call_of_a_chain_is_refused_unless_loops_are_allowed() {
    let server = Server::start();
    let function = server.create(python("loops", TRACED));
    let other = server.create(python("other", TRACED));
    let mut trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0".to_owned();
    for number in 1..=16 {
        let answer = call_with(&function, &trace);
        assert_eq!(answer.status(), 200, "call {number}: {}", answer.text());
        trace = answer.json().as_str().unwrap().to_owned();
        assert!(trace.ends_with(&format!(":{number}")), "{trace}");
    }
    let (exception, status, message) = call_with(&function, &trace).exception();
    assert_eq!((exception.as_str(), status), ("RecursiveInvocationException", 400), "{message}");
    assert!(message.contains("function:loops has called itself 16 times"), "{message}");

    // However it is called.
    let config = br#"{"AuthType":"NONE"}"#;
    let url = server.http("POST", "/2021-10-31/functions/loops/url", config).json()["FunctionUrl"].clone();
    let url = url.as_str().unwrap().strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    for (host, path) in
        [("localhost", "/2021-11-15/functions/loops/response-streaming-invocations"), (&*url, "/")]
    {
        let headers = &[("X-Amzn-Trace-Id", &*trace)];
        let mut answer = begin_http(server.address(), host, "POST", path, headers, b"{}");
        let text = answer.text();
        assert_eq!(answer.status, 400, "{path}: {text}");
        assert!(text.contains("function:loops has called itself 16 times"), "{path}: {text}");
    }

    // Others go on, in the same chain and outside of it.
    assert_eq!(call_with(&other, &trace).status(), 200);
    assert_eq!(function.invoke("{}").status(), 200);

    let path = "/2024-08-31/functions/loops/recursion-config";
    assert_eq!(server.http("PUT", path, b"{\"RecursiveLoop\":\"Allow\"}").status, 200);
    assert_eq!(call_with(&function, &trace).status(), 200);
    assert!(server.stop().contains("a recursive loop was stopped"));
}

#[test]
fn case_047_a_function_that_calls_itself_from_inside_is_stopped_and_others_are_served() {
    let server = Settings::new().without_walls().start();
    let function = server.create(asking("itself"));
    let other = server.create(python("other", TRACED));
    let answer = function.invoke("{\"loop\":1}");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert!(answer.text().contains("RecursiveInvocationException"), "{}", answer.text());
    let saw =
        function.logs_until("sixteen runs", |events| hearth_tests::lines_of(events, "SAW ").len() >= 16);
    assert_eq!(hearth_tests::lines_of(&saw, "SAW ").len(), 16);
    assert_eq!(other.invoke("{}").status(), 200);
}

#[test]
fn case_047_a_loop_that_hides_where_it_comes_from_ends_at_its_concurrency_and_others_are_served() {
    let server = Settings::new().without_walls().start();
    let function = server.create(asking("hides"));
    let other = server.create(python("other", TRACED));
    let path = "/2017-10-31/functions/hides/concurrency";
    assert_eq!(server.http("PUT", path, b"{\"ReservedConcurrentExecutions\":5}").status, 200);
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let event = json!({ "loop": 1, "headers": { "X-Amzn-Trace-Id": trace } });
    let answer = function.invoke(event.to_string());
    assert!(answer.text().contains("ReservedFunctionConcurrentInvocationLimitExceeded"), "{}", answer.text());
    let events = function.logs_with_reports(5);
    assert_eq!(hearth_tests::lines_of(&events, "SAW ").len(), 5);
    assert_eq!(other.invoke("{}").status(), 200);
    // Nothing of it is left: it can do that again.
    function.wait_until_all_are_ready();
    assert_eq!(function.invoke(event.to_string()).status(), 200);
    assert_eq!(function.environments().len(), 5);
}

#[test]
fn case_047_a_loop_through_destinations_ends_and_its_last_event_is_counted() {
    let server = Server::start();
    let ping = server.create(python("ping", "def handler(event, context): print('SAW ping')\n"));
    server.create(python("pong", "def handler(event, context): print('SAW pong')\n"));
    for (source, target) in [("ping", "pong"), ("pong", "ping")] {
        let target = format!("arn:aws:lambda:us-east-1:000000000000:function:{target}");
        let config = json!({ "DestinationConfig": { "OnSuccess": { "Destination": target } } });
        let path = format!("/2019-09-25/functions/{source}/event-invoke-config");
        assert_eq!(server.http("PUT", &path, config.to_string().as_bytes()).status, 200);
    }
    let headers = &[("X-Amz-Invocation-Type", "Event")];
    assert_eq!(ping.call(&Call { headers, payload: b"{}", ..Call::default() }).status(), 202);
    let ended = json!({ "queued": 0, "deliveries": 0, "dropped": { "RecursiveInvocation": 1 } });
    let counts: Value = eventually("the loop has ended", || {
        let counts = server.hearth("events");
        (counts == ended).then_some(counts)
    });
    assert_eq!(counts, ended);
    for name in ["ping", "pong"] {
        let function = server.function(name);
        let what = "sixteen runs";
        let saw = function.logs_until(what, |events| hearth_tests::lines_of(events, "SAW ").len() >= 16);
        assert_eq!(hearth_tests::lines_of(&saw, "SAW ").len(), 16, "{name}");
    }
}
