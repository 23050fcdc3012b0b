use std::fmt::Write as _;

use expect_test::{Expect, expect};
use hearth_types::{ExtensionEvents, ExtensionState};

use super::*;
use crate::record::{InitPhase, ResetReason, ShutdownReason};

const FAST: &str = "fast";
const SLOW: &str = "slow";
const INVOKE_AND_SHUTDOWN: ExtensionEvents = ExtensionEvents { invoke: true, shutdown: true };

/// A record that is written by hand: each step at its own millisecond.
struct Record {
    zero: Instant,
    steps: Vec<Step>,
    calls: Vec<RequestId>,
}

impl Record {
    fn new() -> Self {
        Self { zero: Instant::now(), steps: Vec::new(), calls: Vec::new() }
    }

    fn at(mut self, ms: u64, event: LifecycleEvent) -> Self {
        self.steps.push((self.zero + Duration::from_millis(ms), event, None));
        self
    }

    fn init_started(self, ms: u64) -> Self {
        self.at(ms, LifecycleEvent::InitStarted { phase: InitPhase::Init })
    }

    fn started(self, ms: u64, extension: &str) -> Self {
        self.at(ms, LifecycleEvent::ExtensionStarted { extension: name(extension) })
    }

    fn registered(self, ms: u64, extension: &str, is_external: bool, events: ExtensionEvents) -> Self {
        let extension = name(extension);
        self.at(ms, LifecycleEvent::ExtensionRegistered { extension, is_external, events })
    }

    fn ready(self, ms: u64, extension: &str) -> Self {
        self.at(ms, LifecycleEvent::ExtensionReady { extension: name(extension) })
    }

    fn runtime_init_done(self, ms: u64, status: PhaseStatus) -> Self {
        self.at(ms, LifecycleEvent::RuntimeInitDone { phase: InitPhase::Init, status })
    }

    fn reported(self, ms: u64, extension: &str, state: ExtensionState, error_type: Option<&str>) -> Self {
        let error_type = error_type.map(str::to_owned);
        let (extension, events) = (name(extension), ExtensionEvents::default());
        self.at(ms, LifecycleEvent::ExtensionReported { extension, state, events, error_type })
    }

    fn init_done(self, ms: u64, status: PhaseStatus) -> Self {
        self.at(ms, LifecycleEvent::InitDone { phase: InitPhase::Init, status })
    }

    /// Starts the next invocation.
    fn invoke(mut self, ms: u64) -> Self {
        let request_id = RequestId::random();
        self.calls.push(request_id);
        self.at(
            ms,
            LifecycleEvent::InvokeStarted {
                request_id,
                why_cold: None,
                particulars: None,
                trace: None,
                arrived: Instant::now(),
            },
        )
    }

    fn runtime_done(self, ms: u64, status: PhaseStatus) -> Self {
        let request_id = *self.calls.last().unwrap();
        self.at(ms, LifecycleEvent::RuntimeDone { request_id, status })
    }

    fn done(self, ms: u64, extension: &str) -> Self {
        self.at(ms, LifecycleEvent::ExtensionDone { extension: name(extension) })
    }

    fn invoke_done(self, ms: u64, status: PhaseStatus) -> Self {
        let request_id = *self.calls.last().unwrap();
        let event = LifecycleEvent::InvokeDone { request_id, status: status.clone(), memory_bytes_max: 0 };
        let mut record = self.at(ms, event);
        record.steps.last_mut().unwrap().2 = Some(Report {
            duration: Duration::from_millis(1),
            billed_ms: 1,
            memory_size_mb: 128,
            max_memory_used_mb: 1,
            init_duration: None,
            restore: None,
            status,
        });
        record
    }

    fn shutdown_sent(self, ms: u64, extension: &str) -> Self {
        let (extension, deadline) = (name(extension), self.zero + Duration::from_secs(3_600));
        self.at(ms, LifecycleEvent::ExtensionShutdownSent { extension, deadline })
    }

    fn gone(self, ms: u64, extension: &str, killed: bool) -> Self {
        self.at(ms, LifecycleEvent::ExtensionGone { extension: name(extension), killed })
    }

    fn shutdown_started(self, ms: u64) -> Self {
        self.at(ms, LifecycleEvent::ShutdownStarted { reason: ShutdownReason::IdleTimeout })
    }

    /// Two external extensions become ready, `slow` after the runtime.
    fn two_become_ready(self) -> Self {
        self.init_started(0)
            .started(2, FAST)
            .started(3, SLOW)
            .registered(10, FAST, true, INVOKE_AND_SHUTDOWN)
            .registered(30, SLOW, true, INVOKE_AND_SHUTDOWN)
            .at(31, LifecycleEvent::RuntimeStarted)
            .ready(12, FAST)
            .at(70, LifecycleEvent::FunctionInitStarted)
            .runtime_init_done(90, PhaseStatus::Success)
            .ready(120, SLOW)
            .reported(120, FAST, ExtensionState::Ready, None)
            .reported(120, SLOW, ExtensionState::Ready, None)
            .init_done(120, PhaseStatus::Success)
    }

    fn call(&self, request_id: Option<RequestId>) -> String {
        let number = |id| self.calls.iter().position(|call| *call == id).map(|at| at + 1);
        request_id.map_or(String::new(), |id| format!(" #{}", number(id).unwrap()))
    }

    fn range(&self, start: Instant, end: Option<Instant>) -> String {
        let ms = |at: Instant| at.duration_since(self.zero).as_millis().to_string();
        format!("{}..{}", ms(start), end.map_or_else(|| "-".to_owned(), ms))
    }

    /// Writes everything that is derived, one span or invocation a line.
    fn check(&self, expected: Expect) {
        let mut text = String::new();
        for span in spans(&self.steps) {
            let status = span.status.map_or(String::new(), |status| format!(" {}", words(&status)));
            let call = self.call(span.request_id);
            writeln!(text, "{} {}{call}{status}", self.range(span.start, span.end), span.phase.as_str())
                .unwrap();
        }
        for lane in extensions(&self.steps) {
            let kind = match lane.is_external {
                Some(true) => "external",
                Some(false) => "internal",
                None => "unknown",
            };
            let events = lane.events.map(|events| events.names().join(", "));
            writeln!(text, "{}: {kind}, {}", lane.name, events.unwrap_or_else(|| "unregistered".to_owned()))
                .unwrap();
            for span in &lane.spans {
                let killed = if span.killed { " killed" } else { "" };
                let failure =
                    span.failure.as_ref().map_or(String::new(), |status| format!(" {}", words(status)));
                let call = self.call(span.request_id);
                let (range, phase) = (self.range(span.start, span.end), span.phase.as_str());
                writeln!(text, "  {range} {phase}{call}{failure}{killed}").unwrap();
            }
        }
        for summary in invocations(EnvironmentId::random(), &self.steps) {
            write!(text, "invocation{}:", self.call(Some(summary.request_id))).unwrap();
            let parts = [
                ("extension init", summary.extension_init),
                ("runtime init", summary.runtime_init),
                ("function init", summary.function_init),
                ("extension wait", summary.extension_wait),
                ("extension overhead", summary.extension_overhead),
            ];
            let after = summary.after_call.iter().map(|(name, time)| (name.as_str(), Some(*time)));
            for (what, time) in parts.into_iter().chain(after) {
                if let Some(time) = time {
                    write!(text, " {what} {} ms,", time.as_millis()).unwrap();
                }
            }
            writeln!(text, " {}", words(&summary.report.status)).unwrap();
        }
        expected.assert_eq(&text);
    }
}

fn name(text: &str) -> ExtensionName {
    ExtensionName::new(text).unwrap()
}

fn error(error_type: &str) -> PhaseStatus {
    PhaseStatus::Error { error_type: error_type.to_owned() }
}

fn words(status: &PhaseStatus) -> String {
    let error_type = status.error_type().map_or(String::new(), |error_type| format!(" {error_type}"));
    status.as_str().to_owned() + &error_type
}

#[test]
fn without_extensions_only_the_runtime_and_its_phases_are_seen() {
    Record::new()
        .init_started(0)
        .at(1, LifecycleEvent::RuntimeStarted)
        .at(70, LifecycleEvent::FunctionInitStarted)
        .runtime_init_done(90, PhaseStatus::Success)
        .init_done(90, PhaseStatus::Success)
        .invoke(90)
        .runtime_done(100, PhaseStatus::Success)
        .invoke_done(100, PhaseStatus::Success)
        .invoke(110)
        .runtime_done(140, error("Runtime.ExitError"))
        .invoke_done(140, error("Runtime.ExitError"))
        .at(140, LifecycleEvent::ResetStarted { reason: ResetReason::Failure })
        .at(145, LifecycleEvent::ResetDone)
        .shutdown_started(500)
        .at(501, LifecycleEvent::RuntimeGone { killed: true })
        .at(502, LifecycleEvent::ShutdownDone)
        .check(expect![[r#"
            0..70 runtime-init
            70..90 function-init success
            90..100 invoke #1 success
            100..110 idle
            110..140 invoke #2 error Runtime.ExitError
            140..145 reset
            145..500 idle
            500..502 shutdown
            invocation #1: runtime init 70 ms, function init 20 ms, success
            invocation #2: error Runtime.ExitError
        "#]]);
}

#[test]
fn two_external_extensions_of_which_one_works_on_after_each_call() {
    Record::new()
        .two_become_ready()
        .invoke(130)
        .done(135, FAST)
        .runtime_done(140, PhaseStatus::Success)
        .done(190, SLOW)
        .invoke_done(190, PhaseStatus::Success)
        .invoke(300)
        .runtime_done(310, PhaseStatus::Success)
        .done(311, FAST)
        .done(361, SLOW)
        .invoke_done(361, PhaseStatus::Success)
        .shutdown_started(1_000)
        .at(1_000, LifecycleEvent::RuntimeTerminated)
        .at(1_020, LifecycleEvent::RuntimeGone { killed: false })
        .shutdown_sent(1_020, FAST)
        .shutdown_sent(1_020, SLOW)
        .gone(1_030, FAST, false)
        .gone(1_100, SLOW, false)
        .at(1_101, LifecycleEvent::ShutdownDone)
        .check(expect![[r#"
            0..31 extension-init
            31..70 runtime-init
            70..90 function-init success
            90..120 extension-wait success
            120..130 idle
            130..140 invoke #1 success
            140..190 extension-overhead #1 success
            190..300 idle
            300..310 invoke #2 success
            310..361 extension-overhead #2 success
            361..1000 idle
            1000..1020 runtime-shutdown
            1020..1101 extension-shutdown
            fast: external, INVOKE, SHUTDOWN
              2..10 registration
              10..12 init
              12..130 idle
              130..135 invoke #1
              135..300 idle
              300..310 invoke #2
              310..311 after-call #2
              311..1020 idle
              1020..1030 shutdown
            slow: external, INVOKE, SHUTDOWN
              3..30 registration
              30..120 init
              120..130 idle
              130..140 invoke #1
              140..190 after-call #1
              190..300 idle
              300..310 invoke #2
              310..361 after-call #2
              361..1020 idle
              1020..1100 shutdown
            invocation #1: extension init 31 ms, runtime init 39 ms, function init 20 ms, extension wait 30 ms, extension overhead 50 ms, fast 0 ms, slow 50 ms, success
            invocation #2: extension overhead 51 ms, fast 1 ms, slow 51 ms, success
        "#]]);
}

#[test]
fn an_internal_extension_lives_in_the_runtime_and_ends_with_it() {
    Record::new()
        .init_started(0)
        .at(1, LifecycleEvent::RuntimeStarted)
        .registered(40, "inside", false, ExtensionEvents { invoke: true, shutdown: false })
        .ready(45, "inside")
        .at(20, LifecycleEvent::FunctionInitStarted)
        .runtime_init_done(60, PhaseStatus::Success)
        .init_done(60, PhaseStatus::Success)
        .invoke(60)
        .runtime_done(70, PhaseStatus::Success)
        .done(75, "inside")
        .invoke_done(75, PhaseStatus::Success)
        .shutdown_started(100)
        .at(100, LifecycleEvent::RuntimeTerminated)
        .at(120, LifecycleEvent::RuntimeGone { killed: false })
        .at(121, LifecycleEvent::ShutdownDone)
        .check(expect![[r#"
            0..20 runtime-init
            20..60 function-init success
            60..70 invoke #1 success
            70..75 extension-overhead #1 success
            75..100 idle
            100..121 shutdown
            inside: internal, INVOKE
              40..45 init
              45..60 idle
              60..70 invoke #1
              70..75 after-call #1
              75..120 idle
            invocation #1: runtime init 20 ms, function init 40 ms, extension wait 0 ms, extension overhead 5 ms, inside 5 ms, success
        "#]]);
}

#[test]
fn an_extension_that_only_wants_the_signal_is_no_overhead_of_a_call() {
    Record::new()
        .init_started(0)
        .at(1, LifecycleEvent::RuntimeStarted)
        .registered(40, "sigterm", false, ExtensionEvents::default())
        .ready(45, "sigterm")
        .runtime_init_done(60, PhaseStatus::Success)
        .init_done(60, PhaseStatus::Success)
        .invoke(60)
        .runtime_done(70, PhaseStatus::Success)
        .invoke_done(70, PhaseStatus::Success)
        .check(expect![[r#"
            0..60 init success
            60..70 invoke #1 success
            70..- idle
            sigterm: internal, 
              40..45 init
              45..- idle
            invocation #1: extension wait 0 ms, extension overhead 0 ms, success
        "#]]);
}

#[test]
fn an_extension_that_fails_in_init_is_named_and_starts_again_in_its_lane() {
    Record::new()
        .init_started(0)
        .started(2, FAST)
        .started(3, SLOW)
        .registered(10, FAST, true, INVOKE_AND_SHUTDOWN)
        .reported(40, FAST, ExtensionState::Registered, None)
        .reported(40, SLOW, ExtensionState::ExitError, Some("Extension.Crash"))
        .init_done(40, error("Extension.Crash"))
        .at(40, LifecycleEvent::ResetStarted { reason: ResetReason::Failure })
        .shutdown_sent(41, FAST)
        .gone(44, FAST, false)
        .at(45, LifecycleEvent::ResetDone)
        .at(50, LifecycleEvent::InitStarted { phase: InitPhase::Invoke })
        .started(51, FAST)
        .started(52, SLOW)
        .registered(60, SLOW, true, INVOKE_AND_SHUTDOWN)
        .check(expect![[r#"
            0..40 extension-init error Extension.Crash
            40..45 reset
            45..50 idle
            50..- extension-init
            fast: external, INVOKE, SHUTDOWN
              2..10 registration
              10..40 init
              41..44 shutdown
              51..- registration
            slow: external, INVOKE, SHUTDOWN
              3..40 registration error Extension.Crash
              52..60 registration
              60..- init
        "#]]);
}

#[test]
fn an_extension_that_could_not_be_started_has_a_lane_that_says_so() {
    Record::new()
        .init_started(0)
        .reported(5, "broken", ExtensionState::Started, Some("PermissionDenied"))
        .init_done(5, error("Extension.LaunchError"))
        .check(expect![[r#"
            0..5 init error Extension.LaunchError
            5..- idle
            broken: unknown, unregistered
              5..5 registration error PermissionDenied
        "#]]);
}

#[test]
fn who_does_not_end_in_the_shutdown_is_killed() {
    Record::new()
        .two_become_ready()
        .shutdown_started(1_000)
        .at(1_000, LifecycleEvent::RuntimeTerminated)
        .at(1_300, LifecycleEvent::RuntimeGone { killed: true })
        .shutdown_sent(1_300, FAST)
        .shutdown_sent(1_300, SLOW)
        .gone(1_310, FAST, false)
        .gone(3_000, SLOW, true)
        .at(3_001, LifecycleEvent::ShutdownDone)
        .check(expect![[r#"
            0..31 extension-init
            31..70 runtime-init
            70..90 function-init success
            90..120 extension-wait success
            120..1000 idle
            1000..1300 runtime-shutdown
            1300..3001 extension-shutdown
            fast: external, INVOKE, SHUTDOWN
              2..10 registration
              10..12 init
              12..1300 idle
              1300..1310 shutdown
            slow: external, INVOKE, SHUTDOWN
              3..30 registration
              30..120 init
              120..1300 idle
              1300..3000 shutdown killed
        "#]]);
}

#[test]
fn an_extension_that_overruns_the_time_out_is_reset_with_everything() {
    Record::new()
        .two_become_ready()
        .invoke(130)
        .runtime_done(140, PhaseStatus::Success)
        .done(150, FAST)
        .invoke_done(3_130, PhaseStatus::Timeout)
        .at(3_130, LifecycleEvent::ResetStarted { reason: ResetReason::Timeout })
        .at(3_140, LifecycleEvent::RuntimeGone { killed: false })
        .shutdown_sent(3_140, FAST)
        .shutdown_sent(3_140, SLOW)
        .gone(3_150, FAST, false)
        .gone(5_130, SLOW, true)
        .at(5_131, LifecycleEvent::ResetDone)
        .check(expect![[r#"
            0..31 extension-init
            31..70 runtime-init
            70..90 function-init success
            90..120 extension-wait success
            120..130 idle
            130..140 invoke #1 success
            140..3130 extension-overhead #1 timeout
            3130..5131 reset
            5131..- idle
            fast: external, INVOKE, SHUTDOWN
              2..10 registration
              10..12 init
              12..130 idle
              130..140 invoke #1
              140..150 after-call #1
              150..3140 idle
              3140..3150 shutdown
            slow: external, INVOKE, SHUTDOWN
              3..30 registration
              30..120 init
              120..130 idle
              130..140 invoke #1
              140..3130 after-call #1 timeout
              3130..3140 idle
              3140..5130 shutdown killed
            invocation #1: extension init 31 ms, runtime init 39 ms, function init 20 ms, extension wait 30 ms, extension overhead 2990 ms, fast 10 ms, slow 2990 ms, timeout
        "#]]);
}

#[test]
fn a_runtime_that_overruns_the_time_out_takes_the_extensions_with_it() {
    Record::new()
        .two_become_ready()
        .invoke(130)
        .done(150, FAST)
        .runtime_done(3_130, PhaseStatus::Timeout)
        .invoke_done(3_130, PhaseStatus::Timeout)
        .at(3_130, LifecycleEvent::ResetStarted { reason: ResetReason::Timeout })
        .at(3_131, LifecycleEvent::RuntimeGone { killed: true })
        .gone(3_131, FAST, true)
        .gone(3_131, SLOW, true)
        .at(3_132, LifecycleEvent::ResetDone)
        .check(expect![[r#"
            0..31 extension-init
            31..70 runtime-init
            70..90 function-init success
            90..120 extension-wait success
            120..130 idle
            130..3130 invoke #1 timeout
            3130..3132 reset
            3132..- idle
            fast: external, INVOKE, SHUTDOWN
              2..10 registration
              10..12 init
              12..130 idle
              130..150 invoke #1
              150..3131 idle killed
            slow: external, INVOKE, SHUTDOWN
              3..30 registration
              30..120 init
              120..130 idle
              130..3130 invoke #1
              3130..3131 idle killed
            invocation #1: extension init 31 ms, runtime init 39 ms, function init 20 ms, extension wait 30 ms, extension overhead 0 ms, fast 0 ms, slow 0 ms, timeout
        "#]]);
}

#[test]
fn a_record_that_has_lost_its_beginning_still_knows_its_extensions() {
    let mut record = Record::new()
        .two_become_ready()
        .invoke(130)
        .runtime_done(140, PhaseStatus::Success)
        .done(141, FAST)
        .done(190, SLOW)
        .invoke_done(190, PhaseStatus::Success)
        .invoke(300)
        .runtime_done(310, PhaseStatus::Success)
        .done(320, SLOW)
        .invoke_done(320, PhaseStatus::Success);
    let second =
        record.steps.iter().rposition(|(_, event, _)| matches!(event, LifecycleEvent::InvokeStarted { .. }));
    record.steps.drain(..second.unwrap());
    record.check(expect![[r#"
        300..310 invoke #2 success
        310..320 extension-overhead #2 success
        320..- idle
        slow: unknown, INVOKE
          300..310 invoke #2
          310..320 after-call #2
          320..- idle
        invocation #2: extension overhead 10 ms, slow 10 ms, success
    "#]]);
}
