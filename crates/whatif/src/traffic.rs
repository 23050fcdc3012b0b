//! Recorded calls, made ready to be replayed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// No call takes longer, nor waits so long: what says it does is damaged. AWS's limit is a quarter of an hour.
const DURATION_US_MAX: u64 = 86_400_000_000;
/// A moment after this is damaged: the year 9999.
const EPOCH_MS_MAX: i64 = 253_402_300_799_000;
/// How much earlier a moment was recorded than it was, at most.
const MOMENT_US: i64 = 1_000;
/// More memory than any function may have.
const MEMORY_MB_MAX: u32 = 1 << 20;

/// How an invocation began, as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedStart {
    /// In an environment that was there.
    Warm,
    /// In a new environment.
    Cold {
        /// What its Init took, if that is known.
        init_us: Option<u64>,
        /// Whether environments that were there before could not serve: the function was changed, or the server started.
        after_change: bool,
    },
    /// In an environment that had been reset, with Init as part of its Duration.
    Reset {
        /// What of the Duration was Init, if that is known.
        init_us: u64,
    },
}

/// An invocation, as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// When it was handed to the runtime, in milliseconds since 1970.
    pub started_epoch_ms: i64,
    /// How long it had waited by then.
    pub waited_us: u64,
    /// Its Duration, until the extensions were done, too.
    pub duration_us: u64,
    /// How much of that was after the runtime was done: the caller had its answer.
    pub overhead_us: u64,
    /// Configured memory.
    pub memory_mb: u32,
    /// How it began.
    pub start: RecordedStart,
    /// Whether it left its environment to be reset: a crash, a time-out.
    pub resets: bool,
}

/// Functions that have environments of their own: a version of a function.
pub type FunctionKey = u32;

/// A call that is replayed. Times count from the first arrival, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) function: FunctionKey,
    pub(crate) memory_mb: u32,
    pub(crate) arrived_us: u64,
    pub(crate) runs_us: u64,
    pub(crate) overhead_us: u64,
    pub(crate) own_init: Option<Init>,
    pub(crate) waited_us: u64,
    pub(crate) was_cold: bool,
    pub(crate) after_change: bool,
    pub(crate) resets: bool,
}

/// One Init: what a call waited for it, all told, and what of that is reported and billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Init {
    pub(crate) wait_us: u64,
    pub(crate) billed_us: u64,
}

/// What is known of a function.
#[derive(Debug, Clone, Default)]
pub(crate) struct Function {
    /// Whether it is one of those that are asked about.
    pub(crate) is_asked: bool,
    pub(crate) calls: u64,
    /// Inits that were recorded.
    pub(crate) inits: Vec<Init>,
    pub(crate) memory_mb: u32,
}

impl Function {
    /// What a cold start of it takes on average.
    pub(crate) fn mean_wait_us(&self) -> f64 {
        let sum: f64 = self.inits.iter().map(|init| init.wait_us as f64).sum();
        sum / self.inits.len().max(1) as f64
    }
}

/// Gathers what was recorded.
#[derive(Debug, Default)]
pub struct TrafficBuilder {
    calls: Vec<(i64, Call)>,
    functions: Vec<Function>,
    left_out: u64,
}

/// Calls in the order in which they came.
#[derive(Debug)]
pub struct Traffic {
    pub(crate) calls: Vec<Call>,
    pub(crate) functions: Vec<Function>,
    pub(crate) first_epoch_us: i64,
    /// When the last call that is asked about had ended. What environments do after that does not count.
    pub(crate) asked_end_us: u64,
    left_out: u64,
}

impl TrafficBuilder {
    /// Starts without a call.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function; `is_asked` says whether what becomes of its calls is asked.
    pub fn function(&mut self, is_asked: bool) -> FunctionKey {
        self.functions.push(Function { is_asked, ..Function::default() });
        (self.functions.len() - 1) as FunctionKey
    }

    /// Adds a call, unless its numbers cannot be: then it is left out and counted.
    pub fn add(&mut self, function: FunctionKey, recorded: &Recorded) {
        let Recorded { started_epoch_ms, waited_us, duration_us, overhead_us, memory_mb, start, resets } =
            *recorded;
        let init_us = match start {
            RecordedStart::Warm => 0,
            RecordedStart::Cold { init_us, .. } => init_us.unwrap_or_default(),
            RecordedStart::Reset { init_us } => init_us,
        };
        let durations = [waited_us, duration_us, overhead_us, init_us];
        let is_sound = durations.iter().all(|&us| us <= DURATION_US_MAX)
            && (0..=EPOCH_MS_MAX).contains(&started_epoch_ms)
            && (1..=MEMORY_MB_MAX).contains(&memory_mb);
        let Some(known) = self.functions.get_mut(function as usize).filter(|_| is_sound) else {
            self.left_out += 1;
            return;
        };
        known.calls += 1;
        known.memory_mb = memory_mb;
        let own_init = match start {
            RecordedStart::Cold { init_us, .. } => {
                let billed_us = init_us.unwrap_or(waited_us);
                Some(Init { wait_us: waited_us.max(billed_us), billed_us })
            }
            // A part of the Duration, so that the call ends when it did.
            RecordedStart::Reset { init_us } => Some(Init { wait_us: init_us, billed_us: init_us }),
            RecordedStart::Warm => None,
        };
        known.inits.extend(own_init.filter(|_| matches!(start, RecordedStart::Cold { .. })));
        let runs_us = match start {
            RecordedStart::Reset { init_us } => duration_us.saturating_sub(init_us),
            RecordedStart::Warm | RecordedStart::Cold { .. } => duration_us,
        };
        let call = Call {
            function,
            memory_mb,
            arrived_us: 0,
            runs_us,
            overhead_us: overhead_us.min(runs_us),
            own_init,
            waited_us,
            was_cold: start != RecordedStart::Warm,
            after_change: matches!(start, RecordedStart::Cold { after_change: true, .. }),
            resets,
        };
        self.calls.push((started_epoch_ms * 1_000 - waited_us as i64, call));
    }

    /// Puts the calls in order.
    pub fn build(self) -> Traffic {
        let Self { mut calls, functions, left_out } = self;
        // Moments were cut to whole milliseconds. Of two calls that came within one, the warm one came first: it took the
        // environment that the cold one did not find any more.
        let order = |(arrived, call): &(i64, Call)| arrived + if call.was_cold { MOMENT_US } else { 0 };
        calls.sort_by_key(order);
        let first_epoch_us = calls.first().map_or(0, |(arrived, _)| *arrived);
        let mut latest = first_epoch_us;
        let in_order = |(arrived, call)| {
            latest = latest.max(arrived);
            Call { arrived_us: (latest - first_epoch_us) as u64, ..call }
        };
        let calls: Vec<Call> = calls.into_iter().map(in_order).collect();
        Traffic { asked_end_us: asked_end_us(&calls, &functions), calls, functions, first_epoch_us, left_out }
    }
}

fn asked_end_us(calls: &[Call], functions: &[Function]) -> u64 {
    let asked = calls.iter().filter(|call| functions[call.function as usize].is_asked);
    asked.map(|call| call.arrived_us + call.waited_us + call.runs_us).max().unwrap_or_default()
}

impl Traffic {
    /// Leaves out the functions that are not asked about.
    pub(crate) fn only_asked(&self) -> Self {
        let asked = || self.calls.iter().filter(|call| self.is_asked(call));
        let first = asked().next().map_or(0, |call| call.arrived_us);
        let calls: Vec<Call> =
            asked().map(|call| Call { arrived_us: call.arrived_us - first, ..*call }).collect();
        Self {
            asked_end_us: asked_end_us(&calls, &self.functions),
            calls,
            functions: self.functions.clone(),
            first_epoch_us: self.first_epoch_us + first as i64,
            left_out: self.left_out,
        }
    }

    /// Returns how many calls of the functions that are asked about there are.
    pub fn calls(&self) -> u64 {
        self.functions.iter().filter(|function| function.is_asked).map(|function| function.calls).sum()
    }

    /// Returns how many were left out because their numbers cannot be.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Whether a cold start of a function that is asked about was recorded.
    pub(crate) fn knows_an_init(&self) -> bool {
        self.functions.iter().any(|function| function.is_asked && !function.inits.is_empty())
    }

    pub(crate) fn is_asked(&self, call: &Call) -> bool {
        self.functions[call.function as usize].is_asked
    }

    /// The Init that a call waits for when it is cold: its own, if it was cold when it was recorded; otherwise one that is
    /// drawn from those of its function, the same one under every policy.
    pub(crate) fn init_of(&self, at: usize, seed: u64) -> Init {
        let call = &self.calls[at];
        call.own_init.unwrap_or_else(|| self.drawn(call.function, seed ^ at as u64))
    }

    pub(crate) fn drawn(&self, function: FunctionKey, seed: u64) -> Init {
        let own = &self.functions[function as usize].inits;
        let asked = || self.functions.iter().find(|other| other.is_asked && !other.inits.is_empty());
        let inits = if own.is_empty() { asked().map_or(own, |other| &other.inits) } else { own };
        let Some(count) = std::num::NonZeroU64::new(inits.len() as u64) else {
            return Init { wait_us: 0, billed_us: 0 };
        };
        inits[(scattered(seed) % count) as usize]
    }

    /// The highest number of calls of the function with the most that ran at once, had none waited.
    pub(crate) fn concurrency_max(&self, function: FunctionKey) -> u32 {
        let mut ends = BinaryHeap::new();
        let mut most = 0;
        for call in self.calls.iter().filter(|call| call.function == function) {
            while ends.peek().is_some_and(|Reverse(end)| *end <= call.arrived_us) {
                ends.pop();
            }
            ends.push(Reverse(call.arrived_us + call.runs_us));
            most = most.max(ends.len());
        }
        most as u32
    }

    /// The most memory that calls of all functions used at once, had none waited.
    pub(crate) fn memory_mb_max(&self) -> u64 {
        let mut ends = BinaryHeap::new();
        let (mut used, mut most) = (0_u64, 0);
        for call in &self.calls {
            while let Some(&Reverse((end, memory_mb))) = ends.peek()
                && end <= call.arrived_us
            {
                used -= u64::from(memory_mb);
                ends.pop();
            }
            ends.push(Reverse((call.arrived_us + call.runs_us, call.memory_mb)));
            used += u64::from(call.memory_mb);
            most = most.max(used);
        }
        most
    }

    /// The function that is asked about with the most calls: the one that provisioned environments are for.
    pub(crate) fn busiest(&self) -> Option<FunctionKey> {
        let asked = self.functions.iter().enumerate().filter(|(_, function)| function.is_asked);
        asked.max_by_key(|(_, function)| function.calls).map(|(key, _)| key as FunctionKey)
    }
}

/// A number that is spread evenly, always the same for the same seed (the finaliser of SplitMix64).
pub(crate) fn scattered(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
