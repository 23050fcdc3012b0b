//! A process without descriptors: the server waits instead of spinning, and goes on as soon as there are some.
//!
//! One test and a file of its own: the limit holds for the whole process.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_aws_wire::{Body, Server, ServerSettings};
use nix::sys::resource::{Resource, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

const LIMIT: Duration = Duration::from_secs(20);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn case_106_without_descriptors_running_requests_finish_and_new_ones_wait_until_there_are_some() {
    setrlimit(Resource::RLIMIT_NOFILE, 64, 64).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (stop, stopped) = watch::channel(false);
    let answer = {
        let (begun, go) = (begun.clone(), go.clone());
        move |_| {
            let (begun, go) = (begun.clone(), go.clone());
            async move {
                begun.notify_one();
                go.notified().await;
                http::Response::new(Body::new("done".into()))
            }
        }
    };
    let server = Server { settings: ServerSettings::default() };
    let serving = tokio::spawn(server.serve(listener, answer, stopped));

    let mut running = TcpStream::connect(address).await.unwrap();
    running.write_all(REQUEST).await.unwrap();
    begun.notified().await;
    // All but one descriptor, which the next client takes: the server has none for its end.
    let mut hog = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hog.push(file);
    }
    drop(hog.pop());
    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(REQUEST).await.unwrap();
    let was_begun = tokio::time::timeout(Duration::from_millis(300), begun.notified()).await;
    assert!(was_begun.is_err(), "there is no descriptor for it");

    go.notify_one();
    let mut answer = String::new();
    let read = tokio::time::timeout(LIMIT, running.read_to_string(&mut answer)).await;
    read.expect("the running request is answered").unwrap();
    assert!(answer.ends_with("done"), "{answer}");

    drop(hog);
    let freed = Instant::now();
    go.notify_one();
    answer.clear();
    let read = tokio::time::timeout(LIMIT, waiting.read_to_string(&mut answer)).await;
    read.expect("the waiting request is answered").unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    assert!(freed.elapsed() < Duration::from_secs(1), "only after {:?}", freed.elapsed());
    stop.send(true).unwrap();
    tokio::time::timeout(LIMIT, serving).await.expect("it ends in time").unwrap();
}
