//! An environment that runs: carries out what the state machine decides.
//!
//! Events come from many places: Runtime API connections, the pool, the sandbox, the clock. Each takes the lock, lets
//! the machine decide and carries out the actions, none of which waits. So an invocation goes from the caller's task to
//! the runtime's connection, and its answer back, without a task in between. One task an environment waits for what is
//! slow: the sandbox, output, deadlines.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hearth_sandbox::{Output, Sandbox, SandboxError};
use hearth_telemetry::{
    Clock, EnvironmentRecord, EnvironmentTelemetry, InitPhase, LifecycleEvent, ShutdownReason, Subscription,
};
use hearth_types::{EnvironmentId, ExtensionId};
use tokio::sync::{Notify, oneshot};

use crate::invocation::{Answer, Delivery, Invocation, InvokeResult};
use crate::machine::{Action, Event, EventHolder, Machine};
use crate::notifications::{Notification, Notifications};
use crate::outputs::Outputs;
use crate::parts::{Boot, EnvironmentParts, FunctionFacts, Owner};
use crate::response_stream::{BegunResponse, ResponseSender, StreamingReply};
use crate::runtime_connection::{Connected, RuntimeConnection};
use crate::runtime_state::Rejection;
use crate::watch::{extension_process, runtime_process};

/// How many `/next` may wait at once. One is usual; a runtime with threads may have a few.
const PARKED_MAX: usize = 64;

/// A call below this touches at most a few MB: a page fault takes about 0.1 to 0.25 µs a KiB.
const SHORT_CALL: Duration = Duration::from_millis(1);
/// How old the reading of memory may be after a short call.
const MEMORY_FRESH: Duration = Duration::from_millis(100);

/// A running execution environment.
pub struct Environment {
    pub(crate) id: EnvironmentId,
    pub(crate) sandbox: Box<dyn Sandbox>,
    pub(crate) boot: Boot,
    function: FunctionFacts,
    owner: Arc<dyn Owner>,
    pub(crate) clock: Clock,
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

/// A `/next` that waits, and the connection that it came on.
pub(crate) struct Parked {
    reply: oneshot::Sender<Delivery>,
    connected: Weak<Connected>,
}

/// What a request brings along: who waits for an event, or what is asked for.
pub(crate) enum Brought {
    Runtime(Parked),
    Extension(ExtensionId, oneshot::Sender<Notification>),
    Subscription(Subscription),
}

struct Caller {
    reply: oneshot::Sender<InvokeResult>,
    /// Who hears when a response begins to stream; `None` for callers that want it whole, and once it has begun.
    streaming: Option<oneshot::Sender<BegunResponse>>,
    wants_log_tail: bool,
    /// The answer, while the log is not complete.
    held: Option<Answer>,
}

/// What is left to do when the lock is released.
#[derive(Default)]
struct Afterwards {
    reply: Option<Result<(), Rejection>>,
    /// The caller's answer. It goes out after the pool has heard what it means: a caller that calls again at once finds
    /// the environment where it belongs.
    answer: Option<(oneshot::Sender<InvokeResult>, InvokeResult)>,
    initialized: bool,
    settled: bool,
    gone: bool,
    follow_up: Option<Event>,
}

impl Environment {
    /// Makes an environment in which nothing runs yet. Needs a Tokio runtime.
    pub fn make(parts: EnvironmentParts) -> Result<Arc<Self>, SandboxError> {
        let EnvironmentParts { id, init_limit, sandbox, boot, function, telemetry, owner, clock } = parts;
        let record = telemetry.record().clone();
        let machine = Machine::new(init_limit, boot.extensions.clone());
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
            let _ = reply.send(Err("the environment is busy"));
            return answer;
        }
        inner.caller = Some(Caller { reply, streaming, wants_log_tail, held: None });
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

    pub(crate) fn feed(self: &Arc<Self>, event: Event) -> Option<Result<(), Rejection>> {
        self.feed_locked(self.lock(), event, None)
    }

    /// Lets the machine decide and does what it says; what has to be told to others comes after the lock is released.
    pub(crate) fn feed_locked(
        self: &Arc<Self>,
        mut inner: MutexGuard<'_, Inner>,
        event: Event,
        mut brought: Option<Brought>,
    ) -> Option<Result<(), Rejection>> {
        let now = self.clock.now();
        let mut afterwards = Afterwards::default();
        for action in inner.machine.on_event(now, event) {
            self.perform(&mut inner, now, action, &mut brought, &mut afterwards);
        }
        // Another thread of the runtime waits for the next event already: nothing more has to come for this one.
        if inner.machine.has_answered() && inner.has_parked() {
            afterwards.follow_up =
                Some(Event::Next { function_init_started: None, holder: EventHolder::AskerOrNobody });
        }
        drop(inner);
        if let Some(event) = afterwards.follow_up {
            self.feed(event);
        }
        if afterwards.initialized {
            self.owner.initialized(self);
        }
        if afterwards.settled {
            self.owner.settled(self);
        }
        if let Some((caller, result)) = afterwards.answer {
            // A caller that hung up does not concern the function.
            let _ = caller.send(result);
        }
        if afterwards.gone {
            self.rearm.notify_one();
            self.owner.gone(self);
        }
        afterwards.reply
    }

    fn perform(
        self: &Arc<Self>,
        inner: &mut Inner,
        now: Instant,
        action: Action,
        brought: &mut Option<Brought>,
        afterwards: &mut Afterwards,
    ) {
        match action {
            Action::Renew => inner.renew(),
            Action::StartExtension(program) => {
                if let Err(event) = self.start_extension(inner, program) {
                    afterwards.follow_up = Some(event);
                }
            }
            Action::Boot => afterwards.follow_up = self.boot(inner).err(),
            // What cannot be told to the sandbox now is killed with everything else soon.
            Action::TerminateRuntime => drop(self.sandbox.terminate(runtime_process(inner.generation))),
            Action::KillRuntime => drop(self.sandbox.kill(runtime_process(inner.generation))),
            Action::KillExtension(program) => {
                drop(self.sandbox.kill(extension_process(inner.generation, program)));
            }
            Action::Freeze => self.freeze(inner, now, afterwards),
            Action::Thaw => {
                if let Err(event) = self.thaw(inner) {
                    afterwards.follow_up = Some(event);
                }
            }
            Action::HurrySubscribers => inner.telemetry.hurry_subscribers(),
            Action::Subscribe(extension) => {
                if let Some(Brought::Subscription(subscription)) = brought.take() {
                    inner.telemetry.subscribe(extension, subscription);
                }
            }
            Action::Notify { extension, event } => self.notify(inner, now, extension, event),
            // A parked `/next` gets no answer: a runtime that heard one now would write about it to the log.
            Action::KillAll => {
                if let Err(error) = self.sandbox.kill_all() {
                    tracing::error!(environment_id = %self.id, %error, "cannot kill an environment");
                    afterwards.follow_up = Some(Event::SandboxLost);
                }
            }
            Action::Deliver(invocation) => self.deliver(inner, now, *invocation),
            Action::Answer { kind, payload } => {
                self.has_answered.store(true, Ordering::Release);
                inner.answer(Ok(Answer { kind, payload, log_tail: None }), afterwards);
            }
            Action::AnswerFailure(why) => inner.answer(Err(why), afterwards),
            Action::Record(event) => {
                afterwards.initialized |=
                    matches!(event, LifecycleEvent::InitDone { phase: InitPhase::Init, .. });
                self.record_step(inner, now, event, afterwards);
            }
            Action::RecordAt(at, event) => self.record_step(inner, at.min(now), event, afterwards),
            Action::SetDeadline(deadline) => {
                if inner.armed.is_none_or(|armed| deadline < armed) {
                    self.rearm.notify_one();
                }
            }
            Action::Accept => afterwards.reply = Some(Ok(())),
            Action::Reject(rejection) => afterwards.reply = Some(Err(rejection)),
            Action::Park => {
                match brought.take() {
                    Some(Brought::Runtime(parked)) => inner.park(parked),
                    Some(Brought::Extension(id, reply)) => inner.notifications.park(id, reply),
                    Some(Brought::Subscription(_)) | None => {}
                }
                afterwards.reply = Some(Ok(()));
            }
            Action::Settled => afterwards.settled = true,
            Action::Gone => afterwards.gone = true,
        }
    }

    fn boot(&self, inner: &mut Inner) -> Result<(), Event> {
        let command = (self.boot.command)(&*self.sandbox).map_err(Event::RuntimeStartFailed)?;
        let process = runtime_process(inner.generation);
        self.sandbox.start(process, &command, Output::Shared).map_err(|error| {
            tracing::error!(environment_id = %self.id, %error, "cannot start a runtime");
            Event::SandboxLost
        })
    }

    fn freeze(&self, inner: &mut Inner, now: Instant, afterwards: &mut Afterwards) {
        inner.telemetry.hold_subscribers(true);
        match self.sandbox.freeze() {
            Ok(()) => self.record_step(inner, now, LifecycleEvent::Frozen, afterwards),
            Err(error) => {
                tracing::error!(environment_id = %self.id, %error, "cannot freeze an environment");
                afterwards.follow_up = Some(Event::SandboxLost);
            }
        }
    }

    fn thaw(&self, inner: &mut Inner) -> Result<(), Event> {
        self.sandbox.thaw().map_err(|error| {
            tracing::error!(environment_id = %self.id, %error, "cannot thaw an environment");
            Event::SandboxLost
        })?;
        inner.telemetry.hold_subscribers(false);
        Ok(())
    }

    fn deliver(&self, inner: &mut Inner, now: Instant, invocation: Invocation) {
        let deadline = inner.machine.running().map_or(now, |(_, deadline)| deadline);
        let mut delivery = Delivery {
            request_id: invocation.request_id,
            deadline_epoch_ms: self.clock.epoch_ms_at(deadline, now),
            invoked_function_arn: invocation.invoked_function_arn,
            trace: invocation.trace,
            client_context: invocation.client_context,
            content_type: invocation.content_type,
            payload: invocation.payload,
        };
        inner.holder = None;
        while let Some(Parked { reply, connected }) = inner.parked.pop_front() {
            match reply.send(delivery) {
                Ok(()) => {
                    inner.holder = Some(connected);
                    return;
                }
                // That connection is gone. If it was the last, the next `/next` gets the event.
                Err(returned) => delivery = returned,
            }
        }
    }

    /// Records a step; before the end of a phase, what was put out during it.
    fn record_step(
        &self,
        inner: &mut Inner,
        at: Instant,
        mut event: LifecycleEvent,
        afterwards: &mut Afterwards,
    ) {
        match &mut event {
            LifecycleEvent::InvokeDone { memory_bytes_max, .. } => {
                *memory_bytes_max = inner.memory_bytes_max(&*self.sandbox, at);
                // Mostly the runtime was done in this very moment, and everything has been read.
                if inner.drained_at != Some(at) {
                    inner.outputs.drain(&mut inner.telemetry);
                }
                inner.outputs.flush(&mut inner.telemetry);
            }
            LifecycleEvent::RuntimeDone { .. } => {
                inner.outputs.drain(&mut inner.telemetry);
                inner.drained_at = Some(at);
            }
            LifecycleEvent::InitDone { .. } => {
                inner.memory_bytes_max = self.sandbox.memory_bytes_max();
                inner.memory_measured_at = Some(at);
                inner.outputs.drain(&mut inner.telemetry);
                // Init has the CPU that it needs; from now on the function's share counts.
                if let Err(error) = self.sandbox.limit_cpu() {
                    tracing::error!(environment_id = %self.id, %error, "cannot limit the CPU of an environment");
                    afterwards.follow_up = Some(Event::SandboxLost);
                }
            }
            LifecycleEvent::ResetDone => {
                while inner.outputs.drain(&mut inner.telemetry) {}
                inner.outputs.finish(&mut inner.telemetry);
            }
            LifecycleEvent::ShutdownDone => {
                inner.outputs.drain(&mut inner.telemetry);
                inner.outputs.finish(&mut inner.telemetry);
            }
            // What was put out while the code was loaded comes before what is told of that.
            LifecycleEvent::RuntimeInitDone { .. } | LifecycleEvent::ExtensionReported { .. } => {
                inner.outputs.drain(&mut inner.telemetry);
            }
            LifecycleEvent::InvokeStarted { .. } => inner.invoke_started_at = Some(at),
            LifecycleEvent::InitStarted { .. }
            | LifecycleEvent::ExtensionStarted { .. }
            | LifecycleEvent::ExtensionRegistered { .. }
            | LifecycleEvent::TelemetrySubscribed { .. }
            | LifecycleEvent::ExtensionReady { .. }
            | LifecycleEvent::RuntimeStarted
            | LifecycleEvent::FunctionInitStarted
            | LifecycleEvent::ResponseSent { .. }
            | LifecycleEvent::ExtensionDone { .. }
            | LifecycleEvent::Frozen
            | LifecycleEvent::ResetStarted { .. }
            | LifecycleEvent::ShutdownStarted { .. }
            | LifecycleEvent::RuntimeTerminated
            | LifecycleEvent::RuntimeGone { .. }
            | LifecycleEvent::ExtensionShutdownSent { .. }
            | LifecycleEvent::ExtensionGone { .. } => {}
        }
        let ends_invocation = matches!(event, LifecycleEvent::InvokeDone { .. });
        inner.telemetry.take(at, event);
        if ends_invocation {
            inner.finish_caller(afterwards);
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Returns the largest memory used so far. The kernel keeps the mark, and reading it costs as much as a tenth of a
    /// short call; after one so short that it can have touched a few MB at most, a fresh enough reading is good enough.
    fn memory_bytes_max(&mut self, sandbox: &dyn Sandbox, at: Instant) -> u64 {
        let was_short = self.invoke_started_at.is_some_and(|started| at - started < SHORT_CALL);
        let is_fresh = self.memory_measured_at.is_some_and(|measured| at - measured < MEMORY_FRESH);
        if !(was_short && is_fresh) {
            self.memory_bytes_max = sandbox.memory_bytes_max();
            self.memory_measured_at = Some(at);
        }
        self.memory_bytes_max
    }

    fn is_held_by_another(&self, connection: &RuntimeConnection) -> bool {
        let connected = Arc::as_ptr(connection.connected());
        // A weak one keeps the address taken: no later connection can have the same.
        self.holder.as_ref().is_some_and(|holder| !std::ptr::eq(holder.as_ptr(), connected))
    }

    fn has_parked(&self) -> bool {
        self.parked.iter().any(|parked| !parked.reply.is_closed())
    }

    fn park(&mut self, next: Parked) {
        self.parked.retain(|parked| !parked.reply.is_closed());
        if self.parked.len() >= PARKED_MAX {
            self.parked.pop_front();
        }
        self.parked.push_back(next);
    }

    /// Gives the caller its answer, or holds it until the log is complete.
    fn answer(&mut self, result: InvokeResult, afterwards: &mut Afterwards) {
        match (self.caller.take(), result) {
            (Some(mut caller), Ok(answer)) if caller.wants_log_tail => {
                caller.held = Some(answer);
                self.caller = Some(caller);
            }
            (Some(caller), result) => afterwards.answer = Some((caller.reply, result)),
            (None, _) => {}
        }
    }

    /// Gives the caller the answer that was held, with the log.
    fn finish_caller(&mut self, afterwards: &mut Afterwards) {
        match self.caller.take() {
            Some(Caller { reply, held: Some(mut answer), .. }) => {
                answer.log_tail = Some(self.telemetry.take_tail());
                afterwards.answer = Some((reply, Ok(answer)));
            }
            other => {
                self.caller = other;
                self.telemetry.forget_tail();
            }
        }
    }

    /// Forgets what belongs to the processes before.
    fn renew(&mut self) {
        self.generation += 1;
        self.parked.clear();
        self.holder = None;
        self.notifications.clear();
    }
}
