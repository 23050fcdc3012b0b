//! Packages on a disk of the test's own.

#![allow(clippy::unwrap_used, dead_code, reason = "a test may panic, and not each uses everything")]

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hearth_code::{Packages, PackagesError, UnpackError};
use hearth_store::{BlobStore as _, LocalBlobStore};
use zip::write::{SimpleFileOptions, ZipWriter};

/// A data folder and the packages in it.
pub(crate) struct Disk {
    pub(crate) folder: PathBuf,
    pub(crate) blobs: Arc<LocalBlobStore>,
    pub(crate) packages: Packages,
}

impl Disk {
    pub(crate) fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("code-{test}"));
        let _ = fs::remove_dir_all(&folder);
        Self::open(&folder)
    }

    pub(crate) fn open(folder: &Path) -> Self {
        let blobs = Arc::new(LocalBlobStore::open(&folder.join("blobs")).unwrap());
        let packages = Packages::open(&folder.join("code"), blobs.clone()).unwrap();
        Self { folder: folder.to_owned(), blobs, packages }
    }

    pub(crate) fn trees(&self) -> usize {
        fs::read_dir(self.folder.join("code/trees")).unwrap().count()
    }

    pub(crate) async fn kept(&self) -> [usize; 2] {
        [self.trees(), self.blobs.list().await.unwrap().len()]
    }

    /// Waits until the numbers of trees and objects are right: what nobody uses is removed in the background.
    pub(crate) async fn wait_until(&self, are_right: impl Fn([usize; 2]) -> bool) {
        let reached = async {
            while !are_right(self.kept().await) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), reached).await.expect("unused packages are removed");
    }

    pub(crate) async fn wait_until_empty(&self) {
        self.wait_until(|kept| kept == [0, 0]).await;
        assert_eq!(
            fs::read_dir(self.folder.join("code/seals")).unwrap().count(),
            0,
            "a seal goes with its tree"
        );
    }

    /// Checks that a zip is refused for a reason, that this is called the sender's fault and not ours, that the answer
    /// is the same every time, and that nothing is left.
    pub(crate) async fn check_refused(&self, case: &str, zip: impl Into<Bytes>, reason: &str) {
        let zip = zip.into();
        for _ in 0..2 {
            match self.packages.add(zip.clone()).await {
                Ok(_) => panic!("{case}: unpacked"),
                Err(PackagesError::Unpack(UnpackError::Write { path, source })) => {
                    panic!("{case}: called our fault: {} {source}", path.display())
                }
                Err(PackagesError::Unpack(error)) => {
                    let said = error.to_string();
                    assert!(said.contains(reason), "{case}: {said}");
                }
                Err(error) => panic!("{case}: {error:?}"),
            }
            assert_eq!(self.kept().await, [0, 0], "{case}: something is left");
        }
        let mut around: Vec<_> =
            fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        around.sort();
        assert_eq!(around, ["blobs", "code"], "{case}: something is outside");
        assert_eq!(
            fs::read_dir(self.folder.join("code")).unwrap().count(),
            3,
            "{case}: trees, seals and boot-id"
        );
    }
}

/// Writes a zip as an ordinary tool does.
pub(crate) fn zip(write: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Bytes {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    write(&mut writer);
    writer.finish().unwrap().into_inner().into()
}

/// A zip of one file.
pub(crate) fn file(name: &str, content: &[u8]) -> Bytes {
    zip(|writer| {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    })
}
