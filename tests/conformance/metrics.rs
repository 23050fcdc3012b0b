//! Metrics as clients see them: CloudWatch's by boto3, the AWS CLI and the AWS SDK for JavaScript, unmodified, and
//! Prometheus's page. What is counted is exact.

mod clients;
mod prometheus;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use expect_test::expect;
use hearth_tests::{Call, Folder, Function, Server, Settings, eventually, python, run_python, within};
use serde_json::{Value, json};

/// Fails when it is told to.
const OBEDIENT: &str = "
import time
def handler(event, context):
    time.sleep(event.get('ms', 0) / 1000)
    if event.get('fail'):
        raise ValueError('as asked')
    return {'statusCode': event.get('status', 200)}
";

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// A long time around now, in one piece.
fn range() -> (i64, i64) {
    (now() - 3_600, now() + 3_600)
}

/// Names and values of dimensions.
type Dimensions<'a> = &'a [(&'a str, &'a str)];
/// A metric, of what, and which statistic.
type Asked<'a> = (&'a str, Dimensions<'a>, &'a str);

fn metric(name: &str, dimensions: Dimensions<'_>) -> Value {
    let namespace = if name.ends_with("Starts") { "Hearth" } else { "AWS/Lambda" };
    let dimensions: Vec<Value> =
        dimensions.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
    json!({ "Namespace": namespace, "MetricName": name, "Dimensions": dimensions })
}

/// Asks for one statistic over everything; `null` when there is nothing.
fn statistics(server: &Server, asked: &[Asked<'_>]) -> Vec<Value> {
    let (from, to) = range();
    let questions = asked.iter().map(|(name, dimensions, statistic)| {
        let mut arguments = metric(name, dimensions);
        arguments["StartTime"] = from.into();
        arguments["EndTime"] = to.into();
        arguments["Period"] = 86_400.into();
        let member = if statistic.starts_with('p') { "ExtendedStatistics" } else { "Statistics" };
        arguments[member] = json!([statistic]);
        json!(["get_metric_statistics", arguments])
    });
    let questions: Value = questions.collect();
    let answers = run_python(server, "metrics.py", &[&questions.to_string()]).json();
    let answers = answers.as_array().unwrap().iter().zip(asked).map(|(answer, (name, _, statistic))| {
        let datapoints = answer["Datapoints"].as_array().unwrap_or_else(|| panic!("{name}: {answer}"));
        assert!(datapoints.len() <= 1, "{name}: {answer}");
        match datapoints.first() {
            Some(point) if statistic.starts_with('p') => point["ExtendedStatistics"][*statistic].clone(),
            Some(point) => point[*statistic].clone(),
            None => Value::Null,
        }
    });
    answers.collect()
}

fn send(server: &Server, method: &str, path: &str, body: &Value) -> Value {
    let answer = server.http(method, path, body.to_string().as_bytes());
    assert!(answer.status < 300, "{method} {path}: {}", answer.text());
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// Publishes version 1, and an alias `live` for it.
fn publish(server: &Server, function: &Function<'_>) {
    let path = format!("/2015-03-31/functions/{}", function.name());
    send(server, "POST", &format!("{path}/versions"), &json!({}));
    send(server, "POST", &format!("{path}/aliases"), &json!({ "Name": "live", "FunctionVersion": "1" }));
}

fn invoke_as(function: &Function<'_>, qualifier: &str) {
    let query = format!("Qualifier={qualifier}");
    let answer = function.call(&Call { query: &query, payload: b"{}", ..Call::default() });
    assert_eq!(answer.status(), 200, "{}", answer.text());
}

#[test]
fn boto3_sees_exactly_what_functions_did_for_account_function_alias_and_version() {
    let server = Server::start();
    let function = server.create(python("counted", OBEDIENT));
    publish(&server, &function);
    for number in 0..7 {
        let answer = function.invoke(json!({ "ms": number * 20, "fail": number > 4 }).to_string());
        assert_eq!(answer.status(), 200);
    }
    (0..3).for_each(|_| invoke_as(&function, "live"));
    invoke_as(&function, "1");
    let throttled = server.create(python("throttled", OBEDIENT));
    let path = "/2017-10-31/functions/throttled/concurrency";
    send(&server, "PUT", path, &json!({ "ReservedConcurrentExecutions": 0 }));
    for _ in 0..4 {
        let answer = throttled.call(&Call { payload: b"{}", ..Call::default() });
        assert_eq!(answer.status(), 429);
    }
    let broken = server.create(python("broken", "raise ValueError('at once')\n"));
    broken.invoke("{}").function_error();

    [&function, &broken].iter().for_each(|function| function.wait_until_all_are_ready());

    let all: Dimensions<'_> = &[];
    let by_function: Dimensions<'_> = &[("FunctionName", "counted")];
    let by_alias = &[("FunctionName", "counted"), ("Resource", "counted:live")];
    let by_version = &[("FunctionName", "counted"), ("Resource", "counted:1")];
    let by_nothing = &[("FunctionName", "counted"), ("Resource", "counted")];
    let seen = statistics(
        &server,
        &[
            ("Invocations", all, "Sum"),
            ("Errors", all, "Sum"),
            ("Throttles", all, "Sum"),
            ("Invocations", by_function, "Sum"),
            ("Errors", by_function, "Sum"),
            ("Errors", by_function, "SampleCount"),
            ("Throttles", by_function, "Sum"),
            ("Duration", by_function, "SampleCount"),
            ("Invocations", by_alias, "Sum"),
            ("Errors", by_alias, "Sum"),
            ("Invocations", by_version, "Sum"),
            ("Invocations", by_nothing, "Sum"),
            ("ColdStarts", by_function, "Sum"),
            ("Throttles", &[("FunctionName", "throttled")], "Sum"),
            ("Invocations", &[("FunctionName", "throttled")], "Sum"),
            ("Errors", &[("FunctionName", "broken")], "Sum"),
            ("Invocations", &[("FunctionName", "never")], "Sum"),
        ],
    );
    let expected =
        json!([12.0, 3.0, 4.0, 11.0, 2.0, 11.0, 0.0, 11.0, 3.0, 0.0, 1.0, 7.0, 2.0, 4.0, null, 1.0, null]);
    assert_eq!(Value::from(seen), expected);
    let gauges = [
        ("ConcurrentExecutions", by_function, "Maximum"),
        ("ConcurrentExecutions", all, "Maximum"),
        ("UnreservedConcurrentExecutions", all, "Maximum"),
    ];
    for seen in statistics(&server, &gauges.map(|(name, of, statistic)| (name, of, statistic))) {
        // Who calls again at once may find the call before not quite ended.
        assert!([1.0, 2.0].map(Value::from).contains(&seen), "{seen}");
    }

    // A percentile is that of the very durations in the journal, within one percent.
    let invocations = server.hearth("invocations?function=counted")["invocations"].clone();
    let duration = |one: &Value| one["duration_ms"].as_f64().unwrap_or_else(|| panic!("{one}"));
    let mut durations: Vec<f64> = invocations.as_array().unwrap().iter().map(duration).collect();
    durations.sort_by(f64::total_cmp);
    let names = ["p10", "p50", "p90", "p99.9"];
    let asked: Vec<Asked<'_>> = names.iter().map(|name| ("Duration", by_function, *name)).collect();
    for (name, seen) in names.iter().zip(statistics(&server, &asked)) {
        let percent: f64 = name[1..].parse().unwrap();
        let exact = durations[(percent / 100.0 * durations.len() as f64).ceil() as usize - 1];
        let seen = seen.as_f64().unwrap();
        assert!((seen / exact - 1.0).abs() < 0.0101, "{name}: {seen}, and exactly {exact}");
    }
}

#[test]
fn boto3_asks_several_questions_at_once_calculates_and_turns_pages() {
    let server = Server::start();
    let function = server.create(python("asked", OBEDIENT));
    for fail in [false, true, false, false] {
        function.invoke(json!({ "fail": fail }).to_string());
    }
    function.wait_until_all_are_ready();
    let (from, to) = range();
    let of = |name: &str, id: &str| {
        let metric = metric(name, &[("FunctionName", "asked")]);
        let stat = json!({ "Metric": metric, "Period": 60, "Stat": "Sum" });
        json!({ "Id": id, "MetricStat": stat, "ReturnData": id != "hidden" })
    };
    let rate = json!({ "Id": "rate", "Expression": "100 * SUM([errors]) / hidden", "Label": "Rate ${PROP('Region')}" });
    let queries =
        json!([of("Invocations", "calls"), of("Errors", "errors"), of("Invocations", "hidden"), rate]);
    let ask = |more: Value| {
        let mut arguments = json!({ "MetricDataQueries": queries, "StartTime": from, "EndTime": to });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let questions = json!([
        ["get_metric_data", ask(json!({ "ScanBy": "TimestampAscending" }))],
        ["get_metric_data", ask(json!({ "MaxDatapoints": 1 })), "MetricDataResults"],
        ["list_metrics", { "Namespace": "AWS/Lambda", "Dimensions": [{ "Name": "Resource" }] }, "Metrics"],
        ["list_metrics", { "MetricName": "Duration", "RecentlyActive": "PT3H" }, "Metrics"],
        ["list_metrics", { "Namespace": "AWS/EC2" }, "Metrics"],
    ]);
    let answers = run_python(&server, "metrics.py", &[&questions.to_string()]).json();
    let results = answers[0]["MetricDataResults"].as_array().unwrap();
    let sum = |result: &Value| -> f64 {
        result["Values"].as_array().unwrap().iter().filter_map(Value::as_f64).sum()
    };
    let seen: Vec<_> = results.iter().map(|one| (one["Id"].as_str().unwrap(), sum(one))).collect();
    assert_eq!((seen[0], seen[1]), (("calls", 4.0), ("errors", 1.0)));
    assert_eq!(
        (seen.len(), &results[2]["Label"], &results[0]["Label"]),
        (3, &json!("Rate us-east-1"), &json!("Invocations"))
    );
    // All of one minute, unless the calls were made in two.
    let rates = results[2]["Values"].as_array().unwrap();
    assert!(rates.len() == 2 || *rates == [json!(25.0)], "{rates:?}");
    assert!(results.iter().all(|one| one["StatusCode"] == "Complete"), "{results:?}");
    for time in results[0]["Timestamps"].as_array().unwrap() {
        assert_eq!(time.as_i64().unwrap() % 60, 0);
    }
    // The same in pages of one value.
    let paged = answers[1]["MetricDataResults"].as_array().unwrap();
    let mut sums = BTreeMap::<&str, f64>::new();
    for one in paged {
        assert!(one["Values"].as_array().unwrap().len() <= 1, "{one}");
        *sums.entry(one["Id"].as_str().unwrap()).or_default() += sum(one);
    }
    assert_eq!((sums["calls"], sums["errors"]), (4.0, 1.0));
    assert!(answers[1]["pages"].as_array().unwrap().len() >= 3, "{}", answers[1]);

    let names = |answer: &Value| {
        let metrics = answer["Metrics"].as_array().unwrap().iter();
        let mut names: Vec<String> = metrics
            .map(|one| {
                let dimensions = one["Dimensions"].as_array().unwrap().iter();
                let values: Vec<&str> = dimensions.map(|one| one["Value"].as_str().unwrap()).collect();
                format!("{} {}", one["MetricName"].as_str().unwrap(), values.join(","))
            })
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names(&answers[2]),
        ["Duration asked,asked", "Errors asked,asked", "Invocations asked,asked", "Throttles asked,asked"]
    );
    assert_eq!(names(&answers[3]), ["Duration ", "Duration asked", "Duration asked,asked"]);
    assert_eq!(names(&answers[4]), Vec::<String>::new());
}

#[test]
fn wrong_questions_are_told_what_is_wrong_in_awss_words() {
    let server = Server::start();
    let good = json!({
        "Namespace": "AWS/Lambda", "MetricName": "Errors", "StartTime": 1_700_000_000, "EndTime": 1_700_003_600,
        "Period": 60, "Statistics": ["Sum"],
    });
    let with = |changes: Value| {
        let mut question = good.clone();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(question.as_object_mut().unwrap().remove(name)),
                value => question[name] = value.clone(),
            }
        }
        json!(["get_metric_statistics", question])
    };
    let stat = |stat: &str| json!({ "Metric": metric("Errors", &[]), "Period": 60, "Stat": stat });
    let data = |queries: Value, more: Value| {
        let mut question =
            json!({ "MetricDataQueries": queries, "StartTime": 1_700_000_000, "EndTime": 1_700_003_600 });
        question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!(["get_metric_data", question])
    };
    let one = |query: Value| data(json!([query]), json!({}));
    let questions = json!([
        with(json!({ "MetricName": null })),
        with(json!({ "Statistics": ["Most"] })),
        with(json!({ "Statistics": null })),
        with(json!({ "ExtendedStatistics": ["p99"] })),
        with(json!({ "EndTime": 1_700_000_000 })),
        with(json!({ "EndTime": 1_700_864_000 })),
        with(json!({ "Period": 61 })),
        with(json!({ "Statistics": null, "ExtendedStatistics": ["tm99"] })),
        one(json!({ "Id": "a", "MetricStat": stat("None") })),
        one(json!({ "Id": "a" })),
        one(json!({ "Id": "A", "MetricStat": stat("Sum") })),
        one(json!({ "Id": "a", "Expression": "b * 2" })),
        one(json!({ "Id": "a", "Expression": "a * 2" })),
        one(json!({ "Id": "a", "Expression": "SEARCH('Errors', 'Sum')" })),
        data(json!([{ "Id": "a", "MetricStat": stat("Sum") }]), json!({ "NextToken": "mine" })),
        data(json!([{ "Id": "a", "MetricStat": stat("Sum") }]), json!({ "ScanBy": "Time" })),
        ["list_metrics", { "RecentlyActive": "PT1H" }],
        ["put_metric_data", { "Namespace": "N", "MetricData": [{ "MetricName": "m", "Value": 1 }] }],
        ["describe_alarms", {}],
    ]);
    let answers = run_python(&server, "metrics.py", &[&questions.to_string()]).json();
    let text: String = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{}\n", one.as_str().unwrap_or("no error").trim_end()))
        .collect();
    expect![[r#"
        400 MissingParameter: The parameter MetricName is required.
        400 InvalidParameterValue: The parameter Statistics.member.1 must be a value in the set [ Minimum, Maximum, Average, SampleCount, Sum ].
        400 InvalidParameterCombination: Either the parameter Statistics or the parameter ExtendedStatistics must be specified.
        400 InvalidParameterCombination: The parameters ExtendedStatistics and Statistics are mutually exclusive and you have specified both.
        400 InvalidParameterValue: The parameter StartTime must be less than the parameter EndTime.
        400 InvalidParameterCombination: You have requested up to 14,400 datapoints, which exceeds the limit of 1,440. You may reduce the datapoints requested by increasing Period, or decreasing the time range.
        400 InvalidParameterValue: The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.
        501 NotImplementedException: Hearth does not implement the statistic tm99 yet
        400 ValidationError: The value None for parameter MetricDataQueries.member.1.MetricStat.Stat is not a valid statistic.
        400 ValidationError: The parameter MetricDataQueries.member.1.MetricStat is required.
        400 ValidationError: The value A for parameter MetricDataQueries.member.1.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.
        400 ValidationError: Error in expression 'a': Metric 'b' is not defined
        400 ValidationError: Error in expression 'a': It depends on itself, or on too many others
        501 NotImplementedException: Hearth does not implement the function SEARCH of metric math yet
        400 InvalidNextToken: The next token is not valid for this request
        400 ValidationError: The parameter ScanBy must be a value in the set [ TimestampDescending, TimestampAscending ].
        400 InvalidParameterValue: The parameter RecentlyActive must be a value in the set [ PT3H ].
        501 NotImplementedException: Hearth does not implement the operation PutMetricData of CloudWatch yet
        501 NotImplementedException: Hearth does not implement the operation DescribeAlarms of CloudWatch yet
    "#]]
    .assert_eq(&text);
}

#[test]
fn asynchronous_events_provisioned_concurrency_and_urls_are_counted() {
    let server = Server::start();
    let function = server.create(python("events", OBEDIENT));
    let config = json!({ "MaximumRetryAttempts": 0 });
    send(&server, "PUT", "/2019-09-25/functions/events/event-invoke-config", &config);
    for payload in ["{}", r#"{"fail": true}"#, "{}"] {
        let headers = [("X-Amz-Invocation-Type", "Event")];
        let call = Call { headers: &headers, payload: payload.as_bytes(), ..Call::default() };
        assert_eq!(function.call(&call).status(), 202);
    }
    function.logs_with_reports(3);
    let of = |name| [("FunctionName", name)];
    let (events, url, warm) = (of("events"), of("reached"), of("warm"));
    let reached = server.create(python("reached", OBEDIENT));
    let path = "/2021-10-31/functions/reached/url";
    let made = send(&server, "POST", path, &json!({ "AuthType": "NONE" }));
    let id = made["FunctionUrl"]
        .as_str()
        .unwrap()
        .split("//")
        .nth(1)
        .unwrap()
        .split('.')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(server.http("GET", &format!("/_hearth/url/{id}/"), b"").status, 200);
    // The event of a URL has no `status`, so this is the function's fault and answered with 502.
    reached.update_code(
        &hearth_tests::Package::new()
            .file("app.py", "def handler(event, context):\n    raise ValueError()\n"),
    );
    reached.wait_until("LastUpdateStatus", "Successful");
    assert_eq!(server.http("GET", &format!("/_hearth/url/{id}/"), b"").status, 502);

    let provisioned = server.create(python("warm", OBEDIENT));
    publish(&server, &provisioned);
    let path = "/2019-09-30/functions/warm/provisioned-concurrency?Qualifier=1";
    send(&server, "PUT", path, &json!({ "ProvisionedConcurrentExecutions": 1 }));
    eventually("an environment is provisioned", || {
        (server.http("GET", path, b"").json()["Status"] == "READY").then_some(())
    });
    invoke_as(&provisioned, "1");

    let asked: Vec<Asked<'_>> = vec![
        ("AsyncEventsReceived", &events, "Sum"),
        ("AsyncEventAge", &events, "SampleCount"),
        ("AsyncEventsDropped", &events, "Sum"),
        ("Errors", &events, "Sum"),
        ("UrlRequestCount", &url, "Sum"),
        ("Url4xxCount", &url, "Sum"),
        ("Url5xxCount", &url, "Sum"),
        ("UrlRequestLatency", &url, "SampleCount"),
        ("ProvisionedConcurrencyInvocations", &warm, "Sum"),
        ("ProvisionedConcurrencyUtilization", &warm, "Maximum"),
        ("ProvisionedConcurrencySpilloverInvocations", &warm, "Sum"),
    ];
    let expected = json!([3.0, 3.0, 1.0, 1.0, 2.0, 0.0, 1.0, 2.0, 1.0, 1.0, null]);
    let mut seen = Value::Null;
    let settled = hearth_tests::try_within(hearth_tests::LIMIT, || {
        seen = Value::from(statistics(&server, &asked));
        (seen == expected).then_some(())
    });
    assert!(settled.is_some(), "{seen}");
}

#[test]
fn what_was_counted_outlives_restarts_and_crashes() {
    let data = Arc::new(Folder::new());
    let start = || Settings::new().data_dir(&data).start();
    let invocations = |server: &Server| {
        statistics(server, &[("Invocations", &[("FunctionName", "lasting")], "Sum")])[0].clone()
    };
    let log = data.path().join("metrics/metrics.db-wal");
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let server = start();
    let function = server.create(python("lasting", OBEDIENT));
    let before = size(&log);
    (0..3).for_each(|_| drop(function.invoke("{}")));
    // Nobody asks: it is written by itself, after ten seconds or a little more.
    within(Duration::from_secs(120), "it is on disk", || (size(&log) > before).then_some(()));
    server.kill();
    let server = start();
    assert_eq!(invocations(&server), 3.0, "after a crash");
    (0..2).for_each(|_| drop(server.function("lasting").invoke("{}")));
    server.function("lasting").wait_until_all_are_ready();
    server.stop();
    let server = start();
    assert_eq!(invocations(&server), 5.0, "after a restart");
}
