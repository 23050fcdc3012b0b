//! An environment that runs: carries out what the state machine decides.
//!
//! Events come from many places: Runtime API connections, the pool, the sandbox, the clock. Each takes the lock, lets
//! the machine decide and carries out the actions, none of which waits. So an invocation goes from the caller's task to
//! the runtime's connection, and its answer back, without a task in between. One task an environment waits for what is
//! slow: the sandbox, output, deadlines.

mod actions;
mod caller;
mod parked;
mod steps;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use hearth_sandbox::{MemoryBytes, Sandbox, SandboxError};
use hearth_telemetry::{Clock, EnvironmentRecord, EnvironmentTelemetry, ShutdownReason};
use hearth_types::EnvironmentId;
use tokio::sync::{Notify, oneshot};

pub(crate) use self::actions::Brought;
use self::caller::Caller;
use self::parked::Parked;
use crate::invocation::{Delivery, Invocation, InvokeFailure, InvokeResult};
use crate::machine::{Event, EventHolder, Machine};
use crate::notifications::Notifications;
use crate::outputs::Outputs;
use crate::parts::{Boot, EnvironmentParts, FunctionFacts, Owner};
use crate::response_stream::{BegunResponse, ResponseSender, StreamingReply};
use crate::runtime_connection::{Connected, RuntimeConnection};
use crate::runtime_state::Rejection;
use crate::snap_start::SnapStart;
use crate::watch::runtime_process;

/// A running execution environment.
pub struct Environment {
    pub(crate) id: EnvironmentId,
    pub(crate) sandbox: Box<dyn Sandbox>,
    pub(crate) boot: Boot,
    function: FunctionFacts,
    owner: Arc<dyn Owner>,
    pub(crate) clock: Clock,
    pub(crate) snap_start: SnapStart,
    inner: Mutex<Inner>,
    /// Tells the task that there is an earlier deadline than the one it waits for.
    pub(crate) rearm: Notify,
    has_answered: AtomicBool,
    record: Arc<EnvironmentRecord>,
}

pub(crate) struct Inner {
    pub(crate) machine: Machine,
    pub(crate) telemetry: EnvironmentTelemetry,
    pub(crate) outputs: Outputs,
    pub(crate) notifications: Notifications,
    parked: VecDeque<Parked>,
    /// The connection that got the event of the running invocation.
    holder: Option<Weak<Connected>>,
    caller: Option<Caller>,
    /// Counts starts of the runtime. What an earlier one still says is not for now.
    pub(crate) generation: u32,
    /// What the task's timer is set to.
    pub(crate) armed: Option<Instant>,
    invoke_started_at: Option<Instant>,
    memory_bytes_max: u64,
    memory_measured_at: Option<Instant>,
    /// When everything that was put out had been read.
    drained_at: Option<Instant>,
}

impl Environment {
    /// Makes an environment in which nothing runs yet. Needs a Tokio runtime.
    pub fn make(parts: EnvironmentParts) -> Result<Arc<Self>, SandboxError> {
        let EnvironmentParts {
            id,
            init_limit,
            sandbox,
            boot,
            function,
            telemetry,
            owner,
            clock,
            faults,
            snap_start,
        } = parts;
        let record = telemetry.record().clone();
        let machine = Machine::new(init_limit, boot.extensions.clone())
            .injecting(faults)
            .restoring(snap_start == SnapStart::Restored);
        let machine = if sandbox.can_freeze() { machine.freezing() } else { machine };
        let inner = Inner {
            machine,
            telemetry,
            outputs: Outputs::new(sandbox.output()?),
            notifications: Notifications::default(),
            parked: VecDeque::new(),
            holder: None,
            caller: None,
            generation: 0,
            armed: None,
            invoke_started_at: None,
            memory_bytes_max: 0,
            memory_measured_at: None,
            drained_at: None,
        };
        let output = sandbox.output()?;
        let environment = Arc::new(Self {
            id,
            sandbox,
            boot,
            function,
            owner,
            clock,
            snap_start,
            inner: Mutex::new(inner),
            rearm: Notify::new(),
            has_answered: AtomicBool::new(false),
            record,
        });
        tokio::spawn(environment.clone().run(output));
        Ok(environment)
    }

    /// Begins with Init, ahead of the first invocation.
    pub fn begin_init(self: &Arc<Self>) {
        self.feed(Event::Init);
    }

    /// Returns its id.
    pub fn id(&self) -> EnvironmentId {
        self.id
    }

    /// Returns its record.
    pub fn record(&self) -> &Arc<EnvironmentRecord> {
        &self.record
    }

    /// Returns its phase as a word for people, and the process id of its runtime.
    pub fn state(&self) -> (&'static str, Option<i32>) {
        let inner = self.lock();
        (inner.machine.phase_name(), self.sandbox.pid(runtime_process(inner.generation)))
    }

    /// Returns what its processes may know about their function.
    pub fn function(&self) -> &FunctionFacts {
        &self.function
    }

    /// Whether the caller of the last invocation has its answer: the environment will be free soon, if it is not.
    pub fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Acquire)
    }

    /// Whether its runtime waits for an event: an invocation would begin at once.
    pub fn is_warm(&self) -> bool {
        self.lock().machine.is_warm()
    }

    /// Notes that an invocation is on its way, so that the last answer counts no more.
    pub fn expect_invocation(&self) {
        self.has_answered.store(false, Ordering::Release);
    }

    /// Returns the largest memory it used so far, in bytes.
    pub fn memory_bytes_max(&self) -> u64 {
        self.sandbox.memory_bytes_max()
    }

    /// Returns the memory that it has now and that its end would free, and the most of it that it had. Reads some files.
    pub fn memory(&self) -> MemoryBytes {
        self.sandbox.memory()
    }

    /// Gives it an invocation: at once if it is warm, after Init if not. If the receiver is dropped the invocation
    /// still runs to its end.
    pub fn invoke(self: &Arc<Self>, invocation: Invocation) -> oneshot::Receiver<InvokeResult> {
        self.invoke_for(invocation, None)
    }

    /// The same, for a caller that takes the response as it comes.
    pub fn invoke_streaming(self: &Arc<Self>, invocation: Invocation) -> StreamingReply {
        let (begins, began) = oneshot::channel();
        StreamingReply { began, answer: self.invoke_for(invocation, Some(begins)) }
    }

    fn invoke_for(
        self: &Arc<Self>,
        invocation: Invocation,
        streaming: Option<oneshot::Sender<BegunResponse>>,
    ) -> oneshot::Receiver<InvokeResult> {
        let (reply, answer) = oneshot::channel();
        let wants_log_tail = invocation.wants_log_tail;
        let why_cold = invocation.why_cold.clone();
        let mut inner = self.lock();
        // Before anybody looks at the clock: what thawing takes is not the call's.
        if inner.machine.is_frozen() {
            inner.machine.thawed();
            if let Err(event) = self.thaw(&mut inner) {
                self.feed_locked(inner, event, None);
                inner = self.lock();
            }
        }
        if inner.caller.is_some() {
            let _ = reply.send(Err(InvokeFailure::Service("the environment is busy")));
            return answer;
        }
        inner.caller = Some(Caller { reply, streaming, wants_log_tail, why_cold, held: None });
        self.feed_locked(inner, Event::Invoke(Box::new(invocation)), None);
        answer
    }

    /// Ends it for good.
    pub fn shut_down(self: &Arc<Self>, reason: ShutdownReason) {
        self.feed(Event::ShutDown(reason));
    }

    /// Returns the handle with which one connection of the runtime speaks to it.
    pub fn connect(self: &Arc<Self>) -> RuntimeConnection {
        let generation = self.lock().generation;
        RuntimeConnection::new(self.clone(), generation)
    }

    /// The runtime says something on a connection.
    pub(crate) fn hear_runtime(
        self: &Arc<Self>,
        from: &RuntimeConnection,
        event: impl FnOnce(EventHolder) -> Event,
        next: Option<oneshot::Sender<Delivery>>,
    ) -> Result<(), Rejection> {
        let inner = self.lock();
        if inner.generation != from.generation() {
            return Err(Rejection::Ending);
        }
        let holder = match inner.is_held_by_another(from) {
            true => EventHolder::Another,
            false => EventHolder::AskerOrNobody,
        };
        let next =
            next.map(|reply| Brought::Runtime(Parked { reply, connected: Arc::downgrade(from.connected()) }));
        self.feed_locked(inner, event(holder), next).unwrap_or(Err(Rejection::Ending))
    }

    /// The response that has begun on a connection comes in a stream: returns where its bytes go, unless the caller wants it
    /// whole.
    pub(crate) fn begin_stream(
        &self,
        from: &RuntimeConnection,
        content_type: Option<String>,
    ) -> Option<ResponseSender> {
        let mut inner = self.lock();
        if inner.generation != from.generation() || !inner.machine.is_responding() {
            return None;
        }
        let streaming = inner.caller.as_mut()?.streaming.take()?;
        Some(ResponseSender::begin(streaming, content_type))
    }

    /// The event that was handed to a connection never left us: the connection broke in that moment.
    pub(crate) fn take_back_event(&self, from: &RuntimeConnection) {
        let mut inner = self.lock();
        if inner.generation == from.generation() && !inner.is_held_by_another(from) {
            inner.holder = None;
            if let Some(invocation) = inner.machine.unanswered().cloned() {
                self.deliver(&mut inner, self.clock.now(), invocation);
            }
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Forgets what belongs to the processes before.
    fn renew(&mut self) {
        self.generation += 1;
        self.parked.clear();
        self.holder = None;
        self.notifications.clear();
    }
}
