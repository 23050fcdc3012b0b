//! What recording costs: warm calls of a server that records everything, against the same server that records nothing.

use hearth_tests::{Server, Settings};

use crate::functions::{invoke_path, native};
use crate::options::Options;
use crate::table::{Bound, Of, Row, Table};
use crate::warm::Figures;

/// The switch that is there for this measurement only.
const SWITCH: &str = "HEARTH_RECORDING";

/// Measures both servers in turns, with one client and with eight.
pub(crate) fn measure(options: &Options, table: &mut Table) {
    let with = Settings::new().start();
    let without = Settings::new().variable(SWITCH, "off").start();
    let make = |server: &Server| {
        let function = server.create(native("recorded"));
        (server.address().to_string(), invoke_path(function.name()))
    };
    let (with_all, without_any) = (make(&with), make(&without));
    for clients in [1, 8] {
        let sides =
            ((with_all.0.as_str(), with_all.1.as_str()), (without_any.0.as_str(), without_any.1.as_str()));
        let figures = Figures::compare(sides.0, sides.1, clients, options);
        let plural = if clients == 1 { "client" } else { "clients" };
        let name = format!("recording, warm, {clients} {plural}");
        let p50 = Row::over(format!("{name}: p50"), "us", &figures.p50_us).against("not recording");
        table.add(p50.must(Of::Ratio, Bound::AtMost(1.1)));
        let rate = Row::over(format!("{name}: calls"), "/s", &figures.rate).against("not recording");
        table.add(rate.must(Of::Ratio, Bound::AtLeast(0.9)));
    }
    with.stop();
    without.stop();
}
