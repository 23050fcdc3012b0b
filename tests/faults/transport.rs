//! Slow, silent, oversized and malformed HTTP: closed or refused, and nobody else notices.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use expect_test::expect;
use hearth_tests::{Function, Gate, PYTHON_WAIT, Server, Settings, eventually, python, rounds, within};
use serde_json::json;

/// An answer that takes longer is none.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// What the memory of the server may grow by while it is attacked.
const GROWTH_KIB_MAX: u64 = 64 << 10;

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
    stream
}

/// Sends `bytes` on a connection of its own, and returns everything that comes back until the server closes.
fn send(server: &Server, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = connect(server);
    // A server that has heard enough may close before everything is sent.
    let _ = stream.write_all(bytes.as_ref());
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    assert!(
        !matches!(&read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
        "neither answered nor closed: {:.100}",
        String::from_utf8_lossy(bytes.as_ref())
    );
    String::from_utf8_lossy(&answer).into_owned()
}

/// Shows a refusal in a line, after checking that it has the shape that every error has.
fn refusal(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let header = |name: &str| {
        head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {head}"))
    };
    assert_eq!(header("x-amzn-requestid: ").len(), 36, "{head}");
    assert_eq!(header("content-type: "), "application/json");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let message = body["message"].as_str().or_else(|| body["Message"].as_str()).unwrap();
    let status = head.lines().next().unwrap().strip_prefix("HTTP/1.1 ").unwrap();
    format!("{} {}: {message}\n", &status[..3], header("x-amzn-errortype: "))
}

/// A function that answers at once.
fn plain(server: &Server) -> Function<'_> {
    let function = server.create(python("plain", "def handler(event, context): return event\n"));
    assert_eq!(function.invoke("1").success(), 1);
    function
}

fn assert_bounded(server: &Server, before_kib: u64) {
    let grown = server.resident_kib().saturating_sub(before_kib);
    assert!(grown < GROWTH_KIB_MAX, "the server has grown by {grown} KiB");
}

/// A client that says something now and then, or nothing.
struct Slow {
    stream: TcpStream,
    says: &'static [u8],
    closed: Option<Duration>,
    answer: Vec<u8>,
}

impl Slow {
    fn new(server: &Server, says: &'static [u8]) -> Self {
        let stream = connect(server);
        stream.set_nonblocking(true).unwrap();
        Self { stream, says, closed: None, answer: Vec::new() }
    }

    fn say(&mut self) {
        if let Some((first, rest)) = self.says.split_first() {
            let _ = self.stream.write(&[*first]);
            self.says = rest;
        }
    }

    /// Looks whether the server has closed it.
    fn look(&mut self, started: Instant) {
        let mut bytes = [0; 4_096];
        while self.closed.is_none() {
            match self.stream.read(&mut bytes) {
                Ok(0) => self.closed = Some(started.elapsed()),
                Ok(length) => self.answer.extend(&bytes[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => self.closed = Some(started.elapsed()),
            }
        }
    }
}

#[test]
fn case_101_103_slow_and_silent_clients_are_closed_within_thirty_seconds_and_nobody_else_notices() {
    let server = Server::start();
    let function = plain(&server);
    let before = server.resident_kib();
    let started = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..500 {
        clients.push(Slow::new(&server, b"POST / HTTP/1.1\r\nHost: h\r\nX: "));
        clients.push(Slow::new(&server, b""));
    }
    // The head at once, the body slowly.
    for _ in 0..20 {
        let mut client = Slow::new(&server, b"0123456789");
        let path = "/2015-03-31/functions/plain/invocations";
        let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
        client.stream.write_all(head.as_bytes()).unwrap();
        clients.push(client);
    }
    let opened = started.elapsed();
    assert!(opened < Duration::from_secs(5), "all of them within {opened:?}");

    let (mut calls, mut words) = (Vec::new(), 0);
    within(Duration::from_secs(45), "all are closed", || {
        let began = Instant::now();
        assert_eq!(function.invoke("1").success(), 1);
        calls.push(began.elapsed());
        let is_time = started.elapsed() >= Duration::from_secs(5 * words);
        if is_time {
            words += 1;
        }
        for client in &mut clients {
            if is_time {
                client.say();
            }
            client.look(started);
        }
        clients.iter().all(|client| client.closed.is_some()).then_some(())
    });
    let last = clients.iter().filter_map(|client| client.closed).max().unwrap();
    assert!(last <= Duration::from_secs(30), "the last one after {last:?}");
    let first = clients.iter().filter_map(|client| client.closed).min().unwrap();
    assert!(
        first >= Duration::from_secs(15),
        "a client has time for its head: the first one after {first:?}"
    );
    calls.sort();
    let p99 = calls[calls.len() * 99 / 100];
    println!("{} calls meanwhile, p50 {:?}, p99 {p99:?}", calls.len(), calls[calls.len() / 2]);
    assert!(p99 < Duration::from_millis(100), "p99 of {} plain calls was {p99:?}", calls.len());
    let answers = |from: usize| String::from_utf8(clients[from].answer.clone()).unwrap();
    assert_eq!(
        refusal(&answers(0)),
        "408 RequestTimeoutException: The headers of the request did not arrive in time\n"
    );
    assert_eq!(answers(1), "", "silence is answered with silence");
    assert_eq!(
        refusal(&answers(1_000)),
        "408 RequestTimeoutException: The request body did not arrive in time\n"
    );
    assert_bounded(&server, before);
}

#[test]
fn case_102_heads_that_are_too_large_are_refused_and_the_largest_that_are_not_are_answered() {
    let server = Server::start();
    let function = plain(&server);
    let before = server.resident_kib();
    let head = "GET /2015-03-31/functions/none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n";
    let uri =
        |bytes: usize| format!("GET /{} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "a".repeat(bytes));
    let mut seen = String::new();
    for request in [
        format!("{head}X: {}\r\n\r\n", "x".repeat(1 << 20)),
        format!("{head}X: {}", "x".repeat(1 << 20)),
        format!("{head}{}\r\n", "X: y\r\n".repeat(10_000)),
        uri(65_536),
        format!("GET /{}", "a".repeat(65_536)),
        format!("{head}X: {}\r\n\r\n", "x".repeat(60_000)),
        format!("{head}{}\r\n", "X: y\r\n".repeat(95)),
        uri(16_000),
    ] {
        seen += &refusal(&send(&server, request));
    }
    expect![[r#"
        431 RequestHeaderFieldsTooLargeException: The request must have no more than 100 headers, and they must be no longer than 65536 bytes together
        431 RequestHeaderFieldsTooLargeException: The request must have no more than 100 headers, and they must be no longer than 65536 bytes together
        431 RequestHeaderFieldsTooLargeException: The request must have no more than 100 headers, and they must be no longer than 65536 bytes together
        414 RequestUriTooLongException: The path with its query must be no longer than 16384 bytes
        414 RequestUriTooLongException: The path with its query must be no longer than 16384 bytes
        404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:none
        404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:none
        404 UnknownOperationException: There is no operation of AWS Lambda at this path
    "#]]
    .assert_eq(&seen);
    assert_bounded(&server, before);
    assert_eq!(function.invoke("1").success(), 1);
}

#[test]
fn case_104_a_thousand_pipelined_requests_are_answered_in_order_and_more_wait_outside() {
    let server = Server::start();
    let function = plain(&server);
    let before = server.resident_kib();
    let get = |number: usize, more: &str| {
        format!("GET /2015-03-31/functions/f{number} HTTP/1.1\r\nHost: h\r\n{more}\r\n")
    };
    let mut requests: String = (0..999).map(|number| get(number, "")).collect();
    requests += &get(999, "Connection: close\r\n");
    let answer = send(&server, requests);
    let names = answer.match_indices(":function:").map(|(at, found)| {
        let name = &answer[at + found.len()..];
        name[1..name.find('"').unwrap()].parse::<usize>().unwrap()
    });
    assert!(names.eq(0..1_000), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 404 Not Found\r\n").count(), 1_000);

    // A client that only sends: what is not answered stays in its own socket.
    let mut hog = connect(&server);
    hog.set_nonblocking(true).unwrap();
    let flood = get(1, "").repeat(1_000);
    let mut sent = 0;
    let mut stuck = 0;
    eventually("the server takes no more", || {
        match hog.write(flood.as_bytes()) {
            Ok(length) => (sent, stuck) = (sent + length, 0),
            Err(_) => stuck += 1,
        }
        (stuck > 50).then_some(())
    });
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    assert_bounded(&server, before);
    assert_eq!(function.invoke("1").success(), 1);
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

#[test]
fn case_105_http_2_is_refused_at_its_first_line_whatever_follows() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let server = Server::start();
    let function = plain(&server);
    let before = server.resident_kib();
    let settings = frame(4, 0, 0, b"");
    let rapid_reset = (0..10_000).flat_map(|number| {
        let stream = 2 * number + 1;
        [frame(1, 5, stream, b"\x82\x84\x86\x41\x01h"), frame(3, 0, stream, &[0, 0, 0, 8])].concat()
    });
    let rapid_reset = [PREFACE, &settings, &rapid_reset.collect::<Vec<u8>>()].concat();
    let continuation =
        [frame(1, 0, 1, b"\x82\x84\x86"), frame(9, 0, 1, &[b'x'; 1_000]).repeat(1_000)].concat();
    let continuation = [PREFACE, &settings, &continuation].concat();
    let upgrade = "GET /2015-03-31/functions/none HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\
                   Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    for _ in 0..rounds(20, 2_000) {
        for flood in [&rapid_reset, &continuation] {
            assert_eq!(
                refusal(&send(&server, flood)),
                "505 HttpVersionNotSupportedException: This server speaks HTTP/1.1\n"
            );
        }
        let answer = send(&server, upgrade);
        assert!(answer.starts_with("HTTP/1.1 404 "), "an offer that is not taken up: {answer}");
    }
    assert_bounded(&server, before);
    assert_eq!(function.invoke("1").success(), 1);
}

#[test]
fn case_106_clients_that_take_all_connections_leave_running_calls_alone_and_make_room_again() {
    let server = Settings::new().descriptors(256).start();
    let source =
        format!("{PYTHON_WAIT}\ndef handler(event, context):\n    wait_at(event)\n    return 'done'\n");
    let function = server.create(python("waiting", &source).timeout(60));
    for _ in 0..rounds(2, 200) {
        let gate = Gate::new();
        thread::scope(|scope| {
            let call = scope.spawn(|| function.invoke(json!(gate.number()).to_string()));
            gate.wait_for(1);
            // More than there are descriptors: those beyond the server's share wait in the kernel.
            let hog: Vec<TcpStream> = (0..400).map(|_| connect(&server)).collect();
            gate.open();
            assert_eq!(call.join().unwrap().success(), "done");
            drop(hog);
        });
        let freed = Instant::now();
        assert_eq!(server.http("GET", "/_hearth/health", b"").status, 200);
        assert!(freed.elapsed() < Duration::from_secs(1), "only after {:?}", freed.elapsed());
        let gate = Gate::new();
        gate.open();
        assert_eq!(function.invoke(json!(gate.number()).to_string()).success(), "done");
    }
}

#[test]
fn case_107_malformed_requests_are_refused_in_the_shape_of_aws() {
    let server = Server::start();
    let function = plain(&server);
    let invoke = "POST /2015-03-31/functions/plain/invocations HTTP/1.1\r\nHost: h\r\n";
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut seen = String::new();
    for request in [
        // Chunks.
        format!("{invoke}Transfer-Encoding: chunked\r\n\r\nxyz\r\n{{}}\r\n0\r\n\r\n"),
        format!("{invoke}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}0\r\n\r\n"),
        format!("{invoke}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{{}}\r\n0\r\n\r\n"),
        format!("{invoke}Transfer-Encoding: gzip\r\n\r\n"),
        // Lengths.
        format!("{invoke}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
        format!("{invoke}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
        format!("{invoke}Content-Length: -1\r\n\r\n"),
        // Expectations.
        format!("{invoke}Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n"),
        format!("{invoke}Expect: a-miracle\r\nContent-Length: 2\r\n\r\n{{}}"),
        // Targets.
        get("/2015-03-31/functions/%zz"),
        get("/2015-03-31/functions/a%"),
        get("http://example.com/2015-03-31/functions/plain"),
        get("*"),
        "CONNECT example.com:443 HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
        // Headers.
        format!("{invoke}X: \0\r\n\r\n"),
        format!("{invoke}X: a\rb\r\n\r\n"),
        format!("{invoke}Host: other\r\n\r\n"),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        // Other protocols.
        "GET /\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{0}\u{10}nonsense".to_owned(),
        "\0".to_owned(),
    ] {
        seen += &refusal(&send(&server, request));
    }
    expect![[r#"
        400 SerializationException: The request body is not complete
        400 SerializationException: The request body is not complete
        400 SerializationException: The request body is not complete
        400 BadRequestException: The length of the request body is not clear: send one Content-Length, or Transfer-Encoding: chunked
        400 BadRequestException: The length of the request body is not clear: send one Content-Length, or Transfer-Encoding: chunked
        400 BadRequestException: The length of the request body is not clear: send one Content-Length, or Transfer-Encoding: chunked
        400 BadRequestException: The length of the request body is not clear: send one Content-Length, or Transfer-Encoding: chunked
        413 RequestTooLargeException: 100000000 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)
        417 ExpectationFailedException: The only expectation that is met is 100-continue
        400 BadRequestException: The path has an incomplete percent-encoding
        400 BadRequestException: The path has an incomplete percent-encoding
        400 BadRequestException: The request must name a path. This server is not a proxy
        400 BadRequestException: The request must name a path. This server is not a proxy
        400 BadRequestException: The request must name a path. This server is not a proxy
        400 BadRequestException: The request is not HTTP/1.1
        400 BadRequestException: The request is not HTTP/1.1
        400 BadRequestException: The request must have one Host header
        400 BadRequestException: The request must have one Host header
        400 BadRequestException: The request is not HTTP/1.1
        400 BadRequestException: The request is not HTTP/1.1
        400 BadRequestException: The request is not HTTP/1.1
    "#]].assert_eq(&seen);
    assert_eq!(function.invoke("1").success(), 1);
}
