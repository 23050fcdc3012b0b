//! What a new file system consists of: made once for each size by `mke2fs`, and then written into every new file.
//!
//! A function can write [`Template::make`]'s `size_mb` to it, and at most [`EXCESS_BYTES_MAX`] more: the tables that ext4
//! needs, and the part that it keeps for itself, come on top. Small files take whole blocks, and folders take blocks, too.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::stat::{Mode, fchmod};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{UnlinkatFlags, Whence, lseek64, unlinkat};

use super::{StorageError, loop_device, mount};

/// The blocks of the file system.
pub(super) const BLOCK_BYTES: u64 = 4_096;

/// How much more than its size a file system may have room for.
const EXCESS_BYTES_MAX: u64 = 512 << 10;

/// How many files any size has room for, if they are empty; as many as a `/tmp` in memory of the default size. Ours.
const FILES_MIN: u64 = 512 << 10;
/// But not more than one for so many bytes.
const BYTES_PER_FILE_MIN: u64 = 1_024;
const INODE_BYTES: u64 = 256;

/// How often the size of the device is corrected: what is needed beside the files depends on it.
const ATTEMPTS: usize = 6;

/// How long `mke2fs`, and the kernel's leaving of a file system, may take. They take milliseconds, if the disk is alive.
const LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(1);

/// Exactly these, whatever the host's `mke2fs.conf` says. No journal: there is nothing to recover. No checksums of
/// metadata: nothing is read that was not written a moment ago. No backups of the superblock.
const FEATURES: &str = "none,dir_index,dir_nlink,extent,extra_isize,filetype,flex_bg,huge_file,large_file,\
                        sparse_super2,uninit_bg";

/// Where `mke2fs` is, of e2fsprogs.
const PROGRAMS: [&str; 5] = [
    "/usr/sbin/mke2fs",
    "/sbin/mke2fs",
    "/usr/bin/mke2fs",
    "/usr/local/sbin/mke2fs",
    "/run/current-system/sw/bin/mke2fs",
];

const SUPERBLOCK_AT: u64 = 1_024;
const MAGIC_AT: usize = 0x38;
const STATE_AT: usize = 0x3a;

/// The blocks of a new file system that are not zero.
pub(super) struct Template {
    device_bytes: u64,
    extents: Vec<(u64, Vec<u8>)>,
}

impl Template {
    /// Makes one in which a function can write `size_mb` MB.
    pub(super) fn make(
        size_mb: u32,
        mut new_file: impl FnMut() -> Result<File, StorageError>,
    ) -> Result<Self, StorageError> {
        let wanted = u64::from(size_mb) << 20;
        let blocks = wanted / BLOCK_BYTES;
        // As many files as blocks, since each that is not empty takes one.
        let files = blocks.max(FILES_MIN.min(wanted / BYTES_PER_FILE_MIN));
        let mut device_blocks = blocks + files * INODE_BYTES / BLOCK_BYTES;
        for _ in 0..ATTEMPTS {
            let file = new_file()?;
            file.set_len(device_blocks * BLOCK_BYTES).map_err(StorageError::at("size a file"))?;
            make_file_system(&file, device_blocks, files)?;
            let room = prepare(&file)?;
            if (wanted..=wanted + EXCESS_BYTES_MAX).contains(&room) {
                wait_until_clean(&file)?;
                let extents = read(&file).map_err(StorageError::at("read what `mke2fs` wrote"))?;
                return Ok(Self { device_bytes: device_blocks * BLOCK_BYTES, extents });
            }
            // In the middle of what is allowed.
            let aim = wanted + EXCESS_BYTES_MAX / 2;
            device_blocks =
                device_blocks.saturating_add(aim / BLOCK_BYTES).saturating_sub(room / BLOCK_BYTES);
        }
        let source = io::Error::other("no size of the device gives the size of the file system");
        Err(StorageError::at(format!("make a file system of {size_mb} MB"))(source))
    }

    /// Makes an empty file a new file system.
    pub(super) fn write_into(&self, file: &File) -> Result<(), StorageError> {
        let written = file.set_len(self.device_bytes).and_then(|()| {
            self.extents.iter().try_for_each(|(offset, bytes)| file.write_all_at(bytes, *offset))
        });
        written.map_err(StorageError::at("write a new file system"))
    }
}

/// Has `mke2fs` write a file system into `file`.
#[allow(clippy::disallowed_methods, reason = "starting processes is what this crate is for")]
fn make_file_system(file: &File, blocks: u64, files: u64) -> Result<(), StorageError> {
    let program = PROGRAMS.iter().map(PathBuf::from).find(|program| program.exists());
    let program = program.ok_or_else(|| {
        StorageError::at("find `mke2fs`")(io::Error::new(io::ErrorKind::NotFound, "install e2fsprogs"))
    })?;
    let step = || format!("run `{}`", program.display());
    // The file has no name any more; this leads to it.
    let file = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    let (block_bytes, inode_bytes) = (BLOCK_BYTES.to_string(), INODE_BYTES.to_string());
    let (blocks, files) = (blocks.to_string(), files.to_string());
    let mut mke2fs = Command::new(&program)
        .args(["-q", "-F", "-t", "ext4", "-O", FEATURES, "-e", "remount-ro", "-m", "0"])
        .args(["-E", "lazy_itable_init=1,nodiscard,num_backup_sb=0,root_owner=0:0"])
        .args(["-b", &block_bytes, "-I", &inode_bytes, "-N", &files, &file, &blocks])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(StorageError::at(step()))?;
    let deadline = Instant::now() + LIMIT;
    while mke2fs.try_wait().map_err(StorageError::at(step()))?.is_none() {
        if Instant::now() > deadline {
            // Whether it ends now or when the disk answers, nobody waits for it.
            let _ = mke2fs.kill();
            return Err(StorageError::at(step())(io::Error::from(io::ErrorKind::TimedOut)));
        }
        thread::sleep(PAUSE);
    }
    let output = mke2fs.wait_with_output().map_err(StorageError::at(step()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(StorageError::at(step())(io::Error::other(format!("{}: {said}", output.status))))
}

/// Makes the new file system as a function is to find it: empty, and for everybody. Returns how many bytes have room in it.
fn prepare(file: &File) -> Result<u64, StorageError> {
    let device = loop_device::attach(file)?;
    let mount = mount::mount(&device)?;
    let root: OwnedFd = mount::root(&mount)?;
    let prepare = || {
        unlinkat(&root, Path::new("lost+found"), UnlinkatFlags::RemoveDir)?;
        fchmod(&root, Mode::from_bits_truncate(0o1777))?;
        fstatvfs(&root)
    };
    let room = prepare().map_err(StorageError::at("prepare a new file system"))?;
    Ok(room.blocks_available() * room.fragment_size())
}

/// Waits until the kernel has left the file system, and everything about it is in the file.
fn wait_until_clean(file: &File) -> Result<(), StorageError> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut superblock = [0; 1_024];
        let read = file.read_exact_at(&mut superblock, SUPERBLOCK_AT);
        read.map_err(StorageError::at("read what `mke2fs` wrote"))?;
        let number = |at: usize| u16::from_le_bytes([superblock[at], superblock[at + 1]]);
        if number(MAGIC_AT) == 0xef53 && number(STATE_AT) == 1 {
            return Ok(());
        }
        if Instant::now() > deadline {
            let step = StorageError::at("unmount a new file system");
            return Err(step(io::Error::from(io::ErrorKind::TimedOut)));
        }
        thread::sleep(PAUSE);
    }
}

/// Reads the blocks that are not zero, neighbours together.
fn read(file: &File) -> io::Result<Vec<(u64, Vec<u8>)>> {
    let mut extents: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut at = 0;
    while let Some(data) = seek(file, at, Whence::SeekData)? {
        let end = seek(file, data, Whence::SeekHole)?.unwrap_or(data);
        at = data - data % BLOCK_BYTES;
        while at < end {
            let mut block = vec![0; BLOCK_BYTES as usize];
            file.read_exact_at(&mut block, at)?;
            if block.iter().any(|&byte| byte != 0) {
                match extents.last_mut() {
                    Some((offset, bytes)) if *offset + bytes.len() as u64 == at => bytes.append(&mut block),
                    _ => extents.push((at, block)),
                }
            }
            at += BLOCK_BYTES;
        }
    }
    Ok(extents)
}

/// Returns where the next data or hole begins, or `None` behind the last.
fn seek(file: &File, from: u64, what: Whence) -> io::Result<Option<u64>> {
    match lseek64(file, from as i64, what) {
        Ok(found) => Ok(u64::try_from(found).ok()),
        Err(nix::errno::Errno::ENXIO) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ephemeral_storage::Maker;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "what is made here is looked at by e2fsprogs")]
    fn what_a_template_writes_is_a_sound_file_system() {
        if !nix::unistd::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
            return hearth_tests::skip("making a template needs root and loop devices");
        }
        let folder = hearth_tests::Folder::new();
        let maker = Maker::new(folder.path());
        for size_mb in [16, 512, 2_000, 10_240] {
            let template = maker.template(size_mb).unwrap();
            let bytes: usize = template.extents.iter().map(|(_, bytes)| bytes.len()).sum();
            assert!(bytes < 256 << 10, "{size_mb}: {bytes}");
            let path = folder.path().join("image");
            template.write_into(&File::create(&path).unwrap()).unwrap();
            let checked = Command::new("/usr/sbin/e2fsck").args(["-f", "-n"]).arg(&path).output().unwrap();
            assert!(checked.status.success(), "{size_mb}: {}", String::from_utf8_lossy(&checked.stdout));
        }
    }
}
