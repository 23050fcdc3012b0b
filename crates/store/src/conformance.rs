//! What every store must do, whatever its engine. Called by the tests of each.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;

use crate::{
    AliasRecord, BlobStore, CodeSigningConfigRecord, CodeSigningStore, DROPPED_WITH_FUNCTION,
    DeadLetterRecord, DeliveryRecord, EventEnd, EventInvokeConfigRecord, EventProgress, EventRecord,
    EventSourceMappingRecord, EventSourceMappingStore, EventStore, FileSystemRecord, FunctionLayerRecord,
    FunctionRecord, FunctionStore, LayerStatementRecord, LayerStore, LayerVersionRecord, Outcome,
    ShardPosition, ShardPositionRecord, TumblingWindowRecord, UNDELIVERED, UNDELIVERED_DEAD_LETTER,
    VpcRecord,
};

/// A record to try things with.
pub fn a_record(name: &str, revision_id: &str) -> FunctionRecord {
    FunctionRecord {
        name: name.to_owned(),
        version: None,
        is_deleted: false,
        latest_description: None,
        aliases: Vec::new(),
        function_urls: Vec::new(),
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
        vpc_config_is_set: true,
        vpc: Some(VpcRecord {
            subnet_ids: vec!["subnet-1".to_owned()],
            security_group_ids: vec!["sg-1".to_owned()],
            ipv6_allowed_for_dual_stack: true,
        }),
        file_systems: vec![FileSystemRecord {
            arn: "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0".to_owned(),
            local_mount_path: "/mnt/data".to_owned(),
            is_in_s3: true,
            direct_s3_read: None,
        }],
        snap_start: true,
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
        code_signing_config: Some("csc-0".to_owned()),
        update_runtime_on: None,
        runtime_version_arn: None,
        reserved_concurrency: None,
        provisioned: Vec::new(),
        code_sha256: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
        code_size: 22,
        last_modified_ms: 1_764_000_000_000,
        state: "Active".to_owned(),
        state_reason: None,
        last_update: Some("Successful".to_owned()),
        last_update_reason: None,
        durable: None,
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
    check_versions(store).await;
}

/// Checks that versions are kept beside functions, and go with them.
async fn check_versions(store: &dyn FunctionStore) {
    let done = |result: Result<Outcome, _>| matches!(result, Ok(Outcome::Done));
    let version = |name: &str, number: u64| FunctionRecord {
        version: Some(number),
        latest_description: Some("latest".to_owned()),
        ..a_record(name, "v")
    };
    let keys = async || -> Vec<String> {
        let records = store.load_all().await.expect("records can be read");
        let mut keys: Vec<String> = records.iter().map(FunctionRecord::key).collect();
        keys.sort_unstable();
        keys
    };
    let alias = AliasRecord {
        name: "live".to_owned(),
        function_version: "1".to_owned(),
        description: "ü".to_owned(),
        additional: Some((2, "0.1".to_owned())),
        revision_id: "1".to_owned(),
        policy: None,
    };
    let aliased = FunctionRecord {
        aliases: vec![alias],
        reserved_concurrency: Some(0),
        provisioned: vec![crate::ProvisionedConcurrencyRecord {
            qualifier: "live".to_owned(),
            requested: 2,
            last_modified_ms: 1_706_702_400_000,
        }],
        ..a_record("f", "1")
    };
    assert!(done(store.insert(aliased.clone()).await));
    for other in ["f-g", "f1", "e"] {
        assert!(done(store.insert(a_record(other, "1")).await));
        assert!(done(store.insert(version(other, 1)).await));
    }
    for number in [1, 2, 10] {
        assert!(done(store.insert(version("f", number)).await));
    }
    let taken = store.insert(version("f", 2)).await;
    assert!(matches!(taken, Ok(Outcome::Conflict)), "a number is taken once");
    let deleted = FunctionRecord { is_deleted: true, ..version("f", 10) };
    assert!(done(store.replace("v".to_owned(), deleted.clone()).await));
    assert!(done(store.remove("f:1".to_owned()).await));
    let all = store.load_all().await.expect("records can be read");
    assert!(all.contains(&aliased) && all.contains(&deleted));
    let kept = ["b", "e", "e:1", "f", "f-g", "f-g:1", "f1", "f1:1", "f:10", "f:2"];
    assert_eq!(keys().await, kept);
    assert!(done(store.remove("f".to_owned()).await));
    assert_eq!(keys().await, ["b", "e", "e:1", "f-g", "f-g:1", "f1", "f1:1"], "with all of its versions");
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

/// An event to try things with.
pub fn an_event(function: &str, request_id: &str, due_ms: i64) -> EventRecord {
    EventRecord {
        request_id: request_id.to_owned(),
        function: function.to_owned(),
        qualifier: Some("$LATEST".to_owned()),
        accepted_ms: 1_764_000_000_000,
        client_context: Some(Bytes::from_static(b"{}")),
        trace: None,
        payload: Bytes::from_static(b"{\"a\":\"\xc3\xbc\"}"),
        progress: EventProgress { due_ms, attempts: 0, backoffs: 0 },
    }
}

/// Checks a queue of events that is empty, and is kept beside functions that are none.
///
/// # Panics
/// When the store does not do what it must.
pub async fn check_events(store: &dyn EventStore, functions: &dyn FunctionStore) {
    let ids = async |limit| -> Vec<i64> {
        let first = store.first(limit).await.expect("the queue can be read");
        first.into_iter().map(|event| event.id).collect()
    };
    let accept = async |event| store.accept(event).await.expect("events can be kept");
    assert_eq!(accept(an_event("a", "0", 1)).await, Outcome::Conflict, "there is no such function");
    for name in ["a", "b"] {
        functions.insert(a_record(name, "1")).await.expect("functions can be kept");
    }
    for event in [an_event("a", "1", 20), an_event("b", "2", 10), an_event("a", "3", 10)] {
        assert_eq!(accept(event).await, Outcome::Done);
    }
    let queue = ids(10).await;
    let mut requests = Vec::new();
    for &id in &queue {
        requests.push(store.load(id).await.expect("it can be read").expect("it is there").request_id);
    }
    assert_eq!(requests, ["2", "3", "1"], "by the time they are due, then in the order of acceptance");
    assert_eq!(ids(2).await, queue[..2]);
    assert_eq!(store.load(queue[2]).await.expect("it can be read"), Some(an_event("a", "1", 20)));

    let later = EventProgress { due_ms: 30, attempts: 1, backoffs: 2 };
    let postponed = store.postpone(queue[0], later).await.expect("events can be changed");
    assert_eq!(postponed, Outcome::Done);
    assert_eq!(ids(10).await, [queue[1], queue[2], queue[0]]);
    let event = store.load(queue[0]).await.expect("it can be read").expect("it is there");
    assert_eq!(event, EventRecord { progress: later, ..an_event("b", "2", 0) });

    let finish = async |id, dropped| store.finish(id, dropped).await.expect("events can be removed");
    assert_eq!(finish(queue[0], Some("EventAgeExceeded")).await, Outcome::Done);
    assert_eq!(finish(queue[0], Some("EventAgeExceeded")).await, Outcome::Conflict, "it is gone");
    assert_eq!(store.load(queue[0]).await.expect("absence is no error"), None);
    let gone = store.postpone(queue[0], later).await.expect("events can be changed");
    assert_eq!(gone, Outcome::Conflict);

    let config = EventInvokeConfigRecord {
        function: "a".to_owned(),
        qualifier: "$LATEST".to_owned(),
        retries_max: Some(1),
        age_max_seconds: None,
        on_success: None,
        on_failure: Some("arn:aws:sqs:us-east-1:000000000000:q".to_owned()),
        last_modified_ms: 1,
    };
    let put = async |config| store.put_config(config).await.expect("configurations can be kept");
    let configs = async || store.configs("a".to_owned()).await.expect("configurations can be read");
    let of_none = EventInvokeConfigRecord { function: "c".to_owned(), ..config.clone() };
    assert_eq!(put(of_none).await, Outcome::Conflict, "there is no such function");
    let second = EventInvokeConfigRecord { qualifier: "1".to_owned(), ..config.clone() };
    for config in [&config, &second, &config] {
        assert_eq!(put(config.clone()).await, Outcome::Done);
    }
    assert_eq!(configs().await, [config.clone(), second], "by qualifier");
    let remove =
        async || store.remove_config("a".to_owned(), "1".to_owned()).await.expect("it can be removed");
    assert_eq!((remove().await, remove().await), (Outcome::Done, Outcome::Conflict));
    assert_eq!(configs().await, [config]);

    // Two of `a` are left. They go with it, and stay away when it comes back.
    functions.remove("a".to_owned()).await.expect("functions can be removed");
    functions.insert(a_record("a", "2")).await.expect("functions can be kept");
    assert!(ids(10).await.is_empty() && configs().await.is_empty());
    assert_eq!(accept(an_event("a", "4", 1)).await, Outcome::Done);
    let next = ids(10).await;
    assert!(next.iter().all(|id| !queue.contains(id)), "an id is given once");
    let counts = store.counts().await.expect("events can be counted");
    let dropped = [("EventAgeExceeded".to_owned(), 1), (DROPPED_WITH_FUNCTION.to_owned(), 2)];
    assert_eq!((counts.queued, counts.dropped), (1, dropped.to_vec()));
    let hand_over = async |id, to| {
        let next = Some(Box::new(an_event(to, "5", 1)));
        let end = EventEnd { next, ..EventEnd::default() };
        store.end(id, end).await.expect("events can be handed over")
    };
    assert_eq!(hand_over(next[0], "b").await, Outcome::Done);
    assert_eq!(
        hand_over(next[0], "b").await,
        Outcome::Conflict,
        "it is gone, and nothing was put in its place"
    );
    let handed = ids(10).await;
    assert_eq!(handed.len(), 1);
    let event = store.load(handed[0]).await.expect("it can be read").expect("it is there");
    assert_eq!((event.function.as_str(), event.request_id.as_str()), ("b", "5"));
    assert_eq!(hand_over(handed[0], "c").await, Outcome::Done);
    let counts = store.counts().await.expect("events can be counted");
    assert_eq!((counts.queued, &counts.dropped[0]), (0, &(UNDELIVERED.to_owned(), 1)), "there is no `c`");
    check_deliveries(store, functions).await;
    for name in ["a", "b"] {
        functions.remove(name.to_owned()).await.expect("functions can be removed");
    }
}

/// Checks a store of code signing configurations that is empty.
///
/// # Panics
/// When the store does not do what it must.
pub async fn check_code_signing(store: &dyn CodeSigningStore) {
    let record = |id: &str, revision_id: &str| CodeSigningConfigRecord {
        id: id.to_owned(),
        revision_id: revision_id.to_owned(),
        description: "ü".to_owned(),
        allowed_publishers: vec!["p".to_owned()],
        policy: "Warn".to_owned(),
        tags: [("team".to_owned(), "blue".to_owned())].into(),
        last_modified_ms: 1,
    };
    let (done, conflict) = (Outcome::Done, Outcome::Conflict);
    let insert = async |record| store.insert(record).await.expect("records can be kept");
    assert_eq!(insert(record("a", "1")).await, done);
    assert_eq!(insert(record("a", "2")).await, conflict, "an id is taken once");
    let replace = async |seen: &str, record| {
        store.replace(seen.to_owned(), record).await.expect("records can be replaced")
    };
    assert_eq!(replace("2", record("a", "3")).await, conflict);
    assert_eq!(replace("1", record("a", "3")).await, done);
    assert_eq!(replace("1", record("b", "3")).await, conflict);
    assert_eq!(store.load_all().await.expect("records can be read"), [record("a", "3")]);
    let remove = async || store.remove("a".to_owned()).await.expect("records can be removed");
    assert_eq!((remove().await, remove().await), (done, conflict));
}

/// Returns a message to a destination.
pub fn a_delivery(request_id: &str, due_ms: i64) -> DeliveryRecord {
    DeliveryRecord {
        request_id: request_id.to_owned(),
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:a:$LATEST".to_owned(),
        destination: "arn:aws:sqs:us-east-1:000000000000:q".to_owned(),
        condition: "RetriesExhausted".to_owned(),
        ended_ms: 7,
        dead_letter: Some(DeadLetterRecord { error_code: 200, error_message: "on purpose".to_owned() }),
        message: Bytes::from_static(b"{}"),
        due_ms,
        backoffs: 0,
    }
}

/// `functions` has `a` and `b`, and there is no event.
async fn check_deliveries(store: &dyn EventStore, functions: &dyn FunctionStore) {
    let event = an_event("a", "6", 1);
    assert_eq!(store.accept(event).await.expect("events can be kept"), Outcome::Done);
    let id = store.first(1).await.expect("the queue can be read")[0].id;
    let to_destination = DeliveryRecord { dead_letter: None, ..a_delivery("6", 10) };
    let deliveries = vec![a_delivery("6", 20), to_destination.clone()];
    let end = EventEnd { dropped: vec!["Ended"], deliveries, ..EventEnd::default() };
    let ended = async || store.end(id, end.clone()).await.expect("events can be ended");
    assert_eq!((ended().await, ended().await), (Outcome::Done, Outcome::Conflict));
    // The event has ended, so its messages do not go with the function.
    functions.remove("a".to_owned()).await.expect("functions can be removed");
    let first = async |limit| store.first_deliveries(limit).await.expect("messages can be listed");
    let queue = first(10).await;
    assert_eq!(queue.iter().map(|delivery| delivery.due_ms).collect::<Vec<_>>(), [10, 20]);
    assert_eq!(first(1).await, queue[..1]);
    let load = async |id| store.load_delivery(id).await.expect("messages can be read");
    assert_eq!(load(queue[0].id).await, Some(to_destination));
    assert_eq!(load(queue[1].id).await, Some(a_delivery("6", 20)));
    let postpone = async |id| store.postpone_delivery(id, 30, 2).await.expect("messages can be postponed");
    assert_eq!(postpone(queue[0].id).await, Outcome::Done);
    let postponed = load(queue[0].id).await.expect("it is there");
    assert_eq!((postponed.due_ms, postponed.backoffs, first(1).await[0]), (30, 2, queue[1]));
    let finish =
        async |id, dropped| store.finish_delivery(id, dropped).await.expect("messages can be removed");
    assert_eq!(finish(queue[0].id, None).await, Outcome::Done);
    assert_eq!(finish(queue[0].id, None).await, Outcome::Conflict);
    assert_eq!(postpone(queue[0].id).await, Outcome::Conflict);
    assert_eq!(store.counts().await.expect("they can be counted").deliveries, 1);
    assert_eq!(finish(queue[1].id, Some(UNDELIVERED_DEAD_LETTER)).await, Outcome::Done);
    assert_eq!(load(queue[1].id).await, None);
    let counts = store.counts().await.expect("they can be counted");
    let count =
        |reason: &str| counts.dropped.iter().find(|(known, _)| known == reason).map(|(_, count)| *count);
    assert_eq!((counts.deliveries, count("Ended"), count(UNDELIVERED_DEAD_LETTER)), (0, Some(1), Some(1)));
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

/// Makes an event source mapping.
pub fn a_mapping(uuid: &str, revision_id: &str) -> EventSourceMappingRecord {
    EventSourceMappingRecord {
        uuid: uuid.to_owned(),
        revision_id: revision_id.to_owned(),
        function: "f".to_owned(),
        qualifier: Some("live".to_owned()),
        event_source_arn: "arn:aws:kinesis:us-east-1:000000000000:stream/s".to_owned(),
        enabled: true,
        deleting: false,
        last_modified_ms: 1_700_000_000_000,
        batch_size: 100,
        window_seconds: 1,
        filters: vec!["{}".to_owned()],
        response_types: vec!["ReportBatchItemFailures".to_owned()],
        concurrency_max: None,
        parallelization_factor: 2,
        starting_position: Some("AT_TIMESTAMP".to_owned()),
        starting_timestamp_ms: Some(1),
        on_failure: Some("arn:aws:sqs:us-east-1:000000000000:q".to_owned()),
        record_age_seconds_max: -1,
        retries_max: 3,
        bisect: true,
        tumbling_window_seconds: 0,
        tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
    }
}

/// Checks a store of event source mappings that is empty.
///
/// # Panics
/// When the store does not do what it must.
pub async fn check_event_source_mappings(store: &dyn EventSourceMappingStore) {
    let (one, other) = (a_mapping("1", "a"), a_mapping("1", "b"));
    let (done, conflict) = (Outcome::Done, Outcome::Conflict);
    let insert = async |record| store.insert_mapping(record).await.expect("records can be kept");
    let replace = async |seen: &str, record| {
        store.replace_mapping(seen.to_owned(), record).await.expect("records can be replaced")
    };
    let positions =
        async |mapping: &str| store.positions(mapping.to_owned()).await.expect("records can be read");
    let put = async |records| store.put_positions(records).await.expect("records can be kept");
    assert_eq!(insert(one.clone()).await, done);
    assert_eq!(insert(one.clone()).await, conflict);
    assert_eq!(replace("x", other.clone()).await, conflict);
    assert_eq!(replace("a", other.clone()).await, done);
    assert_eq!(store.mappings().await.expect("records can be read"), [other]);

    let position = |mapping: &str, shard: &str, position| ShardPositionRecord {
        mapping: mapping.to_owned(),
        shard: shard.to_owned(),
        position,
        window: Some(TumblingWindowRecord { start_ms: 5, state: "{}".to_owned() }),
    };
    let first = position("1", "s0", ShardPosition::Since(7));
    let second = position("1", "s1", ShardPosition::TrimHorizon);
    let of_other = position("10", "s0", ShardPosition::Finished);
    put(vec![first, second.clone(), of_other.clone()]).await;
    let moved = position("1", "s0", ShardPosition::After("42".to_owned()));
    put(vec![moved.clone()]).await;
    assert_eq!(positions("1").await, [moved, second.clone()]);
    store.remove_position("1/s0".to_owned()).await.expect("records can be removed");
    assert_eq!(positions("1").await, [second]);
    store.remove_mapping("1".to_owned()).await.expect("records can be removed");
    assert!(store.mappings().await.expect("records can be read").is_empty());
    assert!(positions("1").await.is_empty(), "they go with their mapping");
    assert_eq!(positions("10").await, [of_other]);
}
