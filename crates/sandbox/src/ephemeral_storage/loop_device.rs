//! Loop devices: a file as a block device. Linux 5.8 and later.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::StorageError;
use super::template::BLOCK_BYTES;

/// How often a device is asked for, when somebody else takes it in between. Ours: far more than starts at once.
const ATTEMPTS: usize = 256;

const LOOP_CTL_GET_FREE: u32 = 0x4c82;
const LOOP_CONFIGURE: u32 = 0x4c0a;
/// The device is free again when nobody has it open or mounted any more.
const LO_FLAGS_AUTOCLEAR: u32 = 4;
/// What is read and written is not cached a second time, below. Where a file cannot do that, the kernel goes without.
const LO_FLAGS_DIRECT_IO: u32 = 16;

/// A loop device over a file. Dropping it lets the device go, unless it is mounted.
pub(super) struct LoopDevice {
    pub(super) path: PathBuf,
    _open: File,
}

/// The kernel's `struct loop_config` with its `struct loop_info64`, as far as it is anything but zero here.
#[repr(C)]
struct Configuration {
    file: u32,
    block_bytes: u32,
    device: [u64; 5],
    number: u32,
    encryption: [u32; 2],
    flags: u32,
    names: [u8; 64 + 64 + 32],
    init: [u64; 2],
    reserved: [u64; 8],
}

/// Finds a free device and puts it over `file`.
pub(super) fn attach(file: &File) -> Result<LoopDevice, StorageError> {
    let control = OpenOptions::new().read(true).write(true).open("/dev/loop-control");
    let control = control.map_err(StorageError::at("open `/dev/loop-control`"))?;
    let mut taken = Errno::EBUSY;
    for _ in 0..ATTEMPTS {
        // SAFETY: this request takes no argument; the descriptor is open.
        #[allow(unsafe_code)]
        let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) };
        let number = Errno::result(number).map_err(StorageError::at("find a free loop device"))?;
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = open_node(number, &path);
        let device = device.map_err(StorageError::at(format!("open `{}`", path.display())))?;
        match configure(&device, number as u32, file) {
            Ok(()) => return Ok(LoopDevice { path, _open: device }),
            // It was free a moment ago.
            Err(Errno::EBUSY) => taken = Errno::EBUSY,
            Err(errno) => {
                return Err(StorageError::at(format!("set up `{}`", path.display()))(errno));
            }
        }
    }
    Err(StorageError::at("find a free loop device")(taken))
}

/// Opens the node of a device. In a container nobody makes nodes for devices that are new: we do.
fn open_node(number: i32, path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().read(true).write(true).open(path);
    match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let text = fs::read_to_string(format!("/sys/block/loop{number}/dev"))?;
    let numbers = text.trim().split_once(':');
    let numbers = numbers.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let Some((major, minor)) = numbers else { return Err(io::ErrorKind::InvalidData.into()) };
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    match mknod(path, SFlag::S_IFBLK, mode, makedev(major, minor)) {
        Ok(()) | Err(Errno::EEXIST) => open(),
        Err(errno) => Err(errno.into()),
    }
}

fn configure(device: &File, number: u32, file: &File) -> Result<(), Errno> {
    let configuration = Configuration {
        file: u32::try_from(file.as_raw_fd()).map_err(|_| Errno::EBADF)?,
        block_bytes: BLOCK_BYTES as u32,
        device: [0; 5],
        number,
        encryption: [0; 2],
        flags: LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
        names: [0; 160],
        init: [0; 2],
        reserved: [0; 8],
    };
    // SAFETY: the request reads a `loop_config`, as which `Configuration` is laid out, and writes nothing. Both
    // descriptors are open; the kernel takes a reference of its own to the file.
    #[allow(unsafe_code)]
    let result = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE as _, &raw const configuration) };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_as_long_as_the_kernels() {
        assert_eq!(size_of::<Configuration>(), 4 + 4 + 232 + 64);
    }
}
