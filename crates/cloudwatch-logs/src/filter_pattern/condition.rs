//! Conditions: tests with `&&`, `||` and parentheses between them. `&&` binds closer.

use super::scanner::Scanner;

/// How deep parentheses may be within each other. Ours.
const DEPTH_MAX: usize = 32;

#[derive(Debug)]
pub(super) enum Condition<Test> {
    Test(Test),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl<Test> Condition<Test> {
    /// Reads a condition, whose tests `read` reads.
    pub(super) fn parse(
        scanner: &mut Scanner<'_>,
        read: &mut dyn FnMut(&mut Scanner<'_>) -> Option<Test>,
    ) -> Option<Self> {
        Self::any(scanner, read, 0)
    }

    fn any(
        scanner: &mut Scanner<'_>,
        read: &mut dyn FnMut(&mut Scanner<'_>) -> Option<Test>,
        depth: usize,
    ) -> Option<Self> {
        let mut all = vec![Self::all(scanner, read, depth)?];
        while scanner.takes("||") {
            all.push(Self::all(scanner, read, depth)?);
        }
        Some(if all.len() == 1 { all.remove(0) } else { Self::Any(all) })
    }

    fn all(
        scanner: &mut Scanner<'_>,
        read: &mut dyn FnMut(&mut Scanner<'_>) -> Option<Test>,
        depth: usize,
    ) -> Option<Self> {
        let mut all = vec![Self::one(scanner, read, depth)?];
        while scanner.takes("&&") {
            all.push(Self::one(scanner, read, depth)?);
        }
        Some(if all.len() == 1 { all.remove(0) } else { Self::All(all) })
    }

    fn one(
        scanner: &mut Scanner<'_>,
        read: &mut dyn FnMut(&mut Scanner<'_>) -> Option<Test>,
        depth: usize,
    ) -> Option<Self> {
        if depth > DEPTH_MAX {
            return None;
        }
        if scanner.takes("(") {
            let within = Self::any(scanner, read, depth + 1)?;
            return scanner.takes(")").then_some(within);
        }
        scanner.skip_space();
        read(scanner).map(Self::Test)
    }

    /// Says whether it holds where `holds` says it of a test.
    pub(super) fn holds(&self, holds: &dyn Fn(&Test) -> bool) -> bool {
        match self {
            Self::Test(test) => holds(test),
            Self::All(all) => all.iter().all(|one| one.holds(holds)),
            Self::Any(all) => all.iter().any(|one| one.holds(holds)),
        }
    }

    /// Shows each of its tests to `see`.
    pub(super) fn for_each(&self, see: &mut dyn FnMut(&Test)) {
        match self {
            Self::Test(test) => see(test),
            Self::All(all) | Self::Any(all) => all.iter().for_each(|one| one.for_each(see)),
        }
    }
}
