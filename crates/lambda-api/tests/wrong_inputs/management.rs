//! GetFunctionRecursionConfig, PutFunctionRecursionConfig, GetRuntimeManagementConfig, PutRuntimeManagementConfig.

use serde_json::{Value, json};

use crate::refusal::*;
use crate::support::Api;
use crate::{NAMESPACED, QUALIFIER};

const RECURSION: &str = "/2024-08-31/functions";
const RUNTIME: &str = "/2021-07-20/functions";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

/// What the test's host has.
const PYTHON: &str = "arn:aws:lambda:us-east-1::runtime:python3.11";

/// The model's pattern of `UnqualifiedFunctionName`.
const UNQUALIFIED: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)";

fn recursion(name: &str) -> String {
    format!("{RECURSION}/{name}/recursion-config")
}

fn runtime(name: &str) -> String {
    format!("{RUNTIME}/{name}/runtime-management-config")
}

#[tokio::test]
async fn a_wrong_recursion_config_is_refused() {
    let api = Api::start().await.with_function().await;
    let unlike = |name: &str| broken(name, "functionName", pattern(UNQUALIFIED));
    for (operation, method) in [("GetFunctionRecursionConfig", "GET"), ("PutFunctionRecursionConfig", "PUT")]
    {
        for (name, refusal) in [
            ("a%20b", unlike("a b")),
            ("a%2Fb", unlike("a/b")),
            ("a.b", unlike("a.b")),
            ("%C3%A4", unlike("ä")),
            ("f:1", unlike("f:1")),
            ("f:$LATEST", unlike("f:$LATEST")),
            (&format!("{ARN}:live"), unlike(&format!("{ARN}:live"))),
            ("f%0D%0AX-Forged:1", unlike("f\r\nX-Forged:1")),
            ("g", function_not_found("g")),
            (&ARN.replace("n:f", "n:F"), function_not_found("F")),
            (&ARN.replace("us-east-1", "eu-west-1"), unreachable_region("eu-west-1")),
            (&ARN.replace("000000000000", "123456789012"), denied(operation)),
        ] {
            let body =
                if method == "PUT" { json!({ "RecursiveLoop": "Allow" }).to_string() } else { String::new() };
            let answer = api.send(method, &recursion(name), &[], body.as_bytes()).await;
            refusal.check(&format!("{operation} {name}"), &answer);
        }
    }
    let words = || one_of("Terminate, Allow");
    for (body, refusal) in [
        (json!({}), validation(&[missing("recursiveLoop")])),
        (json!({ "RecursiveLoop": null }), validation(&[missing("recursiveLoop")])),
        (json!({ "recursiveLoop": "Allow" }), validation(&[missing("recursiveLoop")])),
        (json!({ "RecursiveLoop": "" }), broken("", "recursiveLoop", words())),
        (json!({ "RecursiveLoop": "allow" }), broken("allow", "recursiveLoop", words())),
        (json!({ "RecursiveLoop": "Allow " }), broken("Allow ", "recursiveLoop", words())),
        (json!({ "RecursiveLoop": 1 }), wrong_type("NUMBER_VALUE", "a String")),
        (json!({ "RecursiveLoop": true }), wrong_type("TRUE_VALUE", "a String")),
        (json!({ "RecursiveLoop": ["Allow"] }), wrong_type("START_ARRAY", "a String")),
        (json!([]), unreadable("The request body is not a JSON object")),
    ] {
        refusal.check(&body.to_string(), &api.json("PUT", &recursion("f"), body).await);
    }
    no_json().check("nothing", &api.send("PUT", &recursion("f"), &[], b"").await);
    let shown = async || api.get(&recursion("f")).await.value();
    assert_eq!(shown().await, json!({ "RecursiveLoop": "Terminate" }), "as at the beginning");
    let allow = json!({ "RecursiveLoop": "Allow" });
    assert_eq!(api.json("PUT", &recursion(ARN), allow.clone()).await.value(), allow);
    assert_eq!(shown().await, allow);
}

#[tokio::test]
async fn a_wrong_runtime_management_config_is_refused() {
    let api = Api::start().await.with_function().await;
    let unlike = |name: &str| broken(name, "functionName", pattern(NAMESPACED));
    for (operation, method) in [("GetRuntimeManagementConfig", "GET"), ("PutRuntimeManagementConfig", "PUT")]
    {
        for (name, query, refusal) in [
            ("a%20b", "", unlike("a b")),
            ("a%2Fb", "", unlike("a/b")),
            ("%C3%A4", "", unlike("ä")),
            ("g", "", function_not_found("g")),
            ("f:1", "", function_not_found("f:1")),
            ("f", "?Qualifier=1", function_not_found("f:1")),
            ("f", "?Qualifier=live", function_not_found("f:live")),
            ("f", "?Qualifier=a%20b", broken("a b", "qualifier", pattern(QUALIFIER))),
            (&ARN.replace("us-east-1", "eu-west-1"), "", unreachable_region("eu-west-1")),
            (&ARN.replace("000000000000", "123456789012"), "", denied(operation)),
        ] {
            let body = if method == "PUT" {
                json!({ "UpdateRuntimeOn": "Auto" }).to_string()
            } else {
                String::new()
            };
            let path = format!("{}{query}", runtime(name));
            refusal
                .check(&format!("{operation} {path}"), &api.send(method, &path, &[], body.as_bytes()).await);
        }
    }
    // The texts are Hearth's.
    let not_together = || {
        invalid_parameter(
            "RuntimeVersionArn is needed when UpdateRuntimeOn is Manual, and not allowed otherwise",
        )
    };
    let not_here = |arn: &str| {
        invalid_parameter(&format!(
            "The runtime version {arn} is not the one that this host has for python3.11"
        ))
    };
    let words = || one_of("Auto, Manual, FunctionUpdate");
    let other = "arn:aws:lambda:us-east-1::runtime:0123";
    for (body, refusal) in [
        (json!({}), validation(&[missing("updateRuntimeOn")])),
        (json!({ "UpdateRuntimeOn": null }), validation(&[missing("updateRuntimeOn")])),
        (json!({ "UpdateRuntimeOn": "" }), broken("", "updateRuntimeOn", words())),
        (json!({ "UpdateRuntimeOn": "auto" }), broken("auto", "updateRuntimeOn", words())),
        (json!({ "UpdateRuntimeOn": 1 }), wrong_type("NUMBER_VALUE", "a String")),
        (json!({ "UpdateRuntimeOn": "Manual" }), not_together()),
        (json!({ "UpdateRuntimeOn": "Auto", "RuntimeVersionArn": PYTHON }), not_together()),
        (json!({ "UpdateRuntimeOn": "FunctionUpdate", "RuntimeVersionArn": PYTHON }), not_together()),
        (json!({ "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": other }), not_here(other)),
        (
            json!({ "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": 1 }),
            wrong_type("NUMBER_VALUE", "a String"),
        ),
        (json!([]), unreadable("The request body is not a JSON object")),
    ] {
        refusal.check(&body.to_string(), &api.json("PUT", &runtime("f"), body).await);
    }
    no_json().check("nothing", &api.send("PUT", &runtime("f"), &[], b"").await);
    let shown = async || api.get(&runtime("f")).await.value();
    let of = |mode: &str, version: Option<&str>| {
        let mut config = json!({ "UpdateRuntimeOn": mode, "FunctionArn": ARN });
        if let Some(version) = version {
            config["RuntimeVersionArn"] = Value::from(version);
        }
        config
    };
    assert_eq!(shown().await, of("Auto", None), "as at the beginning");
    let manual = json!({ "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": PYTHON });
    assert_eq!(api.json("PUT", &runtime("f"), manual).await.value(), of("Manual", Some(PYTHON)));
    assert_eq!(shown().await, of("Manual", Some(PYTHON)));
    let update = json!({ "UpdateRuntimeOn": "FunctionUpdate" });
    assert_eq!(api.json("PUT", &runtime("f"), update).await.status, 200);
    assert_eq!(shown().await, of("FunctionUpdate", None), "the version is forgotten");
}

#[tokio::test]
async fn a_published_version_has_a_runtime_management_config_of_its_own() {
    let api = Api::start().await.with_function().await;
    assert_eq!(api.json("POST", "/2015-03-31/functions/f/versions", json!({})).await.status, 201);
    let alias = json!({ "Name": "live", "FunctionVersion": "1" });
    assert_eq!(api.json("POST", "/2015-03-31/functions/f/aliases", alias).await.status, 201);
    let path = |qualifier: &str| format!("{}?Qualifier={qualifier}", runtime("f"));
    let auto = |arn: &str| json!({ "UpdateRuntimeOn": "Auto", "FunctionArn": arn });
    let first = format!("{ARN}:1");
    assert_eq!(api.get(&path("1")).await.value(), auto(&first));
    let update = json!({ "UpdateRuntimeOn": "FunctionUpdate" });
    let put = api.json("PUT", &path("1"), update).await;
    let expected = json!({ "UpdateRuntimeOn": "FunctionUpdate", "FunctionArn": first });
    assert_eq!((put.status, put.value()), (200, expected.clone()));
    assert_eq!(api.get(&path("1")).await.value(), expected);
    assert_eq!(api.get(&runtime("f")).await.value(), auto(ARN), "that of the function stays");
    function_not_found("f:2").check("2", &api.get(&path("2")).await);
    function_not_found("f:live").check("an alias is no version", &api.get(&path("live")).await);
}
