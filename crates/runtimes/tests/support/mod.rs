//! Runs one of Hearth's runtime clients with a real interpreter against a scripted Runtime API, and tells what happened
//! as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use hearth_runtimes::{BootRequest, Runtimes, Settings};
use hearth_types::{
    FunctionName, InitializationType, LogFormat, LogGroupName, LogLevel, LogStreamName, MemoryMb, Region,
    Runtime, Version,
};

/// How long one client may take for its script.
const LIMIT: Duration = Duration::from_secs(30);

/// A function, and what the Runtime API does to it.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) handler: &'static str,
    pub(crate) files: Vec<(&'static str, String)>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) events: Vec<&'static str>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) log_format: LogFormat,
    pub(crate) log_level: Option<LogLevel>,
    pub(crate) framed: bool,
    /// The status that answers each POST of a response.
    pub(crate) response_status: u16,
    /// The status that answers `/next` once the events are used up; none closes the connection.
    pub(crate) last_status: Option<u16>,
    /// Whether the server closes the connection after each reply.
    pub(crate) closes: bool,
}

pub(crate) fn case(handler: &'static str, files: &[(&'static str, &str)]) -> Case {
    Case {
        handler,
        files: files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect(),
        variables: BTreeMap::new(),
        events: vec!["{}"],
        headers: vec![],
        log_format: LogFormat::Text,
        log_level: None,
        framed: false,
        response_status: 202,
        last_status: None,
        closes: false,
    }
}

impl Case {
    pub(crate) fn events(mut self, events: &[&'static str]) -> Self {
        self.events = events.to_vec();
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
    pub(crate) fn last_status(mut self, status: u16) -> Self {
        self.last_status = Some(status);
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
        // Tests of one file run at once, in one process.
        static HOSTS: AtomicUsize = AtomicUsize::new(0);
        let number = HOSTS.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("hearth-runtimes-{name}-{}-{number}", std::process::id()));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let settings = Settings { data_dir: folder.join("data"), path, interpreters: BTreeMap::new() };
        let runtimes = Runtimes::new(settings);
        for identifier in identifiers {
            let runtime = Runtime::parse(identifier).unwrap();
            match runtimes.prepare(runtime) {
                Ok(()) => return Some(Self { runtimes, runtime, folder, cases: AtomicUsize::new(0) }),
                Err(error) => eprintln!("{error}"),
            }
        }
        eprintln!("skipped: none of {} can be run on this host", identifiers.join(", "));
        None
    }

    /// Runs the case; returns what the Runtime API received, what was written, and how the process ended.
    pub(crate) fn run(&self, case: &Case) -> String {
        let number = self.cases.fetch_add(1, Ordering::Relaxed);
        let root = self.folder.join(format!("case-{number}"));
        std::fs::create_dir_all(&root).unwrap();
        for (name, text) in &case.files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        let server = Server::start(case);
        let boot = self
            .runtimes
            .command(&BootRequest {
                runtime: self.runtime,
                code_root: &root,
                layers_root: None,
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
            })
            .unwrap();
        let child = Command::new(&boot.program)
            .args(&boot.args)
            .env_clear()
            .envs(boot.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&boot.working_directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let output =
            receiver.recv_timeout(LIMIT).map_err(|_| Command::new("kill").arg(pid.to_string()).status());
        let output = output.unwrap_or_else(|_| panic!("{} did not end in time", case.handler)).unwrap();

        let mut story = server.log.lock().unwrap().clone();
        for record in records(&output.stdout) {
            writeln!(story, "stdout {:?}", shortened(&record)).unwrap();
        }
        if !output.stderr.is_empty() {
            writeln!(story, "stderr {:?}", String::from_utf8_lossy(&output.stderr)).unwrap();
        }
        match output.status.code() {
            Some(code) => writeln!(story, "exit {code}").unwrap(),
            None => writeln!(story, "{}", output.status).unwrap(),
        }
        normal(&story, &root)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

struct Server {
    address: String,
    log: Arc<Mutex<String>>,
}

impl Server {
    fn start(case: &Case) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let log = Arc::new(Mutex::new(String::new()));
        let (case, shared) = (Arc::new(case.clone()), Arc::clone(&log));
        let delivered = Arc::new(AtomicUsize::new(0));
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (case, log, delivered) = (Arc::clone(&case), Arc::clone(&shared), Arc::clone(&delivered));
                thread::spawn(move || serve(stream.unwrap(), &case, &log, &delivered));
            }
        });
        Self { address, log }
    }
}

fn serve(mut stream: TcpStream, case: &Case, log: &Mutex<String>, delivered: &AtomicUsize) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer) {
        if let Some(told) = request.told() {
            writeln!(log.lock().unwrap(), "{told}").unwrap();
        }
        if request.path != "invocation/next" {
            let status = if request.path.ends_with("/response") { case.response_status } else { 202 };
            reply(&mut stream, status, &[], "{\"status\":\"OK\"}\n", case.closes);
        } else {
            let number = delivered.fetch_add(1, Ordering::Relaxed);
            match (case.events.get(number), case.last_status) {
                (Some(event), _) => reply_event(&mut stream, case, number, event),
                (None, Some(status)) => reply(&mut stream, status, &[], "no", case.closes),
                (None, None) => {
                    stream.shutdown(Shutdown::Both).unwrap();
                    return;
                }
            }
        }
        if case.closes {
            return;
        }
    }
}

fn reply_event(stream: &mut TcpStream, case: &Case, number: usize, event: &str) {
    let id = format!("8476a536-e9f4-11e8-9739-2dfe598c3f{number:02}");
    let mut headers = vec![
        ("Lambda-Runtime-Aws-Request-Id", id.as_str()),
        ("Lambda-Runtime-Deadline-Ms", "4102444800000"),
        ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:greet"),
        (
            "Lambda-Runtime-Trace-Id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
        ),
    ];
    if !case.headers.iter().any(|(name, _)| *name == "Content-Type") {
        headers.push(("Content-Type", "application/json"));
    }
    headers.extend(&case.headers);
    reply(stream, 200, &headers, event, case.closes);
}

fn reply(stream: &mut TcpStream, status: u16, headers: &[(&str, &str)], body: &str, closes: bool) {
    let mut text = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    if closes {
        text.push_str("Connection: close\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    // The client may be gone.
    let _ = stream.write_all(text.as_bytes());
}

struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
    trailers: String,
}

impl Request {
    /// A GET is told only where it says something: the first one.
    fn told(&self) -> Option<String> {
        let mut told = format!("{} {}", self.method, self.path);
        for (name, value) in &self.headers {
            match (name.as_str(), value.as_str()) {
                ("host" | "user-agent" | "content-length" | "trailer", _) => {}
                ("content-type", "application/json") => {}
                ("lambda-runtime-function-xray-error-cause", cause) => {
                    let cause: serde_json::Value = serde_json::from_str(cause).unwrap();
                    let exception = &cause["exceptions"][0];
                    let stack = exception["stack"].as_array().unwrap().len();
                    write!(told, "\n  cause: {} {} {stack} frames", exception["type"], exception["message"])
                        .unwrap();
                }
                ("hearth-function-init-start", nanoseconds) => {
                    assert!(nanoseconds.parse::<u64>().unwrap() > 0);
                    told.push_str("\n  function init began");
                }
                _ => write!(told, "\n  {name}: {value}").unwrap(),
            }
        }
        if !self.body.is_empty() {
            write!(told, "\n  {}", shortened(&self.body).replace('\0', "\\0")).unwrap();
        }
        told.push_str(&self.trailers);
        (told != "GET invocation/next").then_some(told)
    }
}

fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let head = read_until(stream, buffer, b"\r\n\r\n")?;
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let method = words.next()?.to_owned();
    let path = words.next()?.strip_prefix("/2018-06-01/runtime/")?.to_owned();
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = Vec::new();
    let mut trailers = String::new();
    if headers.get("transfer-encoding").is_some_and(|value| value == "chunked") {
        loop {
            let size = read_until(stream, buffer, b"\r\n")?;
            let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap(), 16).unwrap();
            if size == 0 {
                break;
            }
            body.extend(read_exactly(stream, buffer, size)?);
            read_exactly(stream, buffer, 2)?;
        }
        loop {
            let line = String::from_utf8(read_until(stream, buffer, b"\r\n")?).unwrap();
            if line.is_empty() {
                break;
            }
            // The body is base64, whose decoding would prove little here.
            let shown =
                if line.contains("Error-Body: ") { "Lambda-Runtime-Function-Error-Body" } else { &line };
            write!(trailers, "\n  trailer {shown}").unwrap();
        }
    } else if let Some(length) = headers.get("content-length") {
        body = read_exactly(stream, buffer, length.parse().unwrap())?;
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Request { method, path, headers, body, trailers })
}

fn read_until(stream: &mut TcpStream, buffer: &mut Vec<u8>, end: &[u8]) -> Option<Vec<u8>> {
    loop {
        if let Some(at) = buffer.windows(end.len()).position(|window| window == end) {
            let mut taken: Vec<u8> = buffer.drain(..at + end.len()).collect();
            taken.truncate(at);
            return Some(taken);
        }
        read_more(stream, buffer)?;
    }
}

fn read_exactly(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
    while buffer.len() < length {
        read_more(stream, buffer)?;
    }
    Some(buffer.drain(..length).collect())
}

fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut bytes = [0; 65_536];
    match stream.read(&mut bytes) {
        Ok(length) if length > 0 => {
            buffer.extend_from_slice(&bytes[..length]);
            Some(())
        }
        _ => None,
    }
}

/// Cuts output into frames and what stands between them.
fn records(mut output: &[u8]) -> Vec<String> {
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

/// Replaces what differs from run to run.
fn normal(story: &str, root: &Path) -> String {
    let mut text = story.replace(root.to_str().unwrap(), "/var/task");
    text = text.replace("8476a536-e9f4-11e8-9739-2dfe598c3f0", "ID");
    // Lines of Node.js itself differ from version to version.
    for part in [
        "timers",
        "process/promises",
        "cjs/loader",
        "esm/loader",
        "esm/module_job",
        "helpers",
        "modules/run_main",
    ] {
        let mark = format!("{part}:");
        let mut pieces = text.split(&mark);
        let mut without = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            without.push_str(part);
            without.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':'));
        }
        text = without;
    }
    // Times: 2026-01-31T10:00:00.000Z and the same without milliseconds.
    let mut normal = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("20") {
        let length = [24, 20].into_iter().find(|length| {
            rest.get(at..at + length).is_some_and(|time| {
                let bytes = time.as_bytes();
                time.ends_with('Z') && bytes[4] == b'-' && bytes[10] == b'T' && bytes[13] == b':'
            })
        });
        normal.push_str(&rest[..at]);
        normal.push_str(if length.is_some() { "TIME" } else { "20" });
        rest = &rest[at + length.unwrap_or(2)..];
    }
    normal + rest
}
