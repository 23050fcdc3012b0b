//! Deployment packages: any bytes as a zip.
//!
//! A refused package leaves nothing. An accepted one has its tree, no larger than allowed, whose links stay inside; and
//! nothing is ever made outside of the folder of packages.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use hearth_code::Packages;
use hearth_store::LocalBlobStore;
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
    let (folder, objects) = (outer.path().join("packages"), outer.path().join("objects"));
    let blobs = Arc::new(LocalBlobStore::open(&objects).expect("an empty folder"));
    let packages = Packages::open(&folder, blobs).expect("an empty folder");
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
            assert_eq!(listed(&objects), [""; 0], "not even itself");
        }
    }
    assert_eq!(listed(outer.path()), ["objects", "packages"], "nothing is made outside");
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
