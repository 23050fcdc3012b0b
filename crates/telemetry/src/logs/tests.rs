use std::time::Instant;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::UNIX_EPOCH;

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hearth-logs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn now_ms() -> i64 {
    #[allow(clippy::disallowed_methods, reason = "the clock of these tests")]
    let now = std::time::SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

fn in_40_days() -> i64 {
    now_ms() + 40 * 86_400_000
}

fn open(folder: &Folder, epoch_ms: fn() -> i64) -> Arc<LogStore> {
    let settings = LogStoreSettings { retention: Duration::from_secs(30 * 86_400), group_bytes_max: 1 << 30 };
    LogStore::open(&folder.0, settings, Clock::new(Instant::now(), epoch_ms)).unwrap()
}

fn put(store: &LogStore, text: &str) {
    let stream = LogStreamName::new("2026/11/25/[$LATEST]aa").unwrap();
    store.put(&group(), &stream, vec![PutEvent { timestamp_ms: 5, message: text.into() }]);
}

fn group() -> LogGroupName {
    LogGroupName::new("/aws/lambda/f").unwrap()
}

fn messages(page: &LogPage) -> Vec<&str> {
    page.events.iter().map(|event| event.message.as_str()).collect()
}

#[test]
fn events_are_kept_in_order_over_a_restart_and_a_cursor_goes_on_where_it_was() {
    let folder = Folder::new("order");
    let store = open(&folder, now_ms);
    for text in ["one\n", "two\n", "three"] {
        put(&store, text);
    }
    store.flush();
    let first = store.read(&group(), None, 2).unwrap();
    assert_eq!(messages(&first), ["one\n", "two\n"]);
    put(&store, "four ü \u{0}\n");
    store.close();

    let store = open(&folder, now_ms);
    let rest = store.read(&group(), Some(&first.cursor), 100).unwrap();
    assert_eq!(messages(&rest), ["three", "four ü \u{0}\n"]);
    assert!(store.read(&group(), Some(&rest.cursor), 100).unwrap().events.is_empty());
    for bad in ["x", "1-", "-1", "1-99999", "1-18446744073709551615"] {
        assert!(matches!(store.read(&group(), Some(bad), 100), Err(LogStoreError::Cursor(_))), "{bad}");
    }
}

#[test]
fn an_event_cut_by_a_crash_is_removed_and_the_rest_stays() {
    let folder = Folder::new("torn");
    let store = open(&folder, now_ms);
    put(&store, "whole\n");
    store.close();
    let path = segment_path(&folder.0.join(folder_name(&group())), 1);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"t\":5,\"s\":\"x").unwrap();

    let store = open(&folder, now_ms);
    put(&store, "next\n");
    store.flush();
    assert_eq!(messages(&store.read(&group(), None, 100).unwrap()), ["whole\n", "next\n"]);
}

#[test]
fn what_is_older_than_the_retention_is_removed() {
    let folder = Folder::new("retention");
    let store = open(&folder, now_ms);
    put(&store, "old\n");
    store.close();
    assert_eq!(messages(&open(&folder, now_ms).read(&group(), None, 9).unwrap()), ["old\n"]);
    assert!(open(&folder, in_40_days).read(&group(), None, 9).unwrap().events.is_empty());
}

#[test]
fn a_retention_longer_than_time_keeps_everything() {
    let folder = Folder::new("for-ever");
    let settings = LogStoreSettings { retention: Duration::from_secs(u64::MAX), group_bytes_max: 1 << 30 };
    let open = || LogStore::open(&folder.0, settings, Clock::new(Instant::now(), in_40_days)).unwrap();
    let store = open();
    put(&store, "old\n");
    store.close();
    assert_eq!(messages(&open().read(&group(), None, 9).unwrap()), ["old\n"]);
}
