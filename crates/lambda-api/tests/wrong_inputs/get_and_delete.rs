//! GetFunction, GetFunctionConfiguration and DeleteFunction: they take a name and a qualifier.

use crate::refusal::*;
use crate::support::Api;
use crate::{FUNCTIONS, NAMESPACED, QUALIFIER};

/// Each with the method, and what follows the name in the path.
const OPERATIONS: [(&str, &str, &str); 3] = [
    ("GetFunction", "GET", ""),
    ("GetFunctionConfiguration", "GET", "/configuration"),
    ("DeleteFunction", "DELETE", ""),
];

/// What all three answer to a name and a query.
fn rows(action: &str) -> Vec<(&'static str, &'static str, Refusal)> {
    let unlike = |name: &str| broken(name, "functionName", pattern(NAMESPACED));
    let bad_qualifier = |qualifier: &str| broken(qualifier, "qualifier", pattern(QUALIFIER));
    let mismatch = || {
        invalid_parameter(
            "The derived qualifier from the function name does not match the specified qualifier.",
        )
    };
    vec![
        ("g", "", function_not_found("g")),
        ("function:g", "", function_not_found("g")),
        ("000000000000:function:g", "", function_not_found("g")),
        ("arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ag", "", function_not_found("g")),
        // The model allows dots, for functions with a namespace.
        ("a.b", "", function_not_found("a.b")),
        ("a%20b", "", unlike("a b")),
        ("a%2Fb", "", unlike("a/b")),
        ("f%3A", "", unlike("f:")),
        ("%C3%A4", "", unlike("ä")),
        ("f%0D%0AX-Forged:1", "", unlike("f\r\nX-Forged:1")),
        ("f:live:more", "", unlike("f:live:more")),
        ("arn:aws:s3:::f", "", unlike("arn:aws:s3:::f")),
        ("f", "Qualifier=a%20b", bad_qualifier("a b")),
        (
            "f",
            "Qualifier=",
            validation(&[
                item("", "qualifier", length_at_least(1)),
                item("", "qualifier", pattern(QUALIFIER)),
            ]),
        ),
        // Both at once, in the order of the model.
        (
            "a%20b",
            "Qualifier=%C3%A4",
            validation(&[
                item("a b", "functionName", pattern(NAMESPACED)),
                item("ä", "qualifier", pattern(QUALIFIER)),
            ]),
        ),
        ("f", "Qualifier=%FF", unreadable("The value of Qualifier in the query is not UTF-8")),
        ("f:$LATEST", "Qualifier=42", mismatch()),
        ("f:live", "Qualifier=$LATEST", mismatch()),
        ("arn:aws:lambda:ap-southeast-1:000000000000:function:f", "", unreachable_region("ap-southeast-1")),
        ("ap-southeast-1:000000000000:function:f", "", unreachable_region("ap-southeast-1")),
        ("arn:aws:lambda:us-east-1:123456789012:function:f", "", denied(action)),
        ("123456789012:function:f", "", denied(action)),
    ]
}

#[tokio::test]
async fn case_004_011_012_a_name_that_is_wrong_or_not_ours_is_refused() {
    let api = Api::start().await.with_function().await;
    for (action, method, end) in OPERATIONS {
        for (name, query, refusal) in rows(action) {
            let path = format!("{FUNCTIONS}/{name}{end}?{query}");
            refusal.check(&format!("{action} {path}"), &api.send(method, &path, &[], b"").await);
        }
        let long = |length: usize| format!("{FUNCTIONS}/{}{end}", "x".repeat(length));
        // Case 3: too long for any function, and not for the model.
        for length in [65, 140, 256] {
            let answer = api.send(method, &long(length), &[], b"").await;
            function_not_found(&"x".repeat(length)).check(action, &answer);
        }
        let refusal = broken(&"x".repeat(257), "functionName", length_at_most(256));
        refusal.check(action, &api.send(method, &long(257), &[], b"").await);
        // Case 12, for a name that is too long as well.
        let elsewhere =
            format!("{FUNCTIONS}/arn:aws:lambda:eu-west-1:000000000000:function:{}{end}", "x".repeat(65));
        unreachable_region("eu-west-1").check(action, &api.send(method, &elsewhere, &[], b"").await);
        let ours =
            format!("{FUNCTIONS}/arn:aws:lambda:us-east-1:000000000000:function:{}{end}", "x".repeat(65));
        function_not_found(&"x".repeat(65)).check(action, &api.send(method, &ours, &[], b"").await);
        // The model lets `function:` be left out of an ARN.
        let short = format!("{FUNCTIONS}/arn:aws:lambda:us-east-1:000000000000:g{end}");
        function_not_found("g").check(action, &api.send(method, &short, &[], b"").await);
        let empty = validation(&[
            item("", "functionName", length_at_least(1)),
            item("", "functionName", pattern(NAMESPACED)),
        ]);
        let path = format!("{FUNCTIONS}/{end}/");
        empty.check(&format!("{action} {path}"), &api.send(method, &path, &[], b"").await);
    }
    assert_eq!(api.get(&format!("{FUNCTIONS}/f")).await.status, 200, "it is still there");
}

#[tokio::test]
async fn a_version_or_alias_that_is_not_there_is_named() {
    let api = Api::start().await.with_function().await;
    for end in ["", "/configuration"] {
        for (name, query, found) in [
            ("f:42", "", "f:42"),
            ("f:live", "", "f:live"),
            ("f", "Qualifier=live", "f:live"),
            ("f:42", "Qualifier=42", "f:42"),
            ("f:$LATEST.PUBLISHED", "", "f:$LATEST.PUBLISHED"),
            ("f", "Qualifier=$LATEST.PUBLISHED", "f:$LATEST.PUBLISHED"),
            ("g", "Qualifier=$LATEST", "g:$LATEST"),
            ("g:42", "", "g:42"),
        ] {
            let path = format!("{FUNCTIONS}/{name}{end}?{query}");
            function_not_found(found).check(&path, &api.get(&path).await);
        }
    }
}

#[tokio::test]
async fn neither_the_latest_version_nor_an_alias_can_be_deleted() {
    let api = Api::start().await.with_function().await;
    for (reference, refusal) in [
        ("f:$LATEST", invalid_parameter("$LATEST version cannot be deleted without deleting the function.")),
        ("f?Qualifier=live", invalid_parameter("Deletion of aliases is not currently supported.")),
        // Without the version, unlike a read.
        ("g:42", function_not_found("g")),
        ("g?Qualifier=$LATEST", function_not_found("g")),
    ] {
        let answer = api.send("DELETE", &format!("{FUNCTIONS}/{reference}"), &[], b"").await;
        refusal.check(reference, &answer);
    }
    let deleted = api.send("DELETE", &format!("{FUNCTIONS}/f"), &[], b"").await;
    assert_eq!((deleted.status, deleted.text()), (204, ""));
    assert!(deleted.header("x-amzn-requestid").is_some(), "a success has an id, too");
    let again = api.send("DELETE", &format!("{FUNCTIONS}/f"), &[], b"").await;
    function_not_found("f").check("a second time", &again);
}
