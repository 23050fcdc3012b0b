//! The API over a log store in a folder of its own, for tests of what no client can wait for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_telemetry::{Clock, LogGroup, LogStore, LogStoreSettings, PutEvent};
use hearth_types::{AccountId, LogGroupName, LogStreamName, Region};

use crate::CloudWatchLogs;

/// When it is, for these tests.
pub(crate) const NOW_MS: i64 = 1_796_040_000_000;

pub(crate) struct TestApi {
    pub(crate) api: Arc<CloudWatchLogs>,
    pub(crate) group: LogGroupName,
    folder: PathBuf,
}

impl TestApi {
    /// With one group, in which there is `messages`.
    pub(crate) fn with(name: &str, messages: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("hearth-logs-api-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let clock = Clock::new(Instant::now(), || NOW_MS);
        let settings =
            LogStoreSettings { retention: Duration::from_secs(30 * 86_400), group_bytes_max: 1 << 30 };
        let logs = LogStore::open(&folder, settings, clock).unwrap();
        let group = LogGroupName::new("/app").unwrap();
        logs.create_group(LogGroup::new(group.clone(), NOW_MS)).unwrap();
        let events = messages.iter().map(|text| PutEvent { timestamp_ms: NOW_MS, message: (*text).into() });
        logs.put(&group, &LogStreamName::new("s").unwrap(), events.collect());
        let region = Region::new("us-east-1").unwrap();
        let account = AccountId::new("000000000000").unwrap();
        Self { api: CloudWatchLogs::new(logs, clock, region, account), group, folder }
    }
}

impl Drop for TestApi {
    fn drop(&mut self) {
        self.api.logs.close();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
