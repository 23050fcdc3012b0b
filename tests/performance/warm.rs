//! Warm invocations: latency with one client, throughput with several.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hearth_tests::{Server, bootstrap, needs_node, node, python};

use crate::{Figures, load, median};

/// How long one round of load lasts, and how many rounds each side gets.
const ROUND: Duration = Duration::from_millis(700);
const ROUNDS: usize = 7;
/// Most clients of a measurement; the floor has one runtime for each.
const CLIENTS_MAX: usize = 32;

/// Measures warm calls of a native, a Node.js and a Python function, and the floor.
pub(crate) fn measure(figures: &mut Figures) {
    let floor = Floor::start();
    let server = Server::start();
    server.create(native("native"));
    server.create(python("python", "def handler(event, context): return event\n"));
    let has_node = needs_node();
    if has_node {
        server.create(node("node", "export const handler = async (event) => event;\n"));
    }
    let hearth = server.address().to_string();

    for clients in [1, 8, 32] {
        let (mut ours, mut theirs) = (Rounds::default(), Rounds::default());
        // Two rounds first that do not count: environments start, connections and caches get warm.
        for round in 0..ROUNDS + 2 {
            let our_round = load::run(&hearth, &path("native"), clients, ROUND);
            let their_round = load::run(&floor.callers, &path("native"), clients, ROUND);
            if round >= 2 {
                ours.add(&our_round);
                theirs.add(&their_round);
            }
        }
        let [ours, theirs] = [ours, theirs].map(Rounds::medians);
        let name = format!("native, warm, {clients} client(s)");
        figures.note(
            format!("{name}: p50 of Hearth / floor"),
            format!("{:.0} / {:.0} us", ours.p50, theirs.p50),
        );
        figures.note(
            format!("{name}: p99 of Hearth / floor"),
            format!("{:.0} / {:.0} us", ours.p99, theirs.p99),
        );
        figures.note(format!("{name}: rate"), format!("{:.0} / {:.0} per s", ours.rate, theirs.rate));
        if clients == 1 {
            figures.at_most(format!("{name}: p50 over the floor"), ours.p50 / theirs.p50, " x", 1.5);
        } else {
            figures.note(format!("{name}: rate over the floor"), format!("{:.2} x", ours.rate / theirs.rate));
        }
    }

    let functions: &[&str] = if has_node { &["node", "python"] } else { &["python"] };
    for function in functions {
        for clients in [1, 8, 32] {
            let mut ours = Rounds::default();
            for round in 0..ROUNDS {
                let our_round = load::run(&hearth, &path(function), clients, ROUND);
                if round >= 2 {
                    ours.add(&our_round);
                }
            }
            let ours = ours.medians();
            let value = format!("{:.0} us, {:.0} per s", ours.p50, ours.rate);
            figures.note(format!("{function}, warm, {clients} client(s): p50, rate"), value);
        }
    }
}

/// Describes a function whose `bootstrap` is this program.
pub(crate) fn native(name: &str) -> hearth_tests::NewFunction {
    bootstrap(name, fs::read(std::env::current_exe().unwrap()).unwrap())
}

fn path(function: &str) -> String {
    format!("/2015-03-31/functions/{function}/invocations")
}

#[derive(Default)]
struct Rounds {
    p50: Vec<f64>,
    p99: Vec<f64>,
    rate: Vec<f64>,
}

struct Medians {
    p50: f64,
    p99: f64,
    rate: f64,
}

impl Rounds {
    fn add(&mut self, round: &load::Round) {
        self.p50.push(round.percentile_us(0.50));
        self.p99.push(round.percentile_us(0.99));
        self.rate.push(round.rate());
    }

    fn medians(mut self) -> Medians {
        Medians { p50: median(&mut self.p50), p99: median(&mut self.p99), rate: median(&mut self.rate) }
    }
}

/// The floor and its runtimes, all processes of their own, as Hearth's are.
struct Floor {
    callers: String,
    processes: Vec<Child>,
}

impl Floor {
    fn start() -> Self {
        let program = std::env::current_exe().unwrap();
        let mut server = Command::new(&program).arg("floor").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (callers, runtimes) = line.trim().split_once(' ').unwrap();
        let runtime = || Command::new(&program).env("AWS_LAMBDA_RUNTIME_API", runtimes).spawn().unwrap();
        let mut processes: Vec<Child> = (0..CLIENTS_MAX).map(|_| runtime()).collect();
        processes.push(server);
        Self { callers: callers.to_owned(), processes }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
