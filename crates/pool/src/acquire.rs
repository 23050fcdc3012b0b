//! Finding an environment for an invocation: a warm one if there is one, a new one if not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_environment::{
    Answer, AnswerKind, Environment, EnvironmentParts, Faults, Invocation, InvokeFailure, InvokeResult,
    Owner, RestoreFailure, SnapStart, StreamingReply, Template,
};
use hearth_functions::ResolvedVersion;
use hearth_invoke::{BegunResponse, InvokeError, InvokeRequest, InvokeResponse, Permit, StreamedResponse};
use hearth_runtime_api::BoundRuntimeApi;
use hearth_sandbox::Sandbox;
use hearth_telemetry::imports::ImportCollector;
use hearth_telemetry::{EnvironmentFacts, EnvironmentTelemetry};
use hearth_types::{
    ColdReason, ColdStart, EnvironmentId, InitializationType, Qualifier, TraceHeader, Version,
};
use tokio::sync::oneshot::error::RecvError;

use crate::admission::{Admitted, Place};
use crate::injected_faults::FaultsOf;
use crate::members::{Busy, FunctionEnvironments, Member};
use crate::memory::Room;
use crate::preboot::Ground;
use crate::sampling::Decided;
use crate::snapshots::Kept;
use crate::streaming::parts;
use crate::why_cold::Past;
use crate::{ChangedCode, FunctionVersion, Pool, State, boot, key_of};

/// How long an invocation waits for an environment that has answered its caller and has not yet asked for the next
/// event. Ours: a runtime asks within 0.1 ms, and no cold start of Node or Python is faster than this (measured).
const FINISHING_WAIT: Duration = Duration::from_millis(20);

/// How often it looks again before it sleeps: some ten microseconds in all. More would take the processor from the very
/// runtime that it waits for, where there is one processor or the machine is busy (measured: 100 µs made such calls four
/// times as slow).
const FINISHING_LOOKS: u32 = 8;

/// What a look at the warm environments found.
enum Found {
    Warm(Arc<Environment>),
    Cold(ColdStart, Permit),
}

/// What an environment is made for.
pub(crate) struct Plan {
    pub(crate) why_made: ColdReason,
    pub(crate) initialization_type: InitializationType,
    /// Who hears of it.
    pub(crate) owner: Arc<dyn Owner>,
    /// Where its runtime tells what it imports.
    pub(crate) imports: Option<Arc<ImportCollector>>,
    /// Its memory.
    pub(crate) room: Room,
    /// With what it begins.
    pub(crate) starts_from: StartsFrom,
}

/// What an environment starts from.
#[derive(Clone)]
pub(crate) enum StartsFrom {
    /// Init.
    Nothing,
    /// Init, and a snapshot is taken then.
    NothingForSnapshot(Arc<Template>),
    /// What another one was after its Init.
    Snapshot(Arc<Kept>),
}

/// Counts a cold start until its environment is in the pool, also when the caller gives up while it waits.
struct Starting<'a> {
    pool: &'a Pool,
    key: &'a FunctionVersion,
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        if let Some(environments) = self.pool.lock().versions.get_mut(self.key) {
            environments.starting -= 1;
        }
        self.pool.forget_if_empty(self.key);
        self.pool.changed.notify_waiters();
    }
}

/// Counts an invocation that waits for an environment that has answered.
struct Waiting<'a> {
    pool: &'a Pool,
    key: &'a FunctionVersion,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(environments) = self.pool.lock().versions.get_mut(self.key) {
            environments.waiting -= 1;
        }
    }
}

impl Pool {
    /// Runs one invocation, in a warm environment or a new one.
    pub(crate) async fn run_in_environment(
        &self,
        version: Arc<ResolvedVersion>,
        permit: Permit,
        request: InvokeRequest,
    ) -> Result<InvokeResponse, InvokeError> {
        let executed_version = version.version;
        let (environment, invocation) = self.ready_for(version, permit, request).await?;
        let trace = invocation.trace.clone();
        let answer = answered(environment.invoke(invocation).await)?;
        Ok(whole(answer, executed_version, trace))
    }

    /// The same, for a caller who takes the response as it comes.
    pub(crate) async fn stream_from_environment(
        &self,
        version: Arc<ResolvedVersion>,
        permit: Permit,
        request: InvokeRequest,
    ) -> Result<BegunResponse, InvokeError> {
        let executed_version = version.version;
        let (environment, invocation) = self.ready_for(version, permit, request).await?;
        let trace = invocation.trace.clone();
        let StreamingReply { began, mut answer } = environment.invoke_streaming(invocation);
        let begun = tokio::select! {
            biased;
            Ok(begun) = began => begun,
            answer = &mut answer => {
                return Ok(BegunResponse::Whole(whole(answered(answer)?, executed_version, trace)));
            }
        };
        Ok(BegunResponse::Streamed(StreamedResponse {
            executed_version,
            trace,
            content_type: begun.content_type,
            parts: parts(begun.pieces, answer),
        }))
    }

    /// Finds the environment for an invocation.
    async fn ready_for(
        &self,
        version: Arc<ResolvedVersion>,
        permit: Permit,
        request: InvokeRequest,
    ) -> Result<(Arc<Environment>, Invocation), InvokeError> {
        let arrived = self.parts.clock.now();
        let trace = self.sampling.decide(&version, &request, &self.parts.clock);
        self.wait_for_finishing(&version).await;
        let (environment, why_cold) = match self.take_warm(&version, permit)? {
            Found::Warm(environment) => (environment, None),
            // Apart: most calls need no room for it.
            Found::Cold(why_cold, permit) => Box::pin(self.cold_start(&version, why_cold, permit)).await?,
        };
        let invocation = invocation(&version, request, trace, why_cold, arrived);
        Ok((environment, invocation))
    }

    /// Waits a moment when no environment is ready and one is about to be. A caller that calls again as soon as it has its
    /// answer would otherwise start another environment each time.
    async fn wait_for_finishing(&self, version: &Arc<ResolvedVersion>) {
        let key = &key_of(version);
        let must_wait = |state: &mut State| {
            let environments = state.versions.get_mut(key)?;
            let one_is_for_us = !environments.has_ready(version.generation)
                && environments.finishing(version.generation) > environments.waiting;
            one_is_for_us.then(|| environments.waiting += 1)
        };
        if must_wait(&mut self.lock()).is_none() {
            return;
        }
        let waiting = Waiting { pool: self, key };
        let is_over = |state: &State| {
            state.versions.get(key).is_none_or(|environments| {
                environments.has_ready(version.generation) || environments.finishing(version.generation) == 0
            })
        };
        // Mostly it is a matter of microseconds. Looking again after everybody else has had their turn is faster than
        // being woken, perhaps on another processor.
        for _ in 0..FINISHING_LOOKS {
            tokio::task::yield_now().await;
            if is_over(&self.lock()) {
                return;
            }
        }
        let ready = self.until(is_over);
        // When the time is up, the runtime does something after its answer; a new environment is faster then.
        let _ = tokio::time::timeout(FINISHING_WAIT, ready).await;
        drop(waiting);
    }

    /// Takes the warm environment that was used last. Without one, counts a cold start: the caller has to make it.
    fn take_warm(&self, version: &Arc<ResolvedVersion>, permit: Permit) -> Result<Found, InvokeError> {
        let mut state = self.lock();
        if state.draining {
            return Err(InvokeError::Draining);
        }
        let key = &key_of(version);
        if !state.versions.contains_key(key) {
            let past = Past::since(state.deployed.remove(key));
            let environments = FunctionEnvironments::with(past, self.parts.settings.keep_alive);
            state.versions.insert(key.clone(), environments);
        }
        let Some(environments) = state.versions.get_mut(key) else { return Err(InvokeError::Draining) };
        if let Some(ready) = environments.take_ready(version.generation, &permit) {
            let environment = ready.member.environment.clone();
            environments.insert_busy(ready.begin(permit));
            return Ok(Found::Warm(environment));
        }
        environments.past.see(version, self.parts.clock.epoch_ms());
        let why_cold = environments.why_cold(version.generation, self.parts.clock.now());
        environments.starting += 1;
        Ok(Found::Cold(why_cold, permit))
    }

    /// Makes an environment, when it is its turn. One that became warm meanwhile is taken instead.
    async fn cold_start(
        &self,
        version: &Arc<ResolvedVersion>,
        why_cold: ColdStart,
        permit: Permit,
    ) -> Result<(Arc<Environment>, Option<ColdStart>), InvokeError> {
        let key = &key_of(version);
        let starting = Starting { pool: self, key };
        let (permit, Place { room, processor }) = match self.admit_cold_start(version, permit).await? {
            Admitted::Warm(environment) => return Ok((environment, None)),
            Admitted::Cold(permit, place) => (permit, place),
        };
        permit.scale_up().map_err(|reason| InvokeError::Throttled { reason })?;
        let turn = match self.cold_starts.clone().try_acquire_owned() {
            Ok(turn) => turn,
            Err(_) => {
                let turn =
                    self.cold_starts.clone().acquire_owned().await.map_err(|_| InvokeError::Draining)?;
                let mut state = self.lock();
                if let Some(environments) = state.versions.get_mut(key)
                    && let Some(ready) = environments.take_ready(version.generation, &permit)
                {
                    permit.scaled_up_for_nothing();
                    let environment = ready.member.environment.clone();
                    environments.insert_busy(ready.begin(permit));
                    drop(state);
                    return Ok((environment, None));
                }
                turn
            }
        };
        self.evict_if_full(&key.0);
        let starts_from = self.starts_from(version);
        let initialization_type = match starts_from {
            StartsFrom::Snapshot(_) => InitializationType::SnapStart,
            StartsFrom::Nothing | StartsFrom::NothingForSnapshot(_) => InitializationType::OnDemand,
        };
        let owner = self.this.upgrade().ok_or(InvokeError::Draining)?;
        let why_made = why_cold.reason;
        let plan = Plan { why_made, initialization_type, owner, imports: None, room, starts_from };
        let member = self.make_planned(version, plan).await?;
        let environment = member.environment.clone();
        // In the pool before anything runs: its callbacks must find it.
        if let Some(environments) = self.lock().versions.get_mut(key) {
            environments.insert_busy(Busy::cold(member, permit, (turn, processor)));
        }
        environment.begin_init();
        drop(starting);
        Ok((environment, Some(why_cold)))
    }

    /// Makes an environment in which nothing runs yet.
    pub(crate) async fn make_member(
        &self,
        version: &Arc<ResolvedVersion>,
        why_cold: &ColdStart,
        initialization_type: InitializationType,
        room: Room,
    ) -> Result<Member, InvokeError> {
        let owner = self.this.upgrade().ok_or(InvokeError::Draining)?;
        self.make_planned(
            version,
            Plan {
                why_made: why_cold.reason,
                initialization_type,
                owner,
                imports: None,
                room,
                starts_from: StartsFrom::Nothing,
            },
        )
        .await
    }

    async fn check_code(&self, version: &ResolvedVersion) -> Result<(), InvokeError> {
        self.parts.code.check(version).await.map_err(|ChangedCode(error)| {
            let reason = chain(&*error);
            tracing::error!(function = %version.configuration.name, reason, "code on disk is not what was deployed");
            InvokeError::Code { reason }
        })
    }

    /// Makes what an environment of the version begins with.
    pub(crate) async fn lay_ground(
        &self,
        version: &Arc<ResolvedVersion>,
        initialization_type: InitializationType,
        tells_imports: bool,
        starts_from: &StartsFrom,
    ) -> Result<Ground<Box<dyn Sandbox>>, InvokeError> {
        let id = EnvironmentId::random();
        let log_stream = boot::log_stream(version, id, self.parts.clock.epoch_ms());
        let plan = boot::plan(version, &self.parts.runtimes, &self.parts.settings.networks);
        // A look at thousands of files takes as long as making a sandbox does, so both are done at once.
        let creating = self.parts.sandboxes.create(id, &plan);
        let (checked, sandbox) = tokio::join!(self.check_code(version), creating);
        checked?;
        let sandbox = sandbox.map_err(|error| cannot(version, "create a sandbox", &error))?;
        let runtime_api = match sandbox.runtime_api() {
            Some(listener) => BoundRuntimeApi::from_listener(listener),
            None => BoundRuntimeApi::bind(),
        };
        let runtime_api =
            runtime_api.map_err(|error| cannot(version, "open a Runtime API listener", &error))?;
        let keys = match starts_from {
            StartsFrom::Snapshot(kept) => Some(&kept.credentials),
            StartsFrom::Nothing | StartsFrom::NothingForSnapshot(_) => None,
        };
        let own_api = self.parts.own_api.open(sandbox.aws_api(), id, version, keys);
        let own_api =
            own_api.map_err(|error| cannot(version, "open Hearth's API for an environment", &error))?;
        let boot = boot::boot(
            self.parts.runtimes.clone(),
            version.clone(),
            (initialization_type, tells_imports, starts_from),
            self.parts.settings.region.clone(),
            log_stream.clone(),
            runtime_api.address(),
            own_api.credentials.clone(),
        );
        Ok(Ground { id, log_stream, sandbox, runtime_api, boot, own_api })
    }

    /// Makes an environment as it is planned, in which nothing runs yet.
    pub(crate) async fn make_planned(
        &self,
        version: &Arc<ResolvedVersion>,
        plan: Plan,
    ) -> Result<Member, InvokeError> {
        let Plan { why_made, initialization_type, owner, imports, room, starts_from } = plan;
        let now_epoch_ms = self.parts.clock.epoch_ms();
        let is_ordinary = initialization_type == InitializationType::OnDemand
            && imports.is_none()
            && matches!(starts_from, StartsFrom::Nothing);
        let prebooted = if is_ordinary { self.take_prebooted(version) } else { None };
        let is_prebooted = prebooted.is_some();
        let ground = match prebooted {
            Some(ground) => {
                self.check_code(version).await?;
                ground
            }
            None => self.lay_ground(version, initialization_type, imports.is_some(), &starts_from).await?,
        };
        let Ground { id, log_stream, sandbox, runtime_api, boot, own_api } = ground;
        let configuration = &version.configuration;
        let record = self.parts.recorder.begin(EnvironmentFacts {
            id,
            function: configuration.name.clone(),
            version: version.version,
            log_group: configuration.logging.group.clone(),
            log_stream,
            created_epoch_ms: now_epoch_ms,
            why_created: why_made,
            initialization_type,
            architecture: configuration.architecture,
            memory_size_mb: configuration.memory.get(),
            ephemeral_storage_mb: configuration.ephemeral_storage_mb,
            runtime: configuration.runtime,
            is_prebooted,
        });
        let identity =
            boot::identity(version, initialization_type, &self.parts.runtimes, &self.parts.settings.region);
        let telemetry = EnvironmentTelemetry::new(
            self.parts.clock,
            identity,
            record,
            self.parts.logs.clone(),
            self.parts.feed.clone(),
        )
        .log_cold_starts(self.parts.settings.log_cold_starts);
        let telemetry = match sandbox.sockets() {
            Some(open) => telemetry.reach_subscribers_through(open),
            None => telemetry,
        };
        let init_limit = boot::init_limit(version, initialization_type);
        let environment = Environment::make(EnvironmentParts {
            id,
            init_limit,
            sandbox,
            boot,
            function: boot::function_facts(version, &self.parts.settings.account),
            telemetry,
            owner,
            clock: self.parts.clock,
            snap_start: match starts_from {
                StartsFrom::Nothing => SnapStart::None,
                StartsFrom::NothingForSnapshot(template) => SnapStart::Template(template),
                StartsFrom::Snapshot(_) => SnapStart::Restored,
            },
            faults: self.parts.faults.as_ref().map(|faults| -> Arc<dyn Faults> {
                Arc::new(FaultsOf {
                    faults: faults.clone(),
                    function: configuration.name.clone(),
                    version: version.version,
                })
            }),
        })
        .map_err(|error| cannot(version, "make an environment", &error))?;
        Ok(Member {
            environment: environment.clone(),
            initialization_type,
            version: version.clone(),
            _runtime_api: match imports {
                Some(imports) => runtime_api.serve_with_imports(environment, imports),
                None => runtime_api.serve(environment),
            },
            credentials: own_api.credentials,
            _own_api: own_api.served,
            room: Arc::new(room),
        })
    }
}

/// Something of ours failed: the operator hears of it, and the caller.
fn cannot(version: &ResolvedVersion, what: &str, error: &dyn std::error::Error) -> InvokeError {
    let error = chain(error);
    tracing::error!(function = %version.configuration.name, error, "cannot {what}");
    InvokeError::Service(format!("cannot {what}: {error}"))
}

/// Tells an answer of the function from a failure of ours.
fn answered(answer: Result<InvokeResult, RecvError>) -> Result<Answer, InvokeError> {
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(InvokeFailure::Service(why))) => Err(InvokeError::Service(why.to_owned())),
        Ok(Err(InvokeFailure::Restore(RestoreFailure::Hook { error_type }))) => {
            Err(InvokeError::SnapStart { error_type })
        }
        Ok(Err(InvokeFailure::Restore(RestoreFailure::TimedOut))) => Err(InvokeError::SnapStartTimeout),
        Err(_) => Err(InvokeError::Service("an environment ended without an answer".to_owned())),
    }
}

fn whole(answer: Answer, executed_version: Version, trace: TraceHeader) -> InvokeResponse {
    InvokeResponse {
        payload: answer.payload,
        function_error: answer.kind == AnswerKind::FunctionError,
        executed_version,
        log_tail: answer.log_tail,
        why_cold: answer.why_cold,
        trace,
    }
}

/// An error and its sources, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn invocation(
    version: &ResolvedVersion,
    request: InvokeRequest,
    trace: Decided,
    why_cold: Option<ColdStart>,
    arrived: Instant,
) -> Invocation {
    let qualifier: Option<Qualifier> = request.qualifier;
    Invocation {
        request_id: request.request_id,
        invoked_function_arn: version.arn.with_qualifier(qualifier).to_string(),
        payload: request.payload,
        content_type: request.content_type,
        client_context: request.client_context,
        trace: trace.recorded,
        delivered_trace: trace.delivered,
        timeout: version.configuration.timeout.duration(),
        wants_log_tail: request.wants_log_tail,
        why_cold,
        arrived,
    }
}
