//! Money without rounding: every price is a whole number of picodollars, and what a price is asked for (a request of a
//! million, a megabyte for a millisecond, a byte of a gigabyte) divides the unit here without a rest.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// How many units are a picodollar: 2^30 · 5^6.
const UNITS_PER_PICODOLLAR: u128 = (1 << 30) * 15_625;
const PICODOLLARS_PER_DOLLAR: u128 = 1_000_000_000_000;

/// An amount of money, exact. Sums do not depend on their order; what no number can hold is the largest that one can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(u128);

/// A price in picodollars, for some quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(u64);

/// Why a text is no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a price: write dollars with at most twelve decimals, below 1000000, as in \"0.20\"")]
pub struct PriceError(String);

impl Price {
    /// Reads dollars such as `0.0000166667`.
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        let wrong = || PriceError(text.chars().take(64).collect());
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(decimals) || whole.len() > 6 || decimals.len() > 12 {
            return Err(wrong());
        }
        let picodollars = format!("{whole}{decimals:0<12}");
        picodollars.parse().map(Self).map_err(|_| wrong())
    }

    /// Returns what so many are, at this price for a million.
    pub fn for_each_of_a_million(self, count: u64) -> Money {
        self.times(UNITS_PER_PICODOLLAR / 1_000_000, u128::from(count))
    }

    /// Returns what so many MB for so many ms are, added up, at this price for a GB for a second.
    pub fn for_mb_ms(self, mb_ms: u128) -> Money {
        self.times(UNITS_PER_PICODOLLAR / 1_024_000, mb_ms)
    }

    /// Returns what so many bytes are, at this price for 2^30.
    pub fn for_bytes(self, bytes: u64) -> Money {
        self.times(UNITS_PER_PICODOLLAR >> 30, u128::from(bytes))
    }

    /// Returns it in dollars.
    pub(crate) fn dollars(self) -> f64 {
        self.0 as f64 / PICODOLLARS_PER_DOLLAR as f64
    }

    fn times(self, units: u128, count: u128) -> Money {
        Money(u128::from(self.0).saturating_mul(units).saturating_mul(count))
    }
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Returns the rest, and never less than nothing.
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Returns which share of `whole` this is, from 0 to 1; 0 of nothing.
    pub fn share_of(self, whole: Self) -> f64 {
        if whole == Self::ZERO { 0.0 } else { self.0 as f64 / whole.0 as f64 }
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    /// Writes dollars with up to twelve decimals, and no fewer than two; what lies beyond is rounded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let picodollars = self.0.saturating_add(UNITS_PER_PICODOLLAR / 2) / UNITS_PER_PICODOLLAR;
        let (dollars, rest) = (picodollars / PICODOLLARS_PER_DOLLAR, picodollars % PICODOLLARS_PER_DOLLAR);
        let decimals = format!("{rest:012}");
        let decimals = decimals.trim_end_matches('0');
        write!(f, "{dollars}.{decimals:0<2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_exactly_or_refused() {
        assert_eq!(Price::parse("0.20"), Ok(Price(200_000_000_000)));
        assert_eq!(Price::parse("0.0000166667"), Ok(Price(16_666_700)));
        assert_eq!(Price::parse("999999.999999999999"), Ok(Price(999_999_999_999_999_999)));
        for wrong in ["", ".", "1.", ".5", "-1", "1e3", "0,2", "1000000", "0.0000000000001", "٣", " 1", "1_0"]
        {
            assert!(Price::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn amounts_are_written_as_dollars() {
        assert_eq!(Money::ZERO.to_string(), "0.00");
        let million = Price::parse("0.20").unwrap();
        assert_eq!(million.for_each_of_a_million(1).to_string(), "0.0000002");
        assert_eq!(million.for_each_of_a_million(1_000_000).to_string(), "0.20");
        assert_eq!(million.for_each_of_a_million(50_000_000).to_string(), "10.00");
        // One GB for one second, and a third of that, rounded.
        let duration = Price::parse("0.0000166667").unwrap();
        assert_eq!(duration.for_mb_ms(1_024_000).to_string(), "0.0000166667");
        assert_eq!(duration.for_mb_ms(128).to_string(), "0.000000002083");
        assert_eq!(Price::parse("0.008").unwrap().for_bytes(1 << 30).to_string(), "0.008");
    }

    #[test]
    fn what_no_number_can_hold_is_the_largest_and_no_panic() {
        let price = Price::parse("999999").unwrap();
        let most = price.for_mb_ms(u128::MAX);
        assert_eq!(most + most, most);
        assert!(most.to_string().len() > 10);
    }
}
