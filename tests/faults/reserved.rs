//! A long time of calls to functions with reserved concurrency: never more run at once than are reserved, every permit
//! comes back, and nothing of ours answers 5xx.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use hearth_tests::{
    Call, Connection, Function, Gate, NewFunction, PYTHON_WAIT, Random, Received, Server, Settings,
    bootstrap, rounds,
};
use serde_json::{Value, json};

/// How many clients call, each over a connection that stays open.
const CONNECTIONS: u64 = 32;
/// One function for each of them.
const LIMITS: [usize; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

fn name(limit: usize) -> String {
    format!("reserved-{limit}")
}

fn timed(limit: usize) -> NewFunction {
    let runtime = include_str!("reserved_runtime.py");
    bootstrap(&name(limit), format!("#!/usr/bin/env -S python3 -S\n{PYTHON_WAIT}\n{runtime}")).timeout(60)
}

/// How many calls it takes until another function is called more than others.
const SEASON: usize = 1_000;

/// What the calls of one function came to.
#[derive(Debug, Default)]
struct Seen {
    /// When handlers ran, in nanoseconds.
    ran_ns: Vec<(u64, u64)>,
    function_errors: usize,
    hung_up: usize,
    throttled: usize,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.ran_ns.extend(other.ran_ns);
        self.function_errors += other.function_errors;
        self.hung_up += other.hung_up;
        self.throttled += other.throttled;
    }

    /// Notes the answer to a call, which succeeds, fails by the function, or is throttled: there is nothing else.
    fn note(&mut self, answer: &Received<'_>) {
        let body: Value = serde_json::from_slice(answer.body).unwrap();
        if answer.head.starts_with("HTTP/1.1 429 ") {
            assert_eq!(body["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
            self.throttled += 1;
            return;
        }
        assert!(answer.head.starts_with("HTTP/1.1 200 "), "{}{body}", answer.head);
        if answer.header("x-amz-function-error").is_some() {
            let kind = &body["errorType"];
            assert!(kind == "OnPurpose" || kind == "Runtime.ExitError", "{body}");
            self.function_errors += 1;
        } else {
            let [from, to] = [0, 1].map(|at| body[at].as_u64().unwrap());
            self.ran_ns.push((from, to));
        }
    }

    /// Returns how many handlers ran at once, at most.
    fn at_once_max(&self) -> usize {
        let begins = self.ran_ns.iter().map(|&(from, _)| (from, 1));
        let ends = self.ran_ns.iter().map(|&(_, to)| (to, -1));
        let mut changes: Vec<(u64, isize)> = begins.chain(ends).collect();
        // At the same nanosecond, who ends is before who begins.
        changes.sort_unstable();
        let (mut now, mut most) = (0, 0);
        for (_, change) in changes {
            now += change;
            most = most.max(now);
        }
        usize::try_from(most).unwrap()
    }
}

/// One client: takes calls until all are taken.
fn call_on(server: &Server, client: u64, left: &AtomicUsize) -> BTreeMap<usize, Seen> {
    let address = server.address().to_string();
    let mut random = Random::new(client);
    let mut connection = Connection::open(&address).unwrap();
    let mut seen: BTreeMap<usize, Seen> = BTreeMap::new();
    while let Ok(at) = left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
        // Half of the calls go to one function, for a while, so that each comes to its limit.
        let season = at / SEASON % LIMITS.len();
        let any = random.below(2 * LIMITS.len() as u64) as usize;
        let limit = *LIMITS.get(any).unwrap_or(&LIMITS[season]);
        let seen = seen.entry(limit).or_default();
        let what = match random.below(2_000) {
            0 => "exit",
            1..=10 => "fail",
            11..=510 => "hold",
            _ => "answer",
        };
        let payload = json!({ "what": what }).to_string();
        let request = format!(
            "POST /2015-03-31/functions/{}/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{payload}",
            name(limit),
            payload.len()
        );
        if random.below(1_000) == 0 {
            // Does not wait for the answer.
            connection.send(request.as_bytes()).unwrap();
            connection = Connection::open(&address).unwrap();
            seen.hung_up += 1;
        } else {
            seen.note(&connection.exchange(request.as_bytes()).unwrap());
        }
    }
    seen
}

/// Has as many calls of each function run at once as are reserved: they come to a gate, and one more is throttled.
fn all_run_at_once(functions: &BTreeMap<usize, Function<'_>>) {
    let gate = Gate::new();
    let payload = json!({ "what": "wait", "gate": gate.number() }).to_string();
    thread::scope(|scope| {
        let calls: Vec<_> = functions
            .iter()
            .flat_map(|(limit, function)| vec![function; *limit])
            .map(|function| scope.spawn(|| function.invoke(&payload).success()))
            .collect();
        gate.wait_for(LIMITS.iter().sum());
        for (limit, function) in functions {
            let more = function.call(&Call { payload: b"{\"what\":\"answer\"}", ..Call::default() });
            assert_eq!(more.status(), 429, "of {limit} reserved, {limit} run: {}", more.text());
            assert_eq!(function.environments().len(), *limit);
        }
        gate.open();
        for call in calls {
            call.join().unwrap();
        }
    });
}

#[test]
fn case_133_of_many_calls_over_32_connections_never_more_run_than_are_reserved_and_no_permit_is_lost() {
    let calls = rounds(20_000, 1_000_000);
    // The rate of calls, which AWS limits for each unit of concurrency, is not what this is about.
    let server = Settings::new().variable("HEARTH_REQUESTS_PER_CONCURRENCY", "1000000").start();
    let functions: BTreeMap<usize, Function<'_>> =
        LIMITS.iter().map(|&limit| (limit, server.create(timed(limit)))).collect();
    for limit in LIMITS {
        let path = format!("/2017-10-31/functions/{}/concurrency", name(limit));
        let body = json!({ "ReservedConcurrentExecutions": limit }).to_string();
        assert_eq!(server.http("PUT", &path, body.as_bytes()).status, 200);
    }
    all_run_at_once(&functions);
    let memory_before = server.resident_kib();
    let (started, left) = (Instant::now(), AtomicUsize::new(calls));
    let mut seen: BTreeMap<usize, Seen> = BTreeMap::new();
    thread::scope(|scope| {
        let (server, left) = (&server, &left);
        let clients: Vec<_> =
            (0..CONNECTIONS).map(|client| scope.spawn(move || call_on(server, client, left))).collect();
        for client in clients {
            for (limit, of_client) in client.join().unwrap() {
                seen.entry(limit).or_default().add(of_client);
            }
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let mut answered = 0;
    for (limit, seen) in &seen {
        let Seen { ran_ns, function_errors, hung_up, throttled } = seen;
        let (ran, at_once) = (ran_ns.len(), seen.at_once_max());
        eprintln!(
            "{limit} reserved: {ran} answered, {at_once} at once at most, {function_errors} function errors, \
             {throttled} throttled, {hung_up} hung up"
        );
        answered += ran + function_errors + hung_up + throttled;
        assert!(at_once <= *limit, "of {limit} reserved, {at_once} ran at once");
        assert!(*throttled > 0, "{limit} were enough");
    }
    assert_eq!(answered, calls);
    let ran: usize = seen.values().map(|seen| seen.ran_ns.len()).sum();
    assert!(ran > calls / 4, "{ran} of {calls} ran");

    // Every permit is back: all of them can be had once more, and not one more.
    functions.values().for_each(Function::wait_until_all_are_ready);
    all_run_at_once(&functions);
    functions.values().for_each(Function::wait_until_all_are_ready);
    let memory = server.resident_kib();
    eprintln!("{calls} calls in {seconds:.0} s, resident: {memory_before} KiB, later {memory} KiB");
    assert!(memory < memory_before + 64 * 1_024, "from {memory_before} KiB to {memory} KiB");
    let log = server.stop();
    assert!(!log.contains(" ERROR "), "{log}");
}
