//! Packages on disk: sharing, removal, restart. What is in a zip is the matter of `archives.rs`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs::{self, File};
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use common::{Disk, file, zip};
use hearth_code::PackagesError;
use zip::write::SimpleFileOptions;

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
    disk.wait_until(|kept| kept == [1, 1]).await;
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

#[tokio::test]
async fn case_121_a_package_that_is_sent_again_replaces_its_damaged_object() {
    let disk = Disk::new("sent-again");
    let zip = file("a", b"1");
    let package = disk.packages.add(zip.clone()).await.unwrap();
    fs::write(disk.folder.join("blobs").join(package.sha256.to_hex()), "spoiled").unwrap();
    let again = disk.packages.add(zip.clone()).await.unwrap();
    assert_eq!(disk.packages.archive(again.sha256).await.unwrap(), zip);
    drop((package, again));
    disk.wait_until_empty().await;
}

#[tokio::test]
async fn a_tree_that_a_power_loss_left_half_written_is_not_trusted() {
    let disk = Disk::new("power-loss");
    let package = disk.packages.add(file("a", b"whole")).await.unwrap();
    let (sha256, size, folder) = (package.sha256, package.size, disk.folder.clone());
    let file = package.root.join("a");
    disk.packages.keep_all();
    drop((package, disk));
    let boot_id_path = folder.join("code/boot-id");
    let boot_id = fs::read(&boot_id_path).unwrap();
    // Noted before the loss, cut off by it, gone with it, and never noted.
    for noted in [Some(&b"another"[..]), Some(&boot_id[..10]), Some(b""), None] {
        fs::remove_file(&file).unwrap();
        fs::write(&file, "wh").unwrap();
        match noted {
            Some(noted) => fs::write(&boot_id_path, noted).unwrap(),
            None => fs::remove_file(&boot_id_path).unwrap(),
        }
        let disk = Disk::open(&folder);
        disk.packages.keep_all();
        let package = disk.packages.open_package(sha256, size).await.unwrap();
        assert_eq!(fs::read(package.root.join("a")).unwrap(), b"whole", "{noted:?}");
        assert_eq!(fs::read(&boot_id_path).unwrap(), boot_id);
        disk.wait_until(|kept| kept == [1, 1]).await;
    }
    // A server that was only started again goes on with what is there.
    let inode = |path: &std::path::Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let before = inode(&file);
    let disk = Disk::open(&folder);
    disk.packages.keep_all();
    disk.packages.open_package(sha256, size).await.unwrap();
    assert_eq!(inode(&file), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_121_a_tree_that_was_changed_is_named_until_its_package_is_sent_again() {
    let disk = Disk::new("changed");
    let good = zip(|writer| {
        for number in 0..1_000 {
            writer.start_file(format!("folder/{number}"), SimpleFileOptions::default()).unwrap();
            writer.write_all(b"content").unwrap();
        }
    });
    let package = disk.packages.add(good.clone()).await.unwrap();
    let check = async || disk.packages.check(&package.root).await;
    check().await.unwrap();
    // A cold start asks each time; what that takes is printed, and bounded far above what was seen.
    let started = Instant::now();
    for _ in 0..20 {
        check().await.unwrap();
    }
    let each = started.elapsed() / 20;
    println!("a look at 1,000 files: {each:?}");
    assert!(each < Duration::from_millis(200), "{each:?}");

    // What only looks new is looked into once, and is right.
    let file = package.root.join("folder/7");
    File::options().append(true).open(&file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    check().await.unwrap();
    fs::write(&file, b"CONTENT").unwrap();
    for _ in 0..2 {
        let changed = check().await.unwrap_err();
        assert!(
            matches!(&changed, PackagesError::Changed { path } if path.ends_with("folder/7")),
            "{changed}"
        );
    }
    let again = disk.packages.add(good).await.unwrap();
    check().await.unwrap();
    assert_eq!(fs::read(again.root.join("folder/7")).unwrap(), b"content");
    drop((package, again));
    disk.wait_until_empty().await;
}
