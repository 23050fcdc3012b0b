use std::time::Instant;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::UNIX_EPOCH;

use super::group::folder_name;
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
fn long_events_come_in_several_pages() {
    let folder = Folder::new("long");
    let store = open(&folder, now_ms);
    let long = "x".repeat(262_144);
    for _ in 0..40 {
        put(&store, &long);
    }
    store.flush();
    let (mut cursor, mut counts) = (None, Vec::new());
    loop {
        let page = store.read(&group(), cursor.as_deref(), 1_000).unwrap();
        if page.events.is_empty() {
            break;
        }
        counts.push(page.events.len());
        cursor = Some(page.cursor);
    }
    assert!(counts.len() >= 3 && counts.iter().all(|&count| count <= 16), "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), 40);
    store.close();
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

fn stream(name: &str) -> LogStreamName {
    LogStreamName::new(name).unwrap()
}

fn put_at(store: &LogStore, to: &str, timestamp_ms: i64, text: &str) {
    assert!(store.put(&group(), &stream(to), vec![PutEvent { timestamp_ms, message: text.into() }]));
}

fn all<'a>() -> EventQuery<'a> {
    EventQuery { streams: StreamSelection::All, start_ms: None, end_ms: None, matches: &|_| true }
}

fn of(names: &[&str]) -> EventQuery<'static> {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    EventQuery { streams: StreamSelection::Named(names), ..all() }
}

fn bounds(events_max: usize) -> PageBounds {
    PageBounds { events_max, bytes_max: 1 << 20, scanned_bytes_max: u64::MAX }
}

fn texts(page: &EventPage) -> Vec<&str> {
    page.events.iter().map(|event| event.message.as_str()).collect()
}

fn segment_files(folder: &Folder) -> Vec<u64> {
    segments(&folder.0.join(folder_name(&group())))
}

#[test]
fn pages_of_a_stream_are_read_in_both_directions_and_meet() {
    let folder = Folder::new("pages");
    let store = open(&folder, now_ms);
    for number in 0..10 {
        put_at(&store, "a", 1_000 + number, &format!("a{number}"));
        put_at(&store, "b", 1_000 + number, &format!("b{number}"));
    }
    store.flush();
    let first = store.read_forwards(&group(), &of(&["a"]), Position::START, bounds(4)).unwrap();
    assert_eq!((texts(&first), first.has_more), (vec!["a0", "a1", "a2", "a3"], true));
    let second = store.read_forwards(&group(), &of(&["a"]), first.end, bounds(100)).unwrap();
    assert_eq!((texts(&second).len(), second.has_more), (6, false));
    assert!(store.read_forwards(&group(), &of(&["a"]), second.end, bounds(4)).unwrap().events.is_empty());
    let last = store.read_backwards(&group(), &of(&["a"]), None, bounds(4)).unwrap();
    assert_eq!((texts(&last), last.has_more), (vec!["a6", "a7", "a8", "a9"], true));
    let before = store.read_backwards(&group(), &of(&["a"]), Some(last.start), bounds(100)).unwrap();
    assert_eq!((texts(&before).len(), before.has_more), (6, false));
    let back = store.read_backwards(&group(), &of(&["a"]), Some(second.start), bounds(100)).unwrap();
    assert_eq!(back.events, first.events);
    // In time, and within a megabyte of messages.
    let then = EventQuery { start_ms: Some(1_003), end_ms: Some(1_005), ..all() };
    let page = store.read_forwards(&group(), &then, Position::START, bounds(100)).unwrap();
    assert_eq!(texts(&page), ["a3", "b3", "a4", "b4"]);
    let small = PageBounds { bytes_max: 3 * (2 + EVENT_OVERHEAD_BYTES), ..bounds(100) };
    let page = store.read_forwards(&group(), &all(), Position::START, small).unwrap();
    assert_eq!((texts(&page), page.has_more), (vec!["a0", "b0", "a1"], true));
    let page = store.read_forwards(&group(), &all(), page.end, small).unwrap();
    assert_eq!(texts(&page), ["b1", "a2", "b2"]);
    let page = store.read_backwards(&group(), &all(), None, small).unwrap();
    assert_eq!(texts(&page), ["b8", "a9", "b9"]);
}

#[test]
fn events_that_come_late_stand_at_their_time_and_every_id_is_unique() {
    let folder = Folder::new("late");
    let store = open(&folder, now_ms);
    for (at, text) in [(3, "three"), (1, "one"), (2, "two"), (2, "two again")] {
        put_at(&store, "a", at, text);
    }
    store.flush();
    let page = store.read_forwards(&group(), &all(), Position::START, bounds(10)).unwrap();
    assert_eq!(texts(&page), ["one", "two", "two again", "three"]);
    let ids: Vec<String> = page.events.iter().map(LogEvent::event_id).collect();
    assert!(ids.is_sorted_by(|one, other| one < other) && ids.iter().all(|id| id.len() == 56), "{ids:?}");
    let now = now_ms();
    assert!(page.events.iter().all(|event| (now - 60_000..=now).contains(&event.ingestion_ms)));
}

#[test]
fn groups_and_streams_are_described_over_a_restart() {
    let folder = Folder::new("described");
    let store = open(&folder, now_ms);
    let made = LogGroupName::new("made").unwrap();
    let mut new = LogGroup::new(made.clone(), 7);
    new.tags.insert("team".to_owned(), "blue".to_owned());
    store.create_group(new.clone()).unwrap();
    assert!(matches!(store.create_group(new.clone()), Err(LogStoreError::GroupExists)));
    store.change_group(&made, |group| group.retention_days = Some(3)).unwrap();
    store.create_stream(&made, &stream("empty")).unwrap();
    assert!(matches!(store.create_stream(&made, &stream("empty")), Err(LogStoreError::StreamExists)));
    // A function's group comes with its first line.
    put_at(&store, "2026/11/25/[$LATEST]aa", 2_000, "later");
    put_at(&store, "2026/11/25/[$LATEST]aa", 1_000, "earlier");
    store.flush();
    let described = |store: &LogStore| {
        let groups: Vec<(String, Option<u32>)> = store
            .groups(None, 9, |_| true)
            .into_iter()
            .map(|group| (group.name.as_str().to_owned(), group.retention_days))
            .collect();
        let streams = store.streams(&group()).unwrap();
        let streams: Vec<_> =
            streams.into_iter().map(|s| (s.name, s.first_event_ms, s.last_event_ms)).collect();
        (groups, streams)
    };
    let before = described(&store);
    assert_eq!(before.0, [("/aws/lambda/f".to_owned(), None), ("made".to_owned(), Some(3))]);
    assert_eq!(before.1, [("2026/11/25/[$LATEST]aa".to_owned(), Some(1_000), Some(2_000))]);
    store.close();
    let store = open(&folder, now_ms);
    assert_eq!(described(&store), before);
    assert_eq!(store.group(&made).unwrap(), LogGroup { retention_days: Some(3), ..new });
    assert_eq!(store.streams(&made).unwrap()[0].name, "empty");
    assert!(store.has_stream(&group(), "2026/11/25/[$LATEST]aa").unwrap());
    assert!(!store.has_stream(&group(), "2026/11/25/[$LATEST]bb").unwrap());
}

#[test]
fn a_deleted_group_comes_back_empty_with_its_next_event_and_no_position_twice() {
    let folder = Folder::new("deleted");
    let store = open(&folder, now_ms);
    put(&store, "old\n");
    store.flush();
    let old = store.read(&group(), None, 9).unwrap();
    store.delete_group(&group()).unwrap();
    assert!(fs::read_dir(&folder.0).unwrap().next().is_none(), "its files are gone");
    assert!(matches!(store.delete_group(&group()), Err(LogStoreError::GroupNotFound)));
    put(&store, "new\n");
    store.flush();
    assert_eq!(messages(&store.read(&group(), None, 9).unwrap()), ["new\n"]);
    assert_eq!(messages(&store.read(&group(), Some(&old.cursor), 9).unwrap()), ["new\n"]);
}

#[test]
fn a_deletion_that_a_crash_cut_off_is_finished() {
    let folder = Folder::new("grave");
    fs::create_dir_all(folder.0.join("~deleted-0")).unwrap();
    fs::write(folder.0.join("~deleted-0/000000000001.jsonl"), "{}\n").unwrap();
    let store = open(&folder, now_ms);
    assert!(store.groups(None, 9, |_| true).is_empty());
    assert!(!folder.0.join("~deleted-0").exists());
}

#[test]
fn a_deleted_stream_hides_what_it_had_and_may_come_back() {
    let folder = Folder::new("deleted-stream");
    let store = open(&folder, now_ms);
    put_at(&store, "a", 1, "a1");
    put_at(&store, "b", 1, "b1");
    store.flush();
    store.delete_stream(&group(), &stream("a")).unwrap();
    assert!(matches!(store.delete_stream(&group(), &stream("a")), Err(LogStoreError::StreamNotFound)));
    let names = |store: &LogStore| -> Vec<String> {
        store.streams(&group()).unwrap().into_iter().map(|stream| stream.name).collect()
    };
    assert_eq!(names(&store), ["b"]);
    store.close();
    let store = open(&folder, now_ms);
    assert_eq!(names(&store), ["b"]);
    put_at(&store, "a", 2, "a2");
    store.flush();
    assert_eq!(names(&store), ["a", "b"]);
    assert_eq!(texts(&store.read_backwards(&group(), &all(), None, bounds(9)).unwrap()), ["b1", "a2"]);
}

#[test]
fn the_retention_of_a_group_hides_old_events_and_removes_old_segments() {
    let folder = Folder::new("group-retention");
    let store = open(&folder, now_ms);
    let now = now_ms();
    put_at(&store, "a", now - 3 * 86_400_000, "old");
    put_at(&store, "a", now, "new");
    store.flush();
    store.change_group(&group(), |group| group.retention_days = Some(1)).unwrap();
    let page = store.read_forwards(&group(), &all(), Position::START, bounds(9)).unwrap();
    assert_eq!(texts(&page), ["new"]);
    store.close();
    // Longer than the server's 30 days, then shorter again.
    let store = open(&folder, in_40_days);
    assert!(segment_files(&folder).is_empty(), "a day is over");
    put_at(&store, "a", in_40_days(), "kept");
    store.flush();
    assert_eq!(segment_files(&folder), [2], "no position comes twice");
    store.change_group(&group(), |group| group.retention_days = Some(60)).unwrap();
    store.close();
    let store = open(&folder, in_40_days);
    assert_eq!(segment_files(&folder), [2]);
    store.change_group(&group(), |group| group.retention_days = Some(30)).unwrap();
    assert!(segment_files(&folder).is_empty(), "at once");
}

#[test]
fn a_segment_is_closed_after_a_day_so_that_it_can_go_as_a_whole() {
    fn in_2_days() -> i64 {
        now_ms() + 2 * 86_400_000
    }
    let folder = Folder::new("daily");
    let store = open(&folder, now_ms);
    for text in ["one", "two"] {
        put_at(&store, "a", now_ms(), text);
        store.flush();
    }
    assert_eq!(segment_files(&folder), [1]);
    store.close();
    let store = open(&folder, in_2_days);
    for text in ["three", "four"] {
        put_at(&store, "a", in_2_days(), text);
        store.flush();
    }
    assert_eq!(segment_files(&folder), [1, 2]);
    // Whoever closes the store waits for the index of what was full.
    store.close();
    let index = index::index_path(&folder.0.join(folder_name(&group())), 1);
    assert!(index.exists());
    let store = open(&folder, in_2_days);
    store.change_group(&group(), |group| group.retention_days = Some(1)).unwrap();
    assert!(!index.exists() && segment_files(&folder).is_empty(), "an index goes with its segment");
}

#[test]
fn a_full_segment_is_followed_by_another_and_the_last_minutes_are_found_by_its_index() {
    let folder = Folder::new("segments");
    let store = open(&folder, now_ms);
    let text = "x".repeat(200_000);
    for number in 0..200 {
        put_at(&store, &format!("s{}", number / 50), 1_000 * number, &text);
        if number % 20 == 0 {
            store.flush();
        }
    }
    store.flush();
    // Each is full with the event that reaches 16 MiB, however much is written at once.
    assert_eq!(segment_files(&folder), [1, 2, 3]);
    let whole = PageBounds { bytes_max: usize::MAX, ..bounds(1_000) };
    let read = |store: &LogStore| {
        let page = store.read_forwards(&group(), &all(), Position::START, whole).unwrap();
        assert_eq!(page.events.len(), 200);
        let backwards = store.read_backwards(&group(), &all(), None, whole).unwrap();
        assert_eq!(backwards.events, page.events);
        // Half a segment is enough of the disk for the last five.
        let last = EventQuery { start_ms: Some(195_000), ..all() };
        let little = PageBounds { scanned_bytes_max: 4 << 20, ..whole };
        let page = store.read_forwards(&group(), &last, Position::START, little).unwrap();
        assert_eq!((page.events.len(), page.has_more), (5, false));
        let page = store.read_forwards(&group(), &of(&["s1"]), Position::START, whole).unwrap();
        assert_eq!(page.events.len(), 50);
        assert_eq!(store.streams(&group()).unwrap().len(), 4);
    };
    read(&store);
    store.close();
    // Without its index, with a damaged one, and with its own.
    let index = index::index_path(&folder.0.join(folder_name(&group())), 1);
    fs::remove_file(&index).unwrap();
    read(&open(&folder, now_ms));
    let made = fs::read(&index).unwrap();
    fs::write(&index, &made[..made.len() / 2]).unwrap();
    read(&open(&folder, now_ms));
    assert_eq!(fs::read(&index).unwrap(), made);
}

#[test]
fn names_that_are_no_names_of_folders_have_folders_of_their_own() {
    let folder = Folder::new("names");
    let store = open(&folder, now_ms);
    let long = "x/".repeat(256);
    for name in [".", "..", "a/../b", &long, &long[..511], "~"] {
        let Ok(name) = LogGroupName::new(name) else { continue };
        let event = PutEvent { timestamp_ms: 1, message: name.as_str().into() };
        assert!(store.put(&name, &stream("s"), vec![event]));
    }
    store.close();
    let store = open(&folder, now_ms);
    let names: Vec<String> =
        store.groups(None, 99, |_| true).into_iter().map(|group| group.name.as_str().to_owned()).collect();
    assert_eq!(names, [".", "..", "a/../b", &long[..511], &long]);
    for name in &names {
        let name = LogGroupName::new(name).unwrap();
        assert_eq!(messages(&store.read(&name, None, 9).unwrap()), [name.as_str()]);
        store.delete_group(&name).unwrap();
    }
    assert!(folder.0.exists() && fs::read_dir(&folder.0).unwrap().next().is_none());
}

#[test]
fn segments_of_an_earlier_hearth_are_read() {
    let folder = Folder::new("earlier");
    let of_group = folder.0.join(folder_name(&group()));
    fs::create_dir_all(&of_group).unwrap();
    let line = "{\"t\":5,\"s\":\"2026/11/25/[$LATEST]aa\",\"m\":\"hello\\n\"}\n";
    fs::write(segment_path(&of_group, 1), line).unwrap();
    let store = open(&folder, now_ms);
    assert_eq!(store.group(&group()).unwrap().created_ms, 5);
    let page = store.read_forwards(&group(), &all(), Position::START, bounds(9)).unwrap();
    assert_eq!((page.events[0].ingestion_ms, texts(&page)), (5, vec!["hello\n"]));
}

/// Puts `rounds` events of 1,000 bytes into each of 500 streams, in turns; each round is a second.
fn put_in_turns(store: &LogStore, rounds: std::ops::Range<i64>) {
    for round in rounds {
        for number in 0..500 {
            let message = format!("{round} {}\n", "x".repeat(1_000));
            put_at(store, &format!("s{number:03}"), 1_000 * round, &message);
        }
        store.flush();
    }
}

#[test]
fn the_last_events_of_one_stream_among_many_are_found_without_reading_the_others() {
    let folder = Folder::new("interleaved");
    let store = open(&folder, now_ms);
    put_in_turns(&store, 0..100);
    put_at(&store, "rare", 50_000, "once\n");
    put_in_turns(&store, 100..120);
    assert_eq!(segment_files(&folder).len(), 4);
    let look = |store: &LogStore| {
        // The events themselves, and what lies in the gaps that are read along: nothing else.
        let little = PageBounds { scanned_bytes_max: 100 * 1_200, ..bounds(100) };
        let page = store.read_backwards(&group(), &of(&["s250"]), None, little).unwrap();
        let rounds: Vec<i64> = page.events.iter().map(|event| event.timestamp_ms / 1_000).collect();
        assert_eq!(rounds, (20..120).collect::<Vec<i64>>());
        let page = store.read_forwards(&group(), &of(&["s250"]), Position::START, little).unwrap();
        assert_eq!((page.events.len(), page.events[99].timestamp_ms), (100, 99_000));
        let page = store.read_backwards(&group(), &of(&["rare"]), None, little).unwrap();
        assert_eq!((texts(&page), page.has_more), (vec!["once\n"], false));
        let prefix = EventQuery { streams: StreamSelection::Prefix("s49".to_owned()), ..all() };
        let whole = PageBounds { bytes_max: usize::MAX, ..bounds(10_000) };
        assert_eq!(
            store.read_forwards(&group(), &prefix, Position::START, whole).unwrap().events.len(),
            1_200
        );
        // Ten seconds of the whole group are half a megabyte a second.
        let then = EventQuery { start_ms: Some(60_000), end_ms: Some(62_000), ..all() };
        let little = PageBounds { scanned_bytes_max: 2 << 20, ..whole };
        let page = store.read_forwards(&group(), &then, Position::START, little).unwrap();
        assert_eq!((page.events.len(), page.has_more), (1_000, false));
        // The newest of the group, from its end.
        let little = PageBounds { scanned_bytes_max: 256 << 10, ..bounds(100) };
        let page = store.read_backwards(&group(), &all(), None, little).unwrap();
        assert_eq!((page.events.len(), page.events[0].timestamp_ms), (100, 119_000));
        let streams = store.streams(&group()).unwrap();
        assert_eq!(streams.len(), 501);
        let of_250 = streams.iter().find(|stream| stream.name == "s250").unwrap();
        assert_eq!((of_250.first_event_ms, of_250.last_event_ms), (Some(0), Some(119_000)));
    };
    look(&store);
    store.close();
    // Without any index, with all of them, and with one that has lost a byte somewhere.
    let path = |number| index::index_path(&folder.0.join(folder_name(&group())), number);
    (1..=3).for_each(|number| fs::remove_file(path(number)).unwrap());
    look(&open(&folder, now_ms));
    look(&open(&folder, now_ms));
    let made = fs::read(path(2)).unwrap();
    for at in [0, 9, 30, 60, made.len() / 2, made.len() - 1] {
        let mut damaged = made.clone();
        damaged[at] ^= 0x10;
        fs::write(path(2), &damaged).unwrap();
        look(&open(&folder, now_ms));
        assert!(fs::read(path(2)).unwrap() == made, "it is made again");
    }
}

#[test]
fn a_group_that_is_too_large_frees_its_disk_and_forgets_the_streams_that_were_there() {
    let folder = Folder::new("too-large");
    let settings =
        LogStoreSettings { retention: Duration::from_secs(30 * 86_400), group_bytes_max: 40 << 20 };
    let store = LogStore::open(&folder.0, settings, Clock::new(Instant::now(), now_ms)).unwrap();
    put_at(&store, "first", 0, "gone soon\n");
    put_in_turns(&store, 0..60);
    let names = |store: &LogStore| -> Vec<(String, Option<i64>)> {
        store.streams(&group()).unwrap().into_iter().map(|s| (s.name, s.first_event_ms)).collect()
    };
    assert_eq!((names(&store).len(), names(&store)[0].clone()), (501, ("first".to_owned(), Some(0))));
    put_in_turns(&store, 60..160);
    let kept: u64 = store.stored_bytes(&group());
    assert!(kept <= (40 << 20) + (17 << 20), "{kept}");
    let numbers = segment_files(&folder);
    assert!(numbers[0] > 1);
    let files = fs::read_dir(folder.0.join(folder_name(&group()))).unwrap().count();
    assert!(files <= 2 * numbers.len() + 1, "an index goes with its segment: {files}");
    let streams = names(&store);
    assert_eq!(streams.len(), 500);
    let oldest = store.read_forwards(&group(), &all(), Position::START, bounds(1)).unwrap().events.remove(0);
    assert!(oldest.timestamp_ms > 0);
    let of_oldest = streams.iter().find(|(name, _)| *name == oldest.log_stream).unwrap();
    assert_eq!(of_oldest.1, Some(oldest.timestamp_ms));
    assert!(!store.has_stream(&group(), "first").unwrap() && store.has_stream(&group(), "s000").unwrap());
    store.close();
    let store = LogStore::open(&folder.0, settings, Clock::new(Instant::now(), now_ms)).unwrap();
    assert_eq!(names(&store), streams);
}
