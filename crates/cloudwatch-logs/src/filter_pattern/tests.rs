//! What patterns want: a table of patterns and messages, and that nothing a client sends does any harm.

use proptest::prelude::*;

use super::FilterPattern;

const LOGIN: &str = r#"{"eventType":"UpdateTrail","sourceIPAddress":"111.111.111.111","arrayKey":["value","another"],
    "objectList":[{"name":"a","id":1},{"name":"b","id":2}],"SomeObject":null,"ThisFlag":true,"off":false,
    "latency":12.5,"count":1000,"below":-3,"text":"404","odd.key":"odd","a":{"b":{"c":"deep"}},"quote":"say \"hi\"",
    "level":"ERROR","message":"took 250 ms","users":["ann","bob"],"kind":"x&&y","spaces":"a b c"}"#;
const ACCESS: &str =
    r#"127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;

/// A pattern, a message, and whether the one wants the other.
const CASES: &[(&str, &str, bool)] = &[
    // Terms.
    ("", "anything", true),
    ("   ", "", true),
    ("ERROR", "[ERROR] a time-out", true),
    ("ERROR", "ERRORS everywhere", false),
    ("ERROR", "an error", false),
    ("ERROR", "REQUEST_ERROR", true),
    ("ERROR time", "[ERROR] a time-out", true),
    ("ERROR other", "[ERROR] a time-out", false),
    ("?ERROR ?WARN", "WARN: disk", true),
    ("?ERROR ?WARN", "INFO: disk", false),
    ("ERROR ?WARN", "WARN: disk", false),
    ("ERROR ?WARN", "ERROR: disk", true),
    ("two -debug", "two words", true),
    ("two -debug", "two debug words", false),
    ("-debug -trace", "info", true),
    ("-debug -trace", "a trace", false),
    ("?ERROR ?two -debug", "two debug words", false),
    ("\"two words\"", "here are two words.", true),
    ("\"two words\"", "two  words", false),
    ("-\"two words\"", "two words", false),
    (r#""\"quoted\"""#, "a \"quoted\" word", true),
    ("\"[ERROR]\"", "an [ERROR] here", true),
    ("\"$LATEST\"", "Version: $LATEST\n", true),
    ("ümlaut", "ein ümlaut", true),
    ("日本", "日本 語", true),
    // Regular expressions among terms.
    (r"%ERROR-\d{3}%", "an ERROR-404 here", true),
    (r"%ERROR-\d{3}%", "an ERROR-40 here", false),
    ("%^START%", "START RequestId", true),
    ("%^START%", "RESTART", false),
    ("-%deb.g% two", "two words", true),
    ("-%deb.g% two", "two debug words", false),
    ("?%^a% ?%z$%", "to z", true),
    (r"%100\%%", "at 100%", true),
    ("%a b%", "1a b2", true),
    // JSON: texts.
    (r#"{ $.eventType = "UpdateTrail" }"#, LOGIN, true),
    (r#"{$.eventType="UpdateTrail"}"#, LOGIN, true),
    ("{ $.eventType = UpdateTrail }", LOGIN, true),
    (r#"{ $.eventType = "Update" }"#, LOGIN, false),
    (r#"{ $.eventType = "Update*" }"#, LOGIN, true),
    (r#"{ $.eventType = "*Trail" }"#, LOGIN, true),
    (r#"{ $.eventType = "updatetrail" }"#, LOGIN, false),
    (r#"{ $.eventType != "Other" }"#, LOGIN, true),
    (r#"{ $.eventType != "UpdateTrail" }"#, LOGIN, false),
    (r#"{ $.none != "Other" }"#, LOGIN, false),
    ("{ $.sourceIPAddress != 123.123.* }", LOGIN, true),
    ("{ $.sourceIPAddress = 111.111.* }", LOGIN, true),
    (r#"{ $.kind = "x&&y" }"#, LOGIN, true),
    (r#"{ $.spaces = "a b c" }"#, LOGIN, true),
    (r#"{ $.quote = "say \"hi\"" }"#, LOGIN, true),
    ("{ $.message = %[0-9]{3} ms$% }", LOGIN, true),
    ("{ $.message != %[0-9]{4} ms$% }", LOGIN, true),
    // JSON: numbers.
    ("{ $.latency > 12 }", LOGIN, true),
    ("{ $.latency < 12.5 }", LOGIN, false),
    ("{ $.latency <= 12.5 }", LOGIN, true),
    ("{ $.count = 1e3 }", LOGIN, true),
    ("{ $.count = 1000.0 }", LOGIN, true),
    ("{ $.count >= 1001 }", LOGIN, false),
    ("{ $.count != 1 }", LOGIN, true),
    ("{ $.count = 10* }", LOGIN, true),
    (r#"{ $.count = "1000" }"#, LOGIN, false),
    ("{ $.below < -2.5 }", LOGIN, true),
    ("{ $.text = 404 }", LOGIN, true),
    ("{ $.text > 400 }", LOGIN, false),
    // JSON: paths.
    (r#"{ $.arrayKey[0] = "value" }"#, LOGIN, true),
    (r#"{ $.arrayKey[1] = "value" }"#, LOGIN, false),
    (r#"{ $.arrayKey[9] = "value" }"#, LOGIN, false),
    ("{ $.objectList[1].id = 2 }", LOGIN, true),
    ("{ $.objectList[*].id = 2 }", LOGIN, true),
    ("{ $.objectList[*].id = 3 }", LOGIN, false),
    (r#"{ $.a.b.c = "deep" }"#, LOGIN, true),
    (r#"{ $["odd.key"] = "odd" }"#, LOGIN, true),
    (r#"{ $.['odd.key'] = "odd" }"#, LOGIN, true),
    (r#"{ $.a["b"].c = "deep" }"#, LOGIN, true),
    (r#"{ $.a = "deep" }"#, LOGIN, false),
    ("{ $.users[0] = ann }", LOGIN, true),
    ("{ $[1] = 2 }", "[1, 2]", true),
    // JSON: what is there.
    ("{ $.SomeObject IS NULL }", LOGIN, true),
    ("{ $.none IS NULL }", LOGIN, false),
    ("{ $.SomeOtherObject NOT EXISTS }", LOGIN, true),
    ("{ $.SomeObject NOT EXISTS }", LOGIN, false),
    ("{ $.SomeObject EXISTS }", LOGIN, true),
    ("{ $.ThisFlag IS TRUE }", LOGIN, true),
    ("{ $.ThisFlag is false }", LOGIN, false),
    ("{ $.off IS FALSE }", LOGIN, true),
    ("{ $.off = false }", LOGIN, true),
    // JSON: several conditions.
    (r#"{ ($.count = 1000) && ($.users[1] = "bob") }"#, LOGIN, true),
    (r#"{ $.count = 1 || $.users[1] = "bob" }"#, LOGIN, true),
    // `&&` binds closer.
    ("{ $.count = 1000 || $.count = 1 && $.count = 2 }", LOGIN, true),
    ("{ ($.count = 1000 || $.count = 1) && $.count = 2 }", LOGIN, false),
    (r#"{ (($.level = "ERROR") && (($.latency > 100) || ($.count > 100))) }"#, LOGIN, true),
    ("{ $.a = 1 }", "no JSON", false),
    ("{ $.a = 1 }", "{\"a\":1", false),
    ("{ $.a = 1 }", " {\"a\":1}\n", true),
    ("{ $.a NOT EXISTS }", "no JSON", false),
    // Fields between spaces.
    ("[ip, server, username, timestamp, request, status_code, bytes]", ACCESS, true),
    ("[ip, server, username, timestamp, request, status_code]", ACCESS, false),
    ("[ip, server, username, timestamp, request, status_code = 404, bytes]", ACCESS, true),
    ("[ip, server, username, timestamp, request, status_code = 4*, bytes > 1000]", ACCESS, true),
    ("[ip, server, username, timestamp, request, status_code = 4*, bytes > 2000]", ACCESS, false),
    ("[ip, server, username, timestamp, request = *.html*, status_code = 4*, bytes]", ACCESS, true),
    (r#"[ip, server, username, timestamp, request = "GET *", status_code, bytes]"#, ACCESS, true),
    (r"[ip = %127\.0\.0\.[1-9]%, server, username, timestamp, request, status_code, bytes]", ACCESS, true),
    ("[..., status_code = 4* && status_code != 404, bytes]", ACCESS, false),
    ("[..., status_code = 404 || status_code = 410, bytes]", ACCESS, true),
    ("[..., bytes >= 1534]", ACCESS, true),
    ("[ip = 127.*, ...]", ACCESS, true),
    ("[ip, ..., status = 4*, size<2e3]", ACCESS, true),
    ("[ip, ..., timestamp = \"10/Oct*\", request, status, size]", ACCESS, true),
    ("[...]", "", true),
    ("[w1 = ERROR, w2]", "ERROR there", true),
    ("[w1 != ERROR && w1 != WARN, w2]", "INFO there", true),
    ("[w1 != ERROR && w1 != WARN, w2]", "WARN there", false),
    ("[(w1 = a || w1 = b), w2]", "b there", true),
    ("[a, b]", "[open field", true),
    ("[a, b]", "[one field] two", true),
    ("[a, b]", "[x]y two", true),
    ("[size > 10]", "many", false),
];

#[test]
fn a_pattern_wants_what_aws_says_it_wants() {
    assert!(CASES.len() >= 100);
    let mut wrong = Vec::new();
    for (pattern, message, expected) in CASES {
        match FilterPattern::parse(pattern) {
            Ok(parsed) if parsed.matches(message) == *expected => {}
            Ok(_) => wrong.push(format!("{pattern} on {message}: not {expected}")),
            Err(error) => wrong.push(format!("{pattern}: {error:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_no_pattern_is_refused() {
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(200), ")".repeat(200));
    for pattern in [
        "a:b",
        "\"open",
        "?",
        "-",
        "\"\"",
        "\"a\"b",
        "%open",
        "%(%",
        "%a% %b% %c%",
        "%a{999}{999}%",
        "a %%",
        "{",
        "{}",
        "{ $ = 1 }",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a = 1",
        "{ $.a = 1 } b",
        "{ a = 1 }",
        "{ $.a > x }",
        "{ $.a > \"1\" }",
        "{ $.a == 1 }",
        "{ $.a = 1 && }",
        "{ ($.a = 1 }",
        "{ $.a IS 1 }",
        "{ $.a NOT }",
        "{ $.a[x] = 1 }",
        "{ $.a[ = 1 }",
        "{ $..a = 1 }",
        "{ $.a = \"x }",
        "{ $.a = %x% || $.b = %y% || $.c = %z% }",
        &deep,
        "[",
        "[]",
        "[a",
        "[a,]",
        "[,a]",
        "[a b]",
        "[..., a, ...]",
        "[a = 1 && b = 2]",
        "[a > x]",
        "[a] b",
        "[a && a]",
        "[(a)b]",
        "[w1 = (w1), w2]",
    ] {
        let error = FilterPattern::parse(pattern).map(|_| ()).expect_err(pattern);
        let response = error.into_response();
        assert_eq!(response.headers()["x-amzn-errortype"], "InvalidParameterException", "{pattern}");
    }
}

#[test]
fn what_a_pattern_names_is_extracted() {
    let extracted = |pattern: &str, message: &str| {
        let values = FilterPattern::parse(pattern).unwrap().extracted(message);
        values.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(extracted("[a, ..., z > 1]", "x [1 2] \"q r\" 9"), "$a=x $z=9");
    assert_eq!(extracted("{ $.a.b = 1 || $.c[0] = * }", r#"{"a":{"b":1},"c":["x"]}"#), "$.a.b=1 $.c[0]=x");
    assert_eq!(extracted("x", "x"), "");
}

#[test]
fn a_hostile_pattern_and_message_take_a_time_that_grows_with_the_message_alone() {
    let brackets = "[ ".repeat(100_000);
    let quotes = format!("{}\"x", "\" \"a".repeat(100_000));
    let letters = "a".repeat(200_000);
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for pattern in [
        "[..., z]",
        "%(a*)*(a*)*b%",
        "%(a|aa)+$% %(a|b|ab)*c%",
        "{ $.a = %(x+x+)+y% }",
        &format!("{{ $.a = \"{}\" }}", "*a".repeat(400)),
        &format!("\"{}b\"", "a".repeat(400)),
        &format!("[a, {}b]", "c, ".repeat(200)),
    ] {
        let parsed = FilterPattern::parse(pattern).unwrap();
        for message in [&brackets, &quotes, &letters, &nested, &format!("{{\"a\":\"{letters}\"}}")] {
            parsed.matches(message);
        }
    }
}

proptest! {
    #[test]
    fn no_pattern_and_no_message_panics(pattern in any::<String>(), message in any::<String>()) {
        if let Ok(pattern) = FilterPattern::parse(&pattern) {
            pattern.matches(&message);
            pattern.extracted(&message);
        }
    }

    #[test]
    fn nothing_made_of_the_signs_of_patterns_panics(
        pattern in r#"[\{\[]?[ $.a-c"'%\*\[\]\{\}()=!<>&|,0-9?\\ü-]{0,40}[\}\]]?"#,
        message in r#"[ \[\]\{\}":,a-c0-9.%ü-]{0,60}"#,
    ) {
        if let Ok(pattern) = FilterPattern::parse(&pattern) {
            pattern.matches(&message);
            pattern.extracted(&message);
        }
    }
}
