//! Blobs in a local folder, through `object_store`, made durable.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{BlobStore, BlobWriter, StoreError};

/// How much of a file is in memory at once while it is kept. Ours: a part of an upload, which a remote store wants to
/// be 5 MiB at least.
const PART_BYTES: usize = 8 << 20;

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

    fn put_file(&self, key: String, file: PathBuf) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let name = Key::from(key.as_str());
            match self.objects.head(&name).await {
                Ok(_) => return Ok(()),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(StoreError::Object { key, source }),
            }
            let io = |source| StoreError::Io { path: file.clone(), source };
            let mut from = tokio::fs::File::open(&file).await.map_err(io)?;
            // Seen by nobody before it is complete, and synced then.
            let object = |source| StoreError::Object { key: key.clone(), source };
            let mut upload = self.objects.put_multipart(&name).await.map_err(object)?;
            loop {
                let mut part = BytesMut::with_capacity(PART_BYTES);
                while part.len() < PART_BYTES && from.read_buf(&mut part).await.map_err(io)? > 0 {}
                if part.is_empty() {
                    break;
                }
                upload.put_part(part.freeze().into()).await.map_err(object)?;
            }
            upload.complete().await.map_err(object)?;
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

    fn get_file(&self, key: String, file: PathBuf) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut parts = match self.objects.get(&Key::from(key.as_str())).await {
                Ok(object) => object.into_stream(),
                Err(object_store::Error::NotFound { .. }) => return Ok(false),
                Err(source) => return Err(StoreError::Object { key, source }),
            };
            let io = |source| StoreError::Io { path: file.clone(), source };
            let mut to = tokio::fs::File::create_new(&file).await.map_err(io)?;
            while let Some(part) =
                parts.try_next().await.map_err(|source| StoreError::Object { key: key.clone(), source })?
            {
                to.write_all(&part).await.map_err(io)?;
            }
            to.flush().await.map_err(io)?;
            Ok(true)
        })
    }

    fn write(&self, key: String) -> BoxFuture<'_, Result<Box<dyn BlobWriter>, StoreError>> {
        Box::pin(async move {
            match self.objects.put_multipart(&Key::from(key.as_str())).await {
                Ok(upload) => Ok(Box::new(Writer { key, upload }) as Box<dyn BlobWriter>),
                Err(source) => Err(StoreError::Object { key, source }),
            }
        })
    }

    fn read(&self, key: String, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move {
            match self.objects.get_range(&Key::from(key.as_str()), range).await {
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

/// Writes to a file without its name yet. One that is dropped removes the file.
struct Writer {
    key: String,
    upload: Box<dyn MultipartUpload>,
}

impl BlobWriter for Writer {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            fail::fail_point!("objects::write", |_| Err(injected(&self.key)));
            let written = self.upload.put_part(bytes.into()).await;
            written.map_err(|source| StoreError::Object { key: self.key.clone(), source })
        })
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(async move {
            fail::fail_point!("objects::finish", |_| Err(injected(&self.key)));
            match self.upload.complete().await {
                Ok(_) => Ok(()),
                Err(source) => Err(StoreError::Object { key: self.key, source }),
            }
        })
    }
}
