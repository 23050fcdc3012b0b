//! A cold start: its reason, and what is known besides. The reason is what is counted and matched; the particulars are
//! for people.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{ColdReason, FunctionName};

/// Why an invocation was cold, with what is known besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColdStart {
    /// The reason.
    pub reason: ColdReason,
    /// What is known besides; `None` where the reason says it all.
    pub particulars: Option<Arc<ColdParticulars>>,
}

/// What is known of a cold start besides its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColdParticulars {
    /// It was the first invocation.
    First(FirstSince),
    /// Others ran.
    Busy {
        /// So many environments were busy or being made.
        environments: u32,
    },
    /// The function was changed.
    Updated {
        /// What was.
        what: WhatChanged,
        /// When, in milliseconds since 1970.
        at_epoch_ms: i64,
    },
    /// Nobody called for long.
    Idle {
        /// For so long.
        idle_for: Duration,
        /// So long an environment is kept.
        limit: Duration,
    },
    /// Another function needed the room.
    EvictedFor(FunctionName),
    /// Memory was short.
    EvictedForMemory(
        /// This function needed it; whatever runs on the host if nobody is named.
        Option<FunctionName>,
    ),
    /// A process ended or had to be ended.
    Failed {
        /// How, such as `exit status 1` or `signal: killed`, or the error that was reported.
        how: String,
    },
    /// The invocation before took too long.
    TimedOut {
        /// Longer than this.
        limit: Duration,
    },
}

/// Since when an invocation is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstSince {
    /// Since the function was created or changed, which was after the server had started.
    Deployed {
        /// When, in milliseconds since 1970.
        at_epoch_ms: i64,
    },
    /// Since the server started: what was before is not known to its pool.
    ServerStart,
}

/// What of a function was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhatChanged {
    /// Its code.
    Code,
    /// Its configuration.
    Configuration,
    /// Both.
    CodeAndConfiguration,
}

impl WhatChanged {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Code, Self::Configuration, Self::CodeAndConfiguration];

    /// Returns it as words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Configuration => "configuration",
            Self::CodeAndConfiguration => "code and configuration",
        }
    }
}

impl From<ColdReason> for ColdStart {
    fn from(reason: ColdReason) -> Self {
        Self { reason, particulars: None }
    }
}

impl ColdStart {
    /// A cold start of which something is known besides its reason.
    pub fn new(reason: ColdReason, particulars: ColdParticulars) -> Self {
        Self { reason, particulars: Some(Arc::new(particulars)) }
    }

    /// Returns it for people: the reason, and in parentheses what is known besides.
    pub fn explanation(&self) -> String {
        let reason = match self.particulars.as_deref() {
            Some(ColdParticulars::EvictedForMemory(Some(_))) => "evicted for memory of another function",
            Some(ColdParticulars::EvictedForMemory(None)) => "evicted because memory was short",
            _ => self.reason.explanation(),
        };
        match self.detail() {
            Some(detail) => format!("{reason} ({detail})"),
            None => reason.to_owned(),
        }
    }

    /// Returns what is known besides the reason, as a few words.
    pub fn detail(&self) -> Option<String> {
        Some(match &**self.particulars.as_ref()? {
            ColdParticulars::First(FirstSince::Deployed { .. }) => {
                "since the function was deployed".to_owned()
            }
            ColdParticulars::First(FirstSince::ServerStart) => "since the server started".to_owned(),
            ColdParticulars::Busy { environments } => environments.to_string(),
            ColdParticulars::Updated { what, .. } => format!("new {}", what.as_str()),
            ColdParticulars::Idle { idle_for, limit } => {
                format!("{}, limit {}", seconds(*idle_for), seconds(*limit))
            }
            ColdParticulars::EvictedFor(function) => function.to_string(),
            ColdParticulars::EvictedForMemory(by) => return by.as_ref().map(ToString::to_string),
            ColdParticulars::Failed { how } => how.clone(),
            ColdParticulars::TimedOut { limit } => format!("limit {}", seconds(*limit)),
        })
    }
}

/// Whole seconds where that is exact enough: `600 s`, `0.25 s`.
fn seconds(duration: Duration) -> String {
    if duration.as_secs() >= 10 || duration.subsec_millis() == 0 {
        return format!("{} s", duration.as_secs());
    }
    format!("{:.2} s", duration.as_secs_f64())
}

impl fmt::Display for ColdStart {
    /// The reason's word, and the sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.explanation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_cold_start_stands_behind_its_reason() {
        let idle =
            ColdParticulars::Idle { idle_for: Duration::from_secs(734), limit: Duration::from_secs(600) };
        let idle = ColdStart::new(ColdReason::IdleTimeout, idle);
        assert_eq!(idle.to_string(), "idle-timeout: idle too long (734 s, limit 600 s)");
        let busy = ColdStart::new(ColdReason::AllBusy, ColdParticulars::Busy { environments: 3 });
        assert_eq!(busy.explanation(), "all environments busy (3)");
        let by = FunctionName::new("greedy").unwrap();
        for (by, explanation) in [
            (Some(by), "evicted for memory of another function (greedy)"),
            (None, "evicted because memory was short"),
        ] {
            let evicted = ColdStart::new(ColdReason::Evicted, ColdParticulars::EvictedForMemory(by));
            assert_eq!(evicted.explanation(), explanation);
        }
        let failed = ColdParticulars::Failed { how: "exit status 3".to_owned() };
        let failed = ColdStart::new(ColdReason::RuntimeExited, failed);
        assert_eq!(failed.explanation(), "runtime exited before (exit status 3)");
        let slow = ColdParticulars::TimedOut { limit: Duration::from_millis(2_500) };
        let slow = ColdStart::new(ColdReason::TimedOut, slow);
        assert_eq!(slow.explanation(), "timed out before (limit 2.50 s)");
        assert_eq!(
            ColdStart::from(ColdReason::Forced).to_string(),
            "forced: forced, to look at a cold start"
        );
    }

    #[test]
    fn every_reason_is_found_by_its_word() {
        for reason in ColdReason::ALL {
            assert_eq!(ColdReason::parse(reason.as_str()), Some(*reason));
        }
        assert_eq!(ColdReason::parse("boredom"), None);
    }
}
