//! `GET /_hearth/functions/NAME/whatif`: the journal, replayed under other policies.
//!
//! What happens here is reading the question and the journal; `hearth-whatif` knows the rest.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use hearth_aws_wire::Response;
use hearth_cost::Rates;
use hearth_telemetry::journal::{Journal, JournalEntry, JournalQuery};
use hearth_types::{ColdReason, EnvironmentId, FunctionName, Version};
use hearth_whatif::{
    PolicyKind, Prices, Question, Recorded, RecordedStart, Report, Scheduler, Traffic, TrafficBuilder,
    WhatIfError, what_if,
};
use http::StatusCode;
use tokio::sync::Semaphore;

use super::{Insight, Query, answer, error, whatif_json};

/// Most calls that are replayed: the latest.
const CALLS_MAX: usize = 1_000_000;
/// How far back the journal is read unless somebody says from when on.
const DAYS_DEFAULT: i64 = 30;
/// And at most.
const DAYS_MAX: i64 = 366;
const DAY_MS: i64 = 86_400_000;
/// How long a call waits for an environment that has answered: `pool` says so.
const FINISHING_WAIT_US: u64 = 20_000;
/// Which Inits are drawn: the same at each look.
const SEED: u64 = 0x6865_6172_7468;

/// A replay takes a processor for seconds, and memory for each call.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

/// What the pool is set to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheduling {
    pub(crate) idle_timeout: Duration,
    pub(crate) cold_starts_max: usize,
    pub(crate) environments_max: usize,
}

/// What is read from the request.
struct Asked {
    function: FunctionName,
    from_ms: i64,
    to_ms: i64,
    policies: Vec<PolicyKind>,
}

/// The calls of a time, in order, and whether there were more.
struct Read {
    traffic: Traffic,
    is_cut: bool,
}

impl Insight {
    /// Answers what would have become of the calls of a function.
    pub(super) async fn whatif(&self, name: &str, query: &Query<'_>) -> Response {
        let function = match self.existing(name) {
            Ok(function) => function,
            Err(response) => return *response,
        };
        let asked = match asked(function, query, self.clock.epoch_ms()) {
            Ok(asked) => asked,
            Err(cause) => return error(StatusCode::BAD_REQUEST, &cause),
        };
        let Ok(known) = self.functions.get(&asked.function) else {
            return error(StatusCode::NOT_FOUND, "the function is not there any more");
        };
        let prices = prices(self.prices.rates(known.configuration.architecture));
        let question = Question {
            policies: asked.policies.clone(),
            scheduler: Scheduler {
                finishing_wait_us: FINISHING_WAIT_US,
                cold_starts_max: self.scheduling.cold_starts_max,
                environments_max: self.scheduling.environments_max,
                concurrency_max: known.management.reserved_concurrency.map(|calls| calls as usize),
                seed: SEED,
            },
            idle_timeout: self.scheduling.idle_timeout,
        };
        let Ok(turn) = ONE_AT_A_TIME.acquire().await else {
            return error(StatusCode::SERVICE_UNAVAILABLE, "the server stops");
        };
        let (feed, journal) = (self.feed.clone(), self.journal.clone());
        let replay = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            feed.catch_up();
            let read = read(&journal, &asked)?;
            let report = what_if(&read.traffic, &question, &prices);
            Ok::<_, io::Error>((asked, read.is_cut, question, report))
        });
        match replay.await.map_err(io::Error::other).flatten() {
            Ok((asked, is_cut, question, Ok(report))) => {
                answer(&whatif_json::report(&asked.function, &report, &question, &notes(&report, is_cut)))
            }
            Ok((asked, _, _, Err(cause))) => {
                let status = match cause {
                    WhatIfError::NoCalls => StatusCode::NOT_FOUND,
                    WhatIfError::NoInits => StatusCode::CONFLICT,
                };
                error(status, &format!("`{}`: {cause}", asked.function))
            }
            Err(cause) => {
                tracing::error!(error = &cause as &dyn std::error::Error, "the journal cannot be replayed");
                error(StatusCode::INTERNAL_SERVER_ERROR, "the journal cannot be read")
            }
        }
    }
}

/// Reads the question. What is wrong is said, not passed over.
fn asked(function: FunctionName, query: &Query<'_>, now_ms: i64) -> Result<Asked, String> {
    let moment = |name: &str| match query.get(name) {
        None => Ok(None),
        Some(text) => match text.parse::<i64>() {
            Ok(ms) if ms >= 0 => Ok(Some(ms)),
            _ => Err(format!("`{name}` is not a number of milliseconds since 1970")),
        },
    };
    let to_ms = moment("to_ms")?.unwrap_or(now_ms.saturating_add(DAY_MS));
    let from_ms = moment("from_ms")?;
    let from_ms = from_ms.unwrap_or(to_ms.min(now_ms).saturating_sub(DAYS_DEFAULT * DAY_MS).max(0));
    if from_ms >= to_ms {
        return Err("`from_ms` is not before `to_ms`".to_owned());
    }
    let policies = query.get("policies").unwrap_or_default();
    let policies = PolicyKind::parse_list(&policies).map_err(|cause| cause.to_string())?;
    Ok(Asked { function, from_ms: from_ms.max(to_ms.saturating_sub(DAYS_MAX * DAY_MS)), to_ms, policies })
}

/// Reads the journal a day at a time, the latest first, so that no more than a day's entries are held beside the calls.
fn read(journal: &Journal, asked: &Asked) -> io::Result<Read> {
    // Only this policy looks at the other functions.
    let needs_all = asked.policies.contains(&PolicyKind::GreedyDual);
    let mut days = Vec::new();
    let (mut to_ms, mut room, mut is_cut) = (asked.to_ms, CALLS_MAX, false);
    while to_ms > asked.from_ms && room > 0 {
        let from_ms = ((to_ms - 1).div_euclid(DAY_MS) * DAY_MS).max(asked.from_ms);
        let entries = journal.entries(&JournalQuery {
            function: (!needs_all).then(|| asked.function.clone()),
            from_epoch_ms: Some(from_ms),
            to_epoch_ms: Some(to_ms),
            limit: Some(room.saturating_add(1)),
        })?;
        is_cut = entries.len() > room;
        let surplus = entries.len().saturating_sub(room);
        let calls: Vec<Entry> = entries.iter().skip(surplus).map(Entry::of).collect();
        room -= calls.len();
        days.push(calls);
        to_ms = from_ms;
    }
    Ok(Read { traffic: traffic(days.into_iter().rev().flatten(), &asked.function), is_cut })
}

/// What of an entry of the journal is replayed.
struct Entry {
    function: FunctionName,
    version: Version,
    environment: EnvironmentId,
    why_cold: Option<ColdReason>,
    init_us: Option<u64>,
    /// All parts of the Init together, if it was part of the call.
    init_parts_us: u64,
    recorded: Recorded,
}

impl Entry {
    fn of(entry: &JournalEntry) -> Self {
        let parts =
            [entry.extension_init_us, entry.runtime_init_us, entry.function_init_us, entry.extension_wait_us];
        Self {
            function: entry.function.clone(),
            version: entry.version,
            environment: entry.environment,
            why_cold: entry.why_cold,
            init_us: entry.init_us,
            init_parts_us: parts.into_iter().flatten().fold(0, u64::saturating_add),
            recorded: Recorded {
                started_epoch_ms: entry.started_epoch_ms,
                waited_us: entry.waited_us,
                duration_us: entry.duration_us,
                overhead_us: entry.extension_overhead_us.unwrap_or_default(),
                memory_mb: entry.memory_size_mb,
                start: RecordedStart::Warm,
                // If no later call of the environment says so, its own end does.
                resets: entry.status == "timeout",
            },
        }
    }
}

/// The prices that a simulation needs.
fn prices(rates: Rates) -> Prices {
    Prices {
        gb_second: rates.gb_second,
        gb_second_on_provisioned: rates.gb_second_on_provisioned,
        gb_second_provisioned: rates.gb_second_provisioned,
        request: rates.request,
    }
}

/// Makes traffic of entries, oldest first: each version of a function has environments of its own.
fn traffic(entries: impl Iterator<Item = Entry>, function: &FunctionName) -> Traffic {
    let mut builder = TrafficBuilder::new();
    let mut keys = HashMap::new();
    let mut last_of_environment: HashMap<EnvironmentId, usize> = HashMap::new();
    let mut calls: Vec<(u32, Recorded)> = Vec::new();
    for Entry { function: of, version, environment, why_cold, init_us, init_parts_us, recorded } in entries {
        let is_asked = of == *function;
        let key = *keys.entry((of, version)).or_insert_with(|| builder.function(is_asked));
        let before = last_of_environment.insert(environment, calls.len());
        if let Some(before) = before {
            had_answered(&mut calls[before].1, &recorded);
        }
        let start = match why_cold {
            // No call ever runs in an environment whose Init was forced.
            None | Some(ColdReason::Provisioned | ColdReason::Forced) => RecordedStart::Warm,
            Some(ColdReason::FirstInvocation | ColdReason::FunctionUpdated) => {
                RecordedStart::Cold { init_us, after_change: true }
            }
            Some(ColdReason::AllBusy | ColdReason::IdleTimeout | ColdReason::Evicted) => {
                RecordedStart::Cold { init_us, after_change: false }
            }
            Some(
                ColdReason::RuntimeExited
                | ColdReason::ExtensionFailed
                | ColdReason::TimedOut
                | ColdReason::InitFailed,
            ) => match before {
                // The call before left its environment to be reset.
                Some(before) => {
                    calls[before].1.resets = true;
                    // The Init is part of the Duration, and what the call waited for before it was handed over.
                    let init_us = if init_parts_us > 0 { init_parts_us } else { recorded.waited_us };
                    RecordedStart::Reset { init_us: init_us.min(recorded.duration_us) }
                }
                None => RecordedStart::Cold { init_us, after_change: false },
            },
        };
        calls.push((key, Recorded { start, ..recorded }));
    }
    calls.iter().for_each(|(key, recorded)| builder.add(*key, recorded));
    builder.build()
}

/// A call that arrived while the one before in its environment was not over waited for it, so that one had answered: the
/// journal does not say when, and so it is said here.
fn had_answered(before: &mut Recorded, after: &Recorded) {
    let us = |ms: i64| i128::from(ms) * 1_000;
    let arrived = us(after.started_epoch_ms) - i128::from(after.waited_us);
    let ended = us(before.started_epoch_ms) + i128::from(before.duration_us);
    let since = u64::try_from(ended - arrived).unwrap_or_default();
    // A moment is as wrong as a millisecond; longer than the scheduler lets a call wait is something else.
    if since <= FINISHING_WAIT_US + 1_000 {
        before.overhead_us = before.overhead_us.max(since);
    }
}

/// What whoever reads the numbers has to know.
fn notes(report: &Report, is_cut: bool) -> Vec<String> {
    let mut notes = vec![
        "AWS does not say how long it keeps idle environments; 5 to 15 minutes are seen there".to_owned(),
        "costs are an estimate by AWS's list prices, without what is free each month; AWS takes nothing for environments that \
         are idle on demand, your own machine gives them memory"
            .to_owned(),
    ];
    if is_cut {
        notes.push(format!("only the latest {CALLS_MAX} calls are replayed; there are more"));
    }
    if report.recorded.left_out > 0 {
        let left_out = report.recorded.left_out;
        notes.push(format!("{left_out} entries of the journal are left out: their numbers cannot be"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(query: &str) -> Result<Asked, String> {
        asked(FunctionName::new("f").unwrap(), &Query(query), 100 * DAY_MS)
    }

    #[test]
    fn a_wrong_question_is_refused_and_not_passed_over() {
        for (query, what) in [
            ("from_ms=yesterday", "`from_ms`"),
            ("to_ms=-5", "`to_ms`"),
            ("to_ms=99999999999999999999", "`to_ms`"),
            ("from_ms=10&to_ms=10", "not before"),
            ("policies=fixed,lru", "`lru`"),
        ] {
            let refused = question(query).err().unwrap_or_default();
            assert!(refused.contains(what), "{query}: {refused}");
        }
    }

    #[test]
    fn without_a_time_the_last_thirty_days_are_meant_and_never_more_than_a_year() {
        let asked = question("policies=fixed").unwrap();
        assert_eq!((asked.from_ms, asked.to_ms), (70 * DAY_MS, 101 * DAY_MS));
        let asked = question("from_ms=0&to_ms=9223372036854775807").unwrap();
        assert_eq!(asked.from_ms, i64::MAX - DAYS_MAX * DAY_MS);
    }
}
