//! Layers put over one another: which file wins, what is shared, and when the result goes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use bytes::Bytes;
use common::{Disk, file, zip};
use zip::write::SimpleFileOptions;

/// A zip of files (`name`, content), programs (`name*`) and links (`name@`).
fn layer(entries: &[(&str, &str)]) -> Bytes {
    zip(|writer| {
        for (name, content) in entries {
            let options = SimpleFileOptions::default();
            if let Some(name) = name.strip_suffix('@') {
                writer.add_symlink(name, *content, options).unwrap();
                continue;
            }
            let mode = if name.ends_with('*') { 0o755 } else { 0o644 };
            writer.start_file(name.trim_end_matches('*'), options.unix_permissions(mode)).unwrap();
            std::io::Write::write_all(writer, content.as_bytes()).unwrap();
        }
    })
}

/// All that is below a folder: `path=content`, `path -> target`.
fn tree(root: &Path) -> Vec<String> {
    fn add(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                assert_eq!(metadata.permissions().mode() & 0o777, 0o755, "everybody may look into {name}");
                add(&path, root, found);
            } else if metadata.is_symlink() {
                found.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
            } else {
                found.push(format!("{name}={}", fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    add(root, root, &mut found);
    found.sort();
    found
}

async fn merged(disk: &Disk, layers: &[&[(&str, &str)]]) -> Vec<String> {
    let mut packages = Vec::new();
    for entries in layers {
        packages.push(disk.packages.add(layer(entries)).await.unwrap());
    }
    let merged = disk.packages.merge(&packages).await.unwrap().unwrap();
    tree(&merged.root)
}

#[tokio::test]
async fn of_two_files_with_a_name_the_later_layer_s_stays() {
    let disk = Disk::new("layers-order");
    let a: &[(&str, &str)] = &[("python/m.py", "a"), ("python/a.py", "a"), ("bin/t*", "a")];
    let b: &[(&str, &str)] = &[("python/m.py", "b"), ("lib/b.so", "b")];
    assert_eq!(merged(&disk, &[a, b]).await, ["bin/t=a", "lib/b.so=b", "python/a.py=a", "python/m.py=b"]);
    assert_eq!(merged(&disk, &[b, a]).await, ["bin/t=a", "lib/b.so=b", "python/a.py=a", "python/m.py=a"]);
    disk.wait_until_empty().await;
}

/// As if they were unpacked one after the other: what is in the way of a later layer's entry goes, whatever it is.
#[tokio::test]
async fn a_later_layer_s_folder_file_or_link_takes_the_place_of_what_is_of_another_kind() {
    let disk = Disk::new("layers-kinds");
    let folder: &[(&str, &str)] = &[("x/in", "folder"), ("other", "folder")];
    let plain: &[(&str, &str)] = &[("x", "file")];
    let link: &[(&str, &str)] = &[("x@", "other")];
    for (layers, expected) in [
        ([folder, plain], &["other=folder", "x=file"][..]),
        ([plain, folder], &["other=folder", "x/in=folder"]),
        ([folder, link], &["other=folder", "x -> other"]),
        ([link, folder], &["other=folder", "x/in=folder"]),
        ([link, plain], &["x=file"]),
        ([plain, link], &["x -> other"]),
    ] {
        assert_eq!(merged(&disk, &layers).await, expected, "{layers:?}");
    }
    // Not what the first one had in its folder, which the second one's file has replaced.
    let again: &[(&str, &str)] = &[("x/new", "again")];
    assert_eq!(merged(&disk, &[folder, plain, again]).await, ["other=folder", "x/new=again"]);
}

/// A link of an earlier layer where a later one has a folder: nothing is written through it.
#[tokio::test]
async fn case_024_nothing_is_written_through_a_link_of_another_layer() {
    let disk = Disk::new("layers-links");
    let link: &[(&str, &str)] = &[("a@", "b"), ("b/f", "kept")];
    let folder: &[(&str, &str)] = &[("a/f", "new")];
    assert_eq!(merged(&disk, &[link, folder]).await, ["a/f=new", "b/f=kept"]);
    let first = disk.packages.add(layer(link)).await.unwrap();
    assert_eq!(tree(&first.root), ["a -> b", "b/f=kept"], "and the layer itself is as it was");
}

#[tokio::test]
async fn the_result_shares_its_files_is_found_again_and_goes_with_its_last_user() {
    let disk = Disk::new("layers-shared");
    let first = disk.packages.add(file("bin/t", b"first")).await.unwrap();
    let second = disk.packages.add(file("lib/l", b"second")).await.unwrap();
    assert!(disk.packages.merge(&[]).await.unwrap().is_none());
    let alone = disk.packages.merge(std::slice::from_ref(&first)).await.unwrap().unwrap();
    assert_eq!(alone.root, first.root, "a layer alone is not put together");
    drop(alone);

    let both = [first.clone(), second.clone()];
    let merged = disk.packages.merge(&both).await.unwrap().unwrap();
    let inode = |root: &Path, name: &str| fs::metadata(root.join(name)).unwrap().ino();
    assert_eq!(inode(&merged.root, "bin/t"), inode(&first.root, "bin/t"));
    assert_eq!(inode(&merged.root, "lib/l"), inode(&second.root, "lib/l"));
    let again = disk.packages.merge(&both).await.unwrap().unwrap();
    assert_eq!(again.root, merged.root);
    let other_order = disk.packages.merge(&[second.clone(), first.clone()]).await.unwrap().unwrap();
    assert_ne!(other_order.root, merged.root);
    assert_eq!(disk.kept().await, [4, 2]);

    disk.packages.sweep().await.unwrap();
    assert_eq!(disk.kept().await, [4, 2], "what is in use is not swept");
    drop((merged, other_order));
    disk.wait_until(|kept| kept == [3, 2]).await;
    drop(again);
    disk.wait_until(|kept| kept == [2, 2]).await;
    drop((first, second, both));
    disk.wait_until_empty().await;
}

#[tokio::test]
async fn the_size_of_a_package_is_that_of_its_archive() {
    let disk = Disk::new("layers-size");
    let package = disk.packages.add(layer(&[("a", "12345"), ("b/c", "678")])).await.unwrap();
    // What a function may have done to its own code counts for nothing.
    fs::write(package.root.join("more"), "more").unwrap();
    assert_eq!(disk.packages.unzipped_bytes(package.sha256).await.unwrap(), 8);
}
