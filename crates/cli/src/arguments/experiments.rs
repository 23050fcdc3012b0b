//! What `hearth whatif` and `hearth tune` can be told.

use clap::Args;
use jiff::Timestamp;

use super::ListArguments;

/// The sizes of memory that are tried: from the least to the largest that had two CPUs on AWS for long.
const MEMORY_DEFAULT: &str = "128,256,512,1024,1536,1769,2048,3008";

#[derive(Debug, Args)]
pub(crate) struct WhatIfArguments {
    /// Whose calls
    #[arg(value_name = "FUNCTION")]
    pub(crate) function_name: String,
    /// Only calls of this last time, such as 90m, 12h or 7d [default: 30 days]
    #[arg(long, value_name = "TIME", value_parser = time_ms, conflicts_with_all = ["from", "to"])]
    pub(crate) last: Option<i64>,
    /// Only calls from this moment on, such as 2026-11-30T08:00:00Z
    #[arg(long, value_name = "MOMENT")]
    pub(crate) from: Option<Timestamp>,
    /// Only calls before this moment
    #[arg(long, value_name = "MOMENT")]
    pub(crate) to: Option<Timestamp>,
    /// Which policies, with commas between: fixed, histogram, greedy-dual, provisioned [default: all]
    #[arg(long, default_value = "", value_name = "NAME,…", hide_default_value = true)]
    pub(crate) policies: String,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

#[derive(Debug, Args)]
pub(crate) struct TuneArguments {
    /// Which function, with `:QUALIFIER` if wanted. It stays as it is: a copy of it is called
    #[arg(value_name = "FUNCTION")]
    pub(crate) function_name: String,
    /// The event of every call: JSON, @FILE, file://FILE, fileb://FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub(crate) payload: String,
    /// Which sizes of memory, in MB
    #[arg(long, value_name = "MB,…", value_delimiter = ',', default_value = MEMORY_DEFAULT,
        value_parser = clap::value_parser!(u32).range(128..=10_240))]
    pub(crate) memory: Vec<u32>,
    /// How many calls at each size; up to three of them are cold
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) calls: u32,
    /// Do not ask before the calls are made
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// Reads a time such as `90m`, in milliseconds.
fn time_ms(text: &str) -> Result<i64, String> {
    let wrong = || "expected a number and s, m, h or d, such as 12h".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let unit_ms = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    match i64::from(number).checked_mul(unit_ms) {
        Some(ms) if ms > 0 => Ok(ms),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::Arguments;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        assert_eq!(
            ["90s", "90m", "12h", "7d"].map(time_ms),
            [90_000, 5_400_000, 43_200_000, 604_800_000].map(Ok)
        );
        for wrong in ["", "d", "7", "-1h", "0s", "7w", "1.5h", "7д", "99999999999d"] {
            assert!(time_ms(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let parse = |flags: &[&str]| Arguments::try_parse_from([&["hearth"], flags].concat()).map(|_| ());
        parse(&["tune", "f", "--payload", "{}", "--memory", "128,10240", "--calls", "1"]).unwrap();
        parse(&["whatif", "f", "--from", "2026-11-30T08:00:00Z"]).unwrap();
        for wrong in [
            &["tune", "f"][..],
            &["tune", "f", "--payload", "{}", "--memory", "64"],
            &["tune", "f", "--payload", "{}", "--memory", ""],
            &["tune", "f", "--payload", "{}", "--calls", "0"],
            &["whatif"],
            &["whatif", "f", "--last", "soon"],
            &["whatif", "f", "--from", "yesterday"],
            &["whatif", "f", "--last", "1h", "--from", "2026-11-30T08:00:00Z"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
