//! How hard a test tries: short in CI, long in `cargo xtask soak`.

use std::env;

/// Returns `ci` in an ordinary run of the tests, and `soak` when `HEARTH_SOAK` is set, as `cargo xtask soak` does.
pub fn rounds(ci: usize, soak: usize) -> usize {
    if env::var_os("HEARTH_SOAK").is_some() { soak } else { ci }
}
