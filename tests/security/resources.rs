//! Appetite: what a function can take of memory, processors, processes, files, disk and log, and what its neighbours feel.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hearth_tests::{Call, LogEvent, Server, eventually, http, lines_of, rounds, skip, within};
use serde_json::json;

use crate::hostile::{Calm, Host, Language, in_each_language, percentile, walled};

in_each_language! {
    fn case_063_a_fork_bomb_ends_at_the_limit_and_nobody_else_feels_it(host: &Host) {
        a_bomb(host, "forks");
    }

    fn case_071_a_thread_bomb_ends_at_the_limit_and_nobody_else_feels_it(host: &Host) {
        a_bomb(host, "threads");
    }

    fn case_064_a_heap_beyond_the_memory_size_ends_the_function_and_never_the_service(host: &Host) {
        host.hostile().update_configuration(&json!({ "MemorySize": 192 }));
        let calm = Calm::of(host);
        for _ in 0..2 {
            let error = host.call("heap 1024").function_error();
            assert!(error.contains("Runtime.ExitError") && error.contains("signal: killed"), "{error}");
            calm.goes_on(host);
        }
        // Within its size nothing happens.
        assert_eq!(host.attack(&["heap 64"]), ["works"]);
        host.leaves_nothing();
    }

    fn case_066_072_files_and_sockets_end_at_their_limit_in_one_environment_only(host: &Host) {
        let calm = Calm::of(host);
        let opened = host.attack(&["descriptors files 20000", "descriptors sockets 10000"]);
        for opened in opened {
            let (number, errno) = opened.split_once(' ').unwrap();
            let number: u32 = number.parse().unwrap();
            assert!((900..1_024).contains(&number) && errno == "EMFILE", "{opened}");
        }
        calm.goes_on(host);
        host.leaves_nothing();
    }

    fn case_067_a_busy_function_gets_the_share_of_its_memory_size(host: &Host) {
        // 1,769 MB are one processor, so this is a quarter; four threads want all there are.
        host.hostile().update_configuration(&json!({ "MemorySize": 442 }));
        host.attack(&["spin 1 1"]);
        let duration = rounds(1_000, 20_000);
        let had: u64 = host.attack(&[&format!("spin 4 {duration}")])[0].parse().unwrap();
        let share = had as f64 / duration as f64;
        // Others may be busy, too, so it may get less.
        assert!((0.05..0.35).contains(&share), "{had} ms of {duration} ms");
        host.leaves_nothing();
    }

    fn case_073_what_spins_after_the_answer_stands_still_until_the_next_call(host: &Host) {
        let calm = Calm::of(host);
        host.hostile().wait_until_all_are_ready();
        assert_eq!(host.attack(&["linger"]), ["works"]);
        let answered = Instant::now();
        let processes = || crate::leftovers::Traces::of(&host.server, "hostile").processes();
        let ticks = || processes().into_iter().map(cpu_ticks).sum::<u64>();
        let at_the_answer = ticks();
        // Still for as long as three times the limit: frozen.
        let mut last = (ticks(), Instant::now());
        let frozen = within(Duration::from_secs(5), "the function stands still", || {
            let now = ticks();
            if now != last.0 {
                last = (now, Instant::now());
            }
            (last.1.elapsed() > Duration::from_millis(300)).then_some(last)
        });
        // A tick is 10 ms. How long the freezing took is what it could still spin.
        let spun = (frozen.0 - at_the_answer) * 10;
        assert!(spun <= 100, "it had {spun} ms after the answer, {:?}", frozen.1 - answered);
        calm.goes_on(host);
        // That call has thawed it, and now it stands still again.
        host.hostile().wait_until_all_are_ready();
        host.leaves_nothing();
    }
}

fn a_bomb(host: &Host, kind: &str) {
    // A thousand interpreters need more than an ordinary function has; its memory must not be what ends it.
    host.hostile().update_configuration(&json!({ "MemorySize": 3_008 }));
    let calm = Calm::of(host);
    let neighbour = host.neighbour();
    let quiet = percentile(&neighbour, 30, 0.9);
    let made = host.attack(&[&format!("bomb {kind}")]).remove(0);
    let (number, errno) = made.split_once(' ').unwrap();
    let number: u32 = number.parse().unwrap();
    assert!((900..=1_024).contains(&number) && errno == "EAGAIN", "{made}");
    // All of it still stands there.
    let loud = percentile(&neighbour, 30, 0.9);
    assert!(loud < 2 * quiet + Duration::from_millis(50), "{quiet:?} before, {loud:?} beside {made}");
    calm.goes_on(host);
    host.leaves_nothing();
}

fn cpu_ticks(pid: u64) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, fields)) = text.rsplit_once(") ") else { return 0 };
    fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

/// A host with a hostile function in Python, for what one language shows.
fn with_python(test: impl FnOnce(&Host)) {
    if Language::Python.is_here() {
        test(&Host::start(Language::Python));
    }
}

#[test]
fn case_065_tmp_ends_at_its_size_is_no_memory_and_gives_everything_back() {
    with_python(|host| {
        host.hostile().update_configuration(&json!({ "MemorySize": 192 }));
        let calm = Calm::of(host);
        for _ in 0..2 {
            let filled = host.attack(&["fill /tmp/full 700"]).remove(0);
            let (megabytes, errno) = filled.split_once(' ').unwrap();
            let megabytes: u32 = megabytes.parse().unwrap();
            assert!((480..=512).contains(&megabytes) && errno == "ENOSPC", "{filled}");
            calm.goes_on(host);
            // Another environment has another one, and what the first had is free again.
            host.hostile().update_configuration(&json!({ "Timeout": 50 + megabytes % 2 }));
            host.hostile().update_configuration(&json!({ "Timeout": 40 }));
            assert_eq!(host.attack(&["open /tmp/full r"]), ["ENOENT"]);
        }
        host.leaves_nothing();
    });
}

#[test]
fn case_075_many_files_and_deep_folders_in_tmp_are_cleared_away() {
    with_python(|host| {
        let (folders, files) = (rounds(1_000, 10_000), rounds(50_000, 500_000));
        let made = host.attack(&[&format!("tree /tmp/tree {folders} {files}")]).remove(0);
        assert_eq!(made, format!("{files} works"));
        host.leaves_nothing();
        assert_eq!(host.server.http("GET", "/_hearth/health", b"").status, 200);
    });
}

#[test]
fn case_068_a_flood_of_output_is_taken_in_bounded_memory_and_disk() {
    with_python(|host| {
        let calm = Calm::of(host);
        let megabytes = rounds(64, 10_000);
        host.hostile().update_configuration(&json!({ "Timeout": 600, "MemorySize": 1_769 }));
        let before = host.server.resident_kib();
        assert_eq!(host.attack(&[&format!("flood stdout {} 16384", megabytes << 6)]), ["works"]);
        calm.goes_on(host);
        let grown = host.server.resident_kib().saturating_sub(before);
        assert!(grown < 128 << 10, "the server has grown by {grown} KiB");
        let kept = bytes_in(&host.server.data_dir().path().join("logs"));
        assert!(kept < 1_100 << 20, "{kept} bytes of logs");
        host.leaves_nothing();
    });
}

#[test]
fn case_069_a_line_without_an_end_is_cut_and_never_kept_in_memory() {
    with_python(|host| {
        host.hostile().update_configuration(&json!({ "MemorySize": 1_769 }));
        let calm = Calm::of(host);
        let before = host.server.resident_kib();
        assert_eq!(host.attack(&["line 64"]), ["works"]);
        calm.goes_on(host);
        let grown = host.server.resident_kib().saturating_sub(before);
        assert!(grown < 96 << 10, "the server has grown by {grown} KiB");
        let logs = host.server.data_dir().path().join("logs");
        eventually("all of it is in the log", || (bytes_in(&logs) > 64 << 20).then_some(()));
        // The first of its 256 pieces, as many as a page holds.
        let body = json!({ "logGroupName": "/aws/lambda/hostile", "limit": 40 });
        let headers = [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("X-Amz-Target", "Logs_20140328.FilterLogEvents"),
        ];
        let answer = http(host.server.address(), "POST", "/", &headers, body.to_string().as_bytes());
        let events = answer.json()["events"].as_array().unwrap().clone();
        let lengths = events.iter().filter_map(|event| {
            let message = event["message"].as_str().unwrap();
            message.starts_with("yy").then_some(message.trim_end().len())
        });
        let lengths: Vec<usize> = lengths.collect();
        assert!(lengths.len() >= 3 && lengths.iter().all(|&length| length == 256 << 10), "{lengths:?}");
        host.leaves_nothing();
    });
}

fn all_events(server: &Server, enough: impl Fn(&[LogEvent]) -> bool) -> Vec<LogEvent> {
    server.logs_until("hostile", "all of it", enough)
}

#[test]
fn case_070_the_last_lines_of_a_function_that_ends_itself_are_all_kept_in_order() {
    with_python(|host| {
        let calm = Calm::of(host);
        let lines = rounds(20_000, 1_000_000);
        let error = host.call(&format!("count {lines}")).function_error();
        assert!(error.contains("exit status 1"), "{error}");
        let events = all_events(&host.server, |events| lines_of(events, "line ").len() >= lines);
        let said = lines_of(&events, "line ");
        let is_next = |(number, line): (usize, &&str)| line.trim_end() == format!("line {number:07}");
        assert!(said.len() == lines && said.iter().enumerate().all(is_next), "{} lines", said.len());
        calm.goes_on(host);
        host.leaves_nothing();
    });
}

#[test]
fn case_074_fifty_hot_calls_leave_a_quiet_function_its_time() {
    if !Language::C.is_here() {
        return;
    }
    let host = Host::start_with(Language::C, |new| new.with("MemorySize", 128));
    let neighbour = host.neighbour();
    let quiet = percentile(&neighbour, 40, 0.95);
    let hot = rounds(20, 50);
    let milliseconds = rounds(2_000, 30_000);
    let load_before = load_for_each_processor();
    // How busy the machine is besides is not in our hands: one good round of three shows that it can be.
    let is_calm = (0..3).any(|_| {
        let loud = beside_hot_calls(&host, hot, milliseconds);
        println!("p95 {quiet:?} alone, {loud:?} beside {hot} hot calls");
        loud < 2 * quiet + Duration::from_millis(50)
    });
    if !is_calm && load_before > 2.0 {
        skip("the machine is busy with other things; what the quiet function waits for cannot be told");
    } else {
        assert!(is_calm, "the quiet function waits for the hot ones");
    }
    host.leaves_nothing();
}

/// How many processes wanted a processor during the last minute, for each one.
fn load_for_each_processor() -> f64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let load: f64 = load.split(' ').next().unwrap().parse().unwrap();
    load / thread::available_parallelism().unwrap().get() as f64
}

/// The p95 of the neighbour while so many calls of the hostile function spin.
fn beside_hot_calls(host: &Host, hot: usize, milliseconds: usize) -> Duration {
    let neighbour = host.neighbour();
    thread::scope(|scope| {
        let calls: Vec<_> =
            (0..hot).map(|_| scope.spawn(|| host.attack(&[&format!("spin 2 {milliseconds}")]))).collect();
        eventually("all are busy", || {
            let environments = host.hostile().environments();
            let busy = environments.iter().filter(|environment| environment["state"] == "Busy").count();
            (busy == hot).then_some(())
        });
        let loud = percentile(&neighbour, 40, 0.95);
        for call in calls {
            call.join().unwrap();
        }
        loud
    })
}

#[test]
fn case_076_a_burst_of_cold_starts_at_a_limit_makes_no_more_environments_and_throttles_the_rest() {
    if !Language::C.is_here() {
        return;
    }
    let server = walled().arguments(&["--concurrency", "50"]).start();
    let function = server.create(Language::C.function("burst").with("MemorySize", 128));
    let payload = json!({ "do": "sleep 3000" }).to_string();
    let calls = rounds(200, 500);
    let most = thread::scope(|scope| {
        let one = || {
            let answer = function.call(&Call { payload: payload.as_bytes(), ..Call::default() });
            match answer.status() {
                200 => (answer.success() == json!(["works"])).then_some(true).unwrap(),
                429 => {
                    let (kind, _, message) = answer.exception();
                    assert_eq!(kind, "TooManyRequestsException", "{message}");
                    false
                }
                other => panic!("{other}: {}", answer.text()),
            }
        };
        let all: Vec<_> = (0..calls).map(|_| scope.spawn(one)).collect();
        let mut most = 0;
        while !all.iter().all(thread::ScopedJoinHandle::is_finished) {
            most = most.max(function.environments().len());
        }
        let answered = all.into_iter().map(|call| call.join().unwrap()).filter(|&was_run| was_run).count();
        assert!((50..calls).contains(&answered), "{answered} of {calls} were run");
        most
    });
    assert!(most <= 50, "{most} environments");
    function.wait_until_all_are_ready();
    assert_eq!(function.invoke("{}").success(), json!([]));
}

fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
