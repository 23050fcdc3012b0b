//! `cargo xtask test`: everything that CI checks, in the order in which a mistake is cheapest to find.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::node::{Node, node};
use crate::process::{cache, cargo, run, step, succeeds};
use crate::tally::Tally;
use crate::{
    browser, cargo_deny, cases, codegen, durable_sdks, extensions, fault_points, isolation_tools,
    official_clients, provided, python,
};

/// Runs the checks, then all tests of the workspace. The last line counts the tests.
pub(crate) fn test() -> Result<()> {
    step("format", || format(true))?;
    step("tools for tests of isolation", isolation_tools::install)?;
    step("Python packages", || python::python().map(drop))?;
    step("moto, a server for destinations", || python::moto().map(drop))?;
    step("AWS SAM CLI", || python::sam().map(drop))?;
    if !step("AWS CLI 2", || Ok(python::aws_cli_2()))? {
        println!("    the tests that need it are going to be skipped: apt-get could not install `awscli` 2");
    }
    if !step("promtool", || Ok(python::promtool()))? {
        println!("    the test that needs it is going to be skipped: apt-get could not install `prometheus`");
    }
    let node = step("Node.js packages", node)?;
    if let Node::Missing(why) = node {
        println!("    the tests that need Node.js are going to be skipped: {why}");
    }
    if let Some(why) = step("a browser for the console", browser::install)? {
        println!("    the tests of the console's pages are going to be skipped: {why}");
    }
    if let Some(why) = step("AWS's SDKs for durable functions", durable_sdks::install)? {
        println!("    the tests that need them are going to be skipped: {why}");
    }
    if let Some(why) = step("AWS's runtime clients", official_clients::build)? {
        println!("    the tests that compare with them are going to be skipped: {why}");
    }
    step("generated code is current", || codegen::codegen(true))?;
    step("every case has its test", cases::check)?;
    step("dependencies", cargo_deny::check)?;
    step("Clippy", lint)?;
    step("build the provided.al2023 example", provided::build)?;
    step("build the extensions that the tests run", extensions::build)?;
    step("build with fault points", || fault_points::build("debug"))?;
    step("tests of fault points", fault_points::test)?;
    step("build", || run(cargo().args(["build", "--workspace", "--all-targets", "--quiet"])))?;
    let tally = step("tests", tests)?;
    println!("tests: {tally}");
    Ok(())
}

/// Formats the code, or only checks it.
pub(crate) fn format(check: bool) -> Result<()> {
    let mut fmt = cargo();
    fmt.args(["fmt", "--all"]);
    if check {
        fmt.arg("--check");
    }
    run(&mut fmt)
}

/// Runs Clippy over everything.
pub(crate) fn lint() -> Result<()> {
    let mut clippy = cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]);
    run(&mut clippy)
}

/// Runs all tests, and prints what was skipped and why.
fn tests() -> Result<Tally> {
    let skipped = cache().join("skipped");
    if skipped.exists() {
        fs::remove_dir_all(&skipped).context("cannot forget the skipped tests of the last run")?;
    }
    fs::create_dir_all(&skipped).context("cannot make a folder for the names of skipped tests")?;

    let mut runner = cargo();
    if succeeds(cargo().args(["nextest", "--version"])) {
        runner.args([
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--config-file",
            "xtask/nextest.toml",
        ]);
        runner.args(["--status-level", "slow", "--final-status-level", "fail"]);
    } else {
        runner.args(["test", "--workspace", "--quiet", "--no-fail-fast"]);
    }
    let (mut tally, succeeded) = counted(&mut runner)?;

    for entry in fs::read_dir(&skipped).context("cannot read the names of skipped tests")? {
        let path = entry?.path();
        let why = fs::read_to_string(&path).unwrap_or_default();
        println!("skipped: {}: {why}", path.file_name().unwrap_or_default().to_string_lossy());
        tally.skip(1);
    }
    if !succeeded {
        tally.fail();
        println!("tests: {tally}");
        bail!("tests failed");
    }
    Ok(tally)
}

/// Runs the test runner, passes on what it prints, and counts.
fn counted(runner: &mut Command) -> Result<(Tally, bool)> {
    runner.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = runner.spawn().context("cannot start the test runner")?;
    let stdout = child.stdout.take().context("the test runner has no standard output")?;
    let stderr = child.stderr.take().context("the test runner has no standard error")?;
    let of_stderr = thread::spawn(move || pass_on(stderr));
    let mut tally = pass_on(stdout);
    let of_stderr = of_stderr.join().expect("passing on lines does not panic");
    tally.add(&of_stderr);
    let status = child.wait().context("cannot wait for the test runner")?;
    Ok((tally, status.success()))
}

fn pass_on(output: impl Read) -> Tally {
    let mut tally = Tally::default();
    let mut lines = BufReader::new(output);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line);
        tally.read(&text);
        print!("{text}");
        line.clear();
    }
    tally
}
