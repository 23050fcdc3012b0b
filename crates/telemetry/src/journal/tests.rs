//! The journal as its readers see it, and what its files look like.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_tests::Folder;
use hearth_types::{
    Architecture, ColdParticulars, ColdReason, EnvironmentId, ExtensionName, FunctionName,
    InitializationType, LogGroupName, LogStreamName, RequestId, Runtime, Version,
};

use super::*;
use crate::feed::{EnvironmentStep, FinishedInvocation, News};
use crate::record::{
    EnvironmentFacts, EnvironmentRecord, InitPhase, LifecycleEvent, PhaseStatus, Recorder, Report,
    ShutdownReason,
};
use crate::timeline::InvocationSummary;

/// 2026-11-30, noon.
const NOON: i64 = 20_787 * DAY_MS + DAY_MS / 2;

fn environment(function: &str, kind: InitializationType) -> Arc<EnvironmentRecord> {
    let id = EnvironmentId::random();
    let function = FunctionName::new(function).unwrap();
    Recorder::default().begin(EnvironmentFacts {
        id,
        log_group: LogGroupName::of_function(&function),
        function,
        version: Version::Latest,
        log_stream: LogStreamName::new(&format!("2026/11/30/[$LATEST]{id}")).unwrap(),
        created_epoch_ms: NOON,
        why_created: ColdReason::FirstInvocation,
        initialization_type: kind,
        architecture: Architecture::X86_64,
        memory_size_mb: 128,
        ephemeral_storage_mb: 512,
        runtime: Runtime::parse("python3.11").unwrap(),
        is_prebooted: false,
    })
}

/// A journal whose clock stands still unless a test moves it.
struct Kept {
    folder: Folder,
    zero: Instant,
}

impl Kept {
    fn new() -> Self {
        Self { folder: Folder::new(), zero: Instant::now() }
    }

    fn journal(&self) -> Arc<Journal> {
        Journal::open(self.folder.path()).unwrap()
    }

    fn writer(&self) -> impl Listener + use<> {
        self.journal().writer(Clock::new(self.zero, || NOON))
    }

    fn write(&self, calls: Vec<FinishedInvocation>) {
        self.writer().hear(&News { invocations: calls, ..News::default() });
    }

    /// A call that began so long after noon.
    fn call(&self, function: &str, after_noon_ms: i64) -> FinishedInvocation {
        let environment = environment(function, InitializationType::OnDemand);
        let report = Report {
            duration: Duration::from_micros(12_345),
            billed_ms: 13,
            memory_size_mb: 128,
            max_memory_used_mb: 39,
            init_duration: None,
            restore: None,
            status: PhaseStatus::Success,
        };
        FinishedInvocation {
            summary: InvocationSummary {
                request_id: RequestId::random(),
                environment: environment.facts.id,
                start: self.zero,
                report,
                extension_init: None,
                runtime_init: None,
                function_init: None,
                extension_wait: None,
                extension_overhead: None,
                after_call: vec![],
                why_cold: None,
                particulars: None,
                response_bytes: 0,
                injected_faults: vec![],
            },
            environment,
            arrived: self.zero,
            ended: Instant::now(),
            started_epoch_ms: NOON + after_noon_ms,
            trace: None,
            steps: vec![],
        }
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    /// The starts of what is found, after noon.
    fn starts(&self, query: &JournalQuery) -> Vec<i64> {
        self.journal().entries(query).unwrap().iter().map(|entry| entry.started_epoch_ms - NOON).collect()
    }
}

fn of(function: &str) -> JournalQuery {
    JournalQuery { function: Some(FunctionName::new(function).unwrap()), ..JournalQuery::default() }
}

fn last(limit: usize) -> JournalQuery {
    JournalQuery { limit: Some(limit), ..JournalQuery::default() }
}

#[test]
fn an_entry_comes_back_as_it_was_written_with_everything_that_is_unusual() {
    let kept = Kept::new();
    let mut call = kept.call("full", -5);
    let summary = &mut call.summary;
    summary.report.init_duration = Some(Duration::from_micros(151_470));
    summary.report.status = PhaseStatus::Error { error_type: "Runtime.ExitError".to_owned() };
    summary.extension_init = Some(Duration::from_micros(1));
    summary.runtime_init = Some(Duration::from_micros(2));
    summary.function_init = Some(Duration::from_micros(3));
    summary.extension_wait = Some(Duration::from_micros(4));
    summary.extension_overhead = Some(Duration::from_micros(5));
    summary.after_call = vec![(ExtensionName::new("a\"b").unwrap(), Duration::from_micros(6))];
    summary.why_cold = Some(ColdReason::Evicted);
    let other = FunctionName::new("resize").unwrap();
    summary.particulars = Some(Arc::new(ColdParticulars::EvictedFor(other)));
    summary.response_bytes = 7;
    kept.write(vec![call.clone()]);
    let entry = kept.journal().entries(&of("full")).unwrap().pop().unwrap();
    let facts = &call.environment.facts;
    assert_eq!(entry.request_id, call.summary.request_id);
    assert_eq!((entry.environment, &entry.log_stream), (facts.id, &facts.log_stream));
    assert_eq!((&entry.log_group, entry.runtime), (&facts.log_group, facts.runtime));
    assert_eq!((entry.init_us, entry.duration_us, entry.billed_ms), (Some(151_470), 12_345, 13));
    assert_eq!((entry.extension_init_us, entry.runtime_init_us), (Some(1), Some(2)));
    assert_eq!((entry.function_init_us, entry.extension_wait_us), (Some(3), Some(4)));
    assert_eq!(entry.after_call_us, [("a\"b".to_owned(), 6)]);
    assert_eq!(entry.cold_start().unwrap().explanation(), "evicted for another function (resize)");
    assert_eq!((entry.status.as_str(), entry.error_type.as_deref()), ("error", Some("Runtime.ExitError")));
    assert_eq!(entry.response_bytes, 7);
}

#[test]
fn a_warm_call_takes_less_than_260_bytes() {
    let kept = Kept::new();
    kept.write((0..100).map(|at| kept.call("an-ordinary-name", at)).collect());
    let bytes: usize = kept.files().iter().map(|(_, content)| content.len()).sum();
    assert!(bytes < 100 * 260, "{} bytes a call", bytes / 100);
}

#[test]
fn entries_are_asked_for_by_function_time_and_number_and_come_oldest_first() {
    let kept = Kept::new();
    kept.write((0..10).map(|at| kept.call(if at % 2 == 0 { "even" } else { "odd" }, at * 1_000)).collect());
    assert_eq!(kept.starts(&of("even")), [0, 2_000, 4_000, 6_000, 8_000]);
    assert_eq!(kept.starts(&JournalQuery { limit: Some(2), ..of("odd") }), [7_000, 9_000]);
    let (from, to) = (Some(NOON + 3_000), Some(NOON + 5_000));
    assert_eq!(
        kept.starts(&JournalQuery { from_epoch_ms: from, to_epoch_ms: to, ..JournalQuery::default() }),
        [3_000, 4_000]
    );
    assert_eq!(kept.starts(&of("ev")), [0; 0], "the beginning of a name is another name");
    assert_eq!(kept.starts(&last(0)), [0; 0]);
}

#[test]
fn the_latest_are_told_by_their_start_also_when_a_long_call_ends_after_them() {
    let kept = Kept::new();
    let mut long = kept.call("f", -60_000);
    long.summary.report.duration = Duration::from_secs(120);
    let calls = vec![kept.call("f", 1_000), kept.call("f", 2_000), kept.call("f", 3_000), long];
    kept.write(calls);
    assert_eq!(kept.starts(&last(2)), [2_000, 3_000]);
    assert_eq!(kept.starts(&last(9)), [-60_000, 1_000, 2_000, 3_000]);
}

#[test]
fn the_latest_entries_are_found_without_reading_the_rest() {
    let kept = Kept::new();
    kept.write((0..5_000).map(|at| kept.call("f", at * 100)).collect());
    let (mut seen, journal) = (0, kept.journal());
    let enough = |_| {
        seen += 1;
        if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    journal.scan(&JournalQuery::default(), enough).unwrap();
    assert_eq!(seen, 3);
    // Of what lies before, nothing is even looked at: it could be anything.
    let (name, content) = kept.files().remove(0);
    let spoilt = [vec![b'#'; content.len() / 2], content[content.len() / 2..].to_vec()].concat();
    std::fs::write(kept.folder.path().join(name), spoilt).unwrap();
    let (entries, scanned) = journal.entries_and_damage(&last(100)).unwrap();
    assert_eq!((entries.len(), scanned.damaged), (100, 0));
    assert_eq!(entries[99].started_epoch_ms, NOON + 4_999 * 100);
}

#[test]
fn half_a_line_of_a_crash_spoils_nothing_but_itself() {
    let kept = Kept::new();
    kept.write(vec![kept.call("f", 1), kept.call("f", 2)]);
    let (name, content) = kept.files().remove(0);
    std::fs::write(kept.folder.path().join(&name), &content[..content.len() - 20]).unwrap();
    let (entries, scanned) = kept.journal().entries_and_damage(&JournalQuery::default()).unwrap();
    assert_eq!((entries.len(), scanned.damaged), (1, 0), "it may be what is being written");
    kept.write(vec![kept.call("f", 3)]);
    let (entries, scanned) = kept.journal().entries_and_damage(&JournalQuery::default()).unwrap();
    let starts: Vec<i64> = entries.iter().map(|entry| entry.started_epoch_ms - NOON).collect();
    assert_eq!((starts, scanned.damaged), (vec![1, 3], 1));
}

#[test]
fn damaged_lines_are_passed_over_and_counted() {
    let kept = Kept::new();
    kept.write(vec![kept.call("f", 1), kept.call("f", 2)]);
    let (name, content) = kept.files().remove(0);
    let unknown_reason =
        String::from_utf8(content.clone()).unwrap().replacen("\"b\":13", "\"b\":13,\"k\":\"x\"", 1);
    let noise: [&[u8]; 4] =
        [b"\xff\xfe{]\n", b"{\"f\":\"f\",\"t\":\"no\"}\n", b"\n", unknown_reason.as_bytes()];
    std::fs::write(kept.folder.path().join(&name), noise.concat()).unwrap();
    let (entries, scanned) = kept.journal().entries_and_damage(&of("f")).unwrap();
    assert_eq!((entries.len(), scanned.damaged), (1, 3));
}

#[test]
fn a_full_disk_loses_what_does_not_fit_and_nothing_that_comes_after() {
    let kept = Kept::new();
    let mut writer = kept.writer();
    let full = kept.folder.path().join("calls-020787-00000.jsonl");
    symlink("/dev/full", &full).unwrap();
    let hear = |writer: &mut dyn Listener, at| {
        writer.hear(&News { invocations: vec![kept.call("f", at)], ..News::default() });
    };
    hear(&mut writer, 1);
    hear(&mut writer, 2);
    std::fs::remove_file(&full).unwrap();
    hear(&mut writer, 3);
    assert_eq!(kept.starts(&JournalQuery::default()), [3]);
}

#[test]
fn a_clock_that_was_set_back_writes_to_the_day_it_shows_and_all_is_found() {
    let kept = Kept::new();
    kept.write(vec![kept.call("f", 0)]);
    let two_days_before = Clock::new(kept.zero, || NOON - 2 * DAY_MS);
    let earlier = vec![kept.call("f", -2 * DAY_MS)];
    kept.journal().writer(two_days_before).hear(&News { invocations: earlier, ..News::default() });
    kept.write(vec![kept.call("f", 5)]);
    assert_eq!(kept.files().len(), 2, "a segment a day");
    assert_eq!(kept.starts(&JournalQuery::default()), [-2 * DAY_MS, 0, 5]);
    // A call that began before midnight is in the segment of the day on which it ended.
    kept.write(vec![kept.call("g", -DAY_MS)]);
    let to_epoch_ms = Some(NOON - DAY_MS + 1);
    assert_eq!(kept.starts(&JournalQuery { to_epoch_ms, ..of("g") }), [-DAY_MS]);
}

#[test]
fn what_is_too_old_or_too_much_goes_the_oldest_first() {
    let kept = Kept::new();
    let settings = JournalSettings { retention: Duration::from_secs(3 * 86_400), bytes_max: 20_000 };
    let journal = Journal::open_with(kept.folder.path(), settings).unwrap();
    let write = |clock: fn() -> i64, after_noon_ms| {
        let mut writer = journal.writer(Clock::new(kept.zero, clock));
        writer.hear(&News { invocations: vec![kept.call("f", after_noon_ms)], ..News::default() });
    };
    write(|| NOON - 5 * DAY_MS, -5 * DAY_MS);
    write(|| NOON - 2 * DAY_MS, -2 * DAY_MS);
    write(|| NOON, 0);
    assert_eq!(kept.starts(&JournalQuery::default()), [-2 * DAY_MS, 0], "three days are kept");
    for at in 1..200 {
        write(|| NOON, at);
    }
    let bytes: usize = kept.files().iter().map(|(_, content)| content.len()).sum();
    assert!(bytes < 26_000, "{bytes} bytes are kept");
    let starts = kept.starts(&JournalQuery::default());
    assert!(starts.len() < 100 && starts.last() == Some(&199), "{starts:?}");
}

#[test]
fn the_lives_of_environments_are_kept_with_what_they_did_and_why_they_ended() {
    let kept = Kept::new();
    let record = environment("f", InitializationType::OnDemand);
    let at = |ms| kept.zero + Duration::from_millis(ms);
    let step =
        |ms, event, report| EnvironmentStep { environment: record.clone(), step: (at(ms), event, report) };
    let (phase, status) = (InitPhase::Init, PhaseStatus::Success);
    let report = kept.call("f", 0).summary.report;
    let request_id = RequestId::random();
    let done = LifecycleEvent::InvokeDone { request_id, status: status.clone(), memory_bytes_max: 0 };
    let steps = vec![
        step(0, LifecycleEvent::InitStarted { phase }, None),
        step(150, LifecycleEvent::InitDone { phase, status }, None),
        step(160, done, Some(report)),
        step(900, LifecycleEvent::ShutdownStarted { reason: ShutdownReason::IdleTimeout }, None),
        step(1_000, LifecycleEvent::ShutdownDone, None),
    ];
    kept.writer().hear(&News { steps, ..News::default() });
    let (lives, scanned) = kept.journal().environments(&of("f")).unwrap();
    assert_eq!((lives.len(), scanned.damaged), (1, 0));
    let life = &lives[0];
    assert_eq!((life.environment, life.made_epoch_ms), (record.facts.id, NOON));
    assert_eq!((life.invocations, life.busy_us, life.init_us), (1, 12_345, 150_000));
    assert_eq!(
        (life.why_made, life.why_ended.as_deref()),
        (ColdReason::FirstInvocation, Some("idle-timeout"))
    );
    assert!(life.ended_epoch_ms >= NOON);
    let later = JournalQuery { from_epoch_ms: Some(life.ended_epoch_ms + 1), ..of("f") };
    assert_eq!(kept.journal().environments(&later).unwrap().0, []);
    assert_eq!(kept.starts(&JournalQuery::default()), [0; 0], "lives are no calls");
}
