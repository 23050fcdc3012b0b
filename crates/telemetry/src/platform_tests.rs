//! Every record, log line and event of an environment's life, from the steps in its record.

use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use hearth_types::{
    Architecture, ColdReason, EnvironmentId, ExtensionEvents, ExtensionName, ExtensionState, FunctionName,
    InitializationType, LogFormat, LogGroupName, LogLevel, LogStreamName, RequestId, Runtime, TraceHeader,
    Version,
};

use crate::derive::Derivation;
use crate::environment::FunctionIdentity;
use crate::lines;
use crate::platform_event::{Dropped, PlatformEvent};
use crate::platform_json::{About, Moment};
use crate::record::{
    EnvironmentFacts, InitPhase, LifecycleEvent, PhaseStatus, Recorder, ResetReason, SubscriptionApi,
    TelemetryTypes,
};
use crate::subscription::Schema;

/// Microseconds after the start, and what happened then.
type Step = (u64, LifecycleEvent);

fn request_id() -> RequestId {
    RequestId::parse("8476a536-e9f4-41e8-9739-2dfe598c3fcd").unwrap()
}

fn extension(name: &str) -> ExtensionName {
    ExtensionName::new(name).unwrap()
}

fn error(error_type: &str) -> PhaseStatus {
    PhaseStatus::Error { error_type: error_type.to_owned() }
}

fn init_started(phase: InitPhase) -> LifecycleEvent {
    LifecycleEvent::InitStarted { phase }
}

fn runtime_init_done(phase: InitPhase, status: PhaseStatus) -> LifecycleEvent {
    LifecycleEvent::RuntimeInitDone { phase, status }
}

fn init_done(phase: InitPhase, status: PhaseStatus) -> LifecycleEvent {
    LifecycleEvent::InitDone { phase, status }
}

fn invoke_started(trace: Option<&str>) -> LifecycleEvent {
    LifecycleEvent::InvokeStarted {
        request_id: request_id(),
        why_cold: Some(ColdReason::FirstInvocation),
        particulars: None,
        trace: trace.and_then(TraceHeader::from_caller),
        arrived: Instant::now(),
    }
}

fn runtime_done(status: PhaseStatus) -> LifecycleEvent {
    LifecycleEvent::RuntimeDone { request_id: request_id(), status }
}

fn invoke_done(status: PhaseStatus) -> LifecycleEvent {
    LifecycleEvent::InvokeDone { request_id: request_id(), status, memory_bytes_max: 36 << 20 }
}

/// A cold invocation with an extension, and all of it well.
fn a_good_life(start: Instant) -> Vec<Step> {
    let events = ExtensionEvents { invoke: true, shutdown: true };
    let types = TelemetryTypes { platform: true, function: true, extension: false };
    let (name, other) = (extension("watcher"), extension("logger"));
    vec![
        (0, init_started(InitPhase::Init)),
        (1_000, LifecycleEvent::ExtensionStarted { extension: name.clone() }),
        (20_000, LifecycleEvent::ExtensionRegistered { extension: name.clone(), is_external: true, events }),
        (
            21_000,
            LifecycleEvent::TelemetrySubscribed {
                extension: name.clone(),
                api: SubscriptionApi::Telemetry,
                types,
            },
        ),
        (
            22_000,
            LifecycleEvent::TelemetrySubscribed {
                extension: other.clone(),
                api: SubscriptionApi::Logs,
                types: TelemetryTypes { platform: true, function: true, extension: true },
            },
        ),
        (100_000, runtime_init_done(InitPhase::Init, PhaseStatus::Success)),
        (
            110_000,
            LifecycleEvent::ExtensionReported {
                extension: name,
                state: ExtensionState::Ready,
                events,
                error_type: None,
            },
        ),
        (110_100, init_done(InitPhase::Init, PhaseStatus::Success)),
        (
            120_000,
            invoke_started(Some(
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
            )),
        ),
        (122_500, LifecycleEvent::ResponseSent { began: start + Duration::from_micros(121_234), bytes: 16 }),
        (122_750, runtime_done(PhaseStatus::Success)),
        (123_010, invoke_done(PhaseStatus::Success)),
    ]
}

/// Shows what the steps of `life` become in the shape that `show` gives it.
fn check(
    life: impl Fn(Instant) -> Vec<Step>,
    show: impl Fn(&About<'_>, Instant, &PlatformEvent, &mut String),
    expected: Expect,
) {
    check_of(InitializationType::OnDemand, life, show, expected);
}

/// The same in an environment that was made for another reason.
fn check_of(
    initialization_type: InitializationType,
    life: impl Fn(Instant) -> Vec<Step>,
    show: impl Fn(&About<'_>, Instant, &PlatformEvent, &mut String),
    expected: Expect,
) {
    let start = Instant::now();
    let function = FunctionName::new("resize").unwrap();
    let identity = FunctionIdentity {
        version: Version::Latest,
        initialization_type,
        memory_size_mb: 128,
        runtime_version: Some(("nodejs:22.v1".to_owned(), "arn:aws:lambda:us-east-1::runtime:00".to_owned())),
        log_group: LogGroupName::of_function(&function),
        log_format: LogFormat::Json,
        system_log_level: LogLevel::Info,
        application_log_level: None,
    };
    let stream = LogStreamName::new("2026/11/25/[$LATEST]0f3c").unwrap();
    let environment = Recorder::default().begin(EnvironmentFacts {
        id: EnvironmentId::random(),
        function,
        version: Version::Latest,
        log_group: identity.log_group.clone(),
        log_stream: stream,
        created_epoch_ms: 0,
        why_created: ColdReason::FirstInvocation,
        initialization_type,
        architecture: Architecture::X86_64,
        memory_size_mb: 128,
        ephemeral_storage_mb: 512,
        runtime: Runtime::parse("python3.11").unwrap(),
        is_prebooted: false,
    });
    // The wall clock is read a while later: times are those of the steps all the same.
    let moment = Moment { instant: start + Duration::from_secs(1), epoch_ms: 1_795_600_001_000 };
    let about = About { identity: &identity, environment: &environment, moment };
    let mut derivation = Derivation::new(128, initialization_type);
    let mut shown = String::new();
    for (microseconds, event) in life(start) {
        let at = start + Duration::from_micros(microseconds);
        derivation.take(at, &event, |said| show(&about, at, &said, &mut shown));
    }
    expected.assert_eq(&shown);
}

/// The shape of a schema.
fn as_schema(schema: Schema) -> impl Fn(&About<'_>, Instant, &PlatformEvent, &mut String) {
    move |about, at, said, shown| {
        about.write(schema, at, said, |json| {
            *shown += &String::from_utf8(json).unwrap();
            shown.push('\n');
        });
    }
}

/// The lines of the JSON log format, each after its level.
fn as_json_log(about: &About<'_>, at: Instant, said: &PlatformEvent, shown: &mut String) {
    if let Some(line) = about.log_line(at, said) {
        *shown += &format!("{:5} {line}", said.level(true).as_str());
    }
}

/// The lines of the text format.
fn as_text(about: &About<'_>, _: Instant, said: &PlatformEvent, shown: &mut String) {
    if let Some(lines) = lines::text(
        said,
        Version::Latest,
        about.identity.initialization_type,
        about.identity.runtime_version.as_ref(),
    ) {
        *shown += &lines.replace('\t', "⇥");
    }
}

#[test]
fn the_telemetry_api_has_every_event_of_a_good_life() {
    check(
        a_good_life,
        as_schema(Schema::Telemetry20221213),
        expect![[r#"
        {"time":"2026-11-25T09:46:40.000Z","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"nodejs:22.v1","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:00","functionName":"resize","functionVersion":"$LATEST","instanceId":"2026/11/25/[$LATEST]0f3c","instanceMaxMemory":134217728}}
        {"time":"2026-11-25T09:46:40.021Z","type":"platform.telemetrySubscription","record":{"name":"watcher","state":"Subscribed","types":["platform","function"]}}
        {"time":"2026-11-25T09:46:40.100Z","type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"success"}}
        {"time":"2026-11-25T09:46:40.110Z","type":"platform.extension","record":{"name":"watcher","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":"2026-11-25T09:46:40.110Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":110.1}}}
        {"time":"2026-11-25T09:46:40.120Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST","tracing":{"spanId":"97392dfe598c3fcd","type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"}}}
        {"time":"2026-11-25T09:46:40.122Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"success","metrics":{"durationMs":2.75,"producedBytes":16},"spans":[{"name":"responseLatency","start":"2026-11-25T09:46:40.120Z","durationMs":1.234},{"name":"responseDuration","start":"2026-11-25T09:46:40.121Z","durationMs":1.266},{"name":"runtimeOverhead","start":"2026-11-25T09:46:40.122Z","durationMs":0.25}],"tracing":{"spanId":"97392dfe598c3fcd","type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"}}}
        {"time":"2026-11-25T09:46:40.123Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"success","metrics":{"durationMs":3.01,"billedDurationMs":114,"memorySizeMB":128,"maxMemoryUsedMB":36,"initDurationMs":110.1},"spans":[{"name":"extensionOverhead","start":"2026-11-25T09:46:40.122Z","durationMs":0.26}],"tracing":{"spanId":"97392dfe598c3fcd","type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"}}}
    "#]],
    );
    check(
        a_good_life,
        as_schema(Schema::Telemetry20250129),
        expect![[r#"
        {"time":"2026-11-25T09:46:40.000Z","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"nodejs:22.v1","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:00","functionName":"resize","functionVersion":"$LATEST","instanceId":"2026/11/25/[$LATEST]0f3c","instanceMaxMemory":134217728}}
        {"time":"2026-11-25T09:46:40.021Z","type":"platform.telemetrySubscription","record":{"name":"watcher","state":"Subscribed","types":["platform","function"]}}
        {"time":"2026-11-25T09:46:40.100Z","type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"success"}}
        {"time":"2026-11-25T09:46:40.110Z","type":"platform.extension","record":{"name":"watcher","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":"2026-11-25T09:46:40.110Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":110.1}}}
        {"time":"2026-11-25T09:46:40.120Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST","tracing":{"spanId":"97392dfe598c3fcd","type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"}}}
        {"time":"2026-11-25T09:46:40.122Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"success","metrics":{"durationMs":2.75,"producedBytes":16},"spans":[{"name":"responseLatency","start":"2026-11-25T09:46:40.120Z","durationMs":1.234},{"name":"responseDuration","start":"2026-11-25T09:46:40.121Z","durationMs":1.266},{"name":"runtimeOverhead","start":"2026-11-25T09:46:40.122Z","durationMs":0.25}],"tracing":{"spanId":"97392dfe598c3fcd","type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"}}}
        {"time":"2026-11-25T09:46:40.123Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"success","metrics":{"durationMs":3.01,"billedDurationMs":114,"memorySizeMB":128,"maxMemoryUsedMB":36,"initDurationMs":110.1},"spans":[{"name":"extensionOverhead","start":"2026-11-25T09:46:40.122Z","durationMs":0.26}],"tracing":{"spanId":"97392dfe598c3fcd","type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"}}}
    "#]],
    );
}

#[test]
fn the_init_of_a_provisioned_environment_is_reported_apart_and_billed_with_no_invocation() {
    let life = |_| {
        vec![
            (0, init_started(InitPhase::Init)),
            (100_000, runtime_init_done(InitPhase::Init, PhaseStatus::Success)),
            (110_100, init_done(InitPhase::Init, PhaseStatus::Success)),
            (120_000, invoke_started(None)),
            (122_750, runtime_done(PhaseStatus::Success)),
            (123_010, invoke_done(PhaseStatus::Success)),
        ]
    };
    let provisioned = InitializationType::ProvisionedConcurrency;
    check_of(
        provisioned,
        life,
        as_text,
        expect![[r#"
        INIT_START Runtime Version: nodejs:22.v1⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:00
        INIT_REPORT Init Duration: 110.10 ms⇥Phase: init
        START RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd Version: $LATEST
        END RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd
        REPORT RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd⇥Duration: 3.01 ms⇥Billed Duration: 4 ms⇥Memory Size: 128 MB⇥Max Memory Used: 36 MB⇥
    "#]],
    );
    check_of(
        provisioned,
        |start| life(start).drain(..3).collect(),
        as_schema(Schema::Telemetry20221213),
        expect![[r#"
            {"time":"2026-11-25T09:46:40.000Z","type":"platform.initStart","record":{"initializationType":"provisioned-concurrency","phase":"init","runtimeVersion":"nodejs:22.v1","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:00","functionName":"resize","functionVersion":"$LATEST","instanceId":"2026/11/25/[$LATEST]0f3c","instanceMaxMemory":134217728}}
            {"time":"2026-11-25T09:46:40.100Z","type":"platform.initRuntimeDone","record":{"initializationType":"provisioned-concurrency","phase":"init","status":"success"}}
            {"time":"2026-11-25T09:46:40.110Z","type":"platform.initReport","record":{"initializationType":"provisioned-concurrency","phase":"init","status":"success","metrics":{"durationMs":110.1}}}
        "#]],
    );
}

#[test]
fn the_oldest_telemetry_schema_names_the_runtime_otherwise() {
    let init = |start| a_good_life(start).drain(..1).collect();
    check(
        init,
        as_schema(Schema::Telemetry20220701),
        expect![[r#"
        {"time":"2026-11-25T09:46:40.000Z","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"nodejs:22.v1","runtimeArn":"arn:aws:lambda:us-east-1::runtime:00","functionName":"resize","functionVersion":"$LATEST","instanceId":"2026/11/25/[$LATEST]0f3c","instanceMaxMemory":134217728}}
    "#]],
    );
}

#[test]
fn the_logs_api_has_fewer_events() {
    check(
        a_good_life,
        as_schema(Schema::Logs20200815),
        expect![[r#"
        {"time":"2026-11-25T09:46:40.022Z","type":"platform.logsSubscription","record":{"name":"logger","state":"Subscribed","types":["platform","function","extension"]}}
        {"time":"2026-11-25T09:46:40.110Z","type":"platform.extension","record":{"name":"watcher","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":"2026-11-25T09:46:40.120Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        {"time":"2026-11-25T09:46:40.123Z","type":"platform.end","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd"}}
        {"time":"2026-11-25T09:46:40.123Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","metrics":{"durationMs":3.01,"billedDurationMs":114,"memorySizeMB":128,"maxMemoryUsedMB":36,"initDurationMs":110.1}}}
    "#]],
    );
    check(
        a_good_life,
        as_schema(Schema::Logs20210318),
        expect![[r#"
        {"time":"2026-11-25T09:46:40.022Z","type":"platform.logsSubscription","record":{"name":"logger","state":"Subscribed","types":["platform","function","extension"]}}
        {"time":"2026-11-25T09:46:40.110Z","type":"platform.extension","record":{"name":"watcher","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":"2026-11-25T09:46:40.120Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        {"time":"2026-11-25T09:46:40.122Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"success"}}
        {"time":"2026-11-25T09:46:40.123Z","type":"platform.end","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd"}}
        {"time":"2026-11-25T09:46:40.123Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","metrics":{"durationMs":3.01,"billedDurationMs":114,"memorySizeMB":128,"maxMemoryUsedMB":36,"initDurationMs":110.1}}}
    "#]],
    );
}

#[test]
fn json_log_lines_are_the_same_records_at_their_levels() {
    check(
        a_good_life,
        as_json_log,
        expect![[r#"
            INFO  {"time":"2026-11-25T09:46:40.000Z","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"nodejs:22.v1","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:00","functionName":"resize","functionVersion":"$LATEST","instanceId":"2026/11/25/[$LATEST]0f3c","instanceMaxMemory":134217728}}
            INFO  {"time":"2026-11-25T09:46:40.021Z","type":"platform.telemetrySubscription","record":{"name":"watcher","state":"Subscribed","types":["platform","function"]}}
            INFO  {"time":"2026-11-25T09:46:40.022Z","type":"platform.logsSubscription","record":{"name":"logger","state":"Subscribed","types":["platform","function","extension"]}}
            DEBUG {"time":"2026-11-25T09:46:40.100Z","type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"success"}}
            INFO  {"time":"2026-11-25T09:46:40.110Z","type":"platform.extension","record":{"name":"watcher","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
            DEBUG {"time":"2026-11-25T09:46:40.110Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":110.1}}}
            INFO  {"time":"2026-11-25T09:46:40.120Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST","tracing":{"spanId":"97392dfe598c3fcd","type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"}}}
            DEBUG {"time":"2026-11-25T09:46:40.122Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"success","metrics":{"durationMs":2.75,"producedBytes":16},"spans":[{"name":"responseLatency","start":"2026-11-25T09:46:40.120Z","durationMs":1.234},{"name":"responseDuration","start":"2026-11-25T09:46:40.121Z","durationMs":1.266},{"name":"runtimeOverhead","start":"2026-11-25T09:46:40.122Z","durationMs":0.25}],"tracing":{"spanId":"97392dfe598c3fcd","type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"}}}
            INFO  {"time":"2026-11-25T09:46:40.123Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"success","metrics":{"durationMs":3.01,"billedDurationMs":114,"memorySizeMB":128,"maxMemoryUsedMB":36,"initDurationMs":110.1},"spans":[{"name":"extensionOverhead","start":"2026-11-25T09:46:40.122Z","durationMs":0.26}],"tracing":{"spanId":"97392dfe598c3fcd","type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"}}}
        "#]],
    );
}

#[test]
fn text_lines_have_the_same_numbers() {
    check(
        a_good_life,
        as_text,
        expect![[r#"
        INIT_START Runtime Version: nodejs:22.v1⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:00
        TELEMETRY⇥Name: watcher⇥State: Subscribed⇥Types: [Platform, Function]
        LOGS⇥Name: logger⇥State: Subscribed⇥Types: [Platform, Function, Extension]
        EXTENSION⇥Name: watcher⇥State: Ready⇥Events: [INVOKE, SHUTDOWN]
        START RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd Version: $LATEST
        END RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd
        REPORT RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd⇥Duration: 3.01 ms⇥Billed Duration: 114 ms⇥Memory Size: 128 MB⇥Max Memory Used: 36 MB⇥Init Duration: 110.10 ms⇥
    "#]],
    );
}

/// Init takes too long, is repeated within the invocation, and the extension crashes.
fn a_bad_init(_: Instant) -> Vec<Step> {
    let reported = LifecycleEvent::ExtensionReported {
        extension: extension("watcher"),
        state: ExtensionState::Registered,
        events: ExtensionEvents { invoke: false, shutdown: true },
        error_type: Some("Extension.Crash".to_owned()),
    };
    vec![
        (0, init_started(InitPhase::Init)),
        (10_000_000, runtime_init_done(InitPhase::Init, PhaseStatus::Timeout)),
        (10_000_010, init_done(InitPhase::Init, PhaseStatus::Timeout)),
        (10_000_020, LifecycleEvent::ResetStarted { reason: ResetReason::Timeout }),
        (10_100_000, LifecycleEvent::ResetDone),
        (11_000_000, init_started(InitPhase::Invoke)),
        (11_050_000, runtime_init_done(InitPhase::Invoke, error("Extension.Crash"))),
        (11_050_000, reported),
        (11_050_790, init_done(InitPhase::Invoke, error("Extension.Crash"))),
        (11_050_790, invoke_started(None)),
        (11_050_790, runtime_done(error("Extension.Crash"))),
        (11_050_800, invoke_done(error("Extension.Crash"))),
    ]
}

#[test]
fn an_init_that_fails_is_told_in_every_shape() {
    check(
        a_bad_init,
        as_schema(Schema::LATEST),
        expect![[r#"
        {"time":"2026-11-25T09:46:40.000Z","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"nodejs:22.v1","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:00","functionName":"resize","functionVersion":"$LATEST","instanceId":"2026/11/25/[$LATEST]0f3c","instanceMaxMemory":134217728}}
        {"time":"2026-11-25T09:46:50.000Z","type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"timeout","errorType":"Runtime.Unknown"}}
        {"time":"2026-11-25T09:46:50.000Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"timeout","errorType":"Runtime.Unknown","metrics":{"durationMs":10000.01}}}
        {"time":"2026-11-25T09:46:51.000Z","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"invoke","runtimeVersion":"nodejs:22.v1","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:00","functionName":"resize","functionVersion":"$LATEST","instanceId":"2026/11/25/[$LATEST]0f3c","instanceMaxMemory":134217728}}
        {"time":"2026-11-25T09:46:51.050Z","type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"invoke","status":"error","errorType":"Extension.Crash"}}
        {"time":"2026-11-25T09:46:51.050Z","type":"platform.extension","record":{"name":"watcher","state":"Registered","events":["SHUTDOWN"],"errorType":"Extension.Crash"}}
        {"time":"2026-11-25T09:46:51.050Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"invoke","status":"error","errorType":"Extension.Crash","metrics":{"durationMs":50.79}}}
        {"time":"2026-11-25T09:46:51.050Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        {"time":"2026-11-25T09:46:51.050Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"error","errorType":"Extension.Crash"}}
        {"time":"2026-11-25T09:46:51.050Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"error","errorType":"Extension.Crash","metrics":{"durationMs":50.8,"billedDurationMs":51,"memorySizeMB":128,"maxMemoryUsedMB":36}}}
    "#]],
    );
    check(
        a_bad_init,
        as_schema(Schema::Logs20210318),
        expect![[r#"
        {"time":"2026-11-25T09:46:51.050Z","type":"platform.extension","record":{"name":"watcher","state":"Registered","events":["SHUTDOWN"],"errorType":"Extension.Crash"}}
        {"time":"2026-11-25T09:46:51.050Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        {"time":"2026-11-25T09:46:51.050Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"error"}}
        {"time":"2026-11-25T09:46:51.050Z","type":"platform.fault","record":"RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd Process exited before completing request"}
        {"time":"2026-11-25T09:46:51.050Z","type":"platform.end","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd"}}
        {"time":"2026-11-25T09:46:51.050Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","metrics":{"durationMs":50.8,"billedDurationMs":51,"memorySizeMB":128,"maxMemoryUsedMB":36}}}
    "#]],
    );
    check(
        a_bad_init,
        as_json_log,
        expect![[r#"
        INFO  {"time":"2026-11-25T09:46:40.000Z","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"nodejs:22.v1","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:00","functionName":"resize","functionVersion":"$LATEST","instanceId":"2026/11/25/[$LATEST]0f3c","instanceMaxMemory":134217728}}
        WARN  {"time":"2026-11-25T09:46:50.000Z","type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"timeout","errorType":"Runtime.Unknown"}}
        WARN  {"time":"2026-11-25T09:46:50.000Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"timeout","errorType":"Runtime.Unknown","metrics":{"durationMs":10000.01}}}
        INFO  {"time":"2026-11-25T09:46:51.000Z","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"invoke","runtimeVersion":"nodejs:22.v1","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:00","functionName":"resize","functionVersion":"$LATEST","instanceId":"2026/11/25/[$LATEST]0f3c","instanceMaxMemory":134217728}}
        WARN  {"time":"2026-11-25T09:46:51.050Z","type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"invoke","status":"error","errorType":"Extension.Crash"}}
        WARN  {"time":"2026-11-25T09:46:51.050Z","type":"platform.extension","record":{"name":"watcher","state":"Registered","events":["SHUTDOWN"],"errorType":"Extension.Crash"}}
        WARN  {"time":"2026-11-25T09:46:51.050Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"invoke","status":"error","errorType":"Extension.Crash","metrics":{"durationMs":50.79}}}
        INFO  {"time":"2026-11-25T09:46:51.050Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        WARN  {"time":"2026-11-25T09:46:51.050Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"error","errorType":"Extension.Crash"}}
        WARN  {"time":"2026-11-25T09:46:51.050Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"error","errorType":"Extension.Crash","metrics":{"durationMs":50.8,"billedDurationMs":51,"memorySizeMB":128,"maxMemoryUsedMB":36}}}
    "#]],
    );
    check(
        a_bad_init,
        as_text,
        expect![[r#"
        INIT_START Runtime Version: nodejs:22.v1⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:00
        INIT_REPORT Init Duration: 10000.01 ms⇥Phase: init⇥Status: timeout
        EXTENSION⇥Name: watcher⇥State: Registered⇥Events: [SHUTDOWN]⇥Error Type: Extension.Crash
        INIT_REPORT Init Duration: 50.79 ms⇥Phase: invoke⇥Status: error⇥Error Type: Extension.Crash
        START RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd Version: $LATEST
        END RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd
        REPORT RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd⇥Duration: 50.80 ms⇥Billed Duration: 51 ms⇥Memory Size: 128 MB⇥Max Memory Used: 36 MB⇥Status: error⇥Error Type: Extension.Crash
    "#]],
    );
}

/// Warm invocations that end badly: an error of the handler, an exit after the answer, the time-out.
fn bad_invocations(start: Instant) -> Vec<Step> {
    let answered =
        |began: u64| LifecycleEvent::ResponseSent { began: start + Duration::from_micros(began), bytes: 90 };
    vec![
        (0, invoke_started(None)),
        (1_500, answered(1_000)),
        (2_000, runtime_done(error("Runtime.HandlerError"))),
        (2_000, invoke_done(error("Runtime.HandlerError"))),
        (10_000, invoke_started(None)),
        (11_500, answered(11_000)),
        (12_000, runtime_done(error("Runtime.ExitError"))),
        (12_000, invoke_done(error("Runtime.ExitError"))),
        (20_000, invoke_started(None)),
        (21_500, answered(21_000)),
        (3_020_000, runtime_done(PhaseStatus::Timeout)),
        (3_020_000, invoke_done(PhaseStatus::Timeout)),
        (3_100_000, invoke_started(None)),
        (3_110_000, runtime_done(PhaseStatus::Failure)),
        (3_110_000, invoke_done(PhaseStatus::Failure)),
    ]
}

#[test]
fn invocations_that_end_badly_are_told_in_every_shape() {
    check(
        bad_invocations,
        as_schema(Schema::LATEST),
        expect![[r#"
        {"time":"2026-11-25T09:46:40.000Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        {"time":"2026-11-25T09:46:40.002Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"error","errorType":"Runtime.HandlerError","metrics":{"durationMs":2.0,"producedBytes":90},"spans":[{"name":"responseLatency","start":"2026-11-25T09:46:40.000Z","durationMs":1.0},{"name":"responseDuration","start":"2026-11-25T09:46:40.001Z","durationMs":0.5},{"name":"runtimeOverhead","start":"2026-11-25T09:46:40.001Z","durationMs":0.5}]}}
        {"time":"2026-11-25T09:46:40.002Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"error","errorType":"Runtime.HandlerError","metrics":{"durationMs":2.0,"billedDurationMs":2,"memorySizeMB":128,"maxMemoryUsedMB":36}}}
        {"time":"2026-11-25T09:46:40.010Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        {"time":"2026-11-25T09:46:40.012Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":2.0,"producedBytes":90},"spans":[{"name":"responseLatency","start":"2026-11-25T09:46:40.010Z","durationMs":1.0},{"name":"responseDuration","start":"2026-11-25T09:46:40.011Z","durationMs":0.5},{"name":"runtimeOverhead","start":"2026-11-25T09:46:40.011Z","durationMs":0.5}]}}
        {"time":"2026-11-25T09:46:40.012Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":2.0,"billedDurationMs":2,"memorySizeMB":128,"maxMemoryUsedMB":36}}}
        {"time":"2026-11-25T09:46:40.020Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        {"time":"2026-11-25T09:46:43.020Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"timeout"}}
        {"time":"2026-11-25T09:46:43.020Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"timeout","metrics":{"durationMs":3000.0,"billedDurationMs":3000,"memorySizeMB":128,"maxMemoryUsedMB":36}}}
        {"time":"2026-11-25T09:46:43.100Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        {"time":"2026-11-25T09:46:43.110Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"failure"}}
        {"time":"2026-11-25T09:46:43.110Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"failure","metrics":{"durationMs":10.0,"billedDurationMs":10,"memorySizeMB":128,"maxMemoryUsedMB":36}}}
    "#]],
    );
    check(
        bad_invocations,
        as_schema(Schema::Logs20210318),
        expect![[r#"
        {"time":"2026-11-25T09:46:40.000Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        {"time":"2026-11-25T09:46:40.002Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"error"}}
        {"time":"2026-11-25T09:46:40.002Z","type":"platform.end","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd"}}
        {"time":"2026-11-25T09:46:40.002Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","metrics":{"durationMs":2.0,"billedDurationMs":2,"memorySizeMB":128,"maxMemoryUsedMB":36}}}
        {"time":"2026-11-25T09:46:40.010Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        {"time":"2026-11-25T09:46:40.012Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"error"}}
        {"time":"2026-11-25T09:46:40.012Z","type":"platform.end","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd"}}
        {"time":"2026-11-25T09:46:40.012Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","metrics":{"durationMs":2.0,"billedDurationMs":2,"memorySizeMB":128,"maxMemoryUsedMB":36}}}
        {"time":"2026-11-25T09:46:40.020Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        {"time":"2026-11-25T09:46:43.020Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"timeout"}}
        {"time":"2026-11-25T09:46:43.020Z","type":"platform.end","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd"}}
        {"time":"2026-11-25T09:46:43.020Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","metrics":{"durationMs":3000.0,"billedDurationMs":3000,"memorySizeMB":128,"maxMemoryUsedMB":36}}}
        {"time":"2026-11-25T09:46:43.100Z","type":"platform.start","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","version":"$LATEST"}}
        {"time":"2026-11-25T09:46:43.110Z","type":"platform.runtimeDone","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","status":"failure"}}
        {"time":"2026-11-25T09:46:43.110Z","type":"platform.fault","record":"RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd Process exited before completing request"}
        {"time":"2026-11-25T09:46:43.110Z","type":"platform.end","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd"}}
        {"time":"2026-11-25T09:46:43.110Z","type":"platform.report","record":{"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","metrics":{"durationMs":10.0,"billedDurationMs":10,"memorySizeMB":128,"maxMemoryUsedMB":36}}}
    "#]],
    );
    check(
        bad_invocations,
        as_text,
        expect![[r#"
        START RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd Version: $LATEST
        END RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd
        REPORT RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd⇥Duration: 2.00 ms⇥Billed Duration: 2 ms⇥Memory Size: 128 MB⇥Max Memory Used: 36 MB⇥Status: error⇥Error Type: Runtime.HandlerError
        START RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd Version: $LATEST
        END RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd
        REPORT RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd⇥Duration: 2.00 ms⇥Billed Duration: 2 ms⇥Memory Size: 128 MB⇥Max Memory Used: 36 MB⇥Status: error⇥Error Type: Runtime.ExitError
        START RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd Version: $LATEST
        END RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd
        REPORT RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd⇥Duration: 3000.00 ms⇥Billed Duration: 3000 ms⇥Memory Size: 128 MB⇥Max Memory Used: 36 MB⇥Status: timeout
        START RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd Version: $LATEST
        END RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd
        REPORT RequestId: 8476a536-e9f4-41e8-9739-2dfe598c3fcd⇥Duration: 10.00 ms⇥Billed Duration: 10 ms⇥Memory Size: 128 MB⇥Max Memory Used: 36 MB⇥Status: failure
    "#]],
    );
}

#[test]
fn dropped_logs_are_told_with_each_interfaces_reason() {
    let lost = Dropped { records: 123, bytes: 12_345 };
    let shown = [Schema::LATEST, Schema::Logs20200815].map(|schema| {
        String::from_utf8(crate::platform_json::logs_dropped(schema, 1_795_600_001_000, lost)).unwrap()
    });
    expect![[r#"
        {"time":"2026-11-25T09:46:41.000Z","type":"platform.logsDropped","record":{"reason":"Some logs were dropped because the downstream consumer is slower than the logs production rate","droppedRecords":123,"droppedBytes":12345}}
        {"time":"2026-11-25T09:46:41.000Z","type":"platform.logsDropped","record":{"reason":"Consumer seems to have fallen behind as it has not acknowledged receipt of logs.","droppedRecords":123,"droppedBytes":12345}}"#]].assert_eq(&shown.join("\n"));
}
