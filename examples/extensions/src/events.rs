//! An external extension that prints each event it gets: a line to the function's log.
//!
//! With the variable `DELAY_MS_<its name>` it works so many milliseconds on each invocation, as one does that sends
//! data away.

use std::env;
use std::path::Path;
use std::time::Duration;

use lambda_extension::{Error, Extension, LambdaEvent, NextEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let program = env::args().next().unwrap_or_default();
    let name = Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let delay = env::var(format!("DELAY_MS_{name}")).unwrap_or_default().parse().unwrap_or(0);
    let events = service_fn(|event| print(&name, Duration::from_millis(delay), event));
    let extension = Extension::new().with_events(&["INVOKE", "SHUTDOWN"]).with_events_processor(events);
    let registered = extension.register().await?;
    println!(
        "{name}: registered with {} {} {}",
        registered.function_name, registered.function_version, registered.handler
    );
    registered.run().await
}

async fn print(name: &str, delay: Duration, event: LambdaEvent) -> Result<(), Error> {
    match event.next {
        NextEvent::Invoke(invoke) => {
            println!(
                "{name}: INVOKE {} {} {} {}",
                invoke.request_id, invoke.invoked_function_arn, invoke.deadline_ms, invoke.tracing.r#type
            );
            if delay > Duration::ZERO {
                tokio::time::sleep(delay).await;
                println!("{name}: done with {}", invoke.request_id);
            }
        }
        NextEvent::Shutdown(shutdown) => {
            println!("{name}: SHUTDOWN {} {}", shutdown.shutdown_reason, shutdown.deadline_ms);
            std::process::exit(0);
        }
    }
    Ok(())
}
