//! The price table: one file that comes with Hearth, or one that an operator puts in its place.

use hearth_types::Architecture;
use serde::Deserialize;

use crate::money::{Money, Price, PriceError};

/// The file that comes with Hearth.
const OURS: &str = include_str!("prices.toml");
const MB_MS_PER_GB_SECOND: u128 = 1_024_000;

/// What things cost, where it was read, and when.
#[derive(Debug, Clone)]
pub struct Prices {
    /// Where it was read.
    pub source: String,
    /// When.
    pub date: String,
    /// For which region.
    pub region: String,
    pub(crate) requests_per_million: Price,
    pub(crate) x86_64: ArchitecturePrices,
    pub(crate) arm64: ArchitecturePrices,
    pub(crate) ephemeral_storage_free_mb: u32,
    pub(crate) ephemeral_storage: Price,
    pub(crate) streaming_free_bytes: u64,
    pub(crate) streaming: Price,
    pub(crate) free_requests: u64,
    pub(crate) free_gb_seconds: u64,
}

/// The prices that differ by architecture, each for a GB for a second.
#[derive(Debug, Clone)]
pub(crate) struct ArchitecturePrices {
    pub(crate) duration: Price,
    /// From how much in a month, in MB·ms, and then at which price.
    pub(crate) tiers: Vec<(u128, Price)>,
    pub(crate) provisioned: Price,
    pub(crate) provisioned_duration: Price,
}

/// Why a file with prices cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    /// It cannot be read as such a file.
    #[error("line {line}: {message}")]
    File {
        /// Where.
        line: usize,
        /// Why.
        message: String,
    },
    /// An amount is none.
    #[error("`{member}`: {source}")]
    Price {
        /// Of what.
        member: &'static str,
        /// Why.
        source: PriceError,
    },
    /// Amounts are in dollars.
    #[error("`currency` is `{0}`, and only `USD` is understood")]
    Currency(String),
    /// A tier begins before the one before it.
    #[error("the tiers of `{architecture}` do not begin one after the other, each at a lower price")]
    Tiers {
        /// Of which architecture.
        architecture: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    source: String,
    date: String,
    region: String,
    currency: String,
    requests: Requests,
    x86_64: OfArchitecture,
    arm64: OfArchitecture,
    ephemeral_storage: EphemeralStorage,
    streaming: Streaming,
    free_tier: FreeTier,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requests {
    per_million: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfArchitecture {
    duration_per_gb_second: String,
    #[serde(default)]
    tiers: Vec<Tier>,
    provisioned_per_gb_second: String,
    provisioned_duration_per_gb_second: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tier {
    from_gb_seconds: u64,
    per_gb_second: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EphemeralStorage {
    free_mb: u32,
    per_gb_second: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Streaming {
    free_bytes: u64,
    per_gb: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FreeTier {
    requests: u64,
    gb_seconds: u64,
}

impl Prices {
    /// Returns those that come with Hearth.
    pub fn ours() -> Self {
        Self::parse(OURS).expect("the file that comes with Hearth is checked by a test")
    }

    /// Reads a file with prices, of which nothing may be missing.
    pub fn parse(text: &str) -> Result<Self, PricesError> {
        let file: File = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            PricesError::File { line, message: error.message().replace('\n', " ") }
        })?;
        if file.currency != "USD" {
            return Err(PricesError::Currency(file.currency));
        }
        Ok(Self {
            source: file.source,
            date: file.date,
            region: file.region,
            requests_per_million: price("requests.per_million", &file.requests.per_million)?,
            x86_64: of_architecture("x86_64", &file.x86_64)?,
            arm64: of_architecture("arm64", &file.arm64)?,
            ephemeral_storage_free_mb: file.ephemeral_storage.free_mb,
            ephemeral_storage: price(
                "ephemeral_storage.per_gb_second",
                &file.ephemeral_storage.per_gb_second,
            )?,
            streaming_free_bytes: file.streaming.free_bytes,
            streaming: price("streaming.per_gb", &file.streaming.per_gb)?,
            free_requests: file.free_tier.requests,
            free_gb_seconds: file.free_tier.gb_seconds,
        })
    }

    pub(crate) fn of(&self, architecture: Architecture) -> &ArchitecturePrices {
        match architecture {
            Architecture::X86_64 => &self.x86_64,
            Architecture::Arm64 => &self.arm64,
        }
    }

    pub(crate) fn free_mb_ms(&self) -> u128 {
        u128::from(self.free_gb_seconds) * MB_MS_PER_GB_SECOND
    }
}

impl ArchitecturePrices {
    /// Returns what so much in a month costs, with its tiers.
    pub(crate) fn tiered(&self, mb_ms: u128) -> Money {
        let mut cost = Money::ZERO;
        let (mut begins, mut price) = (0, self.duration);
        for (next, next_price) in &self.tiers {
            cost += price.for_mb_ms(mb_ms.min(*next).saturating_sub(begins));
            (begins, price) = (*next, *next_price);
        }
        cost + price.for_mb_ms(mb_ms.saturating_sub(begins))
    }
}

fn price(member: &'static str, text: &str) -> Result<Price, PricesError> {
    Price::parse(text).map_err(|source| PricesError::Price { member, source })
}

fn of_architecture(
    architecture: &'static str,
    prices: &OfArchitecture,
) -> Result<ArchitecturePrices, PricesError> {
    let duration = price("duration_per_gb_second", &prices.duration_per_gb_second)?;
    let mut tiers = Vec::new();
    for Tier { from_gb_seconds, per_gb_second } in &prices.tiers {
        let from = u128::from(*from_gb_seconds) * MB_MS_PER_GB_SECOND;
        let price = price("tiers.per_gb_second", per_gb_second)?;
        let (before, price_before) = tiers.last().copied().unwrap_or((0, duration));
        if from <= before || price > price_before {
            return Err(PricesError::Tiers { architecture });
        }
        tiers.push((from, price));
    }
    Ok(ArchitecturePrices {
        duration,
        tiers,
        provisioned: price("provisioned_per_gb_second", &prices.provisioned_per_gb_second)?,
        provisioned_duration: price(
            "provisioned_duration_per_gb_second",
            &prices.provisioned_duration_per_gb_second,
        )?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(from: &str, to: &str) -> String {
        let text = OURS.replacen(from, to, 1);
        assert_ne!(text, OURS, "{from}");
        Prices::parse(&text).unwrap_err().to_string()
    }

    #[test]
    fn the_file_that_comes_with_hearth_is_whole_and_says_where_it_is_from() {
        let prices = Prices::ours();
        assert_eq!((prices.region.as_str(), prices.date.as_str()), ("us-east-1", "2026-11"));
        assert!(prices.source.contains("AWS"));
        let gb_seconds = |count: u128| count * MB_MS_PER_GB_SECOND;
        let x86 = &prices.x86_64;
        assert_eq!(x86.tiered(gb_seconds(6_000_000_000)).to_string(), "100000.20");
        assert_eq!(x86.tiered(gb_seconds(6_000_000_001)).to_string(), "100000.200015");
        assert_eq!(x86.tiered(gb_seconds(16_000_000_000)).to_string(), "248333.60");
    }

    #[test]
    fn a_file_that_is_wrong_is_refused_with_its_place() {
        assert_eq!(
            refused("currency = \"USD\"", "currency = \"EUR\""),
            "`currency` is `EUR`, and only `USD` is understood"
        );
        assert_eq!(
            refused("per_million = \"0.20\"", "per_million = \"20 cents\""),
            "`requests.per_million`: `20 cents` is not a price: write dollars with at most twelve decimals, below \
             1000000, as in \"0.20\""
        );
        assert!(refused("per_million = \"0.20\"", "per_million = 0.2").starts_with("line 10: "));
        assert!(refused("free_mb = 512\n", "").contains("free_mb"));
        assert!(refused("region =", "planet =").contains("planet"));
        assert_eq!(
            refused("from_gb_seconds = 15_000_000_000", "from_gb_seconds = 5"),
            "the tiers of `x86_64` do not begin one after the other, each at a lower price"
        );
    }
}
