//! What an environment may use at most.

use hearth_types::limits::PROCESSES_MAX;

/// A thousandth of a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MilliCpu(pub u32);

/// The memory that comes with one whole CPU.
///
/// Source: Lambda Developer Guide, "Configure Lambda function memory", read 2026-11.
const MEMORY_MB_PER_CPU: u64 = 1_769;

/// The time over which the CPU is shared out. Ours: shorter than the kernel's 100 ms, so that a small function that has
/// used up its share stands still for 20 ms at most; the kernel wants shares of 1 ms or more, and 128 MB get 1.4 ms.
pub(super) const CPU_PERIOD_US: u64 = 20_000;

/// The smallest share that the kernel takes.
const CPU_QUOTA_US_MIN: u64 = 1_000;

impl MilliCpu {
    /// Returns the share of a function with this `MemorySize`, rounded.
    pub fn of_memory_size(memory_size_mb: u64) -> Self {
        let thousandths =
            memory_size_mb.saturating_mul(1_000).saturating_add(MEMORY_MB_PER_CPU / 2) / MEMORY_MB_PER_CPU;
        Self(u32::try_from(thousandths).unwrap_or(u32::MAX))
    }

    /// Returns how much CPU time a period of [`CPU_PERIOD_US`] has for it.
    pub(super) fn quota_us(self) -> u64 {
        (u64::from(self.0) * CPU_PERIOD_US / 1_000).max(CPU_QUOTA_US_MIN)
    }

    /// Returns its weight in v1 beside other environments, when there is less than all may use: 1,024 for a CPU.
    pub(super) fn shares(self) -> u64 {
        (u64::from(self.0) * 1_024 / 1_000).clamp(2, 262_144)
    }

    /// Returns the same in v2: 100 for a CPU.
    pub(super) fn weight(self) -> u64 {
        (u64::from(self.0) / 10).clamp(1, 10_000)
    }
}

/// What all processes of an environment, the function's and its extensions', may use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory; none of it is swapped out.
    pub memory_bytes: u64,
    /// CPU time.
    pub cpu: MilliCpu,
    /// Processes and threads.
    pub processes: u64,
}

impl Limits {
    /// Returns what AWS gives a function with this `MemorySize`.
    pub fn of_memory_size(memory_size_mb: u64) -> Self {
        Self {
            memory_bytes: memory_size_mb.saturating_mul(1 << 20),
            cpu: MilliCpu::of_memory_size(memory_size_mb),
            processes: PROCESSES_MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_the_cpu_follows_the_memory() {
        let quotas = [128, 1_769, 3_538, 10_240].map(|mb| MilliCpu::of_memory_size(mb).quota_us());
        assert_eq!(quotas, [1_440, 20_000, 40_000, 115_780]);
        assert_eq!(MilliCpu(1).quota_us(), 1_000);
        let weights =
            [128, 1_769, 10_240].map(MilliCpu::of_memory_size).map(|cpu| (cpu.shares(), cpu.weight()));
        assert_eq!(weights, [(73, 7), (1_024, 100), (5_927, 578)]);
        assert_eq!((MilliCpu(0).shares(), MilliCpu(0).weight()), (2, 1));
        assert_eq!(MilliCpu::of_memory_size(u64::MAX).0, u32::MAX);
    }
}
