//! The nine operations on layers, and the layers of functions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::refusal::*;
use crate::support::{Api, new_function};
use crate::{FUNCTIONS, LAYER, LAYER_NAME};

const LAYERS: &str = "/2018-10-31/layers";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:layer:l";

/// Each with the method, and what follows the name in the path; `V` stands for the number.
const OPERATIONS: [(&str, &str, &str); 7] = [
    ("PublishLayerVersion", "POST", "/versions"),
    ("ListLayerVersions", "GET", "/versions"),
    ("GetLayerVersion", "GET", "/versions/V"),
    ("DeleteLayerVersion", "DELETE", "/versions/V"),
    ("AddLayerVersionPermission", "POST", "/versions/V/policy"),
    ("GetLayerVersionPolicy", "GET", "/versions/V/policy"),
    ("RemoveLayerVersionPermission", "DELETE", "/versions/V/policy/s"),
];

fn zip(content: &str) -> Value {
    json!({ "Content": { "ZipFile": STANDARD.encode(content) } })
}

fn statement() -> Value {
    json!({ "StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": "*" })
}

/// A body that is right for an operation.
fn body(operation: &str) -> Value {
    match operation {
        "PublishLayerVersion" => zip("zip of l"),
        "AddLayerVersionPermission" => statement(),
        _ => Value::Null,
    }
}

async fn send(api: &Api, method: &str, path: &str, body: &Value) -> crate::support::Answer {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    api.send(method, path, &[], text.as_bytes()).await
}

impl Api {
    /// Publishes the first version of the layer `l`.
    async fn with_layer(self) -> Self {
        let published = self.json("POST", &format!("{LAYERS}/l/versions"), zip("zip of l")).await;
        assert_eq!(published.status, 201, "{}", published.text());
        self
    }

    async fn layers(&self) -> Value {
        self.get(LAYERS).await.value()["Layers"].clone()
    }
}

fn no_such_resource() -> Refusal {
    not_found("The resource you requested does not exist.")
}

fn no_such_version(end: &str) -> Refusal {
    not_found(&format!("Layer version arn:aws:lambda:us-east-1:000000000000:layer:{end} does not exist."))
}

fn too_low() -> Refusal {
    invalid_parameter("Layer Version Cannot be less than 1")
}

#[tokio::test]
async fn a_layer_name_that_is_wrong_or_not_ours_is_refused_by_every_operation() {
    let api = Api::start().await.with_layer().await;
    let before = api.layers().await;
    let unlike = |name: &str| broken(name, "layerName", pattern(LAYER_NAME));
    let theirs = "arn:aws:lambda:us-east-1:123456789012:layer:l";
    let long = "x".repeat(141);
    for (operation, method, end) in OPERATIONS {
        for (name, refusal) in [
            ("a%20b", unlike("a b")),
            ("a%2Fb", unlike("a/b")),
            ("a.b", unlike("a.b")),
            ("%C3%A4", unlike("ä")),
            ("l:1", unlike("l:1")),
            ("l%0D%0AX-Forged:1", unlike("l\r\nX-Forged:1")),
            (&long, unlike(&long)),
            ("arn:aws:s3:::l", unlike("arn:aws:s3:::l")),
            (&format!("{ARN}:1"), unlike(&format!("{ARN}:1"))),
            (
                "",
                validation(&[
                    item("", "layerName", length_at_least(1)),
                    item("", "layerName", pattern(LAYER_NAME)),
                ]),
            ),
            ("arn:aws:lambda:eu-west-1:000000000000:layer:l", no_such_resource()),
            (theirs, denied_layer(operation, theirs)),
            (&theirs.replace(':', "%3A"), denied_layer(operation, theirs)),
        ] {
            let path = format!("{LAYERS}/{name}{}", end.replace('V', "1"));
            refusal.check(&format!("{operation} {path}"), &send(&api, method, &path, &body(operation)).await);
        }
    }
    assert_eq!(api.layers().await, before, "nothing changed");
}

#[tokio::test]
async fn a_version_number_that_is_wrong_is_refused() {
    let api = Api::start().await.with_layer().await;
    for (operation, method, end) in OPERATIONS.into_iter().filter(|(_, _, end)| end.contains('V')) {
        let missing = |end: &str| match operation {
            "GetLayerVersion" => Some(no_such_resource()),
            "DeleteLayerVersion" => None,
            _ => Some(no_such_version(end)),
        };
        let not_a_number = || Some(wrong_type("STRING_VALUE", "an Integer"));
        for (name, number, refusal) in [
            ("l", "0", Some(too_low())),
            ("l", "-1", Some(too_low())),
            ("l", "-9223372036854775808", Some(too_low())),
            ("l", "one", not_a_number()),
            ("l", "1.5", not_a_number()),
            ("l", "%20", not_a_number()),
            ("l", "$LATEST", not_a_number()),
            ("l", "99999999999999999999", not_a_number()),
            ("l", "2", missing("l:2")),
            ("l", "9223372036854775807", missing("l:9223372036854775807")),
            ("m", "1", missing("m:1")),
            (ARN, "3", missing("l:3")),
        ] {
            let path = format!("{LAYERS}/{name}{}", end.replace('V', number));
            let answer = send(&api, method, &path, &body(operation)).await;
            match refusal {
                Some(refusal) => refusal.check(&format!("{operation} {path}"), &answer),
                // Deleting what is not there is no error.
                None => assert_eq!(answer.status, 204, "{path}: {}", answer.text()),
            }
        }
    }
    assert_eq!(api.layers().await[0]["LatestMatchingVersion"]["Version"], 1, "nothing changed");
}

#[tokio::test]
async fn a_wrong_layer_version_is_not_published() {
    let api = Api::start().await;
    let path = format!("{LAYERS}/l/versions");
    let with = |member: &str, value: Value| {
        let mut body = zip("zip of l");
        body[member] = value;
        body
    };
    let all_runtimes: Vec<&str> = hearth_types::Runtime::all().map(hearth_types::Runtime::as_str).collect();
    let all_runtimes = all_runtimes.join(", ");
    let runtimes = |value: &str| {
        validation(&[item(value, "compatibleRuntimes", "Member must satisfy enum value set: [nodejs, ")])
            .and_so_on()
    };
    for (body, refusal) in [
        (json!({}), validation(&[missing("content")])),
        (json!({ "Content": "zip" }), wrong_type("STRING_VALUE", "a Structure")),
        (json!({ "Content": {} }), invalid_parameter("Please provide a source for layer content.")),
        (json!({ "Content": { "ZipFile": 1 } }), wrong_type("NUMBER_VALUE", "a Blob")),
        (json!({ "Content": { "ZipFile": "%" } }), unreadable("The value of ZipFile is not base64")),
        (
            zip("no zip"),
            invalid_parameter(
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
            ),
        ),
        (zip("bomb"), invalid_parameter("Unzipped size must be smaller than 262144000 bytes")),
        (json!({ "Content": { "S3Bucket": "bucket", "S3Key": "key" } }), no_such_bucket()),
        (
            with("Description", json!("x".repeat(257))),
            broken(&"x".repeat(257), "description", length_at_most(256)),
        ),
        (
            with("LicenseInfo", json!("x".repeat(513))),
            broken(&"x".repeat(513), "licenseInfo", length_at_most(512)),
        ),
        (with("CompatibleRuntimes", json!(["python9.9"])), runtimes("[python9.9]")),
        (with("CompatibleRuntimes", json!(["python3.11", ""])), runtimes("[python3.11, ]")),
        (
            with("CompatibleRuntimes", json!(vec!["python3.11"; 16])),
            broken(&format!("[{}]", ["python3.11"; 16].join(", ")), "compatibleRuntimes", length_at_most(15)),
        ),
        (
            with("CompatibleArchitectures", json!(["invalidarch"])),
            broken("[invalidarch]", "compatibleArchitectures", elements(&[one_of("x86_64, arm64")])),
        ),
        (
            with("CompatibleArchitectures", json!(["x86_64", "arm64", "x86_64"])),
            broken("[x86_64, arm64, x86_64]", "compatibleArchitectures", length_at_most(2)),
        ),
        // As recorded: both at once, and not in the same way.
        (
            json!({
                "CompatibleRuntimes": ["invalidruntime"], "CompatibleArchitectures": ["invalidarch"],
                "Content": { "ZipFile": "emlw" }
            }),
            validation(&[
                item("[invalidruntime]", "compatibleRuntimes", one_of(&all_runtimes)),
                item("[invalidarch]", "compatibleArchitectures", elements(&[one_of("x86_64, arm64")])),
            ]),
        ),
        (with("CompatibleArchitectures", json!("arm64")), wrong_type("STRING_VALUE", "a List")),
    ] {
        refusal.check(&body.to_string(), &api.json("POST", &path, body).await);
    }
    for (what, body, refusal) in [
        ("nothing", &b""[..], no_json()),
        ("a word", b"xyz", no_json()),
        ("a list", b"[]", unreadable("The request body is not a JSON object")),
    ] {
        refusal.check(what, &api.send("POST", &path, &[], body).await);
    }
    assert_eq!(api.layers().await, json!([]), "nothing was published");
    let first = api.json("POST", &path, zip("zip of l")).await.value();
    assert_eq!(first["Version"], 1, "refusals take no numbers");
}

#[tokio::test]
async fn a_wrong_page_of_layers_is_refused() {
    let api = Api::start().await.with_layer().await;
    // The text is Hearth's: AWS's is not recorded.
    let bad_marker = || invalid_parameter("The provided marker is invalid. Please provide a valid marker.");
    let runtime = |value: &str| {
        validation(&[item(value, "compatibleRuntime", "Member must satisfy enum value set: [nodejs, ")])
            .and_so_on()
    };
    for path in [LAYERS.to_owned(), format!("{LAYERS}/l/versions")] {
        for (query, refusal) in [
            ("MaxItems=0", broken("0", "maxItems", at_least(1))),
            ("MaxItems=-1", broken("-1", "maxItems", at_least(1))),
            ("MaxItems=51", broken("51", "maxItems", at_most(50))),
            ("MaxItems=many", wrong_type("STRING_VALUE", "an Integer")),
            ("MaxItems=", wrong_type("STRING_VALUE", "an Integer")),
            ("CompatibleRuntime=python9.9", runtime("python9.9")),
            ("CompatibleRuntime=", runtime("")),
            ("CompatibleArchitecture=arm", broken("arm", "compatibleArchitecture", one_of("x86_64, arm64"))),
            (
                "CompatibleArchitecture=arm&MaxItems=0",
                validation(&[
                    item("arm", "compatibleArchitecture", one_of("x86_64, arm64")),
                    item("0", "maxItems", at_least(1)),
                ]),
            ),
            ("Marker=%25", bad_marker()),
            // Base64 of `a b`, which is no name and no number.
            ("Marker=YSBi", bad_marker()),
            ("Marker=%FF", unreadable("The value of Marker in the query is not UTF-8")),
        ] {
            refusal.check(&format!("{path}?{query}"), &api.get(&format!("{path}?{query}")).await);
        }
    }
}

#[tokio::test]
async fn an_arn_that_is_no_layer_version_of_ours_is_refused() {
    let api = Api::start().await.with_layer().await;
    let unlike = |arn: &str| broken(arn, "arn", pattern(LAYER));
    let theirs = "arn:aws:lambda:us-east-1:123456789012:layer:l:1";
    for (arn, refusal) in [
        ("a", unlike("a")),
        (ARN, unlike(ARN)),
        (&format!("{ARN}:x"), unlike(&format!("{ARN}:x"))),
        ("arn:aws:lambda:us-east-1:000000000000:function:l:1", {
            unlike("arn:aws:lambda:us-east-1:000000000000:function:l:1")
        }),
        ("arn:aws:lambda:moon:000000000000:layer:l:1", unlike("arn:aws:lambda:moon:000000000000:layer:l:1")),
        (&format!("{ARN}:0"), too_low()),
        (&format!("{ARN}:2"), no_such_resource()),
        (&format!("{ARN}:99999999999999999999"), no_such_resource()),
        ("arn:aws:lambda:eu-west-1:000000000000:layer:l:1", no_such_resource()),
        ("arn:aws:lambda:::awslayer:AmazonLinux1803", no_such_resource()),
        (theirs, denied_layer("GetLayerVersion", theirs)),
        ("", validation(&[item("", "arn", length_at_least(1)), item("", "arn", pattern(LAYER))])),
    ] {
        let path = format!("{LAYERS}?find=LayerVersion&Arn={arn}");
        refusal.check(&path, &api.get(&path).await);
    }
    let answer = api.get(&format!("{LAYERS}?find=LayerVersion")).await;
    validation(&[missing("arn")]).check("no ARN", &answer);
    let found = api.get(&format!("{LAYERS}?find=LayerVersion&Arn={ARN}:1")).await.value();
    assert_eq!(found["LayerVersionArn"], format!("{ARN}:1"));
}

#[tokio::test]
async fn a_wrong_permission_is_not_added_and_none_is_removed() {
    let api = Api::start().await.with_layer().await;
    let path = format!("{LAYERS}/l/versions/1/policy");
    let no_policy = not_found("No policy is associated with the given resource.");
    no_policy.check("no policy yet", &api.get(&path).await);
    let with = |member: &str, value: Value| {
        let mut body = statement();
        body[member] = value;
        body
    };
    let sid = r"([a-zA-Z0-9-_]+)";
    let principal = r"\d{12}|\*|arn:(aws[a-zA-Z-]*):iam::\d{12}:root";
    for (body, refusal) in [
        (json!({}), validation(&["statementId", "action", "principal"].map(missing))),
        (with("StatementId", json!("a b")), broken("a b", "statementId", pattern(sid))),
        (
            with("StatementId", json!("x".repeat(101))),
            broken(&"x".repeat(101), "statementId", length_at_most(100)),
        ),
        (with("StatementId", json!(1)), wrong_type("NUMBER_VALUE", "a String")),
        (with("Action", json!("*")), broken("*", "action", pattern("lambda:GetLayerVersion"))),
        (
            with("Action", json!("lambda:InvokeFunction")),
            broken("lambda:InvokeFunction", "action", pattern("lambda:GetLayerVersion")),
        ),
        (with("Principal", json!("me")), broken("me", "principal", pattern(principal))),
        (with("Principal", json!("12345678901")), broken("12345678901", "principal", pattern(principal))),
        (
            with("Principal", json!("arn:aws:iam::123456789012:user/u")),
            broken("arn:aws:iam::123456789012:user/u", "principal", pattern(principal)),
        ),
        (with("OrganizationId", json!("o-1")), broken("o-1", "organizationId", pattern("o-[a-z0-9]{10,32}"))),
    ] {
        refusal.check(&body.to_string(), &api.json("POST", &path, body).await);
    }
    old_layer_policy()
        .check("nothing was seen", &api.json("POST", &format!("{path}?RevisionId=x"), statement()).await);
    no_policy.check("still none", &api.get(&path).await);

    let added = api.json("POST", &path, statement()).await;
    assert_eq!(added.status, 201, "{}", added.text());
    conflict(
        "The statement id (s) provided already exists. Please provide a new statement id, or remove the existing \
         statement.",
    )
    .check("twice", &api.json("POST", &path, statement()).await);
    let other = || with("StatementId", json!("t"));
    old_layer_policy().check("stale", &api.json("POST", &format!("{path}?RevisionId=x"), other()).await);
    let delete = async |end: &str| api.send("DELETE", &format!("{path}/{end}"), &[], b"").await;
    for (end, refusal) in [
        ("t", not_found("Statement t is not found in resource policy.")),
        ("S", not_found("Statement S is not found in resource policy.")),
        ("a%20b", broken("a b", "statementId", pattern(sid))),
        ("s%0A", broken("s\n", "statementId", pattern(sid))),
        (&"x".repeat(101), broken(&"x".repeat(101), "statementId", length_at_most(100))),
        ("s?RevisionId=x", old_layer_policy()),
        ("s?RevisionId=", old_layer_policy()),
    ] {
        refusal.check(end, &delete(end).await);
    }
    let policy = api.get(&path).await.value();
    assert_eq!(policy["RevisionId"], added.value()["RevisionId"], "nothing changed");

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
    assert!((40..100).contains(&number), "{number} statements");
}

/// Case 31. With real packages it is in `tests/faults`.
#[tokio::test]
async fn wrong_layers_of_a_function_are_refused_by_create_and_update_alike() {
    let api = Api::start().await.with_function().await.with_layer().await;
    for name in ["m", "n", "o", "p", "q"] {
        let published =
            api.json("POST", &format!("{LAYERS}/{name}/versions"), zip(&format!("zip of {name}"))).await;
        assert_eq!(published.status, 201);
    }
    api.json("POST", &format!("{LAYERS}/l/versions"), zip("zip of l again")).await;
    let arn = |name: &str| format!("arn:aws:lambda:us-east-1:000000000000:layer:{name}");
    let missing = |arn: &str| invalid_parameter(&format!("Layer version {arn} does not exist."));
    let twice = |a: &str, b: &str| {
        invalid_parameter(&format!(
            "Two different versions of the same layer are not allowed to be referenced in the same function. {a} and {b} \
             are versions of the same layer."
        ))
    };
    let all: Vec<String> = ["l", "m", "n", "o", "p", "q"].map(|name| arn(name) + ":1").into();
    let (first, second) = (arn("l") + ":1", arn("l") + ":2");
    let elsewhere = "arn:aws:lambda:eu-west-1:000000000000:layer:l:1";
    let theirs = "arn:aws:lambda:us-east-1:123456789012:layer:l:1";
    let nobody = arn("nobody") + ":1";
    let third = arn("l") + ":3";
    let huge = arn("l") + ":99999999999999999999";
    let zero = arn("l") + ":0";
    for (layers, refusal) in [
        (json!(all), invalid_parameter("Cannot reference more than 5 layers.")),
        (json!([first, second]), twice(&first, &second)),
        (json!([first, first]), twice(&first, &first)),
        (json!([nobody]), missing(&nobody)),
        (json!([first, third]), missing(&third)),
        (json!([huge]), missing(&huge)),
        (json!([zero]), missing(&zero)),
        (
            json!([elsewhere]),
            invalid_parameter(
                "Layers are not in the same region as the function. Layers are expected to be in region us-east-1.",
            ),
        ),
        (json!([theirs]), denied_layer("GetLayerVersion", theirs)),
        (
            json!([first, null]),
            broken(
                &format!("[{first}, null]"),
                "layers",
                elements(&[length_at_most(2_048), length_at_least(1), pattern(LAYER)]),
            ),
        ),
        (json!([1]), wrong_type("NUMBER_VALUE", "a String")),
    ] {
        let path = format!("{FUNCTIONS}/f/configuration");
        let updated = api.json("PUT", &path, json!({ "Layers": layers })).await;
        refusal.check(&format!("update {layers}"), &updated);
        let mut new = new_function();
        new["FunctionName"] = "g".into();
        new["Layers"] = layers.clone();
        refusal.check(&format!("create {layers}"), &api.json("POST", FUNCTIONS, new).await);
    }
    let f = api.get(&format!("{FUNCTIONS}/f")).await.value();
    assert_eq!(f["Configuration"]["Layers"], Value::Null, "nothing changed");
    assert_eq!(api.get(&format!("{FUNCTIONS}/g")).await.status, 404);
}
