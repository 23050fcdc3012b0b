//! ListFunctions.

use crate::FUNCTIONS;
use crate::refusal::*;
use crate::support::Api;

const REGION: &str = r"ALL|(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}";

#[tokio::test]
async fn case_016_a_wrong_page_is_refused() {
    let api = Api::start().await.with_function().await;
    // The text is Hearth's: AWS's is not recorded.
    let bad_marker = || invalid_parameter("The provided marker is invalid. Please provide a valid marker.");
    for (query, refusal) in [
        ("MaxItems=0", broken("0", "maxItems", at_least(1))),
        ("MaxItems=-1", broken("-1", "maxItems", at_least(1))),
        ("MaxItems=10001", broken("10001", "maxItems", at_most(10_000))),
        ("MaxItems=1000000000", broken("1000000000", "maxItems", at_most(10_000))),
        ("MaxItems=99999999999999999999999", wrong_type("STRING_VALUE", "an Integer")),
        ("MaxItems=many", wrong_type("STRING_VALUE", "an Integer")),
        ("MaxItems=", wrong_type("STRING_VALUE", "an Integer")),
        ("MaxItems=1.5", wrong_type("STRING_VALUE", "an Integer")),
        ("FunctionVersion=1", broken("1", "functionVersion", one_of("ALL"))),
        ("FunctionVersion=all", broken("all", "functionVersion", one_of("ALL"))),
        ("MasterRegion=moon", broken("moon", "masterRegion", pattern(REGION))),
        (
            "MasterRegion=",
            validation(&[
                item("", "masterRegion", length_at_least(1)),
                item("", "masterRegion", pattern(REGION)),
            ]),
        ),
        (
            "MaxItems=0&FunctionVersion=1&MasterRegion=moon",
            validation(&[
                item("moon", "masterRegion", pattern(REGION)),
                item("1", "functionVersion", one_of("ALL")),
                item("0", "maxItems", at_least(1)),
            ]),
        ),
        ("Marker=%25", bad_marker()),
        ("Marker=f", bad_marker()),
        ("Marker=%00", bad_marker()),
        // Base64 of `a b`, which is no name.
        ("Marker=YSBi", bad_marker()),
        ("Marker=Zg%3D%3D", bad_marker()),
        ("Marker=%FF", unreadable("The value of Marker in the query is not UTF-8")),
    ] {
        refusal.check(query, &api.get(&format!("{FUNCTIONS}?{query}")).await);
    }
    let long = format!("{FUNCTIONS}?Marker={}", "a".repeat(8_000));
    bad_marker().check("a long marker", &api.get(&long).await);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    for (query, expected) in [
        ("Marker=", vec![arn.to_owned()]),
        ("MaxItems=10000", vec![arn.to_owned()]),
        ("MasterRegion=ALL", vec![arn.to_owned()]),
        ("Unknown=%FF", vec![arn.to_owned()]),
        ("%FF=1&&=", vec![arn.to_owned()]),
        ("FunctionVersion=ALL", vec![format!("{arn}:$LATEST")]),
        // Copies of functions of that region, and there are none.
        ("MasterRegion=us-east-1&FunctionVersion=ALL", vec![]),
    ] {
        let answer = api.get(&format!("{FUNCTIONS}?{query}")).await.value();
        let functions = answer["Functions"].as_array().unwrap().iter();
        let arns: Vec<&str> = functions.map(|function| function["FunctionArn"].as_str().unwrap()).collect();
        assert_eq!(arns, expected, "{query}");
    }
}
