//! One line of advice on a profile. It says what the numbers say: what one import takes of function init, where it is
//! imported, and what moving it would change; or that nothing is to be gained that way.

use std::collections::HashSet;
use std::time::Duration;

use hearth_telemetry::PhaseStatus;
use hearth_telemetry::imports::{Import, ImportKind, ImportProfile};
use hearth_types::{Runtime, RuntimeFamily};

use super::flame_json::Phases;

/// Function init below this is not worth a change. Ours.
const FUNCTION_INIT_MIN: Duration = Duration::from_millis(20);
/// An import below this share of function init is not worth moving, in percent. Ours.
const SHARE_MIN: u128 = 20;
/// A module of the function that is little more than what it imports is passed over: what it imports is named. In percent.
const THIN_SHARE: u128 = 80;

/// What advice is given on.
pub(super) struct Facts<'a> {
    pub(super) runtime: Runtime,
    pub(super) phases: Phases,
    pub(super) status: &'a PhaseStatus,
    pub(super) imports: Option<&'a ImportProfile>,
    /// Packages of others among the function's own files.
    pub(super) vendored: &'a HashSet<String>,
}

/// Gives the line.
pub(super) fn advice(facts: &Facts<'_>) -> String {
    let Some(profile) = facts.imports else {
        return format!(
            "{} runs a program of the function's own: what it loads is not known, only that its Init took {}",
            facts.runtime,
            ms(facts.phases.total)
        );
    };
    match facts.status {
        PhaseStatus::Success => of_success(facts, profile),
        PhaseStatus::Timeout => of_time_out(facts, profile),
        PhaseStatus::Error { error_type } => of_failure(profile, error_type),
        PhaseStatus::Failure => "Init did not come to its end: the server stopped it".to_owned(),
    }
}

fn of_success(facts: &Facts<'_>, profile: &ImportProfile) -> String {
    let whole = facts.phases.function_init.unwrap_or_default();
    let nothing = "there is nothing to be gained from moving imports";
    if whole < FUNCTION_INIT_MIN {
        return format!("{nothing}: all of function init took {}", ms(whole));
    }
    let Some((root_at, root)) = handler_module(profile) else {
        return format!("{nothing}: none is known, and function init took {}", ms(whole));
    };
    let of_whole = |part: Duration| {
        format!("{} % of function init ({} of {})", share(part, whole), bare(part), ms(whole))
    };
    if let Some(import) = candidate(facts, profile, root_at)
        && share(import.total, whole) >= SHARE_MIN
    {
        let mut text = format!("`{}` is {}", import.name, of_whole(import.total));
        if let Some((file, line)) = &import.imported_by {
            text.push_str(&format!(", imported by {file}"));
            text.push_str(&line.map_or(String::new(), |line| format!(":{line}")));
        }
        text.push_str(match facts.runtime.family() {
            RuntimeFamily::NodeJs { .. } => "; loading it inside the handler that needs it, by ",
            RuntimeFamily::Python { .. } | RuntimeFamily::Provided | RuntimeFamily::Other => {
                "; importing it inside the handler that needs it"
            }
        });
        if matches!(facts.runtime.family(), RuntimeFamily::NodeJs { .. }) {
            text.push_str(match import.kind {
                ImportKind::EsModule => "`await import()`,",
                _ => "`require` or `await import()`,",
            });
        }
        text.push_str(" would take it out of Init");
        return text;
    }
    let linking: Duration = profile
        .imports
        .iter()
        .filter(|import| import.kind == ImportKind::Linking)
        .map(|import| import.total)
        .sum();
    if share(linking, whole) >= 50 {
        return format!(
            "resolving, reading and compiling ES modules is {}, before any of them runs; fewer files, such as a bundle of \
             them, would shorten it",
            of_whole(linking)
        );
    }
    if share(root.own, whole) >= 50 {
        return format!("the code of `{}` itself, not what it imports, is {}", root.name, of_whole(root.own));
    }
    match children(profile, root_at).next() {
        Some((_, largest)) => {
            format!("{nothing}: the largest, `{}`, is {}", largest.name, of_whole(largest.total))
        }
        None => format!("{nothing}: `{}` has none, and function init took {}", root.name, ms(whole)),
    }
}

fn of_time_out(facts: &Facts<'_>, profile: &ImportProfile) -> String {
    let limit = format!("Init was ended at its limit, after {}", ms(facts.phases.total));
    match profile.imports.iter().filter(|import| import.is_unfinished).max_by_key(|import| import.depth) {
        Some(import) => format!(
            "{limit}: it was in `{}`{}, which had run for {} by itself",
            import.name,
            importer(import),
            ms(import.own)
        ),
        None => format!("{limit}; no import was under way then"),
    }
}

fn of_failure(profile: &ImportProfile, error_type: &str) -> String {
    // Those that the function has caught are not on the way to the handler's module.
    let mut failed: Option<(usize, &Import)> =
        handler_module(profile).filter(|(_, root)| root.error.is_some() || root.is_unfinished);
    while let Some((at, import)) = failed {
        let further = children(profile, at).filter(|(_, child)| child.is_unfinished || child.error.is_some());
        match further.max_by_key(|(_, child)| child.start) {
            Some(further) if further.1.is_unfinished || ends_with_same(import, further.1) => {
                failed = Some(further);
            }
            _ => break,
        }
    }
    match failed {
        Some((_, import)) => {
            let error = import.error.as_deref().map_or(String::new(), |error| format!(" with `{error}`"));
            format!("Init failed ({error_type}) in `{}`{}{error}", import.name, importer(import))
        }
        None => format!("Init failed ({error_type}); no import failed with it"),
    }
}

/// Whether an import failed with what failed in another one.
fn ends_with_same(import: &Import, inside: &Import) -> bool {
    import.error.is_none() || import.error == inside.error
}

fn importer(import: &Import) -> String {
    match &import.imported_by {
        Some((file, Some(line))) => format!(", imported by {file}:{line}"),
        Some((file, None)) => format!(", imported by {file}"),
        None => String::new(),
    }
}

/// The module that the Handler setting names.
fn handler_module(profile: &ImportProfile) -> Option<(usize, &Import)> {
    let is_it = |import: &Import| {
        import.depth == 0
            && import.thread == 0
            && !matches!(import.kind, ImportKind::Linking | ImportKind::BuiltIn)
    };
    profile.imports.iter().enumerate().find(|(_, import)| is_it(import))
}

/// What an import made, the largest first.
fn children(profile: &ImportProfile, at: usize) -> impl Iterator<Item = (usize, &Import)> {
    profile.imports.iter().enumerate().filter(move |(_, import)| import.parent == Some(at))
}

/// The import that would be moved: the largest of the handler's module, or, of a module of the function that is little more
/// than what it imports, the largest of that.
fn candidate<'a>(facts: &Facts<'_>, profile: &'a ImportProfile, root: usize) -> Option<&'a Import> {
    let (mut at, mut import) = children(profile, root).next()?;
    while is_of_function(facts, profile, import)
        && let Some((inside_at, inside)) = children(profile, at).next()
        && share(inside.total, import.total) >= THIN_SHARE
    {
        (at, import) = (inside_at, inside);
    }
    Some(import)
}

/// Whether a module is the function's own, and not that of a package.
fn is_of_function(facts: &Facts<'_>, profile: &ImportProfile, import: &Import) -> bool {
    let Some(file) = &import.file else { return false };
    let inside = file.strip_prefix(&*profile.task_root).is_some_and(|inside| inside.starts_with('/'));
    if !inside || file.contains("/node_modules/") || file.contains("/site-packages/") {
        return false;
    }
    let package = import.name.split('.').next().unwrap_or_default().to_lowercase();
    import.kind != ImportKind::Python || !facts.vendored.contains(&package)
}

/// How many percent one is of the other.
fn share(part: Duration, whole: Duration) -> u128 {
    (part.as_micros() * 100 + whole.as_micros() / 2) / whole.as_micros().max(1)
}

fn ms(duration: Duration) -> String {
    format!("{} ms", bare(duration))
}

/// Milliseconds, with commas: a decimal where there are few.
fn bare(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1_000.0;
    if ms < 9.95 {
        return format!("{ms:.1}");
    }
    let digits = format!("{ms:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn import(
        parent: Option<usize>,
        depth: usize,
        file: &str,
        ms: (u64, u64),
        by: Option<(&str, u32)>,
    ) -> Import {
        let name = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".py").to_owned();
        Import {
            parent,
            depth,
            kind: if file.ends_with(".py") { ImportKind::Python } else { ImportKind::EsModule },
            name,
            file: Some(file.to_owned()),
            imported_by: by.map(|(file, line)| (file.to_owned(), Some(line))),
            thread: 0,
            start: Duration::ZERO,
            total: Duration::from_millis(ms.0),
            own: Duration::from_millis(ms.1),
            memory_kb: None,
            own_memory_kb: None,
            error: None,
            is_unfinished: false,
            awaited: None,
        }
    }

    fn check(runtime: &str, imports: Vec<Import>, function_init_ms: u64, expected: &Expect) {
        let profile =
            ImportProfile { imports, task_root: "/var/task".to_owned(), ..ImportProfile::default() };
        let function_init = Duration::from_millis(function_init_ms);
        let advice = advice(&Facts {
            runtime: Runtime::parse(runtime).unwrap(),
            phases: Phases {
                total: function_init + Duration::from_millis(50),
                extension_init: None,
                runtime_init: None,
                function_init: Some(function_init),
            },
            status: &PhaseStatus::Success,
            imports: Some(&profile),
            vendored: &HashSet::from(["pandas".to_owned()]),
        });
        expected.assert_eq(&advice);
    }

    #[test]
    fn the_import_that_takes_most_is_named_and_not_the_thin_module_around_it_nor_the_inside_of_a_package() {
        check(
            "python3.11",
            vec![
                import(None, 0, "/var/task/app.py", (1_130, 30), None),
                import(Some(0), 1, "/var/task/tables.py", (830, 18), Some(("app.py", 2))),
                import(Some(1), 2, "/var/task/pandas.py", (812, 12), Some(("tables.py", 3))),
                import(Some(2), 3, "/var/task/numpy.py", (800, 800), Some(("pandas.py", 9))),
                import(Some(0), 1, "/usr/lib/python3.11/json.py", (270, 270), Some(("app.py", 1))),
            ],
            1_140,
            &expect![
                "`pandas` is 71 % of function init (812 of 1,140 ms), imported by tables.py:3; importing it inside the handler that needs it would take it out of Init"
            ],
        );
        check(
            "nodejs22.x",
            vec![
                import(None, 0, "/var/task/index.mjs", (100, 10), None),
                import(Some(0), 1, "/var/task/node_modules/a/a.mjs", (90, 5), Some(("index.mjs", 1))),
                import(Some(1), 2, "/var/task/node_modules/a/b.mjs", (85, 85), Some(("a.mjs", 1))),
            ],
            100,
            &expect![
                "`a.mjs` is 90 % of function init (90 of 100 ms), imported by index.mjs:1; loading it inside the handler that needs it, by `await import()`, would take it out of Init"
            ],
        );
    }

    #[test]
    fn where_moving_an_import_gains_nothing_that_is_said() {
        let root = |ms| import(None, 0, "/var/task/app.py", ms, None);
        check(
            "python3.11",
            vec![root((5, 1)), import(Some(0), 1, "/a.py", (4, 4), None)],
            5,
            &expect!["there is nothing to be gained from moving imports: all of function init took 5.0 ms"],
        );
        check(
            "python3.11",
            vec![root((100, 90)), import(Some(0), 1, "/a.py", (10, 10), None)],
            100,
            &expect![
                "the code of `app` itself, not what it imports, is 90 % of function init (90 of 100 ms)"
            ],
        );
        let many = (1..=10).map(|_| import(Some(0), 1, "/a.py", (9, 9), None));
        check(
            "python3.11",
            std::iter::once(root((100, 10))).chain(many).collect(),
            100,
            &expect![
                "there is nothing to be gained from moving imports: the largest, `a`, is 9 % of function init (9.0 of 100 ms)"
            ],
        );
    }
}
