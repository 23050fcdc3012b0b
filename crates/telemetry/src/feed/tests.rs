//! The feed as its listeners hear it.

use std::sync::mpsc;

use hearth_types::{
    Architecture, ColdReason, FunctionName, InitializationType, LogGroupName, LogStreamName, RequestId,
    Runtime, Version,
};

use super::*;
use crate::record::{EnvironmentFacts, InitPhase, PhaseStatus, Recorder, ShutdownReason};

/// Keeps what it hears.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<News>>>);

impl Listener for Heard {
    fn hear(&mut self, news: &News) {
        let copy = News { steps: news.steps.clone(), invocations: news.invocations.clone(), ..*news };
        self.0.lock().unwrap().push(copy);
    }
}

impl Heard {
    fn steps(&self) -> usize {
        self.0.lock().unwrap().iter().map(|news| news.steps.len()).sum()
    }

    fn left_out(&self) -> u64 {
        self.0.lock().unwrap().iter().map(|news| news.left_out).sum()
    }

    fn invocations(&self) -> Vec<FinishedInvocation> {
        self.0.lock().unwrap().iter().flat_map(|news| news.invocations.clone()).collect()
    }
}

fn feed() -> (Arc<Feed>, Heard) {
    let feed = Feed::start(Clock::new(Instant::now(), || 1_795_600_000_000)).unwrap();
    let heard = Heard::default();
    feed.add(heard.clone());
    (feed, heard)
}

/// An environment whose steps are told at times of its own.
struct Steps<'a> {
    feed: &'a Feed,
    zero: Instant,
    record: Arc<EnvironmentRecord>,
}

impl<'a> Steps<'a> {
    fn new(feed: &'a Feed, initialization_type: InitializationType) -> Self {
        let function = FunctionName::new("f").unwrap();
        let record = Recorder::default().begin(EnvironmentFacts {
            id: EnvironmentId::random(),
            log_group: LogGroupName::of_function(&function),
            function,
            version: Version::Latest,
            log_stream: LogStreamName::new("s").unwrap(),
            created_epoch_ms: 0,
            why_created: ColdReason::FirstInvocation,
            initialization_type,
            architecture: Architecture::X86_64,
            memory_size_mb: 128,
            ephemeral_storage_mb: 512,
            runtime: Runtime::parse("python3.11").unwrap(),
            is_prebooted: false,
        });
        Self { feed, zero: Instant::now(), record }
    }

    fn step(&self, ms: u64, event: LifecycleEvent) {
        self.feed.push(&self.record, self.zero + Duration::from_millis(ms), &event, None);
    }

    fn init(&self, from: u64, to: u64, phase: InitPhase, status: PhaseStatus) {
        self.step(from, LifecycleEvent::InitStarted { phase });
        self.step(from + 10, LifecycleEvent::RuntimeStarted);
        self.step(from + 20, LifecycleEvent::FunctionInitStarted);
        self.step(to, LifecycleEvent::InitDone { phase, status });
    }

    fn call(&self, arrived: u64, from: u64, to: u64, why_cold: Option<ColdReason>) -> RequestId {
        let (request_id, status) = (RequestId::random(), PhaseStatus::Success);
        let arrived = self.zero + Duration::from_millis(arrived);
        let started =
            LifecycleEvent::InvokeStarted { request_id, why_cold, particulars: None, trace: None, arrived };
        self.step(from, started);
        let report = Report {
            duration: Duration::from_millis(to - from),
            billed_ms: to - from,
            memory_size_mb: 128,
            max_memory_used_mb: 30,
            init_duration: None,
            restore: None,
            status: status.clone(),
        };
        let done = LifecycleEvent::InvokeDone { request_id, status, memory_bytes_max: 1 };
        self.feed.push(&self.record, self.zero + Duration::from_millis(to), &done, Some(&report));
        request_id
    }
}

#[test]
fn everything_is_heard_once_and_in_order_and_catching_up_misses_nothing() {
    let (feed, heard) = feed();
    let steps = Steps::new(&feed, InitializationType::OnDemand);
    steps.init(0, 100, InitPhase::Init, PhaseStatus::Success);
    let first = steps.call(0, 100, 110, Some(ColdReason::FirstInvocation));
    feed.catch_up();
    assert_eq!((heard.steps(), heard.invocations().len()), (6, 1));
    let second = steps.call(200, 200, 205, None);
    let third = steps.call(300, 300, 305, None);
    feed.catch_up();
    feed.catch_up();
    let ids: Vec<RequestId> = heard.invocations().iter().map(|call| call.summary.request_id).collect();
    assert_eq!(ids, [first, second, third]);
    assert_eq!(heard.steps(), 10);
}

#[test]
fn without_anybody_who_catches_up_it_is_heard_soon() {
    let (feed, _) = feed();
    let (send, heard) = mpsc::channel();
    struct Sends(mpsc::Sender<usize>);
    impl Listener for Sends {
        fn hear(&mut self, news: &News) {
            self.0.send(news.steps.len()).unwrap();
        }
    }
    feed.add(Sends(send));
    let steps = Steps::new(&feed, InitializationType::OnDemand);
    for _ in 0..2 {
        steps.step(0, LifecycleEvent::Frozen);
        assert_eq!(heard.recv_timeout(Duration::from_secs(60)), Ok(1));
    }
}

#[test]
fn an_init_belongs_to_the_first_invocation_after_it_and_to_no_other() {
    let (feed, heard) = feed();
    let steps = Steps::new(&feed, InitializationType::OnDemand);
    steps.init(0, 100, InitPhase::Init, PhaseStatus::Success);
    steps.call(0, 100, 110, Some(ColdReason::FirstInvocation));
    steps.call(200, 200, 205, None);
    feed.catch_up();
    let calls = heard.invocations();
    assert_eq!(calls[0].summary.function_init, Some(Duration::from_millis(80)));
    assert_eq!(calls[0].summary.start.duration_since(calls[0].arrived), Duration::from_millis(100));
    assert_eq!((calls[1].summary.function_init, calls[1].summary.runtime_init), (None, None));
    assert_eq!(calls[1].steps.len(), 2, "the steps of its own");
}

#[test]
fn an_init_that_is_repeated_after_a_reset_belongs_to_the_invocation_that_waited() {
    let (feed, heard) = feed();
    let steps = Steps::new(&feed, InitializationType::OnDemand);
    steps.init(0, 100, InitPhase::Init, PhaseStatus::Success);
    steps.call(0, 100, 110, Some(ColdReason::FirstInvocation));
    steps.step(120, LifecycleEvent::ResetDone);
    steps.init(200, 260, InitPhase::Invoke, PhaseStatus::Success);
    steps.call(200, 260, 270, Some(ColdReason::RuntimeExited));
    steps.step(300, LifecycleEvent::ShutdownStarted { reason: ShutdownReason::IdleTimeout });
    steps.step(301, LifecycleEvent::ShutdownDone);
    feed.catch_up();
    let again = &heard.invocations()[1].summary;
    assert_eq!(again.function_init, Some(Duration::from_millis(40)));
    assert_eq!(again.why_cold, Some(ColdReason::RuntimeExited));
    assert!(feed.telling().unfinished.is_empty(), "what has ended is forgotten");
}

#[test]
fn a_provisioned_environment_is_heard_of_before_anybody_calls() {
    let (feed, heard) = feed();
    let steps = Steps::new(&feed, InitializationType::ProvisionedConcurrency);
    steps.init(0, 100, InitPhase::Init, PhaseStatus::Success);
    feed.catch_up();
    assert_eq!((heard.steps(), heard.invocations().len()), (4, 0));
    steps.call(5_000, 5_000, 5_010, None);
    feed.catch_up();
    let call = heard.invocations().remove(0);
    assert_eq!(call.environment.facts.initialization_type, InitializationType::ProvisionedConcurrency);
    assert_eq!(call.summary.start, call.arrived);
}

#[test]
fn a_slow_listener_stops_nobody_and_what_it_misses_is_counted() {
    let (feed, heard) = feed();
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    struct Slow(mpsc::Sender<()>, mpsc::Receiver<()>);
    impl Listener for Slow {
        fn hear(&mut self, _: &News) {
            let _ = self.0.send(());
            let _ = self.1.recv();
        }
    }
    feed.add(Slow(begun, may_go_on));
    let steps = Steps::new(&feed, InitializationType::OnDemand);
    steps.step(0, LifecycleEvent::Frozen);
    has_begun.recv().unwrap();
    // It hears the first step, and goes on hearing it: all of this waits, and does not wait for it.
    for _ in 0..WAITING_MAX + 1 {
        steps.step(1, LifecycleEvent::Frozen);
    }
    drop(go_on);
    feed.catch_up();
    assert_eq!(heard.left_out(), WAITING_MAX as u64 / 2);
    assert_eq!(heard.steps() as u64 + heard.left_out(), WAITING_MAX as u64 + 2);
}

#[test]
fn closing_tells_what_is_left_and_then_nothing_more() {
    let (feed, heard) = feed();
    let steps = Steps::new(&feed, InitializationType::OnDemand);
    steps.step(0, LifecycleEvent::Frozen);
    feed.close();
    assert_eq!(heard.steps(), 1);
    steps.step(1, LifecycleEvent::Frozen);
    feed.catch_up();
    assert_eq!(heard.steps(), 1);
    assert!(feed.gathered().steps.is_empty(), "nothing gathers for nobody");
}
