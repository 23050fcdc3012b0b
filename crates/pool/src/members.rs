//! The environments of one function, in three collections. A list of [`Ready`] cannot contain a busy environment.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use hearth_environment::Environment;
use hearth_functions::ResolvedVersion;
use hearth_invoke::Permit;
use hearth_keep_alive::worth;
use hearth_runtime_api::RuntimeApi;
use hearth_runtimes::Credentials;
use hearth_telemetry::ShutdownReason;
use hearth_types::{ColdParticulars, ColdReason, ColdStart, EnvironmentId, InitializationType};
use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::habits::Habits;
use crate::memory::Room;
use crate::provisioning::{Failure, Provisioning};
use crate::settings::KeepAlive;
use crate::why_cold::{LastEnd, Past};

/// An environment and what belongs to it.
pub(crate) struct Member {
    pub(crate) environment: Arc<Environment>,
    /// Why it was made.
    pub(crate) initialization_type: InitializationType,
    /// What it runs. Keeps the code on disk.
    pub(crate) version: Arc<ResolvedVersion>,
    /// The keys that it has been given.
    pub(crate) credentials: Credentials,
    /// Its listener: closed when the member is dropped.
    pub(crate) _runtime_api: RuntimeApi,
    /// Hearth's API for it: closed when the member is dropped.
    pub(crate) _own_api: Box<dyn Any + Send + Sync>,
    /// What it has of this host's memory.
    pub(crate) room: Arc<Room>,
}

/// Warm, or reset: waits for an invocation.
pub(crate) struct Ready {
    pub(crate) member: Member,
    pub(crate) idle_since: Instant,
    /// What the environment was worth that had to go last before this one was used.
    worth_clock: f64,
}

/// The turn of a cold start, and that on the processors, where others wait for them.
type Turns = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// Runs an invocation.
pub(crate) struct Busy {
    member: Member,
    /// When its invocation began, or its Init ended.
    began: Instant,
    /// Given back when the environment is free, not when the caller has its answer.
    _permit: Permit,
    /// Held during the first Init.
    cold_start: Option<Turns>,
}

/// Provisioned, in its first Init, which no invocation waits for.
pub(crate) struct Initializing {
    pub(crate) member: Member,
    /// Held until that is over.
    pub(crate) _turns: [OwnedSemaphorePermit; 2],
}

impl Member {
    pub(crate) fn is_provisioned(&self) -> bool {
        self.initialization_type == InitializationType::ProvisionedConcurrency
    }
}

impl Ready {
    pub(crate) fn begin(self, permit: Permit) -> Busy {
        self.member.environment.expect_invocation();
        let began = self.member.room.now();
        Busy { member: self.member, began, _permit: permit, cold_start: None }
    }
}

impl Busy {
    /// Begins with the first Init.
    pub(crate) fn cold(member: Member, permit: Permit, cold_start: Turns) -> Self {
        let began = member.room.now();
        Self { member, began, _permit: permit, cold_start: Some(cold_start) }
    }
}

/// All environments of one version of a function.
#[derive(Default)]
pub(crate) struct FunctionEnvironments {
    /// Most recently used last.
    ready: Vec<Ready>,
    busy: HashMap<EnvironmentId, Busy>,
    initializing: HashMap<EnvironmentId, Initializing>,
    ending: HashMap<EnvironmentId, Member>,
    /// Cold starts that have not made their environment yet.
    pub(crate) starting: usize,
    /// Invocations that wait for an environment that has answered.
    pub(crate) waiting: usize,
    /// Invocations that wait for a busy environment rather than for a cold start.
    pub(crate) patient: usize,
    /// Wakes one of them.
    pub(crate) freed: Arc<Notify>,
    /// How often it is called, and what that takes.
    pub(crate) habits: Habits,
    /// What is to be provisioned.
    pub(crate) provisioning: Provisioning,
    /// Environments of other generations are obsolete. `None`: no change was heard of.
    generation: Option<u64>,
    deleted: bool,
    /// Why there may be no warm environment.
    pub(crate) past: Past,
}

impl FunctionEnvironments {
    pub(crate) fn with(past: Past, keep_alive: KeepAlive) -> Self {
        Self { past, habits: Habits::to_know(keep_alive), ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.ready.len() + self.busy.len() + self.initializing.len() + self.ending.len()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        let ready = self.ready.iter().map(|ready| &ready.member);
        let initializing = self.initializing.values().map(|initializing| &initializing.member);
        let ready = ready.chain(initializing);
        ready.chain(self.busy.values().map(|busy| &busy.member)).chain(self.ending.values())
    }

    pub(crate) fn busy(&self) -> Vec<Arc<Environment>> {
        self.busy.values().map(|busy| busy.member.environment.clone()).collect()
    }

    /// Returns how many environments of this generation will be free at once: they have answered.
    pub(crate) fn finishing(&self, generation: u64) -> usize {
        let is_finishing = |busy: &&Busy| {
            busy.member.version.generation == generation && busy.member.environment.has_answered()
        };
        self.busy.values().filter(is_finishing).count()
    }

    /// Returns how many run something of this generation.
    pub(crate) fn busy_of(&self, generation: u64) -> u32 {
        let same = self.busy.values().filter(|busy| busy.member.version.generation == generation);
        same.count() as u32
    }

    /// Returns those that are not ending, and whether they are ready.
    pub(crate) fn alive(&self) -> impl Iterator<Item = (&Member, bool)> {
        let ready = self.ready.iter().map(|ready| (&ready.member, true));
        let initializing = self.initializing.values().map(|initializing| (&initializing.member, false));
        ready.chain(initializing).chain(self.busy.values().map(|busy| (&busy.member, false)))
    }

    /// Returns the ready environments that may go, what each is worth, and the memory that it has.
    pub(crate) fn worths(&self) -> impl Iterator<Item = (EnvironmentId, f64, u64)> {
        let on_demand = self.ready.iter().filter(|ready| !ready.member.is_provisioned());
        on_demand.map(|Ready { member, worth_clock, .. }| {
            let bytes = member.room.bytes();
            let memory_mb = bytes as f64 / f64::from(1 << 20);
            let worth = worth(*worth_clock, self.habits.calls(), self.habits.cold_start_us(), memory_mb);
            (member.environment.id(), worth, bytes)
        })
    }

    /// Returns the memory of those that are ending.
    pub(crate) fn bytes_ending(&self) -> u64 {
        self.ending.values().map(|member| member.room.bytes()).sum()
    }

    pub(crate) fn oldest_idle(&self) -> Option<(Instant, EnvironmentId)> {
        let since = |ready: &Ready| (ready.idle_since, ready.member.environment.id());
        let on_demand = self.ready.iter().filter(|ready| !ready.member.is_provisioned());
        on_demand.map(since).min_by_key(|(since, _)| *since)
    }

    /// Whether an environment of this generation is ready.
    pub(crate) fn has_ready(&self, generation: u64) -> bool {
        self.ready.iter().any(|ready| ready.member.version.generation == generation)
    }

    /// Takes the ready environment of this generation that was used last, so that the rest can idle out. Provisioned ones
    /// are for invocations that were admitted as such; without one, those take any.
    pub(crate) fn take_ready(&mut self, generation: u64, permit: &Permit) -> Option<Ready> {
        let last = |is_provisioned| {
            self.ready.iter().rposition(|Ready { member, .. }| {
                member.version.generation == generation && member.is_provisioned() == is_provisioned
            })
        };
        let provisioned = if permit.is_provisioned() { last(true) } else { None };
        let at = provisioned.or_else(|| last(false))?;
        Some(self.ready.remove(at))
    }

    pub(crate) fn insert_initializing(&mut self, initializing: Initializing) {
        self.initializing.insert(initializing.member.environment.id(), initializing);
    }

    /// How many provisioned environments are initialized.
    pub(crate) fn provisioned(&self) -> u32 {
        let ready = self.ready.iter().map(|ready| &ready.member);
        let all = ready.chain(self.busy.values().map(|busy| &busy.member));
        all.filter(|member| member.is_provisioned()).count() as u32
    }

    /// How many there are, initialized or not.
    pub(crate) fn provisioned_and_initializing(&self) -> u32 {
        self.provisioned() + self.initializing.len() as u32
    }

    /// How many there are, or will be soon.
    pub(crate) fn provisioned_and_begun(&self) -> u32 {
        self.provisioned_and_initializing() + self.provisioning.starting
    }

    /// Takes out up to `surplus` provisioned environments that nothing runs in.
    pub(crate) fn end_provisioned(&mut self, surplus: u32) -> Vec<Arc<Environment>> {
        let mut ended = Vec::new();
        let ids: Vec<EnvironmentId> = self.initializing.keys().copied().collect();
        let ready = self.ready.iter().map(|ready| &ready.member).filter(|member| member.is_provisioned());
        let ids = ids.into_iter().chain(ready.map(|member| member.environment.id()));
        for id in ids.take(surplus as usize).collect::<Vec<_>>() {
            if let Some(member) = self.take_out(id) {
                ended.push(member.environment.clone());
                self.ending.insert(id, member);
            }
        }
        ended
    }

    /// Takes out one that nothing runs in.
    fn take_out(&mut self, id: EnvironmentId) -> Option<Member> {
        if let Some(initializing) = self.initializing.remove(&id) {
            return Some(initializing.member);
        }
        let at = self.ready.iter().position(|ready| ready.member.environment.id() == id)?;
        Some(self.ready.remove(at).member)
    }

    pub(crate) fn insert_busy(&mut self, busy: Busy) {
        self.habits.called(busy.began, self.busy.is_empty());
        self.busy.insert(busy.member.environment.id(), busy);
    }

    /// Returns why a call of `generation` that finds nothing ready is cold.
    pub(crate) fn why_cold(&self, generation: u64, now: Instant) -> ColdStart {
        let same = |busy: &&Busy| busy.member.version.generation == generation;
        let environments = self.starting + self.busy.values().filter(same).count();
        if environments > 0 {
            let environments = u32::try_from(environments).unwrap_or(u32::MAX);
            return ColdStart::new(ColdReason::AllBusy, ColdParticulars::Busy { environments });
        }
        if !self.busy.is_empty() {
            return self.past.updated();
        }
        self.past.why_cold(now)
    }

    /// The first Init of an environment has ended. It has had so much memory.
    pub(crate) fn initialized(&mut self, id: EnvironmentId, now: Instant, memory_bytes: u64) {
        let member = match self.busy.get_mut(&id) {
            Some(busy) => {
                (busy.cold_start, busy.began) = (None, now);
                &busy.member
            }
            None => match self.initializing.get(&id) {
                Some(initializing) => &initializing.member,
                None => return,
            },
        };
        self.habits.started(now.saturating_duration_since(member.room.since()));
        self.habits.had(memory_bytes);
        member.room.set(memory_bytes);
    }

    /// Makes an environment ready again, or for the first time, or says why it has to be ended instead. `is_warm`: its
    /// runtime waits for an event. One that is not begins the next invocation with Init, which nobody who has paid for
    /// provisioned concurrency is to wait for: it is made anew.
    pub(crate) fn settle(
        &mut self,
        id: EnvironmentId,
        is_warm: bool,
        now: Instant,
        draining: bool,
    ) -> Option<ShutdownReason> {
        let member = if let Some(Initializing { member, .. }) = self.initializing.remove(&id) {
            match is_warm {
                true => self.provisioning.went_well(),
                false => self.provisioning.fail(Failure::Init, now),
            }
            member
        } else if let Some(Busy { member, began, .. }) = self.busy.remove(&id) {
            self.habits.ended(began, now);
            member.room.set_measured(false);
            member
        } else {
            // It has died, or been reset, while nothing ran in it.
            let is_it = |ready: &Ready| ready.member.environment.id() == id && ready.member.is_provisioned();
            let at = self.ready.iter().position(is_it).filter(|_| !is_warm)?;
            self.provisioning.fail(Failure::Init, now);
            self.ready.remove(at).member
        };
        let obsolete = self.generation.is_some_and(|current| current != member.version.generation);
        let is_unwanted = || !is_warm || self.provisioned_and_initializing() >= self.provisioning.target;
        let reason = if self.deleted {
            ShutdownReason::FunctionDeleted
        } else if obsolete {
            ShutdownReason::FunctionUpdated
        } else if draining {
            ShutdownReason::ServerStops
        } else if member.is_provisioned() && is_unwanted() {
            ShutdownReason::Unprovisioned
        } else {
            let worth_clock = member.room.worth_clock();
            self.ready.push(Ready { member, idle_since: now, worth_clock });
            if self.patient > 0 {
                self.freed.notify_one();
            }
            return None;
        };
        self.past.remember(LastEnd::of(reason));
        self.ending.insert(id, member);
        Some(reason)
    }

    /// Moves chosen ready environments to the ending ones and returns them.
    pub(crate) fn end_ready(
        &mut self,
        choose: impl Fn(&Ready) -> bool,
        last_end: impl Fn(&Ready) -> Option<LastEnd>,
    ) -> Vec<Arc<Environment>> {
        let (chosen, kept) = std::mem::take(&mut self.ready).into_iter().partition(|ready| choose(ready));
        self.ready = kept;
        let mut environments = Vec::new();
        for ready in chosen {
            self.past.remember(last_end(&ready));
            environments.push(ready.member.environment.clone());
            self.ending.insert(ready.member.environment.id(), ready.member);
        }
        environments
    }

    /// Another generation counts from now on; `None` when the function is deleted. Returns what has to be ended.
    pub(crate) fn replace(
        &mut self,
        current: Option<&ResolvedVersion>,
        now_epoch_ms: i64,
    ) -> Vec<Arc<Environment>> {
        let generation = current.map(|version| version.generation);
        if let Some(version) = current {
            self.past.deployed(version, now_epoch_ms);
        }
        self.generation = generation.or(self.generation);
        self.deleted = generation.is_none();
        let is_other = |ready: &Ready| Some(ready.member.version.generation) != generation;
        let mut ended = self.end_ready(is_other, |_| generation.map(|_| LastEnd::Updated));
        if self.deleted {
            self.past = Past::default();
            self.provisioning.target = 0;
            ended.extend(self.end_provisioned(u32::MAX));
        }
        ended
    }

    /// Removes one that is gone.
    pub(crate) fn remove(&mut self, id: EnvironmentId, now: Instant) -> Option<Member> {
        let member = self.take_gone(id, now);
        if self.len() == 0 {
            self.habits.gone();
        }
        member
    }

    fn take_gone(&mut self, id: EnvironmentId, now: Instant) -> Option<Member> {
        if let Some(member) = self.ending.remove(&id) {
            return Some(member);
        }
        // Its sandbox broke, or the server stops: it was not the pool that ended it.
        if let Some(Initializing { member, .. }) = self.initializing.remove(&id) {
            self.provisioning.fail(Failure::Ours, now);
            return Some(member);
        }
        if let Some(busy) = self.busy.remove(&id) {
            return Some(busy.member);
        }
        let at = self.ready.iter().position(|ready| ready.member.environment.id() == id)?;
        self.past.remember(Some(LastEnd::SandboxLost));
        Some(self.ready.remove(at).member)
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// The version is there, and is this one, whatever was heard of one that had its number before.
    pub(crate) fn is_there(&mut self, generation: u64) {
        (self.deleted, self.generation) = (false, Some(generation));
    }

    /// Whether the version is deleted and nothing of it is left.
    pub(crate) fn is_over(&self) -> bool {
        let nothing_begins = self.starting == 0 && self.waiting == 0 && self.provisioning.starting == 0;
        self.deleted && self.len() == 0 && nothing_begins
    }
}
