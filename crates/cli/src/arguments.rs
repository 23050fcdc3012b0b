//! The command line: what can be said, not what is done about it.

mod cost;
mod experiments;
mod faults;
mod flame;
mod functions;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hearth_types::Runtime;

pub(crate) use self::cost::{CostArguments, CostBy, TopArguments};
pub(crate) use self::experiments::{TuneArguments, WhatIfArguments};
pub(crate) use self::faults::{FaultArguments, FaultCommand};
pub(crate) use self::flame::{FlameArguments, FlameOutput};
pub(crate) use self::functions::{ConfigurationArguments, FunctionsArguments, FunctionsCommand};
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
    Serve(ServeArguments),
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

#[derive(Debug, Default, Args)]
pub(crate) struct ServeArguments {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:4566]
    #[arg(long, env = "HEARTH_LISTEN", value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where functions and logs are kept [default: $XDG_DATA_HOME/hearth or ~/.local/share/hearth]
    #[arg(long, env = "HEARTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// What stands between a function and this machine [default: namespaces]
    #[arg(long, env = "HEARTH_ISOLATION", value_enum)]
    pub(crate) isolation: Option<Isolation>,
    /// Where functions may connect to, with isolation `namespaces`; single functions can be told otherwise in the file with
    /// settings [default: internet]
    #[arg(long, env = "HEARTH_NETWORK", value_enum)]
    pub(crate) network: Option<Network>,
    /// The region in ARNs and in AWS_REGION [default: us-east-1]
    #[arg(long, env = "HEARTH_REGION", value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// The account in ARNs, 12 digits [default: 000000000000]
    #[arg(long, env = "HEARTH_ACCOUNT", value_name = "ID")]
    pub(crate) account: Option<String>,
    /// Concurrent executions of the account, above which calls are throttled [default: 1000]
    #[arg(long, env = "HEARTH_CONCURRENCY", value_name = "N")]
    pub(crate) concurrency: Option<u32>,
    /// Requests a second that are taken for each unit of concurrency, above which calls are throttled [default: 10]
    #[arg(long, env = "HEARTH_REQUESTS_PER_CONCURRENCY", value_name = "N")]
    pub(crate) requests_per_concurrency: Option<u32>,
    /// New environments that a function may have in 10 seconds, above which calls are throttled [default: 1000]
    #[arg(long, env = "HEARTH_ENVIRONMENTS_PER_10_S", value_name = "N")]
    pub(crate) environments_per_10_s: Option<u32>,
    /// Room for the packages of functions, of all their versions, and of layers, in MB [default: 76800]
    #[arg(long, env = "HEARTH_CODE_STORAGE_MB", value_name = "MB")]
    pub(crate) code_storage_mb: Option<u64>,
    /// How long a warm environment waits for its next call, in seconds [default: 600]
    #[arg(long, env = "HEARTH_IDLE_TIMEOUT_S", value_name = "SECONDS")]
    pub(crate) idle_timeout_s: Option<u64>,
    /// How many cold starts run at once [default: 32]
    #[arg(long, env = "HEARTH_COLD_STARTS_MAX", value_name = "N")]
    pub(crate) cold_starts_max: Option<usize>,
    /// How long logs are kept, in days [default: 14]
    #[arg(long, env = "HEARTH_LOG_RETENTION_DAYS", value_name = "DAYS")]
    pub(crate) log_retention_days: Option<u64>,
    /// How long the journal of invocations is kept, from which costs and timelines are made, in days [default: 30]
    #[arg(long, env = "HEARTH_JOURNAL_RETENTION_DAYS", value_name = "DAYS")]
    pub(crate) journal_retention_days: Option<u64>,
    /// How much room the journal may take, in MB; the oldest entries go first [default: 4096]
    #[arg(long, env = "HEARTH_JOURNAL_MB", value_name = "MB")]
    pub(crate) journal_mb: Option<u64>,
    /// Have the logs of functions say of each cold call why it was cold, in a line that AWS's logs do not have
    #[arg(long, env = "HEARTH_LOG_COLD_STARTS")]
    pub(crate) log_cold_starts: bool,
    /// A file with prices, in place of those that come with Hearth, for `hearth cost`
    #[arg(long, env = "HEARTH_PRICES", value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    /// How much log a log group keeps at most, in MB; the oldest goes first [default: 16384]
    #[arg(long, env = "HEARTH_LOG_GROUP_MB", value_name = "MB")]
    pub(crate) log_group_mb: Option<u64>,
    /// Where traces go: a collector that speaks OTLP over HTTP, such as http://127.0.0.1:4318 [default:
    /// $OTEL_EXPORTER_OTLP_ENDPOINT, or nowhere]
    #[arg(long, env = "HEARTH_OTLP_ENDPOINT", value_name = "URL")]
    pub(crate) otlp_endpoint: Option<String>,
    /// Headers for the collector, with values in percent-encoding. Better as a variable or in the file: whoever is on this
    /// machine sees command lines [default: $OTEL_EXPORTER_OTLP_HEADERS]
    #[arg(long, env = "HEARTH_OTLP_HEADERS", value_name = "NAME=VALUE,…", hide_env_values = true)]
    pub(crate) otlp_headers: Option<String>,
    /// Which traces of functions with TracingConfig PassThrough go there, when the caller has not decided; of those with
    /// Active it is one a second and 5 % of the rest, as on AWS [default: all]
    #[arg(long, env = "HEARTH_OTLP_PASS_THROUGH", value_enum)]
    pub(crate) otlp_pass_through: Option<PassThrough>,
    /// Whether anything is recorded. Off is for measuring what recording costs, and for nothing else
    #[arg(long, env = "HEARTH_RECORDING", value_enum, hide = true)]
    pub(crate) recording: Option<Recording>,
    /// The interpreter of a runtime, such as nodejs22.x=/opt/node/bin/node; may be repeated [default: found in PATH]
    #[arg(long, env = "HEARTH_INTERPRETER", value_name = "ID=PATH", value_delimiter = ',', value_parser = interpreter)]
    pub(crate) interpreter: Vec<(String, PathBuf)>,
    /// Packages of the AWS SDK for JavaScript that `hearth runtimes install` puts into a runtime for Node.js, without
    /// their scope @aws-sdk/ [default: eight that are used most]
    #[arg(long, env = "HEARTH_NODE_SDK_CLIENTS", value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) node_sdk_clients: Vec<String>,
    /// Listen beyond this machine although no key is configured: whoever comes may do everything
    #[arg(long, env = "HEARTH_ALLOW_UNAUTHENTICATED")]
    pub(crate) allow_unauthenticated: bool,
    /// Let `hearth fault` make things go wrong in functions, for tests of how they and their extensions take it
    #[arg(long, env = "HEARTH_ALLOW_FAULT_INJECTION")]
    pub(crate) allow_fault_injection: bool,
    /// What functions may do with Hearth's own API, with commas between: actions as in AWS's policies, with ` on own` for
    /// the function's own log group or itself, or none [default: lambda:InvokeFunction,
    /// lambda:CheckpointDurableExecution on own, lambda:GetDurableExecutionState on own, logs:CreateLogStream on own,
    /// logs:PutLogEvents on own]
    #[arg(long, env = "HEARTH_FUNCTION_RIGHTS", value_name = "ACTION,…", value_delimiter = ',')]
    pub(crate) function_rights: Vec<String>,
    /// Where the queues, topics, buses and buckets are that hear of the end of asynchronous events, such as
    /// http://127.0.0.1:5000; https checks certificates against this host's authorities [default: none]
    #[arg(long, env = "HEARTH_AWS_ENDPOINT", value_name = "URL")]
    pub(crate) aws_endpoint: Option<String>,
    /// The region that requests to --aws-endpoint are signed for [default: that of --region]
    #[arg(long, env = "HEARTH_AWS_REGION", value_name = "REGION")]
    pub(crate) aws_region: Option<String>,
    /// The key that requests to --aws-endpoint are signed with
    #[arg(long, env = "HEARTH_AWS_ACCESS_KEY_ID", value_name = "ID")]
    pub(crate) aws_access_key_id: Option<String>,
    /// Its secret. Better as a variable or in the file: whoever is on this machine sees command lines
    #[arg(long, env = "HEARTH_AWS_SECRET_ACCESS_KEY", value_name = "SECRET", hide_env_values = true)]
    pub(crate) aws_secret_access_key: Option<String>,
    /// A file with settings; its keys are the names of these flags [default: hearth.toml, if it is there]
    #[arg(long, env = "HEARTH_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// What stands between the example function and this machine [default: namespaces]
    #[arg(long, env = "HEARTH_ISOLATION", value_enum)]
    pub(crate) isolation: Option<Isolation>,
}

/// What stands between a function and this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Isolation {
    /// Linux namespaces, cgroups and seccomp
    Namespaces,
    /// Nothing: functions are processes of the server's user
    Process,
}

impl From<Isolation> for hearth_server::Isolation {
    fn from(isolation: Isolation) -> Self {
        match isolation {
            Isolation::Namespaces => Self::Namespaces,
            Isolation::Process => Self::Process,
        }
    }
}

/// Which traces that are only passed through go to the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PassThrough {
    /// Every one
    All,
    /// None
    None,
}

/// Whether anything is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Recording {
    /// Everything
    On,
    /// Nothing
    Off,
}

/// Where a function may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Network {
    /// To the internet and the networks around this machine; not to the machine itself, nor to other functions
    Internet,
    /// Nowhere
    None,
}

impl From<Network> for hearth_server::NetworkPolicy {
    fn from(network: Network) -> Self {
        match network {
            Network::Internet => Self::Internet,
            Network::None => Self::None,
        }
    }
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

#[derive(Debug, Args)]
pub(crate) struct CredentialsArguments {
    #[command(subcommand)]
    pub(crate) command: CredentialsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialsCommand {
    /// Make a key and print it; its secret is never shown again. From the first key on, a server asks everybody for one
    Add {
        /// Who is going to use it
        #[arg(value_name = "NAME")]
        name: String,
        /// What they may do
        #[arg(long, value_enum, default_value_t = Policy::Admin)]
        policy: Policy,
        /// Another account than the server's: of what is there, its keys get to what a resource policy lets them to
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// The organization of that account, for `aws:PrincipalOrgID`
        #[arg(long, value_name = "ID")]
        organization_id: Option<String>,
        #[command(flatten)]
        place: CredentialsPlace,
    },
    /// List the keys, without their secrets
    List {
        #[command(flatten)]
        place: CredentialsPlace,
    },
    /// Remove a key. A running server goes on asking for one, also when none is left
    Remove {
        /// Which one
        #[arg(value_name = "ACCESS_KEY_ID")]
        access_key_id: String,
        #[command(flatten)]
        place: CredentialsPlace,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CredentialsPlace {
    /// The data folder of the server, which may be running [default: that of `hearth serve`]
    #[arg(long, env = "HEARTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Text for people, or JSON for programs
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub(crate) output: OutputFormat,
}

/// What the owner of a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// Everything
    Admin,
    /// Call functions
    InvokeOnly,
    /// See everything, change and call nothing
    ReadOnly,
}

impl From<Policy> for hearth_server::Policy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Admin => Self::Admin,
            Policy::InvokeOnly => Self::InvokeOnly,
            Policy::ReadOnly => Self::ReadOnly,
        }
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

/// Reads `ID=PATH`.
fn interpreter(value: &str) -> Result<(String, PathBuf), String> {
    let Some((id, path)) = value.split_once('=').filter(|(_, path)| !path.is_empty()) else {
        return Err("expected ID=PATH, such as nodejs22.x=/opt/node/bin/node".to_owned());
    };
    let runtime = Runtime::parse(id).map_err(|error| error.to_string())?;
    Ok((runtime.to_string(), path.into()))
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

    #[test]
    fn an_interpreter_is_a_known_runtime_and_a_path() {
        assert_eq!(interpreter("python3.11=/bin/py"), Ok(("python3.11".to_owned(), "/bin/py".into())));
        assert_eq!(interpreter("node=/bin/node"), Err("`node` is not a runtime identifier".to_owned()));
        assert!(interpreter("python3.11").is_err() && interpreter("python3.11=").is_err());
    }
}
