//! Many cold starts at once: calls that stay in their handlers until each has got an environment of its own.

use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::Duration;

use hearth_tests::{Connection, Server, eventually};

use crate::bare;
use crate::functions::{invoke_path, native};
use crate::load::Call;
use crate::median::Sides;
use crate::options::Options;
use crate::runtime::{hold_event, now_us};
use crate::table::{Bound, Of, Row, Table};

/// How many calls come at once.
const CALLS: u16 = 50;
/// How long the first of them waits for the last, in microseconds.
const HOLD_US: u64 = 2_000_000;

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
    let row = Row::over(format!("native, {CALLS} cold calls at once: started"), "/s", &rates);
    table.add(row.must(Of::Hearth, Bound::AtLeast(150.0)).stretch(300.0));
}

/// Returns how long it took, in seconds.
fn burst_s(server: &Server, name: &str) -> f64 {
    let function = server.create(native(name));
    let address = server.address().to_string();
    let all_are_ready = &Barrier::new(usize::from(CALLS) + 1);
    // Functions reach nothing of the host, so that they cannot wait for each other; they wait for the clock.
    let call = &OnceLock::new();
    let (started_us, came_us) = thread::scope(|scope| {
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let mut connection = Connection::open(&address).unwrap();
                scope.spawn(move || {
                    all_are_ready.wait();
                    let call =
                        call.get_or_init(|| Call::new(&invoke_path(name), hold_event(now_us() + HOLD_US)));
                    let answer = call.answer(&mut connection);
                    String::from_utf8_lossy(&answer).parse::<u64>().unwrap()
                })
            })
            .collect();
        let started_us = now_us();
        all_are_ready.wait();
        let came_us = calls.into_iter().map(|call| call.join().unwrap()).max().unwrap();
        (started_us, came_us)
    });
    let environments = server.environments(name);
    assert_eq!(environments.len(), usize::from(CALLS), "they have not overlapped: {environments:#?}");
    function.delete();
    eventually("all environments are gone", || server.environments(name).is_empty().then_some(()));
    Duration::from_micros(came_us - started_us).as_secs_f64()
}
