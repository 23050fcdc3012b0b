//! Who may what, as tables: a policy, a caller, and what comes of it.

use std::sync::Arc;

use hearth_types::{AccountId, FunctionName, LayerVersionArn, Qualifier, Region};
use serde_json::{Value, json};

use super::*;
use crate::{Asked, Caller, Identity, Resource, Right};

const OWNER: &str = "111111111111";
const OTHER: &str = "222222222222";
const F: &str = "arn:aws:lambda:us-east-1:111111111111:function:f";

fn account(id: &str) -> AccountId {
    AccountId::new(id).unwrap()
}

fn user(of: &str, name: &str, rights: Arc<[Right]>) -> Identity {
    let arn = format!("arn:aws:iam::{of}:user/{name}");
    Identity::user(Caller { arn, user_id: "AIDA".to_owned() }, account(of), rights)
}

/// A session of the role `work/er`.
fn session(of: &str, policies: &[Value]) -> Identity {
    let caller =
        Caller { arn: format!("arn:aws:sts::{of}:assumed-role/er/me"), user_id: "AROA:me".to_owned() };
    let policies = policies.iter().map(|policy| Document::parse(&policy.to_string()).unwrap()).collect();
    let role_arn = Some(format!("arn:aws:iam::{of}:role/work/er"));
    Identity { role_arn, policies, ..Identity::user(caller, account(of), Arc::from([])) }
}

fn function(qualifier: Option<&str>) -> Resource {
    let end = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
    Resource::Function {
        arn: format!("{F}{end}"),
        region: Region::new("us-east-1").unwrap(),
        account: account(OWNER),
        name: FunctionName::new("f").unwrap(),
        qualifier: qualifier.map(|qualifier| Qualifier::parse(qualifier).unwrap()),
    }
}

fn asked(action: &str, resource: Resource) -> Asked {
    Asked { action: format!("lambda:{action}"), resource }
}

fn policy(statements: &[Value]) -> Document {
    Document::parse(&json!({ "Version": "2012-10-17", "Statement": statements }).to_string()).unwrap()
}

fn statement(principal: Value, more: Value) -> Value {
    let mut statement = json!({
        "Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction", "Resource": F,
    });
    statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    statement
}

/// `may`, or the end of the refusal.
fn outcome(identity: &Identity, asked: &Asked, guarded: &Guarded) -> String {
    match decide(identity, asked, &account(OWNER), guarded, Context::default()) {
        Ok(()) => "may".to_owned(),
        Err(refusal) => {
            let text = refusal.message().to_owned();
            let start = format!("User: {} is not authorized to perform: ", identity.caller.arn);
            assert!(text.starts_with(&start), "{text}");
            let end = text.rsplit_once(" on resource: ").unwrap().1.split_once(' ').unwrap().1;
            end.replace("lambda:InvokeFunction", "A")
        }
    }
}

const NOT_BY_IDENTITY: &str = "because no identity-based policy allows the A action";
const NOT_BY_RESOURCE: &str = "because no resource-based policy allows the A action";
const DENIED_BY_IDENTITY: &str = "with an explicit deny in an identity-based policy";
const DENIED_BY_RESOURCE: &str = "with an explicit deny in a resource-based policy";

#[test]
fn within_an_account_one_of_both_is_enough_and_between_two_both_are_needed() {
    let callers = [
        user(OWNER, "ada", Right::invoke_only()),
        user(OWNER, "bob", Right::read_only()),
        user(OTHER, "eve", Right::invoke_only()),
        user(OTHER, "dan", Right::read_only()),
    ];
    let root = |of: &str| json!({ "AWS": format!("arn:aws:iam::{of}:root") });
    let named = |of: &str, name: &str| json!({ "AWS": format!("arn:aws:iam::{of}:user/{name}") });
    let none = policy(&[statement(named(OTHER, "nobody"), json!({}))]);
    let (n, r, d) = (NOT_BY_IDENTITY, NOT_BY_RESOURCE, DENIED_BY_RESOURCE);
    for (what, policy, expected) in [
        ("somebody else", none, ["may", n, r, n]),
        ("everybody", policy(&[statement(json!("*"), json!({}))]), ["may", "may", "may", n]),
        (
            "everybody of AWS",
            policy(&[statement(json!({ "AWS": "*" }), json!({}))]),
            ["may", "may", "may", n],
        ),
        ("the own account", policy(&[statement(root(OWNER), json!({}))]), ["may", n, r, n]),
        ("the other account", policy(&[statement(root(OTHER), json!({}))]), ["may", n, "may", n]),
        ("as a number", policy(&[statement(json!({ "AWS": [OTHER] }), json!({}))]), ["may", n, "may", n]),
        ("bob", policy(&[statement(named(OWNER, "bob"), json!({}))]), ["may", "may", r, n]),
        ("eve", policy(&[statement(named(OTHER, "eve"), json!({}))]), ["may", n, "may", n]),
        (
            "a service",
            policy(&[statement(json!({ "Service": "s3.amazonaws.com" }), json!({}))]),
            ["may", n, r, n],
        ),
        (
            "an identity provider",
            policy(&[statement(json!({ "Federated": "example.com" }), json!({}))]),
            ["may", n, r, n],
        ),
        (
            "everybody, but not the other account",
            policy(&[
                statement(json!("*"), json!({})),
                statement(root(OTHER), json!({ "Effect": "Deny", "Action": "*" })),
            ]),
            ["may", "may", d, d],
        ),
        ("nobody", policy(&[statement(json!("*"), json!({ "Effect": "Deny" }))]), [d, d, d, d]),
    ] {
        let guarded = Guarded::ByPolicy(policy);
        let seen =
            callers.each_ref().map(|who| outcome(who, &asked("InvokeFunction", function(None)), &guarded));
        assert_eq!(seen, expected, "{what}");
    }
    let seen = callers
        .each_ref()
        .map(|who| outcome(who, &asked("InvokeFunction", Resource::Any), &Guarded::ByNothing));
    assert_eq!(seen, ["may", n, r, n], "what has no policy");
}

#[test]
fn actions_and_resources_are_patterns_and_a_qualifier_is_a_resource_of_its_own() {
    let eve = user(OTHER, "eve", Right::admin());
    for (action, resource, asked_action, qualifier, expected) in [
        ("lambda:InvokeFunction", F.to_owned(), "InvokeFunction", None, true),
        ("lambda:invokefunction", F.to_owned(), "InvokeFunction", None, true),
        ("lambda:Invoke*", F.to_owned(), "InvokeFunction", None, true),
        ("lambda:*", F.to_owned(), "DeleteFunction", None, true),
        ("*", F.to_owned(), "DeleteFunction", None, true),
        ("lambda:GetFunction", F.to_owned(), "GetFunctionConfiguration", None, false),
        ("lambda:InvokeFunction", F.to_owned(), "InvokeFunction", Some("live"), false),
        ("lambda:InvokeFunction", format!("{F}:live"), "InvokeFunction", Some("live"), true),
        ("lambda:InvokeFunction", format!("{F}:live"), "InvokeFunction", None, false),
        ("lambda:InvokeFunction", F.to_owned(), "InvokeFunction", Some("$LATEST"), true),
        ("lambda:InvokeFunction", format!("{F}:3"), "InvokeFunction", Some("4"), false),
        ("lambda:InvokeFunction", format!("{F}:*"), "InvokeFunction", Some("4"), true),
        ("lambda:InvokeFunction", format!("{F}*"), "InvokeFunction", None, true),
        ("lambda:InvokeFunction", "arn:aws:lambda:*:*:function:?".to_owned(), "InvokeFunction", None, true),
        ("lambda:InvokeFunction", "${aws:username}".to_owned(), "InvokeFunction", None, false),
    ] {
        let more = json!({ "Action": [action], "Resource": [resource] });
        let guarded = Guarded::ByPolicy(policy(&[statement(json!("*"), more)]));
        let seen = decide(
            &eve,
            &asked(asked_action, function(qualifier)),
            &account(OWNER),
            &guarded,
            Context::default(),
        );
        assert_eq!(seen.is_ok(), expected, "{action} {resource} {asked_action} {qualifier:?}");
    }
}

#[test]
fn conditions_hold_what_is_not_understood_gives_nothing_and_takes_all() {
    let context = Context::default()
        .with(Key::SourceArn, "arn:aws:events:us-east-1:111111111111:rule/nightly")
        .with(Key::SourceAccount, OWNER);
    // What an `Allow`, and what a `Deny` with this condition does.
    for (condition, allows, denies) in [
        (json!({}), true, true),
        (json!({ "StringEquals": { "aws:SourceAccount": OWNER } }), true, true),
        (json!({ "StringEquals": { "AWS:SourceAccount": [OTHER, OWNER] } }), true, true),
        (json!({ "StringEquals": { "aws:SourceAccount": OTHER } }), false, false),
        (json!({ "StringNotEquals": { "aws:SourceAccount": OTHER } }), true, true),
        (json!({ "StringEqualsIgnoreCase": { "aws:SourceAccount": OWNER } }), true, true),
        (json!({ "StringLike": { "aws:SourceAccount": "1111*" } }), true, true),
        (json!({ "ArnLike": { "aws:SourceArn": "arn:aws:events:*:*:rule/*" } }), true, true),
        (
            json!({ "ArnEquals": { "aws:SourceArn": "arn:aws:events:us-east-1:111111111111:rule/nightly" } }),
            true,
            true,
        ),
        (json!({ "ArnLike": { "aws:SourceArn": "arn:aws:sns:*:*:*" } }), false, false),
        (json!({ "ArnNotLike": { "aws:SourceArn": "arn:aws:sns:*:*:*" } }), true, true),
        // Two conditions are both to be met.
        (
            json!({ "ArnLike": { "aws:SourceArn": "arn:aws:events:*:*:*", "aws:PrincipalOrgID": "o" } }),
            false,
            false,
        ),
        // A key without a value.
        (json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" } }), false, false),
        (json!({ "StringEqualsIfExists": { "aws:PrincipalOrgID": "o-1" } }), true, true),
        (json!({ "StringNotEquals": { "aws:PrincipalOrgID": "o-1" } }), true, true),
        (json!({ "Null": { "aws:PrincipalOrgID": "true" } }), true, true),
        (json!({ "Null": { "aws:PrincipalOrgID": false } }), false, false),
        (json!({ "ForAllValues:StringEquals": { "aws:PrincipalOrgID": "o-1" } }), true, true),
        (json!({ "ForAnyValue:StringEquals": { "aws:PrincipalOrgID": "o-1" } }), false, false),
        (json!({ "Bool": { "aws:PrincipalIsAWSService": "true" } }), true, true),
        // What is not understood.
        (json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } }), false, true),
        (json!({ "StringEquals": { "aws:SourceVpce": "vpce-1" } }), false, true),
        (json!({ "StringEquals": { "aws:SourceAccount": "${aws:PrincipalAccount}" } }), false, true),
        // It does not matter when another one is not met.
        (
            json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" }, "StringEquals": { "aws:SourceAccount": OTHER } }),
            false,
            false,
        ),
    ] {
        let conditional = |effect: &str| {
            let more = json!({ "Effect": effect, "Condition": condition });
            statement(json!({ "Service": "events.amazonaws.com" }), more)
        };
        let by = |service: &str, policy: &Document| {
            is_open_to(
                policy,
                &Who::Service(service),
                &asked("InvokeFunction", function(None)),
                context.clone(),
            )
        };
        let allowing = policy(&[conditional("Allow")]);
        assert_eq!(by("events.amazonaws.com", &allowing), allows, "Allow if {condition}");
        assert!(!by("sns.amazonaws.com", &allowing), "another service: {condition}");
        let denying = policy(&[statement(json!("*"), json!({})), conditional("Deny")]);
        assert_eq!(!by("events.amazonaws.com", &denying), denies, "Deny if {condition}");
    }
}

#[test]
fn what_addpermission_grants_is_what_its_members_say() {
    let rule = "arn:aws:events:us-east-1:111111111111:rule/nightly";
    let granted = |grant: Grant<'_>| {
        let mut policy = Document::default();
        policy.push_grant(Grant { action: "lambda:InvokeFunction", resource: F.to_owned(), ..grant });
        policy
    };
    let events = || Grant { principal: "events.amazonaws.com", ..Grant::default() };
    let context = || Context::default().with(Key::SourceArn, rule).with(Key::SourceAccount, OWNER);
    let invoke = asked("InvokeFunction", function(None));
    let by = |policy: &Document, context| {
        is_open_to(policy, &Who::Service("events.amazonaws.com"), &invoke, context)
    };
    for (what, grant, expected) in [
        ("no condition", events(), true),
        ("its rule", Grant { source_arn: Some(rule), ..events() }, true),
        ("any rule", Grant { source_arn: Some("arn:aws:events:*:*:rule/*"), ..events() }, true),
        (
            "another rule",
            Grant { source_arn: Some("arn:aws:events:us-east-1:111111111111:rule/x"), ..events() },
            false,
        ),
        ("the account", Grant { source_account: Some(OWNER), ..events() }, true),
        ("another account", Grant { source_account: Some(OTHER), ..events() }, false),
        ("a token", Grant { event_source_token: Some("t"), ..events() }, false),
        ("an organization", Grant { principal_org_id: Some("o-1"), ..events() }, false),
        ("everybody", Grant { principal: "*", ..Grant::default() }, true),
        ("another service", Grant { principal: "sns.amazonaws.com", ..Grant::default() }, false),
        ("an account", Grant { principal: OWNER, ..Grant::default() }, false),
    ] {
        assert_eq!(by(&granted(grant), context()), expected, "{what}");
    }
    assert!(
        !by(&granted(Grant { source_arn: Some(rule), ..events() }), Context::default()),
        "without a source"
    );
    // By a function URL.
    let url = |auth_type: &str| {
        Context::default().with(Key::FunctionUrlAuthType, auth_type).with(Key::InvokedViaFunctionUrl, "true")
    };
    let open = granted(Grant { principal: "*", function_url_auth_type: Some("NONE"), ..Grant::default() });
    assert!(is_open_to(&open, &Who::Anybody, &invoke, url("NONE")));
    assert!(!is_open_to(&open, &Who::Anybody, &invoke, url("AWS_IAM")));
    let via = granted(Grant { principal: "*", invoked_via_function_url: Some(true), ..Grant::default() });
    assert!(is_open_to(&via, &Who::Anybody, &invoke, url("NONE")));
    assert!(!is_open_to(&via, &Who::Anybody, &invoke, Context::default()), "not by a URL");
    // An account, and one of an organization.
    let eve = user(OTHER, "eve", Right::admin());
    let of_org = Identity { organization_id: Some("o-1".to_owned()), ..eve.clone() };
    let for_org = Guarded::ByPolicy(granted(Grant {
        principal: "*",
        principal_org_id: Some("o-1"),
        ..Grant::default()
    }));
    assert_eq!(outcome(&of_org, &invoke, &for_org), "may");
    assert_eq!(outcome(&eve, &invoke, &for_org), NOT_BY_RESOURCE);
    let for_account = Guarded::ByPolicy(granted(Grant { principal: OTHER, ..Grant::default() }));
    assert_eq!(outcome(&eve, &invoke, &for_account), "may");
}

#[test]
fn a_session_may_what_the_policies_of_its_role_say_and_is_known_by_its_role() {
    let invoke = asked("InvokeFunction", function(None));
    let allow = |more: Value| {
        let mut statement = json!({ "Effect": "Allow", "Action": "lambda:*", "Resource": "*" });
        statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "Statement": statement })
    };
    let deny = json!({ "Statement": { "Effect": "Deny", "NotAction": "lambda:Get*", "Resource": "*" } });
    let besides = json!({ "Statement": [{ "Effect": "Allow", "Action": "*", "NotResource": F }] });
    for (what, policies, expected) in [
        ("nothing", vec![], NOT_BY_IDENTITY),
        ("all of lambda", vec![allow(json!({}))], "may"),
        ("this function", vec![allow(json!({ "Resource": [F, "x"] }))], "may"),
        ("its versions", vec![allow(json!({ "Resource": format!("{F}:*") }))], NOT_BY_IDENTITY),
        ("all but this function", vec![besides], NOT_BY_IDENTITY),
        ("two policies, one denies", vec![allow(json!({})), deny], DENIED_BY_IDENTITY),
    ] {
        assert_eq!(outcome(&session(OWNER, &policies), &invoke, &Guarded::ByNothing), expected, "{what}");
    }
    let role = json!({ "AWS": format!("arn:aws:iam::{OTHER}:role/work/er") });
    let this_session = json!({ "AWS": format!("arn:aws:sts::{OTHER}:assumed-role/er/me") });
    let another = json!({ "AWS": format!("arn:aws:iam::{OTHER}:role/er") });
    let theirs = session(OTHER, &[allow(json!({}))]);
    for (principal, expected) in [(role, "may"), (this_session, "may"), (another, NOT_BY_RESOURCE)] {
        let guarded = Guarded::ByPolicy(policy(&[statement(principal.clone(), json!({}))]));
        assert_eq!(outcome(&theirs, &invoke, &guarded), expected, "{principal}");
    }
    // What cannot be told: only who may everything, and nobody whom anything is denied.
    let untold = asked("UpdateFunctionCode", Resource::Untold);
    let may = |policies: &[Value]| outcome(&session(OWNER, policies), &untold, &Guarded::ByNothing) == "may";
    let deny_another = json!({ "Statement": { "Effect": "Deny", "Action": "*", "Resource": "arn:other" } });
    assert!(may(&[allow(json!({}))]));
    assert!(!may(&[allow(json!({ "Resource": "arn:*" }))]));
    assert!(!may(&[allow(json!({})), deny_another]));
}

#[test]
fn a_role_is_assumed_by_whom_its_trust_policy_names_and_who_may() {
    let role = Resource::Role { arn: format!("arn:aws:iam::{OWNER}:role/r") };
    let asked = Asked { action: "sts:AssumeRole".to_owned(), resource: role };
    let trust = |principal: Value, condition: Value| {
        let statement = json!({
            "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition,
        });
        Guarded::ByTrust(policy(&[statement]))
    };
    let may = |who: &Identity, guarded: &Guarded, context: Context| {
        decide(who, &asked, &account(OWNER), guarded, context).is_ok()
    };
    let (ada, bob) = (user(OWNER, "ada", Right::admin()), user(OWNER, "bob", Right::invoke_only()));
    let eve = user(OTHER, "eve", Right::admin());
    let root = json!({ "AWS": OWNER });
    let given = |id: &str| Context::default().with(Key::ExternalId, id);
    assert!(may(&ada, &trust(root.clone(), json!({})), Context::default()));
    assert!(!may(&bob, &trust(json!("*"), json!({})), Context::default()), "no right to");
    assert!(!may(&eve, &trust(root, json!({})), Context::default()));
    assert!(!may(&ada, &trust(json!({ "Service": "lambda.amazonaws.com" }), json!({})), Context::default()));
    let with_id = trust(json!({ "AWS": OTHER }), json!({ "StringEquals": { "sts:ExternalId": "42" } }));
    assert!(may(&eve, &with_id, given("42")));
    assert!(!may(&eve, &with_id, given("43")));
    assert!(!may(&eve, &with_id, Context::default()));
}

#[test]
fn a_layer_version_is_used_by_whom_its_policy_names() {
    let arn = format!("arn:aws:lambda:us-east-1:{OWNER}:layer:l:3");
    let layer = |number: u64| {
        Resource::LayerVersion(LayerVersionArn { version: number, ..LayerVersionArn::parse(&arn).unwrap() })
    };
    let mut policy = Document::default();
    policy.push_grant(Grant {
        principal: OTHER,
        action: "lambda:GetLayerVersion",
        resource: arn.clone(),
        ..Grant::default()
    });
    let guarded = Guarded::ByPolicy(policy);
    let eve = user(OTHER, "eve", Right::admin());
    let may = |who: &Identity, action: &str, resource| {
        decide(who, &asked(action, resource), &account(OWNER), &guarded, Context::default()).is_ok()
    };
    assert!(may(&eve, "GetLayerVersion", layer(3)));
    assert!(!may(&eve, "GetLayerVersion", layer(4)));
    assert!(!may(&eve, "DeleteLayerVersion", layer(3)));
    assert!(!may(&user("333333333333", "dan", Right::admin()), "GetLayerVersion", layer(3)));
}

#[test]
fn what_is_no_policy_is_refused() {
    let good = statement(json!("*"), json!({}));
    assert!(Document::parse(&json!({ "Statement": good }).to_string()).is_ok());
    for (member, value) in [
        ("Effect", json!("Maybe")),
        ("Effect", json!(null)),
        ("Principal", json!("ada")),
        ("Principal", json!({})),
        ("Principal", json!({ "AWS": 1 })),
        ("Action", json!(1)),
        ("Action", json!([])),
        ("Action", json!([1])),
        ("NotAction", json!("x")),
        ("Resource", json!({})),
        ("Condition", json!("x")),
        ("Condition", json!({ "StringEquals": "x" })),
        ("Condition", json!({ "StringEquals": { "aws:SourceArn": {} } })),
    ] {
        let mut bad = good.clone();
        bad[member] = value.clone();
        assert!(Document::parse(&json!({ "Statement": [bad] }).to_string()).is_err(), "{member} {value}");
    }
    for text in ["", "[]", "{}", "{\"Statement\":1}", "{\"Statement\":[1]}"] {
        assert!(Document::parse(text).is_err(), "{text}");
    }
    let conditional = |operator: &str, key: &str| {
        let more = json!({ "Condition": { operator: { key: "x" } } });
        policy(&[statement(json!("*"), more)]).unknown_condition().map(str::to_owned)
    };
    assert_eq!(conditional("StringEquals", "aws:SourceArn"), None);
    assert_eq!(conditional("StringEquals", "aws:SourceIp").as_deref(), Some("StringEquals of aws:SourceIp"));
    assert_eq!(conditional("Odd", "aws:SourceArn").as_deref(), Some("Odd of aws:SourceArn"));
    let denies = Document::that_denies_everything();
    let invoke = asked("InvokeFunction", function(None));
    assert_eq!(denies.of_identity(&invoke, &Context::default()), Said::Denies);
    assert_eq!(denies.of_resource(&Who::Anybody, &invoke, &Context::default()), Said::Denies);
}
