//! The API on a real socket, with real functions and invocations behind it. Only the ends are made up: what keeps
//! records, what unpacks packages, and what runs events.

#![allow(dead_code, reason = "two test programs share this, and neither needs all of it")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearth_aws_wire::{Server, ServerSettings};
use hearth_functions::{
    Clock, CodeSigningConfigs, DeployError, DeployedCode, DeployedLayers, Deployment, Functions,
    FunctionsSettings, Layers, ProvisionedVersion, ResolvedVersion,
};
use hearth_invoke::{
    Concurrency, Environments, EventClock, EventQueue, InvokeError, InvokeRequest, InvokeResponse, Invoker,
    Permit, ProvisionedEnvironments,
};
use hearth_lambda_api::LambdaApi;
use hearth_store::memory::{MemoryCodeSigning, MemoryEvents, MemoryLayers};
use hearth_store::{FunctionRecord, FunctionStore, Outcome, StoreError};
use hearth_types::{
    AccountId, Architecture, CodeSha256, FunctionName, Region, Runtime, TraceHeader, Version,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// 2024-01-31T12:00:00Z.
const NOW_MS: i64 = 1_706_702_400_000;

/// What a test wants to be different.
pub(crate) struct World {
    /// How many invocations may run at once.
    pub(crate) concurrency: u32,
    /// Whether functions settle at once, or only on [`Api::settle`].
    pub(crate) settles: bool,
}

impl Default for World {
    fn default() -> Self {
        Self { concurrency: 10, settles: true }
    }
}

/// The API of account 000000000000 in us-east-1.
pub(crate) struct Api {
    address: SocketAddr,
    functions: Arc<Functions>,
    clock: Arc<HandClock>,
    settles: watch::Sender<bool>,
    packages: Arc<Packages>,
    runs: Arc<AtomicUsize>,
    _stop: watch::Sender<bool>,
}

/// A time that stands still: an event runs at once, or never.
struct StandingTime;

impl EventClock for StandingTime {
    fn epoch_ms(&self) -> i64 {
        NOW_MS
    }

    fn wait_until(&self, epoch_ms: i64) -> BoxFuture<'_, ()> {
        if epoch_ms <= NOW_MS { Box::pin(std::future::ready(())) } else { Box::pin(std::future::pending()) }
    }
}

impl Api {
    /// The functions behind it.
    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }

    pub(crate) async fn start() -> Self {
        Self::start_in(World::default()).await
    }

    pub(crate) async fn start_in(world: World) -> Self {
        let (settles, settling) = watch::channel(world.settles);
        let clock = Arc::new(HandClock(AtomicI64::new(NOW_MS)));
        let packages = Arc::new(Packages { kept: Mutex::default(), settling });
        let settings = FunctionsSettings {
            region: Region::new("us-east-1").unwrap(),
            account: AccountId::new("000000000000").unwrap(),
        };
        let store = Arc::new(Records::default());
        let records = Arc::new(MemoryLayers::default());
        let layers = Layers::open(records, packages.clone(), settings.clone(), clock.clone()).await.unwrap();
        let no_configs = Arc::new(MemoryCodeSigning::default());
        let code_signing =
            CodeSigningConfigs::open(no_configs, settings.clone(), clock.clone()).await.unwrap();
        let functions = Functions::open(store, packages.clone(), settings, clock.clone()).await.unwrap();
        let runs = Arc::<AtomicUsize>::default();
        let invoker = Arc::new(Invoker::new(
            functions.clone(),
            Concurrency::new(world.concurrency),
            Arc::new(EchoEnvironments { runs: runs.clone() }),
        ));
        functions.set_concurrency_listener(invoker.clone());
        let events = EventQueue::start(
            invoker.clone(),
            Arc::new(MemoryEvents::default()),
            Arc::new(StandingTime),
            None,
        );
        let runtime_version_arn =
            Box::new(|runtime: Runtime| Some(format!("arn:aws:lambda:us-east-1::runtime:{runtime}")));
        let api = Arc::new(LambdaApi::new(
            functions.clone(),
            layers,
            invoker,
            events,
            code_signing,
            clock.clone(),
            Architecture::X86_64,
            runtime_version_arn,
        ));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let answer = move |request: http::Request<hyper::body::Incoming>| {
            let api = api.clone();
            async move {
                match request.uri().path().strip_prefix("/_hearth/code/").map(str::to_owned) {
                    Some(token) => api.answer_code(&token).await,
                    None => api.answer(request).await,
                }
            }
        };
        let server = Server { settings: ServerSettings::default() };
        tokio::spawn(server.serve(listener, answer, stopped));
        Self { address, functions, clock, settles, packages, runs, _stop: stop }
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: lambda.test\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.write_all(body).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            Answer::parse(&answer)
        };
        let limit = std::time::Duration::from_secs(30);
        tokio::time::timeout(limit, exchange).await.expect("an answer in time")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    pub(crate) async fn json(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(method, path, &[], body.to_string().as_bytes()).await
    }

    /// Creates a function with `change` made to [`new_function`], without waiting for it.
    pub(crate) async fn create(&self, change: Value) -> Answer {
        let mut body = new_function();
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.json("POST", "/2015-03-31/functions", body).await
    }

    /// Creates the function `f`, and waits until it is active.
    pub(crate) async fn with_function(self) -> Self {
        assert_eq!(self.create(json!({})).await.status, 201);
        self.settled("f").await;
        self
    }

    pub(crate) async fn settled(&self, name: &str) {
        self.functions.wait_until_settled(&FunctionName::new(name).unwrap()).await;
    }

    /// Lets functions settle from now on.
    pub(crate) fn settle(&self) {
        self.settles.send(true).unwrap();
    }

    /// Lets no function settle from now on.
    pub(crate) fn unsettle(&self) {
        self.settles.send(false).unwrap();
    }

    /// How many invocations have run.
    pub(crate) fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    pub(crate) fn pass_ms(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn lose_packages(&self) {
        self.packages.kept.lock().unwrap().clear();
    }
}

/// The body of the least CreateFunction.
pub(crate) fn new_function() -> Value {
    json!({
        "FunctionName": "f", "Runtime": "python3.11", "Handler": "app.handler",
        "Role": "arn:aws:iam::000000000000:role/r", "Code": { "ZipFile": STANDARD.encode(b"zip of f") }
    })
}

/// One answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    headers: BTreeMap<String, String>,
}

impl Answer {
    fn parse(answer: &[u8]) -> Self {
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let head = std::str::from_utf8(&answer[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: answer[end + 4..].to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// `400 ValidationException: text`, or only the status when it is no error.
    pub(crate) fn outcome(&self) -> String {
        let Some(error_type) = self.header("x-amzn-errortype") else { return self.status.to_string() };
        assert!(self.header("x-amzn-requestid").is_some(), "{error_type} has a request id");
        let value = self.value();
        let message = value.get("message").or(value.get("Message")).expect("a text");
        format!("{} {error_type}: {}", self.status, message.as_str().unwrap())
    }
}

struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn epoch_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Default)]
struct Records(Mutex<BTreeMap<String, FunctionRecord>>);

impl FunctionStore for Records {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<FunctionRecord>, StoreError>> {
        Box::pin(async { Ok(self.0.lock().unwrap().values().cloned().collect()) })
    }

    fn insert(&self, record: FunctionRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            self.0.lock().unwrap().insert(record.key(), record);
            Ok(Outcome::Done)
        })
    }

    fn replace(&self, _: String, record: FunctionRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.insert(record)
    }

    fn remove(&self, key: String) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            let versions = format!("{key}:");
            self.0.lock().unwrap().retain(|kept, _| *kept != key && !kept.starts_with(&versions));
            Ok(Outcome::Done)
        })
    }
}

/// Takes anything for a package that begins with `zip`.
struct Packages {
    kept: Mutex<BTreeMap<String, Bytes>>,
    settling: watch::Receiver<bool>,
}

impl Deployment for Packages {
    fn deploy(&self, zip: Bytes) -> BoxFuture<'_, Result<DeployedCode, DeployError>> {
        Box::pin(async move {
            if zip.starts_with(b"bomb") {
                return Err(DeployError::UnzippedTooLarge);
            }
            if !zip.starts_with(b"zip") {
                return Err(DeployError::Unpack { reason: "no zip".to_owned() });
            }
            let sha256 = CodeSha256(Sha256::digest(&zip).into());
            let size = zip.len() as u64;
            self.kept.lock().unwrap().insert(sha256.to_hex(), zip);
            self.open(sha256, size).await
        })
    }

    fn open(&self, sha256: CodeSha256, size: u64) -> BoxFuture<'_, Result<DeployedCode, DeployError>> {
        let code = DeployedCode { sha256, size, root: PathBuf::new(), lease: Arc::new(()) };
        Box::pin(async move { Ok(code) })
    }

    fn merge_layers(&self, layers: Vec<DeployedCode>) -> BoxFuture<'_, Result<DeployedLayers, DeployError>> {
        let root = (!layers.is_empty()).then(PathBuf::new);
        Box::pin(async { Ok(DeployedLayers { root, leases: Vec::new() }) })
    }

    fn unzipped_bytes(&self, sha256: CodeSha256) -> BoxFuture<'_, Result<u64, DeployError>> {
        Box::pin(async move { Ok(self.archive(sha256).await?.len() as u64) })
    }

    fn archive(&self, sha256: CodeSha256) -> BoxFuture<'_, Result<Bytes, DeployError>> {
        let archive = self.kept.lock().unwrap().get(&sha256.to_hex()).cloned();
        Box::pin(async move { archive.ok_or(DeployError::Missing) })
    }

    fn runtime_ready(&self, _: Runtime) -> BoxFuture<'_, Result<(), String>> {
        let mut settling = self.settling.clone();
        Box::pin(async move {
            let _ = settling.wait_for(|settles| *settles).await;
            Ok(())
        })
    }
}

/// Answers with what it was given. The event `"fail"` is a function error, and `"break"` is our fault.
struct EchoEnvironments {
    runs: Arc<AtomicUsize>,
}

impl Environments for EchoEnvironments {
    fn is_one_finishing(&self) -> bool {
        false
    }

    fn provision(&self, _: &FunctionName, _: Vec<ProvisionedVersion>) {}

    fn provisioned(&self, _: &FunctionName, _: Version) -> ProvisionedEnvironments {
        ProvisionedEnvironments::default()
    }

    fn run(
        &self,
        version: Arc<ResolvedVersion>,
        _permit: Permit,
        request: InvokeRequest,
    ) -> BoxFuture<'_, Result<InvokeResponse, InvokeError>> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let event: Value = serde_json::from_slice(&request.payload).unwrap();
            if event == "break" {
                return Err(InvokeError::Service("a secret of the server".to_owned()));
            }
            let client_context = request.client_context.map(|json| String::from_utf8(json.to_vec()).unwrap());
            let payload = json!({
                "request_id": request.request_id.to_string(), "event": event, "client_context": client_context
            });
            Ok(InvokeResponse {
                payload: payload.to_string().into(),
                function_error: event == "fail",
                executed_version: version.version,
                log_tail: request.wants_log_tail.then(|| b"END\n".to_vec()),
                why_cold: None,
                trace: request.trace.unwrap_or_else(|| TraceHeader::generate(1)),
            })
        })
    }
}
