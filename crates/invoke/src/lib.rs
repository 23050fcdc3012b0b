//! One Invoke, from the name of a function to its response. No HTTP here: the API, and later function URLs, event
//! sources and retries, all run through [`Invoker`].
//!
//! ```text
//!   resolve the version -> admit it (concurrency) -> run it in an environment -> response
//! ```
//!
//! Environments are somebody else's: this crate only says what it needs of them ([`Environments`]), and the pool
//! fulfils it.

pub mod concurrency;
mod event_queue;
mod meter;
mod provisioned;
mod request;
mod streaming;

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hearth_functions::{Functions, ProvisionedVersion, RecursiveLoop, ResolveError, ResolvedVersion};
use hearth_types::{FunctionArn, FunctionName, Qualifier, TraceHeader, Version};

pub use concurrency::{
    Concurrency, ConcurrencyLimits, ConcurrencyPeaks, FunctionPeak, Permit, ThrottleReason, VersionPeak,
};
pub use event_queue::{
    DeliveryError, Destinations, EventClock, EventInvokeConfigChange, EventInvokeConfigError, EventQueue,
};
pub use hearth_store::{DeadLetterRecord, DeliveryRecord, EventInvokeConfigRecord};
pub use meter::{Counted, Fact, Meter, ProvisionedUse};
pub use provisioned::{AllocationStatus, ProvisionedAllocation};
pub use request::{InvokeRequest, InvokeResponse};
pub use streaming::{BegunResponse, ResponseEnd, ResponsePart, StreamedResponse};

/// Why there is no response. A function that fails is not among these: it has a response that says so.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// There is no such function or version, or it is not ready.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// There is no concurrency left.
    #[error("rate exceeded")]
    Throttled {
        /// Whose limit was reached.
        reason: ThrottleReason,
    },
    /// The function has called itself, perhaps through others, as often as it may.
    #[error("{arn} has called itself {RECURSIONS_MAX} times")]
    Recursive {
        /// Which function.
        arn: FunctionArn,
    },
    /// The server stops, and takes no more invocations.
    #[error("the server is stopping")]
    Draining,
    /// The code on our disk is not what was deployed. Deployed again, it works again.
    #[error("cannot use the code of the function: {reason}")]
    Code {
        /// What is wrong with it.
        reason: String,
    },
    /// The function's hooks failed when it was restored from a snapshot.
    #[error("cannot restore the function from its snapshot: {error_type}")]
    SnapStart {
        /// What its runtime reported.
        error_type: String,
    },
    /// They took too long.
    #[error("cannot restore the function from its snapshot: its hooks took too long")]
    SnapStartTimeout,
    /// We failed. The text is for our log, not for the caller.
    #[error("{0}")]
    Service(String),
}

/// What an invocation needs of environments: one that runs `version`, warm if there is one.
pub trait Environments: Send + Sync + 'static {
    /// Runs one invocation. The permit is kept until the environment is free again, which may be after the response.
    /// The invocation goes on when the future is dropped.
    fn run(
        &self,
        version: Arc<ResolvedVersion>,
        permit: Permit,
        request: InvokeRequest,
    ) -> BoxFuture<'_, Result<InvokeResponse, InvokeError>>;

    /// The same, for a caller who takes the response as it comes; returns when it has begun. Whoever cannot stream answers all
    /// at once.
    fn run_streaming(
        &self,
        version: Arc<ResolvedVersion>,
        permit: Permit,
        request: InvokeRequest,
    ) -> BoxFuture<'_, Result<BegunResponse, InvokeError>> {
        let whole = self.run(version, permit, request);
        Box::pin(async move { whole.await.map(BegunResponse::Whole) })
    }

    /// Whether an environment has answered its caller, and will be free in a moment.
    fn is_one_finishing(&self) -> bool;

    /// Keeps environments of these versions of a function initialized ahead of calls, and of its others none. Says to
    /// [`Concurrency::allocate`] how many there are.
    fn provision(&self, name: &FunctionName, versions: Vec<ProvisionedVersion>);

    /// Returns how that goes for a version.
    fn provisioned(&self, name: &FunctionName, version: Version) -> ProvisionedEnvironments;
}

/// Who runs durable functions: an invocation of one begins an execution, which invokes it as often as it takes.
pub trait DurableFunctions: Send + Sync + 'static {
    /// Runs a durable function to its end.
    fn run(
        &self,
        version: Arc<ResolvedVersion>,
        request: InvokeRequest,
    ) -> BoxFuture<'_, Result<InvokeResponse, InvokeError>>;

    /// Begins an execution of a durable function: when this returns, it is on disk. The same request begins the same one.
    fn begin(
        &self,
        version: Arc<ResolvedVersion>,
        request: InvokeRequest,
    ) -> BoxFuture<'_, Result<InvokeResponse, InvokeError>>;
}

/// Who wants calls to be throttled that would not be: to see what their callers make of it.
pub trait InjectedThrottles: Send + Sync + 'static {
    /// Says whether this call is to be throttled, and counts it if so. Is asked once for each call, and answers at once.
    fn take(&self, function: &FunctionName, version: Version) -> bool;
}

/// The provisioned environments of a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProvisionedEnvironments {
    /// How many are initialized.
    pub initialized: u32,
    /// Why there are not as many as there should be, as AWS's `StatusReason`; `None` when nothing went wrong.
    pub failure: Option<&'static str>,
}

/// How long a caller waits for concurrency that is about to be given back. Ours: a caller that calls again as soon as it has
/// its answer is not to be throttled by its own last call.
const FINISHING_WAIT: Duration = Duration::from_millis(20);

/// How often a function may run in one chain of calls. The next call is stopped, unless the function's `RecursiveLoop` is
/// `Allow`.
///
/// Source: Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops", read 2026-11. AWS says
/// about 16.
pub const RECURSIONS_MAX: u32 = 16;

/// Runs invocations.
pub struct Invoker {
    functions: Arc<Functions>,
    concurrency: Arc<Concurrency>,
    environments: Arc<dyn Environments>,
    durable: OnceLock<Weak<dyn DurableFunctions>>,
    throttles: OnceLock<Arc<dyn InjectedThrottles>>,
    meter: OnceLock<Arc<dyn Meter>>,
}

impl Invoker {
    /// Hands durable functions to somebody, who invokes them with [`Invoker::invoke_handler`]. The first one counts.
    pub fn set_durable(&self, durable: Weak<dyn DurableFunctions>) {
        let _ = self.durable.set(durable);
    }

    /// Throttles calls as somebody wants it. The first one counts.
    pub fn set_injected_throttles(&self, throttles: Arc<dyn InjectedThrottles>) {
        let _ = self.throttles.set(throttles);
    }

    /// Returns the reason for throttling a call that somebody wants to be throttled: the limit that counts for the function.
    fn injected_throttle(&self, name: &FunctionName, version: Version) -> Option<ThrottleReason> {
        if !self.throttles.get()?.take(name, version) {
            return None;
        }
        Some(match self.concurrency.reserved(name) {
            Some(_) => ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded,
            None => ThrottleReason::ConcurrentInvocationLimitExceeded,
        })
    }

    /// Returns who runs a version, when it is durable.
    fn durable(&self, version: &ResolvedVersion) -> Option<Arc<dyn DurableFunctions>> {
        version.configuration.durable.as_ref()?;
        self.durable.get()?.upgrade()
    }

    /// Returns how many invocations of the account may run at once.
    pub fn account_concurrency(&self) -> u32 {
        self.concurrency.account_max()
    }

    /// Puts together what an invocation walks through.
    pub fn new(
        functions: Arc<Functions>,
        concurrency: Arc<Concurrency>,
        environments: Arc<dyn Environments>,
    ) -> Self {
        Self {
            functions,
            concurrency,
            environments,
            durable: OnceLock::new(),
            throttles: OnceLock::new(),
            meter: OnceLock::new(),
        }
    }

    /// Runs one invocation and returns its response.
    pub async fn invoke(
        &self,
        name: &FunctionName,
        request: InvokeRequest,
    ) -> Result<InvokeResponse, InvokeError> {
        let version = self.resolve(name, request.qualifier.as_ref()).await?;
        if let Some(durable) = self.durable(&version) {
            return durable.run(version, request).await;
        }
        let permit = self.admit(name, &version, &request).await?;
        self.run(version, permit, request).await
    }

    /// Runs an admitted invocation.
    async fn run(
        &self,
        version: Arc<ResolvedVersion>,
        permit: Permit,
        request: InvokeRequest,
    ) -> Result<InvokeResponse, InvokeError> {
        self.count_run(&version, &permit, &request);
        let (name, qualifier) = (version.arn.name.clone(), request.qualifier.clone());
        let ran = self.environments.run(version, permit, request).await;
        if let Err(InvokeError::Throttled { .. }) = &ran {
            self.count(&name, qualifier.as_ref(), Fact::Throttled);
        }
        ran
    }

    /// Runs an event that nobody waits for. Of a durable function, it only begins the execution.
    async fn run_event(
        &self,
        version: Arc<ResolvedVersion>,
        permit: Permit,
        request: InvokeRequest,
    ) -> Result<InvokeResponse, InvokeError> {
        match self.durable(&version) {
            Some(durable) => {
                drop(permit);
                durable.begin(version, request).await
            }
            None => self.run(version, permit, request).await,
        }
    }

    /// Runs one invocation of what a version has as its handler, durable or not.
    pub async fn invoke_handler(
        &self,
        name: &FunctionName,
        request: InvokeRequest,
    ) -> Result<InvokeResponse, InvokeError> {
        let version = self.resolve(name, request.qualifier.as_ref()).await?;
        let permit = self.admit(name, &version, &request).await?;
        self.run(version, permit, request).await
    }

    /// Runs one invocation, and returns when its response begins.
    pub async fn invoke_streaming(
        &self,
        name: &FunctionName,
        request: InvokeRequest,
    ) -> Result<BegunResponse, InvokeError> {
        let version = self.resolve(name, request.qualifier.as_ref()).await?;
        if let Some(durable) = self.durable(&version) {
            return durable.run(version, request).await.map(BegunResponse::Whole);
        }
        let permit = self.admit(name, &version, &request).await?;
        self.count_run(&version, &permit, &request);
        let qualifier = request.qualifier.clone();
        let begun = self.environments.run_streaming(version, permit, request).await;
        if let Err(InvokeError::Throttled { .. }) = &begun {
            self.count(name, qualifier.as_ref(), Fact::Throttled);
        }
        begun
    }

    /// Returns the right to run a version.
    async fn admit(
        &self,
        name: &FunctionName,
        version: &ResolvedVersion,
        request: &InvokeRequest,
    ) -> Result<Permit, InvokeError> {
        if self.is_recursive(version, request.trace.as_ref()) {
            self.count(name, request.qualifier.as_ref(), Fact::RecursionStopped);
            return Err(InvokeError::Recursive { arn: version.arn.clone() });
        }
        let number = version.version;
        if let Some(reason) = self.injected_throttle(name, number) {
            return Err(InvokeError::Throttled { reason });
        }
        let admitted = match self.concurrency.admit(name, number) {
            Err(reason) if reason.may_pass_soon() && self.environments.is_one_finishing() => {
                self.concurrency.admit_within(FINISHING_WAIT, name, number).await
            }
            admitted => admitted,
        };
        admitted.map_err(|reason| {
            self.count(name, request.qualifier.as_ref(), Fact::Throttled);
            InvokeError::Throttled { reason }
        })
    }

    /// Whether a call is one too many of a loop, and its function does not allow that. Says so in the log.
    fn is_recursive(&self, version: &ResolvedVersion, trace: Option<&TraceHeader>) -> bool {
        let Some(trace) = trace else { return false };
        let runs = trace.runs_of(&version.arn);
        if runs < RECURSIONS_MAX {
            return false;
        }
        let function = self.functions.get(&version.arn.name).ok();
        let allows =
            function.is_some_and(|function| function.management.recursive_loop == RecursiveLoop::Allow);
        if !allows {
            let sentence = "a recursive loop was stopped";
            tracing::warn!(function = %version.arn, runs, trace = trace.as_str(), "{sentence}");
        }
        !allows
    }

    /// Returns the version that would run.
    async fn resolve(
        &self,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
    ) -> Result<Arc<ResolvedVersion>, ResolveError> {
        match self.functions.resolve(name, qualifier) {
            // As on AWS, a call of a function that is just being created waits until it can be called.
            Err(ResolveError::Pending { .. }) => {
                self.functions.wait_until_settled(name).await;
                self.functions.resolve(name, qualifier)
            }
            resolved => resolved,
        }
    }

    /// Checks that `name` could be invoked, and returns the version that would run.
    pub fn dry_run(
        &self,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
    ) -> Result<Version, InvokeError> {
        Ok(self.functions.resolve(name, qualifier)?.version)
    }
}
