//! What the server recorded, as it sends it. Times are milliseconds since the server started.

use serde::Deserialize;

use crate::words::{visible, why_cold};

/// The environments and invocations of one function, oldest first.
#[derive(Debug, Deserialize)]
pub(crate) struct Timeline {
    pub(crate) function_name: String,
    pub(crate) now_ms: f64,
    pub(crate) environments: Vec<Environment>,
    pub(crate) invocations: Vec<Invocation>,
}

/// One environment.
#[derive(Debug, Deserialize)]
pub(crate) struct Environment {
    pub(crate) environment_id: String,
    pub(crate) log_stream: String,
    pub(crate) spans: Vec<Span>,
    /// Servers of before extensions do not tell.
    #[serde(default)]
    pub(crate) extensions: Vec<Extension>,
    /// Servers of before fault injection do not tell.
    #[serde(default)]
    pub(crate) injected_faults: Vec<FaultMark>,
}

/// A fault that was injected into an environment.
#[derive(Debug, Deserialize)]
pub(crate) struct FaultMark {
    pub(crate) at_ms: f64,
    pub(crate) request_id: Option<String>,
    #[serde(flatten)]
    pub(crate) fault: Fault,
}

/// What went wrong on purpose.
#[derive(Debug, Deserialize)]
pub(crate) struct Fault {
    pub(crate) phase: String,
    #[serde(rename = "do")]
    pub(crate) deed: String,
    pub(crate) delay_ms: Option<f64>,
    pub(crate) extension: Option<String>,
}

/// One extension of an environment.
#[derive(Debug, Deserialize)]
pub(crate) struct Extension {
    pub(crate) name: String,
    pub(crate) spans: Vec<ExtensionSpan>,
}

/// A stretch of one phase of an extension.
#[derive(Debug, Deserialize)]
pub(crate) struct ExtensionSpan {
    pub(crate) phase: ExtensionPhase,
    pub(crate) start_ms: f64,
    /// `None` while it lasts.
    pub(crate) end_ms: Option<f64>,
    /// Only if it did not end as it should.
    pub(crate) status: Option<Status>,
    pub(crate) killed: bool,
}

/// What an extension does during a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ExtensionPhase {
    Registration,
    Init,
    Invoke,
    AfterCall,
    Idle,
    Shutdown,
}

/// A stretch of one phase.
#[derive(Debug, Deserialize)]
pub(crate) struct Span {
    pub(crate) phase: Phase,
    pub(crate) start_ms: f64,
    /// `None` while it lasts.
    pub(crate) end_ms: Option<f64>,
    pub(crate) request_id: Option<String>,
    pub(crate) status: Option<Status>,
}

/// What an environment does during a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    ExtensionInit,
    RuntimeInit,
    FunctionInit,
    /// Runtime and function init, where the runtime does not tell them apart.
    Init,
    /// The runtime is ready, some extension isn't.
    ExtensionWait,
    Invoke,
    /// The runtime is done with the call, some extension isn't.
    ExtensionOverhead,
    Idle,
    /// Its processes stand still.
    Frozen,
    Reset,
    Shutdown,
    RuntimeShutdown,
    /// The runtime is gone, some extension isn't.
    ExtensionShutdown,
}

impl Phase {
    /// Whether nothing happens.
    pub(crate) const fn is_still(self) -> bool {
        matches!(self, Self::Idle | Self::Frozen)
    }
}

/// How a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    Success,
    Error,
    Timeout,
    Failure,
}

impl Status {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Failure => "failure",
        }
    }
}

/// One finished invocation.
#[derive(Debug, Deserialize)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    /// Only if it waited for an Init phase.
    pub(crate) init_ms: Option<f64>,
    pub(crate) duration_ms: f64,
    /// How much of it only extensions worked; `None` without extensions.
    #[serde(default)]
    pub(crate) extension_overhead_ms: Option<f64>,
    pub(crate) billed_ms: u64,
    pub(crate) memory_size_mb: u32,
    pub(crate) max_memory_used_mb: u64,
    pub(crate) why_cold: Option<String>,
    /// The same with what is known besides.
    #[serde(default)]
    pub(crate) cold_start: Option<ColdStart>,
    pub(crate) status: Status,
    pub(crate) error_type: Option<String>,
    #[serde(default)]
    pub(crate) injected_faults: Vec<Fault>,
}

/// Why an invocation was cold.
#[derive(Debug, Deserialize)]
pub(crate) struct ColdStart {
    pub(crate) explanation: String,
}

impl Invocation {
    /// Returns why it was cold, for people.
    pub(crate) fn why_cold(&self) -> Option<String> {
        match &self.cold_start {
            Some(cold_start) => Some(visible(&cold_start.explanation).replace('\n', " ")),
            None => self.why_cold.as_deref().map(|reason| why_cold(reason).to_owned()),
        }
    }
}
