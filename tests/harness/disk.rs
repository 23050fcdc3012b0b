//! File systems of a test's own: one that is full at will, and one whose power can be cut. Mounting takes root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::skip;
use crate::wait::Folder;

/// A mounted file system, unmounted when dropped.
#[derive(Debug)]
pub struct Mounted {
    folder: Folder,
    /// Taken from the image below, which it needs.
    image: Option<PathBuf>,
}

impl Mounted {
    /// Mounts a file system in memory that holds `bytes`. `None`, and the test is noted as skipped, where nobody may.
    pub fn in_memory(bytes: u64) -> Option<Self> {
        let folder = Folder::new();
        let size = format!("size={bytes}");
        let mounted =
            run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()));
        check(mounted)?;
        Some(Self { folder, image: None })
    }

    /// Makes an image of `bytes` bytes with a file system that writes nothing to it unless it is told to, and mounts it.
    pub fn on_image(image: &Path, bytes: u64) -> Option<Self> {
        fs::File::create(image).unwrap().set_len(bytes).unwrap();
        check(run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image)))?;
        Self::image(image)
    }

    /// Mounts an image that was made before, as after a loss of power: its journal is played back.
    pub fn image(image: &Path) -> Option<Self> {
        let folder = Folder::new();
        // Without a commit of its own every 5 seconds: what nobody has synced is only in memory.
        let options = ["-t", "ext4", "-o", "loop,commit=300"];
        check(run(Command::new("mount").args(options).arg(image).arg(folder.path())))?;
        Some(Self { folder, image: Some(image.to_owned()) })
    }

    /// Returns where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Copies what has reached the image to `copy`: what would be on the disk if the power was cut now.
    ///
    /// # Panics
    /// When there is no image.
    pub fn cut_power(&self, copy: &Path) {
        let image = self.image.as_ref().expect("a file system on an image");
        run(Command::new("cp").arg("--sparse=always").arg(image).arg(copy)).unwrap();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A process that is just ending may still hold it; then it goes with that process.
        if let Err(why) = run(Command::new("umount").arg("--lazy").arg(self.folder.path())) {
            eprintln!("{why}");
        }
    }
}

fn check(result: Result<(), String>) -> Option<()> {
    result.map_err(|why| skip(&format!("no file system of its own: {why}"))).ok()
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {}", stderr.trim())) }
}
