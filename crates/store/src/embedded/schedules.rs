//! Schedules and their groups in the database.

use futures_util::future::BoxFuture;

use super::EmbeddedStore;
use super::table::{Encoded, Table};
use crate::{ScheduleGroupRecord, ScheduleRecord, ScheduleStore, StoreError};

pub(super) const MIGRATION: &str = "CREATE TABLE schedules (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE schedule_groups (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER schedules_go_with_their_group AFTER DELETE ON schedule_groups BEGIN
        DELETE FROM schedules WHERE name > OLD.name || '/' AND name < OLD.name || '0';
    END;";

const SCHEDULES: Table = Table { name: "schedules", kind: "schedule" };
const GROUPS: Table = Table { name: "schedule_groups", kind: "schedule group" };

impl ScheduleStore for EmbeddedStore {
    fn schedules(&self) -> BoxFuture<'_, Result<Vec<ScheduleRecord>, StoreError>> {
        Box::pin(SCHEDULES.load(self))
    }

    fn put_schedule(&self, schedule: ScheduleRecord) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let encoded = Encoded::of(schedule.key(), "", &schedule)?;
            self.change_all(move |transaction| SCHEDULES.put_in(transaction, &encoded)).await
        })
    }

    fn remove_schedule(&self, key: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.change_all(move |transaction| SCHEDULES.remove_in(transaction, &key)))
    }

    fn schedule_groups(&self) -> BoxFuture<'_, Result<Vec<ScheduleGroupRecord>, StoreError>> {
        Box::pin(GROUPS.load(self))
    }

    fn put_schedule_group(&self, group: ScheduleGroupRecord) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let encoded = Encoded::of(group.name.clone(), "", &group)?;
            // `INSERT OR REPLACE` fires no trigger of deletions: the schedules of the group stay.
            self.change_all(move |transaction| GROUPS.put_in(transaction, &encoded)).await
        })
    }

    fn remove_schedule_group(&self, name: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.change_all(move |transaction| GROUPS.remove_in(transaction, &name)))
    }
}
