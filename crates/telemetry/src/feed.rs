//! The feed: what happened, handed in order to whoever counts, keeps or shows it.
//!
//! An environment only leaves its steps here, which costs a fraction of a microsecond; a thread of the feed's own puts
//! them together and tells the listeners, some time after the caller has its answer. A reader that must not miss what
//! has just happened calls [`Feed::catch_up`] first.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hearth_types::{EnvironmentId, TraceHeader};

use crate::Clock;
use crate::record::{EnvironmentRecord, LifecycleEvent, Report};
use crate::timeline::{self, InvocationSummary, Step};

/// How long steps gather before the listeners hear of them. Ours: people do not see it, and a thread that is woken for
/// each call would cost the call more than all else here.
const GATHER: Duration = Duration::from_millis(50);
/// How many steps wait at most. When listeners are further behind, the oldest are left out and counted: a record that
/// lags must not stop functions.
const WAITING_MAX: usize = 1 << 18;
/// How many steps of one Init, and of one invocation, are put together. A runtime cannot make more than a few dozen;
/// extensions that register again and again could.
const STEPS_MAX: usize = 512;

/// A step, and whose it is.
#[derive(Debug, Clone)]
pub struct EnvironmentStep {
    /// The environment.
    pub environment: Arc<EnvironmentRecord>,
    /// What happened in it, and when.
    pub step: Step,
}

/// An invocation that has ended, with all that is known of it.
#[derive(Debug, Clone)]
pub struct FinishedInvocation {
    /// Where it ran.
    pub environment: Arc<EnvironmentRecord>,
    /// What it took.
    pub summary: InvocationSummary,
    /// When it came to the pool of environments.
    pub arrived: Instant,
    /// When it ended: runtime and extensions wait again.
    pub ended: Instant,
    /// The same as [`InvocationSummary::start`], in milliseconds since 1970.
    pub started_epoch_ms: i64,
    /// The trace it belongs to, if that is sampled.
    pub trace: Option<TraceHeader>,
    /// Its steps, after those of the Init that it waited for, if it did.
    pub steps: Vec<Step>,
}

/// What has happened since the listeners heard last.
#[derive(Debug, Default)]
pub struct News {
    /// All steps, in order.
    pub steps: Vec<EnvironmentStep>,
    /// The invocations that ended with them, in order.
    pub invocations: Vec<FinishedInvocation>,
    /// How many steps were left out because the listeners were too far behind.
    pub left_out: u64,
}

/// Hears what happened.
pub trait Listener: Send {
    /// Takes what has happened since it was called last. May block on a disk, for a while.
    fn hear(&mut self, news: &News);
}

/// Where steps gather.
pub struct Feed {
    clock: Clock,
    is_silent: bool,
    gathered: Mutex<Gathered>,
    rung: Condvar,
    telling: Mutex<Telling>,
}

#[derive(Default)]
struct Gathered {
    steps: Vec<EnvironmentStep>,
    left_out: u64,
    is_waited_for: bool,
    closed: bool,
}

/// What the thread owns; a reader that catches up borrows it.
#[derive(Default)]
struct Telling {
    listeners: Vec<Box<dyn Listener>>,
    unfinished: HashMap<EnvironmentId, Unfinished>,
}

/// What an environment did in its last Init, and in the invocation that runs.
#[derive(Default)]
struct Unfinished {
    init: Vec<Step>,
    /// Whether an invocation has ended since that Init.
    init_is_over: bool,
    invocation: Vec<Step>,
    arrived: Option<Instant>,
    trace: Option<TraceHeader>,
}

impl Feed {
    /// Starts a feed and its thread, which ends when the feed is closed or dropped.
    pub fn start(clock: Clock) -> std::io::Result<Arc<Self>> {
        let feed = Arc::new(Self::new(clock, false));
        let weak = Arc::downgrade(&feed);
        std::thread::Builder::new().name("hearth-feed".to_owned()).spawn(move || tell(&weak))?;
        Ok(feed)
    }

    /// Returns a feed that nobody hears anything of. Only to measure what recording costs.
    pub fn silent(clock: Clock) -> Arc<Self> {
        Arc::new(Self::new(clock, true))
    }

    fn new(clock: Clock, is_silent: bool) -> Self {
        let (gathered, telling) = (Mutex::default(), Mutex::default());
        Self { clock, is_silent, gathered, rung: Condvar::new(), telling }
    }

    /// Whether nobody is to hear anything: no listener, and no log of what the platform says.
    pub(crate) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Adds somebody who hears of everything from now on.
    pub fn add(&self, listener: impl Listener + 'static) {
        self.telling().listeners.push(Box::new(listener));
    }

    /// Returns when the listeners have heard of everything that has been recorded so far.
    pub fn catch_up(&self) {
        let mut telling = self.telling();
        // Taken under the lock of those who hear, so that nothing is heard out of order.
        let (steps, left_out) = {
            let mut gathered = self.gathered();
            (std::mem::take(&mut gathered.steps), std::mem::take(&mut gathered.left_out))
        };
        telling.tell(steps, left_out, &self.clock);
    }

    /// Tells the listeners what is left, and ends.
    pub fn close(&self) {
        self.gathered().closed = true;
        self.rung.notify_all();
        self.catch_up();
        self.telling().listeners.clear();
    }

    /// Takes a step.
    pub(crate) fn push(
        &self,
        environment: &Arc<EnvironmentRecord>,
        at: Instant,
        event: &LifecycleEvent,
        report: Option<&Report>,
    ) {
        if self.is_silent {
            return;
        }
        let step = (at, event.clone(), report.cloned());
        let mut gathered = self.gathered();
        if gathered.closed {
            return; // nobody would ever hear of it
        }
        if gathered.steps.len() >= WAITING_MAX {
            // Half at once: taking out the first of a long list one by one would be slow.
            gathered.steps.drain(..WAITING_MAX / 2);
            gathered.left_out += (WAITING_MAX / 2) as u64;
        }
        gathered.steps.push(EnvironmentStep { environment: environment.clone(), step });
        if gathered.is_waited_for {
            gathered.is_waited_for = false;
            self.rung.notify_one();
        }
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn telling(&self) -> MutexGuard<'_, Telling> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to tell; says whether to go on.
    fn wait(&self) -> bool {
        let mut gathered = self.gathered();
        while gathered.steps.is_empty() && !gathered.closed {
            gathered.is_waited_for = true;
            let waited = self.rung.wait_timeout(gathered, Duration::from_secs(1));
            let (back, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            gathered = back;
            if waited.timed_out() {
                // So that a feed that nobody has any more is noticed.
                return !gathered.closed;
            }
        }
        !gathered.closed
    }
}

/// The thread of a feed.
fn tell(feed: &Weak<Feed>) {
    while let Some(feed) = feed.upgrade() {
        if !feed.wait() {
            return;
        }
        std::thread::sleep(GATHER);
        feed.catch_up();
    }
}

impl Telling {
    fn tell(&mut self, steps: Vec<EnvironmentStep>, left_out: u64, clock: &Clock) {
        if steps.is_empty() && left_out == 0 {
            return;
        }
        let invocations = steps.iter().filter_map(|step| self.put_together(step, clock)).collect();
        let news = News { steps, invocations, left_out };
        for listener in &mut self.listeners {
            listener.hear(&news);
        }
    }

    fn put_together(&mut self, step: &EnvironmentStep, clock: &Clock) -> Option<FinishedInvocation> {
        let EnvironmentStep { environment, step } = step;
        let (at, event, _) = step;
        if matches!(event, LifecycleEvent::ShutdownDone) {
            self.unfinished.remove(&environment.facts.id);
            return None;
        }
        let unfinished = self.unfinished.entry(environment.facts.id).or_default();
        match event {
            LifecycleEvent::InitStarted { .. } => {
                *unfinished = Unfinished { init: vec![step.clone()], ..Unfinished::default() };
                return None;
            }
            LifecycleEvent::InvokeStarted { arrived, trace, .. } => {
                unfinished.arrived = Some(*arrived);
                unfinished.trace.clone_from(trace);
                unfinished.invocation.clear();
            }
            _ => {}
        }
        if unfinished.arrived.is_none() {
            // Between Init and the first invocation, extensions may still say something of themselves.
            if unfinished.init.len() < STEPS_MAX && !unfinished.init_is_over {
                unfinished.init.push(step.clone());
            }
            return None;
        }
        let is_over = matches!(event, LifecycleEvent::InvokeDone { .. });
        if is_over || unfinished.invocation.len() < STEPS_MAX {
            unfinished.invocation.push(step.clone());
        }
        is_over.then(|| unfinished.finish(environment, *at, clock)).flatten()
    }
}

impl Unfinished {
    fn finish(
        &mut self,
        environment: &Arc<EnvironmentRecord>,
        ended: Instant,
        clock: &Clock,
    ) -> Option<FinishedInvocation> {
        let arrived = self.arrived.take()?;
        let invocation = std::mem::take(&mut self.invocation);
        // Init says which extensions there are; its times are those of the invocation that waited for it.
        let mut steps = self.init.clone();
        steps.extend(invocation.iter().cloned());
        let mut summary = timeline::invocations(environment.facts.id, &steps).pop()?;
        if std::mem::replace(&mut self.init_is_over, true) {
            summary.extension_init = None;
            summary.runtime_init = None;
            summary.function_init = None;
            summary.extension_wait = None;
            steps = invocation;
        }
        Some(FinishedInvocation {
            environment: environment.clone(),
            arrived,
            ended,
            started_epoch_ms: clock.epoch_ms_at(summary.start, clock.now()),
            trace: self.trace.take(),
            summary,
            steps,
        })
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
