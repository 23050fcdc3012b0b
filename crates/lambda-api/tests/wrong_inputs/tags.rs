//! TagResource, UntagResource, ListTags; and GetAccountSettings, which has no input to be wrong.

use serde_json::{Map, Value, json};

use crate::refusal::*;
use crate::support::Api;

const TAGS: &str = "/2017-03-31/tags";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

/// The model's pattern of `TaggableResource`.
const RESOURCE: &str = r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|(capacity-provider|network-connector):[a-zA-Z0-9-_]{1,64})";

/// The constraints of a tag's key, as texts show them.
const KEY: &str = r"Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*)]";

/// The constraints of a tag's value.
const VALUE: &str = r"Map value must satisfy constraint: [Member must have length less than or equal to 256, Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*), Member must not be null]";

fn numbered(numbers: std::ops::Range<u32>) -> Value {
    numbers.map(|number| (format!("k{number}"), Value::from("v"))).collect::<Map<_, _>>().into()
}

fn cannot_be_processed() -> Refusal {
    invalid_parameter("An error occurred and the request cannot be processed.")
}

/// The text is Hearth's.
fn reserved(key: &str) -> Refusal {
    invalid_parameter(&format!("The tag key {key} is not allowed: keys that begin with aws: are reserved"))
}

async fn tagged_f() -> Api {
    let api = Api::start().await.with_function().await;
    let tagged = api.json("POST", &format!("{TAGS}/{ARN}"), json!({ "Tags": { "team": "blue" } })).await;
    assert_eq!((tagged.status, tagged.text()), (204, ""));
    api
}

async fn tags(api: &Api) -> Value {
    let listed = api.get(&format!("{TAGS}/{ARN}")).await;
    assert_eq!(listed.status, 200, "{}", listed.text());
    let shown = api.get("/2015-03-31/functions/f").await.value();
    let listed = listed.value()["Tags"].clone();
    assert_eq!(shown.get("Tags").unwrap_or(&json!({})), &listed, "GetFunction shows the same");
    listed
}

#[tokio::test]
async fn a_resource_that_is_wrong_or_not_ours_is_refused_by_every_operation() {
    let api = tagged_f().await;
    let unlike = |arn: &str| broken(arn, "resource", pattern(RESOURCE));
    let start = "arn:aws:lambda:us-east-1:000000000000";
    let mapping = format!("{start}:event-source-mapping:01234567-89ab-cdef-0123-456789abcdef");
    let provider = format!("{start}:capacity-provider:p");
    let signing = format!("{start}:code-signing-config:csc-0123456789abcdefg");
    let of_version = || {
        invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        )
    };
    for (operation, method, query) in
        [("TagResource", "POST", ""), ("UntagResource", "DELETE", "?tagKeys=team"), ("ListTags", "GET", "")]
    {
        for (resource, refusal) in [
            ("f", unlike("f")),
            ("000000000000:function:f", unlike("000000000000:function:f")),
            ("arn:aws:s3:::bucket", unlike("arn:aws:s3:::bucket")),
            (&ARN.replace("n:f", "n:a%20b"), unlike(&ARN.replace("n:f", "n:a b"))),
            (&format!("{ARN}%0D%0AX-Forged:1"), unlike(&format!("{ARN}\r\nX-Forged:1"))),
            (&format!("{ARN}%2Ff"), unlike(&format!("{ARN}/f"))),
            (&format!("{start}:layer:l"), unlike(&format!("{start}:layer:l"))),
            // As everywhere, a slash at the end counts for nothing.
            ("", unknown_operation()),
            (&format!("{ARN}:$LATEST"), of_version()),
            (&format!("{ARN}:1"), of_version()),
            (&format!("{ARN}:live"), of_version()),
            (&format!("{start}:function:g"), function_not_found("g")),
            (&format!("{start}:function:F").replace(':', "%3A"), function_not_found("F")),
            (&ARN.replace("us-east-1", "eu-west-1"), unreachable_region("eu-west-1")),
            (&ARN.replace("000000000000", "123456789012"), denied(operation)),
            (&mapping, not_found(&format!("Event source mapping not found: {mapping}"))),
            (&provider, not_found(&format!("Capacity provider not found: {provider}"))),
            (&signing, no_code_signing_config(&signing)),
            (&format!("{start}:network-connector:n"), cannot_be_processed()),
        ] {
            let path = format!("{TAGS}/{resource}{query}");
            let body = if method == "POST" { json!({ "Tags": { "team": "red" } }) } else { Value::Null };
            let text = if body.is_null() { String::new() } else { body.to_string() };
            let answer = api.send(method, &path, &[], text.as_bytes()).await;
            refusal.check(&format!("{operation} {path}"), &answer);
        }
    }
    assert_eq!(tags(&api).await, json!({ "team": "blue" }), "nothing changed");
}

#[tokio::test]
async fn wrong_tags_are_refused_whole() {
    let api = tagged_f().await;
    let path = format!("{TAGS}/{ARN}");
    let one = |key: &str, value: &str| json!({ "Tags": { key: value } });
    let long_key = "k".repeat(129);
    let long_value = "v".repeat(257);
    for (body, refusal) in [
        (json!({}), validation(&[missing("tags")])),
        (json!({ "Tags": null }), validation(&[missing("tags")])),
        (json!({ "Tags": {} }), cannot_be_processed()),
        (json!({ "Tags": [] }), wrong_type("START_ARRAY", "a Map")),
        (json!({ "Tags": "k=v" }), wrong_type("STRING_VALUE", "a Map")),
        (json!({ "Tags": { "k": 1 } }), wrong_type("NUMBER_VALUE", "a String")),
        (json!({ "Tags": { "k": null } }), broken("{k=null}", "tags", VALUE)),
        (one("", "v"), broken("{=v}", "tags", KEY)),
        (one(&long_key, "v"), broken(&format!("{{{long_key}=v}}"), "tags", KEY)),
        (one("k", &long_value), broken(&format!("{{k={long_value}}}"), "tags", VALUE)),
        (one("k?", "v"), broken("{k?=v}", "tags", KEY)),
        (one("k", "a\nb"), broken("{k=a\nb}", "tags", VALUE)),
        (one("aws:cloudformation:stack-name", "v"), reserved("aws:cloudformation:stack-name")),
        (json!({ "Tags": { "AWS:x": "v", "ok": "v" } }), reserved("AWS:x")),
        (json!({ "Tags": numbered(0..50) }), invalid_parameter("Number of tags exceeds resource tag limit.")),
    ] {
        refusal.check(&body.to_string(), &api.json("POST", &path, body).await);
    }
    for (what, body, refusal) in [
        ("nothing", &b""[..], no_json()),
        ("a word", b"xyz", no_json()),
        ("no UTF-8", b"\xff", no_json()),
        ("a list", b"[]", unreadable("The request body is not a JSON object")),
    ] {
        refusal.check(what, &api.send("POST", &path, &[], body).await);
    }
    let mut function = json!({ "FunctionName": "g" });
    function["Tags"] = json!({ "aws:x": "v" });
    reserved("aws:x").check("CreateFunction", &api.create(function).await);
    assert_eq!(api.get("/2015-03-31/functions/g").await.status, 404);
    assert_eq!(tags(&api).await, json!({ "team": "blue" }), "nothing changed");

    // As long and as many as they may be.
    let (key, value) = ("ä".repeat(128), "v".repeat(256));
    assert_eq!(api.json("POST", &path, one(&key, &value)).await.status, 204);
    assert_eq!(api.json("POST", &path, json!({ "Tags": numbered(0..48) })).await.status, 204);
    let too_many = || invalid_parameter("Number of tags exceeds resource tag limit.");
    too_many().check("the 51st", &api.json("POST", &path, one("one", "more")).await);
    assert_eq!(tags(&api).await.as_object().unwrap().len(), 50);
    assert_eq!(
        api.json("POST", &path, one("team", "red")).await.status,
        204,
        "another value is no other tag"
    );
    assert_eq!(tags(&api).await["team"], "red");
}

#[tokio::test]
async fn wrong_keys_to_untag_are_refused_and_absent_ones_ignored() {
    let api = tagged_f().await;
    let element = |shown: &str| {
        let constraints =
            [length_at_most(128), length_at_least(1), pattern(r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)")];
        broken(shown, "tagKeys", elements(&constraints))
    };
    let untag = async |query: &str| api.send("DELETE", &format!("{TAGS}/{ARN}{query}"), &[], b"").await;
    for (query, refusal) in [
        ("", validation(&[missing("tagKeys")])),
        ("?", validation(&[missing("tagKeys")])),
        ("?tagkeys=team", validation(&[missing("tagKeys")])),
        ("?TagKeys=team", validation(&[missing("tagKeys")])),
        ("?tagKeys", element("[]")),
        ("?tagKeys=", element("[]")),
        ("?tagKeys=team&tagKeys=", element("[team, ]")),
        ("?tagKeys=team&tagKeys=a%3Fb", element("[team, a?b]")),
        ("?tagKeys=team&tagKeys=%0D%0A", element("[team, \r\n]")),
        (&format!("?tagKeys={}", "k".repeat(129)), element(&format!("[{}]", "k".repeat(129)))),
        ("?tagKeys=%FF", unreadable("The value of tagKeys in the query is not UTF-8")),
    ] {
        refusal.check(query, &untag(query).await);
    }
    for query in ["?tagKeys=Team", "?tagKeys=aws:x", "?tagKeys=a&tagKeys=a", "?tagKeys=team%20"] {
        assert_eq!(untag(query).await.status, 204, "{query}");
    }
    assert_eq!(tags(&api).await, json!({ "team": "blue" }), "nothing changed");
    assert_eq!(untag("?tagKeys=absent&tagKeys=team").await.status, 204);
    assert_eq!(tags(&api).await, json!({}));
}

#[tokio::test]
async fn tags_change_no_revision_and_may_come_while_the_function_settles() {
    let api = Api::start_in(crate::support::World { settles: false, ..Default::default() }).await;
    let created = api.create(json!({ "Tags": { "team": "blue" } })).await.value();
    let path = format!("{TAGS}/{ARN}");
    assert_eq!(api.json("POST", &path, json!({ "Tags": { "more": "" } })).await.status, 204);
    let shown = api.get("/2015-03-31/functions/f/configuration").await.value();
    for member in ["State", "RevisionId", "LastModified"] {
        assert_eq!(shown[member], created[member], "{member}");
    }
    api.settle();
    api.settled("f").await;
    let shown = api.get("/2015-03-31/functions/f/configuration").await.value();
    assert_eq!(shown["State"], "Active");
    assert_eq!(tags(&api).await, json!({ "team": "blue", "more": "" }));
    assert_eq!(api.json("PUT", "/2015-03-31/functions/f/configuration", json!({})).await.status, 200);
    api.settled("f").await;
    assert_eq!(tags(&api).await, json!({ "team": "blue", "more": "" }), "an update keeps them");
}

#[tokio::test]
async fn account_settings_count_what_is_there() {
    let api = Api::start().await;
    let settings = |code_bytes: u64, functions: u64| {
        json!({
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800_u64, "CodeSizeUnzipped": 262_144_000, "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10
            },
            "AccountUsage": { "TotalCodeSize": code_bytes, "FunctionCount": functions }
        })
    };
    let shown = async |path: &str| api.get(path).await.value();
    let path = "/2016-08-19/account-settings";
    assert_eq!(shown(path).await, settings(0, 0));
    // Each package has eight bytes.
    for name in ["f", "g"] {
        assert_eq!(api.create(json!({ "FunctionName": name })).await.status, 201);
        api.settled(name).await;
    }
    let layer = json!({ "Content": { "ZipFile": "emlwIG9mIGw=" } });
    for _ in 0..2 {
        let published = api.json("POST", "/2018-10-31/layers/l/versions", layer.clone()).await;
        assert_eq!(published.status, 201, "{}", published.text());
    }
    // What is not in the model counts for nothing, as everywhere.
    for more in ["", "/", "?", "/?x=1&x=%FF", "?MaxItems=0", "?Marker=x"] {
        assert_eq!(shown(&format!("{path}{more}")).await, settings(32, 2), "{more}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        wrong_method().check(method, &api.send(method, path, &[], b"{}").await);
    }
    for path in
        ["/2015-03-31/account-settings", "/2016-08-19/account-settings/a", "/2016-08-19/Account-settings"]
    {
        unknown_operation().check(path, &api.get(path).await);
    }
    assert_eq!(api.send("DELETE", "/2015-03-31/functions/g", &[], b"").await.status, 204);
    assert_eq!(api.send("DELETE", "/2018-10-31/layers/l/versions/1", &[], b"").await.status, 204);
    assert_eq!(shown(path).await, settings(16, 1));
}
