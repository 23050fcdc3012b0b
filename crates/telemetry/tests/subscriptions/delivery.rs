//! What arrives, and how.

use hearth_telemetry::{LifecycleEvent, SubscriptionApi};
use hearth_types::{LogFormat, LogLevel};
use serde_json::json;
use tokio::net::TcpListener;

use crate::listener::{HttpListener, Lines, kinds};
use crate::{Environment, http, soon};

#[tokio::test]
async fn a_batch_is_a_post_with_everything_in_order() {
    let mut listener = HttpListener::start().await;
    let mut environment = Environment::text();
    let all = ["platform", "function", "extension"];
    environment.subscribe("watcher", SubscriptionApi::Telemetry, &http(&all, listener.port));
    environment.end_init();
    environment.print_as_extension("from the extension\n");
    environment.invoke("from the function\n");
    environment.telemetry.hurry_subscribers();

    let received = listener.request().await;
    let (request_line, headers) = received.head.split_once("\r\n").unwrap();
    assert_eq!(request_line, "post /events?a=1 http/1.1");
    for header in
        [format!("host: sandbox.localdomain:{}", listener.port), "content-type: application/json".into()]
    {
        assert!(headers.lines().any(|line| line == header), "{header} in {headers}");
    }
    assert_eq!(
        received.kinds(),
        [
            "platform.initStart",
            "platform.telemetrySubscription",
            "platform.initRuntimeDone",
            "platform.initReport",
            "extension",
            "platform.start",
            "function",
            "platform.runtimeDone",
            "platform.report",
        ]
    );
    assert_eq!(received.events[4]["record"], "from the extension\n");
    assert_eq!(received.events[6]["record"], "from the function\n");
    let times: Vec<&str> = received.events.iter().map(|event| event["time"].as_str().unwrap()).collect();
    assert!(times.iter().all(|time| time.len() == 24 && time.ends_with('Z')), "{times:?}");
    // The log has what both put out, too.
    let log = environment.log();
    assert!(
        log.contains(&"from the extension\n".to_owned()) && log.contains(&"from the function\n".to_owned())
    );
    assert!(log.contains(
        &"TELEMETRY\tName: watcher\tState: Subscribed\tTypes: [Platform, Function, Extension]\n".to_owned()
    ));
}

#[tokio::test]
async fn what_gathers_is_sent_after_its_time_or_as_soon_as_it_is_much() {
    let mut listener = HttpListener::start().await;
    let mut environment = Environment::text();
    let request = http(&["function"], listener.port);
    environment.subscribe("patient", SubscriptionApi::Telemetry, &request);
    for number in 0..27 {
        environment.print(&format!("{number:010000}\n"));
    }
    // 27 lines are the first that are more than 256 KiB.
    assert_eq!(listener.request().await.events.len(), 27);

    environment.subscribe("patient", SubscriptionApi::Telemetry, &soon(request));
    environment.print("one line\n");
    let events = listener.events_until(|event| event["record"] == "one line\n").await;
    // The new subscription got what Init had said once more, and nothing was lost.
    assert_eq!(events.len(), 28);
}

#[tokio::test]
async fn what_init_said_before_is_replayed_by_type() {
    let (mut functions, mut platforms) = (HttpListener::start().await, HttpListener::start().await);
    let mut environment = Environment::text();
    environment.print("early\n");
    environment.print_as_extension("early, too\n");
    environment.subscribe("functions", SubscriptionApi::Telemetry, &http(&["function"], functions.port));
    environment.subscribe("platforms", SubscriptionApi::Telemetry, &http(&["platform"], platforms.port));
    environment.end_init();
    environment.telemetry.hurry_subscribers();
    let received = functions.request().await;
    assert_eq!(received.kinds(), ["function"]);
    assert_eq!(received.events[0]["record"], "early\n");
    assert_eq!(
        platforms.request().await.kinds(),
        [
            "platform.initStart",
            "platform.telemetrySubscription",
            "platform.telemetrySubscription",
            "platform.initRuntimeDone",
            "platform.initReport",
        ]
    );
}

#[tokio::test]
async fn the_logs_api_puts_when_asked_to() {
    let mut listener = HttpListener::start().await;
    let mut environment = Environment::text();
    let destination = json!({
        "protocol": "HTTP", "URI": format!("http://sandbox:{}", listener.port), "method": "PUT", "encoding": "JSON",
    });
    let request = json!({ "types": ["platform", "function"], "destination": destination });
    environment.subscribe("logger", SubscriptionApi::Logs, &request);
    environment.end_init();
    environment.invoke("hello\n");
    environment.telemetry.hurry_subscribers();
    let received = listener.request().await;
    assert!(received.head.starts_with("put / http/1.1\r\n"), "{}", received.head);
    assert_eq!(
        received.kinds(),
        ["platform.logsSubscription", "platform.start", "function", "platform.end", "platform.report"]
    );
    let log = environment.log();
    assert!(log.contains(&"LOGS\tName: logger\tState: Subscribed\tTypes: [Platform, Function]\n".to_owned()));
}

#[tokio::test]
async fn whatever_path_was_asked_for_is_the_one_that_is_used() {
    for (path, expected) in [
        ("", "/"),
        ("/", "/"),
        ("?x=1", "/?x=1"),
        ("/a//b?c#d", "/a//b?c"),
        ("//e", "//e"),
        ("/%20ü", "/%20ü"),
    ] {
        let mut listener = HttpListener::start().await;
        let mut environment = Environment::text();
        let mut request = http(&["function"], 1);
        request["destination"]["URI"] = json!(format!("http://SANDBOX.localdomain:0{}{path}", listener.port));
        environment.subscribe("watcher", SubscriptionApi::Telemetry, &request);
        environment.print("hello\n");
        environment.telemetry.hurry_subscribers();
        let received = listener.request().await;
        assert!(received.head.starts_with(&format!("post {expected} http/1.1\r\n")), "{}", received.head);
    }
}

#[tokio::test]
async fn lines_come_on_one_connection_and_on_a_new_one_after_it_was_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut environment = Environment::text();
    let mut request = http(&["function"], 1);
    request["destination"] = json!({ "protocol": "TCP", "port": listener.local_addr().unwrap().port() });
    environment.subscribe("liner", SubscriptionApi::Telemetry, &request);
    environment.print("one\n");
    environment.print("two\n");
    environment.telemetry.hurry_subscribers();
    let mut lines = Lines::accept(&listener).await;
    assert_eq!(lines.event().await.unwrap()["record"], "one\n");
    assert_eq!(lines.event().await.unwrap()["record"], "two\n");
    environment.print("three\n");
    environment.telemetry.hurry_subscribers();
    assert_eq!(lines.event().await.unwrap()["record"], "three\n");
    drop(lines);
    environment.print("four\n");
    environment.telemetry.hurry_subscribers();
    let mut lines = Lines::accept(&listener).await;
    assert_eq!(lines.event().await.unwrap()["record"], "four\n");
    // Nothing comes any more when the processes are gone.
    environment.take(LifecycleEvent::ResetDone);
    environment.print("five\n");
    assert_eq!(lines.event().await, None);
}

#[tokio::test]
async fn subscriptions_end_with_the_environment() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut environment = Environment::text();
    let mut request = http(&["function"], 1);
    request["destination"] = json!({ "protocol": "TCP", "port": listener.local_addr().unwrap().port() });
    environment.subscribe("liner", SubscriptionApi::Telemetry, &request);
    environment.print("one\n");
    environment.telemetry.hurry_subscribers();
    let mut lines = Lines::accept(&listener).await;
    assert_eq!(lines.event().await.unwrap()["record"], "one\n");
    drop(environment);
    assert_eq!(lines.event().await, None);
}

#[tokio::test]
async fn a_function_that_logs_in_json_is_filtered_in_its_log_and_not_in_telemetry() {
    let mut listener = HttpListener::start().await;
    let mut environment = Environment::new(LogFormat::Json, Some(LogLevel::Warn));
    environment.subscribe("watcher", SubscriptionApi::Telemetry, &http(&["function"], listener.port));
    environment.end_init();
    let lines = [
        "{\"level\":\"debug\",\"message\":\"quiet\"}\n",
        "{\"message\":\"without a level\"}\n",
        "{\"level\":\"ERROR\",\"message\":\"loud\"}\n",
        "no JSON\n",
    ];
    for line in lines {
        environment.print(line);
    }
    environment.telemetry.hurry_subscribers();
    let received = listener.request().await;
    let records: Vec<_> = received.events.iter().map(|event| event["record"].clone()).collect();
    assert_eq!(
        records,
        [
            json!({ "level": "debug", "message": "quiet" }),
            json!({ "message": "without a level" }),
            json!({ "level": "ERROR", "message": "loud" }),
            json!("no JSON\n"),
        ]
    );
    let log = environment.log();
    let of_function: Vec<&str> =
        log.iter().map(String::as_str).filter(|line| !line.contains("\"platform.")).collect();
    assert_eq!(of_function, &lines[2..]);
}

#[tokio::test]
async fn the_json_log_holds_platform_events_from_the_system_level_on() {
    let mut environment = Environment::new(LogFormat::Json, None);
    environment.end_init();
    environment.invoke("hello\n");
    let events: Vec<serde_json::Value> =
        environment.log().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    // Without a runtime version the start of Init is of interest for debugging only.
    assert_eq!(kinds(&events), ["platform.start", "platform.report"]);
}
