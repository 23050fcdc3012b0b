//! Limits, freezer and end of environments, with real processes in real cgroups. Each test runs with all hierarchies
//! of this machine, and once more as if v2 were not mounted, where that is another way.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests, and they start processes"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hearth_sandbox::cgroups::{
    CgroupError, Cgroups, Controller, Discovery, EnvironmentCgroup, Facts, Hierarchy, Host, Limits, MilliCpu,
};
use hearth_tests::{Folder, LIMIT, eventually, rounds, skip};
use hearth_types::EnvironmentId;

const MB: u64 = 1 << 20;

/// Enough of everything.
const WIDE: Limits = Limits { memory_bytes: 512 * MB, cpu: MilliCpu(2_000), processes: 200 };

/// The ways in which this machine can give limits; none, and the test is noted as skipped, where nobody may.
fn ways() -> Vec<Discovery> {
    let read = |path: &str| fs::read_to_string(path).unwrap();
    let (own, mounts) = (read("/proc/self/cgroup"), read("/proc/self/mountinfo"));
    let all = Discovery::decide(&Host::parse(&own, &mounts), Facts::of);
    let only_v1: String =
        mounts.lines().filter(|line| !line.contains(" - cgroup2 ")).map(|line| format!("{line}\n")).collect();
    let only_v1 = Discovery::decide(&Host::parse(&own, &only_v1), Facts::of);
    let mut ways = vec![all, only_v1];
    ways.dedup();
    ways.retain(|way| way.missing().next().is_none());
    if ways.is_empty() {
        skip(&format!(
            "cgroups cannot be used here: {}",
            Discovery::of_this_host().unwrap().to_string().replace('\n', "; ")
        ));
    }
    ways
}

fn new_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("hearth-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Runs a check in each way.
fn in_each_way(check: impl Fn(&Cgroups)) {
    for way in ways() {
        println!("{way}");
        let cgroups = Cgroups::open(&way, &new_name()).unwrap();
        let groups: Vec<PathBuf> = cgroups.groups().map(Path::to_owned).collect();
        check(&cgroups);
        drop(cgroups);
        eventually("nothing is left", || groups.iter().all(|group| !group.exists()).then_some(()));
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Starts a program inside: it enters before it does anything.
fn start(cgroup: &EnvironmentCgroup, program: &str, arguments: &[&str]) -> Child {
    let files: Vec<String> =
        cgroup.paths().map(|path| path.join("cgroup.procs").display().to_string()).collect();
    let enter = "for file in $ENTER; do echo 0 > $file || exit 99; done; exec \"$@\"";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", enter, "sh", program]).args(arguments).env("ENTER", files.join(" "));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn python(cgroup: &EnvironmentCgroup, script: &str) -> Child {
    start(cgroup, "python3", &["-c", script])
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

fn cpu_ticks(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let mut fields = text.rsplit_once(") ").unwrap().1.split(' ').skip(11);
    let mut next = || fields.next().unwrap().parse::<u64>().unwrap();
    next() + next()
}

fn processes_in(cgroup: &EnvironmentCgroup) -> usize {
    let count = |path: &Path| fs::read_to_string(path.join("cgroup.procs")).unwrap().lines().count();
    cgroup.paths().map(count).max().unwrap()
}

#[test]
fn memory_beyond_the_limit_ends_the_process_and_is_told() {
    in_each_way(|cgroups| {
        let limits = Limits { memory_bytes: 64 * MB, ..WIDE };
        let cgroup = cgroups.create(EnvironmentId::random(), &limits).unwrap();
        assert!(!cgroup.was_out_of_memory().unwrap());
        let output = python(&cgroup, "x = b'x' * (200 << 20); print(len(x))").wait_with_output().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(9), "{output:?}");
        assert!(output.stdout.is_empty());
        // The killing of a whole group counts its first process twice.
        assert!((1..=2).contains(&cgroup.oom_kills().unwrap()));
        assert!(cgroup.was_out_of_memory().unwrap());
        let peak = cgroup.memory_bytes_max().unwrap();
        assert!((63 * MB..=64 * MB).contains(&peak), "{peak}");
    });
}

#[test]
fn what_a_process_has_does_not_include_the_pages_of_files_that_it_read() {
    in_each_way(|cgroups| {
        let cgroup = cgroups.create(EnvironmentId::random(), &WIDE).unwrap();
        // It writes the file itself, so that its pages are charged to it.
        let script = "import tempfile; f = tempfile.TemporaryFile(dir='.'); f.write(b'x' * (80 << 20)); f.flush(); \
                      y = b'x' * (30 << 20); print('has it', flush=True); input()";
        let mut child = start(&cgroup, "sh", &["-c", &format!("sleep 100 | python3 -c \"{script}\"")]);
        assert_eq!(first_line(&mut child), "has it");
        let memory = cgroup.memory().unwrap();
        assert!((30 * MB..70 * MB).contains(&memory.now), "{memory:?}");
        assert!(memory.most >= memory.now && memory.most < cgroup.memory_bytes_max().unwrap(), "{memory:?}");
        block_on(cgroup.kill()).unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn the_peak_is_that_of_all_processes_together_and_stays() {
    in_each_way(|cgroups| {
        let cgroup = cgroups.create(EnvironmentId::random(), &WIDE).unwrap();
        let take = "x = b'x' * (60 << 20); print('has it', flush=True); input()";
        let mut children: Vec<Child> = (0..2)
            .map(|_| {
                let mut child = start(&cgroup, "sh", &["-c", &format!("sleep 100 | python3 -c \"{take}\"")]);
                assert_eq!(first_line(&mut child), "has it");
                child
            })
            .collect();
        block_on(cgroup.kill()).unwrap();
        for child in &mut children {
            child.wait().unwrap();
        }
        // Two times 60 MB, and two interpreters of 3 to 12 MB each.
        let peak = cgroup.memory_bytes_max().unwrap();
        assert!((120 * MB..150 * MB).contains(&peak), "{peak}");
        assert_eq!(cgroup.oom_kills().unwrap(), 0);
    });
}

#[test]
fn case_063_071_a_fork_bomb_and_a_thread_bomb_end_at_the_limit_with_eagain() {
    in_each_way(|cgroups| {
        let limits = Limits::of_memory_size(1_769);
        let cgroup = cgroups.create(EnvironmentId::random(), &limits).unwrap();
        let forks = "
import os, time
count = 1
try:
    while True:
        if os.fork() == 0:
            time.sleep(1000)
        count += 1
except OSError as error:
    print(count, error.errno, flush=True)
time.sleep(1000)";
        let mut child = python(&cgroup, forks);
        assert_eq!(first_line(&mut child), "1024 11");
        block_on(cgroup.kill()).unwrap();
        child.wait().unwrap();
        assert_eq!(processes_in(&cgroup), 0);

        // Dead children count until they are waited for, which nobody can hurry: a new environment is without them.
        let cgroup = cgroups.create(EnvironmentId::random(), &limits).unwrap();

        let threads = "
import threading, time
count = 1
try:
    while True:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        count += 1
except RuntimeError as error:
    print(count, error, flush=True)";
        let mut child = python(&cgroup, threads);
        assert_eq!(first_line(&mut child), "1024 can't start new thread");
        block_on(cgroup.kill()).unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn case_067_a_busy_loop_gets_its_share_of_the_cpu() {
    in_each_way(|cgroups| {
        let share = |memory_size_mb: u64| {
            let limits = Limits::of_memory_size(memory_size_mb);
            let cgroup = cgroups.create(EnvironmentId::random(), &limits).unwrap();
            let mut child = start(&cgroup, "sh", &["-c", "echo go; while :; do :; done"]);
            assert_eq!(first_line(&mut child), "go");
            let (begin, ticks) = (Instant::now(), cpu_ticks(child.id()));
            eventually("a second has gone by", || (begin.elapsed() > Duration::from_secs(1)).then_some(()));
            let used = cpu_ticks(child.id()) - ticks;
            let seconds = begin.elapsed().as_secs_f64();
            block_on(cgroup.remove()).unwrap();
            child.wait().unwrap();
            // A tick is 10 ms.
            used as f64 / 100.0 / seconds
        };
        let (fifth, tenth) = (share(354), share(177));
        println!("a fifth is {fifth:.3}, a tenth is {tenth:.3}");
        assert!((0.1..0.26).contains(&fifth), "{fifth}");
        assert!((0.05..0.14).contains(&tenth), "{tenth}");
    });
}

#[test]
fn case_073_a_frozen_environment_stands_still_and_goes_on_after_the_thaw() {
    in_each_way(|cgroups| {
        let cgroup = cgroups.create(EnvironmentId::random(), &WIDE).unwrap();
        // Nobody inside is no reason to wait.
        block_on(cgroup.freeze()).unwrap();
        cgroup.thaw().unwrap();
        let mut child = start(&cgroup, "sh", &["-c", "echo go; while :; do :; done & while :; do :; done"]);
        assert_eq!(first_line(&mut child), "go");
        for _ in 0..2 {
            // Twice is as good as once.
            block_on(cgroup.freeze()).unwrap();
            block_on(cgroup.freeze()).unwrap();
            assert!(cgroup.is_frozen().unwrap());
            let ticks = cpu_ticks(child.id());
            let begin = Instant::now();
            eventually("a while has gone by", || {
                (begin.elapsed() > Duration::from_millis(200)).then_some(())
            });
            assert_eq!(cpu_ticks(child.id()), ticks);
            cgroup.thaw().unwrap();
            cgroup.thaw().unwrap();
            assert!(!cgroup.is_frozen().unwrap());
            eventually("it goes on", || (cpu_ticks(child.id()) > ticks + 3).then_some(()));
        }
        block_on(cgroup.freeze()).unwrap();
        block_on(cgroup.kill()).unwrap();
        child.wait().unwrap();
        // It can be used again.
        let output = start(&cgroup, "echo", &["again"]).wait_with_output().unwrap();
        assert_eq!(output.stdout, b"again\n");
    });
}

#[test]
fn freezing_and_thawing_cost_microseconds_and_no_step_is_made_in_between() {
    in_each_way(|cgroups| {
        let cgroup = cgroups.create(EnvironmentId::random(), &WIDE).unwrap();
        let folder = Folder::new();
        let counter = fs::File::open(folder.write("counter", [0; 8])).unwrap();
        // Of the kernel's work for it, the process may do some while it stands still; but not a step of its own.
        let count = || {
            let mut bytes = [0; 8];
            counter.read_exact_at(&mut bytes, 0).unwrap();
            u64::from_le_bytes(bytes)
        };
        let script = "
import mmap, struct, sys
file = open(sys.argv[1], 'r+b')
memory = mmap.mmap(file.fileno(), 8)
print('go', flush=True)
count = 0
while True:
    count += 1
    struct.pack_into('<Q', memory, 0, count)";
        let file = folder.path().join("counter");
        let mut child = start(&cgroup, "python3", &["-c", script, file.to_str().unwrap()]);
        assert_eq!(first_line(&mut child), "go");
        let (mut freeze, mut thaw, mut peak, mut runs_again) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        block_on(async {
            for _ in 0..rounds(250, 10_000) {
                freeze.push(timed(cgroup.freeze()).await);
                let stands_at = count();
                peak.push(timed(async { cgroup.memory_bytes_max().map(|_| ()) }).await);
                assert_eq!(count(), stands_at);
                let begin = Instant::now();
                thaw.push(timed(async { cgroup.thaw() }).await);
                while count() == stands_at {
                    assert!(begin.elapsed() < LIMIT, "it does not go on");
                    std::thread::yield_now();
                }
                runs_again.push(begin.elapsed());
            }
        });
        let thaw_p50 = print_figures("thaw", thaw);
        print_figures("runs again", runs_again);
        print_figures("freeze", freeze);
        print_figures("peak", peak);
        // Generous: on an idle machine it is less than a tenth of that.
        assert!(thaw_p50 < Duration::from_millis(1), "{thaw_p50:?}");
        block_on(cgroup.remove()).unwrap();
        child.wait().unwrap();
    });
}

async fn timed(work: impl Future<Output = Result<(), CgroupError>>) -> Duration {
    let begin = Instant::now();
    work.await.unwrap();
    begin.elapsed()
}

fn print_figures(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let at = |hundredths: usize| times[(times.len() - 1) * hundredths / 100];
    println!("{what}: p50 {:?}, p99 {:?}, most {:?}", at(50), at(99), at(100));
    at(50)
}

#[test]
fn killing_ends_a_tree_that_forks_as_fast_as_it_can() {
    in_each_way(|cgroups| {
        let cgroup = cgroups.create(EnvironmentId::random(), &Limits::of_memory_size(1_769)).unwrap();
        // Each child lives on in its own session and its parent ends, so that no list of processes stays true.
        let script = "
import os
print('go', flush=True)
os.close(1); os.close(2)
while True:
    try:
        if os.fork():
            if os.getpid() % 3: os._exit(0)
        else:
            os.setsid()
    except OSError:
        pass";
        let mut child = python(&cgroup, script);
        assert_eq!(first_line(&mut child), "go");
        eventually("it has forked", || (processes_in(&cgroup) > 100).then_some(()));
        let begin = Instant::now();
        block_on(cgroup.kill()).unwrap();
        println!("killed after {:?}", begin.elapsed());
        assert_eq!(processes_in(&cgroup), 0);
        child.wait().unwrap();
    });
}

/// Tells the program, started once more by the test below, to be the server that will be killed: which way, and a name.
const BE_SERVER: &str = "HEARTH_TEST_BE_SERVER";

#[test]
fn what_a_killed_server_left_is_ended_and_counted() {
    if let Ok(wanted) = std::env::var(BE_SERVER) {
        let (way, name) = wanted.split_once(' ').unwrap();
        be_server(&ways()[way.parse::<usize>().unwrap()], name);
    }
    for (index, way) in ways().iter().enumerate() {
        let name = new_name();
        let mut server = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "what_a_killed_server_left_is_ended_and_counted"])
            .env(BE_SERVER, format!("{index} {name}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
        let pids = lines.find_map(|line| Some(line.split_once("they run: ")?.1.to_owned())).unwrap();
        let pids: Vec<u32> = pids.split(' ').map(|pid| pid.parse().unwrap()).collect();
        assert_eq!(pids.len(), 3);
        let error = Cgroups::open(way, &name).unwrap_err();
        assert!(matches!(error, CgroupError::InUse { .. }), "{error}");
        assert!(pids.iter().all(|&pid| runs(pid)));

        server.kill().unwrap();
        server.wait().unwrap();
        let cgroups = Cgroups::open(way, &name).unwrap();
        assert_eq!(cgroups.reaped(), 3);
        assert!(pids.iter().all(|&pid| !runs(pid)));
        let groups: Vec<PathBuf> = cgroups.groups().map(Path::to_owned).collect();
        assert!(groups.iter().all(|group| folders_in(group) == 0));
        drop(cgroups);
        assert!(groups.iter().all(|group| !group.exists()));
        assert_eq!(Cgroups::open(way, &name).unwrap().reaped(), 0);
    }
}

fn be_server(way: &Discovery, name: &str) -> ! {
    let cgroups = Cgroups::open(way, name).unwrap();
    let mut environments = Vec::new();
    let mut pids = Vec::new();
    for _ in 0..3 {
        let cgroup = cgroups.create(EnvironmentId::random(), &WIDE).unwrap();
        let mut child = start(&cgroup, "sh", &["-c", "echo go; exec sleep 1000"]);
        assert_eq!(first_line(&mut child), "go");
        pids.push(child.id().to_string());
        environments.push(cgroup);
    }
    block_on(environments[0].freeze()).unwrap();
    println!("they run: {}", pids.join(" "));
    loop {
        std::thread::park();
    }
}

/// Says whether a process is there and has not ended.
fn runs(pid: u32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    text.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

fn folders_in(group: &Path) -> usize {
    fs::read_dir(group).unwrap().flatten().filter(|entry| entry.path().is_dir()).count()
}

#[test]
fn two_hundred_environments_leave_nothing() {
    in_each_way(|cgroups| {
        let (mut create, mut remove) = (Vec::new(), Vec::new());
        let open_files = || fs::read_dir("/proc/self/fd").unwrap().count();
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let before = open_files();
        for round in 0..200 {
            let begin = Instant::now();
            let cgroup = cgroups.create(EnvironmentId::random(), &WIDE).unwrap();
            create.push(begin.elapsed());
            if round % 10 == 0 {
                let mut child = start(&cgroup, "sh", &["-c", "echo go; sleep 1000 & sleep 1000"]);
                assert_eq!(first_line(&mut child), "go");
                if round % 20 == 0 {
                    tokio.block_on(cgroup.remove()).unwrap()
                } else {
                    drop(cgroup)
                }
                child.wait().unwrap();
            } else {
                remove.push(tokio.block_on(timed(cgroup.remove())));
            }
        }
        print_figures("create", create);
        print_figures("remove", remove);
        for group in cgroups.groups() {
            eventually("all groups are gone", || (folders_in(group) == 0).then_some(()));
        }
        eventually("all files are closed", || (open_files() <= before).then_some(()));
    });
}

#[test]
fn a_group_takes_a_process_by_its_number_too() {
    in_each_way(|cgroups| {
        let cgroup = cgroups.create(EnvironmentId::random(), &WIDE).unwrap();
        assert_eq!(cgroup.entries().unwrap().len(), cgroup.paths().count());
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        cgroup.add(i32::try_from(child.id()).unwrap()).unwrap();
        let own = fs::read_to_string(format!("/proc/{}/cgroup", child.id())).unwrap();
        let name = cgroup.paths().next().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(own.matches(&name).count(), cgroup.paths().count(), "{own}");
        drop(cgroup);
        child.wait().unwrap();
    });
}

#[test]
fn names_that_are_paths_are_refused() {
    for way in ways() {
        for name in ["", ".", "..", "a/b", "hearth-server", "a\n"] {
            let error = Cgroups::open(&way, name).unwrap_err();
            assert_eq!(error.to_string(), format!("`{name}` cannot be the name of a cgroup"));
        }
    }
}

#[test]
fn what_cannot_be_made_leaves_nothing() {
    in_each_way(|cgroups| {
        // More than the kernel takes as a number of processes.
        let error =
            cgroups.create(EnvironmentId::random(), &Limits { processes: u64::MAX, ..WIDE }).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("failed to write `") && text.ends_with("/pids.max`"), "{text}");
        assert!(cgroups.groups().all(|group| folders_in(group) == 0));
    });
    for way in ways() {
        // As if `pids` were mounted where nothing is, which only turns out when groups are made.
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let Ok(served) = way.of(Controller::Pids) else { panic!("{way}") };
        if served.hierarchy == Hierarchy::V2 {
            // All is in one place, and no part of it can be missing.
            continue;
        }
        let mounts = mounts.replace("/sys/fs/cgroup/pids ", "/sys/fs/cgroup-is-not-here ");
        let look = |group: &Path| match group.starts_with("/sys/fs/cgroup-is-not-here") {
            true => Facts { is_writable: true, ..Facts::default() },
            false => Facts::of(group),
        };
        let name = new_name();
        let error = Cgroups::open(&Discovery::decide(&Host::parse(&own, &mounts), look), &name).unwrap_err();
        assert_eq!(error.to_string(), format!("failed to create cgroup `/sys/fs/cgroup-is-not-here/{name}`"));
        let Ok(memory) = way.of(Controller::Memory) else { panic!("{way}") };
        assert!(!memory.group.join(&name).exists());
    }
}

#[test]
fn a_host_that_lacks_something_is_refused_with_what_to_do() {
    let error =
        Cgroups::open(&Discovery::decide(&Host::parse("", ""), Facts::of), "hearth-test").unwrap_err();
    let why = "not mounted; boot with it, and mount it below /sys/fs/cgroup";
    let expected = format!("no cgroup serves memory ({why}), cpu ({why}), pids ({why}), freezer ({why})");
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().unwrap().contains("Delegate=yes"));
}
