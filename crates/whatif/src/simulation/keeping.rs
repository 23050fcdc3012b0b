//! Which environments are kept, made ahead, or ended: where the policies differ.

use hearth_keep_alive::{Advised, worth};

use super::Event;
use super::Simulation;
use crate::environments::{Environment, EnvironmentKey, FunctionEnvironments};
use crate::policy::Policy;
use crate::traffic::FunctionKey;

impl Simulation<'_> {
    /// Says until when to keep an environment that has become idle; `None`: it ends now, and another is made ahead.
    pub(super) fn keep_by_histogram(&mut self, function: FunctionKey, fallback_us: u64) -> Option<u64> {
        let environments = &mut self.functions[function as usize];
        let kept = match environments.idle_times.advise() {
            Advised::Nothing => fallback_us,
            Advised::Keep { for_us } => for_us,
            // Those beside the last one are for calls that overlap, which do not wait for idle times.
            Advised::MakeAgain { until_us, .. } if environments.living > 1 => until_us,
            Advised::MakeAgain { after_us, until_us } => {
                let calls_heard = environments.calls_heard;
                let until = self.now.saturating_add(until_us);
                self.foresee(self.now + after_us, Event::MakeAhead { function, calls_heard, until });
                return None;
            }
        };
        Some(self.now.saturating_add(kept))
    }

    pub(super) fn make(
        &mut self,
        function: FunctionKey,
        memory_mb: u32,
        is_provisioned: bool,
    ) -> EnvironmentKey {
        let environments = &mut self.functions[function as usize];
        environments.living += 1;
        let generation = environments.generation;
        self.tally.environments_made += u64::from(self.traffic.functions[function as usize].is_asked);
        self.environments.insert(Environment {
            function,
            memory_mb,
            is_provisioned,
            generation,
            was_reset: false,
            made_at: self.now,
            idle_since: self.now,
            idle_until: u64::MAX,
            finishing_at: u64::MAX,
            resets: false,
            at_in_busy: 0,
            worth: self.clock,
        })
    }

    pub(super) fn provision(&mut self) {
        let Policy::Provisioned { environments, .. } = self.policy else { return };
        let Some(function) = self.traffic.busiest() else { return };
        let memory_mb = self.traffic.functions[function as usize].memory_mb;
        for _ in 0..environments {
            let key = self.make(function, memory_mb, true);
            self.functions[function as usize].provisioned.push(key);
        }
        self.tally.provisioned_mb_us =
            u128::from(environments) * u128::from(memory_mb) * u128::from(self.traffic.asked_end_us);
    }

    pub(super) fn make_ahead(&mut self, function: FunctionKey, until: u64) {
        let known = &self.traffic.functions[function as usize];
        let (is_asked, memory_mb) = (known.is_asked, known.memory_mb);
        if self.now > self.traffic.asked_end_us {
            return;
        }
        let init = self.traffic.drawn(function, self.scheduler.seed ^ self.foreseen);
        let key = self.make(function, memory_mb, false);
        if is_asked {
            self.tally.init_us += u128::from(init.wait_us);
            self.tally.bill(0, init.billed_us, memory_mb);
        }
        self.foresee(self.now + init.wait_us, Event::Initialized { key, until });
    }

    /// Ends idle environments until another one may be made.
    pub(super) fn make_room(&mut self, memory_mb: u32) {
        if let Policy::GreedyDual { memory_mb: limit } = self.policy {
            while self.environments.memory_mb + u64::from(memory_mb) > limit {
                let Some((worth, function)) = self.worth_least() else {
                    self.tally.over_limit += 1;
                    break;
                };
                self.clock = self.clock.max(worth);
                if let Some(key) = self.functions[function].ready.pop_front() {
                    self.end_idle(key, self.now);
                }
            }
        }
        if self.environments.living >= self.scheduler.environments_max {
            let oldest = |environments: &FunctionEnvironments| {
                environments.ready.front().map(|key| self.environments[*key].idle_since)
            };
            let ready = self.functions.iter().enumerate();
            let oldest = ready.filter_map(|(at, one)| oldest(one).map(|since| (since, at))).min();
            if let Some((_, function)) = oldest
                && let Some(key) = self.functions[function].ready.pop_front()
            {
                self.end_idle(key, self.now);
            }
        }
    }

    /// Greedy-Dual. In each function the one which was used least recently is worth least.
    fn worth_least(&self) -> Option<(f64, usize)> {
        let worth = |(at, environments): (usize, &FunctionEnvironments)| {
            let environment = &self.environments[*environments.ready.front()?];
            let (calls, cold_start_us) = (environments.frequency, self.mean_wait_us[at]);
            Some((worth(environment.worth, calls, cold_start_us, f64::from(environment.memory_mb)), at))
        };
        self.functions
            .iter()
            .enumerate()
            .filter_map(worth)
            .min_by(|(one, _), (other, _)| one.total_cmp(other))
    }

    /// Ends the environments of a function that have been idle for too long by now.
    pub(super) fn expire(&mut self, function: usize) {
        let now = self.now;
        loop {
            let ready = &self.functions[function].ready;
            let is_over = |key: &EnvironmentKey| self.environments[*key].idle_until <= now;
            let at = match self.policy {
                // What has been learned changes: they do not end in the order in which they became idle.
                Policy::Histogram { .. } => ready.iter().position(is_over),
                _ => ready.front().is_some_and(is_over).then_some(0),
            };
            let Some(key) = at.and_then(|at| self.functions[function].ready.remove(at)) else { return };
            let ended = self.environments[key].idle_until;
            self.functions[function].last_idle_end = Some(ended);
            self.end_idle(key, ended);
        }
    }

    pub(super) fn end_idle(&mut self, key: EnvironmentKey, at: u64) {
        let environment = &self.environments[key];
        let at = at.min(self.traffic.asked_end_us).max(environment.idle_since);
        if self.traffic.functions[environment.function as usize].is_asked {
            self.tally.idle_us += u128::from(at - environment.idle_since);
        }
        self.end(key, at);
    }

    pub(super) fn end(&mut self, key: EnvironmentKey, at: u64) {
        let Environment { function, made_at, memory_mb, .. } = self.environments[key];
        if self.traffic.functions[function as usize].is_asked {
            let lived = u128::from(at - made_at);
            self.tally.environment_us += lived;
            self.tally.memory_mb_us += lived * u128::from(memory_mb);
        }
        let environments = &mut self.functions[function as usize];
        environments.living -= 1;
        if environments.living == 0 {
            environments.frequency = 0;
        }
        self.environments.remove(key);
    }

    /// Ends what is there at the end of the record.
    pub(super) fn end_all(&mut self) {
        for function in 0..self.functions.len() {
            while let Some(key) = self.functions[function].ready.pop_front() {
                self.end_idle(key, self.environments[key].idle_until);
            }
            while let Some(key) = self.functions[function].provisioned.pop() {
                self.end_idle(key, u64::MAX);
            }
        }
    }
}
