//! What of an invocation is billed.

use std::time::Duration;

/// Returns the billed time of an invocation, in whole milliseconds, rounded up: the duration and, in the first
/// invocation of an environment, its Init phase.
///
/// Source: since 2025-08-01 AWS bills Init for every package type and runtime; documented example 133.61 ms + 80.00 ms
/// -> 214 ms. Read 2026-11.
pub fn billed_ms(duration: Duration, init: Option<Duration>) -> u64 {
    let total = duration + init.unwrap_or_default();
    total.as_nanos().div_ceil(1_000_000) as u64
}

/// Returns what was billed before 2025-08-01 for a zip package on a managed runtime: Init was free.
pub fn billed_ms_before_august_2025(duration: Duration) -> u64 {
    billed_ms(duration, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_is_billed_with_the_first_invocation_and_parts_are_added_before_rounding() {
        let ms = |ms: f64| Duration::from_secs_f64(ms / 1_000.0);
        assert_eq!(billed_ms(ms(133.61), Some(ms(80.0))), 214);
        assert_eq!(billed_ms(ms(3016.78), Some(ms(84.0))), 3101);
        assert_eq!(billed_ms(ms(3000.0), None), 3000);
        assert_eq!(billed_ms(ms(1.2), Some(ms(1.3))), 3);
        assert_eq!(billed_ms_before_august_2025(ms(3.01)), 4);
    }
}
