//! Cold starts: the first call of a new function, from sending it to its answer, against the bare start of the same
//! program: for an interpreter, to start and end; for the native runtime, to start and ask for its first event.
//!
//! A new function for each sample: nothing else ends or starts meanwhile, as it would after an update.

use hearth_tests::{NewFunction, Server, eventually};

use crate::bare;
use crate::connection::Connection;
use crate::functions::{Language, invoke_path, native};
use crate::load::Call;
use crate::median::{Sides, median};
use crate::options::Options;
use crate::table::{Bound, Of, Row, Table};

/// A function and its bare start.
struct Kind<'language> {
    label: &'static str,
    new: Box<dyn Fn(&str) -> NewFunction + 'language>,
    bare_ms: Box<dyn Fn() -> f64 + 'language>,
    target: Option<Target>,
    times_ms: Sides,
    init_ms: Vec<f64>,
}

#[derive(Clone, Copy)]
enum Target {
    Must(Of, Bound),
    Goal(Of, Bound),
}

/// Measures cold starts of a native function and of each language's hello worlds.
pub(crate) fn measure(server: &Server, languages: &[Language], options: &Options, table: &mut Table) {
    let mut kinds = vec![Kind {
        label: "native",
        new: Box::new(native),
        bare_ms: Box::new(|| bare::native_ms(1)),
        target: Some(Target::Goal(Of::Hearth, Bound::AtMost(5.0))),
        times_ms: Sides::default(),
        init_ms: Vec::new(),
    }];
    for language in languages {
        kinds.extend(language.hellos.iter().enumerate().map(|(index, hello)| Kind {
            label: hello.label,
            new: Box::new(|name| hello.function(name)),
            bare_ms: Box::new(|| bare::start_and_end_ms(language.nothing())),
            // The must is about the plain hello world.
            target: (index == 0).then_some(Target::Must(Of::Ratio, Bound::AtMost(1.3))),
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
        let row = Row::over(format!("{}, cold call", kind.label), "ms", kind.times_ms.medians());
        table.add(match kind.target {
            Some(Target::Must(of, bound)) => row.must(of, bound),
            Some(Target::Goal(of, bound)) => row.goal(of, bound),
            None => row,
        });
        let bare = median(&kind.times_ms.floor);
        table.add(Row::over(
            format!("{}, its Init Duration", kind.label),
            "ms",
            (median(&kind.init_ms), bare),
        ));
    }
}

/// Creates a function, calls it once and deletes it. Returns how long the call took, and the Init phase in it.
///
/// # Panics
/// When the call was not cold.
fn cold_call(server: &Server, new: NewFunction) -> (f64, f64) {
    let function = server.create(new);
    let call = Call::new(&invoke_path(function.name()), "{}");
    let mut connection = Connection::open(&server.address().to_string()).unwrap();
    assert!(server.environments(function.name()).is_empty(), "an environment that nobody has called for");
    let call_ms = call.timed(&mut connection) / 1e3;

    // The REPORT may come after the answer.
    let invocation = eventually("the invocation is recorded", || {
        server.timeline(function.name())["invocations"].as_array()?.first().cloned()
    });
    assert!(invocation["why_cold"].is_string(), "not a cold call: {invocation:#}");
    let init_ms = invocation["init_ms"].as_f64().unwrap();
    function.delete();
    eventually("the environment is gone", || server.environments(function.name()).is_empty().then_some(()));
    (call_ms, init_ms)
}
