//! The scripted Runtime API: it delivers the events of a case, answers what the case says, and keeps every request.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use super::{Case, Ending, Tell, shortened};

pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start(case: &Case, told: mpsc::Sender<Tell>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (case, shared) = (Arc::new(case.clone()), Arc::clone(&requests));
        let delivered = Arc::new(AtomicUsize::new(0));
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (case, requests) = (Arc::clone(&case), Arc::clone(&shared));
                let (delivered, told) = (Arc::clone(&delivered), told.clone());
                thread::spawn(move || serve(stream.unwrap(), &case, &requests, &delivered, &told));
            }
        });
        Self { address, requests }
    }
}

fn serve(
    mut stream: TcpStream,
    case: &Case,
    requests: &Mutex<Vec<Request>>,
    delivered: &AtomicUsize,
    told: &mpsc::Sender<Tell>,
) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer) {
        let path = request.path.clone();
        let mut all = requests.lock().unwrap();
        all.push(request);
        // A streamed answer may be complete after the next `/next`.
        let nexts = all.iter().filter(|request| request.path == "invocation/next").count();
        if case.ending == Ending::Killed
            && nexts > case.events.len()
            && all.len() >= nexts + case.events.len()
        {
            // Nobody listens any more if the process has ended by itself.
            drop(told.send(Tell::Idle));
        }
        let responses = all.iter().filter(|request| request.path.ends_with("/response")).count();
        drop(all);
        if path != "invocation/next" {
            let is_first = path.ends_with("/response") && responses == 1;
            let status = if is_first { case.response_status } else { 202 };
            reply(&mut stream, status, &[], "{\"status\":\"OK\"}\n", case.closes);
        } else {
            let number = delivered.fetch_add(1, Ordering::Relaxed);
            match (case.events.get(number).map(String::as_str), case.ending) {
                (Some(event), _) => reply_event(&mut stream, case, number, event),
                (None, Ending::Refused(status)) => reply(&mut stream, status, &[], "no", case.closes),
                (None, Ending::Closed) => {
                    stream.shutdown(Shutdown::Both).unwrap();
                    return;
                }
                (None, Ending::Killed) => {}
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
    headers.push(("Content-Type", "application/json"));
    headers.retain(|(name, _)| !case.headers.iter().any(|(given, _)| given == name));
    headers.extend(case.headers.iter().filter(|(_, value)| !value.is_empty()));
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

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// The lines behind a body of chunks.
    pub(crate) trailers: Vec<String>,
}

impl Request {
    /// A GET is told only where it says something: the first one.
    pub(crate) fn told(&self) -> Option<String> {
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
        for line in &self.trailers {
            // The body is base64, whose decoding would prove little here.
            let shown =
                if line.contains("Error-Body: ") { "Lambda-Runtime-Function-Error-Body" } else { line };
            write!(told, "\n  trailer {shown}").unwrap();
        }
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
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let header = headers.entry(name.to_lowercase()).or_default();
        // A header that comes twice is a list.
        let comma = if header.is_empty() { "" } else { ", " };
        header.push_str(&format!("{comma}{}", value.trim()));
    }
    let mut body = Vec::new();
    let mut trailers = Vec::new();
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
            trailers.push(line);
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
