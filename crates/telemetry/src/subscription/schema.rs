//! The versions of the events' shape.

use crate::record::SubscriptionApi;

/// A version of the shape of events; each belongs to one of the two interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// The Logs API's first one.
    Logs20200815,
    /// The Logs API's last one: it has `platform.runtimeDone`.
    Logs20210318,
    /// The Telemetry API's first one.
    Telemetry20220701,
    /// Output of functions that log in JSON comes as objects.
    Telemetry20221213,
    /// The one for managed instances; otherwise as the one before.
    Telemetry20250129,
}

impl Schema {
    pub(crate) const ALL: [Self; 5] = [
        Self::Logs20200815,
        Self::Logs20210318,
        Self::Telemetry20220701,
        Self::Telemetry20221213,
        Self::Telemetry20250129,
    ];
    /// The shape of log lines.
    pub(crate) const LATEST: Self = Self::Telemetry20250129;

    /// Returns the version as a request names it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Logs20200815 => "2020-08-15",
            Self::Logs20210318 => "2021-03-18",
            Self::Telemetry20220701 => "2022-07-01",
            Self::Telemetry20221213 => "2022-12-13",
            Self::Telemetry20250129 => "2025-01-29",
        }
    }

    /// Returns to which interface it belongs.
    pub(crate) const fn api(self) -> SubscriptionApi {
        match self {
            Self::Logs20200815 | Self::Logs20210318 => SubscriptionApi::Logs,
            Self::Telemetry20220701 | Self::Telemetry20221213 | Self::Telemetry20250129 => {
                SubscriptionApi::Telemetry
            }
        }
    }

    /// Whether a line that is a JSON object is handed on as one.
    pub(crate) const fn has_objects(self) -> bool {
        matches!(self, Self::Telemetry20221213 | Self::Telemetry20250129)
    }
}
