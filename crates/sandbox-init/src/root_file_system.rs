//! The root file system of an environment: what of the host a function sees, and the little that it may change.
//!
//! ```text
//!   /usr /bin /lib …      the host's programs and libraries       read-only, nosuid, nodev
//!   /etc                  users, hosts, resolver, certificates    nothing else of the host's /etc
//!   /var/task /opt        code, layers                            read-only, nosuid, nodev
//!   (host paths)          interpreter and runtime client          read-only, nosuid, nodev
//!   /proc                 the environment's own processes         partly masked
//!   /dev                  null zero full random urandom           no terminals, no shared memory, as on AWS
//!   /tmp                  empty, of the function's size           the only place to write
//! ```

use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

use crate::messages::Walls;
use crate::walls::{Failed, io_step, step};

/// Where a Linux host has its programs. `/usr`, and what is a folder or a link beside it.
const PROGRAMS: &[&str] = &["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// What of `/etc` programs need and everybody may know: where libraries and alternatives are, certificates, names of
/// protocols. Debian's and Red Hat's places.
const ETC: &[&str] = &[
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "ld.so.cache",
    "mime.types",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
];

/// As on AWS, where it has a name but its number is not documented.
const USER: &str = "sbx_user1051";

/// What tells about the host, or has no business in a function, although most of it needs privileges anyway.
const MASKED: &[&str] = &[
    "acpi",
    "asound",
    "bus",
    "driver",
    "fs",
    "interrupts",
    "irq",
    "kallsyms",
    "kcore",
    "keys",
    "key-users",
    "kmsg",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "sched_debug",
    "scsi",
    "sysrq-trigger",
    "sysvipc",
    "timer_list",
    "timer_stats",
];

const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];

/// How many bytes of a `/tmp` in memory there are for each file that it may hold: about what the kernel keeps of an
/// empty one.
const TEMPORARY_BYTES_PER_FILE: u64 = 1_024;

/// Of the file systems that are made for an environment.
const FLAGS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// Where `/tmp` comes from.
pub(crate) enum TemporaryMount {
    /// From the server: a mount that is nowhere yet. It is empty, everybody may write to it, and it has its flags.
    Made(OwnedFd),
    /// It is mounted here, in memory.
    Memory { bytes_max: u64 },
}

/// Begins it, on top of the folder `root`, with what is the same for every function.
pub(crate) fn begin(root: &Path, user: u32) -> Result<(), Failed> {
    // Folders and a few files of /etc; nobody can write to it later.
    mount(Some("hearth"), root, Some("tmpfs"), FLAGS, Some("mode=755,size=4m"))
        .map_err(step("mount a root file system"))?;

    for folder in ["etc", "proc", "dev", "tmp", "var/task", "var/runtime", "opt", "run", "home", "mnt"] {
        make_folder(&root.join(folder))?;
    }

    let proc_options = Some("hidepid=2");
    let proc = root.join("proc");
    mount(Some("proc"), &proc, Some("proc"), FLAGS | MsFlags::MS_NOEXEC, proc_options)
        .map_err(step("mount /proc"))?;
    mask(&proc)?;

    for name in DEVICES {
        let device = Path::new("/dev").join(name);
        bind(&device, &root.join("dev").join(name), MsFlags::empty(), NO_DEVICE_RULES)?;
    }
    for (name, target) in [("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        let link = root.join("dev").join(name);
        symlink(Path::new("/proc/self").join(target), link).map_err(io_step("make links in /dev"))?;
    }

    etc(&root.join("etc"), user)?;
    for name in ETC {
        let host = Path::new("/etc").join(name);
        if host.exists() {
            bind(&host, &root.join("etc").join(name), MsFlags::MS_REC, READ_ONLY)?;
        }
    }
    for (host, metadata) in programs() {
        if metadata.is_dir() {
            bind(&host, &beneath(root, &host), MsFlags::MS_REC, READ_ONLY)?;
        }
    }
    Ok(())
}

/// Adds what is the function's, and makes it the root.
pub(crate) fn complete(root: &Path, walls: &Walls, temporary: TemporaryMount) -> Result<(), Failed> {
    let tmp = root.join("tmp");
    match temporary {
        TemporaryMount::Made(mount) => put_mount(&mount, &tmp).map_err(step("mount /tmp"))?,
        TemporaryMount::Memory { bytes_max } => {
            let files_max = bytes_max / TEMPORARY_BYTES_PER_FILE;
            let options = format!("mode=1777,size={bytes_max},nr_inodes={files_max}");
            mount(Some("tmp"), &tmp, Some("tmpfs"), FLAGS, Some(options.as_str()))
                .map_err(step("mount /tmp"))?;
        }
    }
    fs::write(root.join("etc/resolv.conf"), walls.resolver.as_bytes())
        .map_err(io_step("write /etc/resolv.conf"))?;
    for walled in &walls.binds {
        let inside = beneath(root, Path::new(&walled.inside));
        // Without what may be mounted below: code and interpreters are folders of one file system.
        bind(Path::new(&walled.host), &inside, MsFlags::empty(), READ_ONLY)?;
    }
    // Links last: nothing above may be led out by one.
    symlink("/tmp", root.join("var/tmp")).map_err(io_step("link /var/tmp"))?;
    for (host, metadata) in programs() {
        if metadata.is_symlink() {
            let what = || format!("link {}", host.display());
            let target = fs::read_link(&host).map_err(io_step(what()))?;
            symlink(target, beneath(root, &host)).map_err(io_step(what()))?;
        }
    }

    set_mount(root, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0)
        .map_err(step("make the root read-only"))?;
    chdir(root).map_err(step("enter the root"))?;
    // The old root ends up on top of the new one, and goes.
    pivot_root(".", ".").map_err(step("change the root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(step("leave the host's root"))?;
    chdir("/").map_err(step("enter the root"))
}

/// Returns what of the host every environment sees, if it is there.
pub fn shown_of_host() -> impl Iterator<Item = PathBuf> {
    let of_etc = ETC.iter().map(|name| Path::new("/etc").join(name));
    PROGRAMS.iter().map(|name| Path::new("/").join(name)).chain(of_etc)
}

/// Returns where the host has its programs: folders, which are bound, and links, such as `/bin` to `usr/bin`, which are made
/// again.
fn programs() -> impl Iterator<Item = (PathBuf, fs::Metadata)> {
    let of_host = PROGRAMS.iter().map(|name| Path::new("/").join(name));
    of_host.filter_map(|path| fs::symlink_metadata(&path).ok().map(|metadata| (path, metadata)))
}

/// Returns where an absolute path is below `root`.
fn beneath(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn etc(folder: &Path, user: u32) -> Result<(), Failed> {
    let files: [(&str, String); 5] = [
        (
            "passwd",
            format!("root:x:0:0:root:/root:/sbin/nologin\n{USER}:x:{user}:{user}::/tmp:/sbin/nologin\n"),
        ),
        ("group", format!("root:x:0:\n{USER}:x:{user}:\n")),
        ("hosts", "127.0.0.1 localhost sandbox.localdomain sandbox\n".to_owned()),
        ("hostname", "sandbox\n".to_owned()),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n".to_owned()),
    ];
    for (name, content) in files {
        fs::write(folder.join(name), content).map_err(io_step(format!("write /etc/{name}")))?;
    }
    // Lambda's time zone is UTC.
    symlink("/usr/share/zoneinfo/UTC", folder.join("localtime")).map_err(io_step("link /etc/localtime"))
}

/// Covers what is masked: folders with an empty one, files with `/dev/null`. `/proc/sys` can only be read.
fn mask(proc: &Path) -> Result<(), Failed> {
    let sys = proc.join("sys");
    bind_over(&sys, &sys, MsFlags::empty(), READ_ONLY)?;
    for name in MASKED {
        let masked = proc.join(name);
        match fs::metadata(&masked) {
            Err(_) => {} // not on this kernel
            Ok(metadata) if metadata.is_dir() => {
                let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
                mount(Some("hearth"), &masked, Some("tmpfs"), flags, Some("size=0,nr_inodes=1,mode=555"))
                    .map_err(step(format!("mask /proc/{name}")))?;
            }
            Ok(_) => bind_over(Path::new("/dev/null"), &masked, MsFlags::empty(), NO_DEVICE_RULES)?,
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<(), Failed> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.map_err(io_step(format!("make {}", path.display())))
}

/// Shows a folder or file of the host at `inside`; with `MS_REC` also everything that is mounted below it.
fn bind(host: &Path, inside: &Path, depth: MsFlags, attributes: u64) -> Result<(), Failed> {
    let metadata = fs::metadata(host).map_err(io_step(format!("find {}", host.display())))?;
    if metadata.is_dir() {
        make_folder(inside)?;
    } else {
        make_folder(inside.parent().unwrap_or(Path::new("/")))?;
        fs::write(inside, "").map_err(io_step(format!("make {}", inside.display())))?;
    }
    bind_over(host, inside, depth, attributes)
}

fn bind_over(host: &Path, inside: &Path, depth: MsFlags, attributes: u64) -> Result<(), Failed> {
    let what = || format!("show {}", host.display());
    mount::<Path, Path, str, str>(Some(host), inside, None, MsFlags::MS_BIND | depth, None)
        .map_err(step(what()))?;
    set_mount(inside, attributes, libc::AT_RECURSIVE).map_err(step(what()))
}

const MOUNT_ATTR_RDONLY: u64 = 0x1;
const MOUNT_ATTR_NOSUID: u64 = 0x2;
const MOUNT_ATTR_NODEV: u64 = 0x4;
const MOUNT_ATTR_NOEXEC: u64 = 0x8;

const READ_ONLY: u64 = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
/// For devices themselves.
const NO_DEVICE_RULES: u64 = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;

/// The kernel's `struct mount_attr`.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Puts a mount that is nowhere yet in its place. Linux 5.2 and later.
fn put_mount(mount: &OwnedFd, place: &Path) -> Result<(), Errno> {
    const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;
    let place = std::ffi::CString::new(place.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: both paths end with NUL and live throughout the call, which only reads them; the descriptor is open.
    #[allow(unsafe_code)]
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            place.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    Errno::result(result).map(drop)
}

/// Adds attributes to a mount, or with `AT_RECURSIVE` to all below it as well. Linux 5.12 and later.
fn set_mount(path: &Path, set: u64, flags: libc::c_int) -> Result<(), Errno> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    let attributes = MountAttributes { set, clear: 0, propagation: 0, user_namespace: 0 };
    // SAFETY: the path ends with NUL and the attributes have the size that is given; both live throughout the call, which
    // only reads them.
    #[allow(unsafe_code)]
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    Errno::result(result).map(drop)
}
