//! An environment that runs: carries out what the state machine decides.
//!
//! Events come from many places: Runtime API connections, the pool, the sandbox, the clock. Each takes the lock, lets
//! the machine decide and carries out the actions, none of which waits. So an invocation goes from the caller's task to
//! the runtime's connection, and its answer back, without a task in between. One task an environment waits for what is
//! slow: the sandbox, output, deadlines.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hearth_sandbox::{Command, ProcessId, Sandbox, SandboxError, SandboxEvent};
use hearth_telemetry::{
    Clock, EnvironmentRecord, EnvironmentTelemetry, InitPhase, LifecycleEvent, OutputCapture, ShutdownReason,
};
use hearth_types::{EnvironmentId, limits};
use tokio::net::unix::pipe;
use tokio::sync::{Notify, oneshot};

use crate::fatal_error::FatalError;
use crate::invocation::{Answer, Delivery, Invocation, InvokeResult};
use crate::machine::{Action, Event, EventHolder, Machine};
use crate::runtime_connection::{Connected, RuntimeConnection};
use crate::runtime_state::Rejection;

/// How many `/next` may wait at once. One is usual; a runtime with threads may have a few.
const PARKED_MAX: usize = 64;

/// A call below this touches at most a few MB: a page fault takes about 0.1 to 0.25 µs a KiB.
const SHORT_CALL: Duration = Duration::from_millis(1);
/// How old the reading of memory may be after a short call.
const MEMORY_FRESH: Duration = Duration::from_millis(100);

/// Makes the command of a runtime, or says why there is none.
pub type MakeCommand = dyn Fn(&dyn Sandbox) -> Result<Command, FatalError> + Send + Sync;

/// Says what to start in an environment; asked at each start, also after a reset.
pub struct Boot {
    /// Makes the command, or says why there is none.
    pub command: Box<MakeCommand>,
    /// The path of the program as the function's author knows it, for messages.
    pub shown_program: String,
}

/// Who must hear when an environment can take an invocation, or is gone: the pool.
pub trait Owner: Send + Sync + 'static {
    /// The Init ahead of the first invocation is over, well or not.
    fn initialized(&self, environment: &Arc<Environment>);

    /// The invocation is over (or an Init without one); another one may come.
    fn settled(&self, environment: &Arc<Environment>);

    /// The environment is gone.
    fn gone(&self, environment: &Arc<Environment>);
}

/// What an environment is made of.
pub struct EnvironmentParts {
    /// Its id.
    pub id: EnvironmentId,
    /// Where its processes run.
    pub sandbox: Box<dyn Sandbox>,
    /// What runs there.
    pub boot: Boot,
    /// Takes what it records and puts out.
    pub telemetry: EnvironmentTelemetry,
    /// Who hears of it.
    pub owner: Arc<dyn Owner>,
    /// Both clocks.
    pub clock: Clock,
}

/// A running execution environment.
pub struct Environment {
    id: EnvironmentId,
    sandbox: Box<dyn Sandbox>,
    boot: Boot,
    owner: Arc<dyn Owner>,
    clock: Clock,
    inner: Mutex<Inner>,
    /// Tells the task that there is an earlier deadline than the one it waits for.
    rearm: Notify,
    has_answered: AtomicBool,
    record: Arc<EnvironmentRecord>,
}

struct Inner {
    machine: Machine,
    telemetry: EnvironmentTelemetry,
    capture: OutputCapture,
    parked: VecDeque<Parked>,
    /// The connection that got the event of the running invocation.
    holder: Option<Weak<Connected>>,
    caller: Option<Caller>,
    /// Counts starts of the runtime. What an earlier one still says is not for now.
    generation: u32,
    /// What the task's timer is set to.
    armed: Option<Instant>,
    invoke_started_at: Option<Instant>,
    memory_bytes_max: u64,
    memory_measured_at: Option<Instant>,
}

/// A `/next` that waits, and the connection that it came on.
struct Parked {
    reply: oneshot::Sender<Delivery>,
    connected: Weak<Connected>,
}

struct Caller {
    reply: oneshot::Sender<InvokeResult>,
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
        let EnvironmentParts { id, sandbox, boot, telemetry, owner, clock } = parts;
        let record = telemetry.record().clone();
        let inner = Inner {
            machine: Machine::new(limits::INIT_LIMIT_ON_DEMAND),
            telemetry,
            capture: OutputCapture::new(sandbox.output()?),
            parked: VecDeque::new(),
            holder: None,
            caller: None,
            generation: 0,
            armed: None,
            invoke_started_at: None,
            memory_bytes_max: 0,
            memory_measured_at: None,
        };
        let output = sandbox.output()?;
        let environment = Arc::new(Self {
            id,
            sandbox,
            boot,
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
        (inner.machine.phase_name(), self.sandbox.pid(ProcessId(inner.generation)))
    }

    /// Whether the caller of the last invocation has its answer: the environment will be free soon, if it is not.
    pub fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Acquire)
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
        let (reply, answer) = oneshot::channel();
        let wants_log_tail = invocation.wants_log_tail;
        let mut inner = self.lock();
        if inner.caller.is_some() {
            let _ = reply.send(Err("the environment is busy"));
            return answer;
        }
        inner.caller = Some(Caller { reply, wants_log_tail, held: None });
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
        let next = next.map(|reply| Parked { reply, connected: Arc::downgrade(from.connected()) });
        self.feed_locked(inner, event(holder), next).unwrap_or(Err(Rejection::Ending))
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

    fn feed(self: &Arc<Self>, event: Event) -> Option<Result<(), Rejection>> {
        self.feed_locked(self.lock(), event, None)
    }

    /// Lets the machine decide and does what it says; what has to be told to others comes after the lock is released.
    fn feed_locked(
        self: &Arc<Self>,
        mut inner: MutexGuard<'_, Inner>,
        event: Event,
        mut next: Option<Parked>,
    ) -> Option<Result<(), Rejection>> {
        let now = self.clock.now();
        let mut afterwards = Afterwards::default();
        for action in inner.machine.on_event(now, event) {
            self.perform(&mut inner, now, action, &mut next, &mut afterwards);
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
        &self,
        inner: &mut Inner,
        now: Instant,
        action: Action,
        next: &mut Option<Parked>,
        afterwards: &mut Afterwards,
    ) {
        match action {
            Action::Boot => afterwards.follow_up = self.boot(inner).err(),
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
                if let Some(next) = next.take() {
                    inner.park(next);
                }
                afterwards.reply = Some(Ok(()));
            }
            Action::Settled => afterwards.settled = true,
            Action::Gone => afterwards.gone = true,
        }
    }

    fn boot(&self, inner: &mut Inner) -> Result<(), Event> {
        inner.generation += 1;
        inner.parked.clear();
        inner.holder = None;
        let command = (self.boot.command)(&*self.sandbox).map_err(Event::RuntimeStartFailed)?;
        self.sandbox.start(ProcessId(inner.generation), &command).map_err(|error| {
            tracing::error!(environment_id = %self.id, %error, "cannot start a runtime");
            Event::SandboxLost
        })
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
                inner.drain_output();
                inner.flush_output();
            }
            LifecycleEvent::InitDone { .. } => {
                inner.memory_bytes_max = self.sandbox.memory_bytes_max();
                inner.memory_measured_at = Some(at);
                inner.drain_output();
            }
            LifecycleEvent::ResetDone => {
                while inner.drain_output() {}
                inner.finish_output();
            }
            LifecycleEvent::ShutdownDone => {
                inner.drain_output();
                inner.finish_output();
            }
            LifecycleEvent::InvokeStarted { .. } => inner.invoke_started_at = Some(at),
            LifecycleEvent::InitStarted { .. }
            | LifecycleEvent::ExtensionStarted { .. }
            | LifecycleEvent::ExtensionRegistered { .. }
            | LifecycleEvent::TelemetrySubscribed { .. }
            | LifecycleEvent::ExtensionReady { .. }
            | LifecycleEvent::RuntimeStarted
            | LifecycleEvent::FunctionInitStarted
            | LifecycleEvent::RuntimeInitDone { .. }
            | LifecycleEvent::ExtensionReported { .. }
            | LifecycleEvent::ResponseSent { .. }
            | LifecycleEvent::RuntimeDone { .. }
            | LifecycleEvent::ExtensionDone { .. }
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

    /// Waits for the sandbox, output and deadlines until the environment is gone.
    async fn run(self: Arc<Self>, output: OwnedFd) {
        let output = match pipe::Receiver::from_owned_fd(output) {
            Ok(output) => output,
            Err(error) => {
                tracing::error!(environment_id = %self.id, %error, "cannot watch an environment's output");
                self.feed(Event::SandboxLost);
                return;
            }
        };
        loop {
            let (deadline, gone) = {
                let mut inner = self.lock();
                inner.armed = inner.machine.deadline();
                (inner.armed, inner.machine.phase_name() == "Gone")
            };
            if gone {
                return;
            }
            let timer = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.sandbox.next_event() => self.hear(event),
                ready = output.readable() => {
                    if let Err(error) = ready {
                        tracing::error!(environment_id = %self.id, %error, "lost an environment's output");
                        self.feed(Event::SandboxLost);
                    }
                    self.read_output(&output).await;
                }
                () = timer => {
                    self.feed(Event::DeadlineReached);
                }
                () = self.rearm.notified() => {}
            }
        }
    }

    fn hear(self: &Arc<Self>, event: SandboxEvent) {
        let current = ProcessId(self.lock().generation);
        match event {
            SandboxEvent::Started { process } if process == current => {
                self.feed(Event::RuntimeStarted);
            }
            SandboxEvent::StartFailed { process, errno } if process == current => {
                let error = FatalError::cannot_execute(&self.boot.shown_program, errno);
                self.feed(Event::RuntimeStartFailed(error));
            }
            SandboxEvent::Exited { process, status } if process == current => {
                self.feed(Event::RuntimeExited(status));
            }
            // A process of an earlier start: it was killed, and its end is no news.
            SandboxEvent::Started { .. } | SandboxEvent::StartFailed { .. } | SandboxEvent::Exited { .. } => {
            }
            SandboxEvent::AllGone => {
                self.feed(Event::AllGone);
            }
            SandboxEvent::Lost => {
                self.feed(Event::SandboxLost);
            }
        }
    }

    /// Reads what a function has put out. When the log store has no room, the function waits in its pipe.
    async fn read_output(&self, output: &pipe::Receiver) {
        loop {
            let room = self.lock().telemetry.room_for_output();
            room.await;
            let mut inner = self.lock();
            if inner.drain_output() {
                continue;
            }
            // Tokio has to see for itself that the pipe is empty before it waits again. If it is not, a byte comes along.
            let mut byte = [0];
            match output.try_read(&mut byte) {
                Ok(1..) => inner.take_output(&byte),
                Ok(0) | Err(_) => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
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

    /// Hands on what the processes have put out. Returns whether there may be more.
    fn drain_output(&mut self) -> bool {
        let (events, more) = self.capture.drain(self.telemetry.timestamp_ms());
        if !events.is_empty() {
            self.telemetry.write(events);
        }
        more
    }

    fn take_output(&mut self, bytes: &[u8]) {
        let events = self.capture.take(bytes, self.telemetry.timestamp_ms());
        self.telemetry.write(events);
    }

    fn flush_output(&mut self) {
        if let Some(event) = self.capture.flush(self.telemetry.timestamp_ms()) {
            self.telemetry.write(vec![event]);
        }
    }

    fn finish_output(&mut self) {
        let events = self.capture.finish(self.telemetry.timestamp_ms());
        if !events.is_empty() {
            self.telemetry.write(events);
        }
    }
}
