//! A cold start as the journal writes it.

use std::sync::Arc;
use std::time::Duration;

use hearth_types::{ColdParticulars, FirstSince, FunctionName, WhatChanged};
use serde::{Deserialize, Serialize};

/// What is known of a cold start besides its reason.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ColdLine {
    First { deployed: Option<i64> },
    Busy { environments: u32 },
    Updated { what: String, at: i64 },
    Idle { ms: u64, limit_ms: u64 },
    EvictedFor(String),
    EvictedForMemory(Option<String>),
    Failed(String),
    TimedOut { limit_ms: u64 },
}

impl ColdLine {
    pub(super) fn of(particulars: &ColdParticulars) -> Self {
        let ms = |duration: Duration| duration.as_millis() as u64;
        match particulars {
            ColdParticulars::First(FirstSince::Deployed { at_epoch_ms }) => {
                Self::First { deployed: Some(*at_epoch_ms) }
            }
            ColdParticulars::First(FirstSince::ServerStart) => Self::First { deployed: None },
            ColdParticulars::Busy { environments } => Self::Busy { environments: *environments },
            ColdParticulars::Updated { what, at_epoch_ms } => {
                Self::Updated { what: what.as_str().to_owned(), at: *at_epoch_ms }
            }
            ColdParticulars::Idle { idle_for, limit } => {
                Self::Idle { ms: ms(*idle_for), limit_ms: ms(*limit) }
            }
            ColdParticulars::EvictedFor(function) => Self::EvictedFor(function.as_str().to_owned()),
            ColdParticulars::EvictedForMemory(by) => {
                Self::EvictedForMemory(by.as_ref().map(|function| function.as_str().to_owned()))
            }
            ColdParticulars::Failed { how } => Self::Failed(how.clone()),
            ColdParticulars::TimedOut { limit } => Self::TimedOut { limit_ms: ms(*limit) },
        }
    }

    /// Returns it as it was, unless the line was damaged.
    pub(super) fn particulars(self) -> Option<Arc<ColdParticulars>> {
        Some(Arc::new(match self {
            Self::First { deployed: Some(at_epoch_ms) } => {
                ColdParticulars::First(FirstSince::Deployed { at_epoch_ms })
            }
            Self::First { deployed: None } => ColdParticulars::First(FirstSince::ServerStart),
            Self::Busy { environments } => ColdParticulars::Busy { environments },
            Self::Updated { what, at } => {
                let what = WhatChanged::ALL.iter().copied().find(|known| known.as_str() == what)?;
                ColdParticulars::Updated { what, at_epoch_ms: at }
            }
            Self::Idle { ms, limit_ms } => ColdParticulars::Idle {
                idle_for: Duration::from_millis(ms),
                limit: Duration::from_millis(limit_ms),
            },
            Self::EvictedFor(function) => ColdParticulars::EvictedFor(FunctionName::new(&function).ok()?),
            Self::EvictedForMemory(Some(by)) => {
                ColdParticulars::EvictedForMemory(Some(FunctionName::new(&by).ok()?))
            }
            Self::EvictedForMemory(None) => ColdParticulars::EvictedForMemory(None),
            Self::Failed(how) => ColdParticulars::Failed { how },
            Self::TimedOut { limit_ms } => {
                ColdParticulars::TimedOut { limit: Duration::from_millis(limit_ms) }
            }
        }))
    }
}
