//! A real execution environment whose sandbox starts nothing: the bytes of the fuzzer are its runtime.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearth_environment::{
    Boot, Environment, EnvironmentParts, FunctionFacts, Invocation, InvokeResult, Owner, SnapStart,
};
use hearth_sandbox::{Command, ExitStatus, Output, ProcessId, Sandbox, SandboxError, SandboxEvent};
use hearth_telemetry::{
    Clock, EnvironmentFacts, EnvironmentTelemetry, Feed, FunctionIdentity, LogStore, LogStoreSettings,
    Recorder, ShutdownReason,
};
use hearth_types::{
    AccountId, Architecture, ColdReason, EnvironmentId, FunctionName, InitializationType, LogFormat,
    LogGroupName, LogLevel, LogStreamName, ProcessUsage, RequestId, Runtime, TraceHeader, Version, limits,
};
use tokio::sync::{mpsc, oneshot, watch};

use super::in_time;

/// One environment, which is asked for two invocations, one after the other.
pub(super) struct Asked {
    pub(super) environment: Arc<Environment>,
    gone: watch::Receiver<bool>,
    /// The answer that is waited for.
    answer: Option<oneshot::Receiver<InvokeResult>>,
    /// The requests that have not been made.
    requests: Vec<&'static str>,
}

/// The ids of the invocations, last one first: the corpus knows them.
const REQUEST_IDS: [&str; 2] =
    ["22222222-2222-4222-8222-222222222222", "11111111-1111-4111-8111-111111111111"];

impl Asked {
    /// Makes the environment. Its runtime counts as started.
    pub(super) fn new() -> Self {
        let (gone_sender, gone) = watch::channel(false);
        let clock = Clock::new(Instant::now(), || 1_706_702_400_000);
        let function = FunctionName::new("f").expect("a name");
        let record = Recorder::default().begin(EnvironmentFacts {
            id: EnvironmentId::random(),
            function: function.clone(),
            version: Version::Latest,
            log_group: LogGroupName::of_function(&function),
            log_stream: LogStreamName::new("2024/01/31/[$LATEST]0").expect("a name"),
            created_epoch_ms: 1_706_702_400_000,
            why_created: ColdReason::FirstInvocation,
            initialization_type: InitializationType::OnDemand,
            architecture: Architecture::X86_64,
            memory_size_mb: 128,
            ephemeral_storage_mb: 512,
            runtime: Runtime::parse("provided.al2023").expect("a runtime"),
            is_prebooted: false,
        });
        let identity = FunctionIdentity {
            version: Version::Latest,
            initialization_type: InitializationType::OnDemand,
            memory_size_mb: 128,
            runtime_version: None,
            log_group: LogGroupName::of_function(&function),
            log_format: LogFormat::Text,
            system_log_level: LogLevel::Info,
            application_log_level: None,
        };
        let environment = Environment::make(EnvironmentParts {
            id: record.facts.id,
            init_limit: limits::INIT_LIMIT_ON_DEMAND,
            sandbox: Box::new(EmptySandbox::new()),
            boot: Boot {
                command: Box::new(|_| Ok(nothing())),
                shown_program: "/var/task/bootstrap".to_owned(),
                extensions: vec![],
                extension_command: Box::new(|_, _| nothing()),
            },
            function: FunctionFacts {
                account: AccountId::new("000000000000").expect("an account"),
                name: function,
                version: Version::Latest,
                handler: "f.handler".to_owned(),
            },
            telemetry: EnvironmentTelemetry::new(clock, identity, record, LOGS.1.clone(), FEED.clone()),
            owner: Arc::new(Watching(gone_sender)),
            clock,
            faults: None,
            snap_start: SnapStart::None,
        });
        let environment = environment.expect("pipes");
        environment.begin_init();
        Self { environment, gone, answer: None, requests: REQUEST_IDS.to_vec() }
    }

    /// Makes the next invocation, unless the last one has no answer yet.
    pub(super) fn invoke(&mut self) {
        if let Some(answer) = &mut self.answer
            && matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty))
        {
            return;
        }
        let Some(id) = self.requests.pop() else { return };
        self.answer = Some(self.environment.invoke(Invocation {
            request_id: RequestId::parse(id).expect("an id"),
            invoked_function_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned(),
            payload: Bytes::from_static(b"{}"),
            content_type: None,
            client_context: Some(Bytes::from_static(b"{\n}")),
            trace: TraceHeader::generate(1),
            delivered_trace: TraceHeader::generate(1),
            timeout: Duration::from_secs(900),
            wants_log_tail: true,
            why_cold: None,
            arrived: Instant::now(),
        }));
    }

    /// Ends the environment, whatever has been done to it: it goes, and nobody is left without an answer.
    pub(super) async fn end(mut self) {
        self.environment.shut_down(ShutdownReason::ServerStops);
        let gone = async { self.gone.wait_for(|gone| *gone).await.is_ok() };
        assert!(in_time("an environment that is to end", gone).await);
        if let Some(answer) = self.answer {
            let _ = in_time("a caller", answer).await;
        }
    }
}

/// One for all inputs: it has a thread.
static FEED: LazyLock<Arc<Feed>> =
    LazyLock::new(|| Feed::start(Clock::new(Instant::now(), || 1_706_702_400_000)).expect("a thread"));

/// The logs of all environments, in a folder that is removed by whoever named the place for temporary files.
static LOGS: LazyLock<(tempfile::TempDir, Arc<LogStore>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = LogStoreSettings { retention: Duration::from_secs(86_400), group_bytes_max: 1 };
    let logs = LogStore::open(folder.path(), settings, Clock::new(Instant::now(), || 0));
    (folder, logs.expect("a log store"))
});

fn nothing() -> Command {
    Command {
        program: "/nothing".into(),
        arguments: Vec::new(),
        environment: Vec::new(),
        working_directory: "/".into(),
        restored_from: None,
    }
}

struct Watching(watch::Sender<bool>);

impl Owner for Watching {
    fn initialized(&self, _: &Arc<Environment>) {}

    fn settled(&self, _: &Arc<Environment>) {}

    fn gone(&self, _: &Arc<Environment>) {
        self.0.send_replace(true);
    }
}

/// Says that what it is told to do is done.
struct EmptySandbox {
    /// The reading end, and the writing end, which nobody uses: a pipe without one is at its end.
    pipe: (OwnedFd, OwnedFd),
    say: mpsc::UnboundedSender<SandboxEvent>,
    said: Mutex<mpsc::UnboundedReceiver<SandboxEvent>>,
}

impl EmptySandbox {
    fn new() -> Self {
        let (reader, writer) = tokio::net::unix::pipe::pipe()
            .and_then(|(writer, reader)| Ok((reader.into_nonblocking_fd()?, writer.into_nonblocking_fd()?)))
            .expect("a pipe");
        let (say, said) = mpsc::unbounded_channel();
        Self { pipe: (reader, writer), say, said: Mutex::new(said) }
    }

    fn say(&self, event: SandboxEvent) -> Result<(), SandboxError> {
        self.say.send(event).expect("the receiver lives as long as the sender");
        Ok(())
    }
}

impl Sandbox for EmptySandbox {
    fn output(&self) -> Result<OwnedFd, SandboxError> {
        Ok(self.pipe.0.try_clone().expect("a descriptor"))
    }

    fn log_fd(&self) -> i32 {
        62
    }

    fn extra_environment(&self) -> Vec<(OsString, OsString)> {
        Vec::new()
    }

    fn start(&self, process: ProcessId, _: &Command, _: Output<'_>) -> Result<(), SandboxError> {
        self.say(SandboxEvent::Started { process })
    }

    fn terminate(&self, process: ProcessId) -> Result<(), SandboxError> {
        let was_out_of_memory = false;
        self.say(SandboxEvent::Exited { process, status: ExitStatus::Code(0), was_out_of_memory })
    }

    fn kill(&self, process: ProcessId) -> Result<(), SandboxError> {
        self.terminate(process)
    }

    fn stop(&self, _: ProcessId) -> Result<(), SandboxError> {
        Ok(())
    }

    fn go_on(&self, _: ProcessId) -> Result<(), SandboxError> {
        Ok(())
    }

    fn kill_all(&self) -> Result<(), SandboxError> {
        self.say(SandboxEvent::AllGone)
    }

    fn next_event(&self) -> BoxFuture<'_, SandboxEvent> {
        Box::pin(std::future::poll_fn(|context| {
            let mut said = self.said.lock().expect("nobody panics with it");
            said.poll_recv(context).map(|event| event.expect("the sender lives as long as the receiver"))
        }))
    }

    fn memory_bytes_max(&self) -> u64 {
        1 << 20
    }

    fn usage(&self, _: ProcessId) -> Option<ProcessUsage> {
        None
    }

    fn pid(&self, _: ProcessId) -> Option<i32> {
        None
    }
}
