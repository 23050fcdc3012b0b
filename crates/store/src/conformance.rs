//! What every store must do, whatever its engine. Called by the tests of each.

use std::path::Path;

use bytes::Bytes;

use crate::{
    BlobStore, FunctionLayerRecord, FunctionRecord, FunctionStore, LayerStatementRecord, LayerStore,
    LayerVersionRecord, Outcome,
};

/// A record to try things with.
pub fn a_record(name: &str, revision_id: &str) -> FunctionRecord {
    FunctionRecord {
        name: name.to_owned(),
        revision_id: revision_id.to_owned(),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        runtime: "python3.11".to_owned(),
        handler: "app.handler".to_owned(),
        description: "ü \u{1f525}\n".to_owned(),
        timeout: 3,
        memory: 128,
        ephemeral_storage: 512,
        environment: Some([("KEY".to_owned(), "a=b \"c\"\n".to_owned())].into()),
        architecture: "x86_64".to_owned(),
        tracing_mode: "PassThrough".to_owned(),
        dead_letter_target: None,
        vpc_config_is_set: false,
        kms_key_arn: None,
        layers: vec![FunctionLayerRecord {
            arn: "arn:aws:lambda:us-east-1:000000000000:layer:l:1".to_owned(),
            code_sha256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
            code_size: 22,
        }],
        log_format: "Text".to_owned(),
        log_group: "/aws/lambda/f".to_owned(),
        application_log_level: None,
        system_log_level: None,
        tags: [("k".to_owned(), "v".to_owned())].into(),
        policy: None,
        recursive_loop: Some("Allow".to_owned()),
        update_runtime_on: None,
        runtime_version_arn: None,
        code_sha256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
        code_size: 22,
        last_modified_ms: 1_764_000_000_000,
        state: "Active".to_owned(),
        state_reason: None,
        last_update: Some("Successful".to_owned()),
        last_update_reason: None,
        serving: None,
    }
}

/// Checks a store of functions that is empty.
///
/// # Panics
/// When the store does not do what it must.
pub async fn check_functions(store: &dyn FunctionStore) {
    let done = |result: Result<Outcome, _>| matches!(result, Ok(Outcome::Done));
    let conflict = |result: Result<Outcome, _>| matches!(result, Ok(Outcome::Conflict));
    let names = async || -> Vec<String> {
        let records = store.load_all().await.expect("records can be read");
        records.into_iter().map(|record| record.name).collect()
    };
    assert!(names().await.is_empty());

    assert!(done(store.insert(a_record("b", "1")).await));
    assert!(done(store.insert(a_record("a", "1")).await));
    assert!(conflict(store.insert(a_record("a", "2")).await), "a name is taken once");
    assert_eq!(names().await, ["a", "b"]);

    let mut changed = a_record("a", "2");
    changed.serving = Some(Box::new(a_record("a", "1")));
    assert!(done(store.replace("1".to_owned(), changed.clone()).await));
    assert!(conflict(store.replace("1".to_owned(), a_record("a", "3")).await), "a stale revision");
    assert!(conflict(store.replace("1".to_owned(), a_record("c", "1")).await), "a record that is not there");
    assert_eq!(store.load_all().await.expect("records can be read")[0], changed);

    assert!(done(store.remove("a".to_owned()).await));
    assert!(conflict(store.remove("a".to_owned()).await));
    assert_eq!(names().await, ["b"]);
}

/// A layer version to try things with.
pub fn a_layer_version(name: &str, version: u64, revision_id: &str) -> LayerVersionRecord {
    LayerVersionRecord {
        name: name.to_owned(),
        version,
        revision_id: revision_id.to_owned(),
        description: "ü \u{1f525}\n".to_owned(),
        license_info: Some("MIT".to_owned()),
        compatible_runtimes: vec!["python3.11".to_owned()],
        compatible_architectures: vec!["x86_64".to_owned(), "arm64".to_owned()],
        created_ms: 1_764_000_000_000,
        code_sha256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
        code_size: 22,
        statements: Vec::new(),
        is_deleted: false,
    }
}

/// Checks a store of layers that is empty.
///
/// # Panics
/// When the store does not do what it must.
pub async fn check_layers(store: &dyn LayerStore) {
    let done = |result: Result<Outcome, _>| matches!(result, Ok(Outcome::Done));
    let conflict = |result: Result<Outcome, _>| matches!(result, Ok(Outcome::Conflict));
    let kept = async || -> Vec<LayerVersionRecord> {
        let mut records = store.load_all().await.expect("records can be read");
        records.sort_by_key(|record| (record.name.clone(), record.version));
        records
    };
    assert!(kept().await.is_empty());

    let first = a_layer_version("a", 1, "1");
    let tenth = a_layer_version("a", 10, "1");
    for record in [&tenth, &first] {
        assert!(done(store.insert(record.clone()).await));
    }
    assert!(conflict(store.insert(a_layer_version("a", 1, "2")).await), "a number is taken once");
    assert_eq!(kept().await, [first, tenth.clone()]);

    let mut changed = a_layer_version("a", 1, "2");
    changed.statements = vec![LayerStatementRecord {
        sid: "s".to_owned(),
        principal: "*".to_owned(),
        organization_id: Some("o-0123456789".to_owned()),
    }];
    assert!(done(store.replace("1".to_owned(), changed.clone()).await));
    assert!(conflict(store.replace("1".to_owned(), a_layer_version("a", 1, "3")).await), "a stale revision");
    assert!(conflict(store.replace("1".to_owned(), a_layer_version("b", 1, "1")).await), "not there");
    assert_eq!(kept().await, [changed.clone(), tenth.clone()]);

    assert!(done(store.remove(changed.key()).await));
    assert!(conflict(store.remove(changed.key()).await));
    assert_eq!(kept().await, [tenth]);
}

/// Checks a store of blobs that is empty.
///
/// # Panics
/// When the store does not do what it must.
pub async fn check_blobs(store: &dyn BlobStore) {
    let get = async |key: &str| store.get(key.to_owned()).await.expect("blobs can be read");
    assert_eq!(get("aa").await, None);
    for _ in 0..2 {
        store.put("aa".to_owned(), Bytes::from_static(b"one")).await.expect("blobs can be put, also again");
    }
    store.put("bb".to_owned(), Bytes::new()).await.expect("an empty blob can be put");
    assert_eq!(get("aa").await, Some(Bytes::from_static(b"one")));
    assert_eq!(get("bb").await, Some(Bytes::new()));
    let mut keys = store.list().await.expect("keys can be listed");
    keys.sort();
    assert_eq!(keys, ["aa", "bb"]);
    for _ in 0..2 {
        store.delete("aa".to_owned()).await.expect("blobs can be deleted, also again");
    }
    assert_eq!(get("aa").await, None);
}

/// Checks that blobs come from files and go to files in an empty `folder`.
///
/// # Panics
/// When the store does not do what it must.
pub async fn check_blob_files(store: &dyn BlobStore, folder: &Path) {
    // More than is held in memory at once, and not a multiple of it.
    let content: Vec<u8> = (0..20_000_003_u32).map(|at| (at % 251) as u8).collect();
    for (key, content) in [("large", content.as_slice()), ("empty", &[])] {
        let (from, to) = (folder.join(format!("{key}.from")), folder.join(format!("{key}.to")));
        std::fs::write(&from, content).expect("a file can be written");
        for _ in 0..2 {
            store.put_file(key.to_owned(), from.clone()).await.expect("files can be put, also again");
        }
        assert!(
            store.get(key.to_owned()).await.expect("blobs can be read").is_some_and(|got| got == content)
        );
        assert!(store.get_file(key.to_owned(), to.clone()).await.expect("a file can be got"), "it is there");
        assert!(std::fs::read(&to).is_ok_and(|got| got == content), "{key} is the same");
        assert!(
            store.get_file(key.to_owned(), to).await.is_err(),
            "a file that is there is not written over"
        );
    }
    let absent = folder.join("absent");
    assert!(!store.get_file("absent".to_owned(), absent.clone()).await.expect("absence is no error"));
    assert!(!absent.exists());
}
