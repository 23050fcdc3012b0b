//! `cargo xtask bench`: a release build against floors that are measured in the same run.
//!
//! A machine is seldom quiet, so a time on its own says little. Hearth and its floor take turns, round by round, and
//! what counts is the ratio of their medians. A floor is the least that does the same work: see `floor.rs` for warm
//! calls, `cold.rs` for cold starts.
//!
//! This program is also a runtime, the native one: with `AWS_LAMBDA_RUNTIME_API` set it serves events (`runtime.rs`).
//! So one and the same runtime runs under Hearth and over the floor. And it is an extension, by another name (`extension.rs`).

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "a program for people at a terminal")]
#![allow(clippy::disallowed_methods, reason = "measures programs that it starts")]

mod bare;
mod burst;
mod cold;
mod extension;
mod floor;
mod functions;
mod idle;
mod isolation;
mod load;
mod logs;
mod machine;
mod median;
mod options;
mod processes;
mod recording;
mod runtime;
mod streaming;
mod table;
mod warm;

use std::process::ExitCode;

use hearth_tests::{Folder, Server};

use crate::functions::{Language, languages};
use crate::options::{Options, Part, USAGE};
use crate::table::Table;

/// Ends with 0, with 1 when `--check` was given and a target was missed, with 2 when the arguments are wrong.
fn main() -> ExitCode {
    if let Ok(address) = std::env::var("AWS_LAMBDA_RUNTIME_API") {
        if extension::is_extension() {
            extension::serve(&address);
        } else {
            runtime::serve(&address);
        }
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "floor") {
        floor::serve();
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("error: {wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    measure(&options)
}

fn measure(options: &Options) -> ExitCode {
    println!("{}", machine::describe());
    println!(
        "Medians of {} samples, Hearth and floor in turns.{}\n",
        options.rounds,
        if options.is_quick { " A quick run: not for quoting." } else { "" }
    );

    let mut table = Table::new();
    // One server for all: what is measured is a server that has been used.
    let server = Server::start();
    if options.wants(Part::Idle) {
        idle::measure(&server, &mut table);
    }
    let folder = Folder::new();
    let languages: Vec<Language> = languages(&folder, &mut table);
    if options.wants(Part::Cold) {
        cold::measure(&server, &languages, options, &mut table);
        cold::measure_packages(&server, &languages, options, &mut table);
    }
    if options.wants(Part::Burst) {
        burst::measure(&server, options, &mut table);
    }
    if options.wants(Part::Warm) {
        warm::measure(&server, &languages, options, &mut table);
        extension::measure(&server, options, &mut table);
    }
    if options.wants(Part::Streaming) {
        streaming::measure(&server, options, &mut table);
    }
    if options.wants(Part::Isolation) {
        isolation::measure(&server, &languages, options, &mut table);
    }
    server.stop();
    if options.wants(Part::Recording) {
        recording::measure(options, &mut table);
    }
    if options.wants(Part::Logs) {
        logs::measure(options, &mut table);
    }

    table.print_end();
    println!("{}", machine::describe());
    if let Some(path) = &options.json {
        std::fs::write(path, table.json(options).to_string()).unwrap();
    }
    if options.check && table.missed() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
