//! What the pool remembers of a version, so that the next invocation that finds nothing warm can be told why.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_functions::{FunctionConfiguration, ResolvedVersion};
use hearth_telemetry::ShutdownReason;
use hearth_types::{
    CodeSha256, ColdParticulars, ColdReason, ColdStart, FirstSince, FunctionName, WhatChanged,
};

/// How the last environment of a version went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LastEnd {
    /// Nobody had called.
    Idle {
        /// Since then.
        since: Instant,
        /// Longer than this.
        limit: Duration,
    },
    /// Its code or configuration was no longer the function's.
    Updated,
    /// This function needed the room.
    EvictedFor(FunctionName),
    /// Memory was short: of this function, if anybody's.
    EvictedForMemory(Option<FunctionName>),
    /// Its sandbox broke.
    SandboxLost,
}

impl LastEnd {
    /// Returns what there is to remember when environments are ended for `reason`; `None` for what the next invocation
    /// is not told.
    pub(crate) fn of(reason: ShutdownReason) -> Option<Self> {
        match reason {
            ShutdownReason::FunctionUpdated => Some(Self::Updated),
            ShutdownReason::SandboxLost => Some(Self::SandboxLost),
            // Who ends them for these knows more than the reason, and says it.
            ShutdownReason::IdleTimeout | ShutdownReason::Evicted => None,
            ShutdownReason::FunctionDeleted
            | ShutdownReason::ServerStops
            | ShutdownReason::Unprovisioned
            | ShutdownReason::Measured
            | ShutdownReason::SnapshotTaken => None,
        }
    }
}

/// What is remembered of a version.
#[derive(Debug, Default)]
pub(crate) struct Past {
    last_end: Option<LastEnd>,
    /// What it was like when somebody called or changed it last.
    known: Option<Known>,
    /// When it was created or changed before anybody called it, if the server ran already.
    deployed_epoch_ms: Option<i64>,
    last_change: Option<(WhatChanged, i64)>,
}

#[derive(Debug)]
struct Known {
    generation: u64,
    code: CodeSha256,
    configuration: Arc<FunctionConfiguration>,
}

impl Past {
    /// Begins with the first call of a version, or with its first change after that.
    pub(crate) fn since(deployed_epoch_ms: Option<i64>) -> Self {
        Self { deployed_epoch_ms, ..Self::default() }
    }

    /// Takes note of what a version is like, and of what has changed since it was seen last.
    pub(crate) fn see(&mut self, version: &ResolvedVersion, now_epoch_ms: i64) {
        if let Some(known) = self.known.as_ref().filter(|known| known.generation != version.generation) {
            let what = match (known.code != version.code.sha256, known.configuration != version.configuration)
            {
                (true, true) => WhatChanged::CodeAndConfiguration,
                (false, true) => WhatChanged::Configuration,
                // The same code, uploaded anew, is new code, too.
                (true, false) | (false, false) => WhatChanged::Code,
            };
            self.last_change = Some((what, now_epoch_ms));
        }
        self.known = Some(Known {
            generation: version.generation,
            code: version.code.sha256,
            configuration: version.configuration.clone(),
        });
    }

    /// Remembers how an environment went, if there is something to remember.
    pub(crate) fn remember(&mut self, end: Option<LastEnd>) {
        if end.is_some() {
            self.last_end = end;
        }
    }

    /// The version was created or changed.
    pub(crate) fn deployed(&mut self, version: &ResolvedVersion, now_epoch_ms: i64) {
        if self.known.is_none() && self.last_end.is_none() {
            self.deployed_epoch_ms = Some(now_epoch_ms);
        }
        self.see(version, now_epoch_ms);
    }

    /// Returns why a call is cold that finds nothing ready, nothing busy and nothing on its way.
    pub(crate) fn why_cold(&self, now: Instant) -> ColdStart {
        match &self.last_end {
            None => {
                let since = match self.deployed_epoch_ms {
                    Some(at_epoch_ms) => FirstSince::Deployed { at_epoch_ms },
                    None => FirstSince::ServerStart,
                };
                ColdStart::new(ColdReason::FirstInvocation, ColdParticulars::First(since))
            }
            Some(LastEnd::Idle { since, limit }) => {
                // To the millisecond, as the journal keeps it: who hears of it now and who reads it later are told the same.
                let idle_for = now.saturating_duration_since(*since).as_millis();
                let idle_for = Duration::from_millis(u64::try_from(idle_for).unwrap_or(u64::MAX));
                let particulars = ColdParticulars::Idle { idle_for, limit: *limit };
                ColdStart::new(ColdReason::IdleTimeout, particulars)
            }
            Some(LastEnd::Updated) => self.updated(),
            Some(LastEnd::EvictedFor(function)) => {
                ColdStart::new(ColdReason::Evicted, ColdParticulars::EvictedFor(function.clone()))
            }
            Some(LastEnd::EvictedForMemory(by)) => {
                ColdStart::new(ColdReason::Evicted, ColdParticulars::EvictedForMemory(by.clone()))
            }
            Some(LastEnd::SandboxLost) => {
                let how = "its sandbox was lost".to_owned();
                ColdStart::new(ColdReason::RuntimeExited, ColdParticulars::Failed { how })
            }
        }
    }

    /// Returns the reason of a call that comes after an update.
    pub(crate) fn updated(&self) -> ColdStart {
        let reason = ColdReason::FunctionUpdated;
        match self.last_change {
            Some((what, at_epoch_ms)) => {
                ColdStart::new(reason, ColdParticulars::Updated { what, at_epoch_ms })
            }
            None => reason.into(),
        }
    }
}
