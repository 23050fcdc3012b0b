//! The embedded engine: conformance, restart, a second server, and files that are not what was written.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hearth_store::conformance::{
    a_layer_version, a_record, check_blob_files, check_blobs, check_code_signing,
    check_event_source_mappings, check_events, check_functions, check_layers,
};
use hearth_store::embedded::EmbeddedStore;
use hearth_store::memory::{MemoryCodeSigning, MemoryLayers};
use hearth_store::{FunctionStore, LayerStore, LocalBlobStore, Outcome, StoreError};
use sha2::{Digest as _, Sha256};

/// A folder of its own for each test, empty at its start.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("store-{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn refusal(folder: &Path) -> StoreError {
    match EmbeddedStore::open(folder) {
        Ok(_) => panic!("the store was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn the_embedded_store_does_what_every_store_must() {
    check_functions(&EmbeddedStore::open(&folder("functions")).unwrap()).await;
    check_layers(&EmbeddedStore::open(&folder("layers")).unwrap()).await;
    check_layers(&MemoryLayers::default()).await;
    check_code_signing(&MemoryCodeSigning::default()).await;
    check_code_signing(&EmbeddedStore::open(&folder("code-signing")).unwrap()).await;
    check_event_source_mappings(&EmbeddedStore::open(&folder("event-source-mappings")).unwrap()).await;
    let queue = EmbeddedStore::open(&folder("events")).unwrap();
    check_events(&queue, &queue).await;
    check_blobs(&LocalBlobStore::open(&folder("blobs")).unwrap()).await;
    check_blob_files(&LocalBlobStore::open(&folder("blobs-of-files")).unwrap(), &folder("files")).await;
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart() {
    let folder = folder("restart");
    let record = a_record("f", "1");
    let store = EmbeddedStore::open(&folder).unwrap();
    let layer = a_layer_version("l", 1, "1");
    assert_eq!(FunctionStore::insert(&store, record.clone()).await.unwrap(), Outcome::Done);
    assert_eq!(LayerStore::insert(&store, layer.clone()).await.unwrap(), Outcome::Done);
    drop(store);
    let store = EmbeddedStore::open(&folder).unwrap();
    assert_eq!(FunctionStore::load_all(&store).await.unwrap(), [record]);
    assert_eq!(LayerStore::load_all(&store).await.unwrap(), [layer]);
}

#[tokio::test]
async fn of_twenty_inserts_of_one_name_at_once_one_is_done() {
    let store = Arc::new(EmbeddedStore::open(&folder("race")).unwrap());
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                FunctionStore::insert(&*store, a_record("f", &number.to_string())).await.unwrap()
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += usize::from(task.await.unwrap() == Outcome::Done);
    }
    assert_eq!(done, 1);
}

#[test]
fn a_second_server_on_a_folder_is_refused_until_the_first_ends() {
    let folder = folder("second");
    let first = EmbeddedStore::open(&folder).unwrap();
    let error = refusal(&folder);
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    assert!(error.hint().is_some());
    drop(first);
    EmbeddedStore::open(&folder).unwrap();
}

/// A release before layers left two tables, and records that do not speak of layers.
#[tokio::test]
async fn a_file_of_a_release_before_layers_is_taken_over() {
    let folder = folder("earlier");
    let store = EmbeddedStore::open(&folder).unwrap();
    FunctionStore::insert(&store, a_record("f", "1")).await.unwrap();
    drop(store);
    let connection = rusqlite::Connection::open(folder.join("hearth.db")).unwrap();
    let later = "DROP TABLE layer_versions; DROP TRIGGER events_go_with_their_function; DROP TABLE events;
        DROP TABLE dropped_events; DROP TABLE deliveries;
        DROP TRIGGER durable_executions_lose_their_function;
        DROP TABLE durable_events; DROP TABLE durable_operations; DROP TABLE durable_executions;
        DROP TABLE code_signing_configs; DROP TABLE roles; DROP TABLE sessions;
         DROP TABLE schedule_groups; DROP TABLE schedules;
         DROP TABLE event_source_mappings; DROP TABLE shard_positions;
        DROP TABLE s3_buckets; DROP TABLE s3_objects; DROP TABLE s3_uploads; DROP TABLE s3_parts;
        DROP TRIGGER event_invoke_configs_go_with_their_function; DROP TABLE event_invoke_configs";
    connection.execute_batch(later).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    let text: String = connection.query_row("SELECT record FROM functions", [], |row| row.get(0)).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(record.as_object_mut().unwrap().remove("layers").is_some());
    let (text, mut hash) = (record.to_string(), Sha256::new());
    for part in ["f", "1", &text] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let row = (text, hash.finalize().to_vec());
    connection.execute("UPDATE functions SET record = ?1, checksum = ?2", row).unwrap();
    drop(connection);

    let store = EmbeddedStore::open(&folder).unwrap();
    let mut expected = a_record("f", "1");
    expected.layers = Vec::new();
    assert_eq!(FunctionStore::load_all(&store).await.unwrap(), [expected]);
    check_layers(&store).await;
}

#[test]
fn a_file_of_a_later_version_is_refused() {
    let folder = folder("later");
    drop(EmbeddedStore::open(&folder).unwrap());
    let connection = rusqlite::Connection::open(folder.join("hearth.db")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = refusal(&folder);
    assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error:?}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let file = folder("unusable").join("file");
    fs::write(&file, "").unwrap();
    let error = refusal(&file.join("data"));
    assert!(error.to_string().contains("unusable"), "{error}");
}
