//! The composition root: puts a server together, serves it, and ends it in order.

mod code_objects;
mod credentials;
mod deployment;
mod descriptors;
mod event_clock;
mod guard;
mod insight;
mod offline;
mod own_api;
mod root;
mod runtimes;
mod settings;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hearth_auth::{Asked, Credentials, Resource};
use hearth_aws_wire::{Peer, Response, Server, ServerSettings, drop_body};
use hearth_cloudwatch_logs::CloudWatchLogs;
use hearth_code::{Packages, PackagesError};
use hearth_destinations::Services;
pub use hearth_destinations::{Endpoint, EndpointError, Keys};
use hearth_function_url::{Address, FunctionUrls, Keys as KeysOfUrls};
use hearth_functions::{CodeSigningConfigs, Functions, FunctionsSettings, Layers, OpenError};
use hearth_iam::Iam;
use hearth_invoke::{Concurrency, ConcurrencyLimits, Destinations, EventClock, EventQueue, Invoker};
use hearth_lambda_api::LambdaApi;
pub use hearth_pool::NetworkPolicies;
use hearth_pool::{Pool, PoolParts, PoolSettings};
use hearth_runtimes::{RuntimePackages, Runtimes};
use hearth_s3::S3;
use hearth_sandbox::namespaces::NamespaceSandboxes;
use hearth_sandbox::process::ProcessSandboxes;
pub use hearth_sandbox::{Facts, Isolation, NetworkPolicy};
use hearth_sandbox::{NetworkFacts, SandboxError, Sandboxes};
use hearth_store::embedded::EmbeddedStore;
use hearth_store::{LocalBlobStore, StoreError};
use hearth_telemetry::{Clock, LogStore, LogStoreError, LogStoreSettings, Recorder};
use hearth_types::limits::REQUEST_BYTES_MAX;
use hearth_types::{AccountId, Architecture, NameError, Region, Runtime, UnknownRuntime};
use http::{Method, Request};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use code_objects::CodeInS3;
use credentials::{AllKeys, KnownCredentials};
use deployment::{HostDeployment, runtime_ready};
use event_clock::SteadyClock;
use guard::Guard;
use insight::Insight;
use own_api::OwnApis;
use runtimes::{Installations, RuntimesApi};

pub use credentials::{CredentialsError, CredentialsFile, KnownKey, Policy};
pub use hearth_auth::{Right, RightError, Secret};
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
    /// The keys in it cannot be used.
    #[error("cannot use the keys of the data folder")]
    Credentials(#[from] CredentialsError),
    /// Everybody who reaches that address could do everything.
    #[error(
        "{address} can be reached from other machines, and there are no keys that callers would have to have"
    )]
    Open {
        /// Which address.
        address: SocketAddr,
    },
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
            Self::Credentials(error) => error.hint(),
            Self::Open { .. } => Some(
                "make a key with `hearth credentials add NAME`, listen on 127.0.0.1, or say `--allow-unauthenticated` where \
                 only those come who may do everything",
            ),
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
    walls: Facts,
    /// What environments reach as long as they live.
    _front: Arc<Front>,
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
            group_bytes_max: settings::LOG_GROUP_BYTES_MAX,
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
    let limits = ConcurrencyLimits {
        account_max: settings.account_concurrency,
        requests_per_unit: Some(settings.requests_per_concurrency),
        environments_per_10_s: Some(settings.environments_per_10_s),
    };
    let concurrency = Concurrency::with_limits(limits, move || clock.now());
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
    let pool = Pool::start(PoolParts {
        settings: PoolSettings {
            account: account.clone(),
            region: region.clone(),
            idle_timeout: settings.idle_timeout,
            networks: settings.networks.clone(),
            cold_starts_max: settings.cold_starts_max,
            environments_max: settings.account_concurrency as usize,
            drain_limit: settings::DRAIN_LIMIT,
            ending_limit: settings::ENDING_LIMIT,
        },
        sandboxes,
        own_api,
        code: deployment.clone(),
        runtimes: runtimes.clone(),
        logs: logs.clone(),
        recorder: recorder.clone(),
        concurrency: concurrency.clone(),
        clock,
    });

    let wall_clock: Arc<dyn hearth_functions::Clock> = Arc::new(WallClock(clock));
    let iam = Iam::open(store.clone(), account.clone(), wall_clock.clone()).await?;
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

    let invoker = Arc::new(Invoker::new(functions.clone(), concurrency, pool.clone()));
    functions.set_concurrency_listener(invoker.clone());
    let event_clock: Arc<dyn EventClock> = Arc::new(SteadyClock::new(clock));
    let services = settings
        .aws_endpoint
        .map(|endpoint| -> Arc<dyn Destinations> { Arc::new(Services::new(endpoint, event_clock.clone())) });
    let has_services = services.is_some();
    let events = EventQueue::start(invoker.clone(), store.clone(), event_clock, services);
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
    let cloudwatch_logs = CloudWatchLogs::new(logs.clone(), clock, region.clone(), account);
    let guarded_region = region.clone();
    let runtime_version_arn =
        Box::new(move |runtime| runtimes.runtime_version(runtime).map(|version| version.arn(&region)));
    let keys = KeysOfUrls {
        credentials: credentials.clone(),
        are_required: {
            let credentials = credentials.clone();
            Box::new(move || credentials.are_required())
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
    .with_code_objects(Arc::new(CodeInS3(s3.clone())));
    let insight = Insight {
        functions,
        pool: pool.clone(),
        events: events.clone(),
        recorder,
        logs: logs.clone(),
        clock,
        walls: walls.clone(),
    };
    let sessions = iam.sessions().clone();
    let front = Arc::new(Front {
        api,
        function_urls,
        cloudwatch_logs,
        iam,
        s3,
        clock,
        insight,
        runtimes: runtimes_api.clone(),
    });

    let _ = front_inside.set(Arc::downgrade(&front));

    let (stop, stopped) = watch::channel(false);
    let mut limits = ServerSettings::default();
    limits.connections_max = descriptors::room_for_connections(limits.connections_max);
    let server = Server { settings: limits };
    let keys: Arc<dyn Credentials> = Arc::new(AllKeys { known: credentials.clone(), sessions });
    let guard = Guard::new(clock, guarded_region, keys, REQUEST_BYTES_MAX);
    let outside = Arc::new(Outside { front: front.clone(), credentials, guard });
    let answer = move |request| {
        let outside = outside.clone();
        async move { outside.answer(request).await }
    };
    let serving = tokio::spawn(server.serve(listener, answer, stopped));
    tracing::info!(%address, "server ready");
    Ok(Running {
        address,
        stop,
        serving,
        pool,
        events,
        logs,
        packages,
        runtimes: runtimes_api,
        store,
        walls,
        _front: front,
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

/// The front as it is seen from outside: from the first key on, only who has one comes in.
struct Outside {
    front: Arc<Front>,
    credentials: Arc<KnownCredentials>,
    guard: Guard,
}

impl Outside {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        let is_of_a_function = Address::of_host(request.headers(), request.uri()).is_some();
        if !self.credentials.are_required() || is_of_a_function || is_for_everybody(request.uri().path()) {
            return self.front.answer(request).await;
        }
        match self.guard.admit(&self.front, request).await {
            Ok(request) => self.front.answer(request).await,
            Err(refusal) => refusal,
        }
    }
}

/// Whether a path is answered without a signature: probes have no keys, and the location of a function's code carries a
/// token that says as much as the signature of a presigned URL. The URLs of functions ask by themselves, each as it is set.
fn is_for_everybody(path: &str) -> bool {
    let Some(path) = path.strip_prefix(HEARTH) else { return false };
    path == "health" || path.starts_with("code/") || path.starts_with("url/")
}

/// Where Hearth's own HTTP is.
const HEARTH: &str = "/_hearth/";

/// What stands behind the listener: the APIs of Lambda, CloudWatch Logs, IAM, STS and S3, the URLs of functions, and
/// Hearth's own.
struct Front {
    api: LambdaApi,
    function_urls: FunctionUrls,
    cloudwatch_logs: Arc<CloudWatchLogs>,
    iam: Arc<Iam>,
    s3: Arc<S3>,
    clock: Clock,
    insight: Insight,
    runtimes: Arc<RuntimesApi>,
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        if let Some(address) = Address::of_host(request.headers(), request.uri()) {
            return self.function_urls.answer(address, Peer::of(&request), request).await;
        }
        let Some(path) = request.uri().path().strip_prefix(HEARTH) else {
            return self.answer_aws(request).await;
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

    /// Answers as AWS: Hearth's own HTTP is a path like any other that Lambda does not have.
    async fn answer_aws(&self, request: Request<Incoming>) -> Response {
        if CloudWatchLogs::is_asked(&request) {
            self.cloudwatch_logs.answer(request).await
        } else if S3::is_asked(&request) {
            self.s3.answer(request).await
        } else if request.uri().path() == "/" {
            root::answer(self, request).await
        } else if let Some(service) = root::other_service(self, &request) {
            let refusal = root::refuse(service);
            drop_body(request).await;
            refusal
        } else {
            self.api.answer(request).await
        }
    }
}

/// What a request asks Hearth's own HTTP for, as rights name it.
fn asked_of_hearth<B>(request: &Request<B>) -> Asked {
    let action = match *request.method() {
        Method::GET | Method::HEAD => "hearth:Get",
        _ => "hearth:Change",
    };
    Asked { action: action.to_owned(), resource: Resource::Any }
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
