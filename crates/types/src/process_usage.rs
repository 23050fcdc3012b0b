//! What a process takes of a machine.

use std::time::Duration;

/// What a process has used, with all that it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProcessUsage {
    /// Time on a CPU.
    pub cpu: Duration,
    /// The most memory that was resident, in bytes.
    pub memory_bytes_max: u64,
}

impl ProcessUsage {
    /// Returns the larger of both numbers: of two looks at a process, both are true of it.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.max(other.cpu),
            memory_bytes_max: self.memory_bytes_max.max(other.memory_bytes_max),
        }
    }
}
