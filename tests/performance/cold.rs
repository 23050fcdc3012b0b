//! Cold starts: the first call of a function, against the bare start of its interpreter.

use std::process::{Command, Stdio};
use std::time::Instant;

use hearth_tests::{NewFunction, Server, needs_node, node, python};

use crate::warm::native;
use crate::{Figures, median};

/// How many cold starts of each kind are measured.
const ROUNDS: usize = 20;

struct Kind {
    name: &'static str,
    new: fn(&str) -> NewFunction,
    /// The program that does nothing but start and end.
    bare: Option<[&'static str; 3]>,
    cold_ms: Vec<f64>,
    bare_ms: Vec<f64>,
}

/// Measures cold starts of a native, a Node.js and a Python function.
pub(crate) fn measure(figures: &mut Figures) {
    let kind = |name, new, bare| Kind { name, new, bare, cold_ms: Vec::new(), bare_ms: Vec::new() };
    let mut kinds = vec![
        kind("native", native, None),
        kind(
            "python",
            |name| python(name, "def handler(event, context): return event\n"),
            Some(["python3", "-c", "pass"]),
        ),
    ];
    if needs_node() {
        let new = |name: &str| node(name, "export const handler = async (event) => event;\n");
        kinds.push(kind("node", new, Some(["node", "-e", "0"])));
    }

    let server = Server::start();
    for round in 0..=ROUNDS {
        for kind in &mut kinds {
            let function = server.create((kind.new)(&format!("{}-{round}", kind.name)));
            let start = Instant::now();
            function.invoke("{}");
            let cold_ms = start.elapsed().as_secs_f64() * 1e3;
            function.delete();

            let bare_ms = kind.bare.map(|[program, option, code]| {
                let program = interpreter(program);
                let start = Instant::now();
                let mut command = Command::new(program);
                assert!(command.args([option, code]).stdin(Stdio::null()).status().unwrap().success());
                start.elapsed().as_secs_f64() * 1e3
            });
            // The first round reads programs from the disk.
            if round > 0 {
                kind.cold_ms.push(cold_ms);
                kind.bare_ms.extend(bare_ms);
            }
        }
    }
    for kind in &mut kinds {
        let cold = median(&mut kind.cold_ms);
        if kind.bare.is_none() {
            figures.note(format!("{}, cold: p50", kind.name), format!("{cold:.1} ms"));
            continue;
        }
        let bare = median(&mut kind.bare_ms);
        figures
            .note(format!("{}, cold: p50 of Hearth / bare", kind.name), format!("{cold:.1} / {bare:.1} ms"));
        figures.at_most(format!("{}, cold: over the bare interpreter", kind.name), cold / bare, " x", 1.3);
    }
}

/// Asks the interpreter itself where it is: a version manager's shim costs more than the start that we measure.
fn interpreter(program: &str) -> String {
    let question: &[&str] = match program {
        "python3" => &["-c", "import sys; print(sys.executable)"],
        _ => &["-p", "process.execPath"],
    };
    let output = Command::new(program).args(question).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
