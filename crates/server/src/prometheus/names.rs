//! How metrics are called for Prometheus: with `hearth_` before them, and their unit behind.

use hearth_cloudwatch::Metric;

/// The parts of Init, which are one metric with a label.
pub(super) const PHASES: [(Metric, &str); 3] = [
    (Metric::ExtensionInitDuration, "extension"),
    (Metric::RuntimeInitDuration, "runtime"),
    (Metric::FunctionInitDuration, "function"),
];

/// Returns the name of a count; `None` of what has another shape here.
pub(super) const fn counter(metric: Metric) -> Option<&'static str> {
    Some(match metric {
        Metric::Invocations => "hearth_invocations_total",
        Metric::Errors => "hearth_invocation_errors_total",
        Metric::Throttles => "hearth_throttles_total",
        Metric::RecursiveInvocationsDropped => "hearth_recursive_invocations_dropped_total",
        Metric::AsyncEventsReceived => "hearth_async_events_received_total",
        Metric::AsyncEventsDropped => "hearth_async_events_dropped_total",
        Metric::DeadLetterErrors => "hearth_dead_letter_errors_total",
        Metric::DestinationDeliveryFailures => "hearth_destination_delivery_failures_total",
        Metric::ProvisionedConcurrencyInvocations => "hearth_provisioned_concurrency_invocations_total",
        Metric::ProvisionedConcurrencySpilloverInvocations => {
            "hearth_provisioned_concurrency_spillover_invocations_total"
        }
        Metric::UrlRequestCount => "hearth_url_requests_total",
        Metric::Url4xxCount => "hearth_url_4xx_responses_total",
        Metric::Url5xxCount => "hearth_url_5xx_responses_total",
        // With its reason.
        Metric::ColdStarts => return None,
        Metric::Duration
        | Metric::PostRuntimeExtensionsDuration
        | Metric::AsyncEventAge
        | Metric::IteratorAge
        | Metric::UrlRequestLatency
        | Metric::InitDuration
        | Metric::ExtensionInitDuration
        | Metric::RuntimeInitDuration
        | Metric::FunctionInitDuration => return None,
        // Read when somebody scrapes.
        Metric::ConcurrentExecutions
        | Metric::UnreservedConcurrentExecutions
        | Metric::ClaimedAccountConcurrency
        | Metric::ProvisionedConcurrentExecutions
        | Metric::ProvisionedConcurrencyUtilization => return None,
    })
}

/// Returns the name of a time; `None` of what has another shape here.
pub(super) const fn histogram(metric: Metric) -> Option<&'static str> {
    match metric {
        Metric::Duration => Some("hearth_invocation_duration_seconds"),
        Metric::PostRuntimeExtensionsDuration => Some("hearth_extension_overhead_seconds"),
        Metric::AsyncEventAge => Some("hearth_async_event_age_seconds"),
        Metric::IteratorAge => Some("hearth_iterator_age_seconds"),
        Metric::UrlRequestLatency => Some("hearth_url_request_duration_seconds"),
        Metric::InitDuration => Some("hearth_init_duration_seconds"),
        _ => None,
    }
}
