//! Packages on disk: hostile zips, sharing, removal, restart.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hearth_code::{Packages, PackagesError, UnpackError};
use hearth_store::{BlobStore as _, LocalBlobStore};
use zip::write::{SimpleFileOptions, ZipWriter};

struct Disk {
    folder: PathBuf,
    blobs: Arc<LocalBlobStore>,
    packages: Packages,
}

impl Disk {
    fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("code-{test}"));
        let _ = fs::remove_dir_all(&folder);
        Self::open(&folder)
    }

    fn open(folder: &Path) -> Self {
        let blobs = Arc::new(LocalBlobStore::open(&folder.join("blobs")).unwrap());
        let packages = Packages::open(&folder.join("code"), blobs.clone()).unwrap();
        Self { folder: folder.to_owned(), blobs, packages }
    }

    fn trees(&self) -> usize {
        fs::read_dir(self.folder.join("code/trees")).unwrap().count()
    }

    async fn is_empty(&self) -> bool {
        self.trees() == 0 && self.blobs.list().await.unwrap().is_empty()
    }

    async fn wait_until_empty(&self) {
        let empty = async {
            while !self.is_empty().await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), empty).await.expect("unused packages are removed");
    }
}

fn zip(write: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Bytes {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    write(&mut writer);
    writer.finish().unwrap().into_inner().into()
}

fn file(name: &str, content: &[u8]) -> Bytes {
    zip(|writer| {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    })
}

fn link(name: &str, target: &str) -> Bytes {
    zip(|writer| writer.add_symlink(name, target, SimpleFileOptions::default()).unwrap())
}

/// Replaces bytes of an archive by as many others, in local headers and central directory alike.
fn replaced(zip: &Bytes, from: &[u8], to: &[u8]) -> Bytes {
    assert_eq!(from.len(), to.len());
    let mut bytes = zip.to_vec();
    let places: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|at| &bytes[*at..at + from.len()] == from).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes.into()
}

/// Checks that the caller is told that the zip is bad, not that the server is, and that nothing is left.
async fn check_refused(disk: &Disk, case: &str, zip: Bytes) {
    match disk.packages.add(zip).await {
        Ok(_) => panic!("{case}: unpacked"),
        Err(PackagesError::Unpack(UnpackError::Write { path, source })) => {
            panic!("{case}: called our fault: {} {source}", path.display())
        }
        Err(PackagesError::Unpack(_)) => {}
        Err(error) => panic!("{case}: {error:?}"),
    }
    assert!(disk.is_empty().await, "{case}: something is left");
}

#[tokio::test]
async fn a_zip_that_reaches_outside_is_refused_and_leaves_nothing() {
    let disk = Disk::new("outside");
    for name in ["../x", "a/../../x", "/abs/x", "C:\\x", "C:x", "a\\..\\x", "a/.."] {
        check_refused(&disk, name, file(name, b"x")).await;
    }
    check_refused(&disk, "NUL", replaced(&file("a_b", b"x"), b"a_b", b"a\0b")).await;
    for (name, target) in
        [("l", "/etc/passwd"), ("l", "../x"), ("a/l", "../../x"), ("a/l", "b/../../../x"), ("l", "")]
    {
        check_refused(&disk, &format!("{name} -> {target}"), link(name, target)).await;
    }
    let through_a_link = zip(|writer| {
        writer.add_symlink("l", "a", SimpleFileOptions::default()).unwrap();
        writer.start_file("l/x", SimpleFileOptions::default()).unwrap();
    });
    check_refused(&disk, "a file below a link", through_a_link).await;
    assert!(!disk.folder.join("x").exists() && !disk.folder.join("code/x").exists());
}

#[tokio::test]
async fn what_is_no_whole_zip_is_refused_and_leaves_nothing() {
    let disk = Disk::new("broken");
    let good = file("index.py", b"print('hello, hello, hello, hello')");
    check_refused(&disk, "no bytes", Bytes::new()).await;
    check_refused(&disk, "text", Bytes::from_static(b"not a zip")).await;
    for length in [1, good.len() / 2, good.len() - 1] {
        check_refused(&disk, "cut off", good.slice(..length)).await;
    }
    let mut data = good.to_vec();
    data[40] ^= 0xff;
    check_refused(&disk, "spoiled data", data.into()).await;
    // Bit 0 of the flags: encrypted. Method 14: LZMA.
    check_refused(&disk, "encrypted", header(&good, 6, 8, |flags| flags | 1)).await;
    check_refused(&disk, "LZMA", header(&good, 8, 10, |_| 14)).await;
}

/// Changes a byte of the local header and of the entry of the central directory.
fn header(zip: &Bytes, local: usize, central: usize, change: impl Fn(u8) -> u8) -> Bytes {
    let mut bytes = zip.to_vec();
    let directory = bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    for at in [local, directory + central] {
        bytes[at] = change(bytes[at]);
    }
    bytes.into()
}

#[tokio::test]
async fn a_zip_without_entries_is_refused() {
    check_refused(&Disk::new("nothing"), "no entries", zip(|_| {})).await;
}

#[tokio::test]
async fn the_same_name_twice_is_refused() {
    let twice = zip(|writer| {
        for name in ["aa", "ab"] {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(b"x").unwrap();
        }
    });
    let disk = Disk::new("twice");
    check_refused(&disk, "twice", replaced(&twice, b"ab", b"aa")).await;
    let both = zip(|writer| {
        writer.start_file("a", SimpleFileOptions::default()).unwrap();
        writer.start_file("a/b", SimpleFileOptions::default()).unwrap();
    });
    check_refused(&disk, "a file and a folder", both).await;
}

#[tokio::test]
async fn names_that_the_disk_cannot_hold_are_the_callers_fault() {
    let disk = Disk::new("long");
    check_refused(&disk, "a component of 256 bytes", file(&"x".repeat(256), b"x")).await;
    let long = vec!["y".repeat(200); 20].join("/");
    check_refused(&disk, "a name of 4,019 bytes", file(&long, b"x")).await;
    check_refused(&disk, "2,000 folders deep", file(&"d/".repeat(2_000), b"")).await;
    check_refused(&disk, "a target of 4,096 bytes", link("l", &"z/".repeat(2_048))).await;
}

#[tokio::test]
async fn folders_that_names_imply_count_as_entries() {
    let many = zip(|writer| {
        for number in 0..1_400 {
            let name = format!("{number}/{}x", "d/".repeat(200));
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
        }
    });
    check_refused(&Disk::new("implied"), "280,000 folders", many).await;
}

#[tokio::test]
async fn a_bomb_is_stopped_at_the_limit() {
    let disk = Disk::new("bomb");
    let bomb = zip(|writer| {
        let zeros = vec![0; 1 << 20];
        writer.start_file("zeros", SimpleFileOptions::default()).unwrap();
        for _ in 0..251 {
            writer.write_all(&zeros).unwrap();
        }
    });
    assert!(bomb.len() < 1 << 20);
    match disk.packages.add(bomb).await {
        Err(PackagesError::Unpack(UnpackError::TooLarge)) => assert!(disk.is_empty().await),
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("unpacked"),
    }
}

#[tokio::test]
async fn files_folders_and_inside_links_come_out_as_they_went_in() {
    let disk = Disk::new("good");
    let good = zip(|writer| {
        let options = SimpleFileOptions::default();
        writer.add_directory("empty", options).unwrap();
        writer.start_file("bin/tool", options.unix_permissions(0o6777)).unwrap();
        writer.write_all(b"#!").unwrap();
        writer.start_file("new\nline ä", options.unix_permissions(0o600)).unwrap();
        writer.add_symlink("bin/link", "tool", options).unwrap();
        writer.add_symlink("lib/up", "../bin/link", options).unwrap();
    });
    let package = disk.packages.add(good.clone()).await.unwrap();
    let mode = |name: &str| fs::metadata(package.root.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(package.size, good.len() as u64);
    assert!(package.root.join("empty").is_dir());
    assert_eq!(fs::read(package.root.join("lib/up")).unwrap(), b"#!");
    assert_eq!(mode("bin"), 0o755);
    assert_eq!(mode("bin/tool") & 0o7555, 0o555, "everybody may run it, and nobody becomes somebody else");
    assert_eq!(mode("new\nline ä") & 0o7577, 0o444, "everybody may read it");
    assert_eq!((mode("bin/tool") | mode("new\nline ä")) & 0o022, 0, "nobody else may write");
    assert_eq!(disk.packages.archive(package.sha256).await.unwrap(), good);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_package_added_many_times_at_once_is_one_tree_until_its_last_lease_is_dropped() {
    let disk = Disk::new("shared");
    let good = file("index.py", b"x");
    let adds: Vec<_> = (0..16)
        .map(|_| {
            let (packages, good) = (disk.packages.clone(), good.clone());
            tokio::spawn(async move { packages.add(good).await.unwrap() })
        })
        .collect();
    let mut leases = Vec::new();
    for add in adds {
        leases.push(add.await.unwrap());
    }
    assert_eq!(disk.trees(), 1);
    let last = leases.pop().unwrap();
    drop(leases);
    // Taken and given back while the removal may be under way: whoever holds a lease has the tree.
    for _ in 0..50 {
        let again = disk.packages.add(good.clone()).await.unwrap();
        assert!(again.root.join("index.py").is_file());
    }
    assert!(last.root.join("index.py").is_file());
    drop(last);
    disk.wait_until_empty().await;
    for _ in 0..50 {
        let again = disk.packages.add(good.clone()).await.unwrap();
        assert!(again.root.join("index.py").is_file());
    }
    disk.wait_until_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_add_that_is_given_up_disturbs_nobody() {
    let disk = Disk::new("given-up");
    for round in 0..40 {
        let many = zip(|writer| {
            for number in 0..40 {
                writer.start_file(format!("{round}-{number}"), SimpleFileOptions::default()).unwrap();
            }
        });
        let packages = disk.packages.clone();
        let given_up = tokio::time::timeout(Duration::from_millis(1), packages.add(many.clone())).await;
        drop(given_up);
        disk.packages.add(many).await.expect("a second attempt succeeds");
    }
    disk.wait_until_empty().await;
}

#[tokio::test]
async fn after_a_restart_leased_packages_are_there_and_the_rest_is_swept() {
    let disk = Disk::new("restart");
    let (kept, unused) = (file("kept", b"1"), file("unused", b"2"));
    let (kept, unused) = (disk.packages.add(kept).await.unwrap(), disk.packages.add(unused).await.unwrap());
    disk.packages.keep_all();
    let (sha256, size, folder) = (kept.sha256, kept.size, disk.folder.clone());
    drop((kept, unused, disk));

    fs::create_dir_all(folder.join("code/trees/new-1-1/half")).unwrap();
    // A tree that is gone is made again.
    fs::remove_dir_all(folder.join("code/trees").join(sha256.to_hex())).unwrap();
    let disk = Disk::open(&folder);
    let kept = disk.packages.open_package(sha256, size).await.unwrap();
    disk.packages.sweep().await.unwrap();
    assert_eq!(fs::read(kept.root.join("kept")).unwrap(), b"1");
    assert_eq!((disk.trees(), disk.blobs.list().await.unwrap().len()), (1, 1));
}

#[tokio::test]
async fn a_damaged_or_missing_blob_is_named() {
    let disk = Disk::new("damaged");
    let package = disk.packages.add(file("a", b"1")).await.unwrap();
    let blob = disk.folder.join("blobs").join(package.sha256.to_hex());
    fs::write(&blob, "spoiled").unwrap();
    let damaged = disk.packages.archive(package.sha256).await;
    assert!(matches!(damaged, Err(PackagesError::Damaged { .. })));
    fs::remove_file(&blob).unwrap();
    assert!(matches!(disk.packages.archive(package.sha256).await, Err(PackagesError::Missing { .. })));
}
