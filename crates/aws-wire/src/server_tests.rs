//! A server on a real socket, and clients that keep or break the rules.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Notify};
use tokio::task::JoinHandle;

use super::*;
use crate::{Body, BodyError, read_body};

/// Longer than anything here takes; a test that waits for it fails.
const LIMIT: Duration = Duration::from_secs(20);

struct Served {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

async fn serve<F, Answer>(settings: ServerSettings, answer: F) -> Served
where
    F: Fn(http::Request<Incoming>) -> Answer + Clone + Send + Sync + 'static,
    Answer: Future<Output = Response> + Send + 'static,
{
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(Server { settings }.serve(listener, answer, stopped));
    Served { address, stop, serving }
}

/// Sends `request` whole, and only then reads until the other end closes.
async fn call(address: SocketAddr, request: &[u8]) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    };
    tokio::time::timeout(LIMIT, exchange).await.expect("an answer in time")
}

fn said(text: impl Into<String>) -> Response {
    http::Response::new(Body::new(bytes::Bytes::from(text.into())))
}

async fn length(request: http::Request<Incoming>) -> Response {
    match read_body(request, 1_000).await {
        Ok(body) => said(format!("{} bytes", body.len())),
        Err(BodyError::TooLong { bytes }) => said(format!("{bytes} are too many")),
        Err(error) => said(error.to_string()),
    }
}

fn announced(bytes: usize) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n");
    [head.into_bytes(), vec![b'x'; bytes]].concat()
}

fn in_chunks(chunks: &[usize]) -> Vec<u8> {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut request = head.as_bytes().to_vec();
    for bytes in chunks {
        request.extend(format!("{bytes:x}\r\n").bytes());
        request.extend(vec![b'x'; *bytes]);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}

#[tokio::test]
async fn the_limit_of_a_body_holds_with_and_without_an_announced_length() {
    let served = serve(ServerSettings::default(), length).await;
    let of = async |request: Vec<u8>| {
        let answer = call(served.address, &request).await;
        answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(of(announced(0)).await, "0 bytes");
    assert_eq!(of(announced(1_000)).await, "1000 bytes");
    assert_eq!(of(announced(1_001)).await, "1001 are too many");
    assert_eq!(of(in_chunks(&[400, 600])).await, "1000 bytes");
    assert!(of(in_chunks(&[400, 601])).await.ends_with("are too many"));
}

#[tokio::test]
async fn a_client_that_sends_everything_first_still_hears_that_it_is_too_much() {
    let served = serve(ServerSettings::default(), length).await;
    let bytes = 32 << 20; // more than the buffers of both sockets hold
    let answer = call(served.address, &announced(bytes)).await;
    assert!(answer.ends_with(&format!("{bytes} are too many")), "{answer}");
    let answer = call(served.address, &in_chunks(&[bytes / 2, bytes / 2])).await;
    assert!(answer.ends_with("are too many"), "{answer}");
}

#[tokio::test]
async fn a_client_that_asks_first_is_refused_before_it_sends() {
    let served = serve(ServerSettings::default(), length).await;
    let head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n";
    let answer = call(served.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "no 100 Continue: {answer}");
    assert!(answer.ends_with("5000 are too many"), "{answer}");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_answered_and_closed() {
    let settings = ServerSettings { head_timeout: Duration::from_millis(50), ..ServerSettings::default() };
    let served = serve(settings, async |_| said("")).await;
    let answer = call(served.address, b"POST / HTTP/1.1\r\nHost: h\r\nX-Slow: ").await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.contains("x-amzn-errortype: RequestTimeoutException\r\n"), "{answer}");
    // The limit is one for the whole head: bytes that keep coming do not lengthen it.
    let dribbles = async {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let mut written = 0;
        while stream.write_all(b"G").await.is_ok() && written < 1_000_000 {
            written += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LIMIT, dribbles).await.expect("closed in time");
}

#[tokio::test]
async fn silence_is_closed_without_a_word_and_idle_connections_have_more_time_than_heads() {
    let settings = ServerSettings {
        head_timeout: Duration::from_millis(50),
        keep_alive_timeout: Duration::from_secs(3_600),
        ..ServerSettings::default()
    };
    let served = serve(settings, async |_| said("done")).await;
    assert_eq!(call(served.address, b"").await, "");

    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut answer = [0; 512];
    for _ in 0..3 {
        stream.write_all(request).await.unwrap();
        let length = stream.read(&mut answer).await.unwrap();
        assert!(answer[..length].ends_with(b"done"));
        // Longer than a head may take: nothing of the next one has come.
        assert!(tokio::time::timeout(Duration::from_millis(200), stream.read(&mut answer)).await.is_err());
    }
    stream.write_all(&request[..9]).await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(LIMIT, stream.read_to_end(&mut rest)).await.expect("closed in time").unwrap();
    assert!(rest.starts_with(b"HTTP/1.1 408 "), "a later head has the same limit");
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let settings =
        ServerSettings { keep_alive_timeout: Duration::from_millis(50), ..ServerSettings::default() };
    let served = serve(settings, async |_| said("done")).await;
    let answer = call(served.address, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(answer.ends_with("done"), "{answer}");
}

#[tokio::test]
async fn no_limit_runs_out_while_a_request_is_being_answered() {
    let brief = Duration::from_millis(20);
    let settings =
        ServerSettings { head_timeout: brief, keep_alive_timeout: brief, ..ServerSettings::default() };
    let served = serve(settings, async |_| {
        tokio::time::sleep(Duration::from_millis(300)).await;
        said("done")
    })
    .await;
    let answer = call(served.address, &announced(0)).await;
    assert!(answer.ends_with("done"), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_closed() {
    let settings = ServerSettings { write_timeout: Duration::from_millis(50), ..ServerSettings::default() };
    let mut served = serve(settings, async |_| said("x".repeat(64 << 20))).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(&announced(0)).await.unwrap();
    stream.readable().await.unwrap();
    // The server ends only when this connection has.
    served.stop.send(true).unwrap();
    tokio::time::timeout(LIMIT, &mut served.serving).await.expect("it ends in time").unwrap();
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_the_shape_of_aws_and_what_came_before_it_is_answered() {
    let served = serve(ServerSettings::default(), length).await;
    let good = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    for (bad, status) in [
        ("\x16\x03\x01", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nExpect: much\r\n\r\n", 417),
    ] {
        for before in 0..3 {
            let answer = call(served.address, (good.repeat(before) + bad).as_bytes()).await;
            assert_eq!(answer.matches("3 bytes").count(), before, "{bad:?}: {answer}");
            let refusal = answer.rsplit("HTTP/1.1 ").next().unwrap();
            assert!(refusal.starts_with(&status.to_string()), "{bad:?}: {answer}");
            for header in ["x-amzn-errortype: ", "x-amzn-requestid: ", "content-type: application/json\r\n"] {
                assert!(refusal.contains(header), "{answer}");
            }
            let (_, body) = refusal.split_once("\r\n\r\n").unwrap();
            assert!(body.starts_with("{\"message\":\""), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_refused_client_that_goes_on_sending_still_reads_why() {
    let served = serve(ServerSettings::default(), length).await;
    let request = [b"GET / HTTP/1.1\r\nHost: h\r\nX: ".to_vec(), vec![b'x'; 1 << 20]].concat();
    let answer = call(served.address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_thousand_requests_at_once_are_answered_in_order_and_a_broken_chunk_is_answered() {
    let echo = async |request: http::Request<Incoming>| said(request.uri().path());
    let served = serve(ServerSettings::default(), echo).await;
    let mut requests: Vec<u8> = Vec::new();
    for number in 0..1_000 {
        requests.extend(format!("GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n").bytes());
    }
    requests.extend(b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let answer = call(served.address, &requests).await;
    let answers = answer.split("HTTP/1.1 200 OK\r\n").skip(1);
    let paths: Vec<&str> = answers.map(|answer| answer.split("\r\n\r\n").nth(1).unwrap()).collect();
    let expected: Vec<String> =
        (0..1_000).map(|number| format!("/{number}")).chain(["/last".to_owned()]).collect();
    assert_eq!(paths, expected);

    let served = serve(ServerSettings::default(), length).await;
    let request = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n";
    let answer = call(served.address, request).await;
    assert!(answer.ends_with("the body is not complete"), "{answer}");
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_their_turn() {
    static OPEN: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let settings = ServerSettings { connections_max: 2, ..ServerSettings::default() };
    // Each answer needs a second one at the same time: two connections are open, and never a third.
    let pair = Arc::new(Barrier::new(2));
    let served = serve(settings, move |_| {
        let pair = pair.clone();
        async move {
            MOST.fetch_max(OPEN.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            pair.wait().await;
            OPEN.fetch_sub(1, Ordering::SeqCst);
            said("done")
        }
    })
    .await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        calls.spawn(async move { call(served.address, &announced(0)).await });
    }
    while let Some(answer) = calls.join_next().await {
        assert!(answer.unwrap().ends_with("done"));
    }
    assert_eq!(MOST.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn idle_connections_make_room_when_others_wait() {
    let settings = ServerSettings {
        connections_max: 2,
        patience_when_full: Duration::from_millis(50),
        ..ServerSettings::default()
    };
    let served = serve(settings, async |_| said("done")).await;
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let length = idle.read(&mut [0; 512]).await.unwrap();
    assert!(length > 0);
    // Nobody waits: it stays open, however long it is idle.
    assert!(tokio::time::timeout(Duration::from_millis(300), idle.read(&mut [0; 16])).await.is_err());
    let _silent = TcpStream::connect(served.address).await.unwrap();
    for _ in 0..3 {
        assert!(call(served.address, &announced(0)).await.ends_with("done"));
    }
}

#[tokio::test]
async fn a_stop_lets_a_running_request_finish_and_closes_what_is_idle() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let served = {
        let (begun, go) = (begun.clone(), go.clone());
        serve(ServerSettings::default(), move |_| {
            let (begun, go) = (begun.clone(), go.clone());
            async move {
                begun.notify_one();
                go.notified().await;
                said("done")
            }
        })
        .await
    };
    let address = served.address;
    let mut idle = TcpStream::connect(address).await.unwrap();
    // No `Connection: close`: the connection ends because the server stops.
    let running = tokio::spawn(async move { call(address, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await });
    begun.notified().await;
    served.stop.send(true).unwrap();
    let closed = tokio::time::timeout(LIMIT, idle.read(&mut [0; 16])).await.expect("closed in time");
    assert_eq!(closed.unwrap(), 0);
    go.notify_one();
    assert!(running.await.unwrap().ends_with("done"));
    tokio::time::timeout(LIMIT, served.serving).await.expect("it ends in time").unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

/// Pieces that requests are made of, whole and broken.
const PIECES: [&str; 16] = [
    "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /b HTTP/1.1\r\nHost: h\r\n",
    "POST /b HTTP/1.0\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "X: y\r\n",
    "\r\n",
    "abc",
    "3\r\nabc\r\n",
    "2;e=\"v\"\r\nab\r\n",
    "0\r\n\r\n",
    "0\r\nX: y\r\n\r\n",
    "\n",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    /// The HTTP library never sees what it would refuse by itself, and never more requests than we have seen: the two
    /// agree about where each one ends.
    #[test]
    fn no_order_of_pieces_is_understood_in_two_ways(
        pieces in proptest::collection::vec(0..PIECES.len(), 1..12),
        noise in proptest::option::weighted(0.3, (0..200usize, 0..=255u8)),
    ) {
        let mut stream: Vec<u8> = pieces.iter().flat_map(|piece| PIECES[*piece].bytes()).collect();
        if let Some((at, byte)) = noise && at < stream.len() {
            stream[at] = byte;
        }
        let mut framing = crate::framing::Framing::default();
        framing.advance(&stream);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async {
            let served = serve(ServerSettings::default(), async |request| {
                let mut response = length(request).await;
                response.headers_mut().insert("x-ours", http::HeaderValue::from_static("yes"));
                response
            })
            .await;
            let exchange = async {
                let mut client = TcpStream::connect(served.address).await.unwrap();
                client.write_all(&stream).await.unwrap();
                client.shutdown().await.unwrap();
                let mut answer = Vec::new();
                let _ = client.read_to_end(&mut answer).await;
                String::from_utf8(answer).unwrap()
            };
            tokio::time::timeout(LIMIT, exchange).await.expect("an answer in time")
        });
        let answer = answer.replace("HTTP/1.0 ", "HTTP/1.1 ");
        let answers = answer.split("HTTP/1.1 ").skip(1).filter(|answer| !answer.contains("100 Continue"));
        let (ours, others): (Vec<&str>, Vec<&str>) = answers.partition(|answer| answer.contains("x-ours: yes"));
        proptest::prop_assert!(ours.len() as u64 <= framing.requests(), "{answer}");
        proptest::prop_assert!(others.len() <= 1, "{answer}");
        proptest::prop_assert!(others.iter().all(|answer| answer.contains("x-amzn-errortype")), "{answer}");
    }
}
