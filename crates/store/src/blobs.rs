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
}

impl LocalBlobStore {
    /// Opens or makes the folder.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| StoreError::Io { path: folder.to_owned(), source })?;
        let objects = LocalFileSystem::new_with_prefix(folder)
            .map_err(|source| StoreError::Object { key: folder.display().to_string(), source })?;
        // A file is synced before it gets its name, and the folder after it: off the async executor.
        Ok(Self { folder: folder.to_owned(), objects: Arc::new(objects.with_fsync(true)) })
    }
}

impl BlobStore for LocalBlobStore {
    fn put(&self, key: String, bytes: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match self.objects.put_opts(&Key::from(key.as_str()), bytes.into(), options).await {
                Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
                Err(source) => Err(StoreError::Object { key, source }),
            }
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
