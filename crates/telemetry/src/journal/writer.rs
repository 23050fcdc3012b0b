//! Writes the journal: hears the feed, and appends a line for each invocation and each environment that has ended.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use hearth_types::EnvironmentId;

use super::life::{self, EnvironmentLife};
use super::segments::{Appender, DAY_MS, Kind};
use super::{Journal, JournalEntry, entry};
use crate::Clock;
use crate::feed::{EnvironmentStep, FinishedInvocation, Listener, News};
use crate::record::LifecycleEvent;

/// How often it is noted that a provisioned environment still lives, so that a crash does not hide what it has cost.
const STILL_ALIVE_EVERY: Duration = Duration::from_secs(60);

/// What writes the journal.
pub(super) struct JournalWriter {
    clock: Clock,
    calls: Output,
    environments: Output,
    lives: HashMap<EnvironmentId, Life>,
    still_alive_at: Option<Instant>,
    /// How many lines are lost since the disk refused them.
    lost: u64,
}

/// An environment that lives.
struct Life {
    life: EnvironmentLife,
    init_began: Option<Instant>,
}

/// Lines that gather for a segment.
struct Output {
    appender: Appender,
    day: i64,
    lines: Vec<u8>,
    count: u64,
}

impl JournalWriter {
    pub(super) fn new(journal: &Journal, clock: Clock) -> Self {
        let output = |kind| Output {
            appender: Appender::new(&journal.folder, kind, journal.settings),
            day: 0,
            lines: Vec::new(),
            count: 0,
        };
        Self {
            clock,
            calls: output(Kind::Calls),
            environments: output(Kind::Environments),
            lives: HashMap::new(),
            still_alive_at: None,
            lost: 0,
        }
    }

    fn take_invocation(&mut self, invocation: &FinishedInvocation) {
        let day = self.epoch_ms(invocation.ended).div_euclid(DAY_MS);
        let entry = JournalEntry::of(invocation);
        let (lost, error) = self.calls.put(day, |lines| entry::write(&entry, lines));
        self.note(lost, error);
    }

    fn take_step(&mut self, step: &EnvironmentStep) {
        let EnvironmentStep { environment, step: (at, event, report) } = step;
        let id = environment.facts.id;
        let begin = || Life { life: EnvironmentLife::begin(&environment.facts), init_began: None };
        match event {
            LifecycleEvent::InitStarted { .. } => {
                self.lives.entry(id).or_insert_with(begin).init_began = Some(*at);
            }
            LifecycleEvent::InitDone { .. } => {
                if let Some(life) = self.lives.get_mut(&id)
                    && let Some(began) = life.init_began.take()
                {
                    life.life.init_us += at.saturating_duration_since(began).as_micros() as u64;
                    // Nobody else remembers for long what its Init took.
                    if life.life.is_provisioned() {
                        let life = life.life.clone();
                        self.put_life(life, *at);
                    }
                }
            }
            LifecycleEvent::InvokeDone { .. } => {
                if let (Some(life), Some(report)) = (self.lives.get_mut(&id), report) {
                    life.life.invocations += 1;
                    life.life.busy_us += report.duration.as_micros() as u64;
                }
            }
            LifecycleEvent::ShutdownStarted { reason } => {
                let life = self.lives.entry(id).or_insert_with(begin);
                life.life.why_ended = Some(life::why_ended(*reason).to_owned());
            }
            LifecycleEvent::ShutdownDone => {
                if let Some(life) = self.lives.remove(&id) {
                    self.put_life(life.life, *at);
                }
            }
            LifecycleEvent::ExtensionStarted { .. }
            | LifecycleEvent::ExtensionRegistered { .. }
            | LifecycleEvent::TelemetrySubscribed { .. }
            | LifecycleEvent::ExtensionReady { .. }
            | LifecycleEvent::RuntimeStarted
            | LifecycleEvent::FunctionInitStarted
            | LifecycleEvent::RuntimeInitDone { .. }
            | LifecycleEvent::ExtensionReported { .. }
            | LifecycleEvent::InvokeStarted { .. }
            | LifecycleEvent::ResponseSent { .. }
            | LifecycleEvent::RuntimeDone { .. }
            | LifecycleEvent::ExtensionDone { .. }
            | LifecycleEvent::ExtensionUsed { .. }
            | LifecycleEvent::FaultInjected { .. }
            | LifecycleEvent::Frozen
            | LifecycleEvent::ResetStarted { .. }
            | LifecycleEvent::ResetDone
            | LifecycleEvent::RuntimeTerminated
            | LifecycleEvent::RuntimeGone { .. }
            | LifecycleEvent::ExtensionShutdownSent { .. }
            | LifecycleEvent::ExtensionGone { .. } => {}
        }
    }

    fn put_life(&mut self, mut life: EnvironmentLife, at: Instant) {
        // Never before it was made, also when the clock was set back.
        life.ended_epoch_ms = self.epoch_ms(at).max(life.made_epoch_ms);
        let day = self.epoch_ms(at).div_euclid(DAY_MS);
        let (lost, error) = self.environments.put(day, |lines| life::write(&life, lines));
        self.note(lost, error);
    }

    /// Notes now and then that provisioned environments still live.
    fn note_still_alive(&mut self) {
        let now = self.clock.now();
        let since = *self.still_alive_at.get_or_insert(now);
        if now.saturating_duration_since(since) < STILL_ALIVE_EVERY {
            return;
        }
        self.still_alive_at = Some(now);
        let lives: Vec<_> = self
            .lives
            .values()
            .filter(|life| life.life.is_provisioned() && life.life.why_ended.is_none())
            .map(|life| life.life.clone())
            .collect();
        for life in lives {
            self.put_life(life, now);
        }
    }

    fn epoch_ms(&self, at: Instant) -> i64 {
        self.clock.epoch_ms_at(at, self.clock.now())
    }

    /// Says once that lines are lost, and once how many were.
    fn note(&mut self, lost: u64, result: io::Result<()>) {
        if let Err(error) = result {
            if self.lost == 0 {
                tracing::error!(%error, "cannot write the journal of invocations; entries are lost");
            }
            self.lost += lost;
        }
    }

    fn flush(&mut self) {
        if self.calls.lines.is_empty() && self.environments.lines.is_empty() {
            return;
        }
        let (calls, environments) = (self.calls.flush(), self.environments.flush());
        let is_written = calls.1.is_ok() && environments.1.is_ok();
        self.note(calls.0, calls.1);
        self.note(environments.0, environments.1);
        if is_written && self.lost > 0 {
            tracing::warn!(lost = self.lost, "the journal of invocations is written again");
            self.lost = 0;
        }
    }
}

impl Output {
    /// Adds a line for a segment of `day`. Returns how many lines were lost, and why.
    fn put(
        &mut self,
        day: i64,
        write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
    ) -> (u64, io::Result<()>) {
        let flushed = if self.day == day { (0, Ok(())) } else { self.flush() };
        self.day = day;
        let length = self.lines.len();
        match write(&mut self.lines) {
            Ok(()) => self.count += 1,
            // None of our types can fail; a line is whole or not there.
            Err(_) => self.lines.truncate(length),
        }
        flushed
    }

    fn flush(&mut self) -> (u64, io::Result<()>) {
        if self.lines.is_empty() {
            return (0, Ok(()));
        }
        let written = self.appender.append(self.day, &self.lines);
        self.lines.clear();
        (std::mem::take(&mut self.count), written)
    }
}

impl Listener for JournalWriter {
    fn hear(&mut self, news: &News) {
        news.steps.iter().for_each(|step| self.take_step(step));
        news.invocations.iter().for_each(|invocation| self.take_invocation(invocation));
        self.note_still_alive();
        self.flush();
    }
}
