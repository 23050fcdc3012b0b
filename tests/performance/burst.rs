//! Many cold starts at once: calls that wait in their handlers until each has got an environment of its own.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use hearth_tests::{Gate, Server, eventually};

use crate::bare;
use crate::connection::Connection;
use crate::functions::{invoke_path, native};
use crate::load::Call;
use crate::median::Sides;
use crate::options::Options;
use crate::runtime::gate_event;
use crate::table::{Bound, Of, Row, Table};

/// How many calls come at once.
const CALLS: u16 = 50;

/// Measures how many native environments a second are started, from the first call to the last one's handler.
pub(crate) fn measure(server: &Server, options: &Options, table: &mut Table) {
    let mut rates = Sides::default();
    for round in 0..=options.rounds {
        let hearth = f64::from(CALLS) / burst_s(server, &format!("burst-{round}"));
        let floor = f64::from(CALLS) / (bare::native_ms(usize::from(CALLS)) / 1e3);
        if round > 0 {
            rates.hearth.push(hearth);
            rates.floor.push(floor);
        }
    }
    let row = Row::over(format!("native, {CALLS} cold calls at once: started"), "/s", rates.medians());
    table.add(row.goal(Of::Hearth, Bound::AtLeast(150.0)));
}

/// Returns how long it took, in seconds.
fn burst_s(server: &Server, name: &str) -> f64 {
    let function = server.create(native(name));
    let gate = Gate::new();
    let call = &Call::new(&invoke_path(name), gate_event(gate.port()));
    let address = server.address().to_string();
    let all_are_ready = &Barrier::new(usize::from(CALLS) + 1);
    let elapsed = thread::scope(|scope| {
        for _ in 0..CALLS {
            let mut connection = Connection::open(&address).unwrap();
            scope.spawn(move || {
                all_are_ready.wait();
                call.timed(&mut connection);
            });
        }
        all_are_ready.wait();
        let start = Instant::now();
        gate.wait_for(CALLS.into());
        let elapsed = start.elapsed();
        let environments = server.environments(name);
        gate.open();
        assert_eq!(environments.len(), usize::from(CALLS), "{environments:#?}");
        elapsed
    });
    function.delete();
    eventually("all environments are gone", || server.environments(name).is_empty().then_some(()));
    elapsed.as_secs_f64()
}
