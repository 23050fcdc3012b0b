//! The settings of a server. Nobody below reads configuration: `cli` gathers it and hands it in here.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hearth_auth::Right;
use hearth_aws_client::Endpoint;
use hearth_pool::{KeepAlive, NetworkPolicies};
use hearth_runtimes::NODE_SDK_CLIENTS_DEFAULT;
use hearth_sandbox::{HostMemoryFiles, Isolation};
use hearth_traces::Collector;
use hearth_types::{FunctionName, limits};

/// How long running invocations may take when the server stops.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// How long environments may take to end when the server stops: what their extensions have, and a margin.
pub(crate) const ENDING_LIMIT: Duration = Duration::from_secs(4);

/// Everything a server can be told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// What stands between functions and this machine.
    pub isolation: Isolation,
    /// Where the connections of functions may go.
    pub networks: NetworkPolicies,
    /// The region that ARNs and functions show.
    pub region: String,
    /// The account that owns everything: twelve digits.
    pub account: String,
    /// Concurrent executions of the account.
    pub account_concurrency: u32,
    /// Requests a second that a function takes for each unit of its concurrency.
    pub requests_per_concurrency: u32,
    /// Room for the packages of functions, their versions and layers, in MB.
    pub code_storage_mb: u64,
    /// New environments that a function may have in ten seconds.
    pub environments_per_10_s: u32,
    /// How long an environment may be idle before it is ended.
    pub idle_timeout: Duration,
    /// What decides how long: that, or what is known of each function.
    pub keep_alive: KeepAlive,
    /// How much memory environments may have together, in MB: 0 for as much as they want, `None` for most of the host's.
    pub environments_memory_mb: Option<u64>,
    /// Whether a cold start waits for a moment while all processors are busy.
    pub waits_for_processors: bool,
    /// How many Init phases run at once.
    pub cold_starts_max: usize,
    /// How many threads serve, for whoever makes the Tokio runtime; `None`: one a processor.
    pub threads: Option<usize>,
    /// How many booted runtimes of each version that is in use wait for their Init.
    pub preboot: usize,
    /// Functions of which none does.
    pub not_prebooted: BTreeSet<FunctionName>,
    /// How long logs are kept.
    pub log_retention: Duration,
    /// Whether the logs of functions say why an invocation was cold. AWS's do not.
    pub log_cold_starts: bool,
    /// Whether snapshots are taken of published versions with SnapStart.
    pub snap_start: bool,
    /// How long the journal of invocations is kept.
    pub journal_retention: Duration,
    /// How much room the journal may take, in MB.
    pub journal_mb: u64,
    /// A file with prices to take in place of those that come with Hearth.
    pub prices: Option<PathBuf>,
    /// How much log a log group keeps at most, in MB; the oldest goes first.
    pub log_group_mb: u64,
    /// Where traces go.
    pub collector: Option<Collector>,
    /// Whether traces are kept of functions that only pass them through, when no caller has decided.
    pub keep_passed_through_traces: bool,
    /// Whether anything is recorded: the journal, metrics, traces, and what the platform says in logs. Off only to measure
    /// what that costs.
    pub recording: bool,
    /// Where interpreters are looked for: a `PATH`.
    pub path: OsString,
    /// Interpreters that are named rather than looked for, by runtime identifier.
    pub interpreters: BTreeMap<String, PathBuf>,
    /// Whether to listen where others than this machine's users come, although no key is configured.
    pub allow_unauthenticated: bool,
    /// Whether faults may be injected into functions.
    pub allow_fault_injection: bool,
    /// What functions may do with Hearth's own API: actions as in AWS's policies. See [`hearth_auth::Right`].
    pub function_rights: Arc<[Right]>,
    /// Where queues, topics, buses and buckets are that hear of the end of asynchronous events.
    pub aws_endpoint: Option<Endpoint>,
    /// Whether Node.js is given its runtime client compiled.
    pub node_code_cache: bool,
    /// Packages of the AWS SDK for JavaScript that are installed with a runtime for Node.js.
    pub node_sdk_clients: Vec<String>,
}

impl Settings {
    /// Settings with every default, for a server that keeps its data in `data_dir`.
    pub fn new(data_dir: PathBuf, path: OsString) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4566)),
            data_dir,
            isolation: Isolation::Namespaces,
            networks: NetworkPolicies::default(),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            account_concurrency: limits::ACCOUNT_CONCURRENCY_DEFAULT,
            requests_per_concurrency: limits::REQUESTS_PER_CONCURRENCY_DEFAULT,
            code_storage_mb: limits::TOTAL_CODE_BYTES_MAX >> 20,
            environments_per_10_s: limits::ENVIRONMENTS_PER_10_S_DEFAULT,
            idle_timeout: Duration::from_secs(600),
            keep_alive: KeepAlive::Fixed,
            environments_memory_mb: None,
            waits_for_processors: true,
            cold_starts_max: 32,
            threads: None,
            preboot: 0,
            not_prebooted: BTreeSet::new(),
            log_retention: Duration::from_secs(14 * 86_400),
            log_cold_starts: false,
            snap_start: true,
            journal_retention: Duration::from_secs(30 * 86_400),
            journal_mb: 4_096,
            prices: None,
            log_group_mb: 16_384,
            collector: None,
            keep_passed_through_traces: false,
            recording: true,
            path,
            interpreters: BTreeMap::new(),
            allow_unauthenticated: false,
            allow_fault_injection: false,
            function_rights: Right::of_functions(),
            aws_endpoint: None,
            node_code_cache: true,
            node_sdk_clients: NODE_SDK_CLIENTS_DEFAULT.iter().map(|&client| client.to_owned()).collect(),
        }
    }

    /// Returns how much memory environments may have together, in bytes; `None` for as much as they want, also where the
    /// host does not say how much it has.
    pub(crate) fn environments_memory_bytes(&self) -> Option<u64> {
        match self.environments_memory_mb {
            Some(0) => None,
            Some(mb) => Some(mb.saturating_mul(1 << 20)),
            // The rest is for the page cache, which all of them share, the server, and everybody else.
            None => HostMemoryFiles::find().read().map(|host| host.bytes / 5 * 4),
        }
    }
}
