//! SIGKILL in the middle of creations, updates, deletions and calls, again and again on the same data folder: what was
//! answered is there, what was not is wholly there or wholly absent, and nothing is left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hearth_tests::{
    Folder, LIMIT, NewFunction, Package, Random, Server, Settings, eventually, hearth_with_fault_points,
    processes_of, python, rounds, try_http, try_within, within,
};
use serde_json::{Value, json};

/// How long a server may take to be ready after a crash.
const READY_LIMIT: Duration = Duration::from_secs(2);
/// How long the processes of a killed server may live on.
const ORPHANS_LIMIT: Duration = Duration::from_secs(5);
/// The names that are created, changed and deleted.
const NAMES: [&str; 4] = ["first", "second", "third", "fourth"];
/// How many fault points are passed before the server dies, at most. A start passes a few, a change about ten.
const PASSINGS_MAX: u64 = 60;

#[test]
fn case_110_a_server_killed_at_any_point_of_a_change_keeps_what_it_has_answered() {
    // Two folders at once: the machine has two processors, and a round is mostly waiting.
    thread::scope(|scope| {
        for half in 1..=2 {
            scope.spawn(move || {
                let mut history = History::new(half);
                for round in 0..rounds(200, 10_000) / 2 {
                    history.round(round);
                }
                history.end();
            });
        }
    });
}

/// What a function is, as far as we can see.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    /// What the handler returns: which code it is.
    code: u64,
    description: String,
}

/// The state that clients know: what was answered, and what may or may not have happened when the answer stayed away.
#[derive(Debug, Default)]
struct Known {
    functions: BTreeMap<&'static str, Version>,
    in_flight: Option<(&'static str, Option<Version>)>,
}

struct History {
    folder: Folder,
    data: Arc<Folder>,
    random: Random,
    known: Known,
    next_code: u64,
    kills: u64,
    ready_after: Vec<Duration>,
}

impl History {
    fn new(half: u64) -> Self {
        let folder = Folder::new();
        // A program of this folder, so that its processes can be told from those of other tests.
        fs::copy(hearth_with_fault_points(), folder.path().join("hearth")).unwrap();
        let (known, random) = (Known::default(), Random::new(half));
        Self {
            folder,
            data: Arc::new(Folder::new()),
            random,
            known,
            next_code: 1,
            kills: 0,
            ready_after: Vec::new(),
        }
    }

    /// Starts a server that is to die, looks at what is there, and changes things until it dies.
    fn round(&mut self, round: usize) {
        let last = 1 + self.random.below(PASSINGS_MAX);
        let settings = Settings::new()
            .faults(&format!("*=kill({last})"))
            .program(self.folder.path().join("hearth"))
            .data_dir(&self.data);
        let started = Instant::now();
        let status = match settings.try_start() {
            // It was killed during its start, which is no less a crash.
            Err(ended) => ended.status,
            Ok(server) => {
                self.ready_after.push(started.elapsed());
                self.use_until_it_dies(&server);
                server.ended().status
            }
        };
        assert_eq!(
            status.signal(),
            Some(9),
            "in round {round}, after {last} passings, it ended with {status}"
        );
        self.kills += 1;
        within(ORPHANS_LIMIT, "no process is left", || {
            let left = [self.folder.path(), self.data.path()].map(processes_of).concat();
            left.is_empty().then_some(())
        });
    }

    /// A last start without a fault: everything that is known is there, and nothing else is.
    fn end(&mut self) {
        // The median: what else runs on this machine may delay any single one.
        self.ready_after.sort_unstable();
        let ready = self.ready_after[self.ready_after.len() / 2];
        assert!(ready < READY_LIMIT, "ready only after {ready:?}");
        let server = Settings::new().data_dir(&self.data).start();
        self.look(&server).expect("nobody kills this server");
        let expected: BTreeSet<String> =
            self.known.functions.values().map(|it| sha256_hex(it.code)).collect();
        for kept in ["trees", "objects"] {
            let mut found = BTreeSet::new();
            let settled = try_within(LIMIT, || {
                found = names_in(&self.data, kept);
                (found == expected).then_some(())
            });
            assert!(settled.is_some(), "{kept} holds {found:#?}, and needed is {expected:#?}");
        }
        server.stop();
        assert_eq!(integrity(&self.data), "ok");
        assert!(names_in(&self.data, "run").is_empty(), "no folder of an environment is left");
        eprintln!("{} kills, ready after {ready:?} (median)", self.kills);
    }

    fn use_until_it_dies(&mut self, server: &Server) {
        let Some(()) = self.look(server) else { return };
        while let Some(()) = self.change(server) {}
    }

    /// Compares what the server has with what is known. `None` when it has died.
    fn look(&mut self, server: &Server) -> Option<()> {
        let (_, list) = ask(server, "GET", "/2015-03-31/functions", &Value::Null)?;
        let found: BTreeSet<&str> = list["Functions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["FunctionName"].as_str().unwrap())
            .collect();
        if let Some((name, version)) = self.known.in_flight.clone() {
            let now = if found.contains(name) { Some(read(server, name)?) } else { None };
            let before = self.known.functions.get(name).cloned();
            assert!(now == version || now == before, "{name} is {now:?}, neither {before:?} nor {version:?}");
            match now {
                Some(now) => self.known.functions.insert(name, now),
                None => self.known.functions.remove(name),
            };
            self.known.in_flight = None;
        }
        let known: BTreeSet<&str> = self.known.functions.keys().copied().collect();
        assert_eq!(found, known);
        for (name, version) in self.known.functions.clone() {
            assert_eq!(read(server, name)?, version, "{name}");
        }
        // Whatever is there can be called, too.
        for (name, version) in self.known.functions.clone() {
            if self.random.below(2) == 0 {
                let (status, answer) = invoke(server, name)?;
                assert_eq!((status, answer), (200, json!(version.code)), "{name}");
            }
        }
        Some(())
    }

    /// Makes one change, or a call. `None` when the server has died of it.
    fn change(&mut self, server: &Server) -> Option<()> {
        let name = NAMES[self.random.below(NAMES.len() as u64) as usize];
        let Some(before) = self.known.functions.get(name).cloned() else {
            let created = Version { code: self.new_code(), description: "created".to_owned() };
            let body = function(name, created.code).with("Description", "created").body();
            return self.attempt(server, "POST", "/2015-03-31/functions", &body, name, Some(created));
        };
        let path = format!("/2015-03-31/functions/{name}");
        match self.random.below(4) {
            0 => {
                let updated = Version { code: self.new_code(), ..before };
                let body = json!({ "ZipFile": BASE64.encode(package(updated.code).zip()) });
                self.attempt(server, "PUT", &format!("{path}/code"), &body, name, Some(updated))
            }
            1 => {
                let description = format!("changed {}", self.random.below(1_000));
                let body = json!({ "Description": description });
                let updated = Version { description, ..before };
                self.attempt(server, "PUT", &format!("{path}/configuration"), &body, name, Some(updated))
            }
            2 => self.attempt(server, "DELETE", &path, &Value::Null, name, None),
            _ => {
                let (status, answer) = invoke(server, name)?;
                // Old code serves until an update has settled, and no update that was answered is unsettled here.
                assert_eq!((status, answer), (200, json!(before.code)), "{name}");
                Some(())
            }
        }
    }

    /// Sends a change, notes what was answered, and waits until the function has settled.
    fn attempt(
        &mut self,
        server: &Server,
        method: &str,
        path: &str,
        body: &Value,
        name: &'static str,
        version: Option<Version>,
    ) -> Option<()> {
        self.known.in_flight = Some((name, version.clone()));
        let (status, answer) = ask(server, method, path, body)?;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        self.known.in_flight = None;
        match version {
            Some(version) => {
                self.known.functions.insert(name, version);
                settled(server, name)
            }
            None => {
                self.known.functions.remove(name);
                Some(())
            }
        }
    }

    fn new_code(&mut self) -> u64 {
        self.next_code += 1;
        self.next_code
    }
}

fn package(code: u64) -> Package {
    Package::new().file("app.py", format!("def handler(event, context): return {code}\n"))
}

fn function(name: &str, code: u64) -> NewFunction {
    python(name, &format!("def handler(event, context): return {code}\n"))
}

fn sha256_hex(code: u64) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(package(code).zip()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sends a request. `None` when the server has died instead of answering.
fn ask(server: &Server, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let headers = [("Content-Type", "application/json")];
    let response = try_http(server.address(), method, path, &headers, &body).ok()?;
    assert!(response.status < 500, "{method} {path}: {} {}", response.status, response.text());
    let answer = if response.body.is_empty() { Value::Null } else { response.json() };
    Some((response.status, answer))
}

fn invoke(server: &Server, name: &str) -> Option<(u16, Value)> {
    ask(server, "POST", &format!("/2015-03-31/functions/{name}/invocations"), &json!({}))
}

/// Waits until a function is neither created nor updated any more.
fn settled(server: &Server, name: &str) -> Option<()> {
    let path = format!("/2015-03-31/functions/{name}/configuration");
    eventually("the function has settled, or the server has died", || {
        let Some((_, now)) = ask(server, "GET", &path, &Value::Null) else { return Some(None) };
        assert_ne!(now["State"], "Failed", "{now}");
        assert_ne!(now["LastUpdateStatus"], "Failed", "{now}");
        let settled = now["State"] == "Active" && now["LastUpdateStatus"] == "Successful";
        settled.then_some(Some(()))
    })
}

/// Reads what a function is, once it has settled: the digest of its code has to be that of one of ours.
fn read(server: &Server, name: &str) -> Option<Version> {
    settled(server, name)?;
    let (_, now) = ask(server, "GET", &format!("/2015-03-31/functions/{name}/configuration"), &Value::Null)?;
    let (_, code) = invoke(server, name)?;
    let description = now["Description"].as_str().unwrap().to_owned();
    Some(Version { code: code.as_u64().unwrap_or_else(|| panic!("{name} answered {code}")), description })
}

fn names_in(data: &Folder, folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(data.path().join(folder)).unwrap();
    entries.flatten().map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// What SQLite itself says of the database.
fn integrity(data: &Folder) -> String {
    let script = "import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])";
    let database = data.path().join("hearth.db");
    let output = std::process::Command::new("python3").args(["-c", script]).arg(database).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
