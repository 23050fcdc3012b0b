//! The Lambda API with real functions and invocations behind it, on connections in memory. Only the ends are made up:
//! what keeps records, what unpacks packages, and what runs events.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearth_aws_wire::{ServerSettings, serve_connection};
use hearth_functions::{
    Clock, CodeSigningConfigs, DeployError, DeployedCode, DeployedLayers, Deployment, Functions,
    FunctionsSettings, Layers, OpenError, ProvisionedVersion, ResolvedVersion,
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
use http_body_util::BodyExt as _;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{in_time, in_turn};

/// 2024-01-31T12:00:00Z.
const NOW_MS: i64 = 1_706_702_400_000;

/// Who ends a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Closes {
    /// We, when everything is sent and others have had their turn.
    Client,
    /// The server, because it was asked to.
    Server,
}

/// One answer, as it was before it went to the wire.
pub(super) struct Answer {
    pub(super) head: http::response::Parts,
    pub(super) body: Bytes,
}

/// The API of account 000000000000 in us-east-1.
pub(super) struct World {
    api: LambdaApi,
    functions: Arc<Functions>,
    records: Arc<Records>,
}

impl World {
    /// Opens the functions that `records` describe, as a server does when it starts.
    pub(super) async fn open(records: Vec<FunctionRecord>) -> Result<Self, OpenError> {
        let records = records.into_iter().map(|record| (record.name.clone(), record)).collect();
        let records = Arc::new(Records(Mutex::new(records)));
        let settings = FunctionsSettings {
            region: Region::new("us-east-1").expect("a region"),
            account: AccountId::new("000000000000").expect("an account"),
        };
        let (no_layers, deployment) = (Arc::new(MemoryLayers::default()), Arc::new(AnyPackage));
        let layers = Layers::open(no_layers, deployment, settings.clone(), Arc::new(StandingClock)).await?;
        let no_configs = Arc::new(MemoryCodeSigning::default());
        let code_signing =
            CodeSigningConfigs::open(no_configs, settings.clone(), Arc::new(StandingClock)).await?;
        let functions =
            Functions::open(records.clone(), Arc::new(AnyPackage), settings, Arc::new(StandingClock)).await?;
        let environments = Arc::new(EchoEnvironments);
        let invoker = Arc::new(Invoker::new(functions.clone(), Concurrency::new(10), environments));
        functions.set_concurrency_listener(invoker.clone());
        let runtime_version_arn =
            Box::new(|runtime: Runtime| Some(format!("arn:aws:lambda:us-east-1::runtime:{runtime}")));
        let clock = Arc::new(StandingClock);
        let events =
            EventQueue::start(invoker.clone(), Arc::new(MemoryEvents::default()), clock.clone(), None);
        let api = LambdaApi::new(
            functions.clone(),
            layers,
            invoker,
            events,
            code_signing,
            clock,
            Architecture::X86_64,
            runtime_version_arn,
        );
        Ok(Self { api, functions, records })
    }

    /// With one function, `f`, that can be called.
    pub(super) async fn with_function() -> Self {
        let world = Self::open(vec![f()]).await.expect("its record is right");
        world.settled("f").await;
        world
    }

    /// Waits until a function is no longer being made.
    pub(super) async fn settled(&self, name: &str) {
        if let Ok(name) = FunctionName::new(name) {
            in_time("a function that settles", self.functions.wait_until_settled(&name)).await;
        }
    }

    /// Sends `bytes` on one connection, and returns what was answered to each request in them.
    pub(super) async fn exchange(&self, bytes: &[u8], closes: Closes) -> Vec<Answer> {
        let answers = Mutex::new(Vec::new());
        let answer = async |request| {
            let (head, body) = self.api.answer(request).await.into_parts();
            let body = body.collect().await.expect("it is whole").to_bytes();
            answers
                .lock()
                .expect("nobody panics with it")
                .push(Answer { head: head.clone(), body: body.clone() });
            http::Response::from_parts(head, hearth_aws_wire::Body::new(body))
        };
        let (ours, theirs) = tokio::io::duplex(16 * 1_024);
        let settings = ServerSettings::default();
        let connection = serve_connection(theirs, &settings, answer);
        let (mut reader, mut writer) = tokio::io::split(ours);
        let client = async {
            let mut said = Vec::new();
            let write = async {
                // The other end may have closed: it does after what is no HTTP.
                let _ = writer.write_all(bytes).await;
                if closes == Closes::Client {
                    // A request whose sender is gone is not answered to its end.
                    in_turn().await;
                    let _ = writer.shutdown().await;
                }
            };
            let (_, _) = tokio::join!(write, reader.read_to_end(&mut said));
            said
        };
        let ((), said) = in_time("a connection", async { tokio::join!(connection, client) }).await;
        assert!(said.is_empty() || said.starts_with(b"HTTP/1."), "an answer is HTTP");
        answers.into_inner().expect("nobody panics with it")
    }

    /// Opens what is kept once more, as the next server will.
    pub(super) async fn reopen(&self) -> Result<Self, OpenError> {
        Self::open(self.records.load_all().await?).await
    }
}

impl Answer {
    /// Checks what holds for every answer: a request id; and for every error, that it has AWS's shape and is not our fault.
    pub(super) fn check(&self) {
        let (status, headers) = (self.head.status, &self.head.headers);
        let shown = || format!("{status} {}", String::from_utf8_lossy(&self.body));
        assert!(headers.contains_key("x-amzn-requestid"), "no request id: {}", shown());
        if !status.is_client_error() && !status.is_server_error() {
            return;
        }
        // 501 is how Hearth says that AWS has something that it has not.
        assert!(status.is_client_error() || status == 501, "our fault: {}", shown());
        let error_type = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
        assert!(error_type.is_some_and(|name| !name.is_empty()), "an error without a type: {}", shown());
        if headers.get("content-type").is_some_and(|value| value == "text/xml") {
            return; // STS and its like
        }
        let body: serde_json::Value = serde_json::from_slice(&self.body).expect("an error's body is JSON");
        let text = body.get("message").or(body.get("Message"));
        assert!(text.is_some_and(serde_json::Value::is_string), "an error without a text: {}", shown());
    }
}

/// The record of a function `f` that is active.
fn f() -> FunctionRecord {
    serde_json::from_str(include_str!("../corpus/configuration/record-f")[1..].trim()).expect("a record")
}

struct StandingClock;

impl Clock for StandingClock {
    fn epoch_ms(&self) -> i64 {
        NOW_MS
    }
}

/// Events run at once, or never.
impl EventClock for StandingClock {
    fn epoch_ms(&self) -> i64 {
        NOW_MS
    }

    fn wait_until(&self, epoch_ms: i64) -> BoxFuture<'_, ()> {
        if epoch_ms <= NOW_MS { Box::pin(std::future::ready(())) } else { Box::pin(std::future::pending()) }
    }
}

struct Records(Mutex<BTreeMap<String, FunctionRecord>>);

impl FunctionStore for Records {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<FunctionRecord>, StoreError>> {
        Box::pin(async { Ok(self.0.lock().expect("nobody panics with it").values().cloned().collect()) })
    }

    fn insert(&self, record: FunctionRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            // Through its text, as on disk.
            let text = serde_json::to_string(&record).expect("a record can be written");
            let record: FunctionRecord =
                serde_json::from_str(&text).expect("a record reads as it was written");
            self.0.lock().expect("nobody panics with it").insert(record.key(), record);
            Ok(Outcome::Done)
        })
    }

    fn replace(&self, _: String, record: FunctionRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.insert(record)
    }

    fn remove(&self, key: String) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            let versions = format!("{key}:");
            let mut records = self.0.lock().expect("nobody panics with it");
            records.retain(|kept, _| *kept != key && !kept.starts_with(&versions));
            Ok(Outcome::Done)
        })
    }
}

/// One for all: what ends with functions forgets their leases on purpose, and the fuzzer would call each of them a leak.
static LEASE: LazyLock<Arc<()>> = LazyLock::new(Arc::default);

/// Takes anything for a package, except what begins with `bad`.
struct AnyPackage;

impl Deployment for AnyPackage {
    fn deploy(&self, zip: Bytes) -> BoxFuture<'_, Result<DeployedCode, DeployError>> {
        Box::pin(async move {
            if zip.starts_with(b"bad") {
                return Err(DeployError::Unpack { reason: "no zip".to_owned() });
            }
            self.open(CodeSha256(Sha256::digest(&zip).into()), zip.len() as u64).await
        })
    }

    fn open(&self, sha256: CodeSha256, size: u64) -> BoxFuture<'_, Result<DeployedCode, DeployError>> {
        let code = DeployedCode { sha256, size, root: PathBuf::new(), lease: LEASE.clone() };
        Box::pin(async move { Ok(code) })
    }

    fn merge_layers(&self, layers: Vec<DeployedCode>) -> BoxFuture<'_, Result<DeployedLayers, DeployError>> {
        let root = (!layers.is_empty()).then(PathBuf::new);
        Box::pin(async { Ok(DeployedLayers { root, leases: Vec::new() }) })
    }

    fn unzipped_bytes(&self, sha256: CodeSha256) -> BoxFuture<'_, Result<u64, DeployError>> {
        Box::pin(async move { Ok(self.archive(sha256).await?.len() as u64) })
    }

    fn archive(&self, _: CodeSha256) -> BoxFuture<'_, Result<Bytes, DeployError>> {
        Box::pin(async { Ok(Bytes::from_static(b"zip")) })
    }

    fn runtime_ready(&self, _: Runtime) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

/// Answers with the event.
struct EchoEnvironments;

impl Environments for EchoEnvironments {
    fn provision(&self, _: &FunctionName, _: Vec<ProvisionedVersion>) {}

    fn provisioned(&self, _: &FunctionName, _: Version) -> ProvisionedEnvironments {
        ProvisionedEnvironments::default()
    }

    fn is_one_finishing(&self) -> bool {
        false
    }

    fn run(
        &self,
        version: Arc<ResolvedVersion>,
        _: Permit,
        request: InvokeRequest,
    ) -> BoxFuture<'_, Result<InvokeResponse, InvokeError>> {
        Box::pin(async move {
            for json in [Some(&request.payload), request.client_context.as_ref()].into_iter().flatten() {
                let text = std::str::from_utf8(json).expect("only text comes this far");
                serde_json::from_str::<IgnoredAny>(text).expect("only JSON comes this far");
            }
            Ok(InvokeResponse {
                function_error: request.payload.starts_with(b"\"fail"),
                payload: request.payload,
                executed_version: version.version,
                log_tail: request.wants_log_tail.then(|| b"END\n".to_vec()),
                why_cold: None,
                trace: request.trace.unwrap_or_else(|| TraceHeader::generate(1)),
            })
        })
    }
}
