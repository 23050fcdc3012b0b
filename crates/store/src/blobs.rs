//! Blobs in a local folder, through `object_store`, made durable.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};

use crate::{BlobStore, StoreError};

/// Blobs as files of a folder.
pub struct LocalBlobStore {
    folder: PathBuf,
    objects: Arc<LocalFileSystem>,
    half_written: usize,
}

impl LocalBlobStore {
    /// Opens or makes the folder. What an earlier server had half written is removed.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| StoreError::Io { path: folder.to_owned(), source })?;
        let objects = LocalFileSystem::new_with_prefix(folder)
            .map_err(|source| StoreError::Object { key: folder.display().to_string(), source })?;
        let half_written = remove_half_written(folder)
            .map_err(|source| StoreError::Io { path: folder.to_owned(), source })?;
        // A file is synced before it gets its name, and the folder after it: off the async executor.
        Ok(Self { folder: folder.to_owned(), objects: Arc::new(objects.with_fsync(true)), half_written })
    }

    /// Returns how many objects an earlier server had half written when it ended.
    pub fn half_written(&self) -> usize {
        self.half_written
    }
}

/// Removes what `object_store` writes to before a file gets its name, `KEY#1`. It hides these files from its own lists.
fn remove_half_written(folder: &Path) -> std::io::Result<usize> {
    let mut removed = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| Some(name.rsplit_once('#')?.1));
        if number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            std::fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The error that a fault point stands for.
#[allow(dead_code, reason = "only fault points call it, and they are nothing in an ordinary build")]
fn injected(key: &str) -> StoreError {
    let source = object_store::Error::Generic { store: "fault point", source: "injected".into() };
    StoreError::Object { key: key.to_owned(), source }
}

impl BlobStore for LocalBlobStore {
    fn put(&self, key: String, bytes: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            fail::fail_point!("objects::put", |_| Err(injected(&key)));
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match self.objects.put_opts(&Key::from(key.as_str()), bytes.into(), options).await {
                Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(source) => return Err(StoreError::Object { key, source }),
            }
            fail::fail_point!("objects::kept");
            Ok(())
        })
    }

    fn get(&self, key: String) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move {
            let object = match self.objects.get(&Key::from(key.as_str())).await {
                Ok(object) => object.bytes().await,
                Err(error) => Err(error),
            };
            match object {
                Ok(bytes) => Ok(Some(bytes)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(source) => Err(StoreError::Object { key, source }),
            }
        })
    }

    fn delete(&self, key: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            fail::fail_point!("objects::delete", |_| Err(injected(&key)));
            match self.objects.delete(&Key::from(key.as_str())).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(source) => Err(StoreError::Object { key, source }),
            }
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let objects = self.objects.list(None).map_ok(|object| object.location.to_string());
            objects
                .try_collect()
                .await
                .map_err(|source| StoreError::Object { key: self.folder.display().to_string(), source })
        })
    }
}
