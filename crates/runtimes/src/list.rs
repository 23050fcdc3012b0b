//! Every runtime identifier of AWS, and what it is worth on this host.

use hearth_types::{Runtime, RuntimeFamily};

use crate::interpreters::Asked;
use crate::packages::manifest::LibrariesPart;
use crate::packages::{host_source, is_run};
use crate::runtimes::Runtimes;
use crate::table::{TableEntry, table};

/// What a runtime is worth on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Functions of it run.
    Ready,
    /// They will once it is installed.
    Installable,
    /// They will once the host has its interpreter, which no package registry has.
    NeedsInterpreter,
    /// Its package is not what was installed.
    Damaged,
    /// AWS has deprecated it, and Hearth does not run it.
    Deprecated,
    /// Hearth does not run it.
    NotSupported,
}

impl Status {
    /// Returns the word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Installable => "installable",
            Self::NeedsInterpreter => "needs-interpreter",
            Self::Damaged => "damaged",
            Self::Deprecated => "deprecated",
            Self::NotSupported => "not-supported",
        }
    }
}

/// A runtime of AWS's list, on this host.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What AWS says of it.
    pub entry: TableEntry,
    /// What it is worth here.
    pub status: Status,
    /// Version and source of its interpreter, if there is one.
    pub interpreter: Option<(String, String)>,
    /// The libraries of its package, if it has any.
    pub libraries: Option<LibrariesPart>,
    /// The digest of its package, if it has one.
    pub digest: Option<String>,
    /// When its package was made, in milliseconds since 1970.
    pub made_at_ms: Option<i64>,
    /// What is missing, and the way out.
    pub reason: Option<String>,
}

impl Listed {
    /// Whether AWS has deprecated it by `today`, which is written as `YYYY-MM-DD`.
    pub fn is_deprecated(&self, today: &str) -> bool {
        is_deprecated(&self.entry, today)
    }
}

fn is_deprecated(entry: &TableEntry, today: &str) -> bool {
    entry.deprecation.is_some_and(|date| date <= today)
}

impl Runtimes {
    /// Lists every identifier, asking interpreters and checking packages: blocks for a second or two. `today` is written
    /// as `YYYY-MM-DD`.
    pub fn list(&self, today: &str) -> Vec<Listed> {
        let mut asked = Asked::default();
        table().map(|entry| self.listed(entry, today, &mut asked)).collect()
    }

    fn listed(&self, entry: TableEntry, today: &str, asked: &mut Asked) -> Listed {
        let runtime = entry.runtime;
        let mut listed = Listed {
            entry,
            status: Status::Ready,
            interpreter: None,
            libraries: None,
            digest: None,
            made_at_ms: None,
            reason: None,
        };
        if !is_run(runtime) {
            listed.status =
                if is_deprecated(&entry, today) { Status::Deprecated } else { Status::NotSupported };
            return listed;
        }
        if runtime.family() == RuntimeFamily::Provided {
            return listed;
        }
        let package = match self.packages.open(runtime) {
            Ok(package) => package,
            Err(damaged) => {
                listed.status = Status::Damaged;
                listed.reason = Some(damaged.way_out());
                return listed;
            }
        };
        let packaged = package.as_ref().and_then(|package| package.program.as_deref());
        let found = self.interpreters.find(runtime, packaged, asked);
        if let Some(package) = package {
            // The note of a host's interpreter that is gone by now is not worth showing.
            if found.is_ok() || package.is_installed() {
                listed.digest = Some(package.manifest.digest.clone());
                listed.made_at_ms = Some(package.manifest.made_at_ms);
                listed.libraries = package.manifest.libraries;
            }
            if package.program.is_some() && !self.interpreters.is_named(runtime) {
                let part = package.manifest.interpreter;
                listed.interpreter = Some((part.version, part.source));
            }
        }
        match found {
            Ok(found) => {
                listed.interpreter =
                    listed.interpreter.or_else(|| Some((found.version, host_source(&found.program))));
            }
            Err(unavailable) => {
                listed.status = missing(runtime);
                listed.reason = Some(unavailable.reason);
            }
        }
        listed
    }
}

/// What a runtime without interpreter is worth.
fn missing(runtime: Runtime) -> Status {
    match runtime.family() {
        RuntimeFamily::NodeJs { .. } => Status::Installable,
        RuntimeFamily::Python { .. } | RuntimeFamily::Provided | RuntimeFamily::Other => {
            Status::NeedsInterpreter
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    use expect_test::expect;

    use super::*;
    use crate::runtimes::Settings;

    #[test]
    fn every_identifier_is_listed_with_its_worth_and_its_date() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let script = "#!/bin/sh\necho hearth; echo /real/python3.11; echo 3.11.7; echo False\n";
        std::fs::write(bin.join("python3"), script).unwrap();
        std::fs::set_permissions(bin.join("python3"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let data_dir = folder.path().join("data");
        let packages = data_dir.join("runtimes/packages");
        std::fs::create_dir_all(&packages).unwrap();
        std::fs::write(packages.join("nodejs20.x.json"), "{}").unwrap();

        let runtimes = Runtimes::new(Settings { data_dir, path: bin.into(), interpreters: BTreeMap::new() });
        let mut text = String::new();
        for listed in runtimes.list("2026-11-25") {
            let date = listed.entry.deprecation.unwrap_or("-");
            let past = if listed.is_deprecated("2026-11-25") { " (past)" } else { "" };
            let (version, source) = listed.interpreter.unwrap_or_default();
            let line = format!(
                "{} {} {date}{past} {version} {source}",
                listed.entry.runtime,
                listed.status.as_str()
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
        expect![[r#"
            nodejs26.x installable -
            nodejs24.x installable 2028-04-30
            nodejs22.x installable 2027-04-30
            nodejs20.x damaged 2026-04-30 (past)
            nodejs18.x installable 2025-09-01 (past)
            nodejs16.x deprecated 2024-06-12 (past)
            nodejs14.x deprecated 2023-12-04 (past)
            nodejs12.x deprecated 2023-03-31 (past)
            nodejs10.x deprecated 2021-07-30 (past)
            nodejs8.10 deprecated 2020-03-06 (past)
            nodejs6.10 deprecated 2019-08-12 (past)
            nodejs4.3 deprecated 2020-03-05 (past)
            nodejs4.3-edge deprecated 2020-03-05 (past)
            nodejs deprecated 2016-08-30 (past)
            python3.15 needs-interpreter -
            python3.14 needs-interpreter 2029-06-30
            python3.13 needs-interpreter 2029-06-30
            python3.12 needs-interpreter 2028-10-31
            python3.11 ready 2027-06-30 3.11.7 host /real/python3.11
            python3.10 needs-interpreter 2026-10-31 (past)
            python3.9 needs-interpreter 2025-12-15 (past)
            python3.8 needs-interpreter 2024-10-14 (past)
            python3.7 deprecated 2023-12-04 (past)
            python3.6 deprecated 2022-07-18 (past)
            python2.7 deprecated 2021-07-15 (past)
            provided.al2023 ready 2029-06-30
            provided.al2 ready 2026-07-31 (past)
            provided deprecated 2024-01-08 (past)
            java25 not-supported 2029-06-30
            java21 not-supported 2029-06-30
            java17.al2023 not-supported 2029-06-30
            java11.al2023 not-supported 2029-06-30
            java8.al2023 not-supported 2029-06-30
            java17 not-supported 2027-06-30
            java11 not-supported 2027-06-30
            java8.al2 not-supported 2027-06-30
            java8 deprecated 2024-01-08 (past)
            dotnet10 not-supported 2028-11-14
            dotnet8 deprecated 2026-11-10 (past)
            dotnet6 deprecated 2024-12-20 (past)
            dotnetcore3.1 deprecated 2023-04-03 (past)
            dotnetcore2.1 deprecated 2022-01-05 (past)
            dotnetcore2.0 deprecated 2019-05-30 (past)
            dotnetcore1.0 deprecated 2019-06-27 (past)
            ruby4.0 not-supported 2029-03-31
            ruby3.4 not-supported 2028-03-31
            ruby3.3 not-supported 2027-03-31
            ruby3.2 deprecated 2026-03-31 (past)
            ruby2.7 deprecated 2023-12-07 (past)
            ruby2.5 deprecated 2021-07-30 (past)
            go1.x deprecated 2024-01-08 (past)
            custom not-supported -
        "#]]
        .assert_eq(&text);
    }
}
