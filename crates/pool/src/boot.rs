//! What an environment of a version needs to begin: its log stream, its identity in log lines, its runtime's command.

use std::net::SocketAddr;
use std::sync::Arc;

use hearth_environment::{Boot, FatalError};
use hearth_functions::ResolvedVersion;
use hearth_runtimes::{BootRequest, Bootstrap, Runtimes};
use hearth_sandbox::Command;
use hearth_telemetry::FunctionIdentity;
use hearth_types::{
    EnvironmentId, InitializationType, LogFormat, LogGroupName, LogLevel, LogStreamName, Region,
    RuntimeFamily,
};

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
pub(crate) fn identity(version: &ResolvedVersion, runtimes: &Runtimes, region: &Region) -> FunctionIdentity {
    let configuration = &version.configuration;
    FunctionIdentity {
        version: version.version,
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

/// Says how to start the runtime of a version, as often as it has to be.
pub(crate) fn boot(
    runtimes: Arc<Runtimes>,
    version: Arc<ResolvedVersion>,
    region: Region,
    log_stream: LogStreamName,
    runtime_api: SocketAddr,
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
    let command = move |sandbox: &dyn hearth_sandbox::Sandbox| {
        let configuration = &version.configuration;
        let request = BootRequest {
            runtime: configuration.runtime,
            code_root: &version.code.root,
            layers_root: version.layers.root.as_deref(),
            handler: &configuration.handler,
            user_variables: configuration.environment.as_ref(),
            function_name: &configuration.name,
            version: version.version,
            memory: configuration.memory,
            log_group: &configuration.logging.group,
            log_stream: &log_stream,
            region: &region,
            runtime_api: &runtime_api,
            initialization_type: InitializationType::OnDemand,
            log_format: configuration.logging.format,
            log_level: match configuration.logging.format {
                LogFormat::Json => configuration.logging.application_level,
                LogFormat::Text => None,
            },
            credentials: None,
            log_fd: Some(sandbox.log_fd()),
        };
        let boot = runtimes
            .command(&request)
            .map_err(|error| FatalError { error_type: error.error_type, message: error.message })?;
        let mut environment = boot.environment;
        for (name, value) in sandbox.extra_environment() {
            // What the function's author has set counts more than what a backend adds.
            if !environment.iter().any(|(known, _)| *known == name) {
                environment.push((name, value));
            }
        }
        Ok(Command {
            program: boot.program,
            arguments: boot.args,
            environment,
            working_directory: boot.working_directory,
        })
    };
    Boot { command: Box::new(command), shown_program: shown_program.to_owned() }
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
