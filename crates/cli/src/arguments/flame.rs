//! The words of `hearth flame`.

use clap::{Args, ValueEnum};

use super::ServerArguments;

#[derive(Debug, Args)]
pub(crate) struct FlameArguments {
    /// Whose Init
    #[arg(value_name = "FUNCTION")]
    pub(crate) function_name: String,
    /// A version or an alias [default: $LATEST]
    #[arg(long, value_name = "QUALIFIER")]
    pub(crate) qualifier: Option<String>,
    /// Show the last profile again, instead of forcing an Init for a new one
    #[arg(long, conflicts_with = "qualifier")]
    pub(crate) last: bool,
    /// Show imports that take less than 1 % of function init, too
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// A tree for people, JSON for programs, or folded stacks (in microseconds) for tools that draw flame graphs
    #[arg(long, value_enum, default_value_t = FlameOutput::Text)]
    pub(crate) output: FlameOutput,
}

/// In which form a profile is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlameOutput {
    /// For people
    Text,
    /// For programs
    Json,
    /// For tools that draw flame graphs
    Folded,
}
