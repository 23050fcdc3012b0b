//! The buckets and what is in them. All records are in memory; the store is written first. Bytes are blobs: an object has
//! one, or those of the parts that it was uploaded in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hearth_store::{
    BlobStore, BucketChange, BucketRecord, BucketStore, Clock, ObjectRecord, PartRecord, PieceRecord,
    StoreError, UploadRecord,
};

use crate::error::S3Error;

/// How many objects there may be, and how many parts of uploads. Ours: each record takes about a kilobyte of memory.
pub(crate) const OBJECTS_MAX: usize = 200_000;
/// How many buckets. Source: "Amazon S3 quotas", read 2026-11.
pub(crate) const BUCKETS_MAX: usize = 10_000;
/// How many uploads may be in progress. Ours.
pub(crate) const UPLOADS_MAX: usize = 1_000;

/// A blob that is a part of an object, or was one. The last one to let go of it removes it, unless it is kept.
pub(crate) struct Piece {
    pub(crate) record: PieceRecord,
    blobs: Arc<dyn BlobStore>,
    is_kept: AtomicBool,
}

impl Piece {
    pub(crate) fn new(record: PieceRecord, blobs: Arc<dyn BlobStore>, is_kept: bool) -> Self {
        Self { record, blobs, is_kept: AtomicBool::new(is_kept) }
    }

    /// From now on a record names it.
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::Release);
    }

    /// From now on no record names it. Whoever reads it reads on.
    pub(crate) fn discard(&self) {
        self.is_kept.store(false, Ordering::Release);
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if self.is_kept.load(Ordering::Acquire) {
            return;
        }
        let (blobs, blob) = (self.blobs.clone(), std::mem::take(&mut self.record.blob));
        // Without Tokio the server is at its end; the next start removes what no record names.
        if let Ok(tokio) = tokio::runtime::Handle::try_current() {
            tokio.spawn(async move {
                if let Err(error) = blobs.delete(blob).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot remove the bytes of an object"
                    );
                }
            });
        }
    }
}

pub(crate) struct Object {
    pub(crate) record: ObjectRecord,
    pub(crate) pieces: Vec<Arc<Piece>>,
}

pub(crate) struct Part {
    pub(crate) record: PartRecord,
    pub(crate) piece: Option<Arc<Piece>>,
}

pub(crate) struct Upload {
    pub(crate) record: UploadRecord,
    pub(crate) parts: BTreeMap<u16, Part>,
}

pub(crate) struct Bucket {
    pub(crate) record: BucketRecord,
    pub(crate) objects: BTreeMap<String, Arc<Object>>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) uploads: BTreeMap<String, Upload>,
    /// How many objects and parts there are.
    pub(crate) things: usize,
}

impl State {
    pub(crate) fn bucket(&self, name: &str) -> Result<&Bucket, S3Error> {
        self.buckets.get(name).ok_or_else(|| S3Error::no_such_bucket(name))
    }

    /// Returns an upload to this object.
    pub(crate) fn upload(&self, id: &str, bucket: &str, key: &str) -> Result<&Upload, S3Error> {
        let of_object = |upload: &&Upload| upload.record.bucket == bucket && upload.record.key == key;
        self.uploads.get(id).filter(of_object).ok_or_else(|| S3Error::no_such_upload(id))
    }

    pub(crate) fn check_room(&self) -> Result<(), S3Error> {
        match self.things >= OBJECTS_MAX {
            true => Err(S3Error::new(
                507,
                "TooManyObjects",
                format!("This server keeps at most {OBJECTS_MAX} objects"),
            )),
            false => Ok(()),
        }
    }
}

/// Everything that there is.
pub(crate) struct Buckets {
    store: Arc<dyn BucketStore>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) clock: Arc<dyn Clock>,
    state: RwLock<State>,
    /// One change after the other.
    changing: tokio::sync::Mutex<()>,
}

impl Buckets {
    /// Reads what is kept, and removes blobs that no record names.
    pub(crate) async fn open(
        store: Arc<dyn BucketStore>,
        blobs: Arc<dyn BlobStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let records = store.bucket_records().await?;
        let mut used = std::collections::HashSet::new();
        let mut piece = |record: &PieceRecord| {
            used.insert(record.blob.clone());
            Arc::new(Piece::new(record.clone(), blobs.clone(), true))
        };
        let mut state = State { things: records.objects.len() + records.parts.len(), ..State::default() };
        for record in records.buckets {
            state.buckets.insert(record.name.clone(), Bucket { record, objects: BTreeMap::new() });
        }
        for record in records.objects {
            let pieces = record.pieces.iter().map(&mut piece).collect();
            if let Some(bucket) = state.buckets.get_mut(&record.bucket) {
                bucket.objects.insert(record.key.clone(), Arc::new(Object { record, pieces }));
            }
        }
        for record in records.uploads {
            state.uploads.insert(record.id.clone(), Upload { record, parts: BTreeMap::new() });
        }
        for record in records.parts {
            let piece = record.piece.as_ref().map(&mut piece);
            if let Some(upload) = state.uploads.get_mut(&record.upload) {
                upload.parts.insert(record.number, Part { record, piece });
            }
        }
        for blob in blobs.list().await? {
            if !used.contains(&blob) {
                blobs.delete(blob).await?;
            }
        }
        let (state, changing) = (RwLock::new(state), tokio::sync::Mutex::default());
        Ok(Self { store, blobs, clock, state, changing })
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something: `plan` says against what is there which steps the change has, `apply` makes it in memory when it
    /// is durable. `new` are pieces that a record names from then on. Goes on when its caller is gone.
    pub(crate) async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        new: Vec<Arc<Piece>>,
        plan: impl FnOnce(&State) -> Result<Vec<BucketChange>, S3Error> + Send + 'static,
        apply: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Result<T, S3Error> {
        let buckets = self.clone();
        let changed = tokio::spawn(async move {
            let _changing = buckets.changing.lock().await;
            let steps = plan(&buckets.read())?;
            if !steps.is_empty() {
                let kept = buckets.store.change_buckets(steps).await;
                // Where there is doubt, bytes that nobody may need are better than a record without bytes.
                if kept.as_ref().map_or_else(StoreError::leaves_doubt, |()| true) {
                    new.iter().for_each(|piece| piece.keep());
                }
                kept.map_err(|error| S3Error::store(&error))?;
            }
            Ok(apply(&mut buckets.write()))
        });
        changed.await.unwrap_or_else(|error| Err(S3Error::internal(&error)))
    }
}
