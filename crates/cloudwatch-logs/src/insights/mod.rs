//! CloudWatch Logs Insights: queries over the events of some groups, in Insights' own language.
//!
//! A query is read (`parse`, `expression_parser`), run on a thread of its own (`run`), event by event through its commands
//! (`pipeline`), and kept for a while with its results (`queries`). Its fields are discovered in `event`.
//!
//! Not here: the commands `pattern`, `diff`, `anomaly`, `unnest`, `lookup` and `join`, queries in SQL and PPL.
//!
//! Source: CloudWatch Logs User Guide, "CloudWatch Logs Insights language query syntax", read 2026-11.

mod event;
mod expression;
mod expression_parser;
mod functions;
mod groups;
mod lambda_line;
mod parse;
mod period;
mod pipeline;
mod queries;
mod record;
mod run;
mod scanner;
mod sorted;
mod stats;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use event::{Event, pointer_position, position_of};
pub(crate) use parse::{LIMIT_MAX, parse};
pub(crate) use queries::{Queries, Status};
pub(crate) use run::{Job, start};
