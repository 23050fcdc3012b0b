//! One line of advice that follows from the replayed calls, and from nothing else.

use crate::outcome::Outcome;
use crate::policy::{Policy, Time};
use crate::report::AsRecorded;

/// From fewer calls nothing follows.
pub const CALLS_TO_ADVISE_MIN: u64 = 100;

/// A difference that matters, in parts of the calls.
const SHARE_THAT_MATTERS: f64 = 0.01;

/// What follows from a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// Do this, because of that.
    Do {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
    /// Nothing is better by enough to matter.
    LeaveIt {
        /// Why.
        why: String,
    },
    /// Nothing follows.
    Refused {
        /// Why.
        why: String,
    },
}

/// Gives advice about the idle time-out, and about provisioned environments where that does not help.
pub(crate) fn of(recorded: &AsRecorded, outcomes: &[Outcome], idle_timeout_us: u64) -> Advice {
    if recorded.calls < CALLS_TO_ADVISE_MIN {
        let calls = recorded.calls;
        return Advice::Refused {
            why: format!(
                "only {calls} calls are recorded; from fewer than {CALLS_TO_ADVISE_MIN} nothing follows"
            ),
        };
    }
    let fixed: Vec<(u64, &Outcome)> = outcomes
        .iter()
        .filter_map(|outcome| match outcome.policy {
            Policy::Fixed { keep_alive_us } => Some((keep_alive_us, outcome)),
            _ => None,
        })
        .collect();
    let now = fixed.iter().find(|(keep_alive_us, _)| *keep_alive_us == idle_timeout_us);
    let Some(&(_, now)) = now else {
        return Advice::Refused {
            why: "the policy `fixed`, which is in force now, was not asked for".to_owned(),
        };
    };
    let best = fixed.iter().map(|(_, outcome)| outcome.cold_share()).fold(f64::INFINITY, f64::min);
    // The shortest time that is as good as any.
    let enough = fixed.iter().find(|(_, outcome)| outcome.cold_share() < best + SHARE_THAT_MATTERS);
    if let Some(&(keep_alive_us, outcome)) = enough {
        let change = format!(
            "cold calls go from {} to {} of {}, environment-seconds from {:.0} to {:.0}",
            now.cold_calls,
            outcome.cold_calls,
            recorded.calls,
            now.environment_seconds(),
            outcome.environment_seconds()
        );
        if now.cold_share() >= best + SHARE_THAT_MATTERS {
            return Advice::Do {
                what: format!("keep idle environments for {}", Time(keep_alive_us)),
                why: format!("{change}; a longer time saves less than 1 % of the calls"),
            };
        }
        // Keeping them for less is worth it only when it frees something.
        if outcome.environment_us * 10 <= now.environment_us * 9 {
            let what = match keep_alive_us {
                0 => "end environments as soon as they are idle".to_owned(),
                _ => format!("keep idle environments for {} only", Time(keep_alive_us)),
            };
            let why = match enough_provisioned(outcomes) {
                Some((environments, provisioned)) if outcome.cold_share() >= SHARE_THAT_MATTERS => format!(
                    "{change}; only {environments} provisioned would leave {}",
                    provisioned.cold_calls
                ),
                _ => change,
            };
            return Advice::Do { what, why };
        }
    }
    if now.cold_share() >= SHARE_THAT_MATTERS
        && let Some((environments, outcome)) = enough_provisioned(outcomes)
    {
        return Advice::Do {
            what: format!("provision {environments}, if cold calls have to go"),
            why: format!(
                "cold calls go from {} to {} of {}, which no idle time does; on AWS the same calls would cost an estimated \
                 ${:.6} instead of ${:.6}",
                now.cold_calls,
                outcome.cold_calls,
                recorded.calls,
                outcome.cost.total(),
                now.cost.total()
            ),
        };
    }
    Advice::LeaveIt {
        why: format!(
            "with {} now, {} of {} calls are cold, and no other time changes that by 1 % of the calls or frees a tenth of \
             the environment-seconds",
            Time(idle_timeout_us),
            now.cold_calls,
            recorded.calls
        ),
    }
}

/// The fewest provisioned environments with which less than 1 % of the calls are cold.
fn enough_provisioned(outcomes: &[Outcome]) -> Option<(u32, &Outcome)> {
    outcomes.iter().find_map(|outcome| match outcome.policy {
        Policy::Provisioned { environments, .. } if environments > 0 => {
            (outcome.cold_share() < SHARE_THAT_MATTERS).then_some((environments, outcome))
        }
        _ => None,
    })
}
