//! The metrics: AWS's of Lambda, and some of Hearth's own about what AWS does not tell.

/// The namespace of Lambda's metrics.
pub(crate) const AWS_LAMBDA: &str = "AWS/Lambda";
/// The namespace of Hearth's own metrics: cold starts, and the phases of Init.
pub(crate) const HEARTH: &str = "Hearth";

/// What values of a metric are, and so how they add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// So many of something happened.
    Count,
    /// A time, in milliseconds.
    Milliseconds,
    /// A level at a moment. What all functions have together is no sum of theirs.
    Level,
}

macro_rules! metrics {
    ($($name:ident $namespace:ident $kind:ident $meaning:literal;)*) => {
        /// A metric.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Metric { $(#[doc = $meaning] $name,)* }

        impl Metric {
            /// Every metric.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns its name, spelled as AWS does.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Returns its namespace.
            pub const fn namespace(self) -> &'static str {
                match self { $(Self::$name => $namespace,)* }
            }

            /// Returns what its values are.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }

            /// Returns what it tells, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

// Source: Lambda Developer Guide, "Types of metrics for Lambda functions", read 2026-11.
metrics! {
    Invocations AWS_LAMBDA Count "Invocations that ran, whether the function succeeded or failed.";
    Errors AWS_LAMBDA Count "Invocations whose function failed: exceptions, time-outs, exits of the runtime, failed Inits.";
    Throttles AWS_LAMBDA Count "Requests and events for which there was no concurrency.";
    Duration AWS_LAMBDA Milliseconds "How long the function worked on an event, without Init.";
    PostRuntimeExtensionsDuration AWS_LAMBDA Milliseconds "How long extensions worked on after the runtime was done.";
    RecursiveInvocationsDropped AWS_LAMBDA Count "Invocations that were stopped because they were part of a recursive loop.";
    AsyncEventsReceived AWS_LAMBDA Count "Events that were accepted for asynchronous invocation.";
    AsyncEventAge AWS_LAMBDA Milliseconds "How long events waited in the queue until an attempt began.";
    AsyncEventsDropped AWS_LAMBDA Count "Events that ended without having succeeded.";
    DeadLetterErrors AWS_LAMBDA Count "Attempts to bring an event to a dead-letter queue that failed.";
    DestinationDeliveryFailures AWS_LAMBDA Count "Attempts to bring the record of an event to a destination that failed.";
    IteratorAge AWS_LAMBDA Milliseconds "How old the last record of a stream's batch was when the batch went to the function.";
    ConcurrentExecutions AWS_LAMBDA Level "Invocations that ran at once.";
    UnreservedConcurrentExecutions AWS_LAMBDA Level "Invocations that ran at once of functions without reserved concurrency.";
    ClaimedAccountConcurrency AWS_LAMBDA Level "Concurrency that other functions cannot have: in use, reserved or provisioned.";
    ProvisionedConcurrentExecutions AWS_LAMBDA Level "Invocations that ran at once on provisioned concurrency.";
    ProvisionedConcurrencyUtilization AWS_LAMBDA Level "The share of provisioned concurrency that was in use, from 0 to 1.";
    ProvisionedConcurrencyInvocations AWS_LAMBDA Count "Invocations that ran on provisioned concurrency.";
    ProvisionedConcurrencySpilloverInvocations AWS_LAMBDA Count "Invocations that ran on other concurrency because all that is provisioned was in use.";
    UrlRequestCount AWS_LAMBDA Count "Requests to the function's URL.";
    Url4xxCount AWS_LAMBDA Count "Requests to the function's URL that were answered with a status from 400 to 499.";
    Url5xxCount AWS_LAMBDA Count "Requests to the function's URL that were answered with a status from 500 to 599.";
    UrlRequestLatency AWS_LAMBDA Milliseconds "How long a request to the function's URL waited for its answer.";
    ColdStarts HEARTH Count "Invocations that had to wait for an Init.";
    InitDuration HEARTH Milliseconds "How long Init took, of environments that an invocation waited for.";
    ExtensionInitDuration HEARTH Milliseconds "How long the runtime waited for external extensions to register.";
    RuntimeInitDuration HEARTH Milliseconds "How long the runtime took to start.";
    FunctionInitDuration HEARTH Milliseconds "How long the function's own code took to load.";
}

impl Metric {
    /// Returns the metric with this name in this namespace.
    pub fn find(namespace: &str, name: &str) -> Option<Self> {
        let is_it = |metric: &&Self| metric.name() == name && metric.namespace() == namespace;
        Self::ALL.iter().find(is_it).copied()
    }

    /// Returns the unit, as CloudWatch calls it.
    pub const fn unit(self) -> &'static str {
        match self.kind() {
            Kind::Count | Kind::Level => "Count",
            Kind::Milliseconds => "Milliseconds",
        }
    }
}
