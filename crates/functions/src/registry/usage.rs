//! How much of the account's room functions take.

use super::Functions;

/// What the functions of an account take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionsUsage {
    /// How many there are.
    pub functions: usize,
    /// How many bytes their packages have, as they were sent. A package that two functions share counts twice.
    pub code_bytes: u64,
}

impl Functions {
    /// Returns what the functions take together, those that failed included.
    pub fn usage(&self) -> FunctionsUsage {
        let entries = self.read();
        let code_bytes = entries.values().map(|entry| entry.function.code_size).sum();
        FunctionsUsage { functions: entries.len(), code_bytes }
    }
}
