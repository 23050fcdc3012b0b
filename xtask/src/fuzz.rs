//! `cargo xtask fuzz`: libFuzzer on every target of `fuzz/`, a while each.
//!
//! cargo-fuzz asks for a nightly compiler, because instrumenting code is not stable. With `RUSTC_BOOTSTRAP=1`, which is set
//! here and nowhere else, the stable one does it too, the address sanitizer included: the compiler that builds what is
//! shipped builds what is fuzzed, from the same `Cargo.lock`.
//!
//! New inputs that reach new code gather in `.cache/fuzz`, and the next run begins with them. The ones in `fuzz/corpus` and
//! `fuzz/regressions` are written by hand, and replayed by an ordinary test (`crates/cli/tests/fuzz_corpus.rs`).

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::process::{cache, cargo, command, output, run, step, succeeds, workspace};

/// The crate that carries the program.
const CRATE: &str = "cargo-fuzz@0.13.2";
/// How long a target runs unless something else is said.
const SECONDS_DEFAULT: u64 = 60;
/// How long one input may take, in seconds. They take far less than a millisecond, mostly; what takes this long hangs.
const INPUT_SECONDS_MAX: u64 = 10;
/// How much memory the fuzzer may have, in MB.
const MEMORY_MB_MAX: u64 = 2_048;
/// How much of what the fuzzer said is shown when it found something.
const SHOWN_LINES: usize = 60;

const USAGE: &str =
    "usage: cargo xtask fuzz [--seconds N] [TARGET…]\n       cargo xtask fuzz --input FILE TARGET";

/// What is asked for.
struct Options {
    seconds: u64,
    /// One input to run once.
    input: Option<PathBuf>,
    targets: Vec<String>,
}

/// What a run said in the end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    runs: u64,
    runs_per_second: u64,
    /// How many edges of the code were reached.
    coverage: u64,
    /// The input that did it.
    input: Option<PathBuf>,
}

/// Runs the targets that are named, or all.
pub(crate) fn fuzz(arguments: &[&str]) -> Result<()> {
    let options = options(arguments, &all_targets()?)?;
    step("cargo-fuzz", install)?;
    // What is fuzzed is what is shipped. The few crates that only the fuzzer needs are added to it.
    fs::copy(workspace().join("Cargo.lock"), workspace().join("fuzz/Cargo.lock"))
        .context("cannot copy Cargo.lock")?;
    let host = host()?;
    step("build the fuzz targets", || run(cargo_fuzz().args(["build", "--target", &host])))?;
    // What was built runs by itself: cargo-fuzz would look before each run whether it is current, and sources may change.
    let programs = workspace().join("fuzz/target").join(host).join("release");
    if let Some(input) = options.input {
        let input = fs::canonicalize(&input).with_context(|| format!("there is no `{}`", input.display()))?;
        return run(fuzzer(&programs, &options.targets[0]).arg(input));
    }
    let mut found = Vec::new();
    for target in &options.targets {
        if !run_target(fuzzer(&programs, target), target, options.seconds)? {
            found.push(target.as_str());
        }
    }
    if !found.is_empty() {
        bail!("the fuzzer found something in {}", found.join(", "));
    }
    Ok(())
}

fn options(arguments: &[&str], known: &[String]) -> Result<Options> {
    let mut options = Options { seconds: SECONDS_DEFAULT, input: None, targets: Vec::new() };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n\n{USAGE}"));
        match *argument {
            "--seconds" => {
                let value = value()?;
                options.seconds =
                    value.parse().with_context(|| format!("`{value}` is no number of seconds"))?;
            }
            "--input" => options.input = Some(PathBuf::from(value()?)),
            target if known.iter().any(|known| known == target) => options.targets.push(target.to_owned()),
            other => bail!("`{other}` is neither an option nor one of {}\n\n{USAGE}", known.join(", ")),
        }
    }
    if options.input.is_some() && options.targets.len() != 1 {
        bail!("an input is for one target\n\n{USAGE}");
    }
    if options.targets.is_empty() {
        options.targets = known.to_vec();
    }
    Ok(options)
}

/// The targets are the files of `fuzz/fuzz_targets`.
fn all_targets() -> Result<Vec<String>> {
    let folder = workspace().join("fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        targets.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}

fn program() -> PathBuf {
    cache().join("cargo-fuzz/bin/cargo-fuzz")
}

fn install() -> Result<()> {
    if succeeds(command(program()).arg("--version")) {
        return Ok(());
    }
    run(cargo().args(["install", "--quiet", "--locked", CRATE, "--root"]).arg(cache().join("cargo-fuzz")))
}

fn cargo_fuzz() -> Command {
    let mut cargo_fuzz = command(program());
    cargo_fuzz.env("RUSTC_BOOTSTRAP", "1");
    cargo_fuzz
}

/// The triple of this host, of which cargo-fuzz makes a folder.
fn host() -> Result<String> {
    let version = output(command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what it builds for")?.to_owned())
}

fn fuzzer(programs: &Path, target: &str) -> Command {
    let mut fuzzer = command(programs.join(target));
    // As cargo-fuzz has it: the same crate may be linked twice, which is no finding.
    fuzzer.env("ASAN_OPTIONS", "detect_odr_violation=0");
    fuzzer
}

/// Runs one target for a while; says whether it found nothing.
fn run_target(mut fuzzer: Command, target: &str, seconds: u64) -> Result<bool> {
    let fuzz = workspace().join("fuzz");
    let artifacts = fuzz.join("artifacts").join(target);
    let gathered = cache().join("fuzz").join(target);
    let temporary = temporary(target);
    for folder in [&gathered, &temporary, &artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    fuzzer.arg(&gathered);
    let kept = [fuzz.join("corpus").join(target), fuzz.join("regressions").join(target)];
    fuzzer.args(kept.iter().filter(|folder| folder.is_dir()));
    fuzzer.arg("-print_final_stats=1");
    fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display()));
    fuzzer.arg(format!("-max_total_time={seconds}"));
    fuzzer.arg(format!("-timeout={INPUT_SECONDS_MAX}"));
    fuzzer.arg(format!("-rss_limit_mb={MEMORY_MB_MAX}"));
    // What a thread owns that is just starting or ending looks like a leak, and looking takes longer than most inputs. A real
    // one runs into the limit of memory.
    fuzzer.arg("-detect_leaks=0").env("ASAN_OPTIONS", "detect_leaks=0");
    let dictionary = fuzz.join("dictionaries").join(format!("{target}.dict"));
    if dictionary.is_file() {
        fuzzer.arg(format!("-dict={}", dictionary.display()));
    }
    fuzzer.env("TMPDIR", &temporary).stderr(Stdio::piped());
    let mut running = fuzzer.spawn().context("cannot start the fuzzer")?;
    let said = running.stderr.take().context("the fuzzer has no standard error")?;
    let mut findings = Findings::default();
    let mut last_lines = VecDeque::new();
    for line in BufReader::new(said).split(b'\n') {
        let line = String::from_utf8_lossy(&line.context("cannot read what the fuzzer says")?).into_owned();
        findings.read(&line);
        if last_lines.len() == SHOWN_LINES {
            last_lines.pop_front();
        }
        last_lines.push_back(line);
    }
    let status = running.wait().context("cannot wait for the fuzzer")?;
    // The fuzzer ends without tidying up.
    fs::remove_dir_all(&temporary).with_context(|| format!("cannot remove `{}`", temporary.display()))?;
    let Findings { runs, runs_per_second, coverage, input } = findings;
    let result = if status.success() { "nothing found" } else { "FOUND SOMETHING" };
    if !status.success() {
        last_lines.iter().for_each(|line| println!("    | {line}"));
    }
    println!("{target}: {runs} runs, {runs_per_second} a second, coverage {coverage}: {result}");
    if let Some(input) = input {
        let input = input.strip_prefix(workspace()).unwrap_or(&input);
        println!("    input:     {}", input.display());
        println!("    reproduce: cargo xtask fuzz --input {} {target}", input.display());
        println!("    keep:      cp {} fuzz/regressions/{target}/WHAT-IT-IS", input.display());
    }
    Ok(status.success())
}

/// Where a target may write: in memory where the host has such a place, since many write a folder for each input.
fn temporary(target: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let name = format!("hearth-fuzz-{}-{target}", std::process::id());
    if memory.is_dir() { memory.join(name) } else { std::env::temp_dir().join(name) }
}

impl Findings {
    /// Takes a line of libFuzzer.
    fn read(&mut self, line: &str) {
        let number = |text: &str| text.trim().parse().ok();
        let mut words = line.split_whitespace();
        if let Some(runs) = line.strip_prefix("stat::number_of_executed_units:").and_then(number) {
            self.runs = runs;
        } else if let Some(rate) = line.strip_prefix("stat::average_exec_per_sec:").and_then(number) {
            self.runs_per_second = rate;
        } else if line.starts_with('#') && words.any(|word| word == "cov:") {
            self.coverage = words.next().and_then(number).unwrap_or(self.coverage);
        } else if let Some((_, path)) = line.split_once("Test unit written to ") {
            self.input = Some(PathBuf::from(path.trim()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_read_from_what_the_fuzzer_says() {
        let mut findings = Findings::default();
        for line in [
            "#2\tINITED cov: 3012 ft: 3013 corp: 1/1b exec/s: 0 rss: 50Mb",
            "#65536\tpulse  cov: 4100 ft: 9000 corp: 320/12Kb lim: 652 exec/s: 21845 rss: 120Mb",
            "stat::number_of_executed_units: 65600",
            "stat::average_exec_per_sec:     21866",
            "artifact_prefix='/w/fuzz/artifacts/arn/'; Test unit written to /w/fuzz/artifacts/arn/crash-0a",
        ] {
            findings.read(line);
        }
        let input = Some(PathBuf::from("/w/fuzz/artifacts/arn/crash-0a"));
        assert_eq!(findings, Findings { runs: 65_600, runs_per_second: 21_866, coverage: 4_100, input });
    }

    #[test]
    fn all_targets_run_unless_some_are_named() {
        let known = ["arn".to_owned(), "zip_walk".to_owned()];
        let of = |arguments: &[&str]| {
            options(arguments, &known).map(|options| (options.seconds, options.targets.join(" ")))
        };
        assert_eq!(of(&[]).unwrap(), (60, "arn zip_walk".to_owned()));
        assert_eq!(of(&["--seconds", "5", "arn"]).unwrap(), (5, "arn".to_owned()));
        for wrong in [&["zip"][..], &["--seconds"], &["--seconds", "x"], &["--input", "x"]] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
    }
}
