//! The line of a cold start. AWS has no such line, so it is only written where the operator asks for it, and
//! subscribers to telemetry are never told.

use hearth_types::{ColdStart, LogFormat, RequestId};
use serde_json::json;

use crate::platform_json;

/// Writes the line, with its line feed.
pub(crate) fn line(
    format: LogFormat,
    epoch_ms: i64,
    request_id: RequestId,
    version: &str,
    cold_start: &ColdStart,
) -> String {
    let (reason, explanation) = (cold_start.reason, cold_start.explanation());
    match format {
        LogFormat::Text => {
            // What a runtime or an extension has reported may contain anything; a line stays a line.
            let explanation = explanation.replace(char::is_control, " ");
            format!(
                "COLD_START RequestId: {request_id}\tVersion: {version}\tReason: {reason}\tDetail: {explanation}\n"
            )
        }
        LogFormat::Json => {
            let record = json!({
                "requestId": request_id.to_string(),
                "version": version,
                "reason": reason.as_str(),
                "detail": explanation,
            });
            let time = platform_json::time(epoch_ms);
            format!("{}\n", json!({ "time": time, "type": "platform.coldStart", "record": record }))
        }
    }
}

#[cfg(test)]
mod tests {
    use hearth_types::{ColdParticulars, ColdReason};

    use super::*;

    #[test]
    fn a_cold_start_is_one_line_whatever_was_reported() {
        let id = RequestId::parse("8476a536-e9f4-41e8-9739-2dfe598c3fcd").unwrap();
        let how = "Boom\nSTART RequestId: forged".to_owned();
        let cold = ColdStart::new(ColdReason::InitFailed, ColdParticulars::Failed { how });
        assert_eq!(
            line(LogFormat::Text, 0, id, "$LATEST", &cold),
            "COLD_START RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd\tVersion: $LATEST\tReason: init-failed\t\
             Detail: init failed before (Boom START RequestId: forged)\n"
        );
        let json = line(LogFormat::Json, 1_795_600_000_000, id, "7", &cold);
        assert_eq!(json.matches('\n').count(), 1);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["type"], "platform.coldStart");
        assert_eq!(json["record"]["reason"], "init-failed");
        assert_eq!(json["record"]["detail"], "init failed before (Boom\nSTART RequestId: forged)");
    }
}
