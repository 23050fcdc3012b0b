//! Changing functions while they run.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::{fs, thread};

use hearth_tests::{Package, Server, eventually, http, on_host, python, rounds, streams};
use serde_json::{Value, json};

fn version(number: u32) -> Package {
    Package::new().file("app.py", format!("def handler(event, context): return {number}\n"))
}

#[test]
fn case_129_a_function_updated_under_load_answers_old_or_new_and_never_an_error() {
    let updates = rounds(5, 500) as u32;
    let server = Server::start();
    let function = server.create(python("changing", "def handler(event, context): return 0\n").timeout(30));
    // The newest code that has been sent, and the newest that is known to be in force.
    let (sent, settled) = (AtomicU32::new(0), AtomicU32::new(0));
    let (calls, done) = (AtomicU32::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while !done.load(Ordering::SeqCst) {
                        let oldest = settled.load(Ordering::SeqCst);
                        let answer = function.invoke("{}").success();
                        let newest = sent.load(Ordering::SeqCst);
                        let number = u32::try_from(answer.as_u64().unwrap()).unwrap();
                        assert!(
                            (oldest..=newest).contains(&number),
                            "{number} is not in {oldest}..={newest}"
                        );
                        calls.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        // Whatever happens here, the callers must end.
        let updating = thread::Builder::new().spawn_scoped(scope, || {
            for number in 1..=updates {
                sent.store(number, Ordering::SeqCst);
                function.update_code(&version(number));
                settled.store(number, Ordering::SeqCst);
                let enough = calls.load(Ordering::SeqCst) + 10;
                eventually("the callers go on", || (calls.load(Ordering::SeqCst) >= enough).then_some(()));
            }
        });
        let updated = updating.unwrap().join();
        done.store(true, Ordering::SeqCst);
        updated.unwrap();
        for caller in callers {
            caller.join().unwrap();
        }
    });
    assert_eq!(function.invoke("{}").success(), updates);
    eventually("environments of old code are ended", || (function.environments().len() <= 4).then_some(()));
}

#[test]
fn a_changed_configuration_starts_a_new_environment_and_the_call_says_why() {
    let server = Server::start();
    let source = "import os\ndef handler(event, context): return os.environ.get('COLOUR')\n";
    let function = server.create(python("painted", source));
    assert_eq!(function.invoke("{}").success(), Value::Null);
    let before = function.configuration();
    function
        .update_configuration(&json!({ "Environment": { "Variables": { "COLOUR": "blue" } }, "Timeout": 7 }));
    let after = function.configuration();
    assert_ne!(before["RevisionId"], after["RevisionId"]);
    assert_eq!(before["CodeSha256"], after["CodeSha256"]);
    assert_eq!((&after["Timeout"], &after["MemorySize"]), (&json!(7), &json!(128)));
    assert_eq!(function.invoke("{}").success(), "blue");
    assert_eq!(streams(&function.logs_with_reports(2)).len(), 2);
    assert_eq!(server.timeline("painted")["invocations"][1]["why_cold"], "function-updated");
}

#[test]
fn the_code_location_answers_a_plain_get_with_the_package() {
    let server = Server::start();
    let function = server.create(python("stored", "def handler(event, context): pass\n"));
    let package = version(7);
    function.update_code(&package);
    let code = server.http("GET", "/2015-03-31/functions/stored", b"").json()["Code"].clone();
    assert_eq!(code["RepositoryType"], "S3");
    let location = code["Location"].as_str().unwrap();
    let path =
        location.strip_prefix(&server.url()).unwrap_or_else(|| panic!("not on this server: {location}"));
    let answer = http(server.address(), "GET", path, &[], b"");
    assert_eq!(answer.status, 200);
    assert!(answer.body == package.zip(), "{} bytes, not {}", answer.body.len(), package.zip().len());
}

#[test]
fn a_deleted_function_is_gone_with_its_code_and_its_environments() {
    let server = Server::start();
    let marked = |name| {
        python(name, "# a marker of this test\nimport os\ndef handler(event, context): return os.getpid()\n")
    };
    let function = server.create(marked("first"));
    // The same package again: stored once, and kept as long as one of the two needs it.
    let twin = server.create(marked("second"));
    let pid = on_host(function.invoke("{}").success().as_u64().unwrap());
    assert_eq!(marked_files(server.data_dir().path()), 1, "equal packages are stored once");

    function.delete();
    let answer = function.call(&hearth_tests::Call { payload: b"{}", ..Default::default() });
    assert_eq!(answer.exception().1, 404);
    eventually("its process is gone", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
    eventually("its environment is gone", || function.environments().is_empty().then_some(()));
    assert!(twin.invoke("{}").success().is_u64());

    twin.delete();
    eventually("its code is removed", || (marked_files(server.data_dir().path()) == 0).then_some(()));
}

/// Counts the unpacked copies of `app.py` that hold the marker.
fn marked_files(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                return marked_files(&entry.path());
            }
            let marked =
                fs::read_to_string(entry.path()).is_ok_and(|text| text.contains("# a marker of this test"));
            usize::from(marked && entry.file_name() == "app.py")
        })
        .sum()
}
