//! Hostile, broken and odd zips: refused as a whole, or unpacked inside their folder. By the numbers of the cases.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test may look at the clock and at itself")]

mod common;

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use common::{Disk, file, zip};
use hearth_code::{UnpackError, unpack};
use hearth_tests::{Folder, RawEntry, RawZip, rounds};
use nix::time::{ClockId, clock_gettime};
use zip::write::SimpleFileOptions;

const MIB: u64 = 1 << 20;

fn stored(name: &str) -> RawEntry {
    RawEntry::stored(name, b"x")
}

/// Returns how many bytes lie in the files below a folder.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => bytes_below(&entry.path()),
            false => entry.metadata().unwrap().len(),
        })
        .sum()
}

/// Returns how long this thread has been on a processor: what else the machine does is not in it.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

#[tokio::test]
async fn case_021_exactly_the_limit_is_unpacked_and_one_byte_more_is_not() {
    let disk = Disk::new("limit");
    let zeros = RawEntry::zeros("zeros", 249);
    let rest = vec![0; 262_144_000 - 249 * MIB as usize];
    let fits = RawZip::of([zeros.clone(), RawEntry::deflated("rest", &rest)]).bytes();
    let package = disk.packages.add(fits.into()).await.unwrap();
    assert_eq!(bytes_below(&package.root), 262_144_000);
    drop(package);
    disk.wait_until_empty().await;
    let too_large = RawZip::of([zeros, RawEntry::deflated("rest", &rest), stored("one")]).bytes();
    disk.check_refused("one more", too_large, "is larger than 262144000 bytes").await;
}

#[tokio::test]
async fn case_022_a_bomb_is_refused_at_once_and_writes_nothing() {
    let disk = Disk::new("bomb");
    let honest = RawZip::of([RawEntry::zeros("zeros", 10 * 1_024)]).with(|zip| zip.zip64 = true).bytes();
    let split = RawZip::of((0..5).map(|n| RawEntry::zeros(n.to_string(), 2 * 1_024))).bytes();
    for (case, zip) in [("10 GiB", honest), ("5 times 2 GiB", split)] {
        let folder = Folder::new();
        let before = processor_time();
        assert!(matches!(unpack(&zip, folder.path()), Err(UnpackError::TooLarge)), "{case}");
        let took = processor_time() - before;
        assert!(took < Duration::from_secs(2), "{case}: {took:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{case}");
        disk.check_refused(case, zip, "is larger than").await;
    }
}

#[tokio::test]
async fn case_022_a_bomb_that_lies_is_cut_off_where_its_lie_ends() {
    let disk = Disk::new("liar");
    for says in [0, 1_000, 3 * MIB] {
        let bomb = RawEntry::zeros("zeros", 10 * 1_024).both(|header| {
            header.size = says;
            header.zip64 = false;
        });
        let bomb = RawZip::of([bomb]).bytes();
        let folder = Folder::new();
        let before = processor_time();
        let error = unpack(&bomb, folder.path()).unwrap_err().to_string();
        let took = processor_time() - before;
        assert!(error.contains("is larger than the archive says"), "{error}");
        assert!(took < Duration::from_secs(2), "says {says}: {took:?}");
        assert!(bytes_below(folder.path()) <= says, "says {says}");
        disk.check_refused("a liar", bomb, "is larger than").await;
    }
}

/// "A better zip bomb" (Fifield, 2019): entries share one piece of data, or each has the headers of the others as data.
#[tokio::test]
async fn case_022_entries_that_share_data_are_refused() {
    let disk = Disk::new("overlap");
    let kernel = RawEntry::zeros("0", 20);
    let again = |name: usize, at: usize| {
        let mut entry = kernel.clone().both(|header| header.name = name.to_string().into());
        entry.at = Some(at);
        entry
    };
    let shared = RawZip::of([kernel.clone(), again(0, 0)]).bytes();
    disk.check_refused("two entries, one piece of data", shared, "share data").await;
    let shared = RawZip::of([kernel.clone(), again(1, 0), again(2, 0)]).bytes();
    disk.check_refused("under three names", shared, "something else than the directory").await;
    let quotes = RawEntry::stored("quotes", &RawZip::of([kernel.clone()]).bytes());
    let quoted = RawZip::of([quotes, again(0, 30 + "quotes".len())]).bytes();
    disk.check_refused("data inside of data", quoted, "share data").await;
}

#[tokio::test]
async fn case_022_a_zip_in_a_zip_is_not_opened() {
    let disk = Disk::new("nested");
    let bomb = RawZip::of([RawEntry::zeros("zeros", 1_024)]).bytes();
    let nested = RawZip::of([RawEntry::stored("bomb.zip", &bomb), RawEntry::deflated("a/bomb.zip", &bomb)]);
    let package = disk.packages.add(nested.bytes().into()).await.unwrap();
    assert_eq!(fs::read(package.root.join("bomb.zip")).unwrap(), bomb);
    assert_eq!(fs::read(package.root.join("a/bomb.zip")).unwrap(), bomb);
    assert_eq!(fs::read_dir(&package.root).unwrap().count(), 2);
}

#[tokio::test]
async fn case_023_a_name_that_leads_outside_is_refused_with_all_others() {
    let disk = Disk::new("outside");
    let good = stored("good");
    for name in
        ["../x", "a/../../x", "../../../../../../../../tmp/x", "/abs/x", "//x", "a/..", "..", "a/../b"]
    {
        for bad in [stored(name), RawEntry::deflated(name, b"x"), stored(name).mode(0o040_755)] {
            let bad = if bad.mode == 0o040_755 { RawEntry::stored(name, b"").mode(bad.mode) } else { bad };
            let zip = RawZip::of([good.clone(), bad, good.clone().both(|header| header.name = b"z".into())]);
            disk.check_refused(name, zip.bytes(), "name").await;
        }
    }
    for name in ["C:\\x", "C:x", "a\\..\\x", "..\\x", "\\\\host\\share\\x"] {
        disk.check_refused(name, RawZip::of([stored(name)]).bytes(), "has a name of Windows").await;
    }
}

#[tokio::test]
async fn case_024_a_link_that_leads_outside_is_refused_with_all_others() {
    let disk = Disk::new("links");
    let long = "z/".repeat(2_048);
    for (name, target) in [
        ("l", "/etc/passwd"),
        ("l", "/"),
        ("l", "../x"),
        ("l", ".."),
        ("l", "./../x"),
        ("a/l", "../../x"),
        ("a/l", "b/../../../x"),
        ("a/l", "b/.."),
        ("l", ""),
        ("l", "a\0b"),
        ("l", &long),
    ] {
        let zip = RawZip::of([stored("good"), RawEntry::link(name, target)]).bytes();
        disk.check_refused(&format!("{name} -> {target}"), zip, "is a link").await;
    }
    // In a chain: each step stays inside when it is looked at alone, and together they leave.
    let chain = [stored("d/e/f"), RawEntry::link("d/up", "e"), RawEntry::link("l", "d/up/../../../x")];
    disk.check_refused("a chain", RawZip::of(chain).bytes(), "is a link").await;
    // Written through a link, in both orders, and through a link to a link.
    let link = RawEntry::link("l", "a");
    for (case, entries) in [
        ("link, file", vec![stored("a/b"), link.clone(), stored("l/x")]),
        ("file, link", vec![stored("a/b"), stored("l/x"), link.clone()]),
        ("folder, link", vec![stored("a/b"), RawEntry::stored("l/", b""), link.clone()]),
        ("two links", vec![stored("a/b"), link.clone(), RawEntry::link("l/m", "b")]),
    ] {
        disk.check_refused(case, RawZip::of(entries).bytes(), "is a folder and something else").await;
    }
    let twice = RawZip::of([link.clone(), stored("l")]).bytes();
    disk.check_refused("a link and a file", twice, "is there twice").await;
    let named = RawZip::of([RawEntry::link("l/", "a")]).bytes();
    disk.check_refused("a link that is named as a folder", named, "is neither").await;
}

#[tokio::test]
async fn case_024_a_link_inside_is_a_link_and_leads_nowhere_else() {
    let disk = Disk::new("inside-links");
    let good = RawZip::of([
        RawEntry::stored("lib/libx.so.1.2", b"x"),
        RawEntry::link("lib/libx.so.1", "libx.so.1.2"),
        RawEntry::link("lib/libx.so", "./libx.so.1"),
        RawEntry::link("node_modules/.bin/tool", "../../lib/libx.so"),
        RawEntry::link("self", "."),
        RawEntry::link("lib/up", ".."),
        RawEntry::link("nowhere", "not/there"),
        RawEntry::link("circle", "circle"),
        // Packed links are links.
        RawEntry::deflated("packed", &b"./".repeat(100)).mode(0o120_777),
    ]);
    let package = disk.packages.add(good.bytes().into()).await.unwrap();
    let root = package.root.canonicalize().unwrap();
    assert_eq!(fs::read(root.join("node_modules/.bin/tool")).unwrap(), b"x");
    assert_eq!(fs::read_link(root.join("lib/libx.so")).unwrap(), Path::new("./libx.so.1"));
    for inside in ["self", "lib/up", "packed", "lib/libx.so"] {
        assert!(root.join(inside).canonicalize().unwrap().starts_with(&root), "{inside}");
    }
    assert_eq!(fs::read_link(root.join("nowhere")).unwrap(), Path::new("not/there"));
    drop(package);
    disk.wait_until_empty().await;
}

#[tokio::test]
async fn case_025_what_is_no_whole_zip_is_refused() {
    let disk = Disk::new("broken");
    let good = file("index.py", b"print('hello, hello, hello, hello')");
    disk.check_refused("no bytes", Bytes::new(), "its end is missing").await;
    disk.check_refused("text", &b"this is no zip, and has no end record"[..], "its end is missing").await;
    disk.check_refused("gzip", &b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0\0\0\0"[..], "its end")
        .await;
    disk.check_refused("no entries", zip(|_| {}), "it has no entries").await;
    for length in 0..good.len() {
        disk.check_refused("cut off behind", good.slice(..length), "").await;
        // Cut off in front, it could only be read by guessing.
        disk.check_refused("cut off in front", good.slice(length + 1..), "").await;
    }
    let followed = RawZip::of([stored("a")]).with(|zip| zip.suffix = vec![0]).bytes();
    disk.check_refused("something follows", followed, "or something follows it").await;
    let second = RawZip::of([stored("b")]).bytes();
    let hidden = RawZip::of([stored("a")]).with(|zip| zip.comment = second).bytes();
    disk.check_refused("a zip in the comment", hidden, "it ends in two ways").await;
    let unnamed = RawZip::of([stored("a")]).with(|zip| zip.after_directory = b"PK\x05\x05\0\0".to_vec());
    disk.check_refused("a signature", unnamed.bytes(), "directory").await;
    let split = RawZip::of([stored("a")]).bytes();
    let end = split.len() - 22;
    for field in [4, 6, 8] {
        let mut split = split.clone();
        split[end + field] += 1;
        disk.check_refused("a part of a split archive", split, "part of a split archive").await;
    }
}

#[tokio::test]
async fn case_025_an_entry_that_cannot_be_read_is_refused() {
    let disk = Disk::new("unreadable");
    let good = RawEntry::deflated("a", &b"hello, ".repeat(20));
    for bit in [0, 5, 6, 13] {
        let encrypted = good.clone().both(|header| header.flags |= 1 << bit);
        disk.check_refused("encrypted", RawZip::of([encrypted]).bytes(), "is encrypted").await;
    }
    // Shrunk, imploded, deflate64, bzip2, LZMA, Zstandard, xz, AES.
    for method in [1, 6, 9, 12, 14, 93, 95, 99] {
        let packed = good.clone().both(|header| header.method = method);
        disk.check_refused("another method", RawZip::of([packed]).bytes(), "neither stored nor deflated")
            .await;
    }
    let wrong_sum = good.clone().both(|header| header.crc32 ^= 1);
    disk.check_refused("CRC, deflated", RawZip::of([wrong_sum]).bytes(), "has a wrong checksum").await;
    let wrong_sum = stored("a").both(|header| header.crc32 ^= 1);
    disk.check_refused("CRC, stored", RawZip::of([wrong_sum]).bytes(), "has a wrong checksum").await;
    for at in 0..good.data.len() {
        for bit in 0..8 {
            let mut spoiled = good.clone();
            spoiled.data[at] ^= 1 << bit;
            let folder = Folder::new();
            // Some bits of deflated data mean nothing.
            match unpack(&RawZip::of([spoiled]).bytes(), folder.path()) {
                Ok(_) => assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"hello, ".repeat(20)),
                Err(error) => assert!(error.to_string().starts_with("the entry `a` "), "{error}"),
            }
        }
    }
    let mut shorter = good.clone().both(|header| header.packed -= 1);
    shorter.data.pop();
    disk.check_refused("data cut off", RawZip::of([shorter]).bytes(), "ends too early").await;
    let mut longer = good.clone().both(|header| header.packed += 1);
    longer.data.push(0);
    disk.check_refused("data goes on", RawZip::of([longer]).bytes(), "has more data than it needs").await;
    let smaller = good.clone().both(|header| header.size -= 1);
    disk.check_refused("more than it says", RawZip::of([smaller]).bytes(), "is larger than").await;
    let larger = good.both(|header| header.size += 1);
    disk.check_refused("less than it says", RawZip::of([larger]).bytes(), "is smaller than").await;
    let two_sizes = stored("a").both(|header| header.size += 1);
    disk.check_refused("stored with two sizes", RawZip::of([two_sizes]).bytes(), "two sizes").await;
    let full_folder = stored("a/");
    disk.check_refused("a folder", RawZip::of([full_folder]).bytes(), "is a folder with content").await;
}

#[tokio::test]
async fn case_025_two_headers_that_disagree_are_refused() {
    let disk = Disk::new("disagree");
    let good = RawEntry::deflated("good", &b"hello, ".repeat(20));
    let reason = "says something else than the directory";
    for (case, bad) in [
        ("name", good.clone().only_local(|local| local.name = b"evil".into())),
        ("name, longer", good.clone().only_local(|local| local.name.push(b'x'))),
        ("method", good.clone().only_local(|local| local.method = 0)),
        ("size", good.clone().only_local(|local| local.size += 1)),
        ("packed size", good.clone().only_local(|local| local.packed += 1)),
        ("packed size of nothing", good.clone().only_local(|local| local.packed = 0)),
        ("checksum", good.clone().only_local(|local| local.crc32 ^= 1)),
        ("encrypted", good.clone().only_local(|local| local.flags |= 1)),
        (
            "size, though it follows",
            good.clone().only_local(|local| {
                local.flags |= 1 << 3;
                local.size += 1;
            }),
        ),
        (
            "size, large",
            good.clone().only_local(|local| {
                local.zip64 = true;
                local.size += 1;
            }),
        ),
    ] {
        disk.check_refused(case, RawZip::of([bad]).bytes(), reason).await;
    }
    for (case, at, reason) in [
        ("in the middle of another", 10, "something else"),
        ("behind the end", 1 << 20, "lies outside"),
        ("far behind the end", 0xffff_fffe, "lies outside"),
        ("no large place", 0xffff_ffff, "directory is broken"),
    ] {
        let mut elsewhere = good.clone().both(|header| header.name = b"elsewhere".into());
        elsewhere.at = Some(at);
        disk.check_refused(case, RawZip::of([good.clone(), elsewhere]).bytes(), reason).await;
    }
    let long = good.clone().both(|header| header.packed = 0xffff_fffe);
    disk.check_refused("data without end", RawZip::of([long]).bytes(), "ends outside").await;
    for entries in [0, 1, 3, 65_535] {
        let announced =
            RawZip::of([good.clone(), stored("b")]).with(|zip| zip.announced_entries = Some(entries));
        disk.check_refused("number of entries", announced.bytes(), "it").await;
    }
    let after = RawZip::of([good]).with(|zip| zip.after_directory = vec![0; 46]);
    disk.check_refused("something behind the directory", after.bytes(), "directory").await;
}

#[tokio::test]
async fn zips_as_tools_write_them_are_unpacked() {
    let disk = Disk::new("tools");
    let content = b"hello, ".repeat(20);
    let deflated = || RawEntry::deflated("a/b", &content);
    let unknown = |local: &mut hearth_tests::RawHeader| {
        local.flags |= 1 << 3;
        (local.crc32, local.packed, local.size) = (0, 0, 0);
    };
    let descriptor = |zip: &mut RawZip| zip.before_directory = b"PK\x07\x08............".to_vec();
    let script = b"#!/usr/bin/env python3\n".to_vec();
    for (case, zip) in [
        ("stored", RawZip::of([RawEntry::stored("a/b", &content)])),
        ("deflated", RawZip::of([deflated()])),
        ("streamed", RawZip::of([deflated().only_local(unknown)]).with(descriptor)),
        (
            "streamed, large",
            RawZip::of([deflated().only_local(|local| {
                unknown(local);
                local.zip64 = true;
            })]),
        ),
        ("large in front of the data only", RawZip::of([deflated().only_local(|local| local.zip64 = true)])),
        ("large in both places", RawZip::of([deflated().both(|header| header.zip64 = true)])),
        ("large at the end", RawZip::of([deflated()]).with(|zip| zip.zip64 = true)),
        ("a comment", RawZip::of([deflated()]).with(|zip| zip.comment = vec![b'c'; 65_535])),
        ("a program in front", RawZip::of([deflated()]).with(|zip| zip.prefix = script.clone())),
        (
            "a program in front, counted",
            RawZip::of([deflated()]).with(|zip| {
                zip.prefix = script.clone();
                zip.places_count_prefix = true;
            }),
        ),
        (
            "a program in front, large",
            RawZip::of([deflated()]).with(|zip| {
                zip.prefix = script.clone();
                zip.zip64 = true;
            }),
        ),
        (
            "folders, one of them twice",
            RawZip::of([
                RawEntry::stored("a/", b"").mode(0o040_700),
                RawEntry::stored("a/", b"").mode(0),
                RawEntry::stored("./", b""),
                deflated(),
            ]),
        ),
        ("from Windows", RawZip::of([deflated().mode(0)])),
        ("a dot in front", RawZip::of([deflated().both(|header| header.name = b"./a//b".into())])),
    ] {
        let zip = Bytes::from(zip.bytes());
        let package = disk.packages.add(zip).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(fs::read(package.root.join("a/b")).unwrap(), content, "{case}");
        assert_eq!(fs::metadata(package.root.join("a")).unwrap().mode() & 0o7777, 0o755, "{case}");
        assert_eq!(fs::metadata(package.root.join("a/b")).unwrap().mode() & 0o7777, 0o444, "{case}");
        drop(package);
        disk.wait_until_empty().await;
    }
}

#[tokio::test]
async fn devices_and_the_like_are_refused_and_no_set_user_id_bit_comes_out() {
    let disk = Disk::new("modes");
    // FIFO, character device, block device, socket, and kinds that there are none of.
    for kind in [0o010_000, 0o020_000, 0o060_000, 0o140_000, 0o110_000, 0o170_000] {
        let special = RawEntry::stored("special", b"").mode(kind | 0o666);
        disk.check_refused(
            "special",
            RawZip::of([special]).bytes(),
            "neither a file nor a folder nor a link",
        )
        .await;
        let mut of_windows = RawEntry::stored("special", b"").mode(kind | 0o666);
        of_windows.system = 0;
        disk.check_refused("special", RawZip::of([of_windows]).bytes(), "neither a file").await;
    }
    let package = disk
        .packages
        .add(
            RawZip::of([
                RawEntry::stored("program", b"x").mode(0o106_711),
                RawEntry::stored("secret", b"x").mode(0o102_600),
                RawEntry::stored("nothing", b"x").mode(0o100_000),
                RawEntry::stored("folder/", b"").mode(0o043_000),
            ])
            .bytes()
            .into(),
        )
        .await
        .unwrap();
    let mode = |name: &str| fs::metadata(package.root.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        ["program", "secret", "nothing", "folder", "."].map(mode),
        [0o555, 0o444, 0o444, 0o755, 0o755],
        "everybody may read and nobody may write"
    );
}

#[tokio::test]
async fn case_026_names_are_kept_byte_for_byte_or_refused() {
    let disk = Disk::new("names");
    let names: [&[u8]; 11] = [
        b"new\nline",
        b"\r\x1b[31m\x07\x01",
        b"latin-1 \xe4",
        b"\xff\xfe",
        "ä/日本語/🎈".as_bytes(),
        "a\u{308}".as_bytes(), // not the same as "ä"
        b"Case",
        b"case",
        b" $(id) '\"*?",
        b"...",
        &[b'x'; 255],
    ];
    let package =
        disk.packages.add(RawZip::of(names.map(|name| RawEntry::stored(name, name))).bytes().into());
    let package = package.await.unwrap();
    for name in names {
        let path = package.root.join(std::ffi::OsStr::from_bytes(name));
        assert_eq!(fs::read(path).unwrap(), name, "{}", name.escape_ascii());
    }
    assert_eq!(fs::read_dir(&package.root).unwrap().count(), names.len());
    drop(package);
    disk.wait_until_empty().await;

    let check = async |case: &str, name: &[u8], reason: &str| {
        disk.check_refused(case, RawZip::of([RawEntry::stored(name, b"x")]).bytes(), reason).await;
    };
    check("NUL", b"a\0b", "has a NUL in its name").await;
    check("NUL at the end", b"a\0", "has a NUL in its name").await;
    check("backslash", b"a\\b", "has a name of Windows").await;
    check("no name", b"", "has no name").await;
    check("a component of 256 bytes", &[b'x'; 256], "has a name that is too long").await;
    check("4,096 bytes", &[b'x'; 4_096], "has a name that is too long").await;
    check(
        "4,097 bytes of folders",
        &[&b"yyyyyyy/".repeat(512)[..], b"x"].concat(),
        "has a name that is too long",
    )
    .await;
    check("65,535 bytes", &"a/".repeat(32_768).as_bytes()[..65_535], "has a name that is too long").await;
    let lie = RawEntry::stored(b"\xff", b"x").both(|header| header.flags |= 1 << 11);
    disk.check_refused("called UTF-8", RawZip::of([lie]).bytes(), "not UTF-8, as it says").await;
}

#[tokio::test]
async fn case_027_many_entries_are_soon_there_and_gone_and_too_many_are_refused() {
    let disk = Disk::new("many");
    let many: Vec<_> =
        (0..rounds(5_000, 100_000)).map(|n| RawEntry::stored(format!("{}/{n}", n % 300), b"x")).collect();
    let zip = RawZip::of(many.clone()).with(|zip| zip.zip64 = true).bytes();
    let folder = Folder::new();
    let before = processor_time();
    unpack(&zip, folder.path()).unwrap();
    let took = processor_time() - before;
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(folder);
    let package = disk.packages.add(zip.into()).await.unwrap();
    assert_eq!(bytes_below(&package.root), many.len() as u64);
    drop(package);
    disk.wait_until_empty().await;

    // Folders that names imply count, too.
    let implied = (0..1_400).map(|n| stored(&format!("{n}/{}x", "d/".repeat(200))));
    disk.check_refused("280,000 folders", RawZip::of(implied).bytes(), "has more than 250000 entries").await;
    let too_many = RawZip::of((0..250_001).map(|n| stored(&n.to_string()))).with(|zip| zip.zip64 = true);
    disk.check_refused("250,001 entries", too_many.bytes(), "has more than 250000 entries").await;
    for entries in [1 << 32, u64::MAX] {
        let lie = RawZip::of([stored("a")]).with(|zip| {
            zip.zip64 = true;
            zip.announced_entries = Some(entries);
        });
        disk.check_refused("a number without entries", lie.bytes(), "has more than 250000 entries").await;
    }
}

#[tokio::test]
async fn case_027_folders_2_000_deep_are_refused_and_256_are_not() {
    let disk = Disk::new("deep");
    let check = async |depth: usize| {
        let deep = RawZip::of([RawEntry::stored("d/".repeat(depth), b"")]).bytes();
        disk.check_refused("deep", deep, "has a name that is too long").await;
    };
    check(257).await;
    check(2_000).await;
    let deep = RawZip::of([stored(&format!("{}x", "d/".repeat(255)))]).bytes();
    let package = disk.packages.add(deep.into()).await.unwrap();
    assert_eq!(fs::read(package.root.join("d/".repeat(255)).join("x")).unwrap(), b"x");
    drop(package);
    disk.wait_until_empty().await;
}

#[tokio::test]
async fn case_028_two_entries_of_one_name_are_refused_in_every_order() {
    let disk = Disk::new("twice");
    let [a, other] = [stored("a"), RawEntry::deflated("a", b"other")];
    for (case, entries, reason) in [
        ("twice", vec![a.clone(), other.clone()], "is there twice"),
        ("the same twice", vec![a.clone(), a.clone()], "is there twice"),
        ("with another name for it", vec![a.clone(), stored("./a")], "is there twice"),
        ("with something between", vec![stored("d/a"), stored("b"), stored("d//a")], "is there twice"),
        ("file, folder", vec![a.clone(), RawEntry::stored("a/", b"")], "is a folder and something else"),
        ("folder, file", vec![RawEntry::stored("a/", b""), a.clone()], "is a folder and something else"),
        ("file, file in it", vec![a.clone(), stored("a/b")], "is a folder and something else"),
        ("file in it, file", vec![stored("a/b"), a.clone()], "is a folder and something else"),
        ("link, folder", vec![RawEntry::link("a", "b"), RawEntry::stored("a/", b"")], "is a folder and"),
        (
            "a folder by its mode, file",
            vec![RawEntry::stored("a", b"").mode(0o040_755), a],
            "is a folder and",
        ),
    ] {
        disk.check_refused(case, RawZip::of(entries).bytes(), reason).await;
    }
}

/// What fuzzing does for longer: no bytes whatever make it panic, hang or reach outside.
#[test]
fn case_025_no_change_of_a_zip_makes_it_panic_or_reach_outside() {
    let good = RawZip::of([
        RawEntry::deflated("folder/file", &b"hello, ".repeat(20)).only_local(|local| local.zip64 = true),
        RawEntry::link("folder/link", "file"),
        RawEntry::stored("empty/", b"").mode(0o040_755),
        RawEntry::stored("program", b"x").mode(0o100_755),
    ]);
    let good = good.with(|zip| zip.zip64 = true).bytes();
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let top = Folder::new();
    let folder = top.path().join("folder");
    let mut unpacked = 0;
    for _ in 0..rounds(3_000, 1_000_000) {
        let mut zip = good.clone();
        for _ in 0..=random(4) {
            let at = random(zip.len());
            match random(5) {
                0 => zip[at] ^= 1 << random(8),
                1 => zip[at] = [0, 0xff, b'/', b'.', b'\\'][random(5)],
                2 => {
                    let from = random(zip.len());
                    let length = random(40).min(zip.len() - from.max(at));
                    zip.copy_within(from..from + length, at);
                }
                3 => drop(zip.remove(at)),
                _ => zip.insert(at, random(256) as u8),
            }
        }
        fs::create_dir(&folder).unwrap();
        unpacked += usize::from(unpack(&zip, &folder).is_ok());
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(fs::read_dir(top.path()).unwrap().count(), 0);
    }
    assert!(unpacked > 0, "some changes mean nothing");
}

#[test]
fn an_error_names_the_entry_and_shows_it_as_one_short_line() {
    let name = [b"../\n\x1b[31m".as_slice(), &[b'x'; 60_000]].concat();
    let folder = Folder::new();
    let error = unpack(&RawZip::of([RawEntry::stored(name, b"")]).bytes(), folder.path()).unwrap_err();
    let UnpackError::Refused { name, .. } = &error else { panic!("{error:?}") };
    assert!(name.starts_with(r"../\n\x1b[31mxxx") && name.ends_with("x…"), "{name}");
    assert!(error.to_string().len() < 300);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_ordinary_zip_comes_out_as_it_went_in() {
    let disk = Disk::new("good");
    let good = zip(|writer| {
        use std::io::Write as _;
        let options = SimpleFileOptions::default();
        writer.add_directory("empty", options).unwrap();
        writer.start_file("bin/tool", options.unix_permissions(0o755)).unwrap();
        writer.write_all(b"#!").unwrap();
        writer.start_file("large", options.large_file(true)).unwrap();
        writer.write_all(&vec![7; 1_000_000]).unwrap();
        writer.add_symlink("bin/link", "tool", options).unwrap();
        writer.start_file("ä", options).unwrap();
    });
    let package = disk.packages.add(good.clone()).await.unwrap();
    assert_eq!(package.size, good.len() as u64);
    assert_eq!(fs::read_dir(package.root.join("empty")).unwrap().count(), 0);
    assert_eq!(fs::read(package.root.join("bin/link")).unwrap(), b"#!");
    assert_eq!(fs::metadata(package.root.join("bin/tool")).unwrap().mode() & 0o7777, 0o555);
    assert_eq!(fs::read(package.root.join("large")).unwrap(), vec![7; 1_000_000]);
    assert_eq!(fs::read(package.root.join("ä")).unwrap(), b"");
    assert_eq!(disk.packages.archive(package.sha256).await.unwrap(), good);
}
