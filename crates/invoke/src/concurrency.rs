//! How many invocations may run at once, how fast they may come, and how fast a function may scale: of the account, of
//! functions with reserved concurrency, and of versions with provisioned concurrency.
//!
//! [`counters`] decides; this module puts a lock and a clock around it, and hands out [`Permit`]s. It does not know what is
//! configured: it is told ([`Concurrency::reserve`], [`Concurrency::allocate`]).

mod counters;
mod peaks;
mod rate;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hearth_types::{FunctionName, Version};
use tokio::sync::oneshot;

use crate::ProvisionedUse;
use counters::{Counters, Share, Slot, Source};
pub use peaks::{ConcurrencyPeaks, FunctionPeak, VersionPeak};

/// Whose limit an invocation ran into, as AWS names it. AWS has two more: of its API's rate, which Hearth does not limit,
/// and of snapshots, which Hearth does not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleReason {
    /// The account's concurrent executions, less what functions have reserved.
    ConcurrentInvocationLimitExceeded,
    /// What the function has reserved, 0 included.
    ReservedFunctionConcurrentInvocationLimitExceeded,
    /// Requests come too fast, or the function would need new environments faster than it may have them.
    FunctionInvocationRateLimitExceeded,
    /// The same, of a function with reserved concurrency.
    ReservedFunctionInvocationRateLimitExceeded,
}

impl fmt::Display for ThrottleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConcurrentInvocationLimitExceeded => "ConcurrentInvocationLimitExceeded",
            Self::ReservedFunctionConcurrentInvocationLimitExceeded => {
                "ReservedFunctionConcurrentInvocationLimitExceeded"
            }
            Self::FunctionInvocationRateLimitExceeded => "FunctionInvocationRateLimitExceeded",
            Self::ReservedFunctionInvocationRateLimitExceeded => {
                "ReservedFunctionInvocationRateLimitExceeded"
            }
        })
    }
}

impl ThrottleReason {
    /// Whether an invocation that ends changes it.
    pub(crate) fn may_pass_soon(self) -> bool {
        match self {
            Self::ConcurrentInvocationLimitExceeded
            | Self::ReservedFunctionConcurrentInvocationLimitExceeded => true,
            Self::FunctionInvocationRateLimitExceeded | Self::ReservedFunctionInvocationRateLimitExceeded => {
                false
            }
        }
    }
}

/// The limits of an account.
#[derive(Debug, Clone, Copy)]
pub struct ConcurrencyLimits {
    /// How many invocations may run at once.
    pub account_max: u32,
    /// How many requests a second may come for each unit of concurrency; `None`: any number.
    pub requests_per_unit: Option<u32>,
    /// How many new environments a function may have in ten seconds; `None`: any number.
    pub environments_per_10_s: Option<u32>,
}

/// Says what time it is.
type Now = Box<dyn Fn() -> Instant + Send + Sync>;

/// How many may wait for a permit. Above that, a request is throttled at once, and an event looks again later. Ours.
const WAITING_MAX: usize = 4_096;
/// How much later.
const CROWDED_WAIT: Duration = Duration::from_millis(50);

/// The concurrency of an account.
pub struct Concurrency {
    limits: ConcurrencyLimits,
    now: Now,
    /// Permits are made of it.
    this: Weak<Self>,
    state: Mutex<State>,
}

struct State {
    counters: Counters,
    /// In the order in which they came.
    waiting: VecDeque<Waiting>,
}

/// Waits for a permit. Whoever gives one back hands it on, so that nobody is woken for nothing.
struct Waiting {
    name: FunctionName,
    version: Version,
    source: Source,
    reply: oneshot::Sender<Permit>,
}

/// The right to run one invocation. It travels with the environment, and dropping it gives the concurrency back on
/// every way out.
#[must_use = "a permit that is dropped at once lets others in"]
pub struct Permit {
    concurrency: Arc<Concurrency>,
    slot: Slot,
    share: Share,
}

impl Concurrency {
    /// Allows `account_max` invocations at once, at any rate.
    pub fn new(account_max: u32) -> Arc<Self> {
        let limits = ConcurrencyLimits { account_max, requests_per_unit: None, environments_per_10_s: None };
        // Without rates nobody asks for the time.
        let begin = Instant::now();
        Self::with_limits(limits, move || begin)
    }

    /// Allows what `limits` say, by the clock `now`.
    pub fn with_limits(
        limits: ConcurrencyLimits,
        now: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            limits,
            now: Box::new(now),
            this: this.clone(),
            state: Mutex::new(State { counters: Counters::new(limits), waiting: VecDeque::new() }),
        })
    }

    /// Lets one more request run, or says why not. Never waits.
    pub fn admit(self: &Arc<Self>, name: &FunctionName, version: Version) -> Result<Permit, ThrottleReason> {
        self.admit_from(Source::Request, name, version)
    }

    /// The same, but waits up to `limit` for somebody to finish: for when somebody is about to.
    pub async fn admit_within(
        self: &Arc<Self>,
        limit: Duration,
        name: &FunctionName,
        version: Version,
    ) -> Result<Permit, ThrottleReason> {
        let waiting = match self.admit_or_wait(Source::Request, name, version) {
            Ok(permit) => return Ok(permit),
            Err(Throttled { reason, waiting }) => waiting.ok_or(reason)?,
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => self.admit(name, version),
        }
    }

    /// Lets one more asynchronous event run, or says why not. Events have no limit of their rate.
    pub fn admit_event(
        self: &Arc<Self>,
        name: &FunctionName,
        version: Version,
    ) -> Result<Permit, ThrottleReason> {
        self.admit_from(Source::Event, name, version)
    }

    /// The same, but waits until somebody finishes.
    pub async fn admitted_event(self: &Arc<Self>, name: &FunctionName, version: Version) -> Permit {
        loop {
            match self.admit_or_wait(Source::Event, name, version) {
                Ok(permit) => return permit,
                Err(Throttled { waiting: Some(waiting), .. }) => {
                    if let Ok(permit) = waiting.await {
                        return permit;
                    }
                }
                // So many wait that one of them is going to end soon.
                Err(Throttled { waiting: None, .. }) => tokio::time::sleep(CROWDED_WAIT).await,
            }
        }
    }

    fn admit_from(
        self: &Arc<Self>,
        source: Source,
        name: &FunctionName,
        version: Version,
    ) -> Result<Permit, ThrottleReason> {
        let (slot, share) = self.lock().counters.admit(name, version, source, &*self.now)?;
        Ok(Permit { concurrency: self.clone(), slot, share })
    }

    /// Admits an invocation, or has it wait, if not too many do.
    fn admit_or_wait(
        self: &Arc<Self>,
        source: Source,
        name: &FunctionName,
        version: Version,
    ) -> Result<Permit, Throttled> {
        let State { counters, waiting } = &mut *self.lock();
        let reason = match counters.admit(name, version, source, &*self.now) {
            Ok((slot, share)) => return Ok(Permit { concurrency: self.clone(), slot, share }),
            Err(reason) => reason,
        };
        if waiting.len() >= WAITING_MAX {
            waiting.retain(|one| !one.reply.is_closed());
        }
        if waiting.len() >= WAITING_MAX {
            return Err(Throttled { reason, waiting: None });
        }
        let (reply, permit) = oneshot::channel();
        waiting.push_back(Waiting { name: name.clone(), version, source, reply });
        Err(Throttled { reason, waiting: Some(permit) })
    }

    /// Sets what a function has reserved; 0 lets none of its invocations run.
    pub fn reserve(&self, name: &FunctionName, reserved: Option<u32>) {
        let mut state = self.lock();
        state.counters.reserve(name, reserved);
        self.hand_on(state, usize::MAX);
    }

    /// Returns what a function has reserved.
    pub fn reserved(&self, name: &FunctionName) -> Option<u32> {
        self.lock().counters.reserved_of(name)
    }

    /// Says how many provisioned environments of a version are initialized: so many of its invocations run in them.
    pub fn allocate(&self, name: &FunctionName, version: Version, allocated: u32) {
        let mut state = self.lock();
        state.counters.allocate(name, version, allocated);
        self.hand_on(state, usize::MAX);
    }

    /// The function is deleted.
    pub fn forget(&self, name: &FunctionName) {
        let mut state = self.lock();
        state.counters.forget(name);
        self.hand_on(state, usize::MAX);
    }

    /// Returns how many invocations may run at once.
    pub fn account_max(&self) -> u32 {
        self.limits.account_max
    }

    /// Returns how many invocations run now.
    pub fn in_use(&self) -> u32 {
        self.lock().counters.in_use()
    }

    /// Returns how many invocations ran at once at most since this was asked last.
    pub fn take_peaks(&self) -> ConcurrencyPeaks {
        self.lock().counters.take_peaks()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets those run that wait and now may, in the order in which they came, and no more than `most`.
    fn hand_on(&self, mut state: MutexGuard<'_, State>, most: usize) {
        if state.waiting.is_empty() {
            return;
        }
        let Some(this) = self.this.upgrade() else { return };
        let State { counters, waiting } = &mut *state;
        let mut undelivered = Vec::new();
        let (mut at, mut admitted) = (0, 0);
        while let Some(Waiting { name, version, source, reply }) = waiting.get(at)
            && admitted < most
        {
            if reply.is_closed() {
                waiting.remove(at);
                continue;
            }
            let Ok((slot, share)) = counters.admit(name, *version, *source, &*self.now) else {
                at += 1;
                continue;
            };
            let permit = Permit { concurrency: this.clone(), slot, share };
            let Some(Waiting { reply, .. }) = waiting.remove(at) else { break };
            undelivered.extend(reply.send(permit).err());
            admitted += 1;
        }
        drop(state);
        // Who waited has just given up; each of these is handed on in its turn.
        drop(undelivered);
    }
}

/// Why an invocation does not run yet.
struct Throttled {
    reason: ThrottleReason,
    /// Where its permit comes; `None` when too many wait already.
    waiting: Option<oneshot::Receiver<Permit>>,
}

impl Permit {
    /// Whether it is of the provisioned concurrency of its version.
    pub fn is_provisioned(&self) -> bool {
        matches!(self.share, Share::Provisioned(_))
    }

    /// Returns whose concurrency it is.
    pub fn provisioned_use(&self) -> ProvisionedUse {
        match self.share {
            Share::OnDemand => ProvisionedUse::None,
            Share::Provisioned(_) => ProvisionedUse::Provisioned,
            Share::Spillover => ProvisionedUse::Spillover,
        }
    }

    /// Counts a new environment for the invocation, or says that the function scales too fast.
    pub fn scale_up(&self) -> Result<(), ThrottleReason> {
        self.concurrency.lock().counters.scale_up(self.slot, &*self.concurrency.now)
    }

    /// Takes that back: a warm environment was found.
    pub fn scaled_up_for_nothing(&self) {
        self.concurrency.lock().counters.scaled_up_for_nothing(self.slot);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("share", &self.share).finish_non_exhaustive()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.concurrency.lock();
        state.counters.release(self.slot, self.share);
        // One at most can run instead.
        self.concurrency.hand_on(state, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> FunctionName {
        FunctionName::new("f").unwrap()
    }

    #[test]
    fn a_permit_is_returned_when_it_is_dropped() {
        let concurrency = Concurrency::new(2);
        let admit = || concurrency.admit(&name(), Version::Latest);
        let first = admit().unwrap();
        let _second = admit().unwrap();
        assert_eq!(admit().unwrap_err(), ThrottleReason::ConcurrentInvocationLimitExceeded);
        drop(first);
        assert_eq!(concurrency.in_use(), 1);
        let _third = admit().unwrap();
        assert!(admit().is_err());
    }

    #[test]
    fn many_at_once_never_run_over_the_limit() {
        let concurrency = Concurrency::new(3);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let permit = concurrency.admit(&name(), Version::Latest);
                        assert!(concurrency.in_use() <= 3);
                        drop(permit);
                    }
                });
            }
        });
        assert_eq!(concurrency.in_use(), 0);
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_what_they_wait_for() {
        let concurrency = Concurrency::new(10);
        concurrency.reserve(&name(), Some(1));
        let other = FunctionName::new("g").unwrap();
        let running = concurrency.admit(&name(), Version::Latest).unwrap();
        let waits = {
            let concurrency = concurrency.clone();
            tokio::spawn(async move { concurrency.admitted_event(&name(), Version::Latest).await })
        };
        for _ in 0..10 {
            tokio::task::yield_now().await;
            drop(concurrency.admit(&other, Version::Latest).unwrap());
        }
        assert!(!waits.is_finished(), "what others give back is not for it");
        drop(running);
        let _permit = waits.await.unwrap();
        assert_eq!(concurrency.in_use(), 1);
        let limit = Duration::from_millis(1);
        assert!(concurrency.admit_within(limit, &name(), Version::Latest).await.is_err());
        concurrency.reserve(&name(), None);
        assert!(concurrency.admit_within(limit, &name(), Version::Latest).await.is_ok());
    }

    #[tokio::test]
    async fn permits_are_handed_on_in_order_past_those_who_gave_up() {
        let concurrency = Concurrency::new(1);
        let running = concurrency.admit(&name(), Version::Latest).unwrap();
        let wait = || {
            let concurrency = concurrency.clone();
            tokio::spawn(async move { concurrency.admitted_event(&name(), Version::Latest).await })
        };
        let (first, gives_up, third) = (wait(), wait(), wait());
        tokio::task::yield_now().await;
        gives_up.abort();
        assert!(gives_up.await.is_err());
        drop(running);
        let first = first.await.unwrap();
        assert!(!third.is_finished());
        drop(first);
        drop(third.await.unwrap());
        assert_eq!(concurrency.in_use(), 0);
        // A permit that is on its way to somebody who gives up comes back.
        let running = concurrency.admit(&name(), Version::Latest).unwrap();
        let waits = wait();
        tokio::task::yield_now().await;
        drop(running);
        waits.abort();
        drop(waits.await);
        assert_eq!(concurrency.in_use(), 0);
    }
}
