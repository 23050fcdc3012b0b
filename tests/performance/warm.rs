//! Warm calls: latency with one client, throughput with several, against the floor with as many clients.

use hearth_tests::{Function, Server};

use crate::floor::Floor;
use crate::functions::{Language, invoke_path, native, native_runtime};
use crate::load;
use crate::median::Sides;
use crate::options::Options;
use crate::processes::OneProcessor;
use crate::table::{Bound, Of, Row, Table};

/// How many runtimes of its own the floor has: as many as there are clients at most.
const NATIVE_RUNTIMES: usize = 32;
const INTERPRETERS: usize = 8;

/// Measures warm calls of a native function and of each language's plain hello world.
pub(crate) fn measure(server: &Server, languages: &[Language], options: &Options, table: &mut Table) {
    let native = Subject {
        label: "native",
        function: server.create(native("warm-native")),
        floor: Floor::start(native_runtime, NATIVE_RUNTIMES),
        clients: &[1, 8, 32],
        latency_target: |row| row.must(Of::Ratio, Bound::AtMost(1.3)).stretch(0.8),
    };
    native.measure(options, table);
    for language in languages {
        let hello = &language.hellos[0];
        let subject = Subject {
            label: hello.label,
            function: server.create(hello.function(&format!("warm-{}", language.name))),
            floor: Floor::start(|| language.floor_runtime(), INTERPRETERS),
            clients: &[1, 8],
            latency_target: |row| row.must(Of::Ratio, Bound::AtMost(1.25)).stretch(0.9),
        };
        subject.measure(options, table);
    }
}

/// A function, and its floor.
struct Subject<'server> {
    label: &'static str,
    function: Function<'server>,
    floor: Floor,
    /// With how many clients at once it is measured.
    clients: &'static [usize],
    latency_target: fn(Row) -> Row,
}

impl Subject<'_> {
    fn measure(self, options: &Options, table: &mut Table) {
        for &clients in self.clients {
            let figures = self.figures(clients, options);
            let plural = if clients == 1 { "client" } else { "clients" };
            let name = format!("{}, warm, {clients} {plural}", self.label);
            // With one client the latency counts, with more of them the throughput.
            if clients == 1 {
                let p50 = Row::over(format!("{name}: p50"), "us", &figures.p50_us);
                table.add((self.latency_target)(p50));
                table.add(Row::over(format!("{name}: p99"), "us", &figures.p99_us));
                self.measure_on_one_processor(options, table);
            }
            let rate = Row::over(format!("{name}: calls"), "/s", &figures.rate);
            table.add(if clients == 8 {
                rate.must(Of::Ratio, Bound::AtLeast(0.6)).stretch(0.8)
            } else {
                rate
            });
        }
        self.function.delete();
    }

    /// This ratio depends on no luck: it is that of all work that is done for a call, by whomever.
    fn measure_on_one_processor(&self, options: &Options, table: &mut Table) {
        let Some(_one) = OneProcessor::begin() else {
            table.skip(&format!("{}, warm, on one processor", self.label), "there is but one");
            return;
        };
        let figures = self.figures(1, options);
        let name = format!("{}, warm, 1 client, one processor", self.label);
        table.add(Row::over(format!("{name}: p50"), "us", &figures.p50_us));
    }

    fn figures(&self, clients: usize, options: &Options) -> Figures {
        let hearth = self.function.server().address().to_string();
        let path = invoke_path(self.function.name());
        Figures::compare((&hearth, &path), (&self.floor.address, &path), clients, options)
    }
}

/// One sample a round of each.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) p50_us: Sides,
    pub(crate) p99_us: Sides,
    pub(crate) rate: Sides,
}

impl Figures {
    /// Measures both sides in turns; each is an address and the path of a function.
    pub(crate) fn compare(
        hearth: (&str, &str),
        floor: (&str, &str),
        clients: usize,
        options: &Options,
    ) -> Self {
        let mut figures = Self::default();
        // Two rounds that do not count: environments are started, connections and caches get warm.
        for round in 0..options.rounds + 2 {
            let of_hearth = load::run(hearth.0, hearth.1, clients, options.load);
            let of_floor = load::run(floor.0, floor.1, clients, options.load);
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
}
