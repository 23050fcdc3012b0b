use serde_json::json;

use super::*;

#[track_caller]
fn check(pattern: Value, matching: &[Value], other: &[Value]) {
    let pattern = Pattern::parse(&pattern.to_string()).unwrap();
    for record in matching {
        assert!(pattern.matches(record), "{record}");
    }
    for record in other {
        assert!(!pattern.matches(record), "{record}");
    }
}

fn at(value: Value) -> Value {
    json!({ "a": value })
}

#[test]
fn a_literal_is_the_value_itself() {
    check(
        json!({ "a": ["x", 300, null, "", true] }),
        &[at(json!("x")), at(json!(300)), at(json!(300.0)), at(json!(null)), at(json!("")), at(json!(true))],
        &[at(json!("X")), at(json!("300")), at(json!(false)), at(json!({})), json!({})],
    );
}

#[test]
fn all_members_have_to_match_and_one_element_of_each() {
    check(
        json!({ "a": { "b": ["x"] }, "c": ["y"] }),
        &[json!({ "a": { "b": "x", "more": 1 }, "c": "y" }), json!({ "a": { "b": ["w", "x"] }, "c": ["y"] })],
        &[json!({ "a": { "b": "x" } }), json!({ "a": "x", "c": "y" }), json!({ "c": "y" })],
    );
    // In a list of objects, one object has to match in everything.
    check(
        json!({ "a": { "b": [1], "c": [2] } }),
        &[at(json!([{ "b": 0 }, { "b": 1, "c": 2 }]))],
        &[at(json!([{ "b": 1 }, { "c": 2 }])), at(json!([]))],
    );
}

#[test]
fn texts_are_compared_by_their_ends_and_without_regard_to_case() {
    check(
        json!({ "a": [{ "prefix": "eu-" }] }),
        &[at(json!("eu-west-1"))],
        &[at(json!("EU-1")), at(json!(1))],
    );
    check(json!({ "a": [{ "suffix": ".png" }] }), &[at(json!("a.png"))], &[at(json!("a.PNG")), json!({})]);
    check(json!({ "a": [{ "equals-ignore-case": "Äb" }] }), &[at(json!("äB"))], &[at(json!("ab"))]);
    let pattern = json!({ "a": [{ "prefix": { "equals-ignore-case": "EU" } }] });
    check(pattern, &[at(json!("eU-1"))], &[at(json!("us"))]);
    let pattern = json!({ "a": [{ "suffix": { "equals-ignore-case": ".PNG" } }] });
    check(pattern, &[at(json!("x.pNg"))], &[at(json!("png"))]);
}

#[test]
fn anything_but_wants_a_value_that_is_none_of_these() {
    check(
        json!({ "a": [{ "anything-but": "x" }] }),
        &[at(json!("y")), at(json!(1))],
        &[at(json!("x")), json!({})],
    );
    check(json!({ "a": [{ "anything-but": [1, 2] }] }), &[at(json!(3))], &[at(json!(1)), at(json!(2.0))]);
    let pattern = json!({ "a": [{ "anything-but": { "prefix": "x" } }] });
    check(pattern, &[at(json!("y"))], &[at(json!("xy")), json!({})]);
    let pattern = json!({ "a": [{ "anything-but": { "suffix": ["x", "y"] } }] });
    check(pattern, &[at(json!("z"))], &[at(json!("ax")), at(json!("ay"))]);
    let pattern = json!({ "a": [{ "anything-but": { "equals-ignore-case": ["x", "Y"] } }] });
    check(pattern, &[at(json!("z"))], &[at(json!("X")), at(json!("y"))]);
}

#[test]
fn numbers_are_compared_in_ranges() {
    check(json!({ "a": [{ "numeric": ["=", 5] }] }), &[at(json!(5.0))], &[at(json!("5")), at(json!(4))]);
    check(
        json!({ "a": [{ "numeric": [">=", 1, "<", 5] }] }),
        &[at(json!(1)), at(json!(4.9)), at(json!([9, 2]))],
        &[at(json!(0)), at(json!(5)), json!({})],
    );
    check(json!({ "a": [{ "numeric": ["<", 5, ">=", 1] }] }), &[at(json!(1))], &[at(json!(5))]);
    check(json!({ "a": [{ "numeric": ["<=", -1] }] }), &[at(json!(-1))], &[at(json!(0))]);
}

#[test]
fn exists_asks_for_a_value_whatever_it_is() {
    check(
        json!({ "a": [{ "exists": true }] }),
        &[at(json!(null)), at(json!(0))],
        &[json!({}), at(json!({}))],
    );
    check(json!({ "a": [{ "exists": false }] }), &[json!({})], &[at(json!(null)), at(json!(0))]);
    let nested = json!({ "a": { "b": [{ "exists": false }] } });
    check(nested, &[json!({}), at(json!({})), at(json!("text"))], &[at(json!({ "b": 1 }))]);
}

#[test]
fn or_takes_one_of_several_patterns() {
    check(
        json!({ "c": [1], "$or": [{ "a": ["x"] }, { "a": [{ "prefix": "y" }], "b": [2] }] }),
        &[json!({ "a": "x", "c": 1 }), json!({ "a": "yes", "b": 2, "c": 1 })],
        &[json!({ "a": "x" }), json!({ "a": "yes", "c": 1 }), json!({ "c": 1 })],
    );
}

#[test]
fn what_a_pattern_wants_of_a_member_can_be_asked() {
    let wants = |pattern: Value| Pattern::parse(&pattern.to_string()).unwrap().wants_object("body");
    assert_eq!(wants(json!({ "body": { "a": [1] } })), Some(true));
    assert_eq!(wants(json!({ "body": ["text"] })), Some(false));
    assert_eq!(wants(json!({ "$or": [{ "body": { "a": [1] } }, { "x": [1] }] })), Some(true));
    assert_eq!(wants(json!({ "x": [1] })), None);
}

#[test]
fn what_is_no_pattern_is_refused() {
    for text in [
        "",
        "x",
        "[]",
        "{}",
        r#"{"a":1}"#,
        r#"{"a":"x"}"#,
        r#"{"a":[]}"#,
        r#"{"a":{}}"#,
        r#"{"a":[[1]]}"#,
        r#"{"a":[{}]}"#,
        r#"{"a":[{"prefix":"x","suffix":"y"}]}"#,
        r#"{"a":[{"prefix":1}]}"#,
        r#"{"a":[{"prefix":{"suffix":"x"}}]}"#,
        r#"{"a":[{"wildcard":"x*"}]}"#,
        r#"{"a":[{"exists":"yes"}]}"#,
        r#"{"a":[{"numeric":[]}]}"#,
        r#"{"a":[{"numeric":["<"]}]}"#,
        r#"{"a":[{"numeric":["!",1]}]}"#,
        r#"{"a":[{"numeric":["<","1"]}]}"#,
        r#"{"a":[{"numeric":["<",1,">",5]}]}"#,
        r#"{"a":[{"numeric":["<",5,"<",6]}]}"#,
        r#"{"a":[{"anything-but":[]}]}"#,
        r#"{"a":[{"anything-but":[null]}]}"#,
        r#"{"a":[{"anything-but":{"exists":true}}]}"#,
        r#"{"$or":[{"a":[1]}]}"#,
        r#"{"$or":[1,2]}"#,
    ] {
        assert_eq!(Pattern::parse(text), Err(PatternError), "{text}");
    }
    let deep = format!("{}[1]{}", r#"{"a":"#.repeat(100), "}".repeat(100));
    assert_eq!(Pattern::parse(&deep), Err(PatternError));
}

proptest::proptest! {
    #[test]
    fn no_text_and_no_record_panics(text in ".*", record in ".*") {
        let record: Value = serde_json::from_str(&record).unwrap_or_default();
        if let Ok(pattern) = Pattern::parse(&text) {
            pattern.matches(&record);
        }
    }
}
