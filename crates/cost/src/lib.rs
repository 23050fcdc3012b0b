//! What functions would cost on AWS: from entries of the journal to money, by AWS's price table and rules.
//!
//! Everything here is a pure function, and every number is an estimate: of AWS's prices as they were read, for what
//! Hearth has measured on this machine. Not in here, because Hearth does not measure it: log ingestion, transfer of
//! data, SnapStart, taxes.

mod bill;
mod money;
mod prices;
mod rates;
mod statement;
#[cfg(test)]
mod tests;

pub use bill::{BilledTime, BillingRule, Cost, of_call, of_environment};
pub use money::{Money, Price, PriceError};
pub use prices::{Prices, PricesError};
pub use rates::Rates;
pub use statement::{By, Discounts, Row, Statement, date};

/// What stands beside every number.
pub const ESTIMATE: &str = "an estimate by AWS's list prices; without log ingestion, data transfer and taxes";
