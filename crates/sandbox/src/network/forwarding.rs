//! Forwarding between the interfaces of this host: without it no answer finds its way to an environment.
//!
//! It is switched on for single interfaces, and only where it is off. Between those a guard drops what is forwarded, so
//! that a host which was no router becomes none. All servers share this; the last one puts it back.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::rules::{GUARD, guard};
use super::{firewall, links, netlink::Socket, place};

/// Where the kernel has a folder for each interface.
const INTERFACES: &str = "/proc/sys/net/ipv4/conf";
/// Folders there that are no interface.
const NO_INTERFACES: [&str; 3] = ["all", "default", "lo"];

/// How long another server may take for its changes: they are a few system calls.
const LOCK_LIMIT: Duration = Duration::from_secs(10);
const LOCK_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Forwarding as far as this server has looked at it.
pub(super) struct Forwarding {
    seen: BTreeSet<String>,
}

impl Forwarding {
    /// Switches it on for every interface. The server's own interface must be there: it keeps another one, that ends, from
    /// switching off again.
    pub(super) fn begin() -> io::Result<Self> {
        let mut forwarding = Self { seen: BTreeSet::new() };
        forwarding.look_again()?;
        Ok(forwarding)
    }

    /// Switches it on for interfaces that have come since.
    pub(super) fn look_again(&mut self) -> io::Result<()> {
        let found = interfaces()?;
        if found.is_subset(&self.seen) {
            self.seen = found;
            return Ok(());
        }
        let shared = Shared::lock()?;
        let mut guarded = shared.read()?;
        let ours = |interface: &String| place::number_of(interface).is_some();
        let off: Vec<&String> = found.iter().filter(|name| !ours(name) && is_off(name)).collect();
        let mut firewalls = Socket::for_firewalls()?;
        if !off.is_empty() {
            guarded.extend(off.iter().map(|&name| name.clone()));
            // First the note, then the guard, then what it guards against.
            shared.write(&guarded)?;
            firewall::replace(&mut firewalls, &guard(guarded.iter().map(String::as_str)))?;
        }
        for interface in found.iter().filter(|name| ours(name)).chain(off) {
            switch(interface, "1")?;
        }
        self.seen = found;
        Ok(())
    }

    /// Puts it back if no server needs it any more. This one's interface must be gone.
    pub(super) fn end() -> io::Result<()> {
        let shared = Shared::lock()?;
        let mut routes = Socket::for_routes()?;
        let links = links::list_links(&mut routes)?;
        if links.iter().any(|(_, name)| place::number_of(name).is_some()) {
            return Ok(());
        }
        // One that is off already need not be written to, where nothing can be written.
        for interface in shared.read()?.iter().filter(|interface| !is_off(interface)) {
            switch(interface, "0")?;
        }
        firewall::delete(&mut Socket::for_firewalls()?, GUARD)?;
        shared.remove()
    }
}

fn interfaces() -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(INTERFACES)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !NO_INTERFACES.contains(&name.as_str()) {
            names.insert(name);
        }
    }
    Ok(names)
}

fn is_off(interface: &str) -> bool {
    fs::read(Path::new(INTERFACES).join(interface).join("forwarding")).is_ok_and(|value| value == b"0\n")
}

fn switch(interface: &str, value: &str) -> io::Result<()> {
    match fs::write(Path::new(INTERFACES).join(interface).join("forwarding"), value) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()), // or the interface has just gone
    }
}

/// What servers share of it: a file with the interfaces that were off. Whoever has this has the lock for it.
struct Shared {
    /// Each network namespace has interfaces of its own.
    file: PathBuf,
    _lock: Flock<File>,
}

impl Shared {
    fn lock() -> io::Result<Self> {
        let namespace = fs::metadata("/proc/thread-self/ns/net")?.ino();
        let folder = Path::new("/run/hearth");
        fs::create_dir_all(folder)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(folder.join("forwarding.lock"))?;
        let started = Instant::now();
        loop {
            match Flock::lock(lock, FlockArg::LockExclusiveNonblock) {
                Ok(_lock) => return Ok(Self { file: folder.join(format!("forwarding-{namespace}")), _lock }),
                Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) if started.elapsed() < LOCK_LIMIT => {
                    lock = file
                }
                Err((_, errno)) => return Err(errno.into()),
            }
            std::thread::sleep(LOCK_AGAIN_AFTER);
        }
    }

    /// Returns the interfaces that were off.
    fn read(&self) -> io::Result<BTreeSet<String>> {
        let text = match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            text => text?,
        };
        // Without a guard the file is of a namespace that had this one's number before.
        let is_current = firewall::list(&mut Socket::for_firewalls()?)?.iter().any(|name| name == GUARD);
        Ok(text.lines().filter(|_| is_current).map(str::to_owned).collect())
    }

    fn write(&self, interfaces: &BTreeSet<String>) -> io::Result<()> {
        let text: String = interfaces.iter().map(|interface| format!("{interface}\n")).collect();
        fs::write(&self.file, text)
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
