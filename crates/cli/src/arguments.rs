//! The command line: what can be said, not what is done about it.

mod cost;
mod credentials;
mod experiments;
mod faults;
mod flame;
mod functions;
mod serve;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hearth_types::Runtime;

pub(crate) use self::cost::{CostArguments, CostBy, TopArguments};
pub(crate) use self::credentials::{CredentialsArguments, CredentialsCommand};
pub(crate) use self::experiments::{TuneArguments, WhatIfArguments};
pub(crate) use self::faults::{FaultArguments, FaultCommand};
pub(crate) use self::flame::{FlameArguments, FlameOutput};
pub(crate) use self::functions::{ConfigurationArguments, FunctionsArguments, FunctionsCommand};
pub(crate) use self::serve::{Isolation, KeepAlive, Network, OnOff, PassThrough, Recording, ServeArguments};
use crate::exit_code::ExitCode;

/// Self-hosted AWS Lambda: its APIs, its lifecycle, on your machine.
#[derive(Debug, Parser)]
#[command(name = "hearth", version, after_help = ExitCode::HELP, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service until SIGTERM or SIGINT
    Serve(Box<ServeArguments>),
    /// Start a private server, call an example function five times and draw what happened
    Demo(DemoArguments),
    /// Call a function and print its answer
    Invoke(InvokeArguments),
    /// List AWS's runtimes and which of them run here, or install what is missing
    Runtimes(RuntimesArguments),
    /// Make, list or remove the keys that callers of the server have to have
    Credentials(CredentialsArguments),
    /// Bring the server to what a SAM or CloudFormation template says
    Deploy(DeployArguments),
    /// List the functions; or create, change and delete one in the words of the AWS CLI
    Functions(FunctionsArguments),
    /// List the execution environments that are there now
    Environments(EnvironmentsArguments),
    /// Print the log of a function
    Logs(LogsArguments),
    /// Draw the lifecycle of a function's execution environments
    Timeline(TimelineArguments),
    /// Replay the recorded calls of a function under other ways of keeping environments
    Whatif(WhatIfArguments),
    /// Run a function for real at several sizes of memory, and show what each takes and costs
    Tune(TuneArguments),
    /// Force an Init of a function, and show import by import what it took (Python and Node.js)
    Flame(FlameArguments),
    /// Say what each extension of a function costs: time, CPU, memory and money
    Tax(TimelineArguments),
    /// Make something go wrong on purpose in a phase of a function's lifecycle, on a server that allows it
    Fault(FaultArguments),
    /// Tell what functions would cost on AWS, from what was recorded: an estimate
    Cost(CostArguments),
    /// Watch functions and environments, live
    Top(TopArguments),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// What stands between the example function and this machine [default: namespaces]
    #[arg(long, env = "HEARTH_ISOLATION", value_enum)]
    pub(crate) isolation: Option<Isolation>,
}

#[derive(Debug, Args)]
pub(crate) struct ServerArguments {
    /// The server [default: $AWS_ENDPOINT_URL or http://127.0.0.1:4566]
    #[arg(long, visible_alias = "endpoint", env = "HEARTH_ENDPOINT", value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// Tables for people, or JSON for programs
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub(crate) output: OutputFormat,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RuntimesArguments {
    #[command(subcommand)]
    pub(crate) command: Option<RuntimesCommand>,
    /// The data folder of a server that does not run [default: ask the server; without one, its default folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RuntimesCommand {
    /// Bring a runtime's interpreter from npm if this host lacks it, and the AWS SDK from npm or PyPI
    Install(InstallArguments),
}

#[derive(Debug, Args)]
pub(crate) struct InstallArguments {
    /// Which runtimes, such as nodejs22.x or python3.11
    #[arg(value_name = "RUNTIME", required = true, value_parser = Runtime::parse)]
    pub(crate) runtimes: Vec<Runtime>,
    /// Packages of the AWS SDK for JavaScript, without their scope @aws-sdk/ [default: what the server is set to]
    #[arg(long, env = "HEARTH_NODE_SDK_CLIENTS", value_name = "NAME,…", value_delimiter = ',')]
    node_sdk_clients: Vec<String>,
    /// Fetch the newest versions, also of what is installed
    #[arg(long)]
    pub(crate) upgrade: bool,
    /// The data folder of a server that does not run [default: ask the server; without one, its default folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

impl InstallArguments {
    /// Returns the packages of the AWS SDK for JavaScript, if some were named.
    pub(crate) fn node_sdk_clients(&self) -> Option<&[String]> {
        (!self.node_sdk_clients.is_empty()).then_some(&self.node_sdk_clients)
    }
}

/// Which function: `resize`, or `--function-name resize` as the AWS CLI has it.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct FunctionArgument {
    /// Name, partial or full ARN, with `:QUALIFIER` if wanted
    #[arg(value_name = "FUNCTION")]
    function: Option<String>,
    /// The same, as the AWS CLI says it
    #[arg(long, value_name = "FUNCTION")]
    function_name: Option<String>,
}

impl FunctionArgument {
    /// Returns the name, whichever way it was given.
    pub(crate) fn name(&self) -> &str {
        self.function.as_deref().or(self.function_name.as_deref()).unwrap_or_default()
    }
}

#[derive(Debug, Args)]
pub(crate) struct InvokeArguments {
    #[command(flatten)]
    pub(crate) function: FunctionArgument,
    /// The event: JSON, @FILE, file://FILE, fileb://FILE, or - for standard input
    #[arg(long, default_value = "{}", value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub(crate) payload: String,
    /// Wait for the answer, send an event and go on, or only ask whether it could be called
    #[arg(long, value_enum, default_value_t = InvocationType::RequestResponse)]
    pub(crate) invocation_type: InvocationType,
    /// A version or an alias
    #[arg(long, value_name = "VERSION|ALIAS")]
    pub(crate) qualifier: Option<String>,
    /// Print the end of the invocation's log, up to 4 KB, on standard error
    #[arg(long)]
    log: bool,
    /// The same, as the AWS CLI says it
    #[arg(long, value_enum)]
    log_type: Option<LogType>,
    /// Say on standard error whether the call was cold, and why
    #[arg(long)]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

impl InvokeArguments {
    /// Whether the end of the log is wanted.
    pub(crate) fn log(&self) -> bool {
        self.log || self.log_type == Some(LogType::Tail)
    }
}

/// How a function is called. Spelled as AWS spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum InvocationType {
    /// Wait for the answer
    RequestResponse,
    /// Send an event and do not wait
    Event,
    /// Check, and call nothing
    DryRun,
}

impl InvocationType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::RequestResponse => "RequestResponse",
            Self::Event => "Event",
            Self::DryRun => "DryRun",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum LogType {
    /// No log
    None,
    /// Its last 4 KB
    Tail,
}

#[derive(Debug, Args)]
pub(crate) struct DeployArguments {
    /// The template [default: what `sam build` made, or template.yaml]
    #[arg(long, short = 't', visible_alias = "template", value_name = "FILE")]
    pub(crate) template_file: Option<PathBuf>,
    /// The stack: which functions belong together, and what their names begin with [default: the folder's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) stack_name: Option<String>,
    /// Values of the template's parameters
    #[arg(long, value_name = "NAME=VALUE", num_args = 1.., value_parser = parameter_override)]
    pub(crate) parameter_overrides: Vec<(String, String)>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask before changing something
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Delete functions of the stack that the template has no longer
    #[arg(long)]
    pub(crate) prune: bool,
    /// Deploy what Hearth can do, and leave out what it cannot
    #[arg(long)]
    pub(crate) skip_unsupported: bool,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// Reads `NAME=VALUE`, or `ParameterKey=NAME,ParameterValue=VALUE`.
fn parameter_override(text: &str) -> Result<(String, String), String> {
    let long = text.strip_prefix("ParameterKey=").and_then(|rest| rest.split_once(",ParameterValue="));
    match long.or_else(|| text.split_once('=')) {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct EnvironmentsArguments {
    /// Only those of this function
    #[arg(value_name = "FUNCTION")]
    pub(crate) function_name: Option<String>,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArguments {
    /// Whose log
    #[arg(value_name = "FUNCTION")]
    pub(crate) function_name: String,
    /// Go on with what is written from now on, until interrupted
    #[arg(long, short)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

#[derive(Debug, Args)]
pub(crate) struct TimelineArguments {
    /// Whose environments
    #[arg(value_name = "FUNCTION")]
    pub(crate) function_name: String,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// In which form data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn parameters_are_said_as_in_awss_programs() {
        let pair = ("Stage".to_owned(), "a=b".to_owned());
        assert_eq!(parameter_override("Stage=a=b").as_ref(), Ok(&pair));
        assert_eq!(parameter_override("ParameterKey=Stage,ParameterValue=a=b").as_ref(), Ok(&pair));
        assert!(parameter_override("=x").is_err() && parameter_override("Stage").is_err());
    }
}
