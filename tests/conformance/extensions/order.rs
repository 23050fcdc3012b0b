//! In which order the parts of an environment start, work and end.

use hearth_tests::{
    Server, bash_extension, eventually, example_extension, is_alive, lines_of, number_after, position,
    python, reports, said, scripted,
};
use serde_json::json;

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
    let runtime = function.invoke("{}").success().as_u64().unwrap();
    function.wait_until_all_are_ready();
    let second = function.invoke("{}");
    assert_eq!(second.success(), runtime);
    function.logs_with_reports(2);
    let deleted_ms = epoch_ms();
    function.delete();
    let events = function.logs_until("three SHUTDOWN events", |events| {
        ["by-aws", "in-bash", "scripted"]
            .iter()
            .all(|name| said(events, name).iter().any(|line| line.contains("SHUTDOWN")))
    });
    eventually("the runtime is gone", || (!is_alive(runtime)).then_some(()));

    // Extension init, runtime and function init, the lines of the platform, the calls, the end.
    let steps = [
        ["INIT_START"; 3],
        [
            "by-aws: registered with ordered $LATEST app.handler",
            "in-bash: registered",
            "scripted: registered",
        ],
        ["runtime: loads"; 3],
        ["EXTENSION\tName: by-aws\t", "EXTENSION\tName: in-bash\t", "EXTENSION\tName: scripted\t"],
        ["START RequestId: "; 3],
        ["by-aws: INVOKE ", "in-bash: {\"eventType\":\"INVOKE\"", "runtime: called at "],
        ["END RequestId: "; 3],
        ["REPORT RequestId: "; 3],
        ["runtime: SIGTERM at "; 3],
        [
            "by-aws: SHUTDOWN spindown ",
            "in-bash: {\"eventType\":\"SHUTDOWN\"",
            "scripted: SHUTDOWN spindown ",
        ],
    ];
    for pair in steps.windows(2) {
        let last = pair[0].map(|text| position(&events, text)).into_iter().max();
        let next = pair[1].map(|text| position(&events, text)).into_iter().min();
        assert!(last < next, "{:?} is not before {:?} in {events:#?}", pair[0], pair[1]);
    }
    assert_eq!(
        lines_of(&events, "EXTENSION"),
        ["by-aws", "in-bash", "scripted"]
            .map(|name| format!("EXTENSION\tName: {name}\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n"))
    );

    // The clocks of the programs themselves: nothing depends on when their lines arrived.
    let scripted = said(&events, "scripted");
    let at = |lines: &[&str], start: &str| {
        let line = lines.iter().find(|line| line.starts_with(start));
        number_after(line.unwrap_or_else(|| panic!("no {start} in {lines:?}")), "at ")
    };
    let runtime_said = said(&events, "runtime");
    let (registered, loads) = (at(&scripted, "registered"), at(&runtime_said, "loads"));
    assert!(registered <= loads, "registered at {registered}, the runtime started at {loads}");
    let (terminated, shutdown) = (at(&runtime_said, "SIGTERM"), at(&scripted, "SHUTDOWN"));
    assert!(terminated <= shutdown, "SIGTERM at {terminated}, SHUTDOWN at {shutdown}");
    // The deadline is two seconds after the end began, and what was left of them is told.
    let deadline = number_after(scripted.last().unwrap(), "spindown ");
    assert!(deadline - deleted_ms > 1_900.0 && deadline - deleted_ms < 2_500.0, "{deadline} - {deleted_ms}");
    assert!(deadline > shutdown, "{deadline} is not after {shutdown}");

    // Each invocation under its own id, once.
    let invoked: Vec<&str> =
        scripted.iter().filter_map(|line| line.strip_prefix("INVOKE ")?.split(' ').next()).collect();
    assert_eq!(invoked.len(), 2, "{scripted:?}");
    assert_eq!(invoked[1], second.request_id());
    assert_eq!(reports(&events).len(), 2);
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
