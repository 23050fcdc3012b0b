//! The policies that are compared.

use std::fmt;

/// Which family a policy is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// An environment that has been idle for a fixed time goes.
    Fixed,
    /// How long it is kept, and when one is made ahead, is learned from the idle times that the function has had.
    Histogram,
    /// Environments stay as long as memory lasts; then the one goes that is worth least.
    GreedyDual,
    /// Some are always there.
    Provisioned,
}

/// It is not one of those that there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no policy `{0}`; there are fixed, histogram, greedy-dual and provisioned")]
pub struct UnknownPolicy(pub String);

impl PolicyKind {
    /// Every family.
    pub const ALL: [Self; 4] = [Self::Fixed, Self::Histogram, Self::GreedyDual, Self::Provisioned];

    /// Returns its name as one word for machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Histogram => "histogram",
            Self::GreedyDual => "greedy-dual",
            Self::Provisioned => "provisioned",
        }
    }

    /// Reads names with commas between; an empty text means all.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, UnknownPolicy> {
        if text.is_empty() {
            return Ok(Self::ALL.to_vec());
        }
        let mut kinds = Vec::new();
        for word in text.split(',').map(str::trim) {
            let known = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
            let kind = known.ok_or_else(|| UnknownPolicy(word.chars().take(64).collect()))?;
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        Ok(kinds)
    }
}

/// One point of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Ended after so long without a call.
    Fixed {
        /// How long.
        keep_alive_us: u64,
    },
    /// Learned; until enough is known, as `Fixed`.
    Histogram {
        /// How long until then.
        fallback_us: u64,
    },
    /// Kept while all environments of all functions together stay under a limit.
    GreedyDual {
        /// The limit.
        memory_mb: u64,
    },
    /// So many are always there; those beyond are as `Fixed`.
    Provisioned {
        /// How many.
        environments: u32,
        /// How long those beyond are kept.
        keep_alive_us: u64,
    },
}

impl Policy {
    /// Returns its family.
    pub fn kind(self) -> PolicyKind {
        match self {
            Self::Fixed { .. } => PolicyKind::Fixed,
            Self::Histogram { .. } => PolicyKind::Histogram,
            Self::GreedyDual { .. } => PolicyKind::GreedyDual,
            Self::Provisioned { .. } => PolicyKind::Provisioned,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed { keep_alive_us } => write!(f, "kept {}", Time(*keep_alive_us)),
            Self::Histogram { .. } => f.write_str("kept as the histogram of idle times says"),
            Self::GreedyDual { memory_mb } => write!(f, "Greedy-Dual in {memory_mb} MB"),
            Self::Provisioned { environments, .. } => write!(f, "{environments} provisioned"),
        }
    }
}

/// A time in its largest whole unit.
pub(crate) struct Time(pub(crate) u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(us) = *self;
        match us {
            _ if us >= 3_600_000_000 && us.is_multiple_of(3_600_000_000) => {
                write!(f, "{} h", us / 3_600_000_000)
            }
            _ if us >= 60_000_000 && us.is_multiple_of(60_000_000) => write!(f, "{} min", us / 60_000_000),
            _ if us.is_multiple_of(1_000_000) => write!(f, "{} s", us / 1_000_000),
            _ => write!(f, "{} ms", us as f64 / 1_000.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_others_refused() {
        assert_eq!(PolicyKind::parse_list("").unwrap(), PolicyKind::ALL);
        let some = PolicyKind::parse_list("provisioned, fixed,fixed").unwrap();
        assert_eq!(some, [PolicyKind::Provisioned, PolicyKind::Fixed]);
        assert_eq!(PolicyKind::parse_list("fixed,lru").unwrap_err(), UnknownPolicy("lru".to_owned()));
        assert!(PolicyKind::parse_list(",").is_err());
    }

    #[test]
    fn a_time_is_told_in_its_largest_whole_unit() {
        let of = |us| Time(us).to_string();
        assert_eq!(
            [0, 500, 1_000_000, 90_000_000, 600_000_000, 3_600_000_000].map(of),
            ["0 s", "0.5 ms", "1 s", "90 s", "10 min", "1 h"]
        );
    }
}
