//! Mounts that are nowhere: made with `fsopen` and `fsmount`, and kept by a descriptor. Linux 5.2 and later.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::libc;
use nix::sys::stat::Mode;

use super::StorageError;
use super::loop_device::LoopDevice;

const FSOPEN_CLOEXEC: libc::c_uint = 1;
const FSCONFIG_SET_FLAG: libc::c_uint = 0;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
const FSMOUNT_CLOEXEC: libc::c_uint = 1;
const MOUNT_ATTR_NOSUID: libc::c_uint = 0x2;
const MOUNT_ATTR_NODEV: libc::c_uint = 0x4;

/// `_IOR('X', 125, __u32)`.
const EXT4_IOC_SHUTDOWN: u32 = 0x8004_587d;
const EXT4_GOING_FLAGS_NOLOGFLUSH: u32 = 2;

/// How it is mounted. Nothing in it outlives a loss of power, so nobody has to wait for the disk: `fsync` writes, but does
/// not flush, and a rename does not write. Tables of inodes, which are zero in a new file, are not written once more.
const FLAGS: [&CStr; 3] = [c"nobarrier", c"noauto_da_alloc", c"noinit_itable"];

/// Mounts the ext4 file system on a device. Dropping the descriptor unmounts it, unless it is in a place by then.
pub(super) fn mount(device: &LoopDevice) -> Result<OwnedFd, StorageError> {
    let source = CString::new(device.path.as_os_str().as_bytes());
    let source = source.map_err(io::Error::from).map_err(StorageError::at("name a loop device"))?;
    let context = open_context().map_err(StorageError::at("find the file system ext4"))?;
    let set = StorageError::at::<Errno>("set up a file system");
    let make = StorageError::at::<Errno>(format!("mount `{}`", device.path.display()));
    let configured = FLAGS
        .iter()
        .try_for_each(|flag| configure(&context, FSCONFIG_SET_FLAG, Some(flag), None))
        .and_then(|()| configure(&context, FSCONFIG_SET_STRING, Some(c"source"), Some(&source)));
    configured.map_err(set)?;
    configure(&context, FSCONFIG_CMD_CREATE, None, None).map_err(make)?;
    detached(&context).map_err(StorageError::at("mount a file system"))
}

fn open_context() -> Result<OwnedFd, Errno> {
    // SAFETY: the name ends with NUL and is only read.
    #[allow(unsafe_code)]
    let context = unsafe { libc::syscall(libc::SYS_fsopen, c"ext4".as_ptr(), FSOPEN_CLOEXEC) };
    let context = Errno::result(context)? as i32;
    // SAFETY: the kernel has just opened it, and nobody else owns it.
    #[allow(unsafe_code)]
    Ok(unsafe { OwnedFd::from_raw_fd(context) })
}

fn configure(
    context: &OwnedFd,
    command: libc::c_uint,
    key: Option<&CStr>,
    value: Option<&CStr>,
) -> Result<(), Errno> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: texts end with NUL, live throughout the call and are only read; where a command has none, the kernel wants a
    // null pointer. The descriptor is open.
    #[allow(unsafe_code)]
    let result = unsafe {
        libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, pointer(key), pointer(value), 0)
    };
    Errno::result(result).map(drop)
}

fn detached(context: &OwnedFd) -> Result<OwnedFd, Errno> {
    let attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    // SAFETY: takes plain numbers and an open descriptor.
    #[allow(unsafe_code)]
    let mount = unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, attributes) };
    let mount = Errno::result(mount)? as i32;
    // SAFETY: the kernel has just opened it, and nobody else owns it.
    #[allow(unsafe_code)]
    Ok(unsafe { OwnedFd::from_raw_fd(mount) })
}

/// Opens the root folder of a mount.
pub(super) fn root(mount: &OwnedFd) -> Result<OwnedFd, StorageError> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    openat(mount, ".", flags, Mode::empty()).map_err(StorageError::at("open a new file system"))
}

/// Ends a file system without writing what is still to be written. Whoever uses it gets `EIO` from then on.
pub(super) fn shut_down(root: &OwnedFd) -> io::Result<()> {
    let how = EXT4_GOING_FLAGS_NOLOGFLUSH;
    // SAFETY: the request reads one `u32`, which is there; the descriptor is open.
    #[allow(unsafe_code)]
    let result = unsafe { libc::ioctl(root.as_raw_fd(), EXT4_IOC_SHUTDOWN as _, &raw const how) };
    Ok(Errno::result(result).map(drop)?)
}
