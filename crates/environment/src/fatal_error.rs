//! Errors that the service itself reports for a function: exits, time-outs, a program that cannot be started.

use std::fmt::Write as _;
use std::time::Duration;

use hearth_sandbox::ExitStatus;
use hearth_telemetry::PhaseStatus;
use hearth_types::limits::EXTENSIONS_MAX;
use hearth_types::{ColdParticulars, ColdReason, ColdStart, ExtensionName, RequestId};

/// How many characters of an error are kept to explain the next cold start.
pub(crate) const COLD_DETAIL_MAX: usize = 200;

/// What ended an Init or an invocation, as the caller and the REPORT line name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FatalError {
    /// Such as `Runtime.ExitError`.
    pub error_type: String,
    /// What stands behind `RequestId: … Error: `.
    pub message: String,
    /// What the record and the REPORT line name it, if they know more than the caller is told.
    recorded_as: Option<&'static str>,
}

impl FatalError {
    /// An error that is told and recorded by the same name.
    pub fn new(error_type: String, message: String) -> Self {
        Self { error_type, message, recorded_as: None }
    }

    /// The same error, because memory had run out: AWS tells the caller of a kill, and names the reason in REPORT.
    pub(crate) fn because_out_of_memory(self, was_out_of_memory: bool) -> Self {
        let recorded_as = was_out_of_memory.then_some("Runtime.OutOfMemory").or(self.recorded_as);
        Self { recorded_as, ..self }
    }

    /// How a phase ends with it.
    pub(crate) fn status(&self) -> PhaseStatus {
        PhaseStatus::Error { error_type: self.recorded_as.unwrap_or(&self.error_type).to_owned() }
    }

    /// Why the next invocation is cold because of it.
    pub(crate) fn why_cold(&self, reason: ColdReason) -> ColdStart {
        let message = self.message.strip_prefix("Runtime exited with error: ").unwrap_or(&self.message);
        // What an extension reports may be long, and is for its log.
        let mut how: String = message.chars().take(COLD_DETAIL_MAX).collect();
        if let Some(recorded_as) = self.recorded_as {
            how.push_str(&format!(" ({recorded_as})"));
        }
        ColdStart::new(reason, ColdParticulars::Failed { how })
    }

    /// The runtime's process ended before it answered.
    pub fn exited(status: ExitStatus) -> Self {
        let message = match status {
            ExitStatus::Code(0) => "Runtime exited without providing a reason".to_owned(),
            ExitStatus::Code(_) | ExitStatus::Signal { .. } => {
                format!("Runtime exited with error: {}", status_text(status))
            }
        };
        Self::new("Runtime.ExitError".to_owned(), message)
    }

    /// The program could not be executed.
    pub fn cannot_execute(shown_path: &str, errno: i32) -> Self {
        Self::new("Runtime.InvalidEntrypoint".to_owned(), exec_text(shown_path, errno))
    }

    /// The process of an external extension ended, and nobody had asked it to.
    pub(crate) fn extension_exited(status: ExitStatus) -> Self {
        let message = match status {
            ExitStatus::Code(0) => "exit code 0".to_owned(),
            ExitStatus::Code(_) | ExitStatus::Signal { .. } => status_text(status),
        };
        Self::new("Extension.Crash".to_owned(), message)
    }

    /// The program of an external extension could not be executed.
    pub(crate) fn cannot_launch_extension(name: &ExtensionName, errno: i32) -> Self {
        let message = exec_text(&format!("/opt/extensions/{name}"), errno);
        Self::new("Extension.LaunchError".to_owned(), message)
    }

    /// There are more programs in `/opt/extensions` than may be started.
    pub(crate) fn too_many_extensions() -> Self {
        let message = format!("Extension limit ({EXTENSIONS_MAX}) reached");
        Self::new("Extension.LaunchError".to_owned(), message)
    }

    /// An extension has reported an error.
    pub(crate) fn reported_by_extension(
        name: &ExtensionName,
        error_type: String,
        message: Option<String>,
    ) -> Self {
        // AWS's text for a report without a message is not recorded.
        let message = message.unwrap_or_else(|| format!("extension {name} reported an error"));
        Self::new(error_type, message)
    }

    /// The invocation ran past its deadline. The message has the configured time-out, not a measured one.
    pub fn timed_out(timeout: Duration) -> Self {
        Self::new(
            "Sandbox.Timedout".to_owned(),
            format!("Task timed out after {:.2} seconds", timeout.as_secs_f64()),
        )
    }

    /// Returns the payload for the caller, `errorType` first, as AWS writes it.
    pub fn payload(&self, request_id: RequestId) -> String {
        let mut payload = String::from("{\"errorType\":");
        append_json_string(&mut payload, &self.error_type);
        payload.push_str(",\"errorMessage\":");
        append_json_string(&mut payload, &format!("RequestId: {request_id} Error: {}", self.message));
        payload.push('}');
        payload
    }
}

/// The caller's payload for a response over the limit: it has its own key order and no request id.
pub(crate) fn response_too_large_payload(bytes_max: usize) -> String {
    format!(
        "{{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size ({bytes_max} bytes).\",\
         \"errorType\":\"Function.ResponseSizeTooLarge\"}}"
    )
}

fn append_json_string(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            '\n' => text.push_str("\\n"),
            control if (control as u32) < 0x20 => {
                let _ = write!(text, "\\u{:04x}", control as u32);
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

/// How a process ended, in the words of Go's library.
fn status_text(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("exit status {code}"),
        ExitStatus::Signal { signal, core_dumped } => {
            let core = if core_dumped { " (core dumped)" } else { "" };
            format!("signal: {}{core}", signal_text(signal))
        }
    }
}

/// Why a program could not be executed, in the words of Go's library.
fn exec_text(shown_path: &str, errno: i32) -> String {
    let reason = match errno {
        2 => "no such file or directory".to_owned(),
        8 => "exec format error".to_owned(),
        13 => "permission denied".to_owned(),
        other => std::io::Error::from_raw_os_error(other).to_string(),
    };
    format!("fork/exec {shown_path}: {reason}")
}

/// The words of Go's runtime, which AWS's messages show.
fn signal_text(signal: i32) -> String {
    let text = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        10 => "user defined signal 1",
        11 => "segmentation fault",
        12 => "user defined signal 2",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        24 => "CPU time limit exceeded",
        25 => "file size limit exceeded",
        31 => "bad system call",
        other => return format!("signal {other}"),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_read_as_on_aws() {
        let id = RequestId::parse("8476a536-e9f4-41e8-9739-2dfe598c3fcd").unwrap();
        let check = |error: FatalError, expected: &str| {
            let expected = expected.replace("ID", "RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd Error:");
            assert_eq!(error.payload(id), expected);
        };
        check(
            FatalError::exited(ExitStatus::Code(0)),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"ID Runtime exited without providing a reason"}"#,
        );
        check(
            FatalError::exited(ExitStatus::Code(7)),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"ID Runtime exited with error: exit status 7"}"#,
        );
        let segmentation_fault = ExitStatus::Signal { signal: 11, core_dumped: false };
        check(
            FatalError::exited(segmentation_fault),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"ID Runtime exited with error: signal: segmentation fault"}"#,
        );
        check(
            FatalError::timed_out(Duration::from_secs(1)),
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"ID Task timed out after 1.00 seconds"}"#,
        );
        check(
            FatalError::cannot_execute("/var/task/bootstrap", 13),
            r#"{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"ID fork/exec /var/task/bootstrap: permission denied"}"#,
        );
    }
}
