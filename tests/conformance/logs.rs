//! The log of a function: its lines, its streams, its tail, and its bounds.

use expect_test::expect;
use hearth_tests::{Call, Server, lines_of, needs_node, node, python, reports, streams, transcript};
use regex_lite::Regex;
use serde_json::json;

#[test]
fn the_log_stream_of_an_environment_is_named_as_aws_names_it() {
    let server = Server::start();
    let function = server.create(python("named", "def handler(event, context): pass\n"));
    function.invoke("{}");
    let events = function.logs_with_reports(1);
    let name = Regex::new(r"^20[0-9]{2}/[01][0-9]/[0-3][0-9]/\[\$LATEST\][0-9a-f]{32}$").unwrap();
    let streams = streams(&events);
    assert!(name.is_match(streams[0]), "{streams:?}");
    assert_eq!(function.environments()[0]["log_stream"], streams[0]);
    assert!(events.is_sorted_by_key(|event| event.timestamp_ms));
}

#[test]
fn python_output_is_logged_as_aws_prints_it() {
    let server = Server::start();
    let source = r#"
import logging, sys
print("while loading")
logger = logging.getLogger()
def handler(event, context):
    print("printed")
    print("two\nlines")
    print("to stderr", file=sys.stderr)
    logger.warning("a warning")
    logger.error("two\nlines of an error")
    logger.debug("not shown")
    sys.stdout.write("without an end")
"#;
    let function = server.create(python("printing", source));
    function.invoke("{}").success();
    let events = function.logs_with_reports(1);
    expect![[r#"
        INIT_START Runtime Version: python:3.11.v<n>⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:<sha256>
        while loading
        START RequestId: <id 1> Version: $LATEST
        printed
        two
        lines
        to stderr
        [WARNING]⇥<time>⇥<id 1>⇥a warning
        [ERROR]⇥<time>⇥<id 1>⇥two↵lines of an error
        without an end
        END RequestId: <id 1>
        REPORT RequestId: <id 1>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥Init Duration: <ms> ms⇥
    "#]]
    .assert_eq(&transcript(&events).replace("without an end¶", "without an end"));
}

#[test]
fn node_output_is_logged_as_aws_prints_it() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    let source = "
export const handler = async () => {
  console.log('logged %s', 'with a value', { an: 'object' });
  console.info('info');
  console.warn('warning');
  console.error('two\\nlines of an error');
  console.debug('debug');
  process.stdout.write('raw\\n');
};\n";
    let function = server.create(node("printing", source));
    assert_eq!(function.invoke("{}").success(), json!(null));
    let events = function.logs_with_reports(1);
    expect![[r#"
        INIT_START Runtime Version: nodejs:20.v<n>⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:<sha256>
        START RequestId: <id 1> Version: $LATEST
        <time>⇥<id 1>⇥INFO⇥logged with a value { an: 'object' }
        <time>⇥<id 1>⇥INFO⇥info
        <time>⇥<id 1>⇥WARN⇥warning
        <time>⇥<id 1>⇥ERROR⇥two↵lines of an error
        <time>⇥<id 1>⇥DEBUG⇥debug
        raw
        END RequestId: <id 1>
        REPORT RequestId: <id 1>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥Init Duration: <ms> ms⇥
    "#]]
    .assert_eq(&transcript(&events));
}

#[test]
fn the_json_format_logs_records_instead_of_lines() {
    let server = Server::start();
    let new = python("json", "def handler(event, context): pass\n");
    let function = server.create(new.with("LoggingConfig", json!({ "LogFormat": "JSON" })));
    let answer = function.invoke("{}");
    let events = function.logs_until("a platform.report", |events| {
        events.iter().any(|e| e.message.contains("\"platform.report\""))
    });
    let records: Vec<serde_json::Value> =
        events.iter().map(|event| serde_json::from_str(&event.message).unwrap()).collect();
    let types: Vec<&str> = records.iter().map(|record| record["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["platform.initStart", "platform.start", "platform.report"]);
    let report = &records[2]["record"];
    assert_eq!(report["requestId"], answer.request_id());
    assert_eq!(report["status"], "success");
    assert_eq!(report["metrics"]["memorySizeMB"], 128);
    for metric in ["durationMs", "billedDurationMs", "initDurationMs", "maxMemoryUsedMB"] {
        assert!(report["metrics"][metric].as_f64().unwrap() > 0.0, "{report:#}");
    }
}

#[test]
fn the_numbers_of_a_report_are_measured_and_billed_by_todays_rule() {
    let server = Server::start();
    let source = "
import time
block = bytearray(64 * 1024 * 1024)
def handler(event, context):
    time.sleep(0.05)
";
    let function = server.create(python("measured", source).with("MemorySize", 512));
    function.invoke("{}").success();
    function.invoke("{}").success();
    let events = function.logs_with_reports(2);
    let reports = reports(&events);
    let number = |line: &str, field: &str| -> f64 {
        let (_, rest) = line.split_once(&format!("\t{field}: ")).unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    let (cold, warm) = (reports[0], reports[1]);
    let init = number(cold, "Init Duration");
    assert!(init > 5.0, "{cold}");
    for report in [cold, warm] {
        assert!((50.0..500.0).contains(&number(report, "Duration")), "{report}");
        let used = number(report, "Max Memory Used");
        assert!((64.0..160.0).contains(&used), "{report}");
    }
    // Since August 2025 the whole Init is billed, for every kind of package.
    // The line shows two decimals of what is rounded up.
    for (report, total) in [(cold, number(cold, "Duration") + init), (warm, number(warm, "Duration"))] {
        let billed = number(report, "Billed Duration");
        assert!((total - 0.01).ceil() <= billed && billed <= (total + 0.01).ceil(), "{report}");
    }
}

#[test]
fn the_tail_is_the_last_4096_bytes_of_this_call_and_ends_with_its_report() {
    let server = Server::start();
    let source = "
def handler(event, context):
    for number in range(event['lines']):
        print(f'line {number:04}')
";
    let function = server.create(python("talking", source));
    let tail = |lines: u32| {
        let payload = json!({ "lines": lines }).to_string();
        let headers = [("X-Amz-Log-Type", "Tail")];
        let answer =
            function.call(&Call { headers: &headers, payload: payload.as_bytes(), ..Call::default() });
        answer.success();
        (answer.log_tail(), answer.request_id())
    };

    let (short, id) = tail(1);
    let after = Regex::new("[0-9.]+ (ms|MB)").unwrap().replace_all(&short, "<n> $1").replace(&id, "<id>");
    let (init_start, after) = after.split_once('\n').unwrap();
    assert!(init_start.starts_with("INIT_START Runtime Version: "), "{short}");
    expect![[r#"
        START RequestId: <id> Version: $LATEST
        line 0000
        END RequestId: <id>
        REPORT RequestId: <id>	Duration: <n> ms	Billed Duration: <n> ms	Memory Size: <n> MB	Max Memory Used: <n> MB	Init Duration: <n> ms	
    "#]]
    .assert_eq(after);

    let (long, id) = tail(1_000);
    assert_eq!(long.len(), 4_096);
    let last = long.trim_end_matches('\n').lines().next_back().unwrap();
    assert!(last.starts_with(&format!("REPORT RequestId: {id}\t")), "{last}");
    assert!(long.contains("line 0999\n") && !long.contains("line 0000\n"));
    assert!(function.invoke(r#"{"lines": 0}"#).0.header("X-Amz-Log-Result").is_none());
}

#[test]
fn a_line_of_64_megabytes_is_split_and_never_held_in_memory() {
    let server = Server::start();
    let source = "
import sys
def handler(event, context):
    for _ in range(event['megabytes']):
        sys.stdout.write('x' * 1_048_576)
    sys.stdout.flush()
    return 'written'
";
    let function = server.create(python("endless", source).timeout(60));
    assert_eq!(function.invoke(r#"{"megabytes": 64}"#).success(), "written");
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kib < 200 * 1024, "the server needed {peak_kib} KiB");

    let events = server.logs_until("endless", "the REPORT", |events| !reports(events).is_empty());
    let longest = events.iter().map(|event| event.message.len()).max().unwrap();
    assert!(longest <= 262_144, "an event of {longest} bytes");
    assert!(lines_of(&events, "xxx").len() > 1, "{} events", events.len());
    assert_eq!(function.invoke(r#"{"megabytes": 0}"#).success(), "written");
}
