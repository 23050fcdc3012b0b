//! A data folder that is not what was written: named and refused, or recovered to the last change that was answered.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use hearth_tests::{Folder, Server, Settings, eventually, python};

/// A function for which several pages of the database are needed.
fn function(number: usize) -> hearth_tests::NewFunction {
    let source = format!("def handler(event, context): return {number}\n");
    python(&format!("function-{number}"), &source).with("Description", "x".repeat(256))
}

/// Makes a data folder with functions, and returns the bytes of its database at rest.
fn written(functions: usize) -> (Arc<Folder>, Vec<u8>) {
    let server = Server::start();
    for number in 0..functions {
        server.create(function(number));
    }
    let data = server.data_dir().clone();
    server.stop();
    let bytes = fs::read(data.path().join("hearth.db")).unwrap();
    (data, bytes)
}

/// Checks that a server refuses the folder, names `file` and what to do, and changes nothing in it.
fn check_refused(what: &str, data: &Folder, file: &Path) {
    let before = fs::read(file).unwrap_or_default();
    let mut command = Settings::new().command("127.0.0.1:0", data.path());
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = eventually("the server gives up", || child.try_wait().unwrap());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(status.code(), Some(3), "{what}: {stderr}");
    let error = stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(error.contains(&file.display().to_string()), "{what}: {stderr}");
    assert!(stderr.lines().any(|line| line.starts_with("hint: ")), "{what}: {stderr}");
    assert!(!stderr.contains("panicked"), "{what}: {stderr}");
    assert!(fs::read(file).unwrap_or_default() == before, "{what}: a refused file stays as it is");
}

#[test]
fn case_113_a_database_that_was_damaged_is_named_and_refused() {
    let (data, good) = written(12);
    let (_other_data, other) = written(1);
    let file = data.path().join("hearth.db");
    let text = good.windows(10).rposition(|window| window == b"function-7").unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let mut swapped = good.clone();
    let page = 4_096;
    assert!(good.len() >= 4 * page, "the functions take several pages");
    swapped.copy_within(page..2 * page, 2 * page);
    for (what, bytes) in [
        ("a byte of the header flipped", flipped(20)),
        ("a byte of a record flipped", flipped(text + 60)),
        ("a byte of a name flipped", flipped(text)),
        ("cut to nothing", Vec::new()),
        ("cut in half", good[..good.len() / 2].to_vec()),
        ("zeroed", vec![0; good.len()]),
        ("one page zeroed", [&good[..page], &vec![0; page][..], &good[2 * page..]].concat()),
        ("one page over another", swapped),
        ("that of another folder, and whole", other),
        ("another program's", b"SQLite is not the only thing with files".repeat(100)),
    ] {
        fs::write(&file, &bytes).unwrap();
        check_refused(what, &data, &file);
    }
    fs::write(&file, &good).unwrap();
    let server = Settings::new().data_dir(&data).start();
    assert_eq!(server.function("function-7").invoke("{}").success(), 7, "nothing was lost by refusing");
}

#[test]
fn case_113_a_database_that_is_gone_is_not_taken_for_a_new_folder() {
    let (data, good) = written(3);
    let file = data.path().join("hearth.db");
    fs::remove_file(&file).unwrap();
    check_refused("gone", &data, &file);
    fs::write(&file, good).unwrap();
    let server = Settings::new().data_dir(&data).start();
    assert_eq!(server.function("function-2").invoke("{}").success(), 2);
}

#[test]
fn case_114_a_torn_tail_of_the_log_costs_nothing_that_was_whole() {
    // Killed, so that the write-ahead log is still there.
    let data = Arc::new(Folder::new());
    let server = Settings::new().data_dir(&data).start();
    for number in 0..6 {
        server.create(function(number));
    }
    server.kill();
    let log = data.path().join("hearth.db-wal");
    let whole = fs::read(&log).unwrap();
    let database = fs::read(data.path().join("hearth.db")).unwrap();
    let mut seen = Vec::new();
    // From the whole log to none of it, in steps that hit the middle of frames, headers and pages.
    for cut in (0..=whole.len()).rev().step_by(whole.len() / 12 + 7) {
        for garbage in [&b""[..], &b"\x00\x00\x00\x01torn"[..]] {
            fs::write(data.path().join("hearth.db"), &database).unwrap();
            fs::write(&log, [&whole[..cut], garbage].concat()).unwrap();
            let _ = fs::remove_file(data.path().join("hearth.db-shm"));
            let server = Settings::new().data_dir(&data).start();
            let listed = server.http("GET", "/2015-03-31/functions", b"").json();
            let names: Vec<String> = listed["Functions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["FunctionName"].as_str().unwrap().to_owned())
                .collect();
            let expected: Vec<String> = (0..names.len()).map(|number| format!("function-{number}")).collect();
            assert_eq!(names, expected, "the changes up to some moment, in their order");
            seen.push(names.len());
            server.kill();
        }
    }
    assert_eq!(seen[0], 6, "the whole log has every function");
    assert!(seen.windows(2).all(|pair| pair[0] >= pair[1]), "{seen:?}");
    assert!(seen.iter().any(|&number| (1..6).contains(&number)), "some cut was in the middle: {seen:?}");
}
