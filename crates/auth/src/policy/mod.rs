//! Policies of IAM: what a statement says of a caller, an action, a resource and the circumstances.
//!
//! A [`Document`] is read once, and asked [`Document::of_identity`] or [`Document::of_resource`]; [`decide`] puts both
//! together, as AWS does within an account and between two. Nothing here knows where policies are kept.
//!
//! What this module does not understand never gives a right: a condition on a key or with an operator that is not here,
//! and a variable such as `${aws:username}`, keep an `Allow` from counting and let a `Deny` count.

mod condition;
mod decision;
mod document;
pub mod managed;
mod pattern;
mod principal;

pub use condition::{Context, Key};
pub use decision::{Guarded, decide, is_open_to};
pub use document::{Document, DocumentError, Grant, Said};
pub(crate) use pattern::matches;
pub use principal::Who;

#[cfg(test)]
mod tests;
