//! How much work a warm call is for the server, in instructions, which a busy machine does not change: counted by Valgrind in
//! the build that the other tests use. Its code is not optimised, so that the number says nothing about time, but it grows
//! with whatever is added to the path of each call.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use hearth_tests::{Connection, Folder, Server, Settings, hearth_binary, python, repository, skip};

/// The number that is kept. `UPDATE_INSTRUCTIONS=1 cargo nextest run -p hearth-tests instructions` writes it anew.
const KEPT: &str = "tests/conformance/instructions.txt";
/// How much more it may be.
const GROWTH_MAX: f64 = 1.05;
/// Calls that do not count: caches and pools get warm.
const WARM_UP: u64 = 50;
/// Calls of one count.
const CALLS: u64 = 100;
/// The least of so many counts: what the server does by the clock adds to each.
const COUNTS: u64 = 3;

#[test]
fn a_warm_call_takes_the_server_no_more_instructions_than_are_written_down() {
    if !cfg!(debug_assertions) {
        return skip("the number that is kept is that of a debug build");
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        return skip("valgrind is not here; `cargo xtask test` installs it where it can");
    }
    let counting = Counting::start();
    let function = counting.server.create(python("counted", "def handler(event, context): return event"));
    let mut caller = Caller::open(&counting.server, function.name());
    caller.call(WARM_UP);
    counting.begin();
    // What is translated for Valgrind now, and what is dumped first, does not count.
    caller.call(WARM_UP);
    counting.instructions_since_last();
    let counts = (0..COUNTS).map(|_| {
        caller.call(CALLS);
        counting.instructions_since_last() / CALLS
    });
    let now = counts.min().unwrap();
    drop(function);
    counting.server.stop();

    let kept = repository().join(KEPT);
    if std::env::var_os("UPDATE_INSTRUCTIONS").is_some() {
        fs::write(&kept, format!("{now}\n")).unwrap();
        return;
    }
    let before: u64 = fs::read_to_string(&kept).unwrap().trim().parse().unwrap();
    println!("{now} instructions a warm call, {before} are written down");
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52")]
    let growth = now as f64 / before as f64;
    assert!(
        growth <= GROWTH_MAX,
        "a warm call takes {now} instructions; {KEPT} has {before}: {growth:.3} times as many"
    );
}

/// A server whose instructions are counted.
struct Counting {
    server: Server,
    folder: Folder,
}

impl Counting {
    fn start() -> Self {
        let folder = Folder::default();
        let program = folder.path().join("counted");
        let counts = folder.path().join("counts.%p");
        let script = format!(
            "#!/bin/sh\nexec valgrind --quiet --tool=callgrind --instr-atstart=no --callgrind-out-file={} {} \"$@\"\n",
            counts.display(),
            hearth_binary().display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { server: Settings::new().program(program).start(), folder }
    }

    /// Begins to count: a server starts several times as fast without.
    fn begin(&self) {
        self.ask(&["instrumentation", "on"]);
    }

    /// Has Valgrind do something in the server.
    fn ask(&self, what: &[&str]) {
        let pid = format!("--pid={}", self.server.pid());
        let asked = Command::new("vgdb").arg(pid).args(what).output().unwrap();
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    }

    /// Returns how many instructions the server has executed since it was asked last.
    fn instructions_since_last(&self) -> u64 {
        let before = self.counts();
        self.ask(&["dump"]);
        let new: Vec<PathBuf> = self.counts().into_iter().filter(|path| !before.contains(path)).collect();
        let [count] = new.as_slice() else { panic!("one file with counts, not {new:?}") };
        total(count)
    }

    fn counts(&self) -> Vec<PathBuf> {
        let paths = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some()).collect()
    }
}

/// Reads the sum of all instructions from a file of Callgrind's.
fn total(path: &Path) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    let sum = text.lines().find_map(|line| line.strip_prefix("totals: ")).unwrap();
    sum.trim().parse().unwrap()
}

/// Calls a function again and again on one connection.
struct Caller {
    connection: Connection,
    request: String,
}

impl Caller {
    fn open(server: &Server, function: &str) -> Self {
        let payload = "\"x\"";
        let request = format!(
            "POST /2015-03-31/functions/{function}/invocations HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{payload}",
            payload.len()
        );
        Self { connection: Connection::open(&server.address().to_string()).unwrap(), request }
    }

    fn call(&mut self, times: u64) {
        for _ in 0..times {
            let answer = self.connection.exchange(self.request.as_bytes()).unwrap();
            assert!(answer.head.starts_with("HTTP/1.1 200 "), "{}", answer.head);
        }
    }
}
