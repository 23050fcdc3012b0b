//! The scheduler, imitated: calls arrive, environments are made, taken, ended, and everything that happens has its moment.
//!
//! Where it differs from the real one (`pool`): that looks for idle environments only every tenth of the idle time-out, so
//! that they live a little longer ([`Outcome::near_boundary`] counts the calls for which it can matter); and moments are
//! recorded in whole milliseconds, so that an environment counts as about to be free a millisecond before its call ends.

mod keeping;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::environments::{Environment, EnvironmentKey, Environments, FunctionEnvironments};
use crate::outcome::{Outcome, Tally};
use crate::policy::Policy;
use crate::prices::Prices;
use crate::traffic::{Call, FunctionKey, Init, Traffic};

/// Moments that were recorded are as wrong as this.
const MOMENT_US: u64 = 1_000;
/// The real scheduler looks for idle environments at least this often.
const IDLE_CHECK_US_MAX: u64 = 10_000_000;

/// What the scheduler that is imitated is set to.
#[derive(Debug, Clone, Copy)]
pub struct Scheduler {
    /// How long a call waits for an environment that has answered.
    pub finishing_wait_us: u64,
    /// How many cold starts run at once.
    pub cold_starts_max: usize,
    /// How many environments live at once; above, the one idle for longest goes.
    pub environments_max: usize,
    /// How many calls of a function that is asked about run at once; above, they are throttled.
    pub concurrency_max: Option<usize>,
    /// Which Inits are drawn.
    pub seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The runtime and the extensions wait again.
    Finished(EnvironmentKey),
    /// An environment that nobody waits for is initialized.
    Initialized { key: EnvironmentKey, until: u64 },
    /// A cold start is over: another may begin.
    TurnIsBack,
    /// A call has waited for long enough.
    WaitIsOver { function: FunctionKey, call: usize },
    /// An environment is made ahead, unless there was a call.
    MakeAhead { function: FunctionKey, calls_heard: u64, until: u64 },
}

struct Simulation<'traffic> {
    traffic: &'traffic Traffic,
    policy: Policy,
    scheduler: &'traffic Scheduler,
    now: u64,
    environments: Environments,
    functions: Vec<FunctionEnvironments>,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    /// Events of one moment happen in the order in which they were foreseen.
    foreseen: u64,
    turns: usize,
    wait_for_a_turn: VecDeque<usize>,
    /// Of Greedy-Dual: what the environment that was ended last was worth.
    clock: f64,
    mean_wait_us: Vec<f64>,
    tally: Tally,
}

/// Replays the calls under a policy.
pub fn simulate(traffic: &Traffic, policy: Policy, scheduler: &Scheduler, prices: &Prices) -> Outcome {
    let mut simulation = Simulation {
        traffic,
        policy,
        scheduler,
        now: 0,
        environments: Environments::default(),
        functions: traffic.functions.iter().map(|_| FunctionEnvironments::default()).collect(),
        events: BinaryHeap::new(),
        foreseen: 0,
        turns: scheduler.cold_starts_max.max(1),
        wait_for_a_turn: VecDeque::new(),
        clock: 0.0,
        mean_wait_us: traffic.functions.iter().map(|function| function.mean_wait_us()).collect(),
        tally: Tally::default(),
    };
    simulation.provision();
    for call in 0..traffic.calls.len() {
        simulation.happen_until(traffic.calls[call].arrived_us);
        simulation.arrive(call);
    }
    // Nothing after the record counts, but calls are carried to their end.
    while let Some(Reverse((at, _, event))) = simulation.events.pop() {
        simulation.now = at;
        simulation.happen(event);
    }
    simulation.end_all();
    simulation.tally.outcome(policy, prices)
}

impl Simulation<'_> {
    fn foresee(&mut self, at: u64, event: Event) {
        self.foreseen += 1;
        self.events.push(Reverse((at, self.foreseen, event)));
    }

    fn happen_until(&mut self, until: u64) {
        while let Some(&Reverse((at, _, event))) = self.events.peek()
            && at <= until
        {
            self.events.pop();
            self.now = at;
            self.happen(event);
        }
        self.now = until;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Finished(key) => self.finish(key),
            Event::Initialized { key, until } => self.initialized(key, until),
            Event::TurnIsBack => self.turn_is_back(),
            Event::WaitIsOver { function, call } => {
                let waiting = &mut self.functions[function as usize].waiting;
                if let Some(at) = waiting.iter().position(|other| *other == call) {
                    waiting.remove(at);
                    self.place(call);
                }
            }
            Event::MakeAhead { function, calls_heard, until } => {
                let environments = &self.functions[function as usize];
                if environments.calls_heard == calls_heard && environments.living == 0 {
                    self.make_ahead(function, until);
                }
            }
        }
    }

    fn arrive(&mut self, at: usize) {
        let call = self.traffic.calls[at];
        let function = call.function as usize;
        self.expire(function);
        if call.after_change && !matches!(self.policy, Policy::Provisioned { .. }) {
            self.functions[function].generation += 1;
            while let Some(key) = self.functions[function].ready.pop_front() {
                self.end_idle(key, self.now);
            }
        }
        let now = self.now;
        let environments = &mut self.functions[function];
        environments.calls_heard += 1;
        environments.frequency += 1;
        if let Some(last_end) = environments.last_end.filter(|_| environments.in_flight == 0) {
            environments.idle_times.add(now - last_end);
        }
        let is_ready = !environments.ready.is_empty() || !environments.provisioned.is_empty();
        let concurrency_max = self.scheduler.concurrency_max.filter(|_| self.traffic.is_asked(&call));
        let is_full = concurrency_max.is_some_and(|most| self.functions[function].in_flight >= most);
        let finishing = if is_ready && !is_full { 0 } else { self.finishing(function) };
        let environments = &mut self.functions[function];
        if concurrency_max.is_some_and(|most| environments.in_flight - finishing >= most) {
            self.tally.throttled += 1;
            return;
        }
        environments.in_flight += 1;
        if !is_ready && finishing > environments.waiting.len() {
            environments.waiting.push_back(at);
            let over = now + self.scheduler.finishing_wait_us;
            self.foresee(over, Event::WaitIsOver { function: call.function, call: at });
        } else {
            self.place(at);
        }
    }

    /// How many environments of a function will be free in a moment.
    fn finishing(&self, function: usize) -> usize {
        let FunctionEnvironments { busy, generation, .. } = &self.functions[function];
        let busy = busy.iter().map(|key| &self.environments[*key]);
        busy.filter(|one| one.generation == *generation && one.finishing_at <= self.now).count()
    }

    /// Gives a call the environment that was used last; without one, it is cold.
    fn place(&mut self, at: usize) {
        let function = self.traffic.calls[at].function as usize;
        self.expire(function);
        let environments = &mut self.functions[function];
        match environments.provisioned.pop().or_else(|| environments.ready.pop_back()) {
            Some(key) => self.begin(key, at),
            None if self.turns == 0 => self.wait_for_a_turn.push_back(at),
            None => self.cold_start(at),
        }
    }

    fn turn_is_back(&mut self) {
        self.turns += 1;
        while self.turns > 0
            && let Some(at) = self.wait_for_a_turn.pop_front()
        {
            self.place(at);
        }
    }

    fn begin(&mut self, key: EnvironmentKey, at: usize) {
        let call = self.traffic.calls[at];
        let is_asked = self.traffic.is_asked(&call);
        let environment = &mut self.environments[key];
        if is_asked {
            self.tally.idle_us += u128::from(self.now - environment.idle_since);
        }
        let waited_us = self.now - call.arrived_us;
        match std::mem::take(&mut environment.was_reset) {
            false => self.run(key, &call, waited_us, None, self.now),
            true => {
                let init = self.traffic.init_of(at, self.scheduler.seed);
                self.tally.cold_calls += u64::from(is_asked);
                let starts = self.now + init.billed_us;
                self.run(key, &call, waited_us + init.billed_us, Some(init), starts);
            }
        }
    }

    fn cold_start(&mut self, at: usize) {
        let call = self.traffic.calls[at];
        let function = call.function as usize;
        let init = self.traffic.init_of(at, self.scheduler.seed);
        self.turns -= 1;
        self.make_room(call.memory_mb);
        let key = self.make(call.function, call.memory_mb, false);
        let starts = self.now + init.wait_us;
        self.foresee(starts, Event::TurnIsBack);
        if self.traffic.is_asked(&call) {
            self.tally.cold_calls += 1;
            let boundary = match self.policy {
                Policy::Fixed { keep_alive_us } | Policy::Provisioned { keep_alive_us, .. } => {
                    (keep_alive_us / 10).min(IDLE_CHECK_US_MAX)
                }
                Policy::Histogram { .. } | Policy::GreedyDual { .. } => 0,
            };
            let ended = self.functions[function].last_idle_end;
            let is_near = ended.is_some_and(|ended| self.now - ended <= boundary + MOMENT_US);
            self.tally.near_boundary += u64::from(is_near);
        }
        self.run(key, &call, starts - call.arrived_us, Some(init), starts);
    }

    /// Runs a call in an environment from `starts` on.
    fn run(&mut self, key: EnvironmentKey, call: &Call, waited_us: u64, init: Option<Init>, starts: u64) {
        let ends = starts + call.runs_us;
        let environment = &mut self.environments[key];
        environment.finishing_at = (ends - call.overhead_us).saturating_sub(MOMENT_US).max(starts);
        environment.resets = call.resets;
        environment.worth = self.clock;
        let busy = &mut self.functions[call.function as usize].busy;
        environment.at_in_busy = busy.len();
        busy.push(key);
        if self.traffic.is_asked(call) {
            let tally = &mut self.tally;
            tally.wait(waited_us);
            tally.busy_us += u128::from(call.runs_us);
            tally.init_us += u128::from(starts - self.now);
            if environment.is_provisioned {
                let ms = (call.runs_us + init.map_or(0, |init| init.billed_us)).div_ceil(1_000);
                tally.duration_on_provisioned_mb_ms += u128::from(ms) * u128::from(call.memory_mb);
            } else {
                tally.bill(call.runs_us, init.map_or(0, |init| init.billed_us), call.memory_mb);
            }
        }
        self.foresee(ends, Event::Finished(key));
    }

    fn finish(&mut self, key: EnvironmentKey) {
        let (function, at_in_busy) = (self.environments[key].function, self.environments[key].at_in_busy);
        let environments = &mut self.functions[function as usize];
        environments.busy.swap_remove(at_in_busy);
        if let Some(&moved) = environments.busy.get(at_in_busy) {
            self.environments[moved].at_in_busy = at_in_busy;
        }
        environments.in_flight -= 1;
        environments.last_end = Some(self.now);
        let is_obsolete = environments.generation != self.environments[key].generation;
        let environment = &mut self.environments[key];
        environment.worth = self.clock;
        let was_reset = std::mem::take(&mut environment.resets);
        if was_reset && environment.is_provisioned {
            // Nobody who has paid for it is to wait for an Init: it is made anew.
            let init = self.traffic.drawn(function, self.scheduler.seed ^ self.foreseen);
            self.tally.init_us += u128::from(init.wait_us);
            self.foresee(self.now + init.wait_us, Event::Initialized { key, until: u64::MAX });
        } else if is_obsolete {
            self.end(key, self.now);
        } else {
            environment.was_reset = was_reset;
            self.settle(key);
        }
        self.give_up_waiting(function as usize);
    }

    /// Those that wait for an environment when none is about to be free any more are cold.
    fn give_up_waiting(&mut self, function: usize) {
        while !self.functions[function].waiting.is_empty() && self.finishing(function) == 0 {
            if let Some(at) = self.functions[function].waiting.pop_front() {
                self.place(at);
            }
        }
    }

    fn initialized(&mut self, key: EnvironmentKey, until: u64) {
        let Environment { function, generation, is_provisioned, .. } = self.environments[key];
        let environment = &mut self.environments[key];
        environment.idle_since = self.now;
        environment.idle_until = until;
        let environments = &mut self.functions[function as usize];
        match is_provisioned {
            true => environments.provisioned.push(key),
            false if generation == environments.generation => environments.ready.push_back(key),
            false => self.end(key, self.now),
        }
    }

    /// An environment is free: a call that waits has it, or it becomes idle.
    fn settle(&mut self, key: EnvironmentKey) {
        let function = self.environments[key].function;
        self.environments[key].idle_since = self.now;
        if let Some(at) = self.functions[function as usize].waiting.pop_front() {
            self.begin(key, at);
            return;
        }
        if self.environments[key].is_provisioned {
            self.functions[function as usize].provisioned.push(key);
            return;
        }
        let until = match self.policy {
            Policy::Fixed { keep_alive_us } | Policy::Provisioned { keep_alive_us, .. } => {
                Some(self.now.saturating_add(keep_alive_us))
            }
            Policy::GreedyDual { .. } => Some(u64::MAX),
            Policy::Histogram { fallback_us } => self.keep_by_histogram(function, fallback_us),
        };
        match until {
            Some(until) => {
                self.environments[key].idle_until = until;
                self.functions[function as usize].ready.push_back(key);
            }
            None => self.end(key, self.now),
        }
    }
}
