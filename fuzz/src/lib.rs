//! What is fuzzed. A target is a module with one function, `run`, that takes any bytes and panics when something that must
//! hold does not. libFuzzer calls it (`fuzz_targets/`), and so does the test `fuzz_corpus` of the package `tests`, with
//! every input that was kept: so a finding stays found without a fuzzer.
//!
//! The bytes go through entry points that the service uses itself. What is made up stands in [`world`] and [`environment`].

pub mod api_json;
pub mod arn;
pub mod configuration;
mod environment;
pub mod http_framing;
pub mod log_framing;
pub mod runtime_api_framing;
pub mod sandbox_messages;
pub mod subscription;
mod world;
pub mod zip_walk;

use std::time::Duration;

/// A target.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also the name of its folders below `corpus/` and `regressions/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("api_json", api_json::run),
    ("arn", arn::run),
    ("configuration", configuration::run),
    ("http_framing", http_framing::run),
    ("log_framing", log_framing::run),
    ("runtime_api_framing", runtime_api_framing::run),
    ("sandbox_messages", sandbox_messages::run),
    ("subscription", subscription::run),
    ("zip_walk", zip_walk::run),
];

/// Longer than anything here takes: what is not over by then hangs.
const HANGS_AFTER: Duration = Duration::from_secs(5);

/// How often others get their turn before they are taken to have done what they can.
const TURNS: usize = 64;

/// Runs `work` on a Tokio of its own, so that nothing of one input is left over for the next.
fn on_tokio<T>(work: impl Future<Output = T>) -> T {
    let mut tokio = tokio::runtime::Builder::new_current_thread();
    tokio.enable_all().build().expect("a runtime").block_on(work)
}

/// Waits for `work`, and not forever.
async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(HANGS_AFTER, work).await {
        Ok(done) => done,
        Err(_) => panic!("{what} hangs"),
    }
}

/// Lets the tasks of this Tokio do what they can.
async fn in_turn() {
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}
