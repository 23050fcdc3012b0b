//! Landlock: a second bolt behind the mounts, the pid and the network namespace.
//!
//! One domain for a whole environment, entered by init before it starts anything: runtime and extensions may signal each
//! other, and share sockets, as on AWS. It allows writing below `/tmp` and to what has to be written to; signals and
//! abstract Unix sockets end at its border. Reading and executing are not restricted: the root file system holds
//! nothing but what may be read.

use std::fs::File;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl;

use crate::walls::{Failed, io_step, step};

/// The first version with which a file may be renamed into another folder. Before, functions would miss that in `/tmp`.
pub const ABI_MIN: u32 = 2;
/// The first version with `truncate`.
const ABI_OF_TRUNCATE: u32 = 3;
/// The first version that keeps signals and abstract sockets in.
pub const ABI_OF_SCOPES: u32 = 6;

const VERSION: libc::c_ulong = 1;

const WRITE_FILE: u64 = 1 << 1;
/// Removing, making, and moving between folders.
const CHANGE_FOLDERS: u64 = 0b11_1111_1111 << 4;
const TRUNCATE: u64 = 1 << 14;

const ABSTRACT_UNIX_SOCKETS: u64 = 1;
const SIGNALS: u64 = 1 << 1;

const PATH_BENEATH: libc::c_int = 1;

/// The kernel's `landlock_ruleset_attr`. Older kernels know less of it, and take it if the rest is zero.
#[repr(C)]
struct Ruleset {
    files: u64,
    network: u64,
    scopes: u64,
}

/// The kernel's `landlock_path_beneath_attr`.
#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    folder: i32,
}

/// Returns the version of Landlock on this kernel; 0 when it has none, or has it switched off.
pub fn abi() -> u32 {
    // SAFETY: asking for the version takes no pointer and plain numbers.
    #[allow(unsafe_code)]
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Ruleset>(), 0_usize, VERSION)
    };
    u32::try_from(version).unwrap_or(0)
}

/// Puts this process, and all that it will start, into a domain of their own, for good. Does nothing where the kernel
/// cannot. What `/tmp`, `/dev` and `/proc` mean is decided now.
pub(crate) fn restrict() -> Result<(), Failed> {
    let abi = abi();
    if abi < ABI_MIN {
        return Ok(());
    }
    let files = WRITE_FILE | CHANGE_FOLDERS | if abi >= ABI_OF_TRUNCATE { TRUNCATE } else { 0 };
    let scopes = if abi >= ABI_OF_SCOPES { ABSTRACT_UNIX_SOCKETS | SIGNALS } else { 0 };
    let ruleset = create(&Ruleset { files, network: 0, scopes }).map_err(step("make a Landlock domain"))?;
    let into_files = files & (WRITE_FILE | TRUNCATE);
    for (folder, allowed) in [("/tmp", files), ("/dev", into_files), ("/proc", into_files)] {
        allow(&ruleset, folder, allowed)?;
    }
    prctl::set_no_new_privs().map_err(step("forbid new privileges"))?;
    // SAFETY: takes an open ruleset and plain numbers.
    #[allow(unsafe_code)]
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) };
    Errno::result(result).map(drop).map_err(step("enter a Landlock domain"))
}

fn create(ruleset: &Ruleset) -> Result<OwnedFd, Errno> {
    // SAFETY: the kernel reads one ruleset of the given size, which lives throughout the call.
    #[allow(unsafe_code)]
    let fd = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::from_ref(ruleset), size_of::<Ruleset>(), 0)
    };
    let fd = Errno::result(fd)? as i32;
    // SAFETY: the kernel has just opened it, close-on-exec, and nobody else owns it.
    #[allow(unsafe_code)]
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn allow(ruleset: &OwnedFd, folder: &str, allowed: u64) -> Result<(), Failed> {
    let opened = File::open(folder).map_err(io_step(format!("open {folder}")))?;
    let rule = Beneath { allowed, folder: opened.as_raw_fd() };
    // SAFETY: the kernel reads one rule of this kind, which lives throughout the call, as does the folder it names.
    #[allow(unsafe_code)]
    let result = unsafe {
        libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), PATH_BENEATH, &raw const rule, 0)
    };
    Errno::result(result).map(drop).map_err(step(format!("allow writing below {folder}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::fs;
    use std::io::ErrorKind;
    use std::path::Path;

    use nix::sys::signal::kill;
    use nix::unistd::getppid;

    use super::*;

    #[test]
    fn writing_ends_below_tmp_and_signals_at_the_domain() {
        if abi() < ABI_MIN || !Path::new("/var/tmp").is_dir() {
            eprintln!("skipped: this kernel has no Landlock that is used, or this host no /var/tmp");
            return;
        }
        // The domain of a thread is its own.
        let inside = || {
            assert!(restrict().is_ok());
            let folder = Path::new("/tmp").join(format!("hearth-landlock-{}", std::process::id()));
            for name in ["a", "b"] {
                fs::create_dir_all(folder.join(name)).unwrap();
            }
            fs::write(folder.join("a/file"), "text").unwrap();
            fs::rename(folder.join("a/file"), folder.join("b/file")).unwrap();
            assert_eq!(fs::read_to_string(folder.join("b/file")).unwrap(), "text");
            fs::remove_dir_all(&folder).unwrap();
            fs::write("/dev/null", "text").unwrap();
            // Open to everybody, and yet.
            let elsewhere = Path::new("/var/tmp").join(format!("hearth-landlock-{}", std::process::id()));
            for refused in [fs::write(&elsewhere, ""), fs::create_dir(&elsewhere)] {
                assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
            }
            if abi() >= ABI_OF_SCOPES {
                assert_eq!(kill(getppid(), None), Err(Errno::EPERM));
            }
        };
        std::thread::spawn(inside).join().unwrap();
    }
}
