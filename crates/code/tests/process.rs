//! What concerns a process as a whole: its memory, its file mode creation mask.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test may start itself again")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use hearth_code::unpack;
use hearth_tests::{Folder, RawEntry, RawZip};
use nix::sys::stat::{Mode, umask};

/// Returns the most memory that this process ever had, in bytes.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

const ARCHIVE: &str = "HEARTH_TEST_ARCHIVE";

#[test]
fn case_022_a_large_directory_takes_little_memory() {
    if let Some(path) = std::env::var_os(ARCHIVE) {
        let zip = fs::read(path).unwrap();
        let (folder, before) = (Folder::new(), peak_bytes());
        let error = unpack(&zip, folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("is there twice"), "{error}");
        let more = peak_bytes() - before;
        // A third of what as many entries as there may be would take.
        assert!(more < 30_000_000, "{more} bytes more");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        return;
    }
    // Names that share all of their folders. The last one is refused.
    let folders = "d/".repeat(20);
    let mut entries: Vec<RawEntry> =
        (0..100_000).map(|number| RawEntry::stored(format!("{folders}{number}"), b"")).collect();
    entries.push(entries[0].clone());
    let zip = RawZip::of(entries).with(|zip| zip.zip64 = true).bytes();
    assert!(zip.len() > 15_000_000, "{}", zip.len());
    let folder = Folder::new();
    // In a process that has not used any memory yet.
    let name = "case_022_a_large_directory_takes_little_memory";
    let mut this_test = Command::new(std::env::current_exe().unwrap());
    this_test.args(["--exact", name, "--nocapture"]).env(ARCHIVE, folder.write("archive.zip", zip));
    let output = this_test.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[test]
fn everybody_may_read_a_package_whatever_mask_the_server_has() {
    let folder = Folder::new();
    let zip = RawZip::of([
        RawEntry::stored("a/b", b"x"),
        RawEntry::stored("a/program", b"x").mode(0o100_755),
        RawEntry::stored("empty/", b""),
    ]);
    let before = umask(Mode::from_bits_truncate(0o077));
    let unpacked = unpack(&zip.bytes(), folder.path());
    umask(before);
    unpacked.unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().mode() & 0o7777;
    assert_eq!(["a", "a/b", "a/program", "empty", "."].map(mode), [0o755, 0o444, 0o555, 0o755, 0o755]);
}
