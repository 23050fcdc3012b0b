//! Memory of many environments: which ones stay when it runs short, who waits, who is throttled, and what they share.

use std::fs;
use std::thread;

use hearth_tests::{
    Answer, Call, Function, Gate, NewFunction, PYTHON_WAIT, Server, Settings, eventually, lines_of, python,
};
use serde_json::{Value, json};

/// A Python function whose environments hold so much memory. Waits at the gate of the event, if it names one.
fn holding(name: &str, mb: u32, memory_size_mb: u32) -> NewFunction {
    let source = format!(
        "{PYTHON_WAIT}
HELD = bytearray(b'x') * ({mb} << 20)
def handler(event, context):
    if 'gate' in event:
        wait_at(event['gate'])
    print('ran once')
    return len(HELD)
"
    );
    python(name, &source).with("MemorySize", memory_size_mb).timeout(60)
}

fn with_memory(mb: &str) -> Server {
    Settings::new().arguments(&["--environments-memory-mb", mb]).start()
}

/// Why its last call was cold, as the journal says.
fn cold_start(function: &Function<'_>, answer: &Answer) -> Value {
    eventually("the call is in the journal", || {
        let path = format!("invocations?function={}&limit=1", function.name());
        let entry = function.server().hearth(&path)["invocations"][0].clone();
        (entry["request_id"] == answer.request_id()).then(|| entry["cold_start"].clone())
    })
}

/// How many processes the kernel has killed in the groups that a process is in, because their memory ran out.
fn killed_by_the_kernel(environment: &Value) -> u64 {
    let pid = environment["pid"].as_u64().unwrap();
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let line =
        groups.lines().find(|line| line.contains(":memory:")).or_else(|| groups.lines().last()).unwrap();
    let path = line.splitn(3, ':').nth(2).unwrap();
    let files = [
        format!("/sys/fs/cgroup/memory{path}/memory.oom_control"),
        format!("/sys/fs/cgroup{path}/memory.events"),
    ];
    let text = files.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap();
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")).unwrap().parse().unwrap()
}

#[test]
fn when_memory_runs_short_the_environments_that_are_worth_least_go_and_the_next_call_is_told_who_needed_it() {
    let server = with_memory("400");
    let frequent = server.create(holding("frequent", 100, 256));
    for _ in 0..20 {
        frequent.invoke("{}").success();
        frequent.wait_until_all_are_ready();
    }
    // Used after the frequent one, but once. One of them is as large, the other one small.
    let rare = server.create(holding("rare", 100, 256));
    let small = server.create(holding("small", 1, 128));
    for function in [&rare, &small] {
        function.invoke("{}").success();
        function.wait_until_all_are_ready();
    }
    let newcomer = server.create(holding("newcomer", 200, 512));
    newcomer.invoke("{}").success();
    eventually("the rare one has made room", || rare.environments().is_empty().then_some(()));
    for function in [&frequent, &small, &newcomer] {
        let environments = function.environments();
        assert_eq!(environments.len(), 1, "{}", function.name());
        assert_eq!(killed_by_the_kernel(&environments[0]), 0, "{}", function.name());
    }
    let answer = rare.invoke("{}");
    answer.success();
    let cold = cold_start(&rare, &answer);
    assert_eq!(
        (&cold["reason"], &cold["evicted_for_memory_of"]),
        (&json!("evicted"), &json!("newcomer")),
        "{cold}"
    );
    assert_eq!(cold["explanation"], "evicted for memory of another function (newcomer)");
    // Still warm: nobody took it for the rare one's second environment.
    assert_eq!(cold_start(&frequent, &frequent.invoke("{}")), Value::Null);
}

#[test]
fn a_provisioned_environment_is_never_evicted_for_memory() {
    let server = with_memory("330");
    let kept = server.create(holding("kept", 100, 256));
    let configuration = format!("/2015-03-31/functions/{}", kept.name());
    let published = server.http("POST", &format!("{configuration}/versions"), b"{}").json();
    let version = published["Version"].as_str().unwrap();
    let concurrency = format!("/2019-09-30/functions/kept/provisioned-concurrency?Qualifier={version}");
    let body = json!({ "ProvisionedConcurrentExecutions": 1 }).to_string();
    assert_eq!(server.http("PUT", &concurrency, body.as_bytes()).status, 202);
    eventually("it is provisioned", || {
        (server.http("GET", &concurrency, b"").json()["Status"] == "READY").then_some(())
    });
    let id = kept.environments()[0]["environment_id"].clone();
    let rounds: Vec<_> = (0..3).map(|n| server.create(holding(&format!("other-{n}"), 100, 256))).collect();
    for other in rounds.iter().chain(&rounds) {
        other.invoke("{}").success();
        other.wait_until_all_are_ready();
    }
    assert_eq!(kept.environments()[0]["environment_id"], id);
}

#[test]
fn a_burst_beyond_memory_throttles_what_finds_no_room_and_loses_nothing() {
    let server = with_memory("300");
    let function = server.create(holding("burst", 60, 128));
    let gate = Gate::new();
    let payload = json!({ "gate": gate.number() }).to_string();
    let (mut answered, mut throttled) = (0, 0);
    let call = Call { payload: payload.as_bytes(), ..Call::default() };
    thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| function.call(&call))).collect();
        eventually("all calls without room are throttled", || {
            (calls.iter().filter(|call| call.is_finished()).count() >= 4).then_some(())
        });
        let environments = function.environments();
        assert!((2..=4).contains(&environments.len()), "{} environments", environments.len());
        assert!(environments.iter().all(|environment| killed_by_the_kernel(environment) == 0));
        gate.open();
        for call in calls {
            let answer = call.join().unwrap();
            if answer.status() == 429 {
                throttled += 1;
                assert_eq!(answer.json()["Reason"], "ConcurrentInvocationLimitExceeded");
                assert_eq!(answer.exception().0, "TooManyRequestsException");
            } else {
                assert_eq!(answer.success(), 60 << 20);
                answered += 1;
            }
        }
    });
    assert!(answered >= 2 && throttled >= 4, "{answered} answered, {throttled} throttled");
    assert_eq!(lines_of(&function.logs_with_reports(answered), "ran once").len(), answered);
    // Asynchronous events wait until there is room.
    for _ in 0..8 {
        let path = "/2015-03-31/functions/burst/invocations";
        let headers = [("X-Amz-Invocation-Type", "Event")];
        let response = hearth_tests::http(server.address(), "POST", path, &headers, b"{}");
        assert_eq!(response.status, 202);
    }
    let events = function.logs_with_reports(answered + 8);
    assert_eq!(lines_of(&events, "ran once").len(), answered + 8);
}

#[test]
fn without_a_limit_nobody_waits_for_memory() {
    let server = with_memory("0");
    let function = server.create(holding("free", 20, 128));
    let gate = Gate::new();
    let payload = json!({ "gate": gate.number() }).to_string();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| function.invoke(&payload))).collect();
        gate.wait_for(8);
        gate.open();
        calls.into_iter().for_each(|call| assert_eq!(call.join().unwrap().success(), 20 << 20));
    });
}

#[test]
fn the_histogram_ends_an_environment_as_soon_as_its_function_has_never_been_idle_for_longer() {
    let server = Settings::new().arguments(&["--keep-alive", "histogram"]).start();
    let [often, once] = ["often", "once"].map(|name| server.create(holding(name, 1, 128)));
    once.invoke("{}").success();
    for _ in 0..15 {
        often.invoke("{}").success();
        often.wait_until_all_are_ready();
    }
    eventually("its environment has gone", || often.environments().is_empty().then_some(()));
    let cold = cold_start(&often, &often.invoke("{}"));
    assert_eq!((&cold["reason"], &cold["idle_limit_s"]), (&json!("idle-timeout"), &json!(11.0)), "{cold}");
    // Of this one too little is known.
    assert_eq!(once.environments().len(), 1);
}

/// How many environments a function has after eight callers have called it five times each.
fn environments_for_eight_callers(wait: &str) -> usize {
    let server = Settings::new().arguments(&["--wait-for-processors", wait]).start();
    let source = "
import time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
burn(0.3)
def handler(event, context):
    burn(0.01)
";
    let function = server.create(python("burner", source).whole_cpu().timeout(60));
    // So that it is known what a call and a cold start take.
    function.invoke("{}").success();
    function.invoke("{}").success();
    function.wait_until_all_are_ready();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..5).for_each(|_| assert_eq!(function.invoke("{}").success(), Value::Null)));
        }
    });
    function.environments().len()
}

#[test]
fn while_processors_are_busy_a_call_waits_for_an_environment_rather_than_starting_another_one() {
    let [waiting, at_once] = ["on", "off"].map(environments_for_eight_callers);
    assert!(waiting < at_once, "{waiting} environments when calls wait, {at_once} when they do not");
}

#[test]
fn a_file_that_twenty_environments_map_is_in_memory_once() {
    const FILE_MB: u64 = 50;
    const ENVIRONMENTS: u64 = 20;
    let server = Server::start();
    let source = format!(
        "{PYTHON_WAIT}
import mmap
with open('/var/task/model.bin', 'rb') as file:
    MODEL = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
def handler(event, context):
    wait_at(event['gate'])
    return len(set(MODEL[::4096]))
"
    );
    let model = "m".repeat((FILE_MB << 20) as usize);
    let function = server.create(python("model", &source).file("model.bin", &model).timeout(60));
    let gate = Gate::new();
    let payload = json!({ "gate": gate.number() }).to_string();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..ENVIRONMENTS).map(|_| scope.spawn(|| function.invoke(&payload))).collect();
        gate.wait_for(ENVIRONMENTS as usize);
        gate.open();
        calls.into_iter().for_each(|call| assert_eq!(call.join().unwrap().success(), 1));
    });
    let (mut mapped_kib, mut shares_kib) = (0, 0);
    for environment in function.environments() {
        let maps = fs::read_to_string(format!("/proc/{}/smaps", environment["pid"])).unwrap();
        let of_model = maps.split_once("model.bin").expect("it is mapped").1;
        let kib = |key: &str| -> u64 {
            let line = of_model.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        mapped_kib += kib("Rss:");
        shares_kib += kib("Pss:");
    }
    assert!(mapped_kib >= ENVIRONMENTS * FILE_MB * 1_024 * 9 / 10, "each has all of it: {mapped_kib} KiB");
    assert!(shares_kib <= FILE_MB * 1_024 * 3 / 2, "together they take {shares_kib} KiB");
}

#[test]
fn a_server_that_has_started_has_given_back_the_code_that_only_the_start_needed() {
    let server = Server::start();
    let code_kib = |smaps: &str| -> (u64, u64) {
        let mut lines = smaps.lines();
        let binary = lines.by_ref().find(|line| line.contains(" r-xp ") && line.contains("/hearth"));
        assert!(binary.is_some());
        let kib = |line: &str| line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap();
        let size = kib(lines.find(|line| line.starts_with("Size:")).unwrap());
        (size, kib(lines.find(|line| line.starts_with("Rss:")).unwrap()))
    };
    let (size, resident) = code_kib(&fs::read_to_string(format!("/proc/{}/smaps", server.pid())).unwrap());
    assert!(resident * 3 < size, "{resident} KiB of {size} KiB of code are in memory");
    // And it works.
    assert_eq!(server.create(holding("works", 1, 128)).invoke("{}").success(), 1 << 20);
}
