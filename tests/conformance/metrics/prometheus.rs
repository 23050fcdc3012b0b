//! What Prometheus scrapes, and who may ask for metrics.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use hearth_tests::{Server, aws_with_key, eventually, hearth_with, python, skip};
use serde_json::json;

use super::{OBEDIENT, now};

/// The values on Prometheus's page, by name and labels.
fn page(server: &Server) -> (String, BTreeMap<String, f64>) {
    let answer = server.http("GET", "/_hearth/metrics", b"");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    let values = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    let values = values.collect();
    (text, values)
}

#[test]
fn prometheus_scrapes_what_promtool_finds_nothing_to_say_about() {
    let server = Server::start();
    let function = server.create(python("scraped", OBEDIENT));
    for fail in [false, true, false] {
        function.invoke(json!({ "fail": fail }).to_string());
    }
    let calls = r#"hearth_invocations_total{function="scraped"}"#;
    // A caller has its answer a little before the invocation has ended.
    let (text, values) = eventually("all calls have ended", || {
        Some(page(&server)).filter(|(_, values)| values.get(calls) == Some(&3.0))
    });
    let of = |name: &str| *values.get(name).unwrap_or_else(|| panic!("no {name} in\n{text}"));
    assert_eq!(of(r#"hearth_invocation_errors_total{function="scraped"}"#), 1.0);
    assert_eq!(of(r#"hearth_failed_invocations_total{function="scraped",status="error"}"#), 1.0);
    assert_eq!(of(r#"hearth_cold_starts_total{function="scraped",reason="first-invocation"}"#), 1.0);
    assert_eq!(of(r#"hearth_invocation_duration_seconds_count{function="scraped"}"#), 3.0);
    assert_eq!(of(r#"hearth_invocation_duration_seconds_bucket{function="scraped",le="+Inf"}"#), 3.0);
    assert_eq!(of(r#"hearth_init_phase_duration_seconds_count{function="scraped",phase="function"}"#), 1.0);
    assert_eq!(of(r#"hearth_environments{state="Ready"}"#), 1.0);
    assert_eq!(of("hearth_feed_steps_left_out_total"), 0.0);
    assert_eq!(of("hearth_async_events_queued"), 0.0);
    assert!(of("hearth_concurrent_executions_limit") > 0.0);
    assert!(of("process_resident_memory_bytes") > 1e6 && of("process_open_fds") > 3.0);
    let started = of("process_start_time_seconds");
    assert!(started <= now() as f64 + 1.0 && started > now() as f64 - 3_600.0, "{started}");

    let Ok(mut promtool) = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        return skip("promtool is not here; `cargo xtask test` installs Debian's prometheus where it can");
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let said = [checked.stdout, checked.stderr].concat();
    assert!(checked.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn metrics_take_a_right_where_there_are_keys() {
    let server = Server::start();
    let function = server.create(python("guarded", OBEDIENT));
    function.invoke("{}");
    function.wait_until_all_are_ready();
    let data_dir = server.data_dir().path().to_str().unwrap().to_owned();
    let key = |policy: &str| {
        let arguments =
            ["credentials", "add", policy, "--policy", policy, "--data-dir", &data_dir, "--output", "json"];
        let added = hearth_with(&[], &arguments).json();
        ["AccessKeyId", "SecretAccessKey"].map(|member| added[member].as_str().unwrap().to_owned())
    };
    let (sees, calls) = (key("read-only"), key("invoke-only"));
    let scrape = || server.http("GET", "/_hearth/metrics", b"");
    eventually("the server asks for a key", || (scrape().status == 403).then_some(()));
    let list = |[id, secret]: &[String; 2]| {
        aws_with_key(&server, (id, secret), &["cloudwatch", "list-metrics", "--output", "json"])
    };
    assert!(!list(&sees).json()["Metrics"].as_array().unwrap().is_empty());
    let refused = list(&calls);
    assert!(
        refused.stderr.contains("is not authorized to perform: cloudwatch:ListMetrics"),
        "{}",
        refused.stderr
    );
    let wrong = list(&[sees[0].clone(), "another".to_owned()]);
    assert!(wrong.stderr.contains("(SignatureDoesNotMatch)"), "{}", wrong.stderr);
}
