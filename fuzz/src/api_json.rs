//! Bodies of the implemented operations. The first byte names one, the first line goes on with a query, the rest is the
//! body.
//!
//! Every answer is a success or one of AWS's errors that blames the caller. What was accepted can be read back by the next
//! server.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::world::{Answer, Closes, World};
use super::{in_time, on_tokio};

const OPERATIONS: &[(u8, &str, &str)] = &[
    (b'c', "POST", "/2015-03-31/functions"),
    (b'u', "PUT", "/2015-03-31/functions/f/configuration"),
    (b'z', "PUT", "/2015-03-31/functions/f/code"),
    (b'i', "POST", "/2015-03-31/functions/f/invocations"),
    (b'l', "GET", "/2015-03-31/functions"),
    (b'g', "GET", "/2015-03-31/functions/f"),
    (b'k', "GET", "/2015-03-31/functions/f/configuration"),
    (b'd', "DELETE", "/2015-03-31/functions/f"),
];

/// What is encoded in a query: everything but its own punctuation.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'=').remove(b'&').remove(b'+');

/// Runs one input.
pub fn run(data: &[u8]) {
    let line_end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let Some((&first, query)) = data[..line_end].split_first() else { return };
    let Some((_, method, path)) = OPERATIONS.iter().find(|(letter, ..)| *letter == first) else { return };
    let body = data.get(line_end + 1..).unwrap_or_default();
    on_tokio(async {
        let world = World::with_function().await;
        let answer = ask(&world, method, &format!("{path}?{}", percent_encode(query, QUERY)), body).await;
        answer.check();
        assert_ne!(answer.head.status, 501, "{method} {path} is implemented");
        let again = in_time("opening", world.reopen()).await.expect("what was accepted can be read back");
        let listed = ask(&again, "GET", "/2015-03-31/functions", b"").await;
        assert_eq!(listed.head.status, 200);
    });
}

/// Sends one request in proper framing.
pub(super) async fn ask(world: &World, method: &str, target: &str, body: &[u8]) -> Answer {
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut answers = world.exchange(&[head.as_bytes(), body].concat(), Closes::Server).await;
    assert_eq!(answers.len(), 1, "one answer to one request");
    answers.remove(0)
}
