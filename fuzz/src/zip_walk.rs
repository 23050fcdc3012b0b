//! Deployment packages: any bytes as a zip.
//!
//! A refused package leaves nothing. An accepted one has its tree, no larger than allowed, whose links stay inside; and
//! nothing is ever made outside of the folder of packages.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearth_code::Packages;
use hearth_store::{BlobStore, StoreError};
use hearth_types::limits::UNZIPPED_BYTES_MAX;
use tokio::runtime::Runtime;

/// Unpacking happens on threads of their own, which are not worth starting anew for each input.
static TOKIO: LazyLock<Runtime> = LazyLock::new(|| {
    let mut tokio = tokio::runtime::Builder::new_multi_thread();
    tokio.worker_threads(1).build().expect("a runtime")
});

/// Runs one input.
pub fn run(data: &[u8]) {
    let outer = tempfile::tempdir().expect("a folder");
    let folder = outer.path().join("packages");
    let blobs = Arc::new(Blobs::default());
    let packages = Packages::open(&folder, blobs.clone()).expect("an empty folder");
    let before = listed(&folder);
    match TOKIO.block_on(packages.add(Bytes::copy_from_slice(data))) {
        Ok(package) => {
            let mut bytes = 0;
            walk(&package.root, &fs::canonicalize(&package.root).expect("a tree"), &mut bytes);
            assert!(bytes <= UNZIPPED_BYTES_MAX, "{bytes} bytes");
            assert_eq!(listed(&folder.join("trees")).len(), 1, "one tree, and nothing half done");
            let kept = TOKIO.block_on(packages.archive(package.sha256)).expect("it is kept");
            assert_eq!(kept, data, "as it came");
            packages.keep_all();
        }
        Err(_) => {
            assert_eq!(listed(&folder), before);
            assert_eq!(listed(&folder.join("trees")), [""; 0], "a refused package leaves nothing");
            assert!(blobs.0.lock().expect("nobody panics with it").is_empty(), "not even itself");
        }
    }
    assert_eq!(listed(outer.path()), ["packages"], "nothing is made outside");
}

fn listed(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Looks at all that is in `folder`, and adds up its files.
fn walk(folder: &Path, root: &Path, bytes: &mut u64) {
    for entry in fs::read_dir(folder).expect("a folder that can be read") {
        let path = entry.expect("an entry").path();
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        if metadata.is_symlink() {
            // One that leads nowhere, or in circles, leads nowhere outside either.
            let target = fs::canonicalize(&path);
            assert!(
                target.is_err() || target.is_ok_and(|target| target.starts_with(root)),
                "{path:?} leads out"
            );
        } else if metadata.is_dir() {
            walk(&path, root, bytes);
        } else {
            assert!(metadata.is_file(), "{path:?} is neither file nor folder nor link");
            *bytes += metadata.len();
        }
    }
}

#[derive(Default)]
struct Blobs(Mutex<BTreeMap<String, Bytes>>);

impl BlobStore for Blobs {
    fn put(&self, key: String, bytes: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.lock().expect("nobody panics with it").insert(key, bytes);
        Box::pin(async { Ok(()) })
    }

    fn get(&self, key: String) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        let blob = self.0.lock().expect("nobody panics with it").get(&key).cloned();
        Box::pin(async move { Ok(blob) })
    }

    fn put_file(&self, key: String, file: PathBuf) -> BoxFuture<'_, Result<(), StoreError>> {
        match fs::read(&file) {
            Ok(bytes) => self.put(key, bytes.into()),
            Err(source) => Box::pin(async move { Err(StoreError::Io { path: file, source }) }),
        }
    }

    fn get_file(&self, key: String, file: PathBuf) -> BoxFuture<'_, Result<bool, StoreError>> {
        let blob = self.0.lock().expect("nobody panics with it").get(&key).cloned();
        let found = blob.map(|bytes| fs::write(&file, bytes)).transpose();
        Box::pin(async move {
            found.map(|it| it.is_some()).map_err(|source| StoreError::Io { path: file, source })
        })
    }

    fn delete(&self, key: String) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.lock().expect("nobody panics with it").remove(&key);
        Box::pin(async { Ok(()) })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        let keys = self.0.lock().expect("nobody panics with it").keys().cloned().collect();
        Box::pin(async move { Ok(keys) })
    }
}
