//! The floor of cold starts: programs that are started with nothing around them.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use hearth_tests::Connection;

use crate::functions::native_runtime;

/// Returns how long a program takes to start and end, in milliseconds.
pub(crate) fn start_and_end_ms(mut program: Command) -> f64 {
    let start = Instant::now();
    let status = program.stdin(Stdio::null()).status().unwrap();
    let elapsed = start.elapsed();
    assert!(status.success(), "{program:?}: {status}");
    elapsed.as_secs_f64() * 1e3
}

/// Starts `count` native runtimes one after the other, and returns how long it takes until each has asked for its
/// first event, in milliseconds.
pub(crate) fn native_ms(count: usize) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let start = Instant::now();
    let runtimes: Vec<Child> = (0..count)
        .map(|_| {
            let mut runtime = native_runtime();
            runtime.env("AWS_LAMBDA_RUNTIME_API", &address).stdin(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let connections: Vec<Connection> = (0..count)
        .map(|_| {
            let mut connection = Connection::new(listener.accept().unwrap().0).unwrap();
            assert!(connection.receive().unwrap().head.contains("/next "));
            connection
        })
        .collect();
    let elapsed = start.elapsed();
    // A runtime ends when its connection does.
    drop(connections);
    for mut runtime in runtimes {
        runtime.wait().unwrap();
    }
    elapsed.as_secs_f64() * 1e3
}
