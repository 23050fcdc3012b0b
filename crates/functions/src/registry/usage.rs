//! How much of the account's room functions take.

use super::{Entry, Functions};

/// What the functions of an account take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionsUsage {
    /// How many there are.
    pub functions: usize,
    /// How many bytes their packages have, as they were sent, those of all versions included. A package that two share
    /// counts twice.
    pub code_bytes: u64,
}

impl Functions {
    /// Returns what the functions take together, those that failed included.
    pub fn usage(&self) -> FunctionsUsage {
        let entries = self.read();
        let versions = entries.values().flat_map(Entry::all_versions);
        let code_bytes = versions.map(|version| version.code_size).sum();
        FunctionsUsage { functions: entries.len(), code_bytes }
    }
}
