//! Ten million log lines: how fast they are written, and how long a real server takes for a page of them.
//!
//! The lines are put in by the store's own writer, in this process, as fast as it takes them; then a server opens the
//! folder. Most of them are of one group with ten thousand streams that take turns, five lines each: the worst case for
//! whoever wants one stream, as the last hundred events of it are spread over a tenth of the day.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hearth_telemetry::{Clock, LogStore, LogStoreSettings, PutEvent};
use hearth_tests::{Folder, Server, Settings, http};
use hearth_types::{LogGroupName, LogStreamName};
use serde_json::{Value, json};

use crate::idle::mib;
use crate::median::quantile;
use crate::options::Options;
use crate::table::{Bound, Of, Row, Table};

/// The group with most of the lines.
const LARGE: &str = "/aws/lambda/large";
/// How many groups share a fifth of the lines, with a hundred streams each.
const SMALL_GROUPS: usize = 20;
/// How many lines a stream gets before it is another's turn: those of a call.
const LINES_A_TURN: usize = 5;
/// The lines lie in the last 24 hours.
const DAY_MS: i64 = 86_400_000;
/// One line in so many has the rare term.
const RARE: usize = 100_003;

/// Measures the writer, and the queries of people and their tools.
pub(crate) fn measure(options: &Options, table: &mut Table) {
    let (lines, streams) = if options.is_quick { (500_000, 1_000) } else { (10_000_000, 10_000) };
    let folder = Folder::new();
    let now_ms = epoch_ms();
    let written = Instant::now();
    let bytes = write(&folder, lines, streams, now_ms);
    let name = format!("logs, {lines} lines");
    table.add(Row::alone(format!("{name}: written"), "lines/s", rate(lines, written.elapsed())));
    #[expect(clippy::cast_precision_loss, reason = "a few gigabytes")]
    table.add(Row::alone(format!("{name}: on disk"), "MiB", bytes as f64 / f64::from(1 << 20)));

    let server = Settings::new().without_walls().data_path(folder.path()).start();
    let before = server.resident_kib();
    let queries = Queries { server: &server, streams, now_ms };
    table.add(Row::alone(format!("{name}: first page of a stream ever"), "ms", queries.tail_of_stream(7)));
    let rounds = options.rounds.max(5);
    let must = |row: Row, ms| row.must(Of::Hearth, Bound::AtMost(ms));
    let mut add = |what: &str, limit_ms: Option<f64>, sample: &dyn Fn(usize) -> f64| {
        let samples: Vec<f64> = (0..rounds).map(sample).collect();
        let p50 = Row::alone(format!("{name}: {what}, p50"), "ms", quantile(&samples, 0.5));
        table.add(limit_ms.into_iter().fold(p50, must));
        table.add(Row::alone(format!("{name}: {what}, slowest"), "ms", quantile(&samples, 1.0)));
    };
    add("newest 100 of a stream", Some(50.0), &|round| queries.tail_of_stream(round * 7_919));
    add("newest 100 of a group", Some(50.0), &|_| queries.tail_of_group());
    add("an hour, a rare term", Some(500.0), &|_| queries.filter_an_hour(60));
    add("an hour, last hour but ten", Some(500.0), &|_| queries.filter_an_hour(11 * 60));
    add("streams by last event", None, &|_| queries.streams_by_last_event());
    let more = server.resident_kib().saturating_sub(before);
    table.add(Row::alone(format!("{name}: memory taken by all that"), "MiB", mib(more)));
    server.stop();
}

/// Puts all lines in, and returns how many bytes they are on disk.
fn write(folder: &Folder, lines: usize, streams: usize, now_ms: i64) -> u64 {
    let settings =
        LogStoreSettings { retention: Duration::from_secs(14 * 86_400), group_bytes_max: 16 << 30 };
    let logs = folder.path().join("logs");
    let store = LogStore::open(&logs, settings, Clock::new(Instant::now(), epoch_ms)).unwrap();
    let large = group(LARGE);
    let small: Vec<LogGroupName> =
        (0..SMALL_GROUPS).map(|number| group(&format!("/aws/lambda/small-{number}"))).collect();
    let names: Vec<LogStreamName> =
        (0..streams).map(|number| LogStreamName::new(&stream(number)).unwrap()).collect();
    let turns = lines / LINES_A_TURN;
    for turn in 0..turns {
        let at = |line: usize| {
            #[expect(clippy::cast_possible_wrap, reason = "ten million")]
            let number = (turn * LINES_A_TURN + line) as i64;
            now_ms - DAY_MS + number * DAY_MS / i64::try_from(lines).unwrap()
        };
        let events: Vec<PutEvent> = (0..LINES_A_TURN)
            .map(|line| PutEvent {
                timestamp_ms: at(line),
                message: text(turn * LINES_A_TURN + line).into_bytes(),
            })
            .collect();
        // Every fifth call is of a small function.
        let (group, name) = match turn % 5 {
            0 => (&small[turn / 5 % SMALL_GROUPS], &names[turn / 100 % 100]),
            _ => (&large, &names[(turn - turn / 5) % streams]),
        };
        while !store.put(group, name, events.clone()) {
            store.flush();
        }
        if turn.is_multiple_of(20_000) {
            store.flush();
        }
    }
    store.flush();
    let bytes = small.iter().chain([&large]).map(|group| store.stored_bytes(group)).sum();
    store.close();
    bytes
}

fn text(number: usize) -> String {
    let rest =
        if number.is_multiple_of(RARE) { "ERROR needle_in_the_hay" } else { "INFO\tthe order was taken" };
    format!(
        "2026-11-25T09:46:40.120Z\t8476a536-e9f4-41e8-9739-{number:012}\t{rest}, as it should be: {number}\n"
    )
}

fn stream(number: usize) -> String {
    format!("2026/11/25/[$LATEST]{:032x}", number as u128 * 0x9e37_79b9_7f4a_7c15)
}

fn group(name: &str) -> LogGroupName {
    LogGroupName::new(name).unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "ten million")]
fn rate(lines: usize, time: Duration) -> f64 {
    lines as f64 / time.as_secs_f64()
}

fn epoch_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// What is asked of the server; each returns how long the answer took, in milliseconds.
struct Queries<'server> {
    server: &'server Server,
    streams: usize,
    now_ms: i64,
}

impl Queries<'_> {
    fn tail_of_stream(&self, which: usize) -> f64 {
        let name = stream(which % self.streams);
        let request = json!({ "logGroupName": LARGE, "logStreamName": name, "limit": 100 });
        self.timed(|| assert_eq!(events(&self.ask("GetLogEvents", &request)), 100))
    }

    fn tail_of_group(&self) -> f64 {
        let request = json!({ "logGroupName": LARGE, "limit": 100, "startFromHead": false });
        self.timed(|| assert_eq!(events(&self.ask("FilterLogEvents", &request)), 100))
    }

    /// The hour that began so many minutes before the last line; all its pages.
    fn filter_an_hour(&self, minutes: i64) -> f64 {
        let from = self.now_ms - minutes * 60_000;
        let mut request = json!({
            "logGroupName": LARGE, "startTime": from, "endTime": from + 3_600_000,
            "filterPattern": "needle_in_the_hay",
        });
        self.timed(|| {
            let mut found = 0;
            loop {
                let page = self.ask("FilterLogEvents", &request);
                found += events(&page);
                match &page["nextToken"] {
                    Value::Null => break,
                    token => request["nextToken"] = token.clone(),
                }
            }
            assert!(found < 10, "{found} of four or so");
        })
    }

    fn streams_by_last_event(&self) -> f64 {
        let request =
            json!({ "logGroupName": LARGE, "orderBy": "LastEventTime", "descending": true, "limit": 50 });
        self.timed(|| {
            let answer = self.ask("DescribeLogStreams", &request);
            assert_eq!(answer["logStreams"].as_array().unwrap().len(), 50);
        })
    }

    fn timed(&self, ask: impl FnOnce()) -> f64 {
        let begun = Instant::now();
        ask();
        begun.elapsed().as_secs_f64() * 1_000.0
    }

    fn ask(&self, operation: &str, request: &Value) -> Value {
        let target = format!("Logs_20140328.{operation}");
        let headers = [("X-Amz-Target", target.as_str()), ("Content-Type", "application/x-amz-json-1.1")];
        let answer = http(self.server.address(), "POST", "/", &headers, request.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

fn events(page: &Value) -> usize {
    page["events"].as_array().unwrap().len()
}
