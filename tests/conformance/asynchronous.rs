//! Asynchronous invocation: accepted at once, run later, tried again.

use std::thread;

use hearth_tests::{
    Call, Folder, Function, Gate, PYTHON_WAIT, Server, Settings, aws, eventually, lines_of, python,
    run_python,
};
use serde_json::{Value, json};

/// Says which event came with which id, and does what the event asks for.
const SAYS: &str = "
def handler(event, context):
    print('SAW', event['number'], context.aws_request_id)
    if event.get('fails'): raise Exception('on purpose')
    return event
";

const EVENT: &[(&str, &str)] = &[("X-Amz-Invocation-Type", "Event")];

/// Sends an event, and returns the id that it was accepted with.
fn send(function: &Function<'_>, event: &Value) -> String {
    let payload = event.to_string();
    let answer = function.call(&Call { headers: EVENT, payload: payload.as_bytes(), ..Call::default() });
    assert_eq!((answer.status(), answer.text().as_str()), (202, ""));
    answer.request_id()
}

/// Waits until the function has seen so many events, and returns what it said of each.
fn seen(function: &Function<'_>, number: usize) -> Vec<String> {
    let what = format!("{number} events");
    let events = function.logs_until(&what, |events| lines_of(events, "SAW ").len() >= number);
    lines_of(&events, "SAW ").into_iter().map(|line| line.trim_end().to_owned()).collect()
}

fn queued(server: &Server) -> u64 {
    server.hearth("events")["queued"].as_u64().unwrap()
}

fn until_none_is_queued(server: &Server) {
    eventually("the queue is empty", || (queued(server) == 0).then_some(()));
}

#[test]
fn an_event_is_accepted_before_it_runs_and_runs_with_the_id_of_its_request() {
    let server = Server::start();
    let gate = Gate::new();
    let source = format!(
        "{PYTHON_WAIT}
def handler(event, context):
    wait_at(event['gate'])
    print('SAW', event['number'], context.aws_request_id)
"
    );
    let function = server.create(python("waits", &source).timeout(60));
    let id = send(&function, &json!({ "number": 1, "gate": gate.number() }));
    gate.wait_for(1);
    assert_eq!(queued(&server), 1, "it is kept while it runs");
    gate.open();
    assert_eq!(seen(&function, 1), [format!("SAW 1 {id}")]);
    until_none_is_queued(&server);
}

#[test]
fn case_034_an_event_of_exactly_its_limit_runs_and_one_byte_more_is_refused() {
    let server = Server::start();
    let source = "
def handler(event, context): print('SAW', len(event), context.aws_request_id)
";
    let function = server.create(python("large", source));
    let call = |bytes: usize| {
        let payload = format!("\"{}\"", "x".repeat(bytes - 2));
        function.call(&Call { headers: EVENT, payload: payload.as_bytes(), ..Call::default() })
    };
    let accepted = call(1_048_576);
    assert_eq!(accepted.status(), 202, "{}", accepted.text());
    assert_eq!(seen(&function, 1), [format!("SAW 1048574 {}", accepted.request_id())]);
    let refused = call(1_048_577);
    let message = "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)";
    assert_eq!(refused.exception(), ("RequestTooLargeException".to_owned(), 413, message.to_owned()));
    until_none_is_queued(&server);
    assert_eq!(seen(&function, 1).len(), 1);
}

#[test]
fn boto3_and_the_cli_invoke_asynchronously() {
    let server = Server::start();
    let function = server.create(python("clients", SAYS));
    let answer = run_python(&server, "asynchronous.py", &["clients"]).json();
    assert_eq!((&answer["status"], &answer["payload"]), (&json!(202), &json!("")));
    assert_eq!(seen(&function, 1), [format!("SAW 1 {}", answer["id"].as_str().unwrap())]);

    let folder = Folder::new();
    let out = folder.path().join("out");
    let arguments = [
        "lambda",
        "invoke",
        "--function-name",
        "clients",
        "--invocation-type",
        "Event",
        "--payload",
        "{\"number\": 2}",
    ];
    let answer = aws(&server, &[&arguments[..], &[out.to_str().unwrap()]].concat()).success();
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["StatusCode"], 202);
    assert!(seen(&function, 2)[1].starts_with("SAW 2 "));
}

/// How far ahead the clock is that events wait by.
struct MovedClock(Folder);

impl MovedClock {
    fn new() -> Self {
        let folder = Folder::new();
        folder.write("ahead", "0");
        Self(folder)
    }

    /// What makes a server go by it.
    fn fault(&self) -> String {
        format!("server::event_clock=return({})", self.0.path().join("ahead").display())
    }

    fn set_ahead(&self, ms: u64) {
        // Renamed into place, so that no half of a number is read.
        let next = self.0.write("next", ms.to_string());
        std::fs::rename(next, self.0.path().join("ahead")).unwrap();
    }
}

/// A function that is told of the end of events, and says what it hears.
const HEARS: &str = "
def handler(event, context):
    about = event['requestContext']
    print('SAW', event['requestPayload']['number'], about['condition'], about['approximateInvokeCount'])
";

fn configure(server: &Server, function: &str, config: &Value) {
    let path = format!("/2019-09-25/functions/{function}/event-invoke-config");
    let answer = server.http("PUT", &path, config.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn an_event_that_is_as_old_as_it_may_be_is_not_tried_again_and_its_destination_hears_of_it() {
    let clock = MovedClock::new();
    let server = Settings::new().faults(&clock.fault()).start();
    let function = server.create(python("fails", SAYS));
    let hears = server.create(python("hears", HEARS));
    let hears_arn = "arn:aws:lambda:us-east-1:000000000000:function:hears";
    let config = json!({
        "MaximumEventAgeInSeconds": 100, "DestinationConfig": { "OnFailure": { "Destination": hears_arn } },
    });
    configure(&server, "fails", &config);
    let id = send(&function, &json!({ "number": 1, "fails": true }));
    function.logs_with_reports(1);
    function.wait_until_all_are_ready();
    assert_eq!(queued(&server), 1, "it waits for its second attempt");
    // It had one a minute later, and would have one two minutes after that.
    clock.set_ahead(61_000);
    assert_eq!(seen(&function, 2), [format!("SAW 1 {id}"), format!("SAW 1 {id}")]);
    function.logs_with_reports(2);
    function.wait_until_all_are_ready();
    assert_eq!(queued(&server), 1);
    clock.set_ahead(100_000);
    assert_eq!(seen(&hears, 1), ["SAW 1 EventAgeExceeded 2"]);
    until_none_is_queued(&server);
    clock.set_ahead(10_000_000);
    let last = send(&function, &json!({ "number": 2 }));
    assert_eq!(seen(&function, 3)[2], format!("SAW 2 {last}"), "there is no third attempt");
    assert_eq!(server.hearth("events")["dropped"], json!({}));
}

#[test]
fn case_123_a_throttled_event_backs_off_for_six_hours_and_runs_if_there_is_room_before() {
    let clock = MovedClock::new();
    let server = Settings::new().faults(&clock.fault()).arguments(&["--concurrency", "1"]).start();
    let gate = Gate::new();
    let source = format!(
        "{PYTHON_WAIT}{SAYS}
says = handler
def handler(event, context):
    if event.get('gate'): wait_at(event['gate'])
    return says(event, context)
"
    );
    let function = server.create(python("throttled", &source).timeout(600));
    let hears_arn = "arn:aws:lambda:us-east-1:000000000000:function:hears";
    let hears = server.create(python("hears", HEARS));
    configure(
        &server,
        "throttled",
        &json!({ "DestinationConfig": { "OnFailure": { "Destination": hears_arn } } }),
    );
    let busy = json!({ "number": 0, "gate": gate.number() }).to_string();
    let mut now = 0;
    let throttled_for_hours = |hours: u64, now: &mut u64| {
        for _ in 0..hours * 4 {
            *now += 15 * 60_000;
            clock.set_ahead(*now);
            // Whoever waits for the clock looks at it again now.
            assert_eq!(function.call(&Call { payload: b"{\"number\":9}", ..Call::default() }).status(), 429);
        }
    };
    thread::scope(|scope| {
        let running = scope.spawn(|| function.invoke(&busy));
        gate.wait_for(1);
        send(&function, &json!({ "number": 1 }));
        throttled_for_hours(5, &mut now);
        let runs = send(&function, &json!({ "number": 2 }));
        assert_eq!(queued(&server), 2);
        // The first of them gets too old while nothing can run; its destination hears of it when there is room again.
        throttled_for_hours(2, &mut now);
        gate.open();
        running.join().unwrap().success();
        // Five minutes later at most it is looked at again; after that, the one whose destination hears of it.
        let until = now + 10 * 60_000;
        eventually("the other one has run", || {
            now = until.min(now + 60_000);
            clock.set_ahead(now);
            (queued(&server) == 0).then_some(())
        });
        assert_eq!(seen(&function, 2)[1], format!("SAW 2 {runs}"));
        assert_eq!(seen(&hears, 1), ["SAW 1 EventAgeExceeded 0"]);
        assert_eq!(server.hearth("events")["dropped"], json!({}));
    });
}

#[test]
fn case_122_a_function_that_fails_is_tried_again_after_one_and_two_minutes() {
    let clock = MovedClock::new();
    let server = Settings::new().faults(&clock.fault()).start();
    let function = server.create(python("fails", SAYS));
    let id = send(&function, &json!({ "number": 1, "fails": true }));
    let mut expected = vec![format!("SAW 1 {id}")];
    assert_eq!(seen(&function, 1), expected);
    for (attempt, ahead_ms) in [(2, 61_000), (3, 182_000)] {
        // Whatever else runs meanwhile is not held up, and is no attempt of the one that failed.
        let other = send(&function, &json!({ "number": attempt }));
        expected.push(format!("SAW {attempt} {other}"));
        assert_eq!(seen(&function, expected.len()), expected);
        eventually("only the one that failed is left", || (queued(&server) == 1).then_some(()));
        // Its wait begins when its attempt has ended, with all that the function had to say about it.
        function.logs_with_reports(expected.len());
        function.wait_until_all_are_ready();
        clock.set_ahead(ahead_ms);
        expected.push(format!("SAW 1 {id}"));
        assert_eq!(seen(&function, expected.len()), expected);
    }
    until_none_is_queued(&server);
    assert_eq!(server.hearth("events")["dropped"], json!({ "RetriesExhausted": 1 }));
    clock.set_ahead(10_000_000);
    let last = send(&function, &json!({ "number": 4 }));
    expected.push(format!("SAW 4 {last}"));
    assert_eq!(seen(&function, expected.len()), expected, "there is no fourth attempt");
}

#[test]
fn what_runs_when_the_server_is_stopped_ends_and_what_waits_runs_on_the_next_one() {
    let gate = Gate::new();
    let source = format!(
        "{PYTHON_WAIT}
def handler(event, context):
    wait_at(event['gate'])
    print('SAW', event['number'], context.aws_request_id)
"
    );
    let server = Settings::new().arguments(&["--concurrency", "1"]).start();
    let function = server.create(python("waits", &source).timeout(60));
    let ids: Vec<String> =
        (1..=3).map(|number| send(&function, &json!({ "number": number, "gate": gate.number() }))).collect();
    gate.wait_for(1);
    let data = server.data_dir().clone();
    server.terminate();
    gate.open();
    server.stop();
    let server = Settings::new().data_dir(&data).start();
    let mut seen = seen(&server.function("waits"), 3);
    seen.sort_unstable();
    let expected: Vec<String> =
        ids.iter().zip(1..).map(|(id, number)| format!("SAW {number} {id}")).collect();
    assert_eq!(seen, expected, "each of them once");
    until_none_is_queued(&server);
}

#[test]
fn boto3_configures_destinations_and_they_hear_of_events() {
    let server = Server::start();
    server.create(python("source", "def handler(event, context): return event['number'] + 1\n"));
    let tells = "
def handler(event, context):
    about = event['requestContext']
    print('SAW', about['condition'], about['functionArn'], event['requestPayload'], event['responsePayload'])
";
    let target = server.create(python("target", tells));
    let answers = run_python(&server, "event_invoke_config.py", &[]).json();
    let arn = |name: &str| format!("arn:aws:lambda:us-east-1:000000000000:function:{name}");
    let first = json!({
        "FunctionArn": arn("source:$LATEST"), "LastModified": true, "MaximumRetryAttempts": 1,
        "DestinationConfig": { "OnSuccess": {}, "OnFailure": {} },
    });
    let mut second = first.clone();
    second["MaximumEventAgeInSeconds"] = 60.into();
    second["DestinationConfig"]["OnSuccess"] = json!({ "Destination": arn("target") });
    let list = json!({ "FunctionEventInvokeConfigs": [second] });
    assert_eq!(answers, json!([first, second, second, list]));
    assert_eq!(seen(&target, 1), [format!("SAW Success {} {{'number': 1}} 2", arn("source:$LATEST"))]);
    until_none_is_queued(&server);
}
