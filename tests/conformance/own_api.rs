//! Hearth's own AWS API inside environments: a function calls another one with nothing configured, by its temporary keys,
//! and may not do more than the function rights say.

use std::path::PathBuf;

use hearth_tests::{
    Call, Function, NewFunction, Server, Settings, eventually, needs_node, needs_root, node, python,
    repository, try_http,
};
use serde_json::{Value, json};

/// A function that sends the requests of its event to Hearth, or answers with its event.
fn asking(name: &str) -> NewFunction {
    python(name, include_str!("own_api/app.py")).timeout(30)
}

/// Sends requests from inside a function; returns status, error type and body of each answer.
fn ask(function: &Function<'_>, requests: &Value) -> Vec<(u64, String, String)> {
    let answers = function.invoke(requests.to_string()).success();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let answers = answers.as_array().unwrap().iter();
    answers.map(|answer| (answer[0].as_u64().unwrap(), text(&answer[1]), text(&answer[2]))).collect()
}

fn invoke(name: &str, event: &Value) -> Value {
    let path = format!("/2015-03-31/functions/{name}/invocations");
    json!({ "method": "POST", "path": path, "body": event.to_string() })
}

fn logs(operation: &str, input: &Value) -> Value {
    json!({
        "method": "POST", "path": "/", "service": "logs", "body": input.to_string(),
        "headers": {
            "X-Amz-Target": format!("Logs_20140328.{operation}"), "Content-Type": "application/x-amz-json-1.1",
        },
    })
}

fn keys_of(function: &Function<'_>) -> Vec<String> {
    let keys = function.invoke("\"keys\"").success();
    keys.as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect()
}

/// Runs the same in both isolation modes, as far as this machine can.
fn in_both_modes(check: fn(&Server)) {
    check(&Settings::new().arguments(&["--isolation", "process"]).start());
    if needs_root() {
        check(&Settings::new().arguments(&["--isolation", "namespaces"]).start());
    }
}

const LIST: &str = "/2015-03-31/functions/";

#[test]
fn a_function_calls_another_one_and_gets_its_answer() {
    in_both_modes(|server| {
        let caller = server.create(asking("caller"));
        server.create(asking("callee"));
        let answers =
            ask(&caller, &json!([invoke("callee", &json!({ "n": 1 })), invoke("nobody", &json!({}))]));
        assert_eq!(answers[0].0, 200, "{answers:?}");
        assert_eq!(serde_json::from_str::<Value>(&answers[0].2).unwrap()["event"], json!({ "n": 1 }));
        assert_eq!((answers[1].0, &*answers[1].1), (404, "ResourceNotFoundException"), "{answers:?}");
    });
}

#[test]
fn a_policy_that_denies_keeps_a_function_from_another_one() {
    let server = Settings::new().without_walls().start();
    let caller = server.create(asking("caller"));
    server.create(asking("callee"));
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:callee";
    let role = caller.configuration()["Role"].clone();
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": { "AWS": role }, "Action": "lambda:InvokeFunction", "Resource": arn,
    }] });
    let path = format!("/2026-07-09/resource-policy/{}", arn.replace(':', "%3A"));
    let put = server.http("PUT", &path, json!({ "Policy": policy.to_string() }).to_string().as_bytes());
    assert_eq!(put.status, 200, "{}", put.text());
    let answers = ask(&caller, &json!([invoke("callee", &json!({})), invoke("caller", &json!("keys"))]));
    assert_eq!((answers[0].0, &*answers[0].1), (403, "AccessDeniedException"), "{answers:?}");
    assert!(answers[0].2.contains("with an explicit deny in a resource-based policy"), "{answers:?}");
    assert_eq!(answers[1].0, 200, "{answers:?}");
}

#[test]
fn case_084_without_or_with_foreign_credentials_nothing_is_created_or_read() {
    in_both_modes(|server| {
        let function = server.create(asking("curious"));
        let foreign = keys_of(&server.create(asking("another")));
        let body = asking("created").body().to_string();
        let mut requests = vec![];
        for (method, path, body) in [
            ("GET", LIST, ""),
            ("GET", "/2015-03-31/functions/another", ""),
            ("POST", "/2015-03-31/functions", &*body),
            ("DELETE", "/2015-03-31/functions/another", ""),
            ("POST", "/2015-03-31/functions/another/invocations", "{}"),
            ("GET", "/_hearth/environments", ""),
            ("GET", "/_hearth/functions/another/timeline", ""),
            ("GET", "/nowhere", ""),
        ] {
            requests.push(json!({ "method": method, "path": path, "body": body, "unsigned": true }));
            let keys = json!([foreign[0], foreign[1], foreign[2]]);
            let service = if path.starts_with("/_hearth") { "hearth" } else { "lambda" };
            requests.push(
                json!({ "method": method, "path": path, "body": body, "keys": keys, "service": service }),
            );
        }
        // Its own key with another secret, without its token, and with another environment's.
        let own = keys_of(&function);
        for keys in [
            json!([own[0], foreign[1], own[2]]),
            json!([own[0], own[1], ""]),
            json!([own[0], own[1], foreign[2]]),
        ] {
            requests.push(json!({ "path": LIST, "keys": keys }));
        }
        let answers = ask(&function, &json!(requests));
        for (request, answer) in requests.iter().zip(&answers) {
            assert_eq!(answer.0, 403, "{request} {answer:?}");
        }
        assert_eq!(answers[0].1, "MissingAuthenticationTokenException", "{answers:?}");
        assert_eq!(answers[1].1, "UnrecognizedClientException", "{answers:?}");
        let types: Vec<&str> = answers[answers.len() - 3..].iter().map(|answer| &*answer.1).collect();
        let expected =
            ["InvalidSignatureException", "UnrecognizedClientException", "UnrecognizedClientException"];
        assert_eq!(types, expected);
        let names: Value = server.http("GET", LIST, b"").json();
        let names: Vec<&str> = names["Functions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["FunctionName"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["another", "curious"]);
    });
}

#[test]
fn behind_walls_the_outer_listener_cannot_be_reached() {
    if !needs_root() {
        return;
    }
    let server = Settings::new().arguments(&["--isolation", "namespaces"]).start();
    let function = server.create(asking("walled"));
    let outside = server.address().to_string();
    let answers = ask(&function, &json!([{ "path": LIST, "unsigned": true, "host": outside }]));
    assert_eq!(answers[0].0, 0, "{answers:?}");
}

#[test]
fn what_the_rights_do_not_say_is_denied_in_awss_words() {
    let server = Server::start();
    let function = server.create(asking("bounded"));
    let answers = ask(
        &function,
        &json!([
            { "path": LIST },
            { "path": "/2015-03-31/functions/bounded" },
            { "method": "DELETE", "path": "/2015-03-31/functions/bounded" },
            { "path": "/_hearth/environments", "service": "hearth" },
            logs("DescribeLogGroups", &json!({})),
            logs("PutLogEvents", &json!({
                "logGroupName": "/aws/lambda/other", "logStreamName": "s", "logEvents": [{ "timestamp": 1, "message": "m" }],
            })),
        ]),
    );
    let user = "User: arn:aws:sts::000000000000:assumed-role/lambda/bounded is not authorized to perform: ";
    let because = |action: &str| format!("because no identity-based policy allows the {action} action");
    for (answer, (status, action, resource)) in answers.iter().zip([
        (403, "lambda:ListFunctions", "*"),
        (403, "lambda:GetFunction", "arn:aws:lambda:us-east-1:000000000000:function:bounded"),
        (403, "lambda:DeleteFunction", "arn:aws:lambda:us-east-1:000000000000:function:bounded"),
        (403, "hearth:Get", "*"),
        (400, "logs:DescribeLogGroups", "*"),
        (
            400,
            "logs:PutLogEvents",
            "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/other:log-stream:s",
        ),
    ]) {
        assert_eq!((answer.0, &*answer.1), (status, "AccessDeniedException"), "{answer:?}");
        let body: Value = serde_json::from_str(&answer.2).unwrap();
        assert_eq!(body["Message"], format!("{user}{action} on resource: {resource} {}", because(action)));
    }
    assert_eq!(server.http("GET", "/2015-03-31/functions/bounded", b"").status, 200);
}

#[test]
fn a_setting_bounds_the_rights() {
    let list = json!([{ "path": LIST }, invoke("asking", &json!("hello")), { "path": "/_hearth/environments", "service": "hearth" }]);
    for (rights, expected) in [
        ("lambda:List*,lambda:InvokeFunction on own", [200, 200, 403]),
        ("lambda:ListFunctions", [200, 403, 403]),
        ("none", [403, 403, 403]),
        // Hearth's own HTTP is not there, whatever the rights.
        ("*", [200, 200, 404]),
    ] {
        let server = Settings::new().arguments(&["--function-rights", rights]).start();
        let function = server.create(asking("asking"));
        let statuses: Vec<u64> = ask(&function, &list).into_iter().map(|answer| answer.0).collect();
        assert_eq!(statuses, expected, "{rights}");
    }
    let ended =
        Settings::new().arguments(&["--function-rights", "ec2:RunInstances"]).try_start().unwrap_err();
    assert!(
        ended.stderr.contains("`ec2:RunInstances` is not a right such as `lambda:InvokeFunction`"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_function_writes_to_its_own_log_group_and_knows_who_it_is() {
    let server = Server::start();
    let function = server.create(asking("writing"));
    let group = "/aws/lambda/writing";
    let now_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let events = json!([{ "timestamp": now_ms, "message": "written by the SDK" }]);
    let answers = ask(
        &function,
        &json!([
            logs("CreateLogStream", &json!({ "logGroupName": group, "logStreamName": "own" })),
            logs("PutLogEvents", &json!({ "logGroupName": group, "logStreamName": "own", "logEvents": events })),
            {
                "method": "POST", "path": "/", "service": "sts",
                "headers": { "Content-Type": "application/x-www-form-urlencoded" },
                "body": "Action=GetCallerIdentity&Version=2011-06-15",
            },
        ]),
    );
    assert!(answers.iter().all(|answer| answer.0 == 200), "{answers:?}");
    let arn = "<Arn>arn:aws:sts::000000000000:assumed-role/lambda/writing</Arn>";
    assert!(answers[2].2.contains(arn), "{answers:?}");
    function.logs_until("the line of the SDK", |lines| {
        lines.iter().any(|line| line.message.contains("written by the SDK"))
    });
}

/// Where boto3 is, for functions that see the host.
fn site_packages() -> PathBuf {
    let packages = repository().join(".cache/python-packages");
    if packages.exists() {
        return packages;
    }
    let lib = repository().join(".cache/python/lib");
    let versions = std::fs::read_dir(&lib)
        .unwrap_or_else(|error| panic!("`{}`: {error}; `cargo xtask test` makes it", lib.display()));
    versions.map(|entry| entry.unwrap().path().join("site-packages")).find(|path| path.exists()).unwrap()
}

#[test]
fn boto3_inside_a_function_needs_no_configuration_and_does_not_retry_what_is_denied() {
    let server = Settings::new().without_walls().start();
    server.create(asking("callee"));
    let source = "
import boto3, json
from botocore.exceptions import ClientError
client = boto3.client('lambda')
def handler(event, context):
    answer = client.invoke(FunctionName='callee', Payload=json.dumps(event))
    try:
        client.list_functions()
    except ClientError as error:
        denied = [error.response['Error']['Code'], error.response['ResponseMetadata']['RetryAttempts']]
    return [json.load(answer['Payload']), denied, boto3.client('sts').get_caller_identity()['Arn']]
";
    let variables = json!({ "Variables": { "PYTHONPATH": site_packages() } });
    let function = server.create(python("caller", source).timeout(60).with("Environment", variables));
    let trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";
    let call = Call { payload: b"{\"n\":2}", headers: &[("X-Amzn-Trace-Id", trace)], ..Call::default() };
    let seen = function.call(&call).success();
    assert_eq!(seen[0]["event"], json!({ "n": 2 }));
    // It goes on, with a run of each of the two functions noted.
    let went_on = seen[0]["trace"].as_str().unwrap();
    let lineage = went_on.strip_prefix(trace).and_then(|rest| rest.strip_prefix(";Lineage=")).unwrap();
    assert_eq!(lineage.split('|').count(), 2, "{went_on}");
    assert_eq!(seen[1], json!(["AccessDeniedException", 0]));
    assert_eq!(seen[2], "arn:aws:sts::000000000000:assumed-role/lambda/caller");
}

#[test]
fn the_javascript_sdk_inside_a_function_needs_no_configuration() {
    if !needs_node() {
        return;
    }
    let server = Settings::new().without_walls().start();
    server.create(asking("callee"));
    let modules = repository().join(".cache/node/node_modules/");
    let source = format!(
        "import {{ createRequire }} from 'node:module';
const {{ LambdaClient, InvokeCommand, ListFunctionsCommand }} = createRequire({:?})('@aws-sdk/client-lambda');
const client = new LambdaClient();
export const handler = async (event) => {{
    const answer = await client.send(new InvokeCommand({{ FunctionName: 'callee', Payload: JSON.stringify(event) }}));
    const denied = await client.send(new ListFunctionsCommand()).catch((error) => [error.name, error.$metadata.attempts]);
    return [JSON.parse(Buffer.from(answer.Payload)).event, denied];
}};
",
        modules.join("x.js").to_str().unwrap()
    );
    let function = server.create(node("caller", &source).timeout(60));
    let seen = function.invoke("{\"n\":3}").success();
    assert_eq!(seen, json!([{ "n": 3 }, ["AccessDeniedException", 1]]));
}

#[test]
fn who_names_an_endpoint_of_ones_own_keeps_it() {
    let server = Server::start();
    let source = "import os\ndef handler(event, context):\n    return os.environ['AWS_ENDPOINT_URL']\n";
    let variables = json!({ "Variables": { "AWS_ENDPOINT_URL": "http://elsewhere:1" } });
    let function = server.create(python("elsewhere", source).with("Environment", variables));
    assert_eq!(function.invoke("{}").success(), "http://elsewhere:1");
}

#[test]
fn keys_and_listener_end_with_their_environment_and_are_nowhere_to_be_read() {
    let server = Settings::new().without_walls().start();
    let function = server.create(asking("short-lived"));
    let keys = keys_of(&function);
    // A refusal, a denial and a function error are answered meanwhile.
    let wrong = json!([keys[0], keys[1], "wrong"]);
    ask(
        &function,
        &json!([{ "path": LIST }, { "path": LIST, "keys": wrong }, { "path": LIST, "unsigned": true }]),
    );
    function.call(&Call { payload: b"[{}]", ..Call::default() }).function_error();
    let reports = function.logs_with_reports(3);
    let timeline = server.timeline("short-lived").to_string();
    let environments = server.hearth("environments").to_string();
    let address = keys[3].strip_prefix("http://").unwrap().parse().unwrap();
    let open = || try_http(address, "GET", LIST, &[], b"");
    assert_eq!(open().unwrap().status, 403);
    function.delete();
    eventually("the listener of a deleted function is closed", || open().is_err().then_some(()));
    let data_dir = std::sync::Arc::clone(server.data_dir());
    let stderr = server.stop();
    for secret in &keys[1..3] {
        for (what, text) in [
            ("log", format!("{reports:?}")),
            ("timeline", timeline.clone()),
            ("environments", environments.clone()),
            ("standard error", stderr.clone()),
        ] {
            assert!(!text.contains(secret.as_str()), "a secret is in the {what}");
        }
        let found =
            std::process::Command::new("grep").args(["-rlF", secret]).arg(data_dir.path()).output().unwrap();
        assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
    }
}
