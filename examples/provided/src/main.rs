//! Shows what happens once in an environment, and what happens for every event.

use std::sync::atomic::{AtomicU64, Ordering};

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

/// How many events this environment has had.
static INVOCATIONS: AtomicU64 = AtomicU64::new(0);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    println!("outside of the handler: a new environment");
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let invocations = INVOCATIONS.fetch_add(1, Ordering::Relaxed) + 1;
    println!("inside of the handler: invocation {invocations} of this environment");
    let name = event.payload["name"].as_str().unwrap_or("world");
    Ok(json!({
        "message": format!("Hello, {name}!"),
        "invocations": invocations,
        "logStream": event.context.env_config.log_stream,
    }))
}
