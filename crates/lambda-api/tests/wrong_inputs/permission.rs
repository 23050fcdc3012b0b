//! AddPermission, RemovePermission, GetPolicy.

use serde_json::{Value, json};

use crate::refusal::*;
use crate::support::Api;
use crate::{FUNCTIONS, NAMESPACED, QUALIFIER};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

fn statement() -> Value {
    json!({ "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com" })
}

fn with(member: &str, value: Value) -> Value {
    let mut body = statement();
    body[member] = value;
    body
}

async fn f_with_policy() -> Api {
    let api = Api::start().await.with_function().await;
    let added = api.json("POST", &format!("{FUNCTIONS}/f/policy"), statement()).await;
    assert_eq!(added.status, 201, "{}", added.text());
    api
}

async fn policy(api: &Api) -> Value {
    let policy = api.get(&format!("{FUNCTIONS}/f/policy")).await;
    assert_eq!(policy.status, 200, "{}", policy.text());
    policy.value()
}

fn no_such_resource() -> Refusal {
    not_found("The resource you requested does not exist.")
}

/// 412: of the policy of a function.
fn old_policy() -> Refusal {
    precondition_failed("GetPolicy")
}

#[tokio::test]
async fn a_function_that_is_wrong_or_not_ours_is_refused_by_every_operation() {
    let api = f_with_policy().await;
    let before = policy(&api).await;
    let unlike = |name: &str| broken(name, "functionName", pattern(NAMESPACED));
    for (operation, method, end) in [
        ("AddPermission", "POST", "/policy"),
        ("RemovePermission", "DELETE", "/policy/s"),
        ("GetPolicy", "GET", "/policy"),
    ] {
        let missing = |end: &str| match operation {
            "RemovePermission" => {
                not_found("No policy found for: arn:aws:lambda:us-east-1:000000000000:function:g")
            }
            _ => function_not_found(end),
        };
        let no_alias = || not_found(&format!("Cannot find alias arn: {ARN}:live"));
        for (name, query, refusal) in [
            ("a%20b", "", unlike("a b")),
            ("a%2Fb", "", unlike("a/b")),
            ("f%0D%0AX-Forged:1", "", unlike("f\r\nX-Forged:1")),
            ("%C3%A4", "", unlike("ä")),
            ("g", "", missing("g")),
            ("arn:aws:lambda:us-east-1:000000000000:function:g", "", missing("g")),
            (&ARN.replace("us-east-1", "eu-west-1"), "", unreachable_region("eu-west-1")),
            (&ARN.replace("000000000000", "123456789012"), "", denied(operation)),
            ("f:1", "", function_not_found("f:1")),
            ("f", "?Qualifier=1", function_not_found("f:1")),
            ("f:live", "", no_alias()),
            ("f", "?Qualifier=live", no_alias()),
            ("f", "?Qualifier=a%20b", broken("a b", "qualifier", pattern(QUALIFIER))),
            (
                "f:1",
                "?Qualifier=2",
                invalid_parameter(
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ),
            ),
        ] {
            let path = format!("{FUNCTIONS}/{name}{end}{query}");
            let body =
                if method == "POST" { with("StatementId", json!("t")).to_string() } else { String::new() };
            let answer = api.send(method, &path, &[], body.as_bytes()).await;
            refusal.check(&format!("{operation} {path}"), &answer);
        }
    }
    assert_eq!(policy(&api).await, before, "nothing changed");
}

#[tokio::test]
async fn a_wrong_statement_is_not_added() {
    let api = Api::start().await.with_function().await;
    let path = format!("{FUNCTIONS}/f/policy");
    let revision =
        async || api.get(&format!("{FUNCTIONS}/f")).await.value()["Configuration"]["RevisionId"].clone();
    let before = revision().await;
    let sid = r"([a-zA-Z0-9-_]+)";
    let action = r"(lambda:[*]|lambda:[a-zA-Z]+|[*])";
    let long = "x".repeat(101);
    let bad_principal =
        || invalid_parameter("The provided principal was invalid. Please check the principal and try again.");
    let arn = r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)";
    for (body, refusal) in [
        (json!({}), validation(&["statementId", "action", "principal"].map(missing))),
        (with("StatementId", json!("a b")), broken("a b", "statementId", pattern(sid))),
        (with("StatementId", json!("a.b")), broken("a.b", "statementId", pattern(sid))),
        (with("StatementId", json!(long)), broken(&long, "statementId", length_at_most(100))),
        (with("StatementId", json!(1)), wrong_type("NUMBER_VALUE", "a String")),
        (with("Action", json!("s3:GetObject")), broken("s3:GetObject", "action", pattern(action))),
        (with("Action", json!("lambda:Invoke*")), broken("lambda:Invoke*", "action", pattern(action))),
        (with("Principal", json!("a b")), broken("a b", "principal", pattern(r"[^\s]+"))),
        (with("Principal", json!("me")), bad_principal()),
        (with("Principal", json!("12345678901")), bad_principal()),
        (with("Principal", json!("me@example.com")), bad_principal()),
        (with("Principal", json!("arn:aws:s3:::bucket")), bad_principal()),
        (with("Principal", json!("arn:aws:iam::1:root")), bad_principal()),
        (with("Principal", json!("**")), bad_principal()),
        (with("SourceArn", json!("bucket")), broken("bucket", "sourceArn", pattern(arn))),
        (
            with("SourceAccount", json!("12345678901")),
            broken("12345678901", "sourceAccount", pattern(r"\d{12}")),
        ),
        (
            with("EventSourceToken", json!("a b")),
            broken("a b", "eventSourceToken", pattern(r"[a-zA-Z0-9._\-]+")),
        ),
        (
            with("FunctionUrlAuthType", json!("ALL")),
            broken("ALL", "functionUrlAuthType", one_of("NONE, AWS_IAM")),
        ),
        (with("InvokedViaFunctionUrl", json!("yes")), wrong_type("STRING_VALUE", "a Boolean")),
        (
            with("PrincipalOrgID", json!("o-0123456789A")),
            broken("o-0123456789A", "principalOrgID", pattern("o-[a-z0-9]{10,32}")),
        ),
        (with("RevisionId", json!("x")), old_policy()),
    ] {
        refusal.check(&body.to_string(), &api.json("POST", &path, body).await);
    }
    let latest = || invalid_parameter("We currently do not support adding policies for $LATEST.");
    for path in [format!("{path}?Qualifier=$LATEST"), format!("{FUNCTIONS}/f:$LATEST/policy")] {
        latest().check(&path, &api.json("POST", &path, statement()).await);
    }
    for (what, body, refusal) in [
        ("nothing", &b""[..], no_json()),
        ("a word", b"xyz", no_json()),
        ("a list", b"[]", unreadable("The request body is not a JSON object")),
    ] {
        refusal.check(what, &api.send("POST", &path, &[], body).await);
    }
    no_such_resource().check("no policy yet", &api.get(&path).await);
    assert_eq!(revision().await, before, "nothing changed");
}

#[tokio::test]
async fn a_whole_policy_is_checked_before_it_replaces_another() {
    let api = f_with_policy().await;
    let before = policy(&api).await;
    let path = format!("/2026-07-09/resource-policy/{}", ARN.replace(':', "%3A"));
    let good = json!({
        "Sid": "t", "Effect": "Deny", "Principal": { "Service": ["s3.amazonaws.com"] },
        "Action": ["lambda:InvokeFunction", "lambda:Get*"], "Resource": ARN,
        "Condition": { "StringEquals": { "AWS:SourceAccount": "123456789012" } },
    });
    let document = |statement: Value| json!({ "Version": "2012-10-17", "Statement": statement });
    let changed = |member: &str, value: Value| {
        let mut statement = good.clone();
        statement[member] = value;
        document(json!([statement]))
    };
    let invalid =
        |reason: &str| invalid_parameter(&format!("The provided policy document is invalid: {reason}"));
    for (document, reason) in [
        (json!([]), "it is not a JSON object"),
        (json!({ "Statement": [good] }), "its Version is not 2012-10-17"),
        (json!({ "Version": "2012-10-17" }), "it has no Statement"),
        (document(json!([])), "it has no Statement"),
        (document(json!(["x"])), "a statement is not a JSON object"),
        (document(json!([good, good])), "two statements have the Sid t"),
        (changed("NotAction", json!("*")), "it has a NotAction, which is unknown here"),
        (changed("Effect", json!("allow")), "an Effect is neither Allow nor Deny"),
        (changed("Principal", json!("me")), "a statement has no Principal"),
        (changed("Principal", json!({ "AWS": [] })), "a Principal is invalid"),
        (changed("Principal", json!({ "AWS": "me" })), "a Principal is invalid"),
        (changed("Principal", json!({ "Federated": "x" })), "it has a Federated, which is unknown here"),
        (changed("Action", json!("s3:GetObject")), "an Action is not one of lambda"),
        (changed("Action", json!([])), "an Action is not one of lambda"),
        (changed("Resource", json!("*")), &format!("a Resource is not {ARN}")),
        (changed("Resource", json!(format!("{ARN}:1"))), &format!("a Resource is not {ARN}")),
        (changed("Condition", json!([])), "a Condition is not a JSON object"),
        (changed("Condition", json!({ "Bool": 1 })), "a statement has no Condition that can be read"),
        (
            changed("Condition", json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } })),
            "Hearth does not know the condition IpAddress of aws:SourceIp yet",
        ),
        (changed("Sid", json!(1)), "a Sid is not a string of at most 100 characters"),
    ] {
        let body = json!({ "Policy": document.to_string() });
        invalid(reason).check(&document.to_string(), &api.json("PUT", &path, body).await);
    }
    let another = "00000000-0000-4000-8000-000000000000";
    let put = |body: Value| api.json("PUT", &path, body);
    let policy_of = |statement: &Value| document(statement.clone()).to_string();
    let stale = json!({ "Policy": policy_of(&good), "RevisionId": another });
    old_policy().check("another revision", &put(stale).await);
    validation(&[missing("policy")]).check("none", &put(json!({})).await);
    for (end, refusal) in [
        ("g", function_not_found("g")),
        ("f:1", function_not_found("f:1")),
        ("f:live", not_found(&format!("Cannot find alias arn: {ARN}:live"))),
        ("f:$LATEST", invalid_parameter("We currently do not support adding policies for $LATEST.")),
    ] {
        let of = format!("/2026-07-09/resource-policy/arn:aws:lambda:us-east-1:000000000000:function:{end}");
        let body = json!({ "Policy": policy_of(&good) });
        refusal.check(end, &api.json("PUT", &of, body).await);
        refusal.check(end, &api.get(&of).await);
        refusal.check(end, &api.send("DELETE", &of, &[], b"").await);
    }
    let runtime = "/2026-07-09/resource-policy/arn:aws:lambda:us-east-1:000000000000:runtime%2Fr";
    no_such_resource().check("a custom runtime", &api.get(runtime).await);
    assert_eq!(policy(&api).await, before, "nothing changed");

    let answer = put(json!({ "Policy": policy_of(&good), "RevisionId": before["RevisionId"] })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(policy(&api).await, answer.value(), "it is the policy that GetPolicy returns");
    assert_eq!(api.get(&path).await.value(), answer.value());
    let text: Value = serde_json::from_str(answer.value()["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(text["Statement"], json!([good]), "and it is what was put");
    assert_eq!(api.json("POST", &format!("{FUNCTIONS}/f/policy"), statement()).await.status, 201);
    assert_eq!(api.send("DELETE", &format!("{FUNCTIONS}/f/policy/t"), &[], b"").await.status, 204);
    old_policy().check("stale", &api.send("DELETE", &format!("{path}?RevisionId={another}"), &[], b"").await);
    assert_eq!(api.send("DELETE", &path, &[], b"").await.status, 204);
    no_such_resource().check("it is gone", &api.get(&path).await);
    not_found("No policy is associated with the given resource.")
        .check("twice", &api.send("DELETE", &path, &[], b"").await);
}

#[tokio::test]
async fn a_version_and_an_alias_have_policies_of_their_own() {
    let api = f_with_policy().await;
    api.settled("f").await;
    assert_eq!(api.json("POST", &format!("{FUNCTIONS}/f/versions"), json!({})).await.status, 201);
    let alias = json!({ "Name": "live", "FunctionVersion": "1" });
    assert_eq!(api.json("POST", &format!("{FUNCTIONS}/f/aliases"), alias).await.status, 201);
    let of_function = policy(&api).await;
    for qualifier in ["1", "live"] {
        let path = format!("{FUNCTIONS}/f/policy?Qualifier={qualifier}");
        no_such_resource().check("the function's is not theirs", &api.get(&path).await);
        let added = api.json("POST", &path, statement()).await;
        assert_eq!(added.status, 201, "{}", added.text());
        let arn = format!("\"Resource\":\"{ARN}:{qualifier}\"");
        let text = api.get(&path).await.value()["Policy"].as_str().unwrap().to_owned();
        assert!(text.contains(&arn), "{text}");
        let resource = format!("/2026-07-09/resource-policy/{ARN}:{qualifier}");
        assert_eq!(api.get(&resource).await.value(), api.get(&path).await.value());
    }
    assert_eq!(policy(&api).await, of_function, "nothing changed");
    let path = |qualifier: &str| format!("{FUNCTIONS}/f/policy/s?Qualifier={qualifier}");
    assert_eq!(api.send("DELETE", &path("1"), &[], b"").await.status, 204);
    no_such_resource().check("1", &api.get(&format!("{FUNCTIONS}/f/policy?Qualifier=1")).await);
    assert_eq!(api.get(&format!("{FUNCTIONS}/f:live/policy")).await.status, 200);
    assert_eq!(api.send("DELETE", &path("live"), &[], b"").await.status, 204);
}

#[tokio::test]
async fn statements_have_one_id_each_a_revision_and_room() {
    let api = Api::start().await.with_function().await;
    let path = format!("{FUNCTIONS}/f/policy");
    let delete = async |end: &str| api.send("DELETE", &format!("{path}/{end}"), &[], b"").await;
    not_found("No policy is associated with the given resource.").check("none", &delete("s").await);
    assert_eq!(api.json("POST", &path, statement()).await.status, 201);
    let before = policy(&api).await;
    conflict(
        "The statement id (s) provided already exists. Please provide a new statement id, or remove the existing \
         statement.",
    )
    .check("twice", &api.json("POST", &path, statement()).await);
    for (end, refusal) in [
        ("t", not_found("Statement t is not found in resource policy.")),
        ("S", not_found("Statement S is not found in resource policy.")),
        ("a%20b", broken("a b", "statementId", pattern(r"([a-zA-Z0-9-_.]+)"))),
        ("s%0A", broken("s\n", "statementId", pattern(r"([a-zA-Z0-9-_.]+)"))),
        (&"x".repeat(101), broken(&"x".repeat(101), "statementId", length_at_most(100))),
        ("s?RevisionId=x", old_policy()),
        ("s?RevisionId=", old_policy()),
        ("t?RevisionId=x", not_found("Statement t is not found in resource policy.")),
    ] {
        refusal.check(end, &delete(end).await);
    }
    assert_eq!(policy(&api).await, before, "nothing changed");

    let revision =
        async || api.get(&format!("{FUNCTIONS}/f")).await.value()["Configuration"]["RevisionId"].clone();
    let of_function = revision().await;
    let mut second = with("StatementId", json!("t"));
    second["RevisionId"] = before["RevisionId"].clone();
    assert_eq!(api.json("POST", &path, second).await.status, 201);
    let after = policy(&api).await;
    assert_ne!(after["RevisionId"], before["RevisionId"], "the policy has a new revision");
    assert_ne!(revision().await, of_function, "and so has the function");
    let seen = after["RevisionId"].as_str().unwrap();
    assert_eq!(delete(&format!("t?RevisionId={seen}&Qualifier=$LATEST")).await.status, 204);

    // As many as there is room for.
    let mut number = 0;
    let refused = loop {
        let answer = api.json("POST", &path, with("StatementId", json!(format!("s{number:0>99}")))).await;
        if answer.status != 201 {
            break answer;
        }
        number += 1;
    };
    policy_too_long().check("one more", &refused);
    let text = policy(&api).await["Policy"].as_str().unwrap().to_owned();
    assert!((20_000..=20_480).contains(&text.len()), "{} bytes", text.len());
    assert_eq!(api.send("DELETE", &format!("{FUNCTIONS}/f"), &[], b"").await.status, 204);
    function_not_found("f").check("gone", &api.get(&path).await);
    let api = api.with_function().await;
    no_such_resource().check("a new function of the name", &api.get(&path).await);
}

#[tokio::test]
async fn a_statement_is_written_as_aws_writes_it_and_may_come_while_the_function_settles() {
    let api = Api::start_in(crate::support::World { settles: false, ..Default::default() }).await;
    assert_eq!(api.create(json!({})).await.status, 201);
    let path = format!("{FUNCTIONS}/f/policy");
    let principal = |principal: &str, shown: &str| {
        (
            json!({ "Principal": principal }),
            format!(r#""Principal":{shown},"Action":"lambda:InvokeFunction""#),
            "",
        )
    };
    let role = "arn:aws:iam::123456789012:role/r";
    let s3 = r#""Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction""#.to_owned();
    let mut statements = Vec::new();
    for (number, (change, middle, condition)) in [
        principal("*", r#""*""#),
        principal("123456789012", r#"{"AWS":"arn:aws:iam::123456789012:root"}"#),
        principal(role, &format!(r#"{{"AWS":"{role}"}}"#)),
        principal("events.amazonaws.com", r#"{"Service":"events.amazonaws.com"}"#),
        (
            json!({ "Action": "lambda:*" }),
            r#""Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:*""#.to_owned(),
            "",
        ),
        (
            json!({ "SourceArn": "arn:aws:s3:::bucket" }),
            s3.clone(),
            r#"{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}"#,
        ),
        (
            json!({ "SourceArn": "arn:aws:s3:::bucket", "SourceAccount": "123456789012" }),
            s3.clone(),
            r#"{"StringEquals":{"AWS:SourceAccount":"123456789012"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}"#,
        ),
        (
            json!({ "EventSourceToken": "amzn1.ask.skill" }),
            s3.clone(),
            r#"{"StringEquals":{"lambda:EventSourceToken":"amzn1.ask.skill"}}"#,
        ),
        (
            json!({ "FunctionUrlAuthType": "NONE" }),
            s3.clone(),
            r#"{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}"#,
        ),
        (
            json!({ "InvokedViaFunctionUrl": true }),
            s3.clone(),
            r#"{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}"#,
        ),
        (
            json!({ "PrincipalOrgID": "o-0123456789" }),
            s3.clone(),
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-0123456789"}}"#,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = statement();
        body["StatementId"] = json!(format!("s{number}"));
        for (member, value) in change.as_object().unwrap() {
            body[member] = value.clone();
        }
        let condition =
            if condition.is_empty() { String::new() } else { format!(r#","Condition":{condition}"#) };
        let written =
            format!(r#"{{"Sid":"s{number}","Effect":"Allow",{middle},"Resource":"{ARN}"{condition}}}"#);
        let added = api.json("POST", &path, body.clone()).await;
        assert_eq!((added.status, added.value()), (201, json!({ "Statement": written })), "{body}");
        statements.push(written);
    }
    api.settle();
    api.settled("f").await;
    let configuration = api.get(&format!("{FUNCTIONS}/f/configuration")).await.value();
    assert_eq!(configuration["State"], "Active", "a change of the policy is in the way of nothing");
    let whole =
        format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{}]}}"#, statements.join(","));
    assert_eq!(policy(&api).await["Policy"], whole);
}
