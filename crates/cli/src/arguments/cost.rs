//! What can be said to `hearth cost` and `hearth top`.

use clap::{Args, ValueEnum};

use super::{ListArguments, ServerArguments};

#[derive(Debug, Args)]
pub(crate) struct CostArguments {
    /// Only this function's
    #[arg(value_name = "FUNCTION")]
    pub(crate) function_name: Option<String>,
    /// The last so many days, today included, in UTC [default: 30]
    #[arg(long, value_name = "N", conflicts_with = "since", value_parser = clap::value_parser!(u32).range(1..=3_660))]
    pub(crate) days: Option<u32>,
    /// From this time on: 2026-11-30, 2026-11-30T12:00:00Z, or 90m, 24h, 7d ago
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// What a row is about
    #[arg(long, value_enum, default_value_t = CostBy::Function)]
    pub(crate) by: CostBy,
    /// How many calls are listed with `--by call`: the last ones
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    /// Which Init is billed
    #[arg(long, value_enum, default_value_t = Rule::Today)]
    pub(crate) billing_rule: Rule,
    /// Take off what the lower prices of large months save
    #[arg(long)]
    pub(crate) tiers: bool,
    /// Take off what is free each month
    #[arg(long)]
    pub(crate) free_tier: bool,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CostBy {
    /// A function
    Function,
    /// A day, in UTC
    Day,
    /// A call
    Call,
}

impl CostBy {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Day => "day",
            Self::Call => "invocation",
        }
    }
}

/// Which Init is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rule {
    /// Every one, as AWS does since August 2025
    Today,
    /// Not that of a zip package on a managed runtime, as AWS did before
    #[value(name = "before-2025-08")]
    BeforeAugust2025,
}

impl Rule {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::BeforeAugust2025 => "before-2025-08",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct TopArguments {
    /// Print it once, as text, and end; so it is, too, where standard output is no terminal
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}
