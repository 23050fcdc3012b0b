//! Runs a runtime client with a real interpreter against a scripted Runtime API, and tells what happened as text.

mod server;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hearth_runtimes::{BootCommand, BootRequest, Paths, Runtimes, Settings, Unavailable};
use hearth_types::{
    FunctionName, InitializationType, LogFormat, LogGroupName, LogLevel, LogStreamName, MemoryMb, Region,
    Runtime, Version,
};
use regex_lite::Regex;
pub(crate) use server::Request;
use server::Server;

/// How long one client may take for its script.
const LIMIT: Duration = Duration::from_secs(30);

/// A function, and what the Runtime API does to it.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) handler: &'static str,
    pub(crate) files: Vec<(&'static str, String)>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) events: Vec<String>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) log_format: LogFormat,
    pub(crate) log_level: Option<LogLevel>,
    pub(crate) framed: bool,
    /// The status that answers the first POST of a response.
    pub(crate) response_status: u16,
    /// What `/next` meets once the events are used up.
    pub(crate) ending: Ending,
    /// Whether the server closes the connection after each reply.
    pub(crate) closes: bool,
}

/// How a case ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The server closes the connection, as one that goes away.
    Closed,
    /// The server answers with this status.
    Refused(u16),
    /// The server does not answer, and the process is killed.
    Killed,
}

pub(crate) fn case(handler: &'static str, files: &[(&'static str, &str)]) -> Case {
    Case {
        handler,
        files: files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect(),
        variables: BTreeMap::new(),
        events: vec!["{}".to_owned()],
        headers: vec![],
        log_format: LogFormat::Text,
        log_level: None,
        framed: false,
        response_status: 202,
        ending: Ending::Closed,
        closes: false,
    }
}

impl Case {
    pub(crate) fn events(mut self, events: &[&str]) -> Self {
        self.events = events.iter().map(|event| (*event).to_owned()).collect();
        self
    }
    pub(crate) fn headers(mut self, headers: &[(&'static str, &'static str)]) -> Self {
        self.headers = headers.to_vec();
        self
    }
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }
    pub(crate) fn framed(mut self) -> Self {
        self.framed = true;
        self
    }
    pub(crate) fn json(mut self, level: Option<LogLevel>) -> Self {
        self.log_format = LogFormat::Json;
        self.log_level = level;
        self
    }
    pub(crate) fn response_status(mut self, status: u16) -> Self {
        self.response_status = status;
        self
    }
    pub(crate) fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }
    pub(crate) fn closes(mut self) -> Self {
        self.closes = true;
        self
    }
}

/// The interpreters of this host, and a folder of their own.
pub(crate) struct Host {
    pub(crate) runtimes: Runtimes,
    pub(crate) runtime: Runtime,
    folder: PathBuf,
    cases: AtomicUsize,
}

impl Host {
    /// Takes the first runtime that this host has, or says why the tests are skipped.
    pub(crate) fn with_one_of(name: &str, identifiers: &[&str]) -> Option<Self> {
        for identifier in identifiers {
            match Self::with(name, identifier, None) {
                Ok(host) => return Some(host),
                Err(error) => eprintln!("{error}"),
            }
        }
        eprintln!("skipped: none of {} can be run on this host", identifiers.join(", "));
        None
    }

    /// Takes a runtime with the interpreter that is named, or else the one on the path.
    pub(crate) fn with(
        name: &str,
        identifier: &str,
        interpreter: Option<&Path>,
    ) -> Result<Self, Unavailable> {
        Self::with_code_cache(name, identifier, interpreter, true)
    }

    /// The same, with Node.js's client compiled ahead or not.
    pub(crate) fn with_code_cache(
        name: &str,
        identifier: &str,
        interpreter: Option<&Path>,
        node_code_cache: bool,
    ) -> Result<Self, Unavailable> {
        // Tests of one file run at once, in one process.
        static HOSTS: AtomicUsize = AtomicUsize::new(0);
        let number = HOSTS.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("hearth-runtimes-{name}-{}-{number}", std::process::id()));
        let runtime = Runtime::parse(identifier).unwrap();
        let runtimes = Runtimes::new(Settings {
            data_dir: folder.join("data"),
            path: std::env::var_os("PATH").unwrap_or_default(),
            interpreters: interpreter.map(|program| (runtime, program.to_owned())).into_iter().collect(),
        });
        let runtimes = runtimes.node_code_cache(node_code_cache);
        runtimes.prepare(runtime)?;
        Ok(Self { runtimes, runtime, folder, cases: AtomicUsize::new(0) })
    }

    /// The folders of Hearth's client.
    pub(crate) fn client_folders(&self) -> Vec<PathBuf> {
        let folders = std::fs::read_dir(self.folder.join("data/runtimes")).unwrap();
        folders.map(|folder| folder.unwrap().path()).collect()
    }

    /// Runs the case with Hearth's client; returns what the Runtime API received, what was written, and how the
    /// process ended.
    pub(crate) fn run(&self, case: &Case) -> String {
        let record = self.record(case, |_| {});
        let mut story = String::new();
        for request in &record.requests {
            if let Some(told) = request.told() {
                writeln!(story, "{told}").unwrap();
            }
        }
        for text in records(&record.stdout) {
            writeln!(story, "stdout {:?}", shortened(&text)).unwrap();
        }
        if !record.stderr.is_empty() {
            writeln!(story, "stderr {:?}", String::from_utf8_lossy(&record.stderr)).unwrap();
        }
        match record.status.code() {
            Some(code) => writeln!(story, "exit {code}").unwrap(),
            None => writeln!(story, "{}", record.status).unwrap(),
        }
        normal(&story, &record.root)
    }

    /// Runs the case with what `change` makes of the command that starts Hearth's client.
    pub(crate) fn record(&self, case: &Case, change: impl FnOnce(&mut BootCommand)) -> Record {
        let number = self.cases.fetch_add(1, Ordering::Relaxed);
        let root = self.folder.join(format!("case-{number}"));
        std::fs::create_dir_all(&root).unwrap();
        for (name, text) in &case.files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        let (told, tells) = mpsc::channel();
        let server = Server::start(case, told.clone());
        let boot = self.runtimes.command(&BootRequest {
            runtime: self.runtime,
            code_root: &root,
            layers_root: None,
            paths: Paths::Host,
            handler: case.handler,
            user_variables: Some(&case.variables),
            function_name: &FunctionName::new("greet").unwrap(),
            version: Version::Latest,
            memory: MemoryMb::DEFAULT,
            log_group: &LogGroupName::new("/aws/lambda/greet").unwrap(),
            log_stream: &LogStreamName::new("2026/01/31/[$LATEST]0f3c").unwrap(),
            region: &Region::new("eu-west-1").unwrap(),
            runtime_api: &server.address,
            initialization_type: InitializationType::OnDemand,
            log_format: case.log_format,
            log_level: case.log_level,
            credentials: None,
            // Standard output itself: frames and plain writes then show their order.
            log_fd: case.framed.then_some(1),
        });
        let mut boot = boot.unwrap();
        change(&mut boot);
        let mut child = Command::new(&boot.program)
            .args(&boot.args)
            .env_clear()
            .envs(boot.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&boot.working_directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = read_all(child.stdout.take().unwrap(), told.clone());
        let stderr = read_all(child.stderr.take().unwrap(), told);
        let mut open = 2;
        while open > 0 {
            match tells.recv_timeout(LIMIT) {
                Ok(Tell::Idle) => drop(child.kill()),
                Ok(Tell::EndOfOutput) => open -= 1,
                Err(_) => {
                    let _ = child.kill();
                    panic!("did not end in time: {:?} {:?}", boot.program, case.files);
                }
            }
        }
        let status = child.wait().unwrap();
        let requests = std::mem::take(&mut *server.requests.lock().unwrap());
        Record { requests, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), status, root }
    }
}

/// All that a process did.
pub(crate) struct Record {
    pub(crate) requests: Vec<Request>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) status: ExitStatus,
    /// The folder of the function.
    pub(crate) root: PathBuf,
}

/// What the one that waits for a process is told.
enum Tell {
    /// The events are used up, and the client waits for another one.
    Idle,
    /// The process has closed one of its two outputs.
    EndOfOutput,
}

fn read_all(mut output: impl Read + Send + 'static, told: mpsc::Sender<Tell>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).unwrap();
        let _ = told.send(Tell::EndOfOutput);
        bytes
    })
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Cuts output into frames and what stands between them.
pub(crate) fn records(mut output: &[u8]) -> Vec<String> {
    let mut records = Vec::new();
    while !output.is_empty() {
        let frame = output.windows(2).position(|window| window == [0xa5, 0x5a]);
        let plain = &output[..frame.unwrap_or(output.len())];
        if !plain.is_empty() {
            records.push(String::from_utf8_lossy(plain).into_owned());
        }
        output = &output[plain.len()..];
        if output.len() >= 16 {
            let kind = u32::from_be_bytes(output[..4].try_into().unwrap());
            let length = u32::from_be_bytes(output[4..8].try_into().unwrap()) as usize;
            let microseconds = i64::from_be_bytes(output[8..16].try_into().unwrap());
            assert!(
                microseconds > 1_700_000_000_000_000,
                "not a time of today in microseconds: {microseconds}"
            );
            records.push(format!("{kind:#x} {}", String::from_utf8_lossy(&output[16..16 + length])));
            output = &output[16 + length..];
        }
    }
    records
}

/// Cuts what is long.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(1_500) {
        None => text.to_owned(),
        Some(_) => format!("{}… {} bytes", text.chars().take(60).collect::<String>(), text.len()),
    }
}

/// Replaces what differs from run to run, and the lines of Node.js and of Hearth's client, which are theirs.
fn normal(story: &str, root: &Path) -> String {
    let text = story.replace(root.to_str().unwrap(), "/var/task");
    let text = text.replace("8476a536-e9f4-11e8-9739-2dfe598c3f0", "ID");
    let lines = Regex::new(r"(node:[\w/]+|/var/runtime/[\w.]+):\d+:\d+").unwrap().replace_all(&text, "$1");
    let times = Regex::new(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z").unwrap();
    let text = times.replace_all(&lines, "TIME");
    Regex::new(r"\[\d{13}\]").unwrap().replace_all(&text, "[MS]").into_owned()
}
