//! A file that is not what was written is named and refused: never silently empty, never another function.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use hearth_store::conformance::a_record;
use hearth_store::embedded::EmbeddedStore;
use hearth_store::{FunctionRecord, FunctionStore as _, StoreError};

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("damage-{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

async fn load(folder: &Path) -> Result<Vec<FunctionRecord>, StoreError> {
    EmbeddedStore::open(folder)?.load_all().await
}

/// Writes three functions and returns the bytes of the file at rest.
async fn written(folder: &Path) -> Vec<u8> {
    let store = EmbeddedStore::open(folder).unwrap();
    for name in ["a", "b", "c"] {
        store.insert(a_record(name, "1")).await.unwrap();
    }
    drop(store);
    fs::read(folder.join("hearth.db")).unwrap()
}

async fn check_refused(test: &str, spoil: impl FnOnce(&mut Vec<u8>)) {
    let folder = folder(test);
    let mut bytes = written(&folder).await;
    spoil(&mut bytes);
    fs::write(folder.join("hearth.db"), &bytes).unwrap();
    let error = load(&folder).await.expect_err("a damaged file is refused");
    assert!(error.to_string().contains("hearth.db"), "{error}");
    assert!(error.hint().is_some());
    assert_eq!(fs::read(folder.join("hearth.db")).unwrap(), bytes, "a refused file stays as it is");
}

#[tokio::test]
async fn a_file_cut_to_nothing_is_refused() {
    check_refused("empty", Vec::clear).await;
}

#[tokio::test]
async fn a_file_cut_in_half_is_refused() {
    check_refused("half", |bytes| bytes.truncate(bytes.len() / 2)).await;
}

#[tokio::test]
async fn a_file_of_zeros_is_refused() {
    check_refused("zeros", |bytes| bytes.fill(0)).await;
}

#[tokio::test]
async fn a_database_of_somebody_else_is_refused() {
    let folder = folder("foreign");
    let connection = rusqlite::Connection::open(folder.join("hearth.db")).unwrap();
    connection.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1);").unwrap();
    drop(connection);
    assert!(load(&folder).await.is_err());
}

#[tokio::test]
async fn a_version_below_the_first_is_refused() {
    let folder = folder("negative");
    drop(EmbeddedStore::open(&folder).unwrap());
    let connection = rusqlite::Connection::open(folder.join("hearth.db")).unwrap();
    connection.pragma_update(None, "user_version", -1).unwrap();
    drop(connection);
    assert!(load(&folder).await.is_err());
}

#[tokio::test]
async fn no_flipped_byte_changes_what_is_read() {
    let folder = folder("flip");
    let bytes = written(&folder).await;
    let whole = load(&folder).await.unwrap();
    let mut wrong = Vec::new();
    for at in (0..bytes.len()).step_by(37) {
        let mut spoiled = bytes.clone();
        spoiled[at] ^= 0x01;
        for file in fs::read_dir(&folder).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
        fs::write(folder.join("hearth.db"), spoiled).unwrap();
        // A byte that nothing uses may be anything.
        if load(&folder).await.is_ok_and(|read| read != whole) {
            wrong.push(at);
        }
    }
    assert!(wrong.is_empty(), "of {} bytes, silently read otherwise: {wrong:?}", bytes.len());
}

#[tokio::test]
async fn nobody_else_may_read_the_variables_of_functions() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder("mode");
    written(&folder).await;
    let mode = fs::metadata(folder.join("hearth.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}
