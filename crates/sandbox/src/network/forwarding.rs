//! Forwarding between the interfaces of this host: without it no answer finds its way to an environment.
//!
//! It is switched on for single interfaces, and only where it is off. Between those a guard drops what is forwarded, so
//! that a host which was no router becomes none. All servers share this; the last one puts it back.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use super::rules::{GUARD, guard};
use super::{firewall, links, netlink::Socket, place};

/// Where the kernel has a folder for each interface.
const INTERFACES: &str = "/proc/sys/net/ipv4/conf";
/// Folders there that are no interface.
const NO_INTERFACES: [&str; 3] = ["all", "default", "lo"];

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
        let mut shared = Shared::lock()?;
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
        let mut shared = Shared::lock()?;
        let mut routes = Socket::for_routes()?;
        let links = links::list_links(&mut routes)?;
        if links.iter().any(|(_, name)| place::number_of(name).is_some()) {
            return Ok(());
        }
        for interface in shared.read()? {
            switch(&interface, "0")?;
        }
        firewall::delete(&mut Socket::for_firewalls()?, GUARD)?;
        shared.write(&BTreeSet::new())
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

/// What servers share of it: a file with the interfaces that were off, locked by whoever changes anything.
struct Shared(Flock<File>);

impl Shared {
    fn lock() -> io::Result<Self> {
        // Each network namespace has interfaces of its own.
        let namespace = fs::metadata("/proc/thread-self/ns/net")?.ino();
        fs::create_dir_all("/run/hearth")?;
        let path = format!("/run/hearth/forwarding-{namespace}");
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        Flock::lock(file, FlockArg::LockExclusive).map(Self).map_err(|(_, errno)| errno.into())
    }

    /// Returns the interfaces that were off.
    fn read(&mut self) -> io::Result<BTreeSet<String>> {
        let mut text = String::new();
        self.0.rewind()?;
        self.0.read_to_string(&mut text)?;
        // Without a guard the file is of a namespace that had this one's number before.
        let is_current = firewall::list(&mut Socket::for_firewalls()?)?.iter().any(|name| name == GUARD);
        Ok(text.lines().filter(|_| is_current).map(str::to_owned).collect())
    }

    fn write(&mut self, interfaces: &BTreeSet<String>) -> io::Result<()> {
        let text: String = interfaces.iter().map(|interface| format!("{interface}\n")).collect();
        self.0.rewind()?;
        self.0.set_len(0)?;
        self.0.write_all(text.as_bytes())
    }
}
