//! Cold starts: the first call of a new function, from sending it to its answer, against the bare start of the same
//! program: for an interpreter, to start and end; for the native runtime, to start and ask for its first event.
//!
//! A new function for each sample: nothing else ends or starts meanwhile, as it would after an update.

use std::process::{Command, Stdio};

use hearth_tests::{Connection, Function, NewFunction, Server, Settings, eventually, hearth_binary};

use crate::bare;
use crate::functions::{Language, invoke_path, native};
use crate::load::Call;
use crate::median::Sides;
use crate::options::Options;
use crate::table::{Bound, Of, Row, Table};

/// A function and its bare start.
struct Kind<'language> {
    label: &'static str,
    new: Box<dyn Fn(&str) -> NewFunction + 'language>,
    bare_ms: Box<dyn Fn() -> f64 + 'language>,
    target: fn(Row) -> Row,
    times_ms: Sides,
    init_ms: Vec<f64>,
}

/// How many runtimes a server boots ahead for a function, where it can.
const PREBOOT: &str = "HEARTH_PREBOOT";

/// Measures cold starts of a native function and of each language's hello worlds, plain: nothing is booted ahead of them.
pub(crate) fn measure(server: &Server, languages: &[Language], options: &Options, table: &mut Table) {
    if knows_variable(PREBOOT) {
        let without = Settings::new().variable(PREBOOT, "0").start();
        measure_kinds(&without, languages, options, table);
        without.stop();
    } else {
        measure_kinds(server, languages, options, table);
    }
}

/// Whether the server can be told something by an environment variable.
fn knows_variable(name: &str) -> bool {
    let help = Command::new(hearth_binary()).args(["serve", "--help"]).stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&help.stdout).contains(&format!("[env: {name}"))
}

fn measure_kinds(server: &Server, languages: &[Language], options: &Options, table: &mut Table) {
    let mut kinds = vec![Kind {
        label: "native",
        new: Box::new(native),
        bare_ms: Box::new(|| bare::native_ms(1)),
        target: |row| row.must(Of::Hearth, Bound::AtMost(5.0)).stretch(3.0),
        times_ms: Sides::default(),
        init_ms: Vec::new(),
    }];
    for language in languages {
        kinds.extend(language.hellos.iter().enumerate().map(|(index, hello)| Kind {
            label: hello.label,
            new: Box::new(|name| hello.function(name)),
            bare_ms: Box::new(|| bare::start_and_end_ms(language.nothing())),
            // The must is about the plain hello world.
            target: if index == 0 { |row| row.must(Of::Ratio, Bound::AtMost(1.4)) } else { |row| row },
            times_ms: Sides::default(),
            init_ms: Vec::new(),
        }));
    }

    // The first round does not count: it reads programs from the disk.
    for round in 0..=options.rounds {
        for (index, kind) in kinds.iter_mut().enumerate() {
            let (call_ms, init_ms) = cold_call(server, (kind.new)(&format!("cold-{index}-{round}")));
            let bare_ms = (kind.bare_ms)();
            if round > 0 {
                kind.times_ms.hearth.push(call_ms);
                kind.times_ms.floor.push(bare_ms);
                kind.init_ms.push(init_ms);
            }
        }
    }

    for kind in kinds {
        let row = Row::over(format!("{}, cold call", kind.label), "ms", &kind.times_ms);
        table.add((kind.target)(row));
        let init_ms = Sides { hearth: kind.init_ms, floor: kind.times_ms.floor };
        table.add(Row::over(format!("{}, its Init Duration", kind.label), "ms", &init_ms));
    }
}

/// Measures whether the size of a package is felt at a cold start, which it should not: deploying does the work.
pub(crate) fn measure_packages(
    server: &Server,
    languages: &[Language],
    options: &Options,
    table: &mut Table,
) {
    for language in languages {
        let hello = &language.hellos[0];
        let mut times_ms = Sides::default();
        for round in 0..=options.rounds {
            // Both are there before the first call, and until after the second: deploying and removing is not measured.
            let large = server.create(with_dependencies(hello.function(&format!("large-{round}"))));
            let small = server.create(hello.function(&format!("small-{round}")));
            // What the last deployment still writes to the disk is felt by whoever is called first.
            let mut in_turns = [&large, &small];
            in_turns.rotate_left(round % 2);
            let mut called = in_turns.map(|function| first_call(function).0);
            called.rotate_right(round % 2);
            let [large_ms, small_ms] = called;
            delete(&large);
            delete(&small);
            // The first round does not count, as above.
            if round > 0 {
                times_ms.hearth.push(large_ms);
                times_ms.floor.push(small_ms);
            }
        }
        let measure = format!("{}, 12 MB package over 1 KB, cold call", hello.label);
        let row = Row::over(measure, "ms", &times_ms).against("1 KB package");
        table.add(row.must(Of::Difference, Bound::AtMost(3.0)));
    }
}

/// Adds 12 MB in 417 files to the one that there is, in folders as a package manager makes them.
fn with_dependencies(new: NewFunction) -> NewFunction {
    // Half of it is new to a compressor, as it is of text.
    let mut state = 1_u32;
    let mut text = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("{state:08x}")
    };
    (0..417).fold(new, |new, number| {
        let content: String = (0..3_600).map(|_| text()).collect();
        new.file(&format!("node_modules/package-{}/lib/{number}.txt", number % 40), &content)
    })
}

/// Creates a function, calls it once and deletes it. Returns how long the call took, and the Init phase in it.
pub(crate) fn cold_call(server: &Server, new: NewFunction) -> (f64, f64) {
    let function = server.create(new);
    let times = first_call(&function);
    delete(&function);
    times
}

/// Calls a function for the first time. Returns how long that took, and the Init phase in it, in milliseconds.
///
/// # Panics
/// When the call was not cold.
fn first_call(function: &Function<'_>) -> (f64, f64) {
    let server = function.server();
    let call = Call::new(&invoke_path(function.name()), "{}");
    let mut connection = Connection::open(&server.address().to_string()).unwrap();
    assert!(function.environments().is_empty(), "an environment that nobody has called for");
    let call_ms = call.timed(&mut connection) / 1e3;

    // The REPORT may come after the answer.
    let invocation = eventually("the invocation is recorded", || {
        server.timeline(function.name())["invocations"].as_array()?.first().cloned()
    });
    assert!(invocation["why_cold"].is_string(), "not a cold call: {invocation:#}");
    (call_ms, invocation["init_ms"].as_f64().unwrap())
}

/// Deletes a function, and waits until nothing of it runs.
fn delete(function: &Function<'_>) {
    function.delete();
    eventually("the environment is gone", || function.environments().is_empty().then_some(()));
}
