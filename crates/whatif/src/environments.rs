//! The environments of a simulation: which there are, which are ready, and how long each has been what.

use std::collections::VecDeque;

use crate::traffic::FunctionKey;
use hearth_keep_alive::IdleTimes;

/// An index into [`Environments`]; used again when its environment is gone.
pub(crate) type EnvironmentKey = usize;

/// One environment.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    pub(crate) function: FunctionKey,
    pub(crate) memory_mb: u32,
    pub(crate) is_provisioned: bool,
    /// Environments of an older one are obsolete.
    pub(crate) generation: u32,
    /// The next call begins with Init.
    pub(crate) was_reset: bool,
    pub(crate) made_at: u64,
    pub(crate) idle_since: u64,
    /// When it has been idle for too long.
    pub(crate) idle_until: u64,
    /// From when on its caller has an answer, and it will be free in a moment.
    pub(crate) finishing_at: u64,
    /// Whether the call that it runs resets it.
    pub(crate) resets: bool,
    /// Where it stands among the busy ones.
    pub(crate) at_in_busy: usize,
    /// The clock of Greedy-Dual when it was used last.
    pub(crate) worth: f64,
}

/// The environments of one function.
#[derive(Debug, Default)]
pub(crate) struct FunctionEnvironments {
    /// Most recently used last.
    pub(crate) ready: VecDeque<EnvironmentKey>,
    pub(crate) provisioned: Vec<EnvironmentKey>,
    pub(crate) busy: Vec<EnvironmentKey>,
    /// Calls that wait for an environment that is about to be free.
    pub(crate) waiting: VecDeque<usize>,
    pub(crate) generation: u32,
    /// How many environments there are, whatever they do.
    pub(crate) living: usize,
    /// Calls that have arrived and whose environment is not free yet.
    pub(crate) in_flight: usize,
    /// Calls since it had no environment.
    pub(crate) frequency: u64,
    /// When its last call ended.
    pub(crate) last_end: Option<u64>,
    pub(crate) idle_times: IdleTimes,
    /// Changes with each call: what was to be made ahead before it is not made.
    pub(crate) calls_heard: u64,
    /// When an environment was last ended for being idle.
    pub(crate) last_idle_end: Option<u64>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Environments {
    slots: Vec<Environment>,
    free: Vec<EnvironmentKey>,
    pub(crate) living: usize,
    pub(crate) memory_mb: u64,
}

impl Environments {
    pub(crate) fn insert(&mut self, environment: Environment) -> EnvironmentKey {
        self.living += 1;
        self.memory_mb += u64::from(environment.memory_mb);
        match self.free.pop() {
            Some(key) => {
                self.slots[key] = environment;
                key
            }
            None => {
                self.slots.push(environment);
                self.slots.len() - 1
            }
        }
    }

    /// Gives its slot to another one.
    pub(crate) fn remove(&mut self, key: EnvironmentKey) {
        self.living -= 1;
        self.memory_mb -= u64::from(self.slots[key].memory_mb);
        self.free.push(key);
    }
}

impl std::ops::Index<EnvironmentKey> for Environments {
    type Output = Environment;

    fn index(&self, key: EnvironmentKey) -> &Environment {
        &self.slots[key]
    }
}

impl std::ops::IndexMut<EnvironmentKey> for Environments {
    fn index_mut(&mut self, key: EnvironmentKey) -> &mut Environment {
        &mut self.slots[key]
    }
}
