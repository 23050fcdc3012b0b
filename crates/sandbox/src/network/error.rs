//! What can go wrong with networks. Never the function author's fault.

use std::io;

/// Why a network could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to {step}")]
pub struct NetworkError {
    /// What was being done.
    pub step: &'static str,
    /// Why it failed.
    pub source: io::Error,
}

/// The step that a host refuses which allows no namespaces at all.
pub(crate) const MAKE_NAMESPACE: &str = "make a network namespace";

/// Says which step an error belongs to.
pub(super) fn step<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> NetworkError {
    move |error| NetworkError { step, source: error.into() }
}
