//! Extensions that fail the Init.

use std::time::Instant;

use expect_test::expect;
use hearth_tests::{Package, Server, eventually, lines_of, number_after, python, reports, running, scripted};
use serde_json::{Value, json};

use super::{PLAIN, assert_others_work, reported, wait_until_nothing_runs, with_extension};

#[test]
fn case_056_an_extension_that_never_registers_or_never_asks_for_events_is_cut_with_the_init_and_all_its_children()
 {
    let server = Server::start();
    let check = |name: &str, steps: Value, child: &str| {
        let function = server.create(with_extension(&server, name, &steps).timeout(1));
        let started = Instant::now();
        assert_eq!(
            function.invoke("{}").function_error(),
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: <id> Error: Task timed out after 1.00 seconds"}"#
        );
        let elapsed = started.elapsed().as_secs_f64();
        assert!(
            (11.0..16.0).contains(&elapsed),
            "10 s of Init, 1 s of the call, and resets, not {elapsed} s"
        );
        eventually("nothing of it is left", || (running(child) == 0).then_some(()));
        let events = function.logs_with_reports(1);
        let cut = lines_of(&events, "INIT_REPORT");
        assert!(cut[0].ends_with("\tPhase: init\tStatus: timeout\n"), "{cut:?}");
        assert!((9_900.0..10_600.0).contains(&number_after(cut[0], "Init Duration: ")), "{cut:?}");
        assert!(reports(&events)[0].ends_with("\tStatus: timeout\n"), "{events:#?}");
        events
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let steps = json!([{ "ignore": "SIGTERM" }, { "child": "31536056.1" }, { "hang": true }]);
            let events = check("silent", steps, "31536056.1");
            // The runtime waits for the registration, and never starts.
            assert!(lines_of(&events, "EXTENSION\tName: bad\tState: Started\t").len() == 2, "{events:#?}");
        });
        let steps = json!([{ "register": ["INVOKE"] }, { "child": "31536056.2" }, { "hang": true }]);
        let events = check("unready", steps, "31536056.2");
        assert!(lines_of(&events, "EXTENSION\tName: bad\tState: Registered\t").len() == 2, "{events:#?}");
    });
    assert_others_work(&server);
}

#[test]
fn case_059_eleven_programs_fail_the_init() {
    let server = Server::start();
    let steps = json!([{ "register": [] }, { "events": true }]);
    let names: Vec<String> = (10..=20).map(|number| format!("extension-{number}")).collect();
    let programs: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), scripted(&steps))).collect();
    let all = server.publish_extensions(&programs);
    let function = server.create(python("crowded", PLAIN).with("Layers", json!([all])));
    let error: Value = serde_json::from_str(&function.invoke("{}").function_error()).unwrap();
    assert_eq!(error["errorType"], "Extension.LaunchError", "{error}");
    let events = function.logs_with_reports(1);
    let refused = lines_of(&events, "EXTENSION\tName: extension-20\tState: LaunchError\t");
    assert_eq!(
        refused,
        ["EXTENSION\tName: extension-20\tState: LaunchError\tEvents: []\tError Type: TooManyExtensions\n"; 2]
    );
    // Ten of them are fine.
    let ten = server.publish_extensions(&programs[..10]);
    function.update_configuration(&json!({ "Layers": [ten] }));
    function.invoke("{}").success();
}

/// What the caller gets when the extension takes these steps, how its Init or call is reported, and its EXTENSION lines.
fn ends_with(steps: &Value) -> String {
    let server = Server::start();
    let function = server.create(with_extension(&server, "ending", steps).timeout(5));
    let error = function.invoke("{}").function_error();
    let events = function.logs_with_reports(1);
    let report = reports(&events)[0].trim_end();
    let (_, status) = report.split_once("\tStatus: ").unwrap_or((report, "none"));
    let inits = lines_of(&events, "INIT_REPORT").len();
    let extension: String = lines_of(&events, "EXTENSION").concat().replace('\t', " ");
    wait_until_nothing_runs(&server);
    format!("{error}\n{}, {inits} failed Inits\n{extension}", status.replace('\t', ", "))
}

#[test]
fn an_extension_that_ends_in_init_fails_it_whatever_its_exit_code() {
    let mut seen = String::new();
    for steps in [
        json!([{ "exit": 0 }]),
        json!([{ "register": ["INVOKE"] }, { "exit": 1 }]),
        json!([{ "register": ["INVOKE"] }, { "signal": "SIGKILL" }, { "hang": true }]),
        json!([{ "register": [] }, { "signal": "SIGSEGV" }, { "hang": true }]),
    ] {
        seen += &ends_with(&steps);
    }
    expect![[r#"
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: exit code 0"}
        error, Error Type: Extension.Crash, 2 failed Inits
        EXTENSION Name: bad State: Exited Events: [] Error Type: Extension.Crash
        EXTENSION Name: bad State: Exited Events: [] Error Type: Extension.Crash
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: exit status 1"}
        error, Error Type: Extension.Crash, 2 failed Inits
        EXTENSION Name: bad State: Exited Events: [INVOKE] Error Type: Extension.Crash
        EXTENSION Name: bad State: Exited Events: [INVOKE] Error Type: Extension.Crash
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: signal: killed"}
        error, Error Type: Extension.Crash, 2 failed Inits
        EXTENSION Name: bad State: Exited Events: [INVOKE] Error Type: Extension.Crash
        EXTENSION Name: bad State: Exited Events: [INVOKE] Error Type: Extension.Crash
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: signal: segmentation fault"}
        error, Error Type: Extension.Crash, 2 failed Inits
        EXTENSION Name: bad State: Exited Events: [] Error Type: Extension.Crash
        EXTENSION Name: bad State: Exited Events: [] Error Type: Extension.Crash
    "#]]
    .assert_eq(&seen);
}

#[test]
fn an_extension_that_reports_that_its_init_failed_fails_it() {
    let report = |error_type| {
        json!([
            { "register": ["INVOKE"] }, reported("POST {extension}/init/error", error_type), { "hang": true },
        ])
    };
    let mut seen = String::new();
    for error_type in ["Extension.NoSuchKey", "not a type"] {
        seen += &ends_with(&report(error_type));
    }
    expect![[r#"
        {"errorType":"Extension.NoSuchKey","errorMessage":"RequestId: <id> Error: mine"}
        error, Error Type: Extension.NoSuchKey, 2 failed Inits
        EXTENSION Name: bad State: InitError Events: [INVOKE] Error Type: Extension.NoSuchKey
        EXTENSION Name: bad State: InitError Events: [INVOKE] Error Type: Extension.NoSuchKey
        {"errorType":"Extension.InitError","errorMessage":"RequestId: <id> Error: mine"}
        error, Error Type: Extension.InitError, 2 failed Inits
        EXTENSION Name: bad State: InitError Events: [INVOKE] Error Type: Extension.InitError
        EXTENSION Name: bad State: InitError Events: [INVOKE] Error Type: Extension.InitError
    "#]]
    .assert_eq(&seen);
}

#[test]
fn an_extension_that_cannot_be_started_is_a_launch_error() {
    let server = Server::start();
    let mut seen = String::new();
    let programs = [
        ("not-executable", Package::new().file("extensions/bad", "#!/bin/sh\n")),
        ("no-interpreter", Package::new().program("extensions/bad", "#!/no/such/interpreter\n")),
        ("garbage", Package::new().program("extensions/bad", [0_u8, 1, 2, 3])),
        ("empty", Package::new().program("extensions/bad", "")),
    ];
    for (name, package) in programs {
        let layer = server.publish_layer(name, &package);
        let function = server.create(python(name, PLAIN).with("Layers", json!([layer])));
        let error: Value = serde_json::from_str(&function.invoke("{}").function_error()).unwrap();
        let events = function.logs_with_reports(1);
        let lines = lines_of(&events, "EXTENSION");
        assert_eq!(lines.len(), 2, "{lines:?}");
        seen += &format!("{name}: {}\n  {}", error["errorType"], lines[0].replace('\t', " "));
    }
    expect![[r#"
        not-executable: "Extension.LaunchError"
          EXTENSION Name: bad State: LaunchError Events: [] Error Type: PermissionDenied
        no-interpreter: "Extension.LaunchError"
          EXTENSION Name: bad State: LaunchError Events: [] Error Type: UnknownError
        garbage: "Extension.LaunchError"
          EXTENSION Name: bad State: LaunchError Events: [] Error Type: UnknownError
        empty: "Extension.LaunchError"
          EXTENSION Name: bad State: LaunchError Events: [] Error Type: UnknownError
    "#]]
    .assert_eq(&seen);
    assert_others_work(&server);
}
