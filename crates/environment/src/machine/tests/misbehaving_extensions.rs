//! Extensions that do what they may not, fail, or are too many: what is refused, and what fails with them.

use expect_test::expect;
use hearth_telemetry::{SubscriptionApi, TelemetryTypes};

use super::extensions::{BOTH, exit_of, next_of};
use super::*;
use crate::extensions::ExtensionReport;

fn reports(number: usize, report: ExtensionReport) -> Event {
    Event::ExtensionReports {
        id: an_extension(number).1,
        report,
        error_type: "Extension.NoLicence".to_owned(),
        message: Some("no licence".to_owned()),
    }
}

#[test]
fn case_056_an_extension_that_never_registers_ends_init_and_the_runtime_is_never_started() {
    check_with(
        1,
        &[
            (0, Event::Init),
            (0, an_invocation(1)),
            (0, Event::ExtensionStarted(0)),
            (10, Event::DeadlineReached),
            (
                0,
                Event::ExtensionExited {
                    program: 0,
                    status: ExitStatus::Signal { signal: 9, core_dumped: false },
                    was_out_of_memory: false,
                },
            ),
            (0, Event::AllGone),
            (3, Event::DeadlineReached),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            ExtensionStarted { extension: e0 }
            runtime init done: timeout
            e0 came out of init: Started [] 
            init done in Init: timeout 
            ResetStarted { reason: Timeout }
            KillExtension(0)
            deadline in 2 s
            ExtensionGone { extension: e0, killed: true }
            KillAll
            ResetDone
            InitStarted { phase: Invoke }
            deadline in 3 s
            Renew
            StartExtension(0)
            runtime init done: timeout
            e0 came out of init: Started [] 
            init done in Invoke: timeout 
            caller gets FunctionError {"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 00000000-0000-4000-8000-000000000001 Error: Task timed out after 3.00 seconds"}
            invoke started, cold because Some(InitFailed)
            runtime done: timeout
            invoke done: timeout 
            ResetStarted { reason: Timeout }
            KillExtension(0)
            deadline in 2 s
            Settled
        "#]],
    );
}

#[test]
fn a_crash_or_a_report_of_an_extension_fails_what_runs() {
    check_with(
        1,
        &[
            (0, Event::Init),
            (0, registers(0, &BOTH)),
            (0, reports(0, ExtensionReport::InitError)),
            (0, reports(0, ExtensionReport::InitError)),
            (0, exit_of(0, 1)),
            (0, Event::AllGone),
            (0, an_invocation(1)),
            (0, registers(0, &BOTH)),
            (0, next_of(0)),
            (0, next()),
            (0, exit_of(0, 1)),
            (0, Event::AllGone),
            (0, an_invocation(2)),
            (0, registers(0, &BOTH)),
            (0, next_of(0)),
            (0, next()),
            (0, reports(0, ExtensionReport::InitError)),
            (0, reports(0, ExtensionReport::ExitError)),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            Accept
            ExtensionStarted { extension: e0 }
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: true, shutdown: true } }
            Boot
            Accept
            runtime init done: error
            e0 came out of init: InitError ["INVOKE", "SHUTDOWN"] Extension.NoLicence
            init done in Init: error Extension.NoLicence
            ResetStarted { reason: Failure }
            KillRuntime
            RuntimeGone { killed: true }
            e0 gets SHUTDOWN: failure, 2000 ms left
            shutdown sent to e0
            deadline in 2 s
            Settled
            Accept
            ExtensionGone { extension: e0, killed: false }
            KillAll
            ResetDone
            InitStarted { phase: Invoke }
            deadline in 3 s
            Renew
            StartExtension(0)
            Accept
            ExtensionStarted { extension: e0 }
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: true, shutdown: true } }
            Boot
            ExtensionReady { extension: e0 }
            Park
            runtime init done: success
            Park
            e0 came out of init: Ready ["INVOKE", "SHUTDOWN"] 
            init done in Invoke: success 
            runtime gets 1
            e0 gets INVOKE
            invoke started, cold because Some(InitFailed)
            deadline in 3 s
            caller gets FunctionError {"errorType":"Extension.Crash","errorMessage":"RequestId: 00000000-0000-4000-8000-000000000001 Error: exit status 1"}
            runtime done: error
            invoke done: error Extension.Crash
            ResetStarted { reason: Failure }
            KillRuntime
            RuntimeGone { killed: true }
            KillAll
            Settled
            ResetDone
            InitStarted { phase: Invoke }
            deadline in 3 s
            Renew
            StartExtension(0)
            Accept
            ExtensionStarted { extension: e0 }
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: true, shutdown: true } }
            Boot
            ExtensionReady { extension: e0 }
            Park
            runtime init done: success
            Park
            e0 came out of init: Ready ["INVOKE", "SHUTDOWN"] 
            init done in Invoke: success 
            runtime gets 2
            e0 gets INVOKE
            invoke started, cold because Some(ExtensionFailed)
            deadline in 3 s
            Extension.InvalidExtensionState: State transition from Running to InitError failed for extension e0. Error: State transition is not allowed
            Accept
            caller gets FunctionError {"errorType":"Extension.NoLicence","errorMessage":"RequestId: 00000000-0000-4000-8000-000000000002 Error: no licence"}
            runtime done: error
            invoke done: error Extension.NoLicence
            ResetStarted { reason: Failure }
            KillRuntime
            RuntimeGone { killed: true }
            e0 gets SHUTDOWN: failure, 2000 ms left
            shutdown sent to e0
            deadline in 2 s
            Settled
        "#]],
    );
}

#[test]
fn case_057_058_059_wrong_registrations_are_refused() {
    let mut events = vec![
        (0, Event::Init),
        (0, registers(0, &["INVOKE", "SNAPSHOT"])),
        (0, registers(0, &BOTH)),
        (0, registers(0, &BOTH)),
        (0, registers(2, &["SHUTDOWN"])),
        (0, next_of(3)),
    ];
    for number in 1..10 {
        let (_, id) = an_extension(number);
        let name = ExtensionName::new(&format!("internal{number}")).unwrap();
        events.push((0, Event::ExtensionRegisters { name, id, events: vec![] }));
    }
    let internal = Event::ExtensionRegisters {
        name: ExtensionName::new("internal1").unwrap(),
        id: an_extension(1).1,
        events: vec![],
    };
    events.push((0, internal));
    events.push((0, registers(2, &[])));
    events.push((0, next()));
    events.push((0, registers(2, &[])));
    let (_, id) = an_extension(0);
    let (api, types) = (SubscriptionApi::Telemetry, TelemetryTypes::default());
    events.push((0, Event::ExtensionSubscribes { id, api, types }));
    check_with(
        1,
        &events,
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            Extension.InvalidEventType: SNAPSHOT: ErrorInvalidEventType
            Accept
            ExtensionStarted { extension: e0 }
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: true, shutdown: true } }
            Boot
            Extension.InvalidExtensionState: State transition from Registered to Registered failed for extension e0. Error: State transition is not allowed
            Extension.InvalidEventType: SHUTDOWN: ShutdownEventNotSupportedForInternalExtension
            Extension.UnknownExtensionIdentifier: Unknown extension 00000000-0000-4000-8000-0000000ee003
            Accept
            ExtensionRegistered { extension: internal1, is_external: false, events: ExtensionEvents { invoke: false, shutdown: false } }
            Accept
            ExtensionRegistered { extension: internal2, is_external: false, events: ExtensionEvents { invoke: false, shutdown: false } }
            Accept
            ExtensionRegistered { extension: internal3, is_external: false, events: ExtensionEvents { invoke: false, shutdown: false } }
            Accept
            ExtensionRegistered { extension: internal4, is_external: false, events: ExtensionEvents { invoke: false, shutdown: false } }
            Accept
            ExtensionRegistered { extension: internal5, is_external: false, events: ExtensionEvents { invoke: false, shutdown: false } }
            Accept
            ExtensionRegistered { extension: internal6, is_external: false, events: ExtensionEvents { invoke: false, shutdown: false } }
            Accept
            ExtensionRegistered { extension: internal7, is_external: false, events: ExtensionEvents { invoke: false, shutdown: false } }
            Accept
            ExtensionRegistered { extension: internal8, is_external: false, events: ExtensionEvents { invoke: false, shutdown: false } }
            Accept
            ExtensionRegistered { extension: internal9, is_external: false, events: ExtensionEvents { invoke: false, shutdown: false } }
            Extension.InvalidExtensionState: Extension with this name already registered
            Extension.TooManyExtensions: Extension limit (10) reached
            runtime init done: success
            Park
            Extension.RegistrationClosed: Extension registration closed already
            Accept
            Subscribe(e0)
            TelemetrySubscribed { extension: e0, api: Telemetry, types: TelemetryTypes { platform: false, function: false, extension: false } }
        "#]],
    );
}

#[test]
fn eleven_programs_are_too_many() {
    check_with(
        11,
        &[(0, Event::Init)],
        expect![[r#"
        InitStarted { phase: Init }
        deadline in 10 s
        Renew
        runtime init done: error
        e0 came out of init: Started [] 
        e1 came out of init: Started [] 
        e2 came out of init: Started [] 
        e3 came out of init: Started [] 
        e4 came out of init: Started [] 
        e5 came out of init: Started [] 
        e6 came out of init: Started [] 
        e7 came out of init: Started [] 
        e8 came out of init: Started [] 
        e9 came out of init: Started [] 
        e10 came out of init: LaunchError [] TooManyExtensions
        init done in Init: error Extension.LaunchError
        ResetStarted { reason: Failure }
        KillAll
        Settled
    "#]],
    );
}

#[test]
fn an_extension_subscribes_by_one_of_two_interfaces_and_only_in_init() {
    let (_, id) = an_extension(0);
    let types = TelemetryTypes { platform: true, function: false, extension: false };
    let subscribes = |api| Event::ExtensionSubscribes { id, api, types };
    check_with(
        1,
        &[
            (0, Event::Init),
            (0, subscribes(SubscriptionApi::Telemetry)),
            (0, registers(0, &[])),
            (0, subscribes(SubscriptionApi::Telemetry)),
            (0, subscribes(SubscriptionApi::Telemetry)),
            (0, subscribes(SubscriptionApi::Logs)),
            (0, next_of(0)),
            (0, next()),
            (0, subscribes(SubscriptionApi::Telemetry)),
            (0, subscribes(SubscriptionApi::Logs)),
        ],
        expect![[r#"
            InitStarted { phase: Init }
            deadline in 10 s
            Renew
            StartExtension(0)
            Extension.UnknownExtensionIdentifier: Unknown extension 00000000-0000-4000-8000-0000000ee000
            Accept
            ExtensionStarted { extension: e0 }
            ExtensionRegistered { extension: e0, is_external: true, events: ExtensionEvents { invoke: false, shutdown: false } }
            Boot
            Accept
            Subscribe(e0)
            TelemetrySubscribed { extension: e0, api: Telemetry, types: TelemetryTypes { platform: true, function: false, extension: false } }
            Accept
            Subscribe(e0)
            TelemetrySubscribed { extension: e0, api: Telemetry, types: TelemetryTypes { platform: true, function: false, extension: false } }
            Logs.AccessDenied: The extension e0 is already subscribed to the TelemetryAPI. You must either subscribe to the LogsAPI or the TelemetryAPI
            ExtensionReady { extension: e0 }
            Park
            runtime init done: success
            Park
            e0 came out of init: Ready [] 
            init done in Init: success 
            Settled
            Telemetry.SubscriptionClosed: Telemetry API subscription is closed
            Logs.SubscriptionClosed: Logs API subscription is closed
        "#]],
    );
}
