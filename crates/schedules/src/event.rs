//! The event that a function is called with.

use hearth_store::ScheduleRecord;
use hearth_types::{Arn, RequestId};
use jiff::Timestamp;
use serde_json::json;

/// Writes a time as events show it.
fn shown(epoch_ms: i64) -> String {
    Timestamp::from_millisecond(epoch_ms).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Returns the payload of the call that was due at `scheduled_ms`: the schedule's input with its context attributes, or what
/// EventBridge Scheduler sends to who has no input.
///
/// Source of the attributes: EventBridge Scheduler User Guide, "Adding context attributes", read 2026-11.
pub(crate) fn payload(
    schedule: &ScheduleRecord,
    arn: &str,
    scheduled_ms: i64,
    attempt: u32,
    execution_id: RequestId,
) -> String {
    let time = shown(scheduled_ms);
    if let Some(input) = &schedule.input {
        return input
            .replace("<aws.scheduler.schedule-arn>", arn)
            .replace("<aws.scheduler.scheduled-time>", &time)
            .replace("<aws.scheduler.execution-id>", &execution_id.to_string())
            .replace("<aws.scheduler.attempt-number>", &attempt.to_string());
    }
    let (region, account) = Arn::parse(arn).map(|arn| (arn.region, arn.account)).unwrap_or_default();
    json!({
        "version": "0",
        "id": execution_id.to_string(),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": account,
        "time": time,
        "region": region,
        "resources": [arn],
        "detail": "{}",
    })
    .to_string()
}
