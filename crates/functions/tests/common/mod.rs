//! A store and a deployment whose every step a test can hold up or let fail.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearth_functions::{
    Clock, CreateFunction, DeployError, DeployedCode, DeployedLayers, Deployment, FunctionConfiguration,
    Functions, FunctionsSettings, Layers, LoggingConfiguration, OpenError, ResolvedVersion, UpdateCode,
    VersionListener,
};
use hearth_store::embedded::EmbeddedStore;
use hearth_store::{FunctionRecord, FunctionStore, LayerStore, LayerVersionRecord, Outcome, StoreError};
use hearth_types::*;
use tokio::sync::Semaphore;

/// The real store, with a gate before its changes and a switch that makes them fail.
pub(crate) struct Store {
    inner: EmbeddedStore,
    /// While set, changes fail before they reach the disk.
    pub(crate) full: AtomicBool,
    /// Counts changes that failed.
    pub(crate) failed: AtomicUsize,
    /// Each change takes one permit on its way back, after it is durable.
    pub(crate) replies: Semaphore,
}

impl Store {
    async fn change(
        &self,
        change: BoxFuture<'_, Result<Outcome, StoreError>>,
    ) -> Result<Outcome, StoreError> {
        if self.full.load(Ordering::SeqCst) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(StoreError::Io { path: PathBuf::from("hearth.db"), source });
        }
        let outcome = change.await;
        self.replies.acquire().await.unwrap().forget();
        self.replies.add_permits(1);
        outcome
    }
}

impl FunctionStore for Store {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<FunctionRecord>, StoreError>> {
        FunctionStore::load_all(&self.inner)
    }

    fn insert(&self, record: FunctionRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.change(FunctionStore::insert(&self.inner, record)))
    }

    fn replace(
        &self,
        expected: String,
        record: FunctionRecord,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.change(FunctionStore::replace(&self.inner, expected, record)))
    }

    fn remove(&self, key: String) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.change(FunctionStore::remove(&self.inner, key)))
    }
}

impl LayerStore for Store {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<LayerVersionRecord>, StoreError>> {
        LayerStore::load_all(&self.inner)
    }

    fn insert(&self, record: LayerVersionRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.change(LayerStore::insert(&self.inner, record)))
    }

    fn replace(
        &self,
        expected: String,
        record: LayerVersionRecord,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.change(LayerStore::replace(&self.inner, expected, record)))
    }

    fn remove(&self, key: String) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.change(LayerStore::remove(&self.inner, key)))
    }
}

/// Deploys into nothing. A package is the text of its zip; its digest begins with that text.
#[derive(Default)]
pub(crate) struct Deployer {
    /// Packages that are gone.
    pub(crate) lost: Mutex<Vec<CodeSha256>>,
    /// Runtimes that are not there.
    pub(crate) missing_runtimes: Mutex<Vec<Runtime>>,
    /// Taken one by one by each check of a runtime; more of them make more checks go on.
    pub(crate) checks: Option<Semaphore>,
    /// How many leases were given back, by package.
    pub(crate) released: Arc<Mutex<BTreeMap<CodeSha256, usize>>>,
}

struct Lease(CodeSha256, Arc<Mutex<BTreeMap<CodeSha256, usize>>>);

impl Drop for Lease {
    fn drop(&mut self) {
        *self.1.lock().unwrap().entry(self.0).or_default() += 1;
    }
}

pub(crate) fn digest(zip: &[u8]) -> CodeSha256 {
    let mut sha256 = [0; 32];
    sha256[..zip.len()].copy_from_slice(zip);
    CodeSha256(sha256)
}

impl Deployer {
    fn code(&self, sha256: CodeSha256, size: u64) -> DeployedCode {
        let lease = Arc::new(Lease(sha256, self.released.clone()));
        DeployedCode { sha256, size, root: PathBuf::from(sha256.to_hex()), lease }
    }

    pub(crate) fn released(&self, zip: &str) -> usize {
        self.released.lock().unwrap().get(&digest(zip.as_bytes())).copied().unwrap_or(0)
    }
}

impl Deployment for Deployer {
    fn deploy(&self, zip: Bytes) -> BoxFuture<'_, Result<DeployedCode, DeployError>> {
        Box::pin(async move {
            match &zip[..] {
                b"bad" => Err(DeployError::Unpack { reason: "bad".to_owned() }),
                zip => Ok(self.code(digest(zip), zip.len() as u64)),
            }
        })
    }

    fn open(&self, sha256: CodeSha256, size: u64) -> BoxFuture<'_, Result<DeployedCode, DeployError>> {
        Box::pin(async move {
            match self.lost.lock().unwrap().contains(&sha256) {
                true => Err(DeployError::Missing),
                false => Ok(self.code(sha256, size)),
            }
        })
    }

    fn merge_layers(&self, layers: Vec<DeployedCode>) -> BoxFuture<'_, Result<DeployedLayers, DeployError>> {
        let root: Vec<String> = layers.iter().map(|layer| layer.root.display().to_string()).collect();
        let root = (!root.is_empty()).then(|| PathBuf::from(root.join("+")));
        let leases = layers.into_iter().map(|layer| layer.lease).collect();
        Box::pin(async { Ok(DeployedLayers { root, leases }) })
    }

    fn unzipped_bytes(&self, sha256: CodeSha256) -> BoxFuture<'_, Result<u64, DeployError>> {
        // A package that begins with `large` is as large as one may be.
        let is_large = sha256.0.starts_with(b"large");
        Box::pin(async move { Ok(if is_large { limits::UNZIPPED_BYTES_MAX } else { 1 }) })
    }

    fn archive(&self, _: CodeSha256) -> BoxFuture<'_, Result<Bytes, DeployError>> {
        Box::pin(async { Err(DeployError::Missing) })
    }

    fn runtime_ready(&self, runtime: Runtime) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            if let Some(checks) = &self.checks {
                checks.acquire().await.unwrap().forget();
            }
            match self.missing_runtimes.lock().unwrap().contains(&runtime) {
                true => Err(format!("{runtime} is not on this host")),
                false => Ok(()),
            }
        })
    }
}

pub(crate) struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn epoch_ms(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// Remembers what it heard: the generation that serves, or nothing.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Mutex<Vec<Option<u64>>>);

impl VersionListener for Heard {
    fn replaced(&self, _: &FunctionName, _: Version, current: Option<&Arc<ResolvedVersion>>) {
        self.0.lock().unwrap().push(current.map(|version| version.generation));
    }
}

/// A data folder, as long as the server that has it.
pub(crate) struct Host {
    pub(crate) folder: PathBuf,
    pub(crate) store: Arc<Store>,
    pub(crate) deployer: Arc<Deployer>,
    pub(crate) functions: Arc<Functions>,
    pub(crate) layers: Arc<Layers>,
}

impl Host {
    pub(crate) async fn new(test: &str) -> Self {
        Self::with(test, Deployer::default()).await
    }

    pub(crate) async fn with(test: &str, deployer: Deployer) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("functions-{test}"));
        let _ = fs::remove_dir_all(&folder);
        Self::open(&folder, Arc::new(deployer)).await.unwrap()
    }

    pub(crate) async fn open(folder: &Path, deployer: Arc<Deployer>) -> Result<Self, OpenError> {
        let store = Arc::new(Store {
            inner: EmbeddedStore::open(folder)?,
            full: AtomicBool::new(false),
            failed: AtomicUsize::new(0),
            replies: Semaphore::new(1_000),
        });
        let settings = FunctionsSettings {
            region: Region::new("us-east-1").unwrap(),
            account: AccountId::new("000000000000").unwrap(),
        };
        let clock = Arc::new(Ticks(AtomicI64::new(1)));
        let layers = Layers::open(store.clone(), deployer.clone(), settings.clone(), clock.clone()).await?;
        let functions = Functions::open(store.clone(), deployer.clone(), settings, clock).await?;
        Ok(Self { folder: folder.to_owned(), store, deployer, functions, layers })
    }

    /// Ends this server and waits until the folder is free.
    pub(crate) async fn end(self) -> PathBuf {
        let Self { folder, store, deployer, functions, layers } = self;
        let left = Arc::downgrade(&store);
        drop((store, deployer, functions, layers));
        let ended = async {
            while left.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ended).await.expect("nothing holds a server that ends");
        folder
    }

    pub(crate) async fn restarted(self, deployer: Deployer) -> Self {
        Self::open(&self.end().await, Arc::new(deployer)).await.unwrap()
    }

    /// Creates a function and waits until it has settled.
    pub(crate) async fn created(&self, function: &str, zip: &'static str) {
        self.functions.create(create(function, zip)).await.unwrap();
        self.functions.wait_until_settled(&name(function)).await;
    }

    /// Returns what serves: runtime and package.
    pub(crate) fn serving(&self, function: &str) -> (String, CodeSha256) {
        let version = self.functions.resolve(&name(function), None).unwrap();
        (version.configuration.runtime.to_string(), version.code.sha256)
    }
}

pub(crate) fn name(name: &str) -> FunctionName {
    FunctionName::new(name).unwrap()
}

pub(crate) fn runtime(id: &str) -> Runtime {
    Runtime::parse(id).unwrap()
}

pub(crate) fn create(function: &str, zip: &'static str) -> CreateFunction {
    let function = name(function);
    let configuration = FunctionConfiguration {
        logging: LoggingConfiguration {
            format: LogFormat::Text,
            group: LogGroupName::of_function(&function),
            application_level: None,
            system_level: None,
        },
        name: function,
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        runtime: runtime("python3.11"),
        handler: "index.handler".to_owned(),
        description: "\u{1b}[31m ä\r\n".to_owned(),
        timeout: TimeoutSeconds::DEFAULT,
        memory: MemoryMb::DEFAULT,
        ephemeral_storage_mb: 512,
        environment: Some(BTreeMap::from([("KEY".to_owned(), "a=b\n".to_owned())])),
        architecture: Architecture::X86_64,
        tracing_mode: TracingMode::PassThrough,
        dead_letter_target: None,
        vpc: None,
        file_systems: Vec::new(),
        snap_start: false,
        durable: None,
        kms_key_arn: None,
        layers: Vec::new(),
    };
    let tags = BTreeMap::from([("team".to_owned(), "x".to_owned())]);
    CreateFunction {
        configuration,
        zip: Bytes::from_static(zip.as_bytes()),
        layers: Vec::new(),
        tags,
        code_signing_config: None,
        publish: false,
    }
}

pub(crate) fn code(zip: &'static str) -> UpdateCode {
    UpdateCode {
        zip: Bytes::from_static(zip.as_bytes()),
        architecture: None,
        revision_id: None,
        dry_run: false,
        publish: false,
    }
}
