//! In which order the parts of an environment start, work and end.

use std::thread;

use hearth_tests::{
    Function, Gate, Server, bash_extension, eventually, example_extension, is_alive, lines_of, number_after,
    on_host, position, python, reports, said, scripted,
};
use serde_json::{Value, json};

/// Tells when its module is loaded, when it has an event, and when it is told to end.
const RUNTIME: &str = "
import os, signal, time
def now(): return f'{time.time() * 1000:.0f}'
def terminated(number, frame):
    os.write(1, f'runtime: SIGTERM at {now()}\\n'.encode())
    os._exit(0)
signal.signal(signal.SIGTERM, terminated)
print(f'runtime: loads, at {now()}')
def handler(event, context):
    print(f'runtime: called at {now()}')
    return os.getpid()
";

#[test]
fn extensions_register_before_the_runtime_starts_and_end_after_it_is_gone() {
    let server = Server::start();
    let layer = server.publish_extensions(&[
        ("by-aws", example_extension("events")),
        ("in-bash", bash_extension()),
        ("scripted", scripted(&json!([{ "register": ["INVOKE", "SHUTDOWN"] }, { "events": true }]))),
    ]);
    let function = server.create(python("ordered", RUNTIME).with("Layers", json!([layer])));
    let inside = function.invoke("{}").success().as_u64().unwrap();
    let runtime = on_host(inside);
    function.wait_until_all_are_ready();
    let second = function.invoke("{}");
    assert_eq!(second.success(), inside);
    function.logs_with_reports(2);
    function.wait_until_all_are_ready();
    let ended_ms = epoch_ms();
    function.update_configuration(&json!({ "Timeout": 9 }));
    let names = ["by-aws", "in-bash", "scripted"];
    let events = function.logs_until("three SHUTDOWN events", |events| {
        names.iter().all(|name| said(events, name).iter().any(|line| line.contains("SHUTDOWN")))
    });
    eventually("the runtime is gone", || (!is_alive(runtime)).then_some(()));
    check_record(&function);

    // Extension init and function init, the lines of the platform, the calls, the end.
    let steps = [
        ["INIT_START"; 4],
        [
            "by-aws: registered with ordered $LATEST app.handler",
            "in-bash: registered",
            "scripted: registered",
            "runtime: loads",
        ],
        [
            "EXTENSION\tName: by-aws\t",
            "EXTENSION\tName: in-bash\t",
            "EXTENSION\tName: scripted\t",
            "EXTENSION",
        ],
        ["START RequestId: "; 4],
        ["by-aws: INVOKE ", "in-bash: {\"eventType\":\"INVOKE\"", "scripted: INVOKE", "runtime: called at "],
        ["END RequestId: "; 4],
        ["REPORT RequestId: "; 4],
        [
            "by-aws: SHUTDOWN spindown ",
            "in-bash: {\"eventType\":\"SHUTDOWN\"",
            "scripted: SHUTDOWN spindown ",
            "runtime: SIGTERM at ",
        ],
    ];
    for pair in steps.windows(2) {
        let last = pair[0].map(|text| position(&events, text)).into_iter().max();
        let next = pair[1].map(|text| position(&events, text)).into_iter().min();
        assert!(last < next, "{:?} is not before {:?} in {events:#?}", pair[0], pair[1]);
    }
    assert_eq!(
        lines_of(&events, "EXTENSION"),
        names.map(|name| format!("EXTENSION\tName: {name}\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n"))
    );

    // The clocks of the programs themselves.
    let scripted = said(&events, "scripted");
    let at = |lines: &[&str], start: &str| {
        let line = lines.iter().find(|line| line.starts_with(start));
        number_after(line.unwrap_or_else(|| panic!("no {start} in {lines:?}")), "at ")
    };
    let (terminated, shutdown) = (at(&said(&events, "runtime"), "SIGTERM"), at(&scripted, "SHUTDOWN"));
    assert!(terminated <= shutdown, "SIGTERM at {terminated}, SHUTDOWN at {shutdown}");
    // The deadline is two seconds after the end began, and what was left of them is told.
    let deadline = number_after(scripted.last().unwrap(), "spindown ");
    assert!((1_900.0..3_000.0).contains(&(deadline - ended_ms)), "{deadline} - {ended_ms}");
    assert!((1_000.0..=2_000.0).contains(&(deadline - shutdown)), "{deadline} - {shutdown}");

    // Each invocation under its own id, once.
    let invoked: Vec<&str> =
        scripted.iter().filter_map(|line| line.strip_prefix("INVOKE ")?.split(' ').next()).collect();
    assert_eq!(invoked.len(), 2, "{scripted:?}");
    assert_eq!(invoked[1], second.request_id());
    assert_eq!(reports(&events).len(), 2);
}

/// What the record says of the environment, by the server's own clock.
fn check_record(function: &Function<'_>) {
    let environment = eventually("the environment has ended", || {
        let environment = function.server().timeline("ordered")["environments"][0].clone();
        let last = environment["spans"].as_array().unwrap().last().unwrap();
        (last["phase"] == "extension-shutdown" && !last["end_ms"].is_null()).then_some(environment)
    });
    let spans = environment["spans"].as_array().unwrap();
    // These are there when somebody is not ready at once.
    let phases: Vec<&str> = spans
        .iter()
        .map(|span| span["phase"].as_str().unwrap())
        .filter(|phase| !["extension-wait", "extension-overhead", "idle"].contains(phase))
        .collect();
    assert_eq!(
        phases,
        [
            "extension-init",
            "runtime-init",
            "function-init",
            "invoke",
            "invoke",
            "runtime-shutdown",
            "extension-shutdown",
        ],
        "{environment:#}"
    );
    let ms = |spans: &Value, phase: &str, edge: &str| {
        let found = spans.as_array().unwrap().iter().find(|span| span["phase"] == phase);
        found.unwrap_or_else(|| panic!("no {phase} in {spans:#}"))[edge].as_f64().unwrap()
    };
    let lanes = environment["extensions"].as_array().unwrap();
    assert_eq!(lanes.len(), 3, "{environment:#}");
    for lane in lanes {
        let (all, own) = (&environment["spans"], &lane["spans"]);
        assert!(ms(own, "registration", "end_ms") <= ms(all, "runtime-init", "start_ms"), "{environment:#}");
        assert!(ms(own, "init", "end_ms") <= ms(all, "invoke", "start_ms"), "{environment:#}");
        assert!(ms(own, "shutdown", "start_ms") >= ms(all, "runtime-shutdown", "end_ms"), "{environment:#}");
        assert!(ms(own, "shutdown", "end_ms") <= ms(all, "extension-shutdown", "end_ms"), "{environment:#}");
        assert_eq!(own.as_array().unwrap().last().unwrap()["killed"], false, "{environment:#}");
    }
}

fn epoch_ms() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() * 1_000.0
}

#[test]
fn a_function_with_layers_but_without_a_folder_of_extensions_has_none() {
    let server = Server::start();
    let layer = server.publish_layer("plain", &hearth_tests::Package::new().file("extensions.txt", "x"));
    // A folder in the folder is none either.
    let nested = hearth_tests::Package::new().program("extensions/folder/program", "#!/bin/sh\nexit 1\n");
    let nested = server.publish_layer("nested", &nested);
    let source = "def handler(event, context): return 1\n";
    let function = server.create(python("without", source).with("Layers", json!([layer, nested])));
    assert_eq!(function.invoke("{}").success(), 1);
    assert_eq!(lines_of(&function.logs_with_reports(1), "EXTENSION").len(), 0);
}

#[test]
fn an_extension_that_is_not_ready_holds_up_the_first_call_but_not_the_init_of_the_function() {
    let server = Server::start();
    let gate = Gate::new();
    let steps = json!([{ "register": ["INVOKE"] }, { "gate": gate.number() }, { "events": true }]);
    let layer = server.publish_extensions(&[("unready", scripted(&steps))]);
    let function = server.create(python("held", RUNTIME).with("Layers", json!([layer])));
    thread::scope(|scope| {
        let call = scope.spawn(|| function.invoke("{}").success());
        gate.wait_for(1);
        let events =
            function.logs_until("the function is loaded", |events| !said(events, "runtime").is_empty());
        assert!(lines_of(&events, "START").is_empty(), "{events:#?}");
        assert_eq!(function.environments()[0]["state"], "Init");
        assert!(!call.is_finished());
        gate.open();
        call.join().unwrap();
    });
    let events = function.logs_with_reports(1);
    assert_eq!(said(&events, "runtime").len(), 2, "loaded and called once: {events:#?}");
    assert!(position(&events, "unready: INVOKE ") > position(&events, "START RequestId: "), "{events:#?}");
}
