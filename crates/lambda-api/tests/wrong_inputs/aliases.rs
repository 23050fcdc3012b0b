//! CreateAlias, GetAlias, UpdateAlias, DeleteAlias and ListAliases.

use serde_json::{Value, json};

use crate::refusal::*;
use crate::support::Api;
use crate::{FUNCTION_NAME, FUNCTIONS};

const NAME: &str = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)";
const VERSION: &str = r"(\$LATEST(\.PUBLISHED)?|[0-9]+)";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";
const NOT_OF_A_VERSION: &str = "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
                                Please specify either a function name or an unqualified function ARN.";

fn weights(weights: Value) -> Value {
    json!({ "AdditionalVersionWeights": weights })
}

/// `f`, with versions 1 and 2, and the alias `live` of version 1.
async fn aliased() -> Api {
    let api = Api::start().await.with_function().await;
    let update = json!({ "ZipFile": "emlwMg==", "Publish": true });
    assert_eq!(api.json("POST", &format!("{FUNCTIONS}/f/versions"), json!({})).await.status, 201);
    assert_eq!(api.json("PUT", &format!("{FUNCTIONS}/f/code"), update).await.status, 200);
    api.settled("f").await;
    let live = json!({ "Name": "live", "FunctionVersion": "1" });
    assert_eq!(api.json("POST", &format!("{FUNCTIONS}/f/aliases"), live).await.status, 201);
    api
}

/// What is wrong with the members that creation and change share.
fn wrong_members() -> Vec<(Value, Refusal)> {
    let path = "routingConfig.additionalVersionWeights";
    let of = |version: &str, config: Value| json!({ "FunctionVersion": version, "RoutingConfig": config });
    let head = |value: &str| {
        validation(&[format!("Value '{value}' at '{path}' failed to satisfy constraint: Map ")]).and_so_on()
    };
    vec![
        (json!({ "FunctionVersion": "live" }), broken("live", "functionVersion", pattern(VERSION))),
        (json!({ "FunctionVersion": "-1" }), broken("-1", "functionVersion", pattern(VERSION))),
        (json!({ "FunctionVersion": 1 }), wrong_type("NUMBER_VALUE", "a String")),
        (json!({ "FunctionVersion": "3" }), function_not_found("f:3")),
        (json!({ "FunctionVersion": "$LATEST.PUBLISHED" }), function_not_found("f:$LATEST.PUBLISHED")),
        (json!({ "FunctionVersion": "99999999999999999999" }), function_not_found("f:99999999999999999999")),
        (
            json!({ "FunctionVersion": "1", "Description": "x".repeat(257) }),
            broken(&"x".repeat(257), "description", length_at_most(256)),
        ),
        (of("1", weights(json!({ "2": 2.0 }))), head("{2=2.0}")),
        (of("1", weights(json!({ "2": -1.0 }))), head("{2=-1.0}")),
        (of("1", weights(json!({ "$LATEST": 0.5 }))), head("{$LATEST=0.5}")),
        (of("1", weights(json!({ "2": "much" }))), wrong_type("STRING_VALUE", "a Double")),
        (of("1", weights(json!({ "3": 0.5 }))), function_not_found("f:3")),
        (
            of("1", weights(json!({ "1": 0.1, "2": 0.1 }))),
            invalid_parameter("Number of items in AdditionalVersionWeights cannot be greater than 1"),
        ),
        (
            of("1", weights(json!({ "1": 0.5 }))),
            invalid_parameter(
                "Invalid function version 1. Function version 1 is already included in routing configuration.",
            ),
        ),
    ]
}

#[tokio::test]
async fn case_015_a_wrong_alias_is_refused_and_nothing_changes() {
    let api = aliased().await;
    let all = format!("{FUNCTIONS}/f/aliases");
    let before = api.get(&all).await.value();
    for (body, refusal) in wrong_members() {
        let mut create = body.clone();
        create["Name"] = json!("other");
        refusal.check(&format!("create {body}"), &api.json("POST", &all, create).await);
        refusal.check(&format!("update {body}"), &api.json("PUT", &format!("{all}/live"), body).await);
    }
    let latest = json!({ "FunctionVersion": "$LATEST", "Name": "other", "RoutingConfig": weights(json!({ "1": 0.5 })) });
    let latest = api.json("POST", &all, latest).await;
    assert_eq!(
        latest.outcome(),
        "400 InvalidParameterValueException: $LATEST is not supported for an alias pointing to more than 1 version"
    );
    assert!(latest.value().get("Type").is_none(), "{}", latest.text());
    assert_eq!(api.get(&all).await.value(), before);
}

#[tokio::test]
async fn case_015_a_wrong_name_of_an_alias_is_refused() {
    let api = aliased().await;
    let version = json!({ "FunctionVersion": "1" });
    let named = |name: Value| json!({ "Name": name, "FunctionVersion": "1" });
    for (function, body, refusal) in [
        ("f", named(json!("2024")), broken("2024", "name", pattern(NAME))),
        ("f", named(json!("a b")), broken("a b", "name", pattern(NAME))),
        ("f", named(json!("$LATEST")), broken("$LATEST", "name", pattern(NAME))),
        ("f", named(json!("x".repeat(129))), broken(&"x".repeat(129), "name", length_at_most(128))),
        ("f", named(json!(7)), wrong_type("NUMBER_VALUE", "a String")),
        ("f", version, validation(&[missing("name")])),
        ("f", json!({ "Name": "other" }), validation(&[missing("functionVersion")])),
        ("f", named(json!("live")), conflict(&format!("Alias already exists: {ARN}:live"))),
        ("g", named(json!("other")), function_not_found("g")),
        ("a%20b", named(json!("other")), broken("a b", "functionName", pattern(FUNCTION_NAME))),
        ("f:1", named(json!("other")), invalid_parameter(NOT_OF_A_VERSION)),
        ("123456789012:function:f", named(json!("other")), denied("CreateAlias")),
    ] {
        let answer = api.json("POST", &format!("{FUNCTIONS}/{function}/aliases"), body.clone()).await;
        refusal.check(&format!("{function} {body}"), &answer);
    }
    for (method, path, refusal) in [
        ("GET", "f/aliases/none", not_found(&format!("Cannot find alias arn: {ARN}:none"))),
        (
            "GET",
            "g/aliases/live",
            not_found("Cannot find alias arn: arn:aws:lambda:us-east-1:000000000000:function:g:live"),
        ),
        ("PUT", "f/aliases/none", not_found(&format!("Alias not found: {ARN}:none"))),
        ("GET", "f/aliases/42", broken("42", "name", pattern(NAME))),
        ("PUT", "f/aliases/42", broken("42", "name", pattern(NAME))),
        ("DELETE", "f/aliases/a%2Fb", broken("a/b", "name", pattern(NAME))),
        ("DELETE", "g/aliases/live", function_not_found("g")),
        ("GET", "g/aliases", function_not_found("g")),
        ("GET", "f/aliases?MaxItems=0", broken("0", "maxItems", at_least(1))),
        ("GET", "f/aliases?FunctionVersion=live", broken("live", "functionVersion", pattern(VERSION))),
        (
            "GET",
            // Base64 of `1`, which is no alias.
            "f/aliases?Marker=MQ",
            invalid_parameter("The provided marker is invalid. Please provide a valid marker."),
        ),
    ] {
        let body: &[u8] = if method == "PUT" { b"{}" } else { b"" };
        refusal.check(path, &api.send(method, &format!("{FUNCTIONS}/{path}"), &[], body).await);
    }
}

#[tokio::test]
async fn an_alias_is_changed_in_part_shown_called_and_deleted() {
    let api = aliased().await;
    let live = format!("{FUNCTIONS}/f/aliases/live");
    let first = api.get(&live).await.value();
    let stale = first["RevisionId"].clone();
    let change = json!({ "Description": "new", "RoutingConfig": weights(json!({ "2": 0.1 })) });
    let second = api.json("PUT", &live, change).await.value();
    assert_eq!(second["RoutingConfig"], weights(json!({ "2": 0.1 })));
    assert_eq!(api.get(&live).await.value(), second);
    let refused = api.json("PUT", &live, json!({ "RevisionId": stale, "FunctionVersion": "2" })).await;
    assert_eq!(
        (refused.status, refused.header("x-amzn-errortype")),
        (412, Some("PreconditionFailedException"))
    );
    for empty in [weights(json!({})), json!({})] {
        let cleared = api.json("PUT", &live, json!({ "RoutingConfig": empty })).await.value();
        assert_eq!((cleared.get("RoutingConfig"), &cleared["Description"]), (None, &json!("new")));
    }
    let shown = api.get(&format!("{FUNCTIONS}/f:live/configuration")).await.value();
    assert_eq!((&shown["FunctionArn"], &shown["Version"]), (&json!(format!("{ARN}:live")), &json!("1")));
    let called = api.json("POST", &format!("{FUNCTIONS}/f/invocations?Qualifier=live"), json!({})).await;
    assert_eq!((called.status, called.header("x-amz-executed-version")), (200, Some("1")));
    let in_use = api.send("DELETE", &format!("{FUNCTIONS}/f:1"), &[], b"").await;
    conflict("Function version 1 is still referenced by alias live").check("f:1", &in_use);
    for _ in 0..2 {
        assert_eq!(api.send("DELETE", &live, &[], b"").await.status, 204);
    }
    assert_eq!(api.get(&format!("{FUNCTIONS}/f/aliases")).await.value(), json!({ "Aliases": [] }));
    assert_eq!(api.send("DELETE", &format!("{FUNCTIONS}/f:1"), &[], b"").await.status, 204);
}
