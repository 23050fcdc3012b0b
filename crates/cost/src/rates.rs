//! Prices as plain numbers, for what is estimated from measurements or simulated, rather than added up call by call.

use hearth_types::Architecture;

use crate::Prices;

/// What an architecture costs, in dollars: the first tier, without what is free.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
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
    /// Returns what functions for an architecture cost.
    pub fn rates(&self, architecture: Architecture) -> Rates {
        let prices = self.of(architecture);
        Rates {
            gb_second: prices.duration.dollars(),
            gb_second_on_provisioned: prices.provisioned_duration.dollars(),
            gb_second_provisioned: prices.provisioned.dollars(),
            request: self.requests_per_million.dollars() / 1_000_000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_table() {
        let rates = Prices::ours().rates(Architecture::Arm64);
        // Dollars, to the picodollar.
        let is = |rate: f64, dollars: f64| (rate - dollars).abs() < 1e-12;
        assert!(is(rates.gb_second, 0.000_013_333_4), "{rates:?}");
        assert!(is(rates.gb_second_on_provisioned, 0.000_007_777_8), "{rates:?}");
        assert!(is(rates.gb_second_provisioned, 0.000_003_333_4), "{rates:?}");
        assert!(is(rates.request, 0.000_000_2), "{rates:?}");
    }
}
