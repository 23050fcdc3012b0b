//! `cargo xtask …`: the chores of this project, so that a laptop and CI run the same ones.
//!
//! What the tests need beyond Rust, a C compiler and Python is installed by name into `.cache/`, once.
//! Nothing here decides what is right: it calls rustfmt, Clippy, cargo-deny and the tests, in order.

#![allow(clippy::disallowed_methods, reason = "starting other programs is what an xtask is for")]
#![allow(clippy::print_stdout, reason = "a program for people at a terminal")]

mod bench;
mod browser;
mod cargo_deny;
mod cases;
mod codegen;
mod durable_sdks;
mod extensions;
mod fault_points;
mod fuzz;
mod isolation_tools;
mod node;
mod official_clients;
mod process;
mod provided;
mod python;
mod soak;
mod tally;
mod test;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test               everything CI checks: the steps below, then all tests
  fmt [--check]      format the code, or only say what is not formatted
  lint               Clippy over all targets; a warning is an error
  deny               licences, banned crates and sources of the dependencies
  codegen [--check]  write the wire types from the AWS service model, or only say whether they are current
  fault-points       build `hearth-with-fault-points`, which the tests of crashes start
  extensions         build the extensions that the tests run, AWS's Lambda Web Adapter among them, into .cache/
  durable-sdks       install AWS's SDKs for durable functions, which functions of the tests use, into .cache/
  official-clients   build AWS's runtime clients, which the differential test compares ours with, into .cache/
  soak [FILTER]      the tests that have a long form (kill points, a million calls, long queues), long; a nextest filter picks some
  fuzz [--seconds 60] [TARGET…]
                     libFuzzer on what reads bytes from outside, a while each; `--input FILE TARGET` runs one input once
  bench [OPTIONS]    measure a release build against floors; `bench --help` tells the options";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["test"] => test::test(),
        ["fmt"] => test::format(false),
        ["fmt", "--check"] => test::format(true),
        ["lint"] => test::lint(),
        ["deny"] => cargo_deny::check(),
        ["codegen"] => codegen::codegen(false),
        ["codegen", "--check"] => codegen::codegen(true),
        ["fault-points"] => fault_points::build("debug"),
        ["extensions"] => extensions::build(),
        ["durable-sdks"] => durable_sdks::install()?.map_or(Ok(()), |why| bail!(why)),
        ["official-clients"] => official_clients::build()?.map_or(Ok(()), |why| bail!(why)),
        ["soak"] => soak::soak(None),
        ["soak", filter] => soak::soak(Some(filter)),
        ["fuzz", ref options @ ..] => fuzz::fuzz(options),
        ["bench", ref options @ ..] => bench::bench(options),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        [] => bail!("no command given\n\n{USAGE}"),
        _ => bail!("`{}` is not a command\n\n{USAGE}", arguments.join(" ")),
    }
}
