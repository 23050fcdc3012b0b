//! The runtimes that AWS has, with the date of their deprecation. Only for showing: what is deprecated on AWS runs here
//! as long as its interpreter can be found.

use hearth_types::Runtime;

/// What a runtime is based on at AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatingSystem {
    /// Amazon Linux 2: glibc 2.26.
    AmazonLinux2,
    /// Amazon Linux 2023: glibc 2.34.
    AmazonLinux2023,
}

/// One runtime of AWS's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableEntry {
    /// Such as `nodejs22.x`.
    pub runtime: Runtime,
    /// What it is based on.
    pub operating_system: OperatingSystem,
    /// The day on which AWS deprecates it, or has, as `YYYY-MM-DD`; `None` when there is none yet.
    pub deprecation: Option<&'static str>,
}

const AL2: OperatingSystem = OperatingSystem::AmazonLinux2;
const AL2023: OperatingSystem = OperatingSystem::AmazonLinux2023;

/// Source: a digest of "Lambda runtimes" in the Lambda Developer Guide, 2026. Newest first in each language.
const ENTRIES: &[(&str, OperatingSystem, Option<&str>)] = &[
    ("nodejs26.x", AL2023, None),
    ("nodejs24.x", AL2023, Some("2028-04-30")),
    ("nodejs22.x", AL2023, Some("2027-04-30")),
    ("nodejs20.x", AL2023, Some("2026-04-30")),
    ("nodejs18.x", AL2, Some("2025-09-01")),
    ("python3.15", AL2023, None),
    ("python3.14", AL2023, Some("2029-06-30")),
    ("python3.13", AL2023, Some("2029-06-30")),
    ("python3.12", AL2023, Some("2028-10-31")),
    ("python3.11", AL2, Some("2027-06-30")),
    ("python3.10", AL2, Some("2026-10-31")),
    ("python3.9", AL2, Some("2025-12-15")),
    ("python3.8", AL2, Some("2024-10-14")),
    ("provided.al2023", AL2023, Some("2029-06-30")),
    ("provided.al2", AL2, Some("2026-07-31")),
    ("java25", AL2023, Some("2029-06-30")),
    ("java21", AL2023, Some("2029-06-30")),
    ("java17.al2023", AL2023, Some("2029-06-30")),
    ("java11.al2023", AL2023, Some("2029-06-30")),
    ("java8.al2023", AL2023, Some("2029-06-30")),
    ("java17", AL2, Some("2027-06-30")),
    ("java11", AL2, Some("2027-06-30")),
    ("java8.al2", AL2, Some("2027-06-30")),
    ("dotnet10", AL2023, Some("2028-11-14")),
    ("dotnet8", AL2023, Some("2026-11-10")),
    ("ruby4.0", AL2023, Some("2029-03-31")),
    ("ruby3.4", AL2023, Some("2028-03-31")),
    ("ruby3.3", AL2023, Some("2027-03-31")),
    ("ruby3.2", AL2, Some("2026-03-31")),
];

/// Returns AWS's runtimes that are in use or were deprecated lately.
pub fn table() -> impl Iterator<Item = TableEntry> {
    ENTRIES.iter().map(|&(identifier, operating_system, deprecation)| TableEntry {
        runtime: Runtime::parse(identifier).expect("every identifier of the table is in the service model"),
        operating_system,
        deprecation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_each_runtime_once() {
        let mut identifiers: Vec<_> = table().map(|entry| entry.runtime).collect();
        let count = identifiers.len();
        identifiers.sort();
        identifiers.dedup();
        assert_eq!(identifiers.len(), count);
    }
}
