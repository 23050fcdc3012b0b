//! Extensions that subscribe to telemetry: the Telemetry API and its predecessor, the Logs API.
//!
//! `request.rs` reads what an extension asks for, `buffer.rs` holds what waits for it, `delivery.rs` sends it,
//! `backlog.rs` keeps what Init said before somebody listened. Whether an extension may subscribe now is decided by
//! the state machine of the environment, not here.
//!
//! Nothing is written for a subscriber that is not there: without one, telemetry costs the environment a look at an
//! empty list.

mod backlog;
mod buffer;
mod delivery;
mod output;
mod request;
mod schema;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use hearth_types::{ExtensionName, LogFormat};
use tokio::task::AbortHandle;

use crate::platform_event::{Dropped, PlatformEvent};
use crate::platform_json::About;
use crate::record::TelemetryTypes;
use crate::{Clock, PutEvent};
use backlog::{Backlog, Entry};
use delivery::{Outbox, Sender};

pub use request::{Subscription, SubscriptionError};

/// Opens a TCP socket for IPv4 that does not block and is not connected. May block for a moment.
pub type OpenSocket = Arc<dyn Fn() -> io::Result<OwnedFd> + Send + Sync>;
pub(crate) use schema::Schema;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TelemetryKind {
    Platform,
    Function,
    Extension,
}

impl TelemetryKind {
    const ALL: [Self; 3] = [Self::Platform, Self::Function, Self::Extension];

    fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Function => "function",
            Self::Extension => "extension",
        }
    }

    fn is_in(self, types: TelemetryTypes) -> bool {
        match self {
            Self::Platform => types.platform,
            Self::Function => types.function,
            Self::Extension => types.extension,
        }
    }
}

/// The subscribers of one environment.
pub(crate) struct Subscribers {
    clock: Clock,
    /// Where the ports of the environment are reached.
    open: Option<OpenSocket>,
    /// Only while Init is under way.
    backlog: Option<Backlog>,
    subscribed: Vec<Subscribed>,
}

/// One of them. Dropping it ends its task.
#[derive(Debug)]
struct Subscribed {
    extension: ExtensionName,
    types: TelemetryTypes,
    schema: Schema,
    outbox: Arc<Outbox>,
    task: AbortHandle,
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Subscribers {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, open: None, backlog: None, subscribed: Vec::new() }
    }

    /// Reaches the ports of the environment through other sockets than the host's.
    pub(crate) fn reach_through(&mut self, open: OpenSocket) {
        self.open = Some(open);
    }

    /// Keeps from now on what those hear who subscribe later.
    pub(crate) fn begin_init(&mut self) {
        self.backlog = Some(Backlog::default());
    }

    /// Forgets what it kept: Init is over, and nobody subscribes any more.
    pub(crate) fn end_init(&mut self) {
        self.backlog = None;
    }

    /// Adds a subscriber, in place of its former subscription, and replays to it what Init has said. Needs a Tokio runtime.
    pub(crate) fn subscribe(
        &mut self,
        extension: ExtensionName,
        subscription: Subscription,
        about: &About<'_>,
    ) {
        let Subscription { schema, types, buffering, destination } = subscription;
        let outbox = Arc::new(Outbox::new(self.clock, buffering));
        let sender =
            Sender { outbox: outbox.clone(), schema, destination, open: self.open.clone(), lines: None };
        let task = tokio::spawn(sender.run()).abort_handle();
        self.subscribed.retain(|former| former.extension != extension);
        let subscribed = Subscribed { extension, types, schema, outbox, task };
        if let Some(backlog) = &self.backlog {
            for kind in TelemetryKind::ALL.into_iter().filter(|kind| kind.is_in(types)) {
                subscribed.outbox.note_dropped(backlog.dropped(kind));
            }
            for entry in backlog.entries().iter().filter(|entry| entry.kind().is_in(types)) {
                match entry {
                    Entry::Platform(at, event) => subscribed.tell(about, *at, event),
                    Entry::Output(kind, event) => subscribed.hand_on(about, *kind, event),
                }
            }
        }
        self.subscribed.push(subscribed);
    }

    /// Whether somebody listens, now or later.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.subscribed.is_empty() || self.backlog.is_some()
    }

    /// Tells what the platform says.
    pub(crate) fn tell(&mut self, about: &About<'_>, at: Instant, event: &PlatformEvent) {
        if let Some(backlog) = &mut self.backlog {
            backlog.keep_platform(at, event);
        }
        for subscribed in &self.subscribed {
            if subscribed.types.platform {
                subscribed.tell(about, at, event);
            }
        }
    }

    /// Hands on what function or extensions put out.
    pub(crate) fn hand_on(&mut self, about: &About<'_>, kind: TelemetryKind, events: &[PutEvent]) {
        for event in events {
            if let Some(backlog) = &mut self.backlog {
                backlog.keep_output(kind, event);
            }
            for subscribed in &self.subscribed {
                if kind.is_in(subscribed.types) {
                    subscribed.hand_on(about, kind, event);
                }
            }
        }
    }

    /// Sends now what waits.
    pub(crate) fn hurry(&self) {
        for subscribed in &self.subscribed {
            subscribed.outbox.hurry();
        }
    }

    /// Whether one of them is being sent something.
    pub(crate) fn is_delivering(&self) -> bool {
        self.subscribed.iter().any(|subscribed| subscribed.outbox.is_delivering())
    }

    /// Says whether subscribers stand still: they are sent nothing then.
    pub(crate) fn hold(&self, are_frozen: bool) {
        for subscribed in &self.subscribed {
            subscribed.outbox.hold(are_frozen);
        }
    }

    /// Takes how much was dropped since it was asked last.
    pub(crate) fn take_unlogged(&self) -> Dropped {
        let mut sum = Dropped::default();
        for subscribed in &self.subscribed {
            sum.add(subscribed.outbox.take_unlogged());
        }
        sum
    }

    /// Ends all subscriptions: the processes are gone.
    pub(crate) fn end(&mut self) {
        self.backlog = None;
        self.subscribed.clear();
    }
}

impl Subscribed {
    fn tell(&self, about: &About<'_>, at: Instant, event: &PlatformEvent) {
        about.write(self.schema, at, event, |json| self.outbox.push(json));
    }

    fn hand_on(&self, about: &About<'_>, kind: TelemetryKind, event: &PutEvent) {
        // What is dropped costs little: a function that puts out more than its subscribers take is not slowed down.
        if !self.outbox.has_room(event.message.len()) {
            return;
        }
        let logs_json = about.identity.log_format == LogFormat::Json;
        self.outbox.push(output::event(self.schema, kind, event, logs_json));
    }
}
