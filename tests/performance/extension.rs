//! What an idle extension registered for `INVOKE` costs a call: the same function with one and without one, in turns.
//!
//! Not idle is what AWS makes of it all the same: the environment takes the next call only when the extension has asked for
//! the next event. So a client that calls again at once waits for one more process.

use hearth_tests::{Connection, Package, Server};
use serde_json::json;

use crate::functions::{invoke_path, native};
use crate::options::Options;
use crate::table::{Bound, Of, Row, Table};
use crate::warm::Figures;

/// The name of this program where it is an extension.
const NAME: &str = "idle-extension";

/// Whether this process was started as an extension.
pub(crate) fn is_extension() -> bool {
    std::env::args().next().is_some_and(|program| program.ends_with(NAME))
}

/// Registers for `INVOKE`, and asks for one event after the other.
pub(crate) fn serve(address: &str) {
    let Ok(mut connection) = Connection::open(address) else { return };
    let events = "{\"events\":[\"INVOKE\"]}";
    let register = format!(
        "POST /2020-01-01/extension/register HTTP/1.1\r\nHost: {address}\r\nLambda-Extension-Name: {NAME}\r\n\
         Content-Length: {}\r\n\r\n{events}",
        events.len()
    );
    let Ok(registered) = connection.exchange(register.as_bytes()) else { return };
    let Some(id) = registered.header("lambda-extension-identifier") else { return };
    let next = format!(
        "GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: {address}\r\nLambda-Extension-Identifier: {id}\r\n\r\n"
    );
    while connection.exchange(next.as_bytes()).is_ok() {}
}

/// Measures warm calls of a native function with an idle extension; those of one without are the floor.
pub(crate) fn measure(server: &Server, options: &Options, table: &mut Table) {
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let layer = Package::new().program(&format!("extensions/{NAME}"), program);
    let arn = server.publish_layer(NAME, &layer);
    let with = server.create(native("with-extension").with("Layers", json!([arn])));
    let without = server.create(native("without-extension"));
    let address = server.address().to_string();
    let paths = [with.name(), without.name()].map(invoke_path);
    let figures = Figures::compare((&address, &paths[0]), (&address, &paths[1]), 1, options);
    let name = "native, warm, an idle INVOKE extension";
    let p50 = Row::over(format!("{name}: p50"), "us", &figures.p50_us).against("without one");
    table.add(p50.must(Of::Ratio, Bound::AtMost(1.5)));
    table.add(Row::over(format!("{name}: p99"), "us", &figures.p99_us).against("without one"));
    with.delete();
    without.delete();
}
