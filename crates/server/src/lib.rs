//! The composition root: puts a server together, serves it, and ends it in order.

mod deployment;
mod descriptors;
mod event_clock;
mod insight;
mod offline;
mod runtimes;
mod settings;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hearth_aws_wire::{Peer, Response, Server, ServerSettings};
use hearth_cloudwatch_logs::CloudWatchLogs;
use hearth_code::{Packages, PackagesError};
use hearth_function_url::{Address, FunctionUrls};
use hearth_functions::{Functions, FunctionsSettings, Layers, OpenError};
use hearth_invoke::{Concurrency, EventQueue, Invoker};
use hearth_lambda_api::LambdaApi;
use hearth_pool::{Pool, PoolParts, PoolSettings};
use hearth_runtimes::{RuntimePackages, Runtimes};
pub use hearth_sandbox::Isolation;
use hearth_sandbox::namespaces::NamespaceSandboxes;
use hearth_sandbox::process::ProcessSandboxes;
use hearth_sandbox::{SandboxError, Sandboxes};
use hearth_store::embedded::EmbeddedStore;
use hearth_store::{LocalBlobStore, StoreError};
use hearth_telemetry::{Clock, LogStore, LogStoreError, LogStoreSettings, Recorder};
use hearth_types::{AccountId, Architecture, NameError, Region, Runtime, UnknownRuntime};
use http::Request;
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use deployment::{HostDeployment, runtime_ready};
use event_clock::SteadyClock;
use insight::Insight;
use runtimes::{Installations, RuntimesApi};

pub use hearth_runtimes::{
    InstallError, InstallOptions, NODE_SDK_CLIENTS_DEFAULT, Progress, Watcher, node_sdk_clients,
};
pub use offline::{OfflineRuntimes, list_runtimes};
pub use settings::Settings;

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error("a setting is wrong")]
    Name(#[from] NameError),
    /// An interpreter was named for a runtime that does not exist.
    #[error("an interpreter was named for no runtime")]
    Interpreter(#[from] UnknownRuntime),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error("cannot use the data folder")]
    Store(#[from] StoreError),
    /// The functions in it cannot be read.
    #[error("cannot read the functions of the data folder")]
    Functions(#[from] OpenError),
    /// The packages in it cannot be used.
    #[error("cannot use the packages of the data folder")]
    Packages(#[from] PackagesError),
    /// The runtime packages in it cannot be used.
    #[error("cannot use the runtime packages of the data folder")]
    Runtimes(#[source] InstallError),
    /// The logs in it cannot be used.
    #[error("cannot use the logs of the data folder")]
    Logs(#[from] LogStoreError),
    /// Functions cannot be run.
    #[error("cannot run functions")]
    Sandbox(#[from] SandboxError),
}

impl StartError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                Some("another program listens there; stop it, or name another address with `--listen`")
            }
            Self::Store(error) | Self::Functions(OpenError::Store(error)) => error.hint(),
            Self::Runtimes(error) => error.hint(),
            Self::Sandbox(error) => error.hint(),
            Self::Name(_)
            | Self::Interpreter(_)
            | Self::Listen { .. }
            | Self::Functions(_)
            | Self::Packages(_)
            | Self::Logs(_) => None,
        }
    }
}

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
    logs: Arc<LogStore>,
    packages: Packages,
    runtimes: Arc<RuntimesApi>,
    store: Arc<EmbeddedStore>,
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
    let address = settings.listen;
    let cannot_listen = |source| StartError::Listen { address, source };
    let listener = hearth_aws_wire::listen(address).map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;

    let logs = LogStore::open(
        &data.join("logs"),
        LogStoreSettings {
            retention: settings.log_retention,
            group_bytes_max: settings::LOG_GROUP_BYTES_MAX,
        },
        clock,
    )?;
    let objects = LocalBlobStore::open(&data.join("objects"))?;
    let half_written_objects = objects.half_written();
    let packages = Packages::open(data, Arc::new(objects))?;
    let objects = Arc::new(LocalBlobStore::open(&data.join("runtimes/objects"))?);
    let runtime_packages = RuntimePackages::open(runtimes.clone(), objects).await;
    let runtime_packages = Arc::new(runtime_packages.map_err(StartError::Runtimes)?);
    let sandboxes: Arc<dyn Sandboxes> = match settings.isolation {
        Isolation::Process => Arc::new(ProcessSandboxes::start(&data.join("run"))?),
        Isolation::Namespaces => Arc::new(NamespaceSandboxes::start(&data.join("run")).await?),
    };
    let environments = sandboxes.left_over();
    let recorder = Arc::new(Recorder::default());
    let pool = Pool::start(PoolParts {
        settings: PoolSettings {
            account: account.clone(),
            region: region.clone(),
            idle_timeout: settings.idle_timeout,
            cold_starts_max: settings.cold_starts_max,
            environments_max: settings.account_concurrency as usize,
            drain_limit: settings::DRAIN_LIMIT,
            ending_limit: settings::ENDING_LIMIT,
        },
        sandboxes,
        runtimes: runtimes.clone(),
        logs: logs.clone(),
        recorder: recorder.clone(),
        clock,
    });

    let deployment = Arc::new(HostDeployment {
        packages: packages.clone(),
        runtimes: runtimes.clone(),
        runtime_packages: runtime_packages.clone(),
    });
    let wall_clock: Arc<dyn hearth_functions::Clock> = Arc::new(WallClock(clock));
    let ours = FunctionsSettings { region: region.clone(), account: account.clone() };
    let layers = Layers::open(store.clone(), deployment.clone(), ours.clone(), wall_clock.clone()).await?;
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

    let invoker = Arc::new(Invoker::new(
        functions.clone(),
        Concurrency::new(settings.account_concurrency),
        pool.clone(),
    ));
    let events = EventQueue::start(invoker.clone(), store.clone(), Arc::new(SteadyClock::new(clock)));
    let runtimes_api = Arc::new(RuntimesApi {
        runtimes: runtimes.clone(),
        packages: runtime_packages,
        functions: functions.clone(),
        clock,
        node_sdk_clients: settings.node_sdk_clients,
        installations: Installations::default(),
    });
    let cloudwatch_logs = CloudWatchLogs::new(logs.clone(), clock, region.clone(), account);
    let runtime_version_arn =
        Box::new(move |runtime| runtimes.runtime_version(runtime).map(|version| version.arn(&region)));
    let function_urls = FunctionUrls::new(functions.clone(), invoker.clone(), wall_clock.clone());
    let api = LambdaApi::new(
        functions.clone(),
        layers,
        invoker,
        events.clone(),
        wall_clock,
        host_architecture(),
        runtime_version_arn,
    );
    let insight = Insight {
        functions,
        pool: pool.clone(),
        events: events.clone(),
        recorder,
        logs: logs.clone(),
        clock,
    };
    let front =
        Arc::new(Front { api, function_urls, cloudwatch_logs, insight, runtimes: runtimes_api.clone() });

    let (stop, stopped) = watch::channel(false);
    let mut limits = ServerSettings::default();
    limits.connections_max = descriptors::room_for_connections(limits.connections_max);
    let server = Server { settings: limits };
    let answer = move |request| {
        let front = front.clone();
        async move { front.answer(request).await }
    };
    let serving = tokio::spawn(server.serve(listener, answer, stopped));
    tracing::info!(%address, "server ready");
    Ok(Running { address, stop, serving, pool, events, logs, packages, runtimes: runtimes_api, store })
}

impl Running {
    /// Returns the URL for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more requests, lets invocations finish, ends every environment, and closes what is kept.
    pub async fn drain(self) -> Result<(), DrainError> {
        // What is dropped from now on stays on disk: the functions are only not running.
        self.packages.keep_all();
        let _ = self.stop.send(true);
        self.events.stop();
        self.runtimes.installations.stop().await;
        self.pool.drain().await;
        self.events.drain().await;
        // Answers are on their way; a client that does not take its own is not waited for.
        let served = tokio::time::timeout(settings::ENDING_LIMIT, self.serving).await;
        let (logs, store) = (self.logs, self.store);
        let closed = tokio::task::spawn_blocking(move || {
            logs.close();
            store.close();
        })
        .await;
        served.unwrap_or(Ok(())).and(closed).map_err(DrainError)
    }
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
    Ok(Runtimes::new(hearth_runtimes::Settings {
        data_dir: data.to_owned(),
        path: settings.path.clone(),
        interpreters,
    }))
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

/// What stands behind the listener: the APIs of Lambda and CloudWatch Logs, the URLs of functions, and Hearth's own.
struct Front {
    api: LambdaApi,
    function_urls: FunctionUrls,
    cloudwatch_logs: Arc<CloudWatchLogs>,
    insight: Insight,
    runtimes: Arc<RuntimesApi>,
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        if let Some(address) = Address::of_host(request.headers(), request.uri()) {
            return self.function_urls.answer(address, Peer::of(&request), request).await;
        }
        let Some(path) = request.uri().path().strip_prefix("/_hearth/") else {
            return match CloudWatchLogs::is_asked(&request) {
                true => self.cloudwatch_logs.answer(request).await,
                false => self.api.answer(request).await,
            };
        };
        let path = path.to_owned();
        let (first, rest) = path.split_once('/').unwrap_or((&path, ""));
        match first {
            "code" => self.api.answer_code(rest).await,
            "runtimes" => self.runtimes.answer(rest, request).await,
            "url" => {
                let peer = Peer::of(&request);
                self.function_urls.answer(Address::of_path(rest), peer, request).await
            }
            _ => self.insight.answer(&path, &request).await,
        }
    }
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
