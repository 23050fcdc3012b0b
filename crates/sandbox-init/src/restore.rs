//! Starting a process from a snapshot: the same as starting a program, but that the program is a file that the server has
//! made, the memory that it maps comes along, and its variables are in a file that it reads when it is back.

use std::ffi::CString;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;

/// Where the process finds the memory that it maps. It closes it.
pub const IMAGE_FD: RawFd = 64;
/// Where the process finds its environment variables, each with a NUL after it. It closes it.
pub const VARIABLES_FD: RawFd = 63;

/// What a process is restored from.
pub(crate) struct Restored {
    /// The executable that restores it.
    pub(crate) program: OwnedFd,
    /// Its memory.
    pub(crate) image: OwnedFd,
}

impl Restored {
    /// Takes them from what came with a packet.
    pub(crate) fn take(descriptors: Vec<OwnedFd>) -> Option<Self> {
        let mut descriptors = descriptors.into_iter();
        Some(Self { program: descriptors.next()?, image: descriptors.next()? })
    }

    /// Gives this process what the restored one needs, under numbers that survive exec.
    pub(crate) fn hand_over(&self, variables: &[CString]) -> Result<(), Errno> {
        let file = file_of(variables)?;
        duplicate(file.as_raw_fd(), VARIABLES_FD)?;
        duplicate(self.image.as_raw_fd(), IMAGE_FD)
    }

    /// Becomes the program. Returns only when that failed.
    pub(crate) fn execute(&self) -> Errno {
        let arguments = [c"restore".as_ptr(), std::ptr::null()];
        let variables = [std::ptr::null::<libc::c_char>()];
        // SAFETY: the path and the argument end with NUL, both lists with a null pointer, and all live throughout the call,
        // which only reads them; the descriptor is open.
        #[allow(unsafe_code)]
        let result = unsafe {
            libc::syscall(
                libc::SYS_execveat,
                self.program.as_raw_fd(),
                c"".as_ptr(),
                arguments.as_ptr(),
                variables.as_ptr(),
                libc::AT_EMPTY_PATH,
            )
        };
        Errno::result(result).err().unwrap_or(Errno::EINVAL)
    }
}

/// Makes a file of variables, to be read from its beginning.
fn file_of(variables: &[CString]) -> Result<OwnedFd, Errno> {
    // SAFETY: the name ends with NUL and lives throughout the call, which only reads it; the result is checked.
    #[allow(unsafe_code)]
    let fd = unsafe { libc::memfd_create(c"variables".as_ptr(), libc::MFD_CLOEXEC) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel has just opened it, and nobody else owns it.
    #[allow(unsafe_code)]
    let file = unsafe { OwnedFd::from_raw_fd(fd) };
    for variable in variables {
        let mut bytes = variable.as_bytes_with_nul();
        while !bytes.is_empty() {
            let written = nix::unistd::write(&file, bytes)?;
            bytes = &bytes[written..];
        }
    }
    nix::unistd::lseek(&file, 0, nix::unistd::Whence::SeekSet)?;
    Ok(file)
}

fn duplicate(source: RawFd, target: RawFd) -> Result<(), Errno> {
    // SAFETY: takes plain numbers; `target` is not owned by anything in this process, which is about to become another
    // program. The result is checked.
    #[allow(unsafe_code)]
    let result = unsafe {
        if source == target { libc::fcntl(source, libc::F_SETFD, 0) } else { libc::dup2(source, target) }
    };
    Errno::result(result).map(drop)
}
