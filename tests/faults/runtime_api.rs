//! Runtimes that break the rules of the Runtime API: only their own environment notices.
