//! Why an invocation did not find a warm environment.

use std::fmt;

/// Why an invocation was cold: recorded with every invocation that had to wait for an Init phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColdReason {
    /// The function was never called since it was created or since the service started.
    FirstInvocation,
    /// Every environment of this version was busy.
    AllBusy,
    /// The code or the configuration changed, so environments made before it could not serve.
    FunctionUpdated,
    /// The last environment was ended because nobody called for the idle time-out.
    IdleTimeout,
    /// The last environment was ended to make room for another function.
    Evicted,
    /// The runtime died in or after the call before, so the environment had to start again.
    RuntimeExited,
    /// An extension died or gave up in or after the call before, so the environment had to start again.
    ExtensionFailed,
    /// The call before ran past its time-out, so the environment was reset.
    TimedOut,
    /// Init failed, so it is repeated as part of this call.
    InitFailed,
    /// No call: the environment was made ahead of calls, for provisioned concurrency.
    Provisioned,
    /// No call, either: somebody asked for an Init, to have it measured.
    Forced,
}

impl ColdReason {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::FirstInvocation,
        Self::AllBusy,
        Self::FunctionUpdated,
        Self::IdleTimeout,
        Self::Evicted,
        Self::RuntimeExited,
        Self::ExtensionFailed,
        Self::TimedOut,
        Self::InitFailed,
        Self::Provisioned,
        Self::Forced,
    ];

    /// Finds the reason with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == word)
    }

    /// Returns the reason as one word for machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstInvocation => "first-invocation",
            Self::AllBusy => "all-busy",
            Self::FunctionUpdated => "function-updated",
            Self::IdleTimeout => "idle-timeout",
            Self::Evicted => "evicted",
            Self::RuntimeExited => "runtime-exited",
            Self::ExtensionFailed => "extension-failed",
            Self::TimedOut => "timed-out",
            Self::InitFailed => "init-failed",
            Self::Provisioned => "provisioned",
            Self::Forced => "forced",
        }
    }

    /// Returns the reason as a short sentence for people.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::FirstInvocation => "first invocation",
            Self::AllBusy => "all environments busy",
            Self::FunctionUpdated => "function updated",
            Self::IdleTimeout => "idle too long",
            Self::Evicted => "evicted for another function",
            Self::RuntimeExited => "runtime exited before",
            Self::ExtensionFailed => "extension failed before",
            Self::TimedOut => "timed out before",
            Self::InitFailed => "init failed before",
            Self::Provisioned => "provisioned ahead of calls",
            Self::Forced => "forced, to look at a cold start",
        }
    }
}

impl fmt::Display for ColdReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
