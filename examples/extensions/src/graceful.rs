//! A function that puts things in order before it ends: AWS's runtime client for Rust registers an internal extension, and
//! the service sends `SIGTERM` to who has one.

use std::time::SystemTime;

use lambda_runtime::{Error, LambdaEvent, run, service_fn, spawn_graceful_shutdown_handler};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    spawn_graceful_shutdown_handler(|| async { println!("put in order at {} ms", epoch_ms()) }).await;
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(json!({ "event": event.payload, "pid": std::process::id() }))
}

fn epoch_ms() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()
}
