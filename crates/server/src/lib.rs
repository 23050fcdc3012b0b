//! The composition root: puts a server together, serves it, and ends it in order.

mod code_objects;
mod console_viewer;
mod credentials;
mod deployment;
mod descriptors;
mod event_clock;
mod front;
mod guard;
mod insight;
mod offline;
mod own_api;
mod prometheus;
mod root;
mod runtimes;
mod session_key;
mod settings;
mod start_error;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hearth_auth::Credentials;
pub use hearth_aws_client::{Endpoint, EndpointError, Keys};
use hearth_aws_wire::{Server, ServerSettings};
use hearth_cloudwatch::{CloudWatch, Metrics, MetricsParts};
use hearth_cloudwatch_logs::CloudWatchLogs;
use hearth_code::Packages;
use hearth_console::Console;
use hearth_cost::Prices;
use hearth_destinations::Services;
use hearth_durable::DurableExecutions;
use hearth_event_sources::{EventSources, EventSourcesParts};
use hearth_function_url::{FunctionUrls, Keys as KeysOfUrls};
use hearth_functions::{CodeSigningConfigs, Functions, FunctionsSettings, Layers};
use hearth_iam::Iam;
use hearth_invoke::{
    Concurrency, ConcurrencyLimits, Destinations, DurableFunctions, EventClock, EventQueue, Invoker,
};
use hearth_lambda_api::{LambdaApi, policy_of_function};
use hearth_pool::{InjectedFaults, Pool, PoolParts, PoolSettings};
pub use hearth_pool::{KeepAlive, NetworkPolicies};
use hearth_runtimes::{RuntimePackages, Runtimes};
use hearth_s3::S3;
use hearth_sandbox::namespaces::NamespaceSandboxes;
use hearth_sandbox::process::ProcessSandboxes;
pub use hearth_sandbox::{Facts, Isolation, NetworkPolicy};
use hearth_sandbox::{NetworkFacts, Sandboxes};
use hearth_schedules::Schedules;
use hearth_store::embedded::EmbeddedStore;
use hearth_store::{LocalBlobStore, StoreError};
use hearth_telemetry::journal::{Journal, JournalSettings};
use hearth_telemetry::{Clock, Feed, LogStore, LogStoreSettings, Recorder};
pub use hearth_traces::{Collector, CollectorError};
use hearth_traces::{Origin, Traces};
use hearth_types::limits::REQUEST_BYTES_MAX;
use hearth_types::{AccountId, Architecture, Region, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use code_objects::CodeInS3;
use console_viewer::{AsViewer, Entrance};
use credentials::{AllKeys, KnownCredentials};
use deployment::{HostDeployment, runtime_ready};
use event_clock::SteadyClock;
use front::{Front, Outside};
use guard::Guard;
use insight::{Insight, Live, STATEMENTS_MAX, Scheduling};
use own_api::OwnApis;
use runtimes::{Installations, RuntimesApi};

pub use credentials::{CredentialsError, CredentialsFile, KeyOwner, KnownKey, Policy};
pub use hearth_auth::{Right, RightError, Secret};
pub use hearth_runtimes::{
    InstallError, InstallOptions, NODE_SDK_CLIENTS_DEFAULT, Progress, Watcher, node_sdk_clients,
};
pub use offline::{OfflineRuntimes, list_runtimes};
pub use settings::Settings;
pub use start_error::StartError;

/// Why a server could not end in order.
#[derive(Debug, thiserror::Error)]
#[error("the server did not end in order")]
pub struct DrainError(#[source] tokio::task::JoinError);

/// A server that runs.
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    pool: Arc<Pool>,
    events: Arc<EventQueue>,
    schedules: Arc<Schedules>,
    durable: Arc<DurableExecutions>,
    event_sources: Arc<EventSources>,
    feed: Arc<Feed>,
    metrics: Arc<Metrics>,
    traces: Option<Arc<Traces>>,
    logs: Arc<LogStore>,
    packages: Packages,
    runtimes: Arc<RuntimesApi>,
    store: Arc<EmbeddedStore>,
    walls: Facts,
    /// What environments reach as long as they live.
    front: Arc<Front>,
}

/// Starts a server. It answers when this returns. Needs a Tokio runtime with all drivers.
pub async fn start(settings: Settings) -> Result<Running, StartError> {
    let clock = Clock::new(Instant::now(), epoch_ms);
    let region = Region::new(&settings.region)?;
    let account = AccountId::new(&settings.account)?;

    // First what can refuse for an operator's reason: the data folder, then the address.
    let data = &absolute_data_dir(&settings)?;
    let runtimes = Arc::new(runtimes_of(&settings, data)?);
    let store = Arc::new(EmbeddedStore::open(data)?);
    let credentials = KnownCredentials::open(data, account.clone())?;
    let session_key = session_key::open(data)?;
    let address = settings.listen;
    if !address.ip().is_loopback() && !credentials.are_required() {
        if !settings.allow_unauthenticated {
            return Err(StartError::Open { address });
        }
        tracing::warn!(%address, "whoever reaches this address may do everything: no keys are configured");
    }
    let cannot_listen = |source| StartError::Listen { address, source };
    let listener = hearth_aws_wire::listen(address).map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;

    let logs = LogStore::open(
        &data.join("logs"),
        LogStoreSettings {
            retention: settings.log_retention,
            group_bytes_max: settings.log_group_mb.saturating_mul(1 << 20),
        },
        clock,
    )?;
    let objects = LocalBlobStore::open(&data.join("objects"))?;
    let half_written_objects = objects.half_written();
    let packages = Packages::open(data, Arc::new(objects))?;
    let s3_objects = Arc::new(LocalBlobStore::open(&data.join("s3/objects"))?);
    let objects = Arc::new(LocalBlobStore::open(&data.join("runtimes/objects"))?);
    let runtime_packages = RuntimePackages::open(runtimes.clone(), objects).await;
    let runtime_packages = Arc::new(runtime_packages.map_err(StartError::Runtimes)?);
    let sandboxes: Arc<dyn Sandboxes> = match settings.isolation {
        Isolation::Process => Arc::new(ProcessSandboxes::start(&data.join("run"))?),
        Isolation::Namespaces => {
            let sandboxes = NamespaceSandboxes::start(&data.join("run"), settings.networks.most()).await?;
            tell_about(sandboxes.network());
            Arc::new(sandboxes)
        }
    };
    let environments = sandboxes.left_over();
    let walls = sandboxes.facts();
    let recorder = Arc::new(Recorder::default());
    let feed = if settings.recording {
        Feed::start(clock).map_err(StartError::Thread)?
    } else {
        Feed::silent(clock)
    };
    let journal_settings = JournalSettings {
        retention: settings.journal_retention,
        bytes_max: settings.journal_mb.saturating_mul(1 << 20),
    };
    let journal = Journal::open_with(&data.join("journal"), journal_settings).map_err(StartError::Journal)?;
    feed.add(journal.writer(clock));
    let prices = Arc::new(prices_of(&settings)?);
    let live = Live::new(clock, prices.clone());
    feed.add(live.counter());
    {
        let (live, journal, now_epoch_ms) = (live.clone(), journal.clone(), clock.epoch_ms());
        tokio::task::spawn_blocking(move || live.count_what_was_before(&journal, now_epoch_ms));
    }
    let environments_memory_bytes = settings.environments_memory_bytes();
    let traces = settings.collector.map(|collector| {
        let origin = Origin { region: region.clone(), account: account.clone() };
        let (traces, listener) = hearth_traces::start(collector, origin, clock);
        feed.add(listener);
        traces
    });
    let limits = ConcurrencyLimits {
        account_max: settings.account_concurrency,
        requests_per_unit: Some(settings.requests_per_concurrency),
        environments_per_10_s: Some(settings.environments_per_10_s),
    };
    let concurrency = Concurrency::with_limits(limits, move || clock.now());
    let metrics = Metrics::start(MetricsParts {
        folder: data.join("metrics"),
        clock,
        feed: feed.clone(),
        concurrency: concurrency.clone(),
    })?;
    let front_inside = Arc::new(OnceLock::new());
    let own_api = Arc::new(OwnApis {
        front: front_inside.clone(),
        clock,
        region: region.clone(),
        rights: settings.function_rights.clone(),
    });
    let deployment = Arc::new(HostDeployment {
        packages: packages.clone(),
        runtimes: runtimes.clone(),
        runtime_packages: runtime_packages.clone(),
    });
    let faults = settings.allow_fault_injection.then(|| Arc::new(InjectedFaults::default()));
    let pool = Pool::start(PoolParts {
        settings: PoolSettings {
            account: account.clone(),
            region: region.clone(),
            log_cold_starts: settings.log_cold_starts,
            snap_start: settings.snap_start,
            idle_timeout: settings.idle_timeout,
            keep_alive: settings.keep_alive,
            memory_bytes_max: environments_memory_bytes,
            waits_for_processors: settings.waits_for_processors,
            networks: settings.networks.clone(),
            cold_starts_max: settings.cold_starts_max,
            preboot: settings.preboot,
            not_prebooted: settings.not_prebooted.clone(),
            environments_max: settings.account_concurrency as usize,
            keep_passed_through_traces: settings.keep_passed_through_traces,
            drain_limit: settings::DRAIN_LIMIT,
            ending_limit: settings::ENDING_LIMIT,
        },
        sandboxes,
        own_api,
        code: deployment.clone(),
        runtimes: runtimes.clone(),
        logs: logs.clone(),
        recorder: recorder.clone(),
        feed: feed.clone(),
        concurrency: concurrency.clone(),
        clock,
        faults: faults.clone(),
    });

    let wall_clock: Arc<dyn hearth_functions::Clock> = Arc::new(WallClock(clock));
    let iam =
        Iam::open(store.clone(), store.clone(), account.clone(), wall_clock.clone(), session_key).await?;
    let s3 = S3::open(store.clone(), s3_objects, wall_clock.clone(), region.clone()).await?;
    let ours = FunctionsSettings { region: region.clone(), account: account.clone() };
    let layers = Layers::open(store.clone(), deployment.clone(), ours.clone(), wall_clock.clone()).await?;
    let code_signing = CodeSigningConfigs::open(store.clone(), ours.clone(), wall_clock.clone()).await?;
    let functions = Functions::open(store.clone(), deployment, ours, wall_clock.clone()).await?;
    let unsettled_functions =
        functions.list(None, usize::MAX).0.iter().filter(|function| function.is_settling()).count();
    functions.set_listener(pool.clone());
    prepare_runtimes(&functions, &runtimes, &runtime_packages).await;
    functions.settle_again(|_| true).await;
    let mut unused_packages = 0;
    if functions.misses_code() || layers.misses_code() {
        tracing::warn!(
            "some code could not be opened; packages that look unused are kept until the next start"
        );
    } else {
        unused_packages = packages.sweep().await?;
    }
    if !store.ended_in_order() {
        tracing::warn!(
            environments,
            half_written_objects,
            unused_packages,
            unsettled_functions,
            "the last server did not end in order; what it left behind is removed, what it had begun goes on"
        );
    }

    let invoker = Arc::new(Invoker::new(functions.clone(), concurrency.clone(), pool.clone()));
    invoker.set_meter(metrics.clone());
    functions.set_concurrency_listener(invoker.clone());
    if let Some(faults) = &faults {
        tracing::warn!("faults may be injected into functions: whoever may change things here can");
        invoker.set_injected_throttles(faults.clone());
    }
    let event_clock: Arc<dyn EventClock> = Arc::new(SteadyClock::new(clock));
    let event_sources = EventSources::open(EventSourcesParts {
        store: store.clone(),
        functions: functions.clone(),
        invoker: invoker.clone(),
        clock: event_clock.clone(),
        wall_clock: wall_clock.clone(),
        endpoint: settings.aws_endpoint.clone(),
    })
    .await?;
    let services = settings
        .aws_endpoint
        .map(|endpoint| -> Arc<dyn Destinations> { Arc::new(Services::new(endpoint, event_clock.clone())) });
    let has_services = services.is_some();
    let durable = Arc::new(DurableExecutions::new(
        invoker.clone(),
        functions.clone(),
        store.clone(),
        event_clock.clone(),
    ));
    let of_invoker: Arc<dyn DurableFunctions> = durable.clone();
    invoker.set_durable(Arc::downgrade(&of_invoker));
    drop(of_invoker);
    let events = EventQueue::start(invoker.clone(), store.clone(), event_clock.clone(), services);
    let ours = (region.clone(), account.clone());
    let schedules = Schedules::start(store.clone(), ours, event_clock, events.clone()).await?;
    let waiting = events.counts().await?.deliveries;
    if waiting > 0 && !has_services {
        tracing::warn!(
            waiting,
            "messages to destinations wait, and no `aws-endpoint` is set to bring them to"
        );
    }
    let runtimes_api = Arc::new(RuntimesApi {
        runtimes: runtimes.clone(),
        packages: runtime_packages,
        functions: functions.clone(),
        clock,
        node_sdk_clients: settings.node_sdk_clients,
        installations: Installations::default(),
    });
    let cloudwatch_logs = CloudWatchLogs::new(logs.clone(), clock, region.clone(), account.clone());
    let cloudwatch = CloudWatch::new(metrics.clone(), clock, region.clone(), account.clone());
    let guarded_region = region.clone();
    let console_region = region.clone();
    let runtime_version_arn =
        Box::new(move |runtime| runtimes.runtime_version(runtime).map(|version| version.arn(&region)));
    let keys = KeysOfUrls {
        credentials: credentials.clone(),
        are_required: {
            let credentials = credentials.clone();
            Box::new(move || credentials.are_required())
        },
        policies: {
            let functions = functions.clone();
            Box::new(move |name, qualifier| policy_of_function(&functions, name, qualifier))
        },
    };
    let function_urls = FunctionUrls::new(functions.clone(), invoker.clone(), wall_clock.clone(), keys);
    let api = LambdaApi::new(
        functions.clone(),
        layers,
        invoker,
        events.clone(),
        code_signing,
        wall_clock,
        host_architecture(),
        runtime_version_arn,
    )
    .with_code_objects(Arc::new(CodeInS3(s3.clone())))
    .with_code_bytes_max(settings.code_storage_mb.saturating_mul(1 << 20))
    .with_durable(durable.clone())
    .with_event_sources(event_sources.clone());
    let insight = Insight {
        functions,
        pool: pool.clone(),
        events: events.clone(),
        recorder,
        feed: feed.clone(),
        journal,
        prices,
        live,
        statements: Arc::new(Semaphore::new(STATEMENTS_MAX)),
        metrics: metrics.clone(),
        concurrency,
        logs: logs.clone(),
        log_bytes: prometheus::LogBytes::default(),
        clock,
        walls: walls.clone(),
        scheduling: Scheduling {
            idle_timeout: settings.idle_timeout,
            cold_starts_max: settings.cold_starts_max,
            environments_max: settings.account_concurrency as usize,
        },
        flames: Arc::default(),
        faults,
    };
    let sessions = iam.sessions().clone();
    let front = Arc::new(Front {
        api,
        function_urls,
        cloudwatch,
        cloudwatch_logs,
        iam,
        s3,
        account,
        schedules: schedules.clone(),
        clock,
        insight,
        runtimes: runtimes_api.clone(),
    });

    let _ = front_inside.set(Arc::downgrade(&front));
    durable.go_on().await?;

    let (stop, stopped) = watch::channel(false);
    let mut limits = ServerSettings::default();
    limits.connections_max = descriptors::room_for_connections(limits.connections_max);
    let server = Server { settings: limits };
    let keys: Arc<dyn Credentials> = Arc::new(AllKeys { known: credentials.clone(), sessions });
    let guard = Guard::new(clock, guarded_region, keys, REQUEST_BYTES_MAX);
    let outside = Arc::new(Outside { front: front.clone(), credentials: credentials.clone(), guard });
    let as_viewer = AsViewer { outside: outside.clone(), credentials, region: console_region, clock };
    let console = Console::new(Arc::new(as_viewer), stopped.clone()).map_err(StartError::Console)?;
    let entrance = Arc::new(Entrance { outside, console });
    let answer = move |request| {
        let entrance = entrance.clone();
        async move { entrance.answer(request).await }
    };
    let serving = tokio::spawn(server.serve(listener, answer, stopped));
    hearth_sandbox::give_back_start_pages();
    tracing::info!(%address, "server ready");
    Ok(Running {
        address,
        stop,
        serving,
        pool,
        events,
        schedules,
        durable,
        event_sources,
        feed,
        metrics,
        traces,
        logs,
        packages,
        runtimes: runtimes_api,
        store,
        walls,
        front,
    })
}

impl Running {
    /// Returns the URL for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns what keeps functions away from this host and from each other, and what does not.
    pub fn walls(&self) -> &Facts {
        &self.walls
    }

    /// Takes no more requests, lets invocations finish, ends every environment, and closes what is kept.
    pub async fn drain(self) -> Result<(), DrainError> {
        // What is dropped from now on stays on disk: the functions are only not running.
        self.packages.keep_all();
        let _ = self.stop.send(true);
        self.schedules.stop().await;
        self.events.stop();
        self.front.cloudwatch_logs.stop();
        self.durable.stop();
        self.event_sources.stop();
        self.runtimes.installations.stop().await;
        self.pool.drain().await;
        self.events.drain().await;
        self.durable.drain().await;
        self.event_sources.drain().await;
        // Answers are on their way; a client that does not take its own is not waited for.
        let served = tokio::time::timeout(settings::ENDING_LIMIT, self.serving).await;
        let (feed, metrics, logs, store) = (self.feed, self.metrics, self.logs, self.store);
        let closed = tokio::task::spawn_blocking(move || {
            feed.close();
            metrics.close();
            logs.close();
            store.close();
        })
        .await;
        // The feed has told them of the last invocations.
        if let Some(traces) = self.traces {
            traces.close().await;
        }
        served.unwrap_or(Ok(())).and(closed).map_err(DrainError)
    }
}

/// Says what functions reach, and what was left of the networks of servers that did not end in order.
fn tell_about(network: &NetworkFacts) {
    tracing::info!(network = %network, "the network of functions is ready");
    if let NetworkFacts::Internet { left_over, warnings, .. } = network {
        if *left_over > 0 {
            tracing::warn!(
                networks = left_over,
                "servers that had ended left networks behind, which are removed"
            );
        }
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    }
}

/// Reads the prices that the operator has named, or takes those that come with Hearth.
fn prices_of(settings: &Settings) -> Result<Prices, StartError> {
    let Some(file) = &settings.prices else { return Ok(Prices::ours()) };
    let text = std::fs::read_to_string(file)
        .map_err(|source| StartError::UnreadablePrices { file: file.clone(), source })?;
    Prices::parse(&text).map_err(|source| StartError::Prices { file: file.clone(), source })
}

/// Returns where the data is. Absolute, because functions start in folders of their own.
fn absolute_data_dir(settings: &Settings) -> Result<PathBuf, StoreError> {
    let path = &settings.data_dir;
    std::path::absolute(path).map_err(|source| StoreError::Io { path: path.clone(), source })
}

/// Returns the runtimes of a data folder, having looked at none of them.
fn runtimes_of(settings: &Settings, data: &Path) -> Result<Runtimes, StartError> {
    let mut interpreters = std::collections::BTreeMap::new();
    for (identifier, program) in &settings.interpreters {
        interpreters.insert(Runtime::parse(identifier)?, program.clone());
    }
    let runtimes = Runtimes::new(hearth_runtimes::Settings {
        data_dir: data.to_owned(),
        path: settings.path.clone(),
        interpreters,
    });
    Ok(runtimes.node_code_cache(settings.node_code_cache))
}

/// Makes the runtimes of the functions that are there ready, so that no first call has to.
async fn prepare_runtimes(functions: &Functions, runtimes: &Arc<Runtimes>, packages: &RuntimePackages) {
    let (all, _) = functions.list(None, usize::MAX);
    let used: std::collections::BTreeSet<Runtime> =
        all.iter().map(|function| function.configuration.runtime).collect();
    let preparing = used.into_iter().map(async |runtime| {
        if let Err(reason) = runtime_ready(runtimes, packages, runtime).await {
            tracing::warn!(%runtime, reason, "functions of this runtime cannot be called");
        }
    });
    futures_util::future::join_all(preparing).await;
}

/// The wall clock for those who need only that.
struct WallClock(Clock);

impl hearth_functions::Clock for WallClock {
    fn epoch_ms(&self) -> i64 {
        self.0.epoch_ms()
    }
}

/// Reads the wall clock. The only place that does.
fn epoch_ms() -> i64 {
    fail::fail_point!("server::wall_clock", |jump_ms| now_ms()
        + jump_ms.and_then(|jump| jump.parse::<i64>().ok()).unwrap_or(0));
    now_ms()
}

#[allow(clippy::disallowed_methods, reason = "the clock that everybody else is handed")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// The instruction set of this program, and so of what it can run.
const fn host_architecture() -> Architecture {
    if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 }
}
