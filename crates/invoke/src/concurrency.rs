//! How many invocations may run at once. So far one limit counts, that of the account.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Whose limit an invocation ran into, as AWS names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleReason {
    /// The account's concurrent executions.
    ConcurrentInvocationLimitExceeded,
}

impl fmt::Display for ThrottleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConcurrentInvocationLimitExceeded => "ConcurrentInvocationLimitExceeded",
        })
    }
}

/// The account's concurrency.
#[derive(Debug)]
pub struct Concurrency {
    account_max: u32,
    in_use: AtomicU32,
    released: Notify,
}

/// The right to run one invocation. It travels with the environment, and dropping it gives the concurrency back on
/// every way out.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once lets others in"]
pub struct Permit(Arc<Concurrency>);

impl Concurrency {
    /// Allows `account_max` invocations at once.
    pub fn new(account_max: u32) -> Arc<Self> {
        Arc::new(Self { account_max, in_use: AtomicU32::new(0), released: Notify::new() })
    }

    /// Lets one more invocation run, or says why not. Never waits.
    pub fn admit(self: &Arc<Self>) -> Result<Permit, ThrottleReason> {
        let more = |in_use| (in_use < self.account_max).then_some(in_use + 1);
        match self.in_use.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Permit(self.clone())),
            Err(_) => Err(ThrottleReason::ConcurrentInvocationLimitExceeded),
        }
    }

    /// The same, but waits until somebody finishes.
    pub async fn admitted(self: &Arc<Self>) -> Permit {
        loop {
            let released = self.released.notified();
            if let Ok(permit) = self.admit() {
                return permit;
            }
            released.await;
        }
    }

    /// The same, but waits up to `limit` for somebody to finish: for when somebody is about to.
    pub async fn admit_within(self: &Arc<Self>, limit: Duration) -> Result<Permit, ThrottleReason> {
        let late = |_| ThrottleReason::ConcurrentInvocationLimitExceeded;
        tokio::time::timeout(limit, self.admitted()).await.map_err(late)
    }

    /// Returns how many invocations may run at once.
    pub fn account_max(&self) -> u32 {
        self.account_max
    }

    /// Returns how many invocations run now.
    pub fn in_use(&self) -> u32 {
        self.in_use.load(Ordering::Acquire)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.in_use.fetch_sub(1, Ordering::AcqRel);
        self.0.released.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_is_returned_exactly_once() {
        let concurrency = Concurrency::new(2);
        let first = concurrency.admit().unwrap();
        let _second = concurrency.admit().unwrap();
        assert_eq!(concurrency.admit().unwrap_err(), ThrottleReason::ConcurrentInvocationLimitExceeded);
        drop(first);
        assert_eq!(concurrency.in_use(), 1);
        let _third = concurrency.admit().unwrap();
        assert!(concurrency.admit().is_err());
    }

    #[test]
    fn many_at_once_never_run_over_the_limit() {
        let concurrency = Concurrency::new(3);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let permit = concurrency.admit();
                        assert!(concurrency.in_use() <= 3);
                        drop(permit);
                    }
                });
            }
        });
        assert_eq!(concurrency.in_use(), 0);
    }
}
