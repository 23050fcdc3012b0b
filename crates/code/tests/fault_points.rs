//! Every durable write of packages, made to fail: nothing is half there, and the next attempt succeeds.
//!
//! `cargo nextest run -p hearth-code --features fault-points`

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;

use common::{Disk, file};
use fail::FailScenario;
use hearth_code::Packages;

/// Those that an upload passes.
const UPLOAD: [&str; 4] =
    ["code::make_tree", "code::unpack_entry", "code::rename_tree", "code::write_archive"];

/// One test, because fault points belong to the whole process.
#[tokio::test]
async fn case_032_a_write_that_fails_leaves_nothing_half_done() {
    let scenario = FailScenario::setup();
    let disk = Disk::new("fault-points");
    let zip = file("a/b", b"whole");
    for point in UPLOAD {
        fail::cfg(point, "return").unwrap();
        assert!(disk.packages.add(zip.clone()).await.is_err(), "{point}");
        disk.wait_until_empty().await;
        fail::remove(point);
        let package = disk.packages.add(zip.clone()).await.unwrap();
        assert_eq!(fs::read(package.root.join("a/b")).unwrap(), b"whole", "{point}");
        drop(package);
        disk.wait_until_empty().await;
    }

    // Two layers of a function.
    let other = disk.packages.add(file("b", b"other")).await.unwrap();
    let layers = [disk.packages.add(zip.clone()).await.unwrap(), other];
    for point in ["code::make_tree", "code::merge_entry", "code::rename_tree"] {
        fail::cfg(point, "return").unwrap();
        assert!(disk.packages.merge(&layers).await.is_err(), "{point}");
        disk.wait_until(|kept| kept == [2, 2]).await;
        fail::remove(point);
        let merged = disk.packages.merge(&layers).await.unwrap().unwrap();
        assert_eq!(fs::read(merged.root.join("a/b")).unwrap(), b"whole", "{point}");
        drop(merged);
        disk.wait_until(|kept| kept == [2, 2]).await;
    }
    drop(layers);
    disk.wait_until_empty().await;

    // What cannot be removed is removed by the next start.
    for point in ["code::hide_tree", "code::remove_tree"] {
        fail::cfg(point, "return").unwrap();
        let package = disk.packages.add(zip.clone()).await.unwrap();
        drop(package);
        disk.wait_until(|[trees, objects]| trees == 1 && objects == 0).await;
        fail::remove(point);
        let again = Disk::open(&disk.folder);
        again.packages.sweep().await.unwrap();
        again.wait_until_empty().await;
    }

    fail::cfg("code::write_boot_id", "return").unwrap();
    assert!(Packages::open(&disk.folder.join("code"), disk.blobs.clone()).is_err());
    scenario.teardown();
}
