//! Which log groups there are. Only the writer changes that; everybody reads it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hearth_types::{LogGroupName, LogStreamName};

use super::group::{Group, LogGroup, StreamRecord, folder_name};
use super::segment::segments;
use super::{LogStoreError, Position};

/// How many groups clients may make. Ours: each takes about a kilobyte of memory, and functions make more if they need
/// them.
const GROUPS_MAX: usize = 100_000;
/// How many streams of one group clients may make. Ours, for the same reason.
const STREAMS_MAX: usize = 100_000;
/// Folders of groups that are being deleted begin with this. No folder of a group does.
const DELETED: &str = "~deleted-";

/// All groups of a store.
pub(super) struct Catalogue {
    folder: PathBuf,
    groups: Mutex<Groups>,
}

#[derive(Default)]
struct Groups {
    by_name: BTreeMap<LogGroupName, Group>,
    /// Groups that were deleted, and which segment comes next should they come back: cursors and ids of events must not
    /// mean something else then. Forgotten with the process, as cursors mostly are.
    deleted: HashMap<LogGroupName, u64>,
}

impl Catalogue {
    /// Reads which groups there are, and finishes deletions that a crash has cut off.
    pub(super) fn load(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut groups = Groups::default();
        for entry in fs::read_dir(folder)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(DELETED) {
                if let Err(error) = fs::remove_dir_all(entry.path()) {
                    tracing::warn!(path = %entry.path().display(), %error, "cannot remove a deleted log group");
                }
            } else if let Some(group) = Group::load(&entry.path()) {
                groups.by_name.insert(group.group.name.clone(), group);
            } else {
                tracing::warn!(path = %entry.path().display(), "this is no log group; it is left alone");
            }
        }
        Ok(Self { folder: folder.to_owned(), groups: Mutex::new(groups) })
    }

    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns where a group is, if it is there.
    pub(super) fn folder(&self, name: &LogGroupName) -> Option<PathBuf> {
        self.lock().by_name.get(name).map(|group| group.folder.clone())
    }

    /// Describes a group.
    pub(super) fn group(&self, name: &LogGroupName) -> Option<LogGroup> {
        self.lock().by_name.get(name).map(|group| group.group.clone())
    }

    /// Names all groups, in order.
    pub(super) fn names(&self) -> Vec<LogGroupName> {
        self.lock().by_name.keys().cloned().collect()
    }

    /// Describes up to `limit` groups that are `wanted` and come after `after`, by name.
    pub(super) fn list(
        &self,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&LogGroup) -> bool,
    ) -> Vec<LogGroup> {
        let groups = self.lock();
        let groups = groups.by_name.values().map(|group| &group.group);
        let after = groups.skip_while(|group| after.is_some_and(|after| group.name.as_str() <= after));
        after.filter(|group| wanted(group)).take(limit).cloned().collect()
    }

    /// Returns what clients have said about the streams of a group.
    pub(super) fn streams(&self, name: &LogGroupName) -> Option<BTreeMap<String, StreamRecord>> {
        self.lock().by_name.get(name).map(|group| group.streams.clone())
    }

    /// Returns what clients have said about one stream.
    pub(super) fn stream(&self, name: &LogGroupName, stream: &str) -> Option<StreamRecord> {
        self.lock().by_name.get(name)?.streams.get(stream).copied()
    }

    /// Returns before which positions which streams are deleted.
    pub(super) fn deletions(&self, name: &LogGroupName) -> HashMap<String, Position> {
        let groups = self.lock();
        let streams = groups.by_name.get(name).into_iter().flat_map(|group| &group.streams);
        streams.filter_map(|(stream, record)| Some((stream.clone(), record.deleted?))).collect()
    }

    /// Makes a group for a client.
    pub(super) fn create(&self, group: LogGroup) -> Result<(), LogStoreError> {
        let groups = self.lock();
        if groups.by_name.contains_key(&group.name) {
            return Err(LogStoreError::GroupExists);
        }
        if groups.by_name.len() >= GROUPS_MAX {
            return Err(LogStoreError::TooMany);
        }
        drop(groups);
        self.add(group, true).map(drop).map_err(|source| self.io(source))
    }

    /// Returns where a group that is written to is, and the least number of its next segment. Makes the group when it is
    /// not there.
    pub(super) fn folder_to_write(&self, name: &LogGroupName, now_ms: i64) -> io::Result<(PathBuf, u64)> {
        if let Some(group) = self.lock().by_name.get(name) {
            return Ok((group.folder.clone(), group.segment_min));
        }
        self.add(LogGroup::new(name.clone(), now_ms), false)
    }

    fn add(&self, group: LogGroup, durably: bool) -> io::Result<(PathBuf, u64)> {
        let name = group.name.clone();
        let segment_min = self.lock().deleted.get(&name).copied().unwrap_or(1);
        let group = Group::new(group, self.folder.join(folder_name(&name)), segment_min);
        group.save(durably)?;
        let folder = group.folder.clone();
        let mut groups = self.lock();
        groups.deleted.remove(&name);
        groups.by_name.insert(name, group);
        Ok((folder, segment_min))
    }

    /// Changes a group on disk and in memory.
    pub(super) fn change(
        &self,
        name: &LogGroupName,
        change: impl FnOnce(&mut LogGroup),
    ) -> Result<(), LogStoreError> {
        let mut groups = self.lock();
        let group = groups.by_name.get_mut(name).ok_or(LogStoreError::GroupNotFound)?;
        let before = group.group.clone();
        change(&mut group.group);
        group.save(true).map_err(|source| {
            group.group = before;
            self.io(source)
        })
    }

    /// Notes that all segments of a group before that number are gone.
    pub(super) fn set_segment_min(&self, name: &LogGroupName, segment_min: u64) -> io::Result<()> {
        match self.lock().by_name.get_mut(name) {
            Some(group) => {
                group.segment_min = segment_min;
                group.save(false)
            }
            None => Ok(()),
        }
    }

    /// Removes a group with all that it has.
    pub(super) fn delete(&self, name: &LogGroupName) -> Result<(), LogStoreError> {
        let mut groups = self.lock();
        let group = groups.by_name.get(name).ok_or(LogStoreError::GroupNotFound)?;
        if group.group.deletion_protected {
            return Err(LogStoreError::Protected);
        }
        let next = segments(&group.folder).last().map_or(group.segment_min, |newest| newest + 1);
        // Gone at once, whatever happens to us while we remove its files.
        let graves = (0_u64..).map(|number| self.folder.join(format!("{DELETED}{number}")));
        let grave = graves.into_iter().find(|grave| !grave.exists()).expect("some number is not taken");
        fs::rename(&group.folder, &grave).map_err(|source| self.io(source))?;
        groups.by_name.remove(name);
        groups.deleted.insert(name.clone(), next);
        drop(groups);
        // A reader may be writing an index there.
        fs::remove_dir_all(&grave).or_else(|_| fs::remove_dir_all(&grave)).map_err(|source| self.io(source))
    }

    /// Makes a stream without events.
    pub(super) fn create_stream(
        &self,
        name: &LogGroupName,
        stream: &LogStreamName,
        now_ms: i64,
    ) -> Result<(), LogStoreError> {
        let mut groups = self.lock();
        let group = groups.by_name.get_mut(name).ok_or(LogStoreError::GroupNotFound)?;
        if group.streams.len() >= STREAMS_MAX {
            return Err(LogStoreError::TooMany);
        }
        let known = group.streams.get(stream.as_str()).copied().unwrap_or_default();
        if known.created_ms.is_some() {
            return Err(LogStoreError::StreamExists);
        }
        let record = StreamRecord { created_ms: Some(now_ms), ..known };
        group.set_stream(stream, record).map_err(|source| self.io(source))
    }

    /// Hides all events of a stream before `position`, and the stream.
    pub(super) fn delete_stream(
        &self,
        name: &LogGroupName,
        stream: &LogStreamName,
        position: Position,
    ) -> Result<(), LogStoreError> {
        let mut groups = self.lock();
        let group = groups.by_name.get_mut(name).ok_or(LogStoreError::GroupNotFound)?;
        let record = StreamRecord { created_ms: None, deleted: Some(position) };
        group.set_stream(stream, record).map_err(|source| self.io(source))
    }

    fn io(&self, source: io::Error) -> LogStoreError {
        LogStoreError::Io { path: self.folder.clone(), source }
    }
}
