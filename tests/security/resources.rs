//! Appetite.
