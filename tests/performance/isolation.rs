//! What walls, limits and freezing cost: one server with them, one without (`--isolation process`), in turns; and how many
//! environments that wait a machine can hold.

use std::thread;
use std::time::{Duration, Instant};

use hearth_tests::{Connection, Server, Settings, eventually, family, python};

use crate::cold::cold_call;
use crate::functions::{Language, invoke_path, native};
use crate::load::Call;
use crate::median::Sides;
use crate::options::Options;
use crate::table::{Bound, Of, Row, Table};
use crate::warm::Figures;

/// After this time without a call an environment stands still: 20 ms, and a margin.
const UNTIL_FROZEN: Duration = Duration::from_millis(30);
/// How many environments have to wait at once.
const IDLE_ENVIRONMENTS: usize = 200;

/// Measures; `server` has walls.
pub(crate) fn measure(server: &Server, languages: &[Language], options: &Options, table: &mut Table) {
    let bare = Settings::new().without_walls().start();
    cold(server, &bare, options, table);
    warm(server, &bare, options, table);
    thawed(server, &bare, options, table);
    bare.stop();
    if let Some(python) = languages.iter().find(|language| language.name == "Python") {
        idle(server, python, table);
    }
}

fn cold(walled: &Server, bare: &Server, options: &Options, table: &mut Table) {
    let mut times_ms = Sides::default();
    for round in 0..=options.rounds {
        let name = format!("walls-{round}");
        let (walled_ms, _) = cold_call(walled, native(&name));
        let (bare_ms, _) = cold_call(bare, native(&name));
        if round > 0 {
            times_ms.hearth.push(walled_ms);
            times_ms.floor.push(bare_ms);
        }
    }
    let row =
        Row::over("native, cold call, over one without walls", "ms", &times_ms).against("without walls");
    table.add(row.must(Of::Difference, Bound::AtMost(3.0)));
}

fn warm(walled: &Server, bare: &Server, options: &Options, table: &mut Table) {
    let path = invoke_path("walls-warm");
    let functions = [walled, bare].map(|server| server.create(native("walls-warm")));
    let [of_walled, of_bare] = [walled, bare].map(|server| server.address().to_string());
    let figures = Figures::compare((&of_walled, &path), (&of_bare, &path), 1, options);
    let row = Row::over("native, warm, over one without walls: p50", "us", &figures.p50_us)
        .against("without walls");
    table.add(row.must(Of::Ratio, Bound::AtMost(1.1)));
    functions.iter().for_each(|function| function.delete());
}

/// Calls that come when the environment has had nothing to do for a while: behind walls it stands still then.
fn thawed(walled: &Server, bare: &Server, options: &Options, table: &mut Table) {
    let functions = [walled, bare].map(|server| server.create(native("walls-thawed")));
    let call = Call::new(&invoke_path("walls-thawed"), "{}");
    let mut connections =
        [walled, bare].map(|server| Connection::open(&server.address().to_string()).unwrap());
    for connection in &mut connections {
        call.timed(connection);
    }
    let mut times_us = Sides::default();
    // Single calls differ more than rounds of many.
    for round in 0..options.rounds * 10 {
        // The one is awake while the other is measured, so that neither finds a colder processor.
        let mut us = [0.0; 2];
        for side in [round % 2, 1 - round % 2] {
            thread::sleep(UNTIL_FROZEN);
            us[side] = call.timed(&mut connections[side]);
        }
        times_us.hearth.push(us[0]);
        times_us.floor.push(us[1]);
    }
    let frozen =
        walled.timeline("walls-thawed")["environments"][0]["spans"].to_string().matches("frozen").count();
    assert!(frozen > 0, "no environment was frozen");
    let row = Row::over("native, after 30 ms idle, frozen over running: p50", "us", &times_us)
        .against("without walls");
    table.add(row.must(Of::Ratio, Bound::AtMost(1.5)).stretch(1.2));
    functions.iter().for_each(|function| function.delete());
}

/// Fills the machine with environments of an interpreter that wait for calls.
fn idle(server: &Server, language: &Language, table: &mut Table) {
    const NAME: &str = "walls-idle";
    let source = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return event\n";
    let function = server.create(python(NAME, source).with("MemorySize", 1_769).timeout(60));
    let address = server.address().to_string();
    let before = resident_mib(server);
    let started = Instant::now();
    // Each call stays until all environments must have been started.
    let call = &Call::new(&invoke_path(NAME), "10");
    thread::scope(|scope| {
        for _ in 0..IDLE_ENVIRONMENTS {
            let mut connection = Connection::open(&address).unwrap();
            scope.spawn(move || call.timed(&mut connection));
        }
        eventually("all environments run", || {
            (server.environments(NAME).len() == IDLE_ENVIRONMENTS).then_some(())
        });
    });
    let elapsed = started.elapsed();
    let live = server.environments(NAME).len();
    assert_eq!(live, IDLE_ENVIRONMENTS, "they live");
    #[expect(clippy::cast_precision_loss, reason = "two hundred")]
    table.add(
        Row::alone(format!("{} environments that wait", language.name), "", live as f64)
            .must(Of::Hearth, Bound::AtLeast(IDLE_ENVIRONMENTS as f64)),
    );
    #[expect(clippy::cast_precision_loss, reason = "two hundred")]
    let each = (resident_mib(server) - before) / live as f64;
    table.add(Row::alone(format!("{}, each of them (PSS)", language.name), "MiB", each));
    table.add(Row::alone("time until all had answered, of which 10 s asleep", "s", elapsed.as_secs_f64()));
    // A call is answered as if nobody else were there.
    let call = Call::new(&invoke_path(NAME), "0");
    let mut connection = Connection::open(&address).unwrap();
    let times_us: Vec<f64> = (0..101).map(|_| call.timed(&mut connection)).collect();
    table.add(Row::alone("a warm call among them: p50", "us", crate::median::median(&times_us)));
    function.delete();
    eventually("all environments are gone", || function.environments().is_empty().then_some(()));
}

/// Adds up what all processes of a server take, shared pages shared out.
fn resident_mib(server: &Server) -> f64 {
    let kib: u64 = family(server.pid()).into_iter().filter_map(crate::idle::proportional_kib).sum();
    crate::idle::mib(kib)
}
