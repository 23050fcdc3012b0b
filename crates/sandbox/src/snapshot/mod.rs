//! Snapshots of a process that has been initialised, from which others begin: what SnapStart is made of.
//!
//! A snapshot is not a process that forks. It is the memory of one, written down while it stood still, and a small program
//! that maps that memory and goes on where it stood. The program is started like any other: by the init of an environment
//! of its own, in its own namespaces and cgroups, as its own user, without privileges and under the filter of system calls.
//! So nothing is shared with the process that the snapshot was taken of, which is gone by then, nor with others of the
//! same snapshot: they have the same read-only pages, and write to copies.
//!
//! | file | what it does |
//! |---|---|
//! | `tracee` | stops the process for a moment, and reads its registers and what only the kernel knows of it |
//! | `layout` | its mappings, and which of their pages differ from the files that they are of |
//! | `program` | the program that builds the same again |
//! | `code` | its machine code |
//!
//! What is refused: more than one thread, memory shared with others, files that have been deleted. Descriptors are none of
//! this module's business: the runtime client closes them before, and opens them after. Only x86_64.

#[cfg(target_arch = "x86_64")]
mod code;
#[cfg(target_arch = "x86_64")]
mod layout;
#[cfg(target_arch = "x86_64")]
mod program;
#[cfg(target_arch = "x86_64")]
mod tracee;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

/// A process written down. Nobody can write to it.
#[derive(Debug)]
pub struct Snapshot {
    /// The executable that goes on where the process stood.
    program: File,
    /// The memory that it maps.
    image: File,
    bytes: u64,
}

/// Why a process could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is of a kind that cannot be.
    #[error("{0}")]
    Refused(String),
    /// The kernel did not let us.
    #[error("failed to {what}")]
    Failed {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// Names what failed.
fn failed<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> SnapshotError {
    move |source| SnapshotError::Failed { what, source: source.into() }
}

impl Snapshot {
    /// Says whether this machine can have snapshots.
    pub const fn is_possible() -> bool {
        cfg!(target_arch = "x86_64")
    }

    /// Writes down a process of this host that waits in `recv`, at most `bytes_max` of its memory. It stands still meanwhile
    /// and goes on afterwards. A process that begins from the snapshot finds that its `recv` returned 0. Blocks.
    #[cfg(target_arch = "x86_64")]
    pub fn take(pid: i32, bytes_max: u64) -> Result<Self, SnapshotError> {
        let tracee = tracee::Tracee::stop(pid)?;
        let state = tracee.state()?;
        let layout = layout::Layout::of(pid)?;
        let image = memory_file(c"hearth-snapshot").map_err(failed("make a file in memory"))?;
        let (plan, bytes) = program::plan(pid, &state, &layout, &image, bytes_max)?;
        drop(tracee);
        let program = memory_file(c"hearth-restore").map_err(failed("make a file in memory"))?;
        io::Write::write_all(&mut &program, &plan).map_err(failed("write a program"))?;
        Ok(Self { program: for_reading(&program)?, image: for_reading(&image)?, bytes })
    }

    /// Refuses: there is no such program for this machine.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn take(_: i32, _: u64) -> Result<Self, SnapshotError> {
        Err(SnapshotError::Refused("snapshots are made on x86_64 only".to_owned()))
    }

    /// Returns how much memory it holds.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns what init needs of it, in the order of [`ToInit::Start`](hearth_sandbox_init::messages::ToInit::Start).
    pub(crate) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.program.as_fd(), self.image.as_fd()]
    }
}

/// Makes a file that is nowhere.
fn memory_file(name: &std::ffi::CStr) -> io::Result<File> {
    // SAFETY: the name ends with NUL and lives throughout the call, which only reads it; the result is checked.
    #[allow(unsafe_code)]
    let fd = unsafe { nix::libc::memfd_create(name.as_ptr(), nix::libc::MFD_CLOEXEC) };
    let fd = nix::errno::Errno::result(fd)?;
    // SAFETY: the kernel has just opened it, and nobody else owns it.
    #[allow(unsafe_code)]
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) })
}

/// Opens the same file once more, for nothing but reading: whoever is handed this one cannot write.
fn for_reading(file: &File) -> Result<File, SnapshotError> {
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file));
    let opened = open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
    opened.map(File::from).map_err(failed("open a snapshot for reading"))
}
