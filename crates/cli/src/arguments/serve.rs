//! What `hearth serve` can be told.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hearth_types::Runtime;

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
    /// What decides how long: the idle time-out, or the idle times of each function [default: fixed]
    #[arg(long, env = "HEARTH_KEEP_ALIVE", value_enum)]
    pub(crate) keep_alive: Option<KeepAlive>,
    /// Memory that all environments may have together, in MB; those that are worth least end before there is more, and 0 is
    /// no limit [default: four fifths of this machine's, or of what the server's cgroup may have]
    #[arg(long, env = "HEARTH_ENVIRONMENTS_MEMORY_MB", value_name = "MB")]
    pub(crate) environments_memory_mb: Option<u64>,
    /// Whether a cold start waits for a moment while all processors are busy, for an environment that is about to be free
    /// and for other cold starts [default: on]
    #[arg(long, env = "HEARTH_WAIT_FOR_PROCESSORS", value_enum)]
    pub(crate) wait_for_processors: Option<OnOff>,
    /// How many cold starts run at once [default: 32]
    #[arg(long, env = "HEARTH_COLD_STARTS_MAX", value_name = "N")]
    pub(crate) cold_starts_max: Option<usize>,
    /// Threads that serve calls [default: one a processor]
    #[arg(long, env = "HEARTH_THREADS", value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// How many booted runtimes wait for each Node.js or Python function that is in use, so that its next cold call
    /// finds one; 0 for none [default: 0]
    #[arg(long, env = "HEARTH_PREBOOT", value_name = "N")]
    pub(crate) preboot: Option<usize>,
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
    /// Whether Node.js is given its runtime client compiled, so that a cold start compiles less [default: true]
    #[arg(long, env = "HEARTH_NODE_CODE_CACHE", value_name = "BOOL")]
    pub(crate) node_code_cache: Option<bool>,
    /// Keep and show SnapStart without doing anything about it: every version begins with Init
    #[arg(long, env = "HEARTH_IGNORE_SNAP_START")]
    pub(crate) ignore_snap_start: bool,
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

/// What decides how long an idle environment is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeepAlive {
    /// The idle time-out
    Fixed,
    /// As long as nearly all idle times that its function has had, up to an hour; the idle time-out until ten are known
    Histogram,
}

impl From<KeepAlive> for hearth_server::KeepAlive {
    fn from(keep_alive: KeepAlive) -> Self {
        match keep_alive {
            KeepAlive::Fixed => Self::Fixed,
            KeepAlive::Histogram => Self::Histogram,
        }
    }
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnOff {
    /// It is
    On,
    /// It is not
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
    use super::*;

    #[test]
    fn an_interpreter_is_a_known_runtime_and_a_path() {
        assert_eq!(interpreter("python3.11=/bin/py"), Ok(("python3.11".to_owned(), "/bin/py".into())));
        assert_eq!(interpreter("node=/bin/node"), Err("`node` is not a runtime identifier".to_owned()));
        assert!(interpreter("python3.11").is_err() && interpreter("python3.11=").is_err());
    }
}
