//! What is counted on the walk of an invocation, and no environment sees: throttles, asynchronous events, and by which name
//! a call came. This crate says what happened; who counts it is somebody else's ([`Meter`]).

use std::time::Duration;

use hearth_functions::ResolvedVersion;
use hearth_types::{FunctionName, Qualifier, RequestId, Version};

use crate::{InvokeRequest, Invoker, Permit};

/// Something to be counted for a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// Which function.
    pub function: FunctionName,
    /// The version or alias that was asked for.
    pub qualifier: Option<Qualifier>,
    /// What happened.
    pub fact: Fact,
}

/// What happened to a function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fact {
    /// An invocation that was asked for by a version or an alias, or of a version with provisioned concurrency, is about to
    /// run. Of others nothing is said: all that there is to know of them is in the record of their environment.
    Runs {
        /// Which one.
        request_id: RequestId,
        /// The version that runs, if its alias points to two.
        executed_version: Option<Version>,
        /// Whose concurrency it uses.
        provisioned: ProvisionedUse,
    },
    /// There was no concurrency for a request, or for an event that was due.
    Throttled,
    /// A call was one too many of a recursive loop.
    RecursionStopped,
    /// An asynchronous event was accepted.
    EventReceived,
    /// An asynchronous event is about to run.
    EventRuns {
        /// For how long it has been in the queue.
        age: Duration,
    },
    /// An asynchronous event is not tried again, and has not succeeded.
    EventDropped,
    /// An event could not be brought to the function's dead-letter queue.
    DeadLetterFailed,
    /// The record of an event's end could not be brought to its destination.
    DestinationFailed,
    /// A batch of a stream goes to the function.
    BatchRuns {
        /// How old its last record is.
        age: Duration,
    },
    /// A request to the function's URL was answered.
    UrlAnswered {
        /// With which status.
        status: u16,
        /// After how long.
        latency: Duration,
    },
}

/// Whose concurrency an invocation uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProvisionedUse {
    /// Its version has no provisioned concurrency.
    None,
    /// What is provisioned for its version.
    Provisioned,
    /// Others', because what is provisioned for its version is all in use.
    Spillover,
}

/// Whoever counts.
pub trait Meter: Send + Sync + 'static {
    /// Takes what happened. It happens now, on the way of a call: nothing may wait here.
    fn count(&self, counted: Counted);
}

impl Invoker {
    /// Lets somebody count. The first one does.
    pub fn set_meter(&self, meter: std::sync::Arc<dyn Meter>) {
        let _ = self.meter.set(meter);
    }

    /// Has something counted, if somebody counts.
    pub fn count(&self, function: &FunctionName, qualifier: Option<&Qualifier>, fact: Fact) {
        if let Some(meter) = self.meter.get() {
            meter.count(Counted { function: function.clone(), qualifier: qualifier.cloned(), fact });
        }
    }

    /// Says of an invocation what its environment is not going to know.
    pub(crate) fn count_run(&self, version: &ResolvedVersion, permit: &Permit, request: &InvokeRequest) {
        let (name, qualifier) = (&version.arn.name, request.qualifier.as_ref());
        let provisioned = permit.provisioned_use();
        if qualifier.is_none() && provisioned == ProvisionedUse::None {
            return;
        }
        let executed_version = match qualifier {
            Some(Qualifier::Alias(alias)) => {
                let alias = self.functions.get_alias(name, alias).ok();
                alias.and_then(|alias| alias.additional.as_ref().map(|_| version.version))
            }
            Some(Qualifier::Version(_)) | None => None,
        };
        let request_id = request.request_id;
        self.count(name, qualifier, Fact::Runs { request_id, executed_version, provisioned });
    }
}
