//! What an environment of a version needs to begin: its log stream, its identity in log lines, its runtime's command.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hearth_environment::{Boot, FatalError, FunctionFacts, ProgramNumber};
use hearth_functions::ResolvedVersion;
use hearth_runtimes::{BootRequest, Bootstrap, Credentials, Runtimes};
use hearth_sandbox::{Command, LAYERS_ROOT, Paths, Sandbox, SandboxPlan};
use hearth_telemetry::FunctionIdentity;
use hearth_types::{
    AccountId, EnvironmentId, ExtensionName, InitializationType, LogFormat, LogGroupName, LogLevel,
    LogStreamName, Region, RuntimeFamily, limits,
};

use crate::NetworkPolicies;
use crate::acquire::StartsFrom;

/// Names the log stream of a new environment: date in UTC, version, id; with a custom group, the function too.
pub(crate) fn log_stream(version: &ResolvedVersion, id: EnvironmentId, now_epoch_ms: i64) -> LogStreamName {
    let (year, month, day) = date(now_epoch_ms.div_euclid(86_400_000));
    let name = &version.configuration.name;
    let function = if version.configuration.logging.group == LogGroupName::of_function(name) {
        String::new()
    } else {
        name.to_string()
    };
    let stream = format!("{year:04}/{month:02}/{day:02}/{function}[{}]{id}", version.version);
    LogStreamName::new(&stream).expect("a date, a function name and hex digits make a log stream name")
}

/// The civil date of a day counted from 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    // Counts years from March, so that the leap day comes last, in eras of 400 years.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Says how the version appears in its log lines.
pub(crate) fn identity(
    version: &ResolvedVersion,
    initialization_type: InitializationType,
    runtimes: &Runtimes,
    region: &Region,
) -> FunctionIdentity {
    let configuration = &version.configuration;
    FunctionIdentity {
        version: version.version,
        initialization_type,
        memory_size_mb: configuration.memory.get(),
        runtime_version: runtimes
            .runtime_version(configuration.runtime)
            .map(|runtime_version| (runtime_version.name.clone(), runtime_version.arn(region))),
        log_group: configuration.logging.group.clone(),
        log_format: configuration.logging.format,
        system_log_level: configuration.logging.system_level.unwrap_or(LogLevel::Info),
        application_log_level: configuration.logging.application_level,
    }
}

/// Says how long the Init ahead of an invocation may take.
///
/// Source: Lambda Developer Guide, "Init phase", read 2026-11: provisioned environments have 130 s or the function's
/// time-out, whichever is longer.
pub(crate) fn init_limit(version: &ResolvedVersion, initialization_type: InitializationType) -> Duration {
    match initialization_type {
        InitializationType::OnDemand => limits::INIT_LIMIT_ON_DEMAND,
        InitializationType::ProvisionedConcurrency | InitializationType::SnapStart => {
            limits::INIT_LIMIT_PROVISIONED_MIN.max(version.configuration.timeout.duration())
        }
    }
}

/// Says what the processes of an environment may know.
pub(crate) fn function_facts(version: &ResolvedVersion, account: &AccountId) -> FunctionFacts {
    FunctionFacts {
        account: account.clone(),
        name: version.configuration.name.clone(),
        version: version.version,
        handler: version.configuration.handler.clone(),
    }
}

/// Says what an environment of the version has to see.
pub(crate) fn plan(
    version: &ResolvedVersion,
    runtimes: &Runtimes,
    networks: &NetworkPolicies,
) -> SandboxPlan {
    SandboxPlan {
        code: Some(version.code.root.clone()),
        layers: version.layers.root.clone(),
        runtime_files: runtimes.files(version.configuration.runtime),
        ephemeral_storage_mb: version.configuration.ephemeral_storage_mb,
        memory_size_mb: version.configuration.memory.get(),
        network: networks.of(&version.configuration.name),
    }
}

/// Says how to start the extensions and the runtime of a version, as often as it has to be. `tells_imports`: the runtime is
/// to tell what it imports.
pub(crate) fn boot(
    runtimes: Arc<Runtimes>,
    version: Arc<ResolvedVersion>,
    (initialization_type, tells_imports, starts_from): (InitializationType, bool, &StartsFrom),
    region: Region,
    log_stream: LogStreamName,
    runtime_api: SocketAddr,
    credentials: Credentials,
) -> Boot {
    let shown_program = match version.configuration.runtime.family() {
        RuntimeFamily::Provided => {
            let found = Bootstrap::find(&version.code.root, version.layers.root.as_deref());
            found.map_or("/var/task/bootstrap", |bootstrap| bootstrap.shown)
        }
        RuntimeFamily::NodeJs { .. } | RuntimeFamily::Python { .. } | RuntimeFamily::Other => {
            "/var/runtime/bootstrap"
        }
    };
    let runtime_api = runtime_api.to_string();
    let facts = Arc::new(Facts {
        runtimes,
        version,
        initialization_type,
        region,
        log_stream,
        runtime_api,
        credentials,
    });
    let extensions = external_extensions(facts.version.layers.root.as_deref());
    let names = extensions.iter().map(|(name, _)| name.clone()).collect();
    let for_runtime = facts.clone();
    // For the first start alone: after a reset a function is initialised as any other.
    let snapshot = match starts_from {
        StartsFrom::Snapshot(kept) => Some(kept.snapshot.clone()),
        StartsFrom::Nothing | StartsFrom::NothingForSnapshot(_) => None,
    };
    let is_first = AtomicBool::new(true);
    let command = move |sandbox: &dyn Sandbox| {
        let mut request = for_runtime.request(sandbox, Some(sandbox.log_fd()));
        let is_first = is_first.swap(false, Ordering::Relaxed);
        if !is_first && request.initialization_type == InitializationType::SnapStart {
            request.initialization_type = InitializationType::OnDemand;
        }
        let boot = match tells_imports {
            true => for_runtime.runtimes.command_that_tells_imports(&request),
            false => for_runtime.runtimes.command(&request),
        };
        let boot = boot.map_err(|error| FatalError::new(error.error_type, error.message))?;
        Ok(Command {
            program: boot.program,
            arguments: boot.args,
            environment: with_extra(boot.environment, sandbox),
            working_directory: boot.working_directory,
            restored_from: snapshot.clone().filter(|_| is_first),
        })
    };
    let extension_command = move |sandbox: &dyn Sandbox, program: ProgramNumber| Command {
        program: extensions.get(program).map(|(_, path)| seen(path, sandbox, &facts)).unwrap_or_default(),
        arguments: vec![],
        environment: with_extra(facts.runtimes.extension_variables(&facts.request(sandbox, None)), sandbox),
        // Where AWS starts them is not recorded.
        working_directory: "/".into(),
        restored_from: None,
    };
    Boot {
        command: Box::new(command),
        shown_program: shown_program.to_owned(),
        extensions: names,
        extension_command: Box::new(extension_command),
    }
}

/// What the commands of an environment are made of.
struct Facts {
    runtimes: Arc<Runtimes>,
    version: Arc<ResolvedVersion>,
    initialization_type: InitializationType,
    region: Region,
    log_stream: LogStreamName,
    runtime_api: String,
    credentials: Credentials,
}

impl Facts {
    fn request(&self, sandbox: &dyn Sandbox, log_fd: Option<i32>) -> BootRequest<'_> {
        let configuration = &self.version.configuration;
        BootRequest {
            runtime: configuration.runtime,
            code_root: &self.version.code.root,
            layers_root: self.version.layers.root.as_deref(),
            paths: match sandbox.paths() {
                Paths::Host => hearth_runtimes::Paths::Host,
                Paths::Lambda => hearth_runtimes::Paths::Lambda,
            },
            handler: &configuration.handler,
            user_variables: configuration.environment.as_ref(),
            function_name: &configuration.name,
            version: self.version.version,
            memory: configuration.memory,
            log_group: &configuration.logging.group,
            log_stream: &self.log_stream,
            region: &self.region,
            runtime_api: &self.runtime_api,
            initialization_type: self.initialization_type,
            log_format: configuration.logging.format,
            log_level: match configuration.logging.format {
                LogFormat::Json => configuration.logging.application_level,
                LogFormat::Text => None,
            },
            credentials: Some(&self.credentials),
            log_fd,
        }
    }
}

/// A file of the layers as the processes of a sandbox see it.
fn seen(path: &Path, sandbox: &dyn Sandbox, facts: &Facts) -> PathBuf {
    let inside = facts.version.layers.root.as_deref().and_then(|layers| path.strip_prefix(layers).ok());
    match (sandbox.paths(), inside) {
        (Paths::Lambda, Some(inside)) => Path::new(LAYERS_ROOT).join(inside),
        (Paths::Host | Paths::Lambda, _) => path.to_owned(),
    }
}

/// What the function's author has set counts more than what a backend adds.
fn with_extra(
    mut environment: Vec<(OsString, OsString)>,
    sandbox: &dyn Sandbox,
) -> Vec<(OsString, OsString)> {
    for (name, value) in sandbox.extra_environment() {
        if !environment.iter().any(|(known, _)| *known == name) {
            environment.push((name, value));
        }
    }
    environment
}

/// Whether a version has external extensions.
pub(crate) fn has_external_extensions(version: &ResolvedVersion) -> bool {
    !external_extensions(version.layers.root.as_deref()).is_empty()
}

/// Finds the external extensions: everything in `extensions/` of the layers that is no folder, by name.
fn external_extensions(layers: Option<&Path>) -> Vec<(ExtensionName, PathBuf)> {
    let Some(folder) = layers.map(|layers| layers.join("extensions")) else { return vec![] };
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return vec![],
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "cannot list extensions");
            return vec![];
        }
    };
    let mut found: Vec<(ExtensionName, PathBuf)> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()))
        .filter_map(|entry| {
            // A name that breaks lines could not be said in a header, either: nobody could register with it.
            let shown: String = entry
                .file_name()
                .to_string_lossy()
                .chars()
                .map(|character| if character.is_control() { '?' } else { character })
                .collect();
            Some((ExtensionName::new(&shown)?, entry.path()))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(19_782), (2024, 2, 29));
        assert_eq!(date(20_782), (2026, 11, 25));
        assert_eq!(date(-1), (1969, 12, 31));
    }
}
