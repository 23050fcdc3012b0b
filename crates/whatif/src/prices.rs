//! What AWS takes, as far as a policy changes it. An estimate, always.

/// Prices in US dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prices {
    /// A GB-second of duration, on demand.
    pub gb_second: f64,
    /// A GB-second of duration in a provisioned environment.
    pub gb_second_on_provisioned: f64,
    /// A GB-second of a provisioned environment, used or not.
    pub gb_second_provisioned: f64,
    /// One request.
    pub request: f64,
}

impl Prices {
    /// Returns what calls cost that are billed for `billed_ms` each.
    pub fn of_calls(&self, calls: f64, billed_ms: f64, memory_mb: u32) -> f64 {
        calls * (billed_ms / 1_000.0 * f64::from(memory_mb) / 1_024.0 * self.gb_second + self.request)
    }
}
