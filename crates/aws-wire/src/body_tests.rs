//! Bodies that come too slowly, or find no room.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::room::{BodyRoom, ROOM_KIB};

const LIMIT: Duration = Duration::from_secs(20);

/// What a server makes of one body that `send` sends.
async fn outcome(
    pace: Pace,
    room: BodyRoom,
    send: impl AsyncFnOnce(TcpStream) + 'static,
) -> Result<Bytes, BodyError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let (report, outcome) = tokio::sync::oneshot::channel();
    let report = std::sync::Mutex::new(Some(report));
    let service = hyper::service::service_fn(|mut request| {
        room.go_along(&mut request);
        let report = report.lock().unwrap().take();
        async move {
            let read = read_body_at(pace, request, 10 << 20).await;
            report.unwrap().send(read).unwrap();
            Ok::<_, std::convert::Infallible>(crate::Response::default())
        }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(hyper_util::rt::TokioIo::new(stream), service);
    let (_, _, outcome) = tokio::join!(serving, send(client), tokio::time::timeout(LIMIT, outcome));
    outcome.expect("an outcome in time").unwrap()
}

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n";

/// Sends a byte now and then, until nobody takes it any more.
async fn dribble(mut client: TcpStream) {
    let _ = client.write_all(HEAD).await;
    while client.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_body_that_dribbles_is_too_slow_although_it_never_stops() {
    let pace = Pace { window: Duration::from_millis(100), bytes_min: 1_000 };
    let outcome = outcome(pace, BodyRoom::of(ROOM_KIB), dribble).await;
    assert!(matches!(outcome, Err(BodyError::TooSlow)), "{outcome:?}");
}

#[tokio::test]
async fn a_body_that_is_fast_enough_may_take_many_windows() {
    let pace = Pace { window: Duration::from_secs(1), bytes_min: 1_000 };
    let sends = async |mut client: TcpStream| {
        client.write_all(HEAD).await.unwrap();
        for _ in 0..20 {
            client.write_all(&[b'x'; 10_000]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
        let _ = client.read_to_end(&mut Vec::new()).await;
    };
    let outcome = outcome(pace, BodyRoom::of(ROOM_KIB), sends).await;
    assert_eq!(outcome.unwrap().len(), 200_000);
}

#[tokio::test]
async fn a_body_that_finds_no_room_is_not_kept() {
    let pace = Pace { window: Duration::from_millis(100), bytes_min: 1_000 };
    let room = BodyRoom::of(ROOM_KIB);
    let others = room.free.clone().try_acquire_many_owned(ROOM_KIB as u32 - 100).unwrap();
    let sends = async |mut client: TcpStream| {
        client.write_all(HEAD).await.unwrap();
        let _ = client.write_all(&[b'x'; 200_000]).await;
        let _ = client.read_to_end(&mut Vec::new()).await;
    };
    let none = outcome(pace, room.clone(), sends).await;
    assert!(matches!(none, Err(BodyError::TooSlow)), "{none:?}");
    drop(others);
    assert_eq!(outcome(pace, room.clone(), sends).await.unwrap().len(), 200_000);
    assert_eq!(room.free.available_permits(), ROOM_KIB, "the room is free again");
}

#[tokio::test]
async fn an_upload_keeps_its_place_until_it_is_dropped_and_slow_bodies_make_way_when_there_is_little_room() {
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 9000000\r\n\r\n";
    let room = BodyRoom::of(ROOM_KIB);
    let sends = async |mut client: TcpStream| {
        client.write_all(head).await.unwrap();
        client.write_all(&vec![b'x'; 9_000_000]).await.unwrap();
        let _ = client.read_to_end(&mut Vec::new()).await;
    };
    let upload = outcome(PACE, room.clone(), sends).await.unwrap();
    assert_eq!(room.free.available_permits(), ROOM_KIB - upload.len().div_ceil(1 << 10));
    drop(upload);
    assert_eq!(room.free.available_permits(), ROOM_KIB);

    let pace = Pace { window: Duration::from_secs(15), bytes_min: 1 };
    let others = room.free.clone().try_acquire_many_owned(ROOM_KIB as u32 / 8 * 7).unwrap();
    let slow = outcome(pace, room.clone(), dribble).await;
    assert!(matches!(slow, Err(BodyError::TooSlow)), "{slow:?}");
    let fast = outcome(pace, room.clone(), sends).await;
    assert_eq!(fast.unwrap().len(), 9_000_000, "a fast one is taken meanwhile");
    drop(others);
}
