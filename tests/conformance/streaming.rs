//! Response streaming: bytes reach the caller while the function still works, and a stream that breaks off says so.

use std::thread;

use expect_test::expect;
use hearth_tests::{
    Finished, Folder, Function, Gate, NODE_WAIT, NewFunction, Server, Streamed, begin_http, eventually,
    needs_node, node, reports, run_node, run_python, streaming_bootstrap,
};
use serde_json::{Value, json};

/// A function that streams what each event tells it to.
fn streaming(name: &str) -> NewFunction {
    streaming_bootstrap(name).timeout(60)
}

/// Begins a call by InvokeWithResponseStream.
fn begin(function: &Function<'_>, headers: &[(&str, &str)], event: &Value) -> Streamed {
    let path = format!("/2021-11-15/functions/{}/response-streaming-invocations", function.name());
    let body = event.to_string();
    let answer =
        begin_http(function.server().address(), "localhost", "POST", &path, headers, body.as_bytes());
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/vnd.amazon.eventstream"));
    answer
}

/// Calls it and returns the text that came, and what `InvokeComplete` says.
fn call(function: &Function<'_>, event: &Value) -> (String, Value) {
    let (payload, complete) = begin(function, &[], event).messages();
    (String::from_utf8(payload).unwrap(), complete)
}

fn steps(steps: Value) -> Value {
    json!({ "steps": steps })
}

#[test]
fn the_first_byte_is_there_before_the_last_is_produced() {
    let server = Server::start();
    let function = server.create(streaming("first"));
    let gate = Gate::new();
    let event = json!({ "steps": [["say", "first"], ["wait", gate.number()], ["say", "last"]], "type": "text/plain" });
    let mut answer = begin(&function, &[("X-Amz-Log-Type", "Tail")], &event);
    assert_eq!(answer.header("x-amzn-remapped-content-type"), Some("text/plain"));
    assert_eq!(answer.header("x-amz-executed-version"), Some("$LATEST"));
    let first = answer.message().unwrap();
    assert_eq!((first.event_type.as_str(), &first.payload[..]), ("PayloadChunk", &b"first"[..]));
    gate.wait_for(1);
    gate.open();
    let (payload, complete) = answer.messages();
    assert_eq!(payload, b"last");
    assert_eq!(complete["ErrorCode"], Value::Null);
    let log = complete["LogResult"].as_str().unwrap();
    let log = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, log).unwrap();
    let log = String::from_utf8(log).unwrap();
    assert!(log.contains("\nSTART RequestId: ") && log.contains("\nREPORT RequestId: "), "{log}");
}

#[test]
fn case_046_a_stream_that_breaks_off_ends_with_its_error_and_never_as_a_success() {
    let server = Server::start();
    let function = server.create(streaming("broken").timeout(2));
    let report = json!({ "errorMessage": "no more", "errorType": "Function.Gone" });
    let mut seen = String::new();
    // What is heard first of a crash is a matter of microseconds: the response, the end of its connection, or that of the
    // process.
    for event in [steps(json!([["say", "half"], ["exit", 3]])), steps(json!([["exit", 3]]))] {
        let (_, complete) = call(&function, &event);
        let code = complete["ErrorCode"].as_str().unwrap();
        assert!(
            ["Runtime.TruncatedResponse", "Runtime.ExitError", "Unhandled"].contains(&code),
            "{complete}"
        );
        function.wait_until_all_are_ready();
    }
    for event in [
        steps(json!([["say", "half"], ["fail", "Function.Gone", report]])),
        steps(json!([["fail", "Function.Gone", report]])),
        json!({ "error": report }),
        steps(json!([["say", "half"], ["break"]])),
        steps(json!([["say", "half"], ["sleep", 60]])),
        steps(json!([["sleep", 60]])),
        steps(json!([["say", "whole"]])),
        steps(json!([])),
    ] {
        let (text, complete) = call(&function, &event);
        let code = complete["ErrorCode"].as_str().unwrap_or("-");
        let details = complete["ErrorDetails"].as_str().unwrap_or("-");
        let details = match details.split_once("RequestId: ") {
            Some((before, after)) => format!("{before}RequestId: <id>{}", &after[36..]),
            None => details.to_owned(),
        };
        seen.push_str(&format!("{event}: {text:?} {code} {details}\n"));
        function.wait_until_all_are_ready();
    }
    expect![[r#"
        {"steps":[["say","half"],["fail","Function.Gone",{"errorMessage":"no more","errorType":"Function.Gone"}]]}: "half" Function.Gone {"errorMessage": "no more", "errorType": "Function.Gone"}
        {"steps":[["fail","Function.Gone",{"errorMessage":"no more","errorType":"Function.Gone"}]]}: "" Function.Gone {"errorMessage": "no more", "errorType": "Function.Gone"}
        {"error":{"errorMessage":"no more","errorType":"Function.Gone"}}: "" Unhandled {"errorMessage": "no more", "errorType": "Function.Gone"}
        {"steps":[["say","half"],["break"]]}: "half" Runtime.TruncatedResponse {"errorType":"Runtime.TruncatedResponse","errorMessage":"RequestId: <id> Error: Response was truncated"}
        {"steps":[["say","half"],["sleep",60]]}: "half" Sandbox.Timedout {"errorType":"Sandbox.Timedout","errorMessage":"RequestId: <id> Error: Task timed out after 2.00 seconds"}
        {"steps":[["sleep",60]]}: "" Sandbox.Timedout {"errorType":"Sandbox.Timedout","errorMessage":"RequestId: <id> Error: Task timed out after 2.00 seconds"}
        {"steps":[["say","whole"]]}: "whole" - -
        {"steps":[]}: "" - -
    "#]].assert_eq(&seen);
}

#[test]
fn invoke_collects_a_stream_and_its_error() {
    let server = Server::start();
    let function = server.create(streaming("collected"));
    let answer = function.invoke(steps(json!([["say", "\"one "], ["say", "two\""]])).to_string());
    assert_eq!(answer.success(), "one two");
    let report = json!({ "errorMessage": "no more", "errorType": "Function.Gone" });
    let answer =
        function.invoke(steps(json!([["say", "one"], ["fail", "Function.Gone", report]])).to_string());
    assert_eq!(serde_json::from_str::<Value>(&answer.function_error()).unwrap(), report);
    // Six megabytes are for those who do not stream.
    let answer = function.invoke(steps(json!([["flood", 7]])).to_string());
    assert!(answer.function_error().contains("Function.ResponseSizeTooLarge"), "{}", answer.text());
    assert_eq!(function.environments().len(), 1);
}

#[test]
fn a_function_that_does_not_stream_answers_in_one_chunk() {
    let server = Server::start();
    let source =
        "def handler(event, context):\n    if event: raise ValueError('no')\n    return {'whole': 1}\n";
    let function = server.create(hearth_tests::python("whole", source));
    assert_eq!(call(&function, &json!({})), ("{\"whole\": 1}".to_owned(), json!({})));
    let (text, complete) = call(&function, &json!({ "fail": true }));
    assert_eq!((text.as_str(), &complete["ErrorCode"]), ("", &json!("Unhandled")));
    let details: Value = serde_json::from_str(complete["ErrorDetails"].as_str().unwrap()).unwrap();
    assert_eq!((&details["errorType"], &details["errorMessage"]), (&json!("ValueError"), &json!("no")));
}

#[test]
fn a_stream_is_cut_at_200_megabytes_and_the_environment_goes_on() {
    let server = Server::start();
    let function = server.create(streaming("endless").timeout(300));
    let pid = call(&function, &steps(json!([["who"]]))).0;
    let before = server.resident_kib();
    let mut answer = begin(&function, &[], &steps(json!([["flood", 202]])));
    let mut bytes = 0;
    let complete = loop {
        let message = answer.message().unwrap();
        match message.event_type.as_str() {
            "PayloadChunk" => bytes += message.payload.len(),
            _ => break message,
        }
    };
    assert_eq!(bytes, 209_715_200);
    expect![[r#"{"ErrorCode":"Function.ResponseSizeTooLarge","ErrorDetails":"{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size (209715200 bytes).\",\"errorType\":\"Function.ResponseSizeTooLarge\"}"}"#]]
        .assert_eq(&String::from_utf8(complete.payload).unwrap());
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 48 * 1_024, "{grown} KiB");
    let (seen, _) = call(&function, &steps(json!([["who"], ["say", " "], ["last"]])));
    assert_eq!(seen, format!("{pid} HTTP/1.1 413 Payload Too Large"));
}

#[test]
fn a_hundred_megabytes_go_through_a_server_that_grows_by_less_than_32() {
    let server = Server::start();
    let function = server.create(streaming("large").timeout(300));
    call(&function, &steps(json!([["who"]])));
    let before = server.resident_kib();
    let mut answer = begin(&function, &[], &steps(json!([["flood", 100]])));
    let (mut bytes, mut looked_at, mut most) = (0, 0, before);
    let complete = loop {
        let message = answer.message().unwrap();
        if message.event_type == "InvokeComplete" {
            break message;
        }
        assert!(message.payload.iter().all(|&byte| byte == b'x'));
        bytes += message.payload.len();
        if bytes >= looked_at + (1 << 20) {
            (looked_at, most) = (bytes, most.max(server.resident_kib()));
        }
    };
    assert_eq!((bytes, &complete.payload[..]), (100 << 20, &b"{}"[..]));
    let grown = most - before;
    eprintln!("grown by {grown} KiB");
    assert!(grown < 32 * 1_024, "{grown} KiB");
}

#[test]
fn a_slow_reader_makes_the_function_wait_and_not_the_server_grow() {
    let server = Server::start();
    let function = server.create(streaming("patient").timeout(300));
    call(&function, &steps(json!([["who"]])));
    let before = server.resident_kib();
    let gate = Gate::new();
    let mut answer = begin(&function, &[], &steps(json!([["flood", 128, gate.number()]])));
    // It comes to the gate when it cannot send more.
    gate.wait_for(1);
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 32 * 1_024, "{grown} KiB");
    gate.open();
    let (payload, complete) = answer.messages();
    assert_eq!((payload.len(), complete), (128 << 20, json!({})));
}

#[test]
fn a_caller_that_hangs_up_in_the_middle_leaves_a_call_that_ends() {
    let server = Server::start();
    let function = server.create(streaming("left"));
    let pid = call(&function, &steps(json!([["who"]]))).0;
    for _ in 0..5 {
        function.wait_until_all_are_ready();
        let gate = Gate::new();
        let event = steps(json!([["say", "a"], ["wait", gate.number()], ["flood", 8]]));
        let mut answer = begin(&function, &[], &event);
        assert_eq!(answer.message().unwrap().payload, b"a");
        gate.wait_for(1);
        drop(answer);
        gate.open();
    }
    function.wait_until_all_are_ready();
    eventually("the environment is free", || {
        let (seen, _) = call(&function, &steps(json!([["who"], ["last"]])));
        assert_eq!(seen, format!("{pid}HTTP/1.1 202 Accepted"));
        Some(())
    });
    let logs = function.logs_with_reports(7);
    assert!(reports(&logs).iter().all(|report| !report.contains("Status: ")), "each ended normally");
}

#[test]
fn what_is_wrong_with_a_call_is_an_http_error_as_with_invoke() {
    let server = Server::start();
    server.create(streaming("strict"));
    let path = |name: &str| format!("/2021-11-15/functions/{name}/response-streaming-invocations");
    let mut seen = String::new();
    for (name, headers, body) in [
        ("nope", &[][..], "{}"),
        ("strict", &[], "xyz"),
        ("strict?Qualifier=42", &[], "{}"),
        ("strict", &[("X-Amz-Invocation-Type", "Event")], "{}"),
        ("strict", &[("X-Amz-Log-Type", "Head")], "{}"),
        ("strict", &[("X-Amz-Client-Context", "%")], "{}"),
        ("strict", &[("X-Amz-Invocation-Type", "DryRun")], "{}"),
    ] {
        let (name, query) =
            name.split_once('?').map_or((name, String::new()), |(name, query)| (name, format!("?{query}")));
        let path = path(name) + &query;
        let mut answer = begin_http(server.address(), "localhost", "POST", &path, headers, body.as_bytes());
        let text = answer.text();
        let kind = answer.header("x-amzn-errortype").unwrap_or("-").to_owned();
        let text: String = text.chars().take(120).collect();
        seen.push_str(&format!("{name}{query} {headers:?} {body}: {} {kind} {text}\n", answer.status));
    }
    let big = vec![b' '; 6_291_457];
    let answer = begin_http(server.address(), "localhost", "POST", &path("strict"), &[], &big);
    seen.push_str(&format!("6291457 bytes: {}\n", answer.status));
    expect![[r#"
        nope [] {}: 404 ResourceNotFoundException {"Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:nope","Type":"User"}
        strict [] xyz: 400 InvalidRequestContentException {"Type":"User","message":"Could not parse request body into json: Could not parse payload into json: Unexpected characte
        strict?Qualifier=42 [] {}: 404 ResourceNotFoundException {"Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:strict:42","Type":"User"}
        strict [("X-Amz-Invocation-Type", "Event")] {}: 400 ValidationException {"message":"1 validation error detected: Value 'Event' at 'invocationType' failed to satisfy constraint: Member must sat
        strict [("X-Amz-Log-Type", "Head")] {}: 400 ValidationException {"message":"1 validation error detected: Value 'Head' at 'logType' failed to satisfy constraint: Member must satisfy enu
        strict [("X-Amz-Client-Context", "%")] {}: 400 InvalidRequestContentException {"Type":"User","message":"Client context must be a valid Base64-encoded JSON object."}
        strict [("X-Amz-Invocation-Type", "DryRun")] {}: 204 - 
        6291457 bytes: 413
    "#]].assert_eq(&seen);
}

const NODE_SOURCE: &str = "
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.http) {
    stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'X-A': 'b' }, cookies: ['c=d'] });
  }
  if (event.early) throw new TypeError('early');
  stream.write('first;');
  if (event.gate) await waitAt(event.gate);
  if (event.late) throw new TypeError('late');
  stream.end('last');
});
";

#[test]
fn a_slow_reader_makes_a_node_function_wait_too() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    let source = format!(
        "{NODE_WAIT}
import {{ once }} from 'node:events';
export const handler = awslambda.streamifyResponse(async (event, stream) => {{
  for (let sent = 0; sent < 128; sent++) {{
    if (stream.write(Buffer.alloc(1 << 20, 'x'))) continue;
    const slow = setTimeout(() => waitAt(event.gate), 500);
    await once(stream, 'drain');
    clearTimeout(slow);
  }}
  stream.end(String(process.memoryUsage().rss >> 20));
}});
"
    );
    let function = server.create(node("waits", &source).timeout(60).with("MemorySize", 512));
    let gate = Gate::new();
    gate.open();
    let mut answer = begin(&function, &[], &json!({ "gate": gate.number() }));
    // It comes there when it has waited for half a second.
    gate.wait_for(1);
    let (payload, complete) = answer.messages();
    assert_eq!(complete, json!({}));
    let (bytes, megabytes) = payload.split_at(128 << 20);
    assert!(bytes.iter().all(|&byte| byte == b'x'));
    let megabytes: u32 = std::str::from_utf8(megabytes).unwrap().parse().unwrap();
    assert!(megabytes < 200, "{megabytes} MB");
}

/// Runs a client whose function waits at a gate until the client has made a file: it has the first byte then.
fn through_a_gate(client: impl FnOnce(&str, &str) -> Finished + Send) -> Finished {
    let (gate, folder) = (Gate::new(), Folder::new());
    let (number, first) = (gate.number().to_string(), folder.path().join("first"));
    thread::scope(|scope| {
        let running = scope.spawn(|| client(&number, first.to_str().unwrap()));
        gate.wait_for(1);
        eventually("the client has the first byte", || first.exists().then_some(()));
        gate.open();
        running.join().unwrap()
    })
}

#[test]
fn boto3_reads_what_a_node_function_streams() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    server.create(node("streams", &format!("{NODE_WAIT}{NODE_SOURCE}")));
    let seen =
        through_a_gate(|gate, first| run_python(&server, "streaming.py", &["streams", gate, first])).json();
    expect![[r#"
        {
          "collected": "first;last",
          "fails before the first byte": [
            200,
            "",
            "TypeError",
            "TypeError",
            "early"
          ],
          "fails in the middle": [
            200,
            "first;",
            "TypeError",
            "TypeError",
            "late"
          ],
          "first before last": [
            200,
            "$LATEST",
            "first;last",
            {}
          ],
          "with a prelude": [
            200,
            "$LATEST",
            "{\"statusCode\":201,\"headers\":{\"X-A\":\"b\"},\"cookies\":[\"c=d\"]}\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000first;last",
            {}
          ],
          "with its log": [
            200,
            "$LATEST",
            "first;last",
            [
              "LogResult"
            ],
            true
          ]
        }
    "#]].assert_eq(&format!("{seen:#}\n"));
}

#[test]
fn the_javascript_sdk_reads_what_a_node_function_streams() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    server.create(node("streams", &format!("{NODE_WAIT}{NODE_SOURCE}")));
    let seen =
        through_a_gate(|gate, first| run_node(&server, "streaming.js", &["streams", gate, first])).json();
    expect![[r#"
        {
          "fails in the middle": [
            "first;",
            "TypeError",
            "late"
          ],
          "first before last": [
            200,
            "$LATEST",
            "first;last",
            {}
          ]
        }
    "#]]
    .assert_eq(&format!("{seen:#}\n"));
}
