//! Every input that is kept in `fuzz/`, once more through what the fuzzer feeds: the corpus, and the findings of the past.
//! So CI proves that they stay fixed, without a fuzzer.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[allow(unreachable_pub, reason = "the fuzzer uses it as a library")]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use targets::TARGETS;

/// More than that belongs elsewhere: the corpus is read by people, and by every run.
const CORPUS_BYTES_MAX: u64 = 100_000;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The names in a folder; none when there is no folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Runs every kept input of a target.
fn replay(target: &str) {
    // A panic in a task is nobody's test failure, until somebody looks.
    static PANICKED: AtomicBool = AtomicBool::new(false);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICKED.store(true, Ordering::SeqCst);
        hook(panic);
    }));
    let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let mut count = 0;
    for kind in ["corpus", "regressions"] {
        let folder = fuzz().join(kind).join(target);
        for name in names(&folder) {
            eprintln!("{kind}/{target}/{name}"); // shown when the test fails
            run(&fs::read(folder.join(name)).unwrap());
            assert!(!PANICKED.load(Ordering::SeqCst), "something has panicked");
            count += 1;
        }
    }
    assert!(count >= 5, "only {count} inputs");
}

macro_rules! replayed {
    ($($target:ident)+) => {
        $(mod $target {
            #[test]
            fn every_input_that_was_kept_holds() {
                super::replay(stringify!($target));
            }
        })+

        /// The targets that are replayed.
        const REPLAYED: &[&str] = &[$(stringify!($target)),+];
    };
}

replayed!(
    api_json arn configuration http_framing log_framing runtime_api_framing sandbox_messages subscription
    zip_walk
);

#[test]
fn every_target_is_fuzzed_replayed_and_has_a_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let fuzzed = names(&fuzz().join("fuzz_targets"));
    assert_eq!(fuzzed, targets.iter().map(|name| format!("{name}.rs")).collect());
    assert_eq!(names(&fuzz().join("corpus")), targets);
    assert_eq!(REPLAYED.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>(), targets);
    assert!(names(&fuzz().join("regressions")).is_subset(&targets));
}

#[test]
fn the_corpus_stays_small() {
    let mut bytes = 0;
    for (target, _) in TARGETS {
        let folder = fuzz().join("corpus").join(target);
        bytes +=
            names(&folder).iter().map(|name| fs::metadata(folder.join(name)).unwrap().len()).sum::<u64>();
    }
    assert!(bytes <= CORPUS_BYTES_MAX, "{bytes} bytes");
}
