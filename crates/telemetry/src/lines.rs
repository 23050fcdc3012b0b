//! The platform's own log lines, exact to the tab. Source: recordings of real logs, read 2026-11.

use std::fmt::Write as _;
use std::time::Duration;

use hearth_types::{
    ExtensionEvents, ExtensionName, ExtensionState, InitializationType, InjectedFault, RequestId, Version,
};

use crate::platform_event::PlatformEvent;
use crate::record::{InitPhase, PhaseStatus, Report, SubscriptionApi, TelemetryTypes};

/// Writes what the platform says as the lines of the text format; `None` for what has none there.
pub(crate) fn text(
    event: &PlatformEvent,
    version: Version,
    initialization_type: InitializationType,
    runtime_version: Option<&(String, String)>,
) -> Option<String> {
    let lines = match event {
        PlatformEvent::InitStart { phase: InitPhase::Init } => {
            let (name, arn) = runtime_version?;
            init_start(name, arn)
        }
        PlatformEvent::RestoreStart => {
            let (name, arn) = runtime_version?;
            restore_start(name, arn)
        }
        PlatformEvent::RestoreReport { status, duration } => restore_report(*duration, status),
        PlatformEvent::InitReport { status: PhaseStatus::Success, .. }
            if initialization_type == InitializationType::OnDemand =>
        {
            return None;
        }
        PlatformEvent::InitReport { phase, status, duration } => init_report(*duration, *phase, status),
        PlatformEvent::Start { request_id, .. } => start(*request_id, version),
        PlatformEvent::Report { request_id, report: numbers, .. } => {
            end(*request_id) + &report(*request_id, numbers)
        }
        PlatformEvent::Extension { name, state, events, error_type } => {
            extension(name, *state, *events, error_type.as_deref())
        }
        PlatformEvent::Subscription { name, api, types } => subscription(name, *api, *types),
        PlatformEvent::FaultInjected { request_id, fault } => injected_fault(*request_id, fault),
        PlatformEvent::InitStart { phase: InitPhase::Invoke | InitPhase::Restore }
        | PlatformEvent::RestoreRuntimeDone { .. }
        | PlatformEvent::InitRuntimeDone { .. }
        | PlatformEvent::RuntimeDone { .. }
        | PlatformEvent::Fault { .. }
        | PlatformEvent::LogsDropped(_) => return None,
    };
    Some(lines)
}

/// Writes `INIT_START`.
pub fn init_start(runtime_version: &str, runtime_version_arn: &str) -> String {
    format!("INIT_START Runtime Version: {runtime_version}\tRuntime Version ARN: {runtime_version_arn}\n")
}

/// Writes `RESTORE_START`.
pub fn restore_start(runtime_version: &str, runtime_version_arn: &str) -> String {
    format!("RESTORE_START Runtime Version: {runtime_version}\tRuntime Version ARN: {runtime_version_arn}\n")
}

/// Writes `RESTORE_REPORT`.
pub fn restore_report(duration: Duration, status: &PhaseStatus) -> String {
    let mut line = format!("RESTORE_REPORT Restore Duration: {} ms", milliseconds(duration));
    append_status(&mut line, status, "\t");
    line.push('\n');
    line
}

/// Writes `INIT_REPORT`: only for an Init that failed, or that was not on demand.
pub fn init_report(duration: Duration, phase: InitPhase, status: &PhaseStatus) -> String {
    let phase = phase.as_str();
    let mut line = format!("INIT_REPORT Init Duration: {} ms\tPhase: {phase}", milliseconds(duration));
    append_status(&mut line, status, "\t");
    line.push('\n');
    line
}

/// Writes `EXTENSION`: how an extension came out of Init.
pub fn extension(
    name: &ExtensionName,
    state: ExtensionState,
    events: ExtensionEvents,
    error_type: Option<&str>,
) -> String {
    let events = events.names().join(", ");
    let mut line = format!("EXTENSION\tName: {name}\tState: {state}\tEvents: [{events}]");
    if let Some(error_type) = error_type {
        let _ = write!(line, "\tError Type: {error_type}");
    }
    line.push('\n');
    line
}

/// Writes `TELEMETRY`, or `LOGS` for the Logs API: an extension subscribed.
pub fn subscription(name: &ExtensionName, api: SubscriptionApi, types: TelemetryTypes) -> String {
    let api = match api {
        SubscriptionApi::Telemetry => "TELEMETRY",
        SubscriptionApi::Logs => "LOGS",
    };
    let all = [(types.platform, "Platform"), (types.function, "Function"), (types.extension, "Extension")];
    let types: Vec<&str> = all.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name).collect();
    format!("{api}\tName: {name}\tState: Subscribed\tTypes: [{}]\n", types.join(", "))
}

/// Writes `HEARTH_FAULT`, which AWS does not have: something goes wrong on purpose from here on.
pub fn injected_fault(request_id: Option<RequestId>, fault: &InjectedFault) -> String {
    let mut line = String::from("HEARTH_FAULT ");
    if let Some(request_id) = request_id {
        let _ = write!(line, "RequestId: {request_id}\t");
    }
    let _ = write!(line, "Phase: {}\tDo: {}", fault.phase, fault.deed);
    if let Some(extension) = &fault.extension {
        let _ = write!(line, "\tExtension: {extension}");
    }
    line.push('\n');
    line
}

/// Writes `START`.
pub fn start(request_id: RequestId, version: Version) -> String {
    format!("START RequestId: {request_id} Version: {version}\n")
}

/// Writes `END`.
pub fn end(request_id: RequestId) -> String {
    format!("END RequestId: {request_id}\n")
}

/// Writes `REPORT`. Every field is followed by a tab; a status, which comes last, is not.
pub fn report(request_id: RequestId, report: &Report) -> String {
    let mut line = format!(
        "REPORT RequestId: {request_id}\tDuration: {} ms\tBilled Duration: {} ms\tMemory Size: {} MB\t\
         Max Memory Used: {} MB\t",
        milliseconds(report.duration),
        report.billed_ms,
        report.memory_size_mb,
        report.max_memory_used_mb,
    );
    if let Some(init) = report.init_duration {
        let _ = write!(line, "Init Duration: {} ms\t", milliseconds(init));
    }
    if let Some(restore) = report.restore {
        let (duration, billed_ms) = (milliseconds(restore.duration), restore.billed_ms);
        let _ = write!(line, "Restore Duration: {duration} ms\tBilled Restore Duration: {billed_ms} ms\t");
    }
    append_status(&mut line, &report.status, "");
    line.push('\n');
    line
}

fn append_status(line: &mut String, status: &PhaseStatus, before: &str) {
    match status {
        PhaseStatus::Success => {}
        PhaseStatus::Timeout => {
            let _ = write!(line, "{before}Status: timeout");
        }
        PhaseStatus::Error { error_type } => {
            let _ = write!(line, "{before}Status: error\tError Type: {error_type}");
        }
        PhaseStatus::Failure => {
            let _ = write!(line, "{before}Status: failure");
        }
    }
}

/// Two decimals, as AWS prints milliseconds: `3.01`, `3000.00`.
pub fn milliseconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> RequestId {
        RequestId::parse("8476a536-e9f4-41e8-9739-2dfe598c3fcd").unwrap()
    }

    fn a_report(init_duration: Option<Duration>, status: PhaseStatus) -> Report {
        Report {
            duration: Duration::from_micros(3_010),
            billed_ms: 4,
            memory_size_mb: 128,
            max_memory_used_mb: 36,
            init_duration,
            restore: None,
            status,
        }
    }

    #[test]
    fn report_lines_are_exact_to_the_tab() {
        let base = "REPORT RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd\tDuration: 3.01 ms\t\
                    Billed Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t";
        assert_eq!(report(id(), &a_report(None, PhaseStatus::Success)), format!("{base}\n"));
        let init = Some(Duration::from_micros(110_100));
        assert_eq!(
            report(id(), &a_report(init, PhaseStatus::Success)),
            format!("{base}Init Duration: 110.10 ms\t\n")
        );
        assert_eq!(report(id(), &a_report(None, PhaseStatus::Timeout)), format!("{base}Status: timeout\n"));
        let error = PhaseStatus::Error { error_type: "Runtime.ExitError".to_owned() };
        assert_eq!(
            report(id(), &a_report(None, error)),
            format!("{base}Status: error\tError Type: Runtime.ExitError\n")
        );
    }

    #[test]
    fn a_restore_has_lines_of_its_own_and_two_fields_in_the_report() {
        let restore = crate::record::Restore { duration: Duration::from_micros(398_970), billed_ms: 182 };
        let restored = Report { restore: Some(restore), ..a_report(None, PhaseStatus::Success) };
        let line = report(id(), &restored);
        assert!(
            line.ends_with("\tRestore Duration: 398.97 ms\tBilled Restore Duration: 182 ms\t\n"),
            "{line}"
        );
        let took = Duration::from_micros(511_250);
        assert_eq!(
            restore_report(took, &PhaseStatus::Success),
            "RESTORE_REPORT Restore Duration: 511.25 ms\n"
        );
        assert_eq!(
            restore_report(took, &PhaseStatus::Timeout),
            "RESTORE_REPORT Restore Duration: 511.25 ms\tStatus: timeout\n"
        );
    }

    #[test]
    fn init_report_names_phase_and_status() {
        let error = PhaseStatus::Error { error_type: "Runtime.UserCodeSyntaxError".to_owned() };
        assert_eq!(
            init_report(Duration::from_micros(150_790), InitPhase::Init, &error),
            "INIT_REPORT Init Duration: 150.79 ms\tPhase: init\tStatus: error\t\
             Error Type: Runtime.UserCodeSyntaxError\n"
        );
        assert_eq!(
            init_report(Duration::from_micros(9_999_790), InitPhase::Init, &PhaseStatus::Timeout),
            "INIT_REPORT Init Duration: 9999.79 ms\tPhase: init\tStatus: timeout\n"
        );
    }
}
