//! Raw bytes on connections to the Runtime API of an environment that has an invocation for them. `--next--` between two
//! line feeds begins another connection; all of them stay open until the last one was written.
//!
//! Every connection is answered or closed, the environment can still be ended, and its caller is not left without an answer.

use hearth_runtime_api::serve_connection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinSet;

use super::environment::Asked;
use super::{in_time, in_turn, on_tokio};

/// What stands between two connections.
const NEXT_CONNECTION: &[u8] = b"\n--next--\n";
/// How many connections are made at most.
const CONNECTIONS_MAX: usize = 4;

/// Runs one input.
pub fn run(data: &[u8]) {
    on_tokio(async {
        let mut asked = Asked::new();
        asked.invoke();
        let mut serving = JoinSet::new();
        let mut open = Vec::new();
        for bytes in connections(data) {
            let (ours, theirs) = tokio::io::duplex(16 * 1_024);
            serving.spawn(serve_connection(theirs, &asked.environment));
            open.push(talk(ours, bytes).await);
            asked.invoke();
        }
        for stream in &mut open {
            let _ = stream.shutdown().await;
        }
        in_turn().await;
        // A `/next` may wait for as long as its environment lives, and with bytes behind it nobody sees that its client
        // is gone. The listener ends its connections with the environment.
        asked.end().await;
        serving.abort_all();
        let reading = async {
            for mut stream in open {
                let mut said = Vec::new();
                let _ = stream.read_to_end(&mut said).await;
                assert!(said.is_empty() || said.starts_with(b"HTTP/1."), "an answer is HTTP");
            }
        };
        in_time("a connection", reading).await;
        while let Some(served) = serving.join_next().await {
            let is_over = served.as_ref().map_or_else(|error| error.is_cancelled(), |()| true);
            assert!(is_over, "serving a connection does not panic: {served:?}");
        }
    });
}

fn connections(data: &[u8]) -> Vec<&[u8]> {
    let mut rest = data;
    let mut connections = Vec::new();
    while connections.len() + 1 < CONNECTIONS_MAX
        && let Some(at) = rest.windows(NEXT_CONNECTION.len()).position(|window| window == NEXT_CONNECTION)
    {
        connections.push(&rest[..at]);
        rest = &rest[at + NEXT_CONNECTION.len()..];
    }
    connections.push(rest);
    connections
}

/// Writes `bytes`, and gives the environment time to act on them. What it says is read at the end.
async fn talk(mut stream: DuplexStream, bytes: &[u8]) -> DuplexStream {
    tokio::select! {
        biased;
        _ = stream.write_all(bytes) => in_turn().await,
        // Who stops reading is not waited for.
        () = in_turn() => {}
    }
    stream
}
