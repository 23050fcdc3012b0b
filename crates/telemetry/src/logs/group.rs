//! Log groups and their streams as they are described: what stands in a group's folder besides its events.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hearth_types::{LogGroupName, LogStreamName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Position;
use super::segment::{Lines, open_lines, segments};

/// Characters of a group's name that stay as they are in the name of its folder.
const FOLDER_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
/// How long the name of a folder may become. Longer ones are cut and told apart by a hash. File systems allow 255.
const FOLDER_NAME_BYTES_MAX: usize = 200;
/// What a group is described in.
const DESCRIPTION: &str = "group.json";
/// The streams that were made or deleted by a client, one change a line.
const STREAMS: &str = "streams.log";

/// A log group, without its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name.
    pub name: LogGroupName,
    /// Since when it is there, in milliseconds since 1970.
    pub created_ms: i64,
    /// How long its events are kept. `None`: as long as the server keeps logs.
    pub retention_days: Option<u32>,
    /// `STANDARD`, unless its creator named another class. All are kept alike.
    pub class: String,
    /// Whether it cannot be deleted.
    pub deletion_protected: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl LogGroup {
    /// A group that nobody has described.
    pub fn new(name: LogGroupName, created_ms: i64) -> Self {
        let (class, tags) = ("STANDARD".to_owned(), BTreeMap::new());
        Self { name, created_ms, retention_days: None, class, deletion_protected: false, tags }
    }
}

/// A log stream, without its events. Times are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStream {
    /// Its name.
    pub name: String,
    /// Since when it is there.
    pub created_ms: i64,
    /// The time of its earliest event.
    pub first_event_ms: Option<i64>,
    /// The time of its latest event.
    pub last_event_ms: Option<i64>,
    /// When its last event came.
    pub last_ingestion_ms: Option<i64>,
}

impl LogStream {
    /// A stream without events.
    pub(super) fn new(name: &str, created_ms: i64) -> Self {
        let name = name.to_owned();
        Self { name, created_ms, first_event_ms: None, last_event_ms: None, last_ingestion_ms: None }
    }
}

/// A group as it is in memory.
pub(super) struct Group {
    pub(super) group: LogGroup,
    pub(super) folder: PathBuf,
    /// Its next segment has this number at least, so that no position comes twice.
    pub(super) segment_min: u64,
    /// What clients have said about streams.
    pub(super) streams: BTreeMap<String, StreamRecord>,
}

/// What a client has said about a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StreamRecord {
    /// When it was made, if it was.
    pub(super) created_ms: Option<i64>,
    /// Its events before this are deleted.
    pub(super) deleted: Option<Position>,
}

/// `group.json`
#[derive(Serialize, Deserialize)]
struct Description {
    name: String,
    created_ms: i64,
    #[serde(default)]
    retention_days: Option<u32>,
    class: String,
    #[serde(default)]
    deletion_protected: bool,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default = "first_segment")]
    segment_min: u64,
}

const fn first_segment() -> u64 {
    1
}

/// A line of `streams.log`: all that is known of a stream from here on.
#[derive(Serialize, Deserialize)]
struct StreamLine {
    #[serde(rename = "s")]
    name: String,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    created_ms: Option<i64>,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    deleted: Option<Position>,
}

/// Where a group is, below the folder of the store.
pub(super) fn folder_name(group: &LogGroupName) -> String {
    let name = utf8_percent_encode(group.as_str(), FOLDER_NAME).to_string();
    // `.` and `..` are names of groups, and of folders that are not theirs.
    if name.bytes().all(|byte| byte == b'.') {
        return name.replace('.', "%2E");
    }
    if name.len() <= FOLDER_NAME_BYTES_MAX {
        return name;
    }
    let hash: String =
        Sha256::digest(group.as_str()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{}~{hash}", &name[..FOLDER_NAME_BYTES_MAX - hash.len() - 1])
}

impl Group {
    /// A group whose folder is not there yet.
    pub(super) fn new(group: LogGroup, folder: PathBuf, segment_min: u64) -> Self {
        Self { group, folder, segment_min, streams: BTreeMap::new() }
    }

    /// Reads a folder. `None` when it is none of a group.
    pub(super) fn load(folder: &Path) -> Option<Self> {
        if !folder.is_dir() {
            return None;
        }
        let description = fs::read(folder.join(DESCRIPTION)).ok();
        let description: Option<Description> =
            description.and_then(|text| serde_json::from_slice(&text).ok());
        let mut group = match description {
            Some(description) => {
                let group = LogGroup {
                    name: LogGroupName::new(&description.name).ok()?,
                    created_ms: description.created_ms,
                    retention_days: description.retention_days,
                    class: description.class,
                    deletion_protected: description.deletion_protected,
                    tags: description.tags,
                };
                Self::new(group, folder.to_owned(), description.segment_min)
            }
            // From before groups were described; or the machine stopped at the wrong moment.
            None => {
                let name = percent_decode_str(folder.file_name()?.to_str()?).decode_utf8().ok()?;
                let group =
                    LogGroup::new(LogGroupName::new(&name).ok()?, first_event_ms(folder).unwrap_or(0));
                Self::new(group, folder.to_owned(), first_segment())
            }
        };
        group.load_streams();
        Some(group)
    }

    /// Writes the description of the group. A crash leaves the old one or the new one.
    pub(super) fn save(&self, durably: bool) -> io::Result<()> {
        let group = &self.group;
        let description = Description {
            name: group.name.as_str().to_owned(),
            created_ms: group.created_ms,
            retention_days: group.retention_days,
            class: group.class.clone(),
            deletion_protected: group.deletion_protected,
            tags: group.tags.clone(),
            segment_min: self.segment_min,
        };
        fs::create_dir_all(&self.folder)?;
        let (path, half) = (self.folder.join(DESCRIPTION), self.folder.join("group.json.new"));
        let mut file = File::create(&half)?;
        file.write_all(&serde_json::to_vec(&description)?)?;
        if durably {
            file.sync_all()?;
        }
        fs::rename(half, path)
    }

    /// Changes what is known of a stream, on disk and then in memory.
    pub(super) fn set_stream(&mut self, name: &LogStreamName, record: StreamRecord) -> io::Result<()> {
        let (mut file, _) = open_lines(&self.folder.join(STREAMS))?;
        file.write_all(&line(name.as_str(), record)?)?;
        file.sync_all()?;
        self.streams.insert(name.as_str().to_owned(), record);
        Ok(())
    }

    fn load_streams(&mut self) {
        let path = self.folder.join(STREAMS);
        let Ok(text) = fs::read(&path) else { return };
        let lines = text.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let mut number = 0;
        for line in lines {
            number += 1;
            let Ok(StreamLine { name, created_ms, deleted }) = serde_json::from_slice(line) else { continue };
            self.streams.insert(name, StreamRecord { created_ms, deleted });
        }
        // What was deleted from segments that are gone is nothing to remember.
        let oldest = segments(&self.folder).first().copied().unwrap_or(u64::MAX);
        self.streams.retain(|_, record| {
            record.deleted = record.deleted.filter(|position| position.segment >= oldest);
            record.created_ms.is_some() || record.deleted.is_some()
        });
        if number > 2 * self.streams.len()
            && let Err(error) = self.rewrite_streams(&path)
        {
            tracing::warn!(path = %path.display(), %error, "the list of log streams cannot be shortened");
        }
    }

    fn rewrite_streams(&self, path: &Path) -> io::Result<()> {
        let mut text = Vec::new();
        for (name, record) in &self.streams {
            text.extend(line(name, *record)?);
        }
        let half = self.folder.join("streams.new");
        let mut file = File::create(&half)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(half, path)
    }
}

fn line(name: &str, record: StreamRecord) -> io::Result<Vec<u8>> {
    let line = StreamLine { name: name.to_owned(), created_ms: record.created_ms, deleted: record.deleted };
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    Ok(text)
}

fn first_event_ms(folder: &Path) -> Option<i64> {
    let number = segments(folder).first().copied()?;
    let mut lines = Lines::open(&super::segment::segment_path(folder, number)).ok()??;
    lines.go_to(0, u64::MAX);
    lines.advance().ok()??;
    lines.line().map(|line| line.timestamp_ms)
}
