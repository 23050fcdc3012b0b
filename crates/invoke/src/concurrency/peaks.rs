//! How much concurrency was used at most, since somebody asked last: what the gauges of concurrency are made of.

use hearth_types::{FunctionName, Version};

use super::counters::Counters;

/// The most that ran at once, of the account and of its functions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConcurrencyPeaks {
    /// Of all functions.
    pub account: u32,
    /// Of all functions without reserved concurrency.
    pub unreserved: u32,
    /// That, and what is set aside for functions and versions: what others cannot have.
    pub claimed: u32,
    /// Of each function that ran, or has provisioned environments.
    pub functions: Vec<FunctionPeak>,
}

/// The most that ran of a function at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionPeak {
    /// Which one.
    pub name: FunctionName,
    /// How many.
    pub peak: u32,
    /// Of its versions with provisioned environments.
    pub versions: Vec<VersionPeak>,
}

/// The most provisioned environments of a version that were in use at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionPeak {
    /// Which one.
    pub version: Version,
    /// How many.
    pub peak: u32,
    /// Of how many.
    pub allocated: u32,
}

impl Counters {
    pub(super) fn take_peaks(&mut self) -> ConcurrencyPeaks {
        let unreserved = std::mem::replace(&mut self.unreserved_peak, self.unreserved.in_use);
        let account = std::mem::replace(&mut self.peak, self.in_use);
        let mut functions = Vec::new();
        for function in &mut self.slots {
            let peak = std::mem::replace(&mut function.peak, function.usage.in_use);
            if peak == 0 && function.provisioned.is_empty() {
                continue;
            }
            let versions = function.provisioned.iter_mut().map(|(version, provisioned)| VersionPeak {
                version: *version,
                peak: std::mem::replace(&mut provisioned.peak, provisioned.in_use),
                allocated: provisioned.allocated,
            });
            let versions = versions.filter(|version| version.allocated > 0).collect();
            functions.extend(function.name.clone().map(|name| FunctionPeak { name, peak, versions }));
        }
        // What is provisioned within what a function has reserved is set aside once.
        let claimed = unreserved.saturating_add(self.reserved).saturating_add(self.unreserved.allocated);
        ConcurrencyPeaks { account, unreserved, claimed: claimed.max(account), functions }
    }
}

#[cfg(test)]
mod tests {
    use crate::Concurrency;
    use hearth_types::{FunctionName, Version};

    use super::*;

    #[test]
    fn peaks_are_what_ran_at_most_since_they_were_taken_last() {
        let concurrency = Concurrency::new(10);
        let [shared, reserved] = ["shared", "reserved"].map(|name| FunctionName::new(name).unwrap());
        concurrency.reserve(&reserved, Some(4));
        let two = [0, 1].map(|_| concurrency.admit(&shared, Version::Latest).unwrap());
        let one = concurrency.admit(&reserved, Version::Latest).unwrap();
        drop(two);
        let peaks = concurrency.take_peaks();
        assert_eq!((peaks.account, peaks.unreserved, peaks.claimed), (3, 2, 6));
        let of = |peaks: &ConcurrencyPeaks, name: &FunctionName| {
            peaks.functions.iter().find(|function| function.name == *name).map(|function| function.peak)
        };
        assert_eq!((of(&peaks, &shared), of(&peaks, &reserved)), (Some(2), Some(1)));
        let peaks = concurrency.take_peaks();
        assert_eq!((peaks.account, peaks.unreserved, of(&peaks, &shared)), (1, 0, None));
        drop(one);
        let _ = concurrency.take_peaks();
        assert_eq!(concurrency.take_peaks().functions, []);
    }

    #[test]
    fn provisioned_environments_are_in_use_and_what_spills_over_is_not_among_them() {
        let concurrency = Concurrency::new(10);
        let name = FunctionName::new("f").unwrap();
        let version = Version::Number(1);
        concurrency.allocate(&name, version, 2);
        let permits = [0, 1, 2].map(|_| concurrency.admit(&name, version).unwrap());
        let uses = permits.each_ref().map(super::super::Permit::provisioned_use);
        use crate::ProvisionedUse::{Provisioned, Spillover};
        assert_eq!(uses, [Provisioned, Provisioned, Spillover]);
        let peaks = concurrency.take_peaks();
        assert_eq!(peaks.functions[0].versions, [VersionPeak { version, peak: 2, allocated: 2 }]);
        assert_eq!((peaks.account, peaks.unreserved, peaks.claimed), (3, 3, 5));
        drop(permits);
        let _ = concurrency.take_peaks();
        let idle = concurrency.take_peaks();
        assert_eq!(idle.functions[0].versions, [VersionPeak { version, peak: 0, allocated: 2 }]);
    }
}
