//! Warm calls: latency with one client, throughput with several, against the floor with as many clients.

use hearth_tests::Server;

use crate::floor::Floor;
use crate::functions::{Language, invoke_path, native, native_runtime};
use crate::load;
use crate::median::Sides;
use crate::options::Options;
use crate::table::{Bound, Of, Row, Table};

/// How many runtimes of its own the floor has: as many as there are clients at most.
const NATIVE_RUNTIMES: usize = 32;
const INTERPRETERS: usize = 8;

/// Measures warm calls of a native function and of each language's plain hello world.
pub(crate) fn measure(server: &Server, languages: &[Language], options: &Options, table: &mut Table) {
    let hearth = server.address().to_string();
    {
        let function = server.create(native("warm-native"));
        let floor = Floor::start(native_runtime, NATIVE_RUNTIMES);
        let path = invoke_path(function.name());
        for clients in [1, 8, 32] {
            let figures = Figures::measure(&hearth, &floor.address, &path, clients, options);
            figures.add_to(table, "native", clients, true);
        }
        function.delete();
    }
    for language in languages {
        let hello = &language.hellos[0];
        let function = server.create(hello.function(&format!("warm-{}", language.name)));
        let floor = Floor::start(|| language.floor_runtime(), INTERPRETERS);
        let path = invoke_path(function.name());
        for clients in [1, 8] {
            let figures = Figures::measure(&hearth, &floor.address, &path, clients, options);
            figures.add_to(table, hello.label, clients, false);
        }
        function.delete();
    }
}

/// One sample a round of each.
#[derive(Default)]
struct Figures {
    p50_us: Sides,
    p99_us: Sides,
    rate: Sides,
}

impl Figures {
    fn measure(hearth: &str, floor: &str, path: &str, clients: usize, options: &Options) -> Self {
        let mut figures = Self::default();
        // Two rounds that do not count: environments are started, connections and caches get warm.
        for round in 0..options.rounds + 2 {
            let of_hearth = load::run(hearth, path, clients, options.load);
            let of_floor = load::run(floor, path, clients, options.load);
            if round >= 2 {
                figures.p50_us.hearth.push(of_hearth.quantile_us(0.5));
                figures.p99_us.hearth.push(of_hearth.quantile_us(0.99));
                figures.rate.hearth.push(of_hearth.rate());
                figures.p50_us.floor.push(of_floor.quantile_us(0.5));
                figures.p99_us.floor.push(of_floor.quantile_us(0.99));
                figures.rate.floor.push(of_floor.rate());
            }
        }
        figures
    }

    /// With one client the latency counts, with more of them the throughput.
    fn add_to(&self, table: &mut Table, label: &str, clients: usize, is_native: bool) {
        let plural = if clients == 1 { "client" } else { "clients" };
        let name = format!("{label}, warm, {clients} {plural}");
        let p50 = Row::over(format!("{name}: p50"), "us", self.p50_us.medians());
        let rate = Row::over(format!("{name}: calls"), "/s", self.rate.medians());
        if clients == 1 {
            table.add(if is_native {
                p50.must(Of::Ratio, Bound::AtMost(1.5))
            } else {
                p50.goal(Of::Ratio, Bound::AtMost(1.25))
            });
            table.add(Row::over(format!("{name}: p99"), "us", self.p99_us.medians()));
        }
        table.add(if clients == 8 { rate.goal(Of::Ratio, Bound::AtLeast(0.6)) } else { rate });
    }
}
