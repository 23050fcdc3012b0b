//! A function for `provided.al2023`, on the official `lambda_runtime` crate. Build it, put the binary as `bootstrap` into
//! a zip, and create a function from that.

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // Runs once in each execution environment, during function init.
    println!("outside of the handler");
    run(service_fn(handler)).await
}

/// Runs once for each invocation.
async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    println!("inside of the handler");
    let pause_ms = event.payload["pause_ms"].as_u64().unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    let name = event.payload["name"].as_str().unwrap_or("world");
    // Which code this is, for those who update it: a variable of the function, if there is one.
    let code = std::env::var("CODE").unwrap_or_else(|_| "one".to_owned());
    Ok(json!({ "code": code, "hello": name }))
}
