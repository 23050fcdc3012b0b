//! Queries over events that are known: what comes out, by a table.

use hearth_telemetry::{LogEvent, Position};
use proptest::prelude::*;

use super::event::Event;
use super::parse;
use super::pipeline::{Pipeline, ResultRow};
use super::run::Failure;

/// `2026-11-30 12:00:00.000`, in milliseconds since 1970.
const NOON_MS: i64 = 1_796_040_000_000;

const MESSAGES: &[&str] = &[
    "INIT_START Runtime Version: python:3.13.v1\tRuntime Version ARN: arn:x\n",
    "START RequestId: 11111111-2222-3333-4444-555555555555 Version: $LATEST\n",
    "user=ann, method:GET, latency := 12.5",
    "END RequestId: 11111111-2222-3333-4444-555555555555\n",
    "REPORT RequestId: 11111111-2222-3333-4444-555555555555\tDuration: 12.34 ms\tBilled Duration: 213 ms\t\
     Memory Size: 128 MB\tMax Memory Used: 50 MB\tInit Duration: 200.50 ms\t\nXRAY TraceId: 1-2-3\t\
     SegmentId: abc\tSampled: true\t\n",
    r#"{"level":"error","ms":250,"at":{"id":7,"tags":["x","y"]},"ok":false,"none":null,"big":12345678901234567891,"odd-key":"o"}"#,
    "2026-11-30T12:00:00.000Z\t66666666-2222-3333-4444-555555555555\tINFO\t{\"level\":\"info\",\"ms\":50}\n",
    "user=bob, method:PUT, latency := 20",
    r#"{"time":"t","type":"platform.report","record":{"requestId":"77777777-2222-3333-4444-555555555555",
       "metrics":{"durationMs":2.5,"billedDurationMs":3,"memorySizeMB":256,"maxMemoryUsedMB":60},"status":"success"}}"#,
];

/// The events of all messages, a minute apart.
fn events() -> impl Iterator<Item = Event> {
    MESSAGES.iter().enumerate().map(|(number, message)| event(number as i64, message))
}

fn event(number: i64, message: &str) -> Event {
    let event = LogEvent {
        position: Position { segment: 1, offset: number as u64 },
        timestamp_ms: NOON_MS + number * 60_000,
        ingestion_ms: NOON_MS + number * 60_000 + 5,
        log_stream: format!("stream-{}", number % 2),
        message: message.to_owned(),
    };
    Event::new(event, "000000000000:/app".to_owned())
}

fn run(query: &str, events: impl Iterator<Item = Event>) -> Result<Vec<ResultRow>, Failure> {
    let mut pipeline = Pipeline::new(parse(query).unwrap(), 1_000, NOON_MS);
    for event in events {
        pipeline.take(event)?;
    }
    pipeline.finish()
}

/// The rows of a query, each as `name=value …` without `@ptr`.
fn rows(query: &str) -> Vec<String> {
    let rows = run(query, events()).unwrap();
    let print = |row: ResultRow| {
        let shown = row.into_iter().filter(|(name, _)| name != "@ptr");
        shown.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    rows.into_iter().map(print).collect()
}

#[test]
fn a_query_answers_what_is_known_of_its_events() {
    let cases: &[(&str, &[&str])] = &[
        // Fields: those of every event, of Lambda's lines, of JSON.
        (
            "fields @timestamp, @logStream, @log, @ingestionTime | limit 1",
            &["@timestamp=2026-11-30 12:08:00.000 @logStream=stream-0 @log=000000000000:/app \
               @ingestionTime=2026-11-30 12:08:00.005"],
        ),
        (
            "filter @type = 'REPORT' | fields @requestId, @duration, @billedDuration, @initDuration, @memorySize, \
             @maxMemoryUsed, @xrayTraceId, @xraySegmentId | sort @timestamp asc",
            &[
                "@requestId=11111111-2222-3333-4444-555555555555 @duration=12.34 @billedDuration=213 \
                 @initDuration=200.5 @memorySize=128000000 @maxMemoryUsed=50000000 @xrayTraceId=1-2-3 \
                 @xraySegmentId=abc",
                "@requestId=77777777-2222-3333-4444-555555555555 @duration=2.5 @billedDuration=3 \
                 @memorySize=256000000 @maxMemoryUsed=60000000",
            ],
        ),
        ("filter @type in ['START', 'END'] | stats count(*) as n", &["n=2"]),
        ("filter @requestId like /^6/ | display level, ms", &["level=info ms=50"]),
        (
            "filter level = 'error' | fields ms, at.id, at.tags.1, ok, none, `odd-key`",
            &["ms=250 at.id=7 at.tags.1=y ok=false odd-key=o"],
        ),
        ("filter record.metrics.durationMs > 2 | display record.status", &["record.status=success"]),
        // Filters.
        ("filter @message like /(?i)USER/ | stats count(*)", &["count(*)=2"]),
        ("filter @message like 'user=b' | stats count() as n", &["n=1"]),
        ("filter @message =~ /latency := \\d+$/ and not @message like 'bob' | stats count(*) as n", &["n=0"]),
        ("filter @message not like /RequestId|user|\\{/ | display @logStream", &["@logStream=stream-0"]),
        ("filter ms >= 50 and ms <= 250 and level != 'info' | display ms", &["ms=250"]),
        ("filter (ms = 50 or ms = 250) and level in ['info'] | display ms", &["ms=50"]),
        ("filter ms not in [50] and ispresent(ms) | display ms", &["ms=250"]),
        ("filter level = 'error' or level = 'info' | filter ms < 100 | display ms", &["ms=50"]),
        ("filter big > 1e15 | display big", &["big=12345678901234567891"]),
        (
            "filter @timestamp < '2026-11-30 12:02' and @timestamp >= '2026-11-30 12:01' | display @type",
            &["@type=START"],
        ),
        ("filter ok = false | display ms", &["ms=250"]),
        (
            "filter @timestamp >= 1796040480000 | display @requestId",
            &["@requestId=77777777-2222-3333-4444-555555555555"],
        ),
        // Comments, lines and capitals.
        ("# what\nFIELDS ms # of\n| FILTER ms > 100\n| LIMIT 5", &["ms=250"]),
        // Arithmetic and functions.
        (
            "filter ms = 250 | display ms + 2 * 3 - 1 as a, (ms + 2) % 5 as b, -ms / 4 as c, 2 ^ 3 as d",
            &["a=255 b=2 c=-62.5 d=8"],
        ),
        (
            "filter ms = 250 | display strlen(level) as a, toupper(level) as b, concat(level, '-', ms) as c",
            &["a=5 b=ERROR c=error-250"],
        ),
        (
            "filter ms = 250 | display abs(-1.5) as a, floor(1.5) as b, ceil(1.5) as c, sqrt(9) as d, greatest(1, ms) as e, least(1, ms) as f",
            &["a=1.5 b=1 c=2 d=3 e=250 f=1"],
        ),
        (
            "filter ms = 250 | display coalesce(nothing, none, level) as a, isempty(none) as b, isblank(' ') as c",
            &["a=error b=true c=true"],
        ),
        (
            "filter ms = 250 | display substr(level, 1, 3) as a, replace(level, 'r', 'l') as b, trim('  x ') as c, strcontains(level, 'rro') as d",
            &["a=rro b=ellol c=x d=true"],
        ),
        (
            "filter ms = 250 | display bin(1h) as a, datefloor(@timestamp, 1d) as b, dateceil(@timestamp, 1h) as c, datefloor(@timestamp, 1mo) as d",
            &[
                "a=2026-11-30 12:00:00.000 b=2026-11-30 00:00:00.000 c=2026-11-30 13:00:00.000 d=2026-11-01 00:00:00.000",
            ],
        ),
        (
            "filter ms = 250 | display tomillis(@timestamp) as a, frommillis(0) as b, now() as c",
            &["a=1796040300000 b=1970-01-01 00:00:00.000 c=1796040000"],
        ),
        (
            "filter ms = 250 | display isvalidip('::1') as a, isvalidipv4('::1') as b, ms / 0 as c, level * 2 as d",
            &["a=true b=false"],
        ),
        // Parse.
        (
            "parse @message 'user=*, method:*, latency := *' as @user, @method, @latency | filter ispresent(@user) \
             | display @user, @method, @latency | sort @latency",
            &["@user=ann @method=GET @latency=12.5", "@user=bob @method=PUT @latency=20"],
        ),
        (
            "parse 'user=*,' as who | filter ispresent(who) | stats count(*) as n by who | sort who desc",
            &["who=bob n=1", "who=ann n=1"],
        ),
        (
            r"fields @logStream | parse @message /latency := (?<ms>[0-9.]+)(?<rest>x)?/ | filter @message like 'ann'",
            &["@logStream=stream-0 ms=12.5"],
        ),
        // Stats.
        (
            "filter @type = 'REPORT' | stats avg(@duration), sum(@billedDuration) as billed, min(@duration) as least, \
             max(@duration) as most, count(@initDuration) as cold, stddev(@billedDuration)",
            &["avg(@duration)=7.42 billed=216 least=2.5 most=12.34 cold=1 stddev(@billedDuration)=148.4924"],
        ),
        (
            "stats count(*) as lines, count_distinct(@logStream) as streams, earliest(@logStream) as first, \
             latest(ms) as last, pct(ms, 50) as p50, pct(ms, 99) as p99, median(ms) as middle",
            &["lines=9 streams=2 first=stream-0 last=50 p50=50 p99=250 middle=50"],
        ),
        (
            "stats count(*) as n by @logStream | sort n desc",
            &["@logStream=stream-0 n=5", "@logStream=stream-1 n=4"],
        ),
        (
            "stats count(*) by bin(5m) | sort `bin(5m)`",
            &["bin(5m)=2026-11-30 12:00:00.000 count(*)=5", "bin(5m)=2026-11-30 12:05:00.000 count(*)=4"],
        ),
        (
            "filter @type = 'REPORT' | stats max(@memorySize / 1000 / 1000) as has, max(@maxMemoryUsed / 1000 / 1000) \
             as used, has - used as over",
            &["has=256 used=60 over=196"],
        ),
        (
            "stats count(*) as n by @logStream, level | stats max(n) as most, count(*) as groups",
            &["most=4 groups=4"],
        ),
        ("filter @message = 'nothing' | stats count(*) as n, avg(ms) as a", &["n=0"]),
        ("filter @message = 'nothing' | stats count(*) as n by level", &[]),
        // Order, and how much.
        ("filter ispresent(ms) | display ms", &["ms=50", "ms=250"]),
        ("filter ispresent(ms) | display ms | sort ms desc", &["ms=250", "ms=50"]),
        ("display @logStream | sort @logStream desc, @timestamp asc | limit 1", &["@logStream=stream-1"]),
        ("display @logStream | dedup @logStream", &["@logStream=stream-0", "@logStream=stream-1"]),
        ("display ms | sort ms asc | limit 3", &["ms=50", "ms=250", ""]),
        ("display ms | sort ms desc | limit 3", &["ms=250", "ms=50", ""]),
        ("display ms | dedup ms | filter ispresent(ms)", &["ms=50", "ms=250"]),
    ];
    let mut wrong = Vec::new();
    for (query, expected) in cases {
        let found = rows(query);
        if found != *expected {
            wrong.push(format!("{query}\n  {found:#?}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What nothing is said of: time and message, the newest first, and where each event is.
    let plain = run("filter ispresent(ms)", events()).unwrap();
    let names: Vec<&str> = plain[0].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["@timestamp", "@message", "@ptr"]);
    let (position, group) = super::pointer_position(&plain[0][2].1).unwrap();
    assert_eq!((position.offset, group.as_str()), (6, "/app"));
}

#[test]
fn what_is_no_query_is_refused_with_its_place() {
    for (query, place, text) in [
        (
            "",
            (0, 0),
            "unexpected symbol found the end of the query at line 1 and position 0: a command is expected",
        ),
        ("fields @message |", (17, 17), "unexpected symbol found the end of the query"),
        ("fields @message\n| fetch 1", (18, 23), "unexpected symbol found fetch at line 2 and position 2"),
        ("filter ü = ", (11, 11), "unexpected symbol found the end of the query"),
        ("filter a like b", (14, 15), "a text in quotation marks is expected"),
        ("filter a like /(/", (14, 17), "this is no regular expression, or it is too large"),
        ("filter a like /x", (14, 16), "there is no closing /"),
        ("filter a = 'x", (11, 13), "there is no closing '"),
        ("filter (a = 1", (13, 13), ") is expected"),
        ("filter a not 1", (13, 14), "`like` or `in` is expected"),
        ("fields nothing(a)", (7, 14), "there is no function `nothing`"),
        ("fields abs(a, b)", (7, 10), "`abs` does not take 2 arguments"),
        ("fields count(*)", (7, 12), "there is no function `count`"),
        ("stats pct(a, 101)", (9, 17), "`pct` does not take these arguments"),
        ("stats sum(avg(a))", (10, 13), "there is no function `avg`"),
        ("fields bin(5x)", (11, 11), "`5x` is no period such as `5m`"),
        ("limit 0", (6, 7), "a limit is from 1 to 10000"),
        ("limit 10001", (6, 11), "a limit is from 1 to 10000"),
        ("parse @message 'a*b*' as x", (15, 21), "there are 2 `*` and 1 names"),
        ("parse @message 'a**' as x, y", (15, 20), "two `*` have nothing between them"),
        ("parse @message /(a)/", (15, 20), "the expression has no group with a name"),
        ("pattern @message", (0, 7), "Hearth does not implement the command `pattern`"),
        ("sort @timestamp down", (16, 20), "| and another command is expected"),
        (&format!("filter {}1", "(".repeat(100)), (39, 40), "an expression that is less deep"),
        (&format!("filter 1{}", "+1".repeat(1_000)), (521, 522), "a shorter expression"),
    ] {
        let response = parse(query).map(|_| ()).expect_err(query).into_response();
        assert_eq!(response.headers()["x-amzn-errortype"], "MalformedQueryException");
        let body = format!("{:?}", response.body());
        assert!(body.contains("whole"), "{body}");
        let error = super::parse::malformed(query).unwrap();
        assert!(error.message.contains(text), "{query}: {}", error.message);
        assert_eq!(error.characters(query), place, "{query}: {}", error.message);
    }
}

#[test]
fn percentiles_of_very_many_numbers_are_right_to_a_percent() {
    let events =
        (0..20_000).map(|number| event(number, &format!("{{\"n\":{}}}", (number * 7_919) % 20_000 - 10_000)));
    let rows = run("stats pct(n, 25) as a, pct(n, 75) as b, pct(n, 99) as c, count_distinct(n) as d", events)
        .unwrap();
    let numbers: Vec<f64> = rows[0].iter().map(|(_, value)| value.parse().unwrap()).collect();
    for (found, expected) in numbers.iter().zip([-5_000.0, 5_000.0, 9_800.0, 20_000.0]) {
        assert!((found - expected).abs() <= expected.abs() / 100.0, "{numbers:?}");
    }
}

#[test]
fn a_query_keeps_no_more_than_it_may() {
    let large = || (0..200).map(|number| event(number, &"x".repeat(1 << 20)));
    // The last two are kept, of 200 MB.
    let kept =
        run("fields strlen(@message) as n | display n | sort @timestamp desc | limit 2", large()).unwrap();
    assert_eq!(kept.len(), 2);
    for query in [
        "fields @message | sort @timestamp | filter @message like 'x'",
        "stats count(*) by @message, @timestamp",
        "fields @message | limit 100",
        "display concat(@message, @message, @message) as m | limit 1",
        "fields replace(@message, 'x', 'xxx') as m",
    ] {
        assert!(matches!(run(query, large()), Err(Failure::TooLarge)), "{query}");
    }
}

proptest! {
    #[test]
    fn no_query_and_no_message_panics(query in any::<String>(), message in any::<String>()) {
        if let Ok(query) = parse(&query) {
            let mut pipeline = Pipeline::new(query, 10, 0);
            let _ = pipeline.take(event(1, &message));
            let _ = pipeline.finish();
        }
    }

    #[test]
    fn nothing_made_of_the_words_of_queries_panics(
        words in prop::collection::vec(prop::sample::select(vec![
            "fields ", "filter ", "stats ", "parse ", "sort ", "limit ", "dedup ", "display ", "| ", "@message ", "ms ",
            "@duration ", "@timestamp ", "( ", ") ", "[ ", "] ", ", ", "= ", "!= ", "> ", "like ", "=~ ", "not ", "and ",
            "or ", "in ", "/a*/ ", "/(?<x>.)/ ", "'a*b' ", "\"ü\" ", "1 ", "2.5e3 ", "- ", "+ ", "* ", "/ ", "% ", "^ ",
            "as a ", "by ", "bin(5m) ", "count(*) ", "pct(ms, 9) ", "substr(a, 1) ", "concat( ", "datefloor(ms, 1y) ",
            "# x\n", "` ", "desc ",
        ]), 0..14),
        message in r#"[\{"a-c:0-9\},üREPORT \t]{0,40}"#,
    ) {
        if let Ok(query) = parse(&words.concat()) {
            let mut pipeline = Pipeline::new(query, 10, 0);
            let _ = pipeline.take(event(1, &message));
            let _ = pipeline.finish();
        }
    }
}
