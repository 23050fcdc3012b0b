//! Retention: what is too old, or too much, is removed.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::segment::{segment_path, segments};
use super::writer::Writer;

impl Writer {
    /// Removes what no group keeps any more.
    pub(super) fn remove_expired(&self) {
        let Ok(groups) = fs::read_dir(&self.folder) else { return };
        for group in groups.flatten() {
            self.remove_expired_of(&group.path());
        }
    }

    /// Removes the segments of a group that are too old, and the oldest while the group is too large.
    pub(super) fn remove_expired_of(&self, folder: &Path) {
        let numbers = segments(folder);
        let mut kept_bytes = 0;
        for (newer, number) in numbers.iter().rev().enumerate() {
            let path = segment_path(folder, *number);
            let Ok(metadata) = fs::metadata(&path) else { continue };
            kept_bytes += metadata.len();
            let modified_ms = metadata
                .modified()
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
                .map_or(0, |since| since.as_millis() as i64);
            let age_ms = self.clock.epoch_ms() - modified_ms;
            // A retention of more than that is for ever.
            let retention_ms = i64::try_from(self.settings.retention.as_millis()).unwrap_or(i64::MAX);
            let too_old = age_ms > retention_ms;
            let too_much = kept_bytes > self.settings.group_bytes_max && newer > 0;
            if (too_old || too_much)
                && let Err(error) = fs::remove_file(&path)
            {
                tracing::warn!(path = %path.display(), %error, "cannot remove expired logs");
            }
        }
    }
}
