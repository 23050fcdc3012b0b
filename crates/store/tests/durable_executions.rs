//! Durable executions in the embedded store: names, orphans, what is due, lists, histories, and damage.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use hearth_store::conformance::a_record;
use hearth_store::embedded::EmbeddedStore;
use hearth_store::{
    Details, DueExecution, DurableChange, DurableStore, EventDetails, EventType, ExecutionFilter,
    ExecutionRecord, ExecutionStatus, FunctionStore, HistoryRecord, OperationRecord, OperationStatus,
    Outcome, StoreError,
};

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("durable-{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

async fn with_function(folder: &Path) -> EmbeddedStore {
    let store = EmbeddedStore::open(folder).unwrap();
    assert_eq!(FunctionStore::insert(&store, a_record("f", "1")).await.unwrap(), Outcome::Done);
    store
}

fn execution(id: &str, name: &str, started_ms: i64) -> ExecutionRecord {
    ExecutionRecord {
        id: id.to_owned(),
        function: "f".to_owned(),
        version: "$LATEST".to_owned(),
        name: name.to_owned(),
        status: ExecutionStatus::Running,
        started_ms,
        ended_ms: None,
        result: None,
        error: None,
        timeout_s: 60,
        deadline_ms: started_ms + 60_000,
        retention_days: 1,
        kms_key_arn: None,
        trace: "Root=1".to_owned(),
        parent: None,
        pause: None,
        invocations: 1,
        invoking: Some((started_ms, "r".to_owned())),
        owes_invocation: false,
        failures: 0,
        backoffs: 0,
        not_before_ms: None,
        sequence: 1,
        changes: 1,
        seen: 1,
        events: 1,
        bytes: 2,
        chained: 0,
        last_checkpoint: None,
    }
}

fn operation(id: &str) -> OperationRecord {
    OperationRecord {
        id: id.to_owned(),
        parent_id: None,
        name: None,
        sub_type: None,
        started_ms: 1,
        ended_ms: None,
        status: OperationStatus::Started,
        result: Some("ü\n".to_owned()),
        error: None,
        details: Details::Execution { input: "{}".to_owned() },
        touched: 1,
    }
}

fn event(id: u64) -> HistoryRecord {
    HistoryRecord {
        id,
        kind: EventType::StepStarted,
        at_ms: 1,
        operation_id: None,
        parent_id: None,
        name: None,
        sub_type: None,
        details: EventDetails::None,
    }
}

fn change(execution: ExecutionRecord, due_ms: i64, events: Vec<HistoryRecord>) -> DurableChange {
    let operations = vec![(0, operation("o"))];
    DurableChange { execution, due_ms: Some(due_ms), operations, events }
}

#[tokio::test]
async fn what_is_kept_of_an_execution_is_there_after_a_restart() {
    let folder = folder("restart");
    let store = with_function(&folder).await;
    let mut record = execution("a", "n", 5);
    store.begin_execution(change(record.clone(), 9, vec![event(1)])).await.unwrap();
    record.sequence = 2;
    let more = DurableChange {
        execution: record.clone(),
        due_ms: Some(7),
        operations: vec![(1, operation("p"))],
        events: vec![event(2), event(3)],
    };
    assert_eq!(store.change_execution(more).await.unwrap(), Outcome::Done);
    drop(store);
    let store = EmbeddedStore::open(&folder).unwrap();
    let loaded = store.load_execution("a".to_owned()).await.unwrap().unwrap();
    assert_eq!(loaded.execution, record);
    assert_eq!(loaded.operations, [operation("o"), operation("p")]);
    assert_eq!(store.unfinished_executions().await.unwrap(), ["a"]);
    let ids = |events: Vec<HistoryRecord>| events.iter().map(|event| event.id).collect::<Vec<_>>();
    assert_eq!(ids(store.history("a".to_owned(), 2, false, 10).await.unwrap()), [2, 3]);
    assert_eq!(ids(store.history("a".to_owned(), u64::MAX, true, 2).await.unwrap()), [3, 2]);
    assert_eq!(store.remove_execution("a".to_owned()).await.unwrap(), Outcome::Done);
    assert_eq!(store.remove_execution("a".to_owned()).await.unwrap(), Outcome::Conflict);
    assert!(store.history("a".to_owned(), 1, false, 10).await.unwrap().is_empty());
    let gone = change(record, 9, vec![]);
    assert_eq!(store.change_execution(gone).await.unwrap(), Outcome::Conflict);
}

#[tokio::test]
async fn a_name_is_taken_once_and_free_when_the_function_goes() {
    let store = with_function(&folder("names")).await;
    let begin = async |id: &str| {
        store.begin_execution(change(execution(id, "n", 5), 9, vec![event(1)])).await.unwrap()
    };
    assert_eq!(begin("a").await, Outcome::Done);
    assert_eq!(begin("b").await, Outcome::Conflict);
    let named = async || store.execution_named("f".to_owned(), "n".to_owned()).await.unwrap();
    assert_eq!(named().await.as_deref(), Some("a"));
    FunctionStore::remove(&store, "f".to_owned()).await.unwrap();
    assert_eq!(named().await, None);
    let due = store.due_executions(10).await.unwrap();
    assert_eq!(due, [DueExecution { id: "a".to_owned(), due_ms: 0, is_orphaned: true }]);
    assert!(store.load_execution("a".to_owned()).await.unwrap().unwrap().is_orphaned);
    assert_eq!(begin("b").await, Outcome::Conflict, "its function is not there");
    FunctionStore::insert(&store, a_record("f", "2")).await.unwrap();
    assert_eq!(begin("b").await, Outcome::Done);
    let all = ExecutionFilter { function: "f".to_owned(), limit: 10, ..ExecutionFilter::default() };
    let listed = store.list_executions(all).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[tokio::test]
async fn executions_are_listed_by_when_they_began_and_what_is_due_by_when_it_is() {
    let store = with_function(&folder("lists")).await;
    for (number, id) in ["c", "a", "b", "d"].into_iter().enumerate() {
        let mut record = execution(id, id, if id == "d" { 2 } else { 1 });
        if id == "b" {
            record.status = ExecutionStatus::Stopped;
        }
        let due_ms = 10 - number as i64;
        store.begin_execution(change(record, due_ms, vec![event(1)])).await.unwrap();
    }
    let due = store.due_executions(2).await.unwrap();
    assert_eq!(due.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["d", "b"]);
    assert_eq!(store.unfinished_executions().await.unwrap(), ["a", "c", "d"]);
    let list = async |filter: ExecutionFilter| {
        let filter = ExecutionFilter { function: "f".to_owned(), ..filter };
        let found = store.list_executions(filter).await.unwrap();
        found.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    let limit = 10;
    assert_eq!(list(ExecutionFilter { limit, ..Default::default() }).await, ["a", "b", "c", "d"]);
    let after = Some((1, "b".to_owned()));
    assert_eq!(list(ExecutionFilter { limit, after: after.clone(), ..Default::default() }).await, ["c", "d"]);
    let down = ExecutionFilter { limit, after, youngest_first: true, ..Default::default() };
    assert_eq!(list(down).await, ["a"]);
    let stopped = ExecutionFilter { limit, statuses: vec!["STOPPED".to_owned()], ..Default::default() };
    assert_eq!(list(stopped).await, ["b"]);
    let younger = ExecutionFilter { limit, started_after_ms: Some(1), ..Default::default() };
    assert_eq!(list(younger).await, ["d"]);
    let of_another = ExecutionFilter { limit, version: Some("1".to_owned()), ..Default::default() };
    assert!(list(of_another).await.is_empty());
    let odd = ExecutionFilter { limit, name: Some("' OR 1=1 --".to_owned()), ..Default::default() };
    assert!(list(odd).await.is_empty());
}

#[tokio::test]
async fn damage_to_an_operation_is_found() {
    let folder = folder("damage");
    let store = with_function(&folder).await;
    store.begin_execution(change(execution("a", "n", 5), 9, vec![event(1)])).await.unwrap();
    drop(store);
    let connection = rusqlite::Connection::open(folder.join("hearth.db")).unwrap();
    let changed = connection.execute("UPDATE durable_operations SET record = replace(record, 'o', 'q')", []);
    assert_eq!(changed.unwrap(), 1);
    drop(connection);
    let store = EmbeddedStore::open(&folder).unwrap();
    let damaged = store.load_execution("a".to_owned()).await;
    assert!(matches!(damaged, Err(StoreError::Damaged { .. })), "{damaged:?}");
}
