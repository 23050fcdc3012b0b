//! Other clients than boto3, and the protocols that they speak.

use std::process::Command;

use hearth_tests::{
    Server, aws, eventually, http, needs_aws_cli_2, needs_node, python, repository, run_node, skip,
};
use serde_json::{Value, json};

use super::{OBEDIENT, metric, range};

/// What the AWS CLI prints for the invocations of a function, summed up.
fn sum_of(printed: &str) -> f64 {
    let printed: Value = serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    let values = printed["MetricDataResults"][0]["Values"].as_array().unwrap().clone();
    values.iter().filter_map(Value::as_f64).sum()
}

#[test]
fn the_aws_cli_of_either_version_and_the_javascript_sdk_see_the_same() {
    let server = Server::start();
    let function = server.create(python("shared", OBEDIENT));
    (0..5).for_each(|_| drop(function.invoke("{}")));
    function.wait_until_all_are_ready();
    let (from, to) = range();
    let (from, to) = (from.to_string(), to.to_string());
    let stat = json!({ "Metric": metric("Invocations", &[("FunctionName", "shared")]), "Period": 60, "Stat": "Sum" });
    let queries = json!([{ "Id": "calls", "MetricStat": stat }]).to_string();
    let arguments = [
        "cloudwatch",
        "get-metric-data",
        "--start-time",
        &from,
        "--end-time",
        &to,
        "--metric-data-queries",
        &queries,
    ];
    assert_eq!(sum_of(&aws(&server, &[&arguments[..], &["--output", "json"]].concat()).success()), 5.0);
    if needs_aws_cli_2() {
        let mut cli = Command::new("/usr/bin/aws");
        cli.args(["--endpoint-url", &server.url(), "--output", "json"]).args(arguments);
        cli.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
        let output = cli.env("AWS_REGION", "us-east-1").env("AWS_PAGER", "").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(sum_of(&String::from_utf8(output.stdout).unwrap()), 5.0);
    }
    if needs_node() && repository().join(".cache/cloudwatch/node_modules").exists() {
        let seen = run_node(&server, "metrics.js", &["shared", &from, &to]).json();
        let expected = json!({
            "sum": 5,
            "status": "Complete",
            "areDates": true,
            "statistics": [{ "Sum": 5, "SampleCount": 5, "Unit": "Count" }],
            "listed": 2,
            "refused": "501 NotImplementedException",
        });
        assert_eq!(seen, expected);
    } else {
        skip("the AWS SDK for JavaScript for CloudWatch is not in .cache/; `cargo xtask test` installs it");
    }
}

#[test]
fn all_three_protocols_answer_alike() {
    let server = Server::start();
    server.create(python("spoken", OBEDIENT)).invoke("{}");
    let json_body = json!({ "Namespace": "AWS/Lambda", "MetricName": "Invocations", "Dimensions": [{ "Name": "FunctionName", "Value": "spoken" }] });
    let headers = [
        ("X-Amz-Target", "GraniteServiceVersion20100801.ListMetrics"),
        ("Content-Type", "application/x-amz-json-1.0"),
    ];
    let wait = || http(server.address(), "POST", "/", &headers, json_body.to_string().as_bytes());
    let answer = eventually("the invocation is listed", || {
        Some(wait()).filter(|answer| answer.text().contains("spoken"))
    });
    assert_eq!(answer.header("Content-Type"), Some("application/x-amz-json-1.0"));
    assert_eq!(answer.json()["Metrics"][0]["MetricName"], "Invocations");

    let signed = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0";
    let headers = [("Authorization", signed), ("Content-Type", "application/x-www-form-urlencoded")];
    let form = |form: &str| http(server.address(), "POST", "/", &headers, form.as_bytes());
    let answer = form(
        "Action=ListMetrics&Version=2010-08-01&MetricName=Invocations&Dimensions.member.1.Name=FunctionName",
    );
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("text/xml")));
    let expected = "<member><Namespace>AWS/Lambda</Namespace><MetricName>Invocations</MetricName><Dimensions><member><Name>FunctionName</Name><Value>spoken</Value></member></Dimensions></member>";
    assert!(answer.text().contains(expected), "{}", answer.text());
    let answer = form("Action=Nonsense&Version=2010-08-01");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("<Type>Sender</Type><Code>InvalidAction</Code>"), "{}", answer.text());

    let path = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
    let headers = [("smithy-protocol", "rpc-v2-cbor"), ("Content-Type", "application/cbor")];
    let answer = http(server.address(), "POST", path, &headers, b"\xbf\xff");
    let seen = (answer.status, answer.header("Content-Type"), answer.header("smithy-protocol"));
    assert_eq!(seen, (200, Some("application/cbor"), Some("rpc-v2-cbor")));
    for nonsense in
        [&b"\xff"[..], b"\xbf", b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", &[0x9f; 10_000], b"\xa0\xa0"]
    {
        let answer = http(server.address(), "POST", path, &headers, nonsense);
        assert_eq!(
            (answer.status, answer.header("x-amzn-query-error")),
            (400, Some("MalformedInput;Sender"))
        );
    }
}
