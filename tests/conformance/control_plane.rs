//! The small operations that tools call all the time: limits and counts of the account, tags, resource policies.

use std::sync::Arc;

use expect_test::expect;
use hearth_tests::{Folder, Package, Settings, python, run_python};
use serde_json::json;

#[test]
fn boto3_asks_for_settings_tags_and_policies_and_a_restart_keeps_them() {
    let data_dir = Arc::new(Folder::new());
    let first = Settings::new().data_dir(&data_dir).start();
    let folder = Folder::new();
    let code = Package::new().file("app.py", "def handler(event, context): return 'small'\n").zip();
    let code = folder.write("code.zip", code);
    let seen = run_python(&first, "control_plane.py", &[code.to_str().unwrap()]).json();
    expect![[r#"
        {
          "added": "{\"Sid\":\"s3\",\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"s3.amazonaws.com\"},\"Action\":\"lambda:InvokeFunction\",\"Resource\":\"arn:aws:lambda:us-east-1:000000000000:function:small\",\"Condition\":{\"StringEquals\":{\"AWS:SourceAccount\":\"123456789012\"},\"ArnLike\":{\"AWS:SourceArn\":\"arn:aws:s3:::bucket\"}}}",
          "created with": {
            "stage": "test",
            "team": "blue"
          },
          "limits": {
            "CodeSizeUnzipped": 262144000,
            "CodeSizeZipped": 52428800,
            "ConcurrentExecutions": 1000,
            "TotalCodeSize": 80530636800,
            "UnreservedConcurrentExecutions": 1000
          },
          "management": [
            "Allow",
            "FunctionUpdate",
            null
          ],
          "management at first": [
            "Terminate",
            "Auto",
            null
          ],
          "no policy": "404 ResourceNotFoundException: The resource you requested does not exist.",
          "none left": [
            {},
            false
          ],
          "nothing there": {
            "FunctionCount": 0,
            "TotalCodeSize": 0
          },
          "of a version": "400 InvalidParameterValueException: Tags on function aliases and versions are not supported. Please specify a function ARN.",
          "removed twice": "404 ResourceNotFoundException: Statement s3 is not found in resource policy.",
          "same revision": true,
          "stale": "412 PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id",
          "statements": [
            [
              "s3",
              {
                "Service": "s3.amazonaws.com"
              }
            ],
            [
              "them",
              {
                "AWS": "arn:aws:iam::123456789012:root"
              }
            ]
          ],
          "tags": {
            "cost center": "a=b+c/d@e",
            "team": "grün rot"
          },
          "this version": true,
          "too many": "400 InvalidParameterValueException: Number of tags exceeds resource tag limit.",
          "twice": "409 ResourceConflictException: The statement id (s3) provided already exists. Please provide a new statement id, or remove the existing statement.",
          "usage": [
            1,
            true
          ]
        }
    "#]].assert_eq(&format!("{seen:#}\n"));
    let settings = first.http("GET", "/2016-08-19/account-settings", b"").json();
    let policy = first.http("GET", "/2015-03-31/functions/small/policy", b"").json();
    assert!(policy["Policy"].as_str().unwrap().contains(r#""Sid":"them""#), "{policy}");
    let recursion = "/2024-08-31/functions/small/recursion-config";
    let runtime = "/2021-07-20/functions/small/runtime-management-config";
    let management = first.http("GET", runtime, b"").json();
    assert_eq!(management["UpdateRuntimeOn"], "Manual");
    first.stop();

    let second = Settings::new().data_dir(&data_dir).start();
    let path = "/2017-03-31/tags/arn:aws:lambda:us-east-1:000000000000:function:small";
    let tags = || second.http("GET", path, b"");
    assert_eq!(tags().json(), json!({ "Tags": { "kept": "over a restart" } }));
    assert_eq!(second.http("GET", "/2016-08-19/account-settings", b"").json(), settings);
    assert_eq!(second.http("GET", "/2015-03-31/functions/small/policy", b"").json(), policy);
    assert_eq!(second.http("GET", recursion, b"").json(), json!({ "RecursiveLoop": "Allow" }));
    assert_eq!(second.http("GET", runtime, b"").json(), management);
    assert_eq!(second.function("small").invoke("{}").success(), "small");
    assert_eq!(second.http("DELETE", "/2015-03-31/functions/small", b"").status, 204);
    assert_eq!(tags().status, 404, "gone with the function");
    second.create(python("small", "def handler(event, context): return 'again'\n"));
    assert_eq!(second.http("GET", "/2015-03-31/functions/small/policy", b"").status, 404);
    assert_eq!(tags().json(), json!({ "Tags": {} }), "a new function of the name has none of the old one's");
}
