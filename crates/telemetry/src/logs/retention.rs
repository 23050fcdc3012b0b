//! Retention: what is too old, or too much, is removed.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use hearth_types::LogGroupName;

use super::index::{earlier_index_path, index_path};
use super::segment::{segment_path, segments};
use super::writer::Writer;

/// How often groups are looked through. A group that is written to is, besides, with each new segment.
pub(super) const EXPIRY_INTERVAL: Duration = Duration::from_secs(600);

/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 86_400_000;

impl Writer {
    /// Removes what no group keeps any more.
    pub(super) fn remove_expired(&mut self) {
        for group in self.catalogue.names() {
            self.remove_expired_of(&group);
        }
    }

    /// Removes the segments of a group that are too old, and the oldest while the group is too large.
    pub(super) fn remove_expired_of(&mut self, name: &LogGroupName) {
        let (Some(group), Some(folder)) = (self.catalogue.group(name), self.catalogue.folder(name)) else {
            return;
        };
        let retention_ms = match group.retention_days {
            Some(days) => i64::from(days) * DAY_MS,
            // A retention of more than that is for ever.
            None => i64::try_from(self.settings.retention.as_millis()).unwrap_or(i64::MAX),
        };
        let numbers = segments(&folder);
        let mut kept_bytes = 0;
        for (newer, number) in numbers.iter().rev().enumerate() {
            let path = segment_path(&folder, *number);
            let Ok(metadata) = fs::metadata(&path) else { continue };
            kept_bytes += metadata.len();
            let modified_ms = metadata
                .modified()
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
                .map_or(0, |since| since.as_millis() as i64);
            let age_ms = self.clock.epoch_ms() - modified_ms;
            let too_old = age_ms > retention_ms;
            let too_much = kept_bytes > self.settings.group_bytes_max && newer > 0;
            if !too_old && !too_much {
                continue;
            }
            if newer == 0 {
                // What comes next has to go to another file, and not to the same positions.
                self.open.remove(name);
                if let Err(error) = self.catalogue.set_segment_min(name, number + 1) {
                    tracing::warn!(log_group = %name, %error, "cannot remove expired logs");
                    return;
                }
            }
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove expired logs");
            }
            // Mostly it has but one of them, or none.
            for index in [index_path(&folder, *number), earlier_index_path(&folder, *number)] {
                let _ = fs::remove_file(index);
            }
        }
    }
}
