//! How many invocations may run at once, how fast they may come, and how fast a function may scale: of the account, of
//! functions with reserved concurrency, and of versions with provisioned concurrency.
//!
//! [`counters`] decides; this module puts a lock and a clock around it, and hands out [`Permit`]s. It does not know what is
//! configured: it is told ([`Concurrency::reserve`], [`Concurrency::allocate`]).

mod counters;
mod rate;

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hearth_types::{FunctionName, Version};
use tokio::sync::Notify;

use counters::{Counters, Share, Slot, Source};

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

/// The concurrency of an account.
pub struct Concurrency {
    limits: ConcurrencyLimits,
    now: Now,
    counters: Mutex<Counters>,
    /// How many wait for a permit. Changed under the lock, so that none is missed.
    waiting: AtomicU32,
    released: Notify,
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
        Arc::new(Self {
            limits,
            now: Box::new(now),
            counters: Mutex::new(Counters::new(limits)),
            waiting: AtomicU32::new(0),
            released: Notify::new(),
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
        let admitted = self.admitted_from(Source::Request, name, version);
        match tokio::time::timeout(limit, admitted).await {
            Ok(permit) => Ok(permit),
            Err(_) => self.admit(name, version),
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
        self.admitted_from(Source::Event, name, version).await
    }

    fn admit_from(
        self: &Arc<Self>,
        source: Source,
        name: &FunctionName,
        version: Version,
    ) -> Result<Permit, ThrottleReason> {
        let (slot, share) = self.lock().admit(name, version, source, &*self.now)?;
        Ok(Permit { concurrency: self.clone(), slot, share })
    }

    async fn admitted_from(
        self: &Arc<Self>,
        source: Source,
        name: &FunctionName,
        version: Version,
    ) -> Permit {
        let _waiting = Waiting::begin(self);
        loop {
            let released = self.released.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            if let Ok(permit) = self.admit_from(source, name, version) {
                return permit;
            }
            released.await;
        }
    }

    /// Sets what a function has reserved; 0 lets none of its invocations run.
    pub fn reserve(&self, name: &FunctionName, reserved: Option<u32>) {
        let mut counters = self.lock();
        counters.reserve(name, reserved);
        self.tell_waiting(counters);
    }

    /// Returns what a function has reserved.
    pub fn reserved(&self, name: &FunctionName) -> Option<u32> {
        self.lock().reserved_of(name)
    }

    /// Says how many provisioned environments of a version are initialized: so many of its invocations run in them.
    pub fn allocate(&self, name: &FunctionName, version: Version, allocated: u32) {
        let mut counters = self.lock();
        counters.allocate(name, version, allocated);
        self.tell_waiting(counters);
    }

    /// The function is deleted.
    pub fn forget(&self, name: &FunctionName) {
        let mut counters = self.lock();
        counters.forget(name);
        self.tell_waiting(counters);
    }

    /// Returns how many invocations may run at once.
    pub fn account_max(&self) -> u32 {
        self.limits.account_max
    }

    /// Returns how many invocations run now.
    pub fn in_use(&self) -> u32 {
        self.lock().in_use()
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets those look again who wait. Who waits for what is not known, so all of them do; there are few.
    fn tell_waiting(&self, counters: MutexGuard<'_, Counters>) {
        let is_waited_for = self.waiting.load(Ordering::Relaxed) > 0;
        drop(counters);
        if is_waited_for {
            self.released.notify_waiters();
        }
    }
}

impl Permit {
    /// Whether it is of the provisioned concurrency of its version.
    pub fn is_provisioned(&self) -> bool {
        matches!(self.share, Share::Provisioned(_))
    }

    /// Counts a new environment for the invocation, or says that the function scales too fast.
    pub fn scale_up(&self) -> Result<(), ThrottleReason> {
        self.concurrency.lock().scale_up(self.slot, &*self.concurrency.now)
    }

    /// Takes that back: a warm environment was found.
    pub fn scaled_up_for_nothing(&self) {
        self.concurrency.lock().scaled_up_for_nothing(self.slot);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("share", &self.share).finish_non_exhaustive()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counters = self.concurrency.lock();
        counters.release(self.slot, self.share);
        self.concurrency.tell_waiting(counters);
    }
}

/// Counts one who waits.
struct Waiting<'a>(&'a Concurrency);

impl<'a> Waiting<'a> {
    fn begin(concurrency: &'a Concurrency) -> Self {
        let _counters = concurrency.lock();
        concurrency.waiting.fetch_add(1, Ordering::Relaxed);
        Self(concurrency)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
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
}
