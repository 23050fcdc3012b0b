//! What the command line asks for.

use std::path::PathBuf;
use std::time::Duration;

/// How to call it.
pub(crate) const USAGE: &str = "\
usage: cargo xtask bench [OPTIONS]

  --rounds N      samples of each figure, at least 20 unless --quick [default: 21]
  --quick         few and short rounds: shows that it works, proves nothing
  --only PARTS    of idle, cold, burst, warm, streaming, isolation, logs, recording;
                  separated by commas
  --check         exit with 1 when a target that is a must is missed
  --json FILE     write the figures to FILE, too";

/// A group of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Idle,
    Cold,
    Burst,
    Warm,
    Streaming,
    Isolation,
    Logs,
    Recording,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Options {
    /// How many samples make a median.
    pub(crate) rounds: usize,
    /// How long a sample of warm load lasts.
    pub(crate) load: Duration,
    pub(crate) is_quick: bool,
    pub(crate) check: bool,
    pub(crate) json: Option<PathBuf>,
    parts: Vec<Part>,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            rounds: 0,
            load: Duration::from_millis(300),
            is_quick: false,
            check: false,
            json: None,
            parts: vec![
                Part::Idle,
                Part::Cold,
                Part::Burst,
                Part::Warm,
                Part::Streaming,
                Part::Isolation,
                Part::Logs,
                Part::Recording,
            ],
        };
        let mut rounds = None;
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("`{argument}` needs a value"));
            match argument.as_str() {
                // Cargo's own word to every benchmark.
                "--bench" => {}
                "--quick" => options.is_quick = true,
                "--check" => options.check = true,
                "--json" => options.json = Some(value()?.into()),
                "--only" => options.parts = value()?.split(',').map(part).collect::<Result<_, _>>()?,
                "--rounds" => {
                    let number = value()?;
                    rounds =
                        Some(number.parse().map_err(|_| format!("`{number}` is not a number of rounds"))?);
                }
                _ => return Err(format!("`{argument}` is not an option")),
            }
        }
        if options.is_quick {
            options.load = Duration::from_millis(100);
        }
        let [least, usual] = if options.is_quick { [1, 3] } else { [20, 21] };
        options.rounds = rounds.unwrap_or(usual);
        if options.rounds < least {
            return Err(format!("{} rounds are too few: take {least} or more", options.rounds));
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

fn part(name: &str) -> Result<Part, String> {
    match name {
        "idle" => Ok(Part::Idle),
        "cold" => Ok(Part::Cold),
        "burst" => Ok(Part::Burst),
        "warm" => Ok(Part::Warm),
        "streaming" => Ok(Part::Streaming),
        "isolation" => Ok(Part::Isolation),
        "logs" => Ok(Part::Logs),
        "recording" => Ok(Part::Recording),
        _ => Err(format!("`{name}` is not a part")),
    }
}
