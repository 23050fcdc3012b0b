//! What is read from outside as configuration. The first byte says what the rest is.
//!
//! | first byte | the rest |
//! |---|---|
//! | `s` | settings of the server: flags, one on a line; behind a line `---` the text of `hearth.toml` |
//! | `r` | the stored record of a function, as JSON |
//! | `v` | the environment variables of a function, as JSON |
//! | `l` | stored log events: a line with a cursor, then a segment |
//!
//! What is accepted obeys its rules; everything else is refused with a text.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use hearth_runtimes::{BootRequest, Runtimes};
use hearth_store::FunctionRecord;
use hearth_telemetry::{Clock, LogStore, LogStoreSettings};
use hearth_types::{
    AccountId, FunctionName, InitializationType, LogFormat, LogGroupName, LogStreamName, MemoryMb, Region,
    Runtime, Version,
};
use tokio::sync::Semaphore;

use super::api_json::ask;
use super::on_tokio;
use super::world::World;

/// Runs one input.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind {
        b's' => settings(rest),
        b'r' => record(rest),
        b'v' => variables(rest),
        b'l' => logs(rest),
        _ => {}
    }
}

fn settings(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let (flags, toml) = text.split_once("---\n").unwrap_or(("", text));
    let flags: Vec<&str> = flags.lines().collect();
    match hearth_cli::fuzzing::settings(&flags, toml) {
        Ok(settings) => {
            assert!(AccountId::new(&settings.account).is_ok());
            assert!(Region::new(&settings.region).is_ok(), "{}", settings.region);
            assert!(settings.account_concurrency > 0);
            assert!((1..=Semaphore::MAX_PERMITS).contains(&settings.cold_starts_max));
            assert!(!settings.idle_timeout.is_zero() && !settings.log_retention.is_zero());
            assert!(settings.interpreters.keys().all(|id| Runtime::parse(id).is_ok()));
        }
        Err(text) => assert!(!text.is_empty()),
    }
}

/// A record that somebody has touched: the server starts with it, or says what is wrong with it.
fn record(json: &[u8]) {
    let Ok(record) = serde_json::from_slice::<FunctionRecord>(json) else { return };
    let again = serde_json::to_string(&record).expect("a record can be written");
    let again: FunctionRecord = serde_json::from_str(&again).expect("a record reads as it was written");
    assert_eq!(again.name, record.name);
    on_tokio(async {
        let name = record.name.clone();
        let Ok(world) = World::open(vec![record]).await else { return };
        world.settled(&name).await;
        let target = format!("/2015-03-31/functions/{name}");
        for (method, target) in [("GET", "/2015-03-31/functions"), ("GET", &target), ("DELETE", &target)] {
            let answer = ask(&world, method, target, b"").await;
            answer.check();
            assert!(answer.head.status.is_success(), "{method} {target}: {}", answer.head.status);
        }
    });
}

/// A folder that is never removed by us: whoever named the place for temporary files does it.
static CODE: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let bootstrap = folder.path().join("bootstrap");
    fs::write(&bootstrap, "").expect("a file");
    fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).expect("an executable file");
    folder
});

/// What the user sets reaches the function, except where it would speak for the service.
fn variables(json: &[u8]) {
    let Ok(variables) = serde_json::from_slice::<BTreeMap<String, String>>(json) else { return };
    let name = FunctionName::new("f").expect("a name");
    let runtimes = Runtimes::new(hearth_runtimes::Settings {
        data_dir: CODE.path().into(),
        path: "/bin".into(),
        interpreters: BTreeMap::new(),
    });
    let command = runtimes.command(&BootRequest {
        runtime: Runtime::parse("provided.al2023").expect("a runtime"),
        code_root: CODE.path(),
        layers_root: None,
        paths: hearth_runtimes::Paths::Host,
        handler: "handler",
        user_variables: Some(&variables),
        function_name: &name,
        version: Version::Latest,
        memory: MemoryMb::DEFAULT,
        log_group: &LogGroupName::of_function(&name),
        log_stream: &LogStreamName::new("stream").expect("a name"),
        region: &Region::new("us-east-1").expect("a region"),
        runtime_api: "127.0.0.1:9001",
        initialization_type: InitializationType::OnDemand,
        log_format: LogFormat::Text,
        log_level: None,
        credentials: None,
        log_fd: Some(62),
    });
    let environment = command.expect("there is a bootstrap").environment;
    let value = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    assert_eq!(value("AWS_LAMBDA_RUNTIME_API"), Some(&OsString::from("127.0.0.1:9001")));
    assert_eq!(value("_HANDLER"), Some(&OsString::from("handler")));
    assert!(environment.is_sorted_by(|(one, _), (other, _)| one < other), "no name is there twice");
    for (name, given) in &variables {
        if name.starts_with("AWS_") || name.starts_with("LAMBDA_") || ["PWD", "SHLVL"].contains(&&**name) {
            continue;
        }
        assert_eq!(value(name).is_some_and(|value| **value == **given), !name.starts_with('_'), "{name}");
    }
}

/// Log events on disk that somebody has touched, and cursors of clients: whatever is left of the former is read.
fn logs(data: &[u8]) {
    let line_end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let cursor = std::str::from_utf8(&data[..line_end]).unwrap_or_default();
    let segment = data.get(line_end + 1..).unwrap_or_default();
    let folder = tempfile::tempdir().expect("a folder");
    let group_folder = folder.path().join("g");
    fs::create_dir(&group_folder).expect("a folder");
    fs::write(group_folder.join("000000000001.jsonl"), segment).expect("a file");
    let settings = LogStoreSettings { retention: Duration::MAX, group_bytes_max: 1 << 30 };
    let store = LogStore::open(Path::new(folder.path()), settings, Clock::new(Instant::now(), || 0));
    let store = store.expect("a folder of logs");
    let group = LogGroupName::new("g").expect("a name");
    let all = store.read(&group, None, 1_000).expect("damaged events are left out");
    let rest = store.read(&group, Some(&all.cursor), 1_000).expect("its own cursor");
    assert!(rest.events.is_empty() && rest.cursor == all.cursor, "nothing is read twice");
    match store.read(&group, Some(cursor), 1_000) {
        Ok(page) => assert!(page.events.len() <= segment.len()),
        Err(error) => assert!(matches!(error, hearth_telemetry::LogStoreError::Cursor(_)), "{error:?}"),
    }
    store.close();
}
