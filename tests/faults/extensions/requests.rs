//! What an extension asks for and may not have.

use expect_test::expect;
use hearth_tests::{Server, lines_of, said};
use serde_json::{Value, json};

use super::{ask, assert_others_work, register, reported, with_extension};

/// Has the extension take `steps` before it registers as it should, and returns what it said of them.
fn answers(steps: &Value) -> String {
    let server = Server::start();
    let mut all = steps.as_array().unwrap().clone();
    all.extend([json!({ "register": [] }), json!({ "events": true })]);
    let function = server.create(with_extension(&server, "asking", &json!(all)));
    function.invoke("{}").success();
    let events = function.logs_with_reports(1);
    let lines = said(&events, "bad");
    assert!(lines.last().unwrap().starts_with("registered as bad"), "{lines:?}");
    lines[..lines.len() - 1].iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn case_057_a_registration_that_is_wrong_is_refused_in_awss_words_and_the_next_one_is_not() {
    let named = json!({ "Lambda-Extension-Name": "bad" });
    let inner = json!({ "Lambda-Extension-Name": "inner" });
    let no_events = r#"{"events":[]}"#;
    let seen = answers(&json!([
        register(json!({}), no_events),
        register(json!({ "Lambda-Extension-Name": "" }), no_events),
        register(named.clone(), r#"{"events":["INVOKE","RESTORE"]}"#),
        register(named.clone(), r#"{"events":["invoke"]}"#),
        register(inner, r#"{"events":["SHUTDOWN"]}"#),
        register(named.clone(), r#"{"events":[],"configurationKeys":["a"]}"#),
        ask("GET {extension}/register", named.clone()),
        ask("POST {extension}/event/next", named),
        ask("GET {extension}/nothing", json!({})),
    ]));
    expect![[r#"
        403 application/json: {"errorMessage":"Empty extension name","errorType":"Extension.InvalidExtensionName"}
        403 application/json: {"errorMessage":"Empty extension name","errorType":"Extension.InvalidExtensionName"}
        403 application/json: {"errorMessage":"RESTORE: ErrorInvalidEventType","errorType":"Extension.InvalidEventType"}
        403 application/json: {"errorMessage":"invoke: ErrorInvalidEventType","errorType":"Extension.InvalidEventType"}
        403 application/json: {"errorMessage":"SHUTDOWN: ShutdownEventNotSupportedForInternalExtension","errorType":"Extension.InvalidEventType"}
        403 application/json: {"errorMessage":"configurationKeys are deprecated; use environment variables instead","errorType":"InvalidRequestFormat"}
        405 no type:
        405 no type:
        404 text/plain; charset=utf-8: 404 page not found
    "#]]
    .assert_eq(&seen);

    let not_json = ["", "nonsense", "[]", r#"{"events":"INVOKE"}"#, r#"{"events":[1]}"#, "\u{0}\u{1}"];
    let named = json!({ "Lambda-Extension-Name": "bad" });
    let steps: Vec<Value> = not_json.iter().map(|body| register(named.clone(), body)).collect();
    let seen = answers(&json!(steps));
    for (line, body) in seen.lines().zip(not_json) {
        let (start, text) = line.split_once(": ").unwrap();
        let error: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            (start, &error["errorType"]),
            ("403 application/json", &json!("InvalidRequestFormat")),
            "{body}"
        );
        assert!(error["errorMessage"].is_string(), "{line}");
    }
    assert_eq!(seen.lines().count(), not_json.len(), "{seen}");
}

#[test]
fn case_057_a_second_registration_and_one_after_init_are_refused() {
    let server = Server::start();
    // The runtime starts when the program has registered, and may end the registration at any time from then on.
    let again = register(json!({ "Lambda-Extension-Name": "bad" }), r#"{"events":[]}"#);
    let another = register(json!({ "Lambda-Extension-Name": "another" }), r#"{"events":[]}"#);
    // The first event comes when Init is over.
    let steps = json!([
        { "park": [], "as": "inner" }, { "register": [], "as": "inner" }, { "register": ["INVOKE"] }, again,
        { "next": 1 }, again, another, { "next": 1 }, { "hang": true },
    ]);
    let function = server.create(with_extension(&server, "again", &steps));
    function.invoke("{}").success();
    let events = function.logs_with_reports(1);
    let refused: Vec<&str> = said(&events, "bad")
        .into_iter()
        .filter(|line| line.starts_with("403") || line.starts_with("register 403"))
        .collect();
    // The words of AWS's emulator: for an internal extension, and for an external one, whose name is known before.
    assert_eq!(
        refused,
        [
            r#"register 403 {"errorMessage":"Extension with this name already registered","errorType":"Extension.InvalidExtensionState"}"#,
            r#"403 application/json: {"errorMessage":"State transition from Registered to Registered failed for extension bad. Error: State transition is not allowed","errorType":"Extension.InvalidExtensionState"}"#,
            r#"403 application/json: {"errorMessage":"State transition from Running to Registered failed for extension bad. Error: State transition is not allowed","errorType":"Extension.InvalidExtensionState"}"#,
            r#"403 application/json: {"errorMessage":"Extension registration closed already","errorType":"Extension.RegistrationClosed"}"#,
        ]
    );
    assert_eq!(lines_of(&events, "EXTENSION").len(), 2, "{events:#?}");
}

#[test]
fn case_058_an_identifier_that_is_missing_or_unknown_is_refused_everywhere() {
    let unknown = "8476a536-e9f4-41e8-9739-2dfe598c3fcd";
    let with = |identifier: &str| {
        json!({
            "Lambda-Extension-Identifier": identifier,
            "Lambda-Extension-Function-Error-Type": "Extension.Mine",
        })
    };
    let mut steps = Vec::new();
    for path in ["GET {extension}/event/next", "POST {extension}/init/error", "POST {extension}/exit/error"] {
        steps.extend([
            ask(path, json!({})),
            ask(path, with("")),
            ask(path, with("not-a-uuid")),
            ask(path, with(unknown)),
        ]);
    }
    expect![[r#"
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Invalid Lambda-Extension-Identifier","errorType":"Extension.InvalidExtensionIdentifier"}
        403 application/json: {"errorMessage":"Unknown extension 8476a536-e9f4-41e8-9739-2dfe598c3fcd","errorType":"Extension.UnknownExtensionIdentifier"}
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Invalid Lambda-Extension-Identifier","errorType":"Extension.InvalidExtensionIdentifier"}
        403 application/json: {"errorMessage":"Unknown Lambda-Extension-Identifier","errorType":"Extension.UnknownExtensionIdentifier"}
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Invalid Lambda-Extension-Identifier","errorType":"Extension.InvalidExtensionIdentifier"}
        403 application/json: {"errorMessage":"Unknown Lambda-Extension-Identifier","errorType":"Extension.UnknownExtensionIdentifier"}
    "#]]
    .assert_eq(&answers(&json!(steps)));
}

#[test]
fn case_059_ten_extensions_are_allowed_and_the_eleventh_is_refused() {
    let server = Server::start();
    // Nine beside the program; registration stays open until that has registered as well.
    let mut steps: Vec<Value> =
        (1..=11).map(|number| json!({ "park": ["INVOKE"], "as": format!("inner-{number}") })).collect();
    steps.extend([json!({ "register": ["INVOKE"] }), json!({ "events": true })]);
    let function = server.create(with_extension(&server, "many", &json!(steps)));
    function.invoke("{}").success();
    function.wait_until_all_are_ready();
    function.invoke("{}").success();
    let events = function.logs_with_reports(2);
    let refused: Vec<&str> =
        said(&events, "bad").into_iter().filter(|line| line.starts_with("register ")).collect();
    assert_eq!(
        refused,
        [r#"register 403 {"errorMessage":"Extension limit (10) reached","errorType":"Extension.TooManyExtensions"}"#;
            2]
    );
    assert_eq!(lines_of(&events, "EXTENSION").len(), 10, "{events:#?}");
}

#[test]
fn reports_in_the_wrong_order_are_refused_and_the_wrong_ones_change_nothing() {
    let server = Server::start();
    let header = json!({ "Lambda-Extension-Identifier": "{id}" });
    let steps = json!([
        { "register": ["INVOKE"] },
        ask("POST {extension}/init/error", header.clone()),
        ask("POST {extension}/exit/error", header),
        { "next": 1 },
        reported("POST {extension}/init/error", "Extension.TooLate"),
        { "next": 1 },
        { "hang": true },
    ]);
    let function = server.create(with_extension(&server, "order", &steps));
    function.invoke("{}").success();
    let events = function.logs_with_reports(1);
    let lines: Vec<&str> = said(&events, "bad").into_iter().filter(|line| line.starts_with("403")).collect();
    assert_eq!(
        lines,
        [
            r#"403 application/json: {"errorMessage":"Lambda-Extension-Function-Error-Type not found","errorType":"Extension.MissingHeader"}"#,
            r#"403 application/json: {"errorMessage":"Lambda-Extension-Function-Error-Type not found","errorType":"Extension.MissingHeader"}"#,
            r#"403 application/json: {"errorMessage":"State transition from Running to InitError failed for extension bad. Error: State transition is not allowed","errorType":"Extension.InvalidExtensionState"}"#,
        ]
    );
}

#[test]
fn case_062_garbage_and_floods_from_an_extension_concern_only_its_own_environment() {
    let server = Server::start();
    let before = server.resident_kib();
    let next = "GET {extension}/event/next HTTP/1.1\r\nHost: h\r\nX: ";
    let steps = json!([
        { "raw": "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}" },
        { "raw": next, "bytes": 1_100_000 },
        { "raw": "POST {extension}/register HTTP/1.1\r\nHost: h\r\nLambda-Extension-Name: bad\r\nContent-Length: 9\r\n\r\n{" },
        { "raw": "POST {extension}/register HTTP/1.1\r\nHost: h\r\nLambda-Extension-Name: b\u{7f}d\r\nContent-Length: 2\r\n\r\n{}" },
        register(json!({ "Lambda-Extension-Name": "x".repeat(300) }), r#"{"events":[]}"#),
        register(json!({ "Lambda-Extension-Name": "large" }), &format!("{{\"events\":[\"{}\"]}}", "x".repeat(2_000_000))),
        { "flood": 200 },
        { "ask": "GET /2018-06-01/ping" },
    ]);
    let mut all = steps.as_array().unwrap().clone();
    all.extend([json!({ "register": [] }), json!({ "events": true })]);
    let function = server.create(with_extension(&server, "garbage", &json!(all)));
    let pid = function.invoke("{}").success();
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 48 << 10, "the server has grown by {grown} KiB");
    let events = function.logs_with_reports(1);
    let lines = said(&events, "bad");
    let refused = |line: &str| ["HTTP/1.1 4", "closed", "4"].iter().any(|start| line.starts_with(start));
    for line in &lines[..6] {
        assert!(refused(line), "{line}");
    }
    assert_eq!(lines[6..8], ["200 connections", "200 text/plain; charset=utf-8: pong"]);
    function.wait_until_all_are_ready();
    assert_eq!(function.invoke("{}").success(), pid);
    assert_others_work(&server);
}

#[test]
fn an_extension_whose_threads_ask_at_once_gets_each_event_once() {
    let server = Server::start();
    let steps = json!([
        { "register": ["INVOKE"] },
        { "background": [{ "events": true }] },
        { "background": [{ "events": true }] },
        { "hang": true },
    ]);
    let function = server.create(with_extension(&server, "threads", &steps));
    for _ in 0..3 {
        function.invoke("{}").success();
        function.wait_until_all_are_ready();
    }
    let events = function.logs_with_reports(3);
    assert_eq!(said(&events, "bad").iter().filter(|line| line.starts_with("INVOKE ")).count(), 3);
}

#[test]
fn an_event_that_meets_a_connection_that_is_gone_comes_with_the_next_poll() {
    let server = Server::start();
    let gone = "GET {extension}/event/next HTTP/1.1\r\nHost: h\r\nLambda-Extension-Identifier: {id}\r\n\r\n";
    let steps = json!([{ "register": ["INVOKE"] }, { "raw": gone }, { "events": true }]);
    let function = server.create(with_extension(&server, "gone", &steps));
    let first = function.invoke("{}");
    first.success();
    function.wait_until_all_are_ready();
    let second = function.invoke("{}");
    assert_eq!(second.success(), first.success());
    let events = function.logs_with_reports(2);
    let lines = said(&events, "bad");
    let invoked: Vec<&str> =
        lines.iter().filter_map(|line| line.strip_prefix("INVOKE ")?.split(' ').next()).collect();
    // The server notices that the connection is half closed, unless the event was faster.
    let both = [first.request_id(), second.request_id()];
    let expected = if lines[1] == "closed" { &both[..] } else { &both[1..] };
    assert_eq!(invoked, expected, "{lines:?}");
}
