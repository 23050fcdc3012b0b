//! The queue of asynchronous events with a clock that the test moves: real functions and the real store, and environments
//! that do what the test says.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearth_functions::{
    Clock, CreateFunction, DeployError, DeployedCode, DeployedLayers, Deployment, Functions,
    FunctionsSettings, ProvisionedVersion, ResolvedVersion,
};
use hearth_invoke::{
    Concurrency, Environments, EventClock, EventInvokeConfigChange, EventQueue, InvokeError, InvokeRequest,
    InvokeResponse, Invoker, Permit, ProvisionedEnvironments,
};
use hearth_store::conformance::a_record;
use hearth_store::embedded::EmbeddedStore;
use hearth_store::{EventStore, FunctionStore};
use hearth_types::{AccountId, CodeSha256, FunctionName, Region, RequestId, Runtime, TraceHeader, Version};
use tokio::sync::{mpsc, watch};

/// 2024-01-31T12:00:00Z.
const START_MS: i64 = 1_706_702_400_000;
const MINUTE_MS: i64 = 60_000;
/// How long a test waits for what must come.
const LIMIT: Duration = Duration::from_secs(20);

/// What an environment does with an event.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Succeed,
    Fail,
    Hang,
    Break,
}

/// An attempt that an environment has seen.
#[derive(Debug, PartialEq)]
struct Run {
    function: String,
    request_id: RequestId,
    payload: String,
    after_ms: i64,
}

/// Says of each attempt that it was made, and does what it was told, in order; then it succeeds.
struct Scripted {
    script: Mutex<VecDeque<Does>>,
    runs: mpsc::UnboundedSender<Run>,
    clock: MovedClock,
}

impl Environments for Scripted {
    fn run(
        &self,
        version: Arc<ResolvedVersion>,
        permit: Permit,
        request: InvokeRequest,
    ) -> BoxFuture<'_, Result<InvokeResponse, InvokeError>> {
        Box::pin(async move {
            let does = self.script.lock().unwrap().pop_front().unwrap_or(Does::Succeed);
            let run = Run {
                function: version.configuration.name.to_string(),
                request_id: request.request_id,
                payload: String::from_utf8(request.payload.to_vec()).unwrap(),
                after_ms: EventClock::epoch_ms(&self.clock) - START_MS,
            };
            let _ = self.runs.send(run);
            match does {
                Does::Hang => std::future::pending().await,
                Does::Break => Err(InvokeError::Service("broken on purpose".to_owned())),
                Does::Succeed | Does::Fail => {
                    drop(permit);
                    Ok(InvokeResponse {
                        payload: Bytes::from_static(b"null"),
                        function_error: does == Does::Fail,
                        executed_version: version.version,
                        log_tail: None,
                        why_cold: None,
                        trace: TraceHeader::generate(0),
                    })
                }
            }
        })
    }

    fn is_one_finishing(&self) -> bool {
        false
    }

    fn provision(&self, _: &FunctionName, _: Vec<ProvisionedVersion>) {}

    fn provisioned(&self, _: &FunctionName, _: Version) -> ProvisionedEnvironments {
        ProvisionedEnvironments::default()
    }
}

#[derive(Clone)]
struct MovedClock {
    now: Arc<watch::Sender<i64>>,
    /// The time that was waited for last.
    waited_for: Arc<watch::Sender<i64>>,
}

impl EventClock for MovedClock {
    fn epoch_ms(&self) -> i64 {
        *self.now.borrow()
    }

    fn wait_until(&self, epoch_ms: i64) -> BoxFuture<'_, ()> {
        let mut moved = self.now.subscribe();
        self.waited_for.send_replace(epoch_ms);
        Box::pin(async move {
            let _ = moved.wait_for(|now| *now >= epoch_ms).await;
        })
    }
}

impl Clock for MovedClock {
    fn epoch_ms(&self) -> i64 {
        *self.now.borrow()
    }
}

struct AnyPackage;

impl AnyPackage {
    fn code(sha256: CodeSha256, size: u64) -> BoxFuture<'static, Result<DeployedCode, DeployError>> {
        Box::pin(async move { Ok(DeployedCode { sha256, size, root: PathBuf::new(), lease: Arc::new(()) }) })
    }
}

impl Deployment for AnyPackage {
    fn deploy(&self, zip: Bytes) -> BoxFuture<'_, Result<DeployedCode, DeployError>> {
        Self::code(CodeSha256([1; 32]), zip.len() as u64)
    }

    fn open(&self, sha256: CodeSha256, size: u64) -> BoxFuture<'_, Result<DeployedCode, DeployError>> {
        Self::code(sha256, size)
    }

    fn merge_layers(&self, _: Vec<DeployedCode>) -> BoxFuture<'_, Result<DeployedLayers, DeployError>> {
        Box::pin(async { Ok(DeployedLayers::default()) })
    }

    fn unzipped_bytes(&self, _: CodeSha256) -> BoxFuture<'_, Result<u64, DeployError>> {
        Box::pin(async { Ok(1) })
    }

    fn archive(&self, _: CodeSha256) -> BoxFuture<'_, Result<Bytes, DeployError>> {
        Box::pin(async { Err(DeployError::Missing) })
    }

    fn runtime_ready(&self, _: Runtime) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

struct World {
    store: Arc<EmbeddedStore>,
    functions: Arc<Functions>,
    concurrency: Arc<Concurrency>,
    environments: Arc<Scripted>,
    clock: MovedClock,
    queue: Arc<EventQueue>,
    runs: mpsc::UnboundedReceiver<Run>,
}

impl World {
    /// With the functions `f` and `g`.
    async fn new(test: &str, concurrency: u32) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("events-{test}"));
        let _ = fs::remove_dir_all(&folder);
        let store = Arc::new(EmbeddedStore::open(&folder).unwrap());
        for name in ["f", "g"] {
            let mut record = a_record(name, &RequestId::random().to_string());
            record.layers = Vec::new();
            FunctionStore::insert(&*store, record).await.unwrap();
        }
        let clock = MovedClock {
            now: Arc::new(watch::Sender::new(START_MS)),
            waited_for: Arc::new(watch::Sender::new(0)),
        };
        let settings = FunctionsSettings {
            region: Region::new("us-east-1").unwrap(),
            account: AccountId::new("000000000000").unwrap(),
        };
        let functions =
            Functions::open(store.clone(), Arc::new(AnyPackage), settings, Arc::new(clock.clone()))
                .await
                .unwrap();
        let (send, runs) = mpsc::unbounded_channel();
        let environments = Arc::new(Scripted { script: Mutex::default(), runs: send, clock: clock.clone() });
        let concurrency = Concurrency::new(concurrency);
        let queue = start(&functions, &concurrency, &environments, &store, &clock);
        Self { store, functions, concurrency, environments, clock, queue, runs }
    }

    fn script(&self, script: impl IntoIterator<Item = Does>) {
        *self.environments.script.lock().unwrap() = script.into_iter().collect();
    }

    async fn accept(&self, function: &str, payload: &str) -> RequestId {
        let request_id = RequestId::random();
        let request = InvokeRequest {
            request_id,
            qualifier: None,
            payload: Bytes::from(payload.to_owned()),
            content_type: None,
            client_context: None,
            trace: None,
            wants_log_tail: false,
        };
        self.queue.accept(&name(function), request).await.unwrap();
        request_id
    }

    async fn next_run(&mut self) -> Run {
        tokio::time::timeout(LIMIT, self.runs.recv()).await.expect("an attempt is made").unwrap()
    }

    fn move_clock(&self, ms: i64) {
        self.clock.now.send_modify(|now| *now += ms);
    }

    /// Waits until somebody waits for a time so long after the start.
    async fn until_waited_for(&self, ms: i64) {
        let mut waited_for = self.clock.waited_for.subscribe();
        let reached = waited_for.wait_for(|until| *until == START_MS + ms);
        tokio::time::timeout(LIMIT, reached).await.expect("somebody waits").unwrap();
    }

    /// Waits until the events of the queue are due so long after the start, and no others are there.
    async fn until_due(&self, expected_ms: &[i64]) {
        let mut seen = None;
        let reached = async {
            while seen.as_deref() != Some(expected_ms) {
                let first = self.store.first(100).await.unwrap();
                seen = Some(first.into_iter().map(|event| event.due_ms - START_MS).collect::<Vec<_>>());
            }
        };
        if tokio::time::timeout(LIMIT, reached).await.is_err() {
            panic!("due {seen:?}, and not {expected_ms:?}");
        }
    }

    async fn dropped(&self) -> Vec<(String, u64)> {
        self.queue.counts().await.unwrap().dropped
    }
}

fn start(
    functions: &Arc<Functions>,
    concurrency: &Arc<Concurrency>,
    environments: &Arc<Scripted>,
    store: &Arc<EmbeddedStore>,
    clock: &MovedClock,
) -> Arc<EventQueue> {
    let invoker = Invoker::new(functions.clone(), concurrency.clone(), environments.clone());
    EventQueue::start(Arc::new(invoker), store.clone(), Arc::new(clock.clone()), None)
}

fn name(function: &str) -> FunctionName {
    FunctionName::new(function).unwrap()
}

#[tokio::test]
async fn an_event_runs_once_and_is_gone_when_the_function_has_succeeded() {
    let mut world = World::new("success", 10).await;
    let request_id = world.accept("f", "{\"a\":1}").await;
    let run = world.next_run().await;
    let expected = Run { function: "f".to_owned(), request_id, payload: "{\"a\":1}".to_owned(), after_ms: 0 };
    assert_eq!(run, expected);
    world.until_due(&[]).await;
    assert_eq!(world.dropped().await, []);
    world.queue.drain().await;
    assert!(world.runs.try_recv().is_err(), "once");
    assert_eq!(world.concurrency.in_use(), 0);
}

#[tokio::test]
async fn case_122_an_event_that_always_fails_is_tried_three_times_and_holds_nobody_up() {
    let mut world = World::new("fails", 1).await;
    world.script([Does::Fail, Does::Fail, Does::Succeed, Does::Fail]);
    let request_id = world.accept("f", "1").await;
    let run = world.next_run().await;
    assert_eq!((run.request_id, run.after_ms), (request_id, 0));
    world.until_due(&[MINUTE_MS]).await;
    world.move_clock(MINUTE_MS - 1);
    world.move_clock(1);
    let run = world.next_run().await;
    assert_eq!((run.request_id, run.after_ms), (request_id, MINUTE_MS), "the same id, a minute later");
    world.until_due(&[3 * MINUTE_MS]).await;

    // Meanwhile others run.
    let other = world.accept("g", "2").await;
    let run = world.next_run().await;
    assert_eq!((run.request_id, run.after_ms), (other, MINUTE_MS));
    world.until_due(&[3 * MINUTE_MS]).await;

    world.move_clock(2 * MINUTE_MS);
    let run = world.next_run().await;
    assert_eq!((run.request_id, run.after_ms), (request_id, 3 * MINUTE_MS), "and two minutes later");
    world.until_due(&[]).await;
    assert_eq!(world.dropped().await, [("RetriesExhausted".to_owned(), 1)]);
}

#[tokio::test]
async fn case_123_an_event_without_concurrency_backs_off_and_keeps_its_retries() {
    let mut world = World::new("throttled", 1).await;
    let permit = world.concurrency.admit(&name("f"), Version::Latest).unwrap();
    let request_id = world.accept("f", "1").await;
    let mut now = 0;
    for wait in [1_000, 2_000, 4_000] {
        // It waits for a second before it is throttled.
        now += 1_000;
        world.until_waited_for(now).await;
        world.move_clock(1_000);
        world.until_due(&[now + wait]).await;
        world.move_clock(wait);
        now += wait;
    }
    drop(permit);
    // A system error is no attempt either, and backs off further.
    world.script([Does::Break, Does::Fail]);
    let run = world.next_run().await;
    assert_eq!((run.request_id, run.after_ms), (request_id, now));
    world.until_due(&[now + 8_000]).await;
    world.move_clock(8_000);
    now += 8_000;
    assert_eq!(world.next_run().await.after_ms, now, "now it fails by itself");
    world.until_due(&[now + MINUTE_MS]).await;

    // Nobody has concurrency for the rest of six hours.
    let permit = world.concurrency.admit(&name("f"), Version::Latest).unwrap();
    world.move_clock(21_600_000 - now);
    world.until_waited_for(21_601_000).await;
    world.move_clock(1_000);
    world.until_due(&[]).await;
    assert_eq!(world.dropped().await, [("EventAgeExceeded".to_owned(), 1)]);
    drop(permit);
    world.queue.drain().await;
    assert!(world.runs.try_recv().is_err(), "it did not run once more");
}

#[tokio::test]
async fn case_123_a_throttled_event_backs_off_from_one_second_to_five_minutes_for_six_hours() {
    let world = World::new("backs-off", 1).await;
    let age_max = 21_600_000;
    let _permit = world.concurrency.admit(&name("f"), Version::Latest).unwrap();
    world.accept("f", "1").await;
    let (mut now, mut waits) = (0, Vec::new());
    while now < age_max {
        // It waits for a second before it is throttled.
        now += 1_000;
        world.until_waited_for(now).await;
        world.move_clock(1_000);
        let wait = (1_000 << waits.len().min(16)).min(300_000).min(age_max - now);
        world.until_due(&[now + wait]).await;
        // Not a millisecond earlier.
        world.move_clock(wait - 1);
        world.until_due(&[now + wait]).await;
        world.move_clock(1);
        now += wait;
        waits.push(wait / 1_000);
    }
    assert_eq!(waits[..11], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert_eq!(now, age_max, "it is looked at again when it is too old, and not later");
    // Now that it is too old, it need not wait for concurrency any more than before.
    world.until_waited_for(now + 1_000).await;
    world.move_clock(1_000);
    world.until_due(&[]).await;
    assert_eq!(world.dropped().await, [("EventAgeExceeded".to_owned(), 1)]);
    world.queue.drain().await;
}

#[tokio::test]
async fn an_event_is_tried_as_often_and_as_long_as_its_function_is_configured() {
    let mut world = World::new("configured", 10).await;
    let queue = world.queue.clone();
    let configure = |retries_max, age_max_seconds| {
        let set = EventInvokeConfigChange { retries_max, age_max_seconds, ..Default::default() };
        let queue = queue.clone();
        async move { queue.put_config(&name("f"), None, set).await }
    };
    configure(Some(0), None).await.unwrap();
    world.script([Does::Fail, Does::Fail]);
    world.accept("f", "1").await;
    world.next_run().await;
    world.until_due(&[]).await;
    assert_eq!(world.dropped().await, [("RetriesExhausted".to_owned(), 1)]);
    configure(None, Some(60)).await.unwrap();
    world.accept("f", "2").await;
    world.next_run().await;
    world.until_due(&[MINUTE_MS]).await;
    world.move_clock(MINUTE_MS);
    world.until_due(&[]).await;
    let dropped = [("EventAgeExceeded".to_owned(), 1), ("RetriesExhausted".to_owned(), 1)];
    assert_eq!(world.dropped().await, dropped, "too old for its retry");
    assert!(world.runs.try_recv().is_err());
}

/// What a destination was told, without what differs each time.
fn told(run: &Run, request_id: RequestId) -> String {
    run.payload.replace(&request_id.to_string(), "<id>")
}

const F: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

fn to(destination: &str) -> Option<String> {
    Some(destination.to_owned())
}

#[tokio::test]
async fn destinations_that_are_functions_hear_of_success_and_failure() {
    let mut world = World::new("destinations", 10).await;
    let g = "arn:aws:lambda:us-east-1:000000000000:function:g";
    let set = EventInvokeConfigChange { on_success: to(g), on_failure: to(g), ..Default::default() };
    world.queue.put_config(&name("f"), None, set).await.unwrap();

    let id = world.accept("f", "{\"a\": 1.0}").await;
    world.next_run().await;
    let run = world.next_run().await;
    assert_eq!(run.function, "g");
    assert_ne!(run.request_id, id, "it is an event of its own");
    let success = format!(
        "{{\"version\":\"1.0\",\"timestamp\":\"2024-01-31T12:00:00.000Z\",\"requestContext\":{{\
         \"approximateInvokeCount\":1,\"condition\":\"Success\",\"functionArn\":\"{F}:$LATEST\",\
         \"requestId\":\"<id>\"}},\"requestPayload\":{{\"a\": 1.0}},\"responseContext\":{{\
         \"executedVersion\":\"$LATEST\",\"statusCode\":200}},\"responsePayload\":null}}"
    );
    assert_eq!(told(&run, id), success);
    world.until_due(&[]).await;

    world.script([Does::Fail; 3]);
    let id = world.accept("f", "2").await;
    for minutes in [1, 3] {
        world.next_run().await;
        world.until_due(&[minutes * MINUTE_MS]).await;
        let now = EventClock::epoch_ms(&world.clock) - START_MS;
        world.move_clock(minutes * MINUTE_MS - now);
    }
    world.next_run().await;
    let failure = format!(
        "{{\"version\":\"1.0\",\"timestamp\":\"2024-01-31T12:03:00.000Z\",\"requestContext\":{{\
         \"approximateInvokeCount\":3,\"condition\":\"RetriesExhausted\",\"functionArn\":\"{F}:$LATEST\",\
         \"requestId\":\"<id>\"}},\"requestPayload\":2,\"responseContext\":{{\"executedVersion\":\"$LATEST\",\
         \"functionError\":\"Unhandled\",\"statusCode\":200}},\"responsePayload\":null}}"
    );
    assert_eq!(told(&world.next_run().await, id), failure);
    world.until_due(&[]).await;
    assert_eq!(world.dropped().await, [], "what was reported is not dropped");
}

#[tokio::test]
async fn a_destination_that_cannot_be_reached_is_counted() {
    let mut world = World::new("unreachable", 10).await;
    let queue = to("arn:aws:sqs:us-east-1:000000000000:q");
    let gone = to("arn:aws:lambda:us-east-1:000000000000:function:gone");
    for (number, destination) in [(1, queue), (2, gone)] {
        let set = EventInvokeConfigChange { on_success: destination, ..Default::default() };
        world.queue.put_config(&name("f"), None, set).await.unwrap();
        world.accept("f", "1").await;
        world.next_run().await;
        world.until_due(&[]).await;
        assert_eq!(world.dropped().await, [("DestinationDeliveryFailed".to_owned(), number)]);
    }
    world.queue.drain().await;
    assert!(world.runs.try_recv().is_err(), "that is no reason to run again");
}

#[tokio::test]
async fn slow_functions_hold_others_up_for_a_moment_only() {
    let mut world = World::new("slow", 100).await;
    world.script([Does::Hang; 8]);
    for number in 0..8 {
        world.accept("f", &number.to_string()).await;
        world.next_run().await;
    }
    let request_id = world.accept("g", "8").await;
    assert!(world.runs.try_recv().is_err(), "so many run already");
    // The second counts from when it is found that there is no room, so the clock may have to move again.
    let run = loop {
        world.move_clock(1_000);
        if let Ok(run) = tokio::time::timeout(Duration::from_millis(20), world.runs.recv()).await {
            break run.unwrap();
        }
    };
    assert_eq!(run.request_id, request_id);
}

#[tokio::test]
async fn case_132_events_of_a_deleted_function_never_run_on_a_later_one_of_its_name() {
    let mut world = World::new("deleted", 10).await;
    world.script([Does::Fail]);
    world.accept("f", "\"old\"").await;
    world.next_run().await;
    world.until_due(&[MINUTE_MS]).await;
    let configuration = world.functions.get(&name("f")).unwrap().configuration.clone();
    world.functions.delete(&name("f")).await.unwrap();
    let again = CreateFunction {
        configuration: (*configuration).clone(),
        zip: Bytes::from_static(b"zip"),
        layers: Vec::new(),
        tags: Default::default(),
        code_signing_config: None,
        publish: false,
    };
    world.functions.create(again).await.unwrap();
    world.move_clock(MINUTE_MS);
    let request_id = world.accept("f", "\"new\"").await;
    let run = world.next_run().await;
    assert_eq!((run.request_id, run.payload.as_str()), (request_id, "\"new\""));
    world.until_due(&[]).await;
    assert_eq!(world.dropped().await, [("FunctionDeleted".to_owned(), 1)]);
    world.queue.drain().await;
    assert!(world.runs.try_recv().is_err());
}

#[tokio::test]
async fn case_123_a_long_queue_is_worked_off_in_order_by_the_next_server() {
    const EVENTS: usize = 1_000;
    let mut world = World::new("long", 1).await;
    // The first one is cut off by the end of the server.
    world.script([Does::Hang]);
    let first = world.accept("f", "0").await;
    world.next_run().await;
    let numbers = 1..EVENTS;
    let accepted = futures_util::future::join_all(numbers.map(|number| {
        let (world, payload) = (&world, number.to_string());
        async move { world.accept("f", &payload).await }
    }));
    accepted.await;
    world.queue.stop();

    let concurrency = Concurrency::new(1);
    let (functions, environments) = (&world.functions, &world.environments);
    let _queue = start(functions, &concurrency, environments, &world.store, &world.clock);
    let mut order = Vec::new();
    for _ in 0..EVENTS {
        let run = world.next_run().await;
        if order.is_empty() {
            assert_eq!(run.request_id, first, "what was cut off runs again, with its id");
        }
        order.push(run.payload.parse::<usize>().unwrap());
    }
    assert_eq!(order, (0..EVENTS).collect::<Vec<_>>());
    world.until_due(&[]).await;
}

#[tokio::test]
async fn an_event_of_a_function_that_has_reserved_nothing_ends_at_once_without_having_run() {
    let mut world = World::new("zero", 10).await;
    world.concurrency.reserve(&name("f"), Some(0));
    let change = EventInvokeConfigChange {
        on_failure: Some("arn:aws:lambda:us-east-1:000000000000:function:g".to_owned()),
        ..Default::default()
    };
    world.queue.put_config(&name("f"), None, change).await.unwrap();
    world.accept("f", "1").await;
    let run = world.next_run().await;
    assert_eq!((run.function.as_str(), run.after_ms), ("g", 0));
    assert!(run.payload.contains("\"condition\":\"ZeroReservedConcurrency\""), "{}", run.payload);
    assert!(run.payload.contains("\"approximateInvokeCount\":0"), "{}", run.payload);
    assert!(!run.payload.contains("responsePayload"), "{}", run.payload);
    world.until_due(&[]).await;
}

#[tokio::test]
async fn case_123_events_of_a_throttled_function_wait_for_it_and_hold_nobody_up() {
    let mut world = World::new("reserved", 10).await;
    world.concurrency.reserve(&name("f"), Some(1));
    let permit = world.concurrency.admit(&name("f"), Version::Latest).unwrap();
    // One would run, 64 wait for that, and the others back off.
    let accepted = futures_util::future::join_all((0..100).map(|_| world.accept("f", "1")));
    accepted.await;
    let other = world.accept("g", "2").await;
    let run = world.next_run().await;
    assert_eq!((run.request_id, run.after_ms), (other, 0), "nobody waits for what f has reserved");
    let due: Vec<i64> = [vec![0; 65], vec![1_000; 35]].concat();
    world.until_due(&due).await;
    drop(permit);
    for _ in 0..65 {
        assert_eq!(world.next_run().await.function, "f");
    }
    // The others come as time goes by; how often they have backed off by then depends on who was faster.
    for _ in 0..35 {
        let run = loop {
            match tokio::time::timeout(Duration::from_millis(50), world.runs.recv()).await {
                Ok(run) => break run.unwrap(),
                Err(_) => world.move_clock(1_000),
            }
        };
        assert_eq!(run.function, "f");
    }
    world.until_due(&[]).await;
    assert_eq!(world.concurrency.in_use(), 0);
    assert_eq!(world.dropped().await, []);
}
