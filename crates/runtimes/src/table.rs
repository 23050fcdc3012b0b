//! The runtimes that AWS has, with the date of their deprecation. Only for showing: what is deprecated on AWS runs here
//! as long as its interpreter can be found.

use hearth_types::Runtime;

/// What a runtime is based on at AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatingSystem {
    /// Amazon Linux, the first: glibc 2.17.
    AmazonLinux1,
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

const AL1: OperatingSystem = OperatingSystem::AmazonLinux1;
const AL2: OperatingSystem = OperatingSystem::AmazonLinux2;
const AL2023: OperatingSystem = OperatingSystem::AmazonLinux2023;

/// Source: a digest of "Lambda runtimes" in the Lambda Developer Guide, 2026, and its older table of deprecated runtimes.
/// Newest first in each language.
const ENTRIES: &[(&str, OperatingSystem, Option<&str>)] = &[
    ("nodejs26.x", AL2023, None),
    ("nodejs24.x", AL2023, Some("2028-04-30")),
    ("nodejs22.x", AL2023, Some("2027-04-30")),
    ("nodejs20.x", AL2023, Some("2026-04-30")),
    ("nodejs18.x", AL2, Some("2025-09-01")),
    ("nodejs16.x", AL2, Some("2024-06-12")),
    ("nodejs14.x", AL2, Some("2023-12-04")),
    ("nodejs12.x", AL2, Some("2023-03-31")),
    ("nodejs10.x", AL2, Some("2021-07-30")),
    ("nodejs8.10", AL1, Some("2020-03-06")),
    ("nodejs6.10", AL1, Some("2019-08-12")),
    ("nodejs4.3", AL1, Some("2020-03-05")),
    ("nodejs4.3-edge", AL1, Some("2020-03-05")),
    ("nodejs", AL1, Some("2016-08-30")),
    ("python3.15", AL2023, None),
    ("python3.14", AL2023, Some("2029-06-30")),
    ("python3.13", AL2023, Some("2029-06-30")),
    ("python3.12", AL2023, Some("2028-10-31")),
    ("python3.11", AL2, Some("2027-06-30")),
    ("python3.10", AL2, Some("2026-10-31")),
    ("python3.9", AL2, Some("2025-12-15")),
    ("python3.8", AL2, Some("2024-10-14")),
    ("python3.7", AL1, Some("2023-12-04")),
    ("python3.6", AL1, Some("2022-07-18")),
    ("python2.7", AL1, Some("2021-07-15")),
    ("provided.al2023", AL2023, Some("2029-06-30")),
    ("provided.al2", AL2, Some("2026-07-31")),
    ("provided", AL1, Some("2024-01-08")),
    ("java25", AL2023, Some("2029-06-30")),
    ("java21", AL2023, Some("2029-06-30")),
    ("java17.al2023", AL2023, Some("2029-06-30")),
    ("java11.al2023", AL2023, Some("2029-06-30")),
    ("java8.al2023", AL2023, Some("2029-06-30")),
    ("java17", AL2, Some("2027-06-30")),
    ("java11", AL2, Some("2027-06-30")),
    ("java8.al2", AL2, Some("2027-06-30")),
    ("java8", AL1, Some("2024-01-08")),
    ("dotnet10", AL2023, Some("2028-11-14")),
    ("dotnet8", AL2023, Some("2026-11-10")),
    ("dotnet6", AL2, Some("2024-12-20")),
    ("dotnetcore3.1", AL2, Some("2023-04-03")),
    ("dotnetcore2.1", AL1, Some("2022-01-05")),
    ("dotnetcore2.0", AL1, Some("2019-05-30")),
    ("dotnetcore1.0", AL1, Some("2019-06-27")),
    ("ruby4.0", AL2023, Some("2029-03-31")),
    ("ruby3.4", AL2023, Some("2028-03-31")),
    ("ruby3.3", AL2023, Some("2027-03-31")),
    ("ruby3.2", AL2, Some("2026-03-31")),
    ("ruby2.7", AL2, Some("2023-12-07")),
    ("ruby2.5", AL1, Some("2021-07-30")),
    ("go1.x", AL1, Some("2024-01-08")),
    // Customer-managed: in the service model, and in no table.
    ("custom", AL2023, None),
];

/// Returns every runtime that AWS has or had.
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
    fn the_table_names_each_runtime_of_the_model_once() {
        let mut identifiers: Vec<_> = table().map(|entry| entry.runtime).collect();
        let mut model: Vec<_> = Runtime::all().collect();
        identifiers.sort();
        model.sort();
        assert_eq!(identifiers, model);
    }
}
