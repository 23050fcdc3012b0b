//! PutFunctionConcurrency, GetFunctionConcurrency, DeleteFunctionConcurrency, and the operations on provisioned concurrency.

use serde_json::{Value, json};

use crate::refusal::*;
use crate::support::{Answer, Api, World};
use crate::{FUNCTION_NAME, FUNCTIONS};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

/// The model's pattern of `Qualifier`.
const QUALIFIER: &str = r"(|[a-zA-Z0-9$_-]+)";

/// The account has 1,000; `f` has the versions 1 and 2, and the aliases `live` of 1 and `edge` of `$LATEST`.
async fn api() -> Api {
    let api = Api::start_in(World { concurrency: 1_000, ..World::default() }).await.with_function().await;
    for (method, path, body) in [
        ("POST", "f/versions", json!({})),
        ("PUT", "f/configuration", json!({ "Description": "changed" })),
        ("POST", "f/versions", json!({})),
        ("POST", "f/aliases", json!({ "Name": "live", "FunctionVersion": "1" })),
        ("POST", "f/aliases", json!({ "Name": "edge", "FunctionVersion": "$LATEST" })),
    ] {
        let answer = api.json(method, &format!("{FUNCTIONS}/{path}"), body).await;
        assert!(answer.status < 300, "{path}: {}", answer.text());
        api.settled("f").await;
    }
    api
}

fn reserved(method: &str, name: &str) -> String {
    let date = if method == "GET" { "2019-09-30" } else { "2017-10-31" };
    format!("/{date}/functions/{name}/concurrency")
}

fn provisioned(name: &str, query: &str) -> String {
    format!("/2019-09-30/functions/{name}/provisioned-concurrency{query}")
}

async fn send(api: &Api, method: &str, path: &str, body: Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    api.send(method, path, &[], body.as_bytes()).await
}

/// 400: a text that comes without a `Type`, as recorded.
fn number(message: &str) -> Refusal {
    untyped("InvalidParameterValueException", message)
}

fn not_of_a_version() -> Refusal {
    invalid_parameter(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
         Please specify either a function name or an unqualified function ARN.",
    )
}

#[tokio::test]
async fn a_wrong_name_has_no_reserved_concurrency() {
    let api = api().await;
    let unlike = |name: &str| broken(name, "functionName", pattern(FUNCTION_NAME));
    for (operation, method) in [
        ("PutFunctionConcurrency", "PUT"),
        ("GetFunctionConcurrency", "GET"),
        ("DeleteFunctionConcurrency", "DELETE"),
    ] {
        let latest = if method == "DELETE" { "" } else { ":$LATEST" };
        for (name, refusal) in [
            ("a%20b", unlike("a b")),
            ("a%2Fb", unlike("a/b")),
            ("a.b", unlike("a.b")),
            ("%C3%A4", unlike("ä")),
            ("f%0D%0AX-Forged:1", unlike("f\r\nX-Forged:1")),
            ("f:1", not_of_a_version()),
            ("f:live", not_of_a_version()),
            (&format!("{ARN}:nobody"), not_of_a_version()),
            ("g", function_not_found(&format!("g{latest}"))),
            (&ARN.replace("n:f", "n:F"), function_not_found(&format!("F{latest}"))),
            (&ARN.replace("us-east-1", "eu-west-1"), unreachable_region("eu-west-1")),
            (&ARN.replace("000000000000", "123456789012"), denied(operation)),
        ] {
            let body =
                if method == "PUT" { json!({ "ReservedConcurrentExecutions": 1 }) } else { Value::Null };
            let answer = send(&api, method, &reserved(method, name), body).await;
            refusal.check(&format!("{operation} {name}"), &answer);
        }
    }
}

#[tokio::test]
async fn case_018_more_than_the_account_has_cannot_be_reserved() {
    let api = api().await;
    let too_much = || {
        number(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below \
             its minimum value of [100].",
        )
    };
    let path = reserved("PUT", "f");
    let of = |value: Value| json!({ "ReservedConcurrentExecutions": value });
    for (body, refusal) in [
        (json!({}), validation(&[missing("reservedConcurrentExecutions")])),
        (
            json!({ "ReservedConcurrentExecutions": null }),
            validation(&[missing("reservedConcurrentExecutions")]),
        ),
        (
            json!({ "reservedConcurrentExecutions": 1 }),
            validation(&[missing("reservedConcurrentExecutions")]),
        ),
        (of(json!(-1)), broken("-1", "reservedConcurrentExecutions", at_least(0))),
        (of(json!(901)), too_much()),
        (of(json!(1_000)), too_much()),
        (of(json!(1_001)), too_much()),
        (of(json!(2_147_483_647)), too_much()),
        (of(json!("1")), wrong_type("STRING_VALUE", "an Integer")),
        (of(json!(true)), wrong_type("TRUE_VALUE", "an Integer")),
        (of(json!([1])), wrong_type("START_ARRAY", "an Integer")),
        (json!([]), unreadable("The request body is not a JSON object")),
    ] {
        refusal.check(&body.to_string(), &api.json("PUT", &path, body).await);
    }
    no_json().check("nothing", &api.send("PUT", &path, &[], b"").await);
    let shown = async || api.get(&reserved("GET", "f")).await.value();
    assert_eq!(shown().await, json!({}), "as at the beginning");
    let function = async || api.get(&format!("{FUNCTIONS}/f")).await.value()["Concurrency"].clone();
    assert_eq!(function().await, Value::Null);
    for count in [900, 0, 7] {
        let answer = api.json("PUT", &path, of(json!(count))).await;
        assert_eq!((answer.status, answer.value()), (200, of(json!(count))));
        assert_eq!(shown().await, of(json!(count)));
        assert_eq!(function().await, of(json!(count)));
        let account = api.get("/2016-08-19/account-settings").await.value();
        assert_eq!(account["AccountLimit"]["UnreservedConcurrentExecutions"], 1_000 - count);
    }
    for _ in 0..2 {
        let deleted = api.send("DELETE", &path, &[], b"").await;
        assert_eq!((deleted.status, deleted.text()), (204, ""));
        assert_eq!(shown().await, json!({}));
    }
}

#[tokio::test]
async fn a_function_that_has_reserved_nothing_is_always_throttled() {
    let api = api().await;
    let invoke = async || api.send("POST", &format!("{FUNCTIONS}/f/invocations"), &[], b"{}").await;
    assert_eq!(invoke().await.status, 200);
    api.json("PUT", &reserved("PUT", "f"), json!({ "ReservedConcurrentExecutions": 0 })).await;
    let throttled = invoke().await;
    assert_eq!(
        (throttled.status, throttled.header("x-amzn-errortype")),
        (429, Some("TooManyRequestsException"))
    );
    let expected = json!({
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded."
    });
    assert_eq!(throttled.value(), expected);
    assert_eq!(api.runs(), 1);
    api.send("DELETE", &reserved("DELETE", "f"), &[], b"").await;
    assert_eq!(invoke().await.status, 200);
}

#[tokio::test]
async fn a_wrong_name_or_qualifier_has_no_provisioned_concurrency() {
    let api = api().await;
    let unlike = |name: &str| broken(name, "functionName", pattern(FUNCTION_NAME));
    let unpublished = |method: &str| {
        invalid_parameter(match method {
            "PUT" => "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
            _ => "The function resource provided must be an alias or a published version.",
        })
    };
    for (operation, method) in [
        ("PutProvisionedConcurrencyConfig", "PUT"),
        ("GetProvisionedConcurrencyConfig", "GET"),
        ("DeleteProvisionedConcurrencyConfig", "DELETE"),
    ] {
        for (name, query, refusal) in [
            ("a%20b", "?Qualifier=1", unlike("a b")),
            ("a%2Fb", "?Qualifier=1", unlike("a/b")),
            ("%C3%A4", "?Qualifier=1", unlike("ä")),
            ("f", "", validation(&[missing("qualifier")])),
            ("f", "?Qualifier=a%20b", broken("a b", "qualifier", pattern(QUALIFIER))),
            ("f", "?Qualifier=", broken("", "qualifier", length_at_least(1))),
            ("f", "?Qualifier=$LATEST", unpublished(method)),
            (
                "f:1",
                "?Qualifier=2",
                invalid_parameter(
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ),
            ),
            ("g", "?Qualifier=1", function_not_found("g")),
            (&ARN.replace("us-east-1", "eu-west-1"), "?Qualifier=1", unreachable_region("eu-west-1")),
            (&ARN.replace("000000000000", "123456789012"), "?Qualifier=1", denied(operation)),
        ] {
            let body =
                if method == "PUT" { json!({ "ProvisionedConcurrentExecutions": 1 }) } else { Value::Null };
            let path = provisioned(name, query);
            refusal.check(&format!("{operation} {path}"), &send(&api, method, &path, body).await);
        }
    }
    for (of, refusal) in [
        ("1", not_provisioned()),
        ("live", not_provisioned()),
        ("7", function_not_found("f:7")),
        ("nobody", not_found(&format!("Cannot find alias arn: {ARN}:nobody"))),
    ] {
        let path = provisioned("f", &format!("?Qualifier={of}"));
        refusal.check(of, &api.get(&path).await);
        let deleted = send(&api, "DELETE", &path, Value::Null).await;
        match of {
            "1" | "live" => assert_eq!((deleted.status, deleted.text()), (204, "")),
            _ => refusal.check(of, &deleted),
        }
    }
    for (name, query, refusal) in [
        ("a%20b", "", unlike("a b")),
        ("a%2Fb", "", unlike("a/b")),
        ("a.b", "", unlike("a.b")),
        ("%C3%A4", "", unlike("ä")),
        ("g", "", function_not_found("g")),
        ("f", "&MaxItems=0", broken("0", "maxItems", at_least(1))),
        ("f", "&MaxItems=51", broken("51", "maxItems", at_most(50))),
        ("f", "&MaxItems=x", wrong_type("STRING_VALUE", "an Integer")),
        (
            "f",
            "&Marker=garbage",
            invalid_parameter("The provided marker is invalid. Please provide a valid marker."),
        ),
        (&ARN.replace("us-east-1", "eu-west-1"), "", unreachable_region("eu-west-1")),
        (&ARN.replace("000000000000", "123456789012"), "", denied("ListProvisionedConcurrencyConfigs")),
    ] {
        let path = provisioned(name, &format!("?List=ALL{query}"));
        refusal.check(&path, &api.get(&path).await);
    }
}

fn not_provisioned() -> Refusal {
    modelled(
        404,
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
}

#[tokio::test]
async fn a_wrong_number_is_not_provisioned() {
    let api = api().await;
    let of = |value: Value| json!({ "ProvisionedConcurrentExecutions": value });
    let path = |qualifier: &str| provisioned("f", &format!("?Qualifier={qualifier}"));
    let member = "provisionedConcurrentExecutions";
    let unpublished = || {
        invalid_parameter(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        )
    };
    for (qualifier, body, refusal) in [
        ("1", json!({}), validation(&[missing(member)])),
        ("1", of(json!(null)), validation(&[missing(member)])),
        ("1", of(json!(0)), broken("0", member, at_least(1))),
        ("1", of(json!(-1)), broken("-1", member, at_least(1))),
        ("1", of(json!("1")), wrong_type("STRING_VALUE", "an Integer")),
        (
            "1",
            of(json!(1_001)),
            number(
                "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [1000].",
            ),
        ),
        (
            "1",
            of(json!(901)),
            number(
                "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its \
             minimum value of [100].",
            ),
        ),
        ("3", of(json!(1)), function_not_found("f:3")),
        ("nobody", of(json!(1)), not_found(&format!("Cannot find alias arn: {ARN}:nobody"))),
        ("edge", of(json!(1)), unpublished()),
        ("$LATEST", of(json!(1)), unpublished()),
        ("1", json!([]), unreadable("The request body is not a JSON object")),
    ] {
        refusal.check(&format!("{qualifier} {body}"), &api.json("PUT", &path(qualifier), body).await);
    }
    no_json().check("nothing", &api.send("PUT", &path("1"), &[], b"").await);
    let list = async || api.get(&provisioned("f", "?List=ALL")).await.value();
    assert_eq!(list().await, json!({ "ProvisionedConcurrencyConfigs": [] }));

    let put = api.json("PUT", &path("live"), of(json!(2))).await;
    let expected = json!({
        "RequestedProvisionedConcurrentExecutions": 2, "AvailableProvisionedConcurrentExecutions": 0,
        "AllocatedProvisionedConcurrentExecutions": 0, "Status": "IN_PROGRESS",
        "LastModified": "2024-01-31T12:00:00+0000"
    });
    assert_eq!((put.status, put.value()), (202, expected.clone()));
    assert_eq!(api.get(&path("live")).await.value(), expected);
    conflict("Version is pointed by a Provisioned Concurrency alias")
        .check("1", &api.json("PUT", &path("1"), of(json!(1))).await);
    assert_eq!(api.json("PUT", &path("2"), of(json!(1))).await.status, 202);
    let move_alias =
        api.json("PUT", &format!("{FUNCTIONS}/f/aliases/live"), json!({ "FunctionVersion": "2" })).await;
    conflict(
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
    )
    .check("live", &move_alias);
    let latest = api
        .json("PUT", &format!("{FUNCTIONS}/f/aliases/live"), json!({ "FunctionVersion": "$LATEST" }))
        .await;
    unpublished().check("live", &latest);
    let first = api.get(&provisioned("f", "?List=ALL&MaxItems=1")).await.value();
    assert_eq!(first["ProvisionedConcurrencyConfigs"][0]["FunctionArn"], format!("{ARN}:2"));
    let marker = first["NextMarker"].as_str().unwrap();
    let second = api.get(&provisioned("f", &format!("?List=ALL&Marker={marker}"))).await.value();
    assert_eq!(second["ProvisionedConcurrencyConfigs"][0]["FunctionArn"], format!("{ARN}:live"));
    assert_eq!(second.get("NextMarker"), None);

    let reserve = async |count| {
        api.json("PUT", &reserved("PUT", "f"), json!({ "ReservedConcurrentExecutions": count })).await
    };
    number(" ReservedConcurrentExecutions  2 should not be lower than function's total provisioned concurrency [3].")
        .check("reserved", &reserve(2).await);
    assert_eq!(reserve(3).await.status, 200);
    number("Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function")
        .check("provisioned", &api.json("PUT", &path("2"), of(json!(2))).await);
    for _ in 0..2 {
        assert_eq!(api.send("DELETE", &path("2"), &[], b"").await.status, 204);
        not_provisioned().check("2", &api.get(&path("2")).await);
    }
}
