//! The way out of a server's environments: a namespace of its own between them and the host, the router.
//!
//! The host has one interface to it, whatever the number of environments, and the walls between these are out of the
//! host's sight. The router ends with the server, however that ends, and with it every way out.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;

use super::error::{NetworkError, step};
use super::forwarding::Forwarding;
use super::links::{self, End, Prefix};
use super::maker::{current_namespace, in_new_namespace, without_ipv6};
use super::netlink::Socket;
use super::place::{self, PAIR_BITS, PAIRS, Place};
use super::rules::{self, UPLINK};
use super::{NetworkFacts, firewall, resolver};

/// Where everything is.
const EVERYWHERE: Prefix = Prefix { address: Ipv4Addr::UNSPECIFIED, bits: 0 };
/// The router's interfaces to environments have numbers above this one.
const INDEX_FIRST: u32 = 1_000;
/// The interface of an environment, and its number there: above those that some kernels make in every namespace.
const INSIDE: &str = "eth0";
const INSIDE_INDEX: u32 = 1_000;

/// The router of this server. Dropping it removes everything that it brought to the host.
pub(super) struct Router {
    place: Place,
    /// Into the router.
    routes: Socket,
    /// Of the host.
    routes_of_host: Socket,
    firewalls_of_host: Socket,
    /// `None` until everything else is there.
    forwarding: Option<Forwarding>,
    left_over: usize,
    /// The last environment that was connected.
    last: u32,
}

impl Router {
    /// Removes what servers that have ended left behind, and makes a router. The thread must be in the server's namespace.
    pub(super) fn start(home: &OwnedFd) -> Result<Self, NetworkError> {
        let mut routes_of_host = Socket::for_routes().map_err(step("reach the host's network"))?;
        let mut firewalls_of_host = Socket::for_firewalls().map_err(step("reach nf_tables"))?;
        let left_over = reap(&mut routes_of_host, &mut firewalls_of_host)
            .map_err(step("remove what an earlier server left of its network"))?;
        let (namespace, routes) = in_new_namespace(home, furnish)?;
        let place = take_place(&mut routes_of_host)?;
        // From here on dropping it removes what it has made so far.
        let last = 0;
        let mut router =
            Self { place, routes, routes_of_host, firewalls_of_host, forwarding: None, left_over, last };
        router.connect_to_host(&namespace)?;
        Ok(router)
    }

    fn connect_to_host(&mut self, namespace: &OwnedFd) -> Result<(), NetworkError> {
        let (name, range) = (self.place.name(), self.place.range);
        let addresses = range.pair(0);
        // The walls first.
        let table = rules::of_host(&name, range);
        firewall::replace(&mut self.firewalls_of_host, &table).map_err(step("make a table of nf_tables"))?;
        let (near, far) = (End { name: &name, index: 0 }, End { name: UPLINK, index: 0 });
        let cable = links::new_cable(&near, &far, namespace.as_raw_fd());
        self.routes_of_host.request(cable).map_err(step("make a pair of veth interfaces"))?;
        no_ipv6_at(&name).map_err(step("switch off IPv6 at the interface to functions"))?;
        let index = index_of(&name, &mut self.routes_of_host)?;
        let uplink = index_of(UPLINK, &mut self.routes)?;
        let to_environments = links::new_route(range, addresses.far, index);
        self.routes_of_host
            .request(links::new_address(index, addresses.near, PAIR_BITS))
            .and_then(|()| self.routes_of_host.request(to_environments))
            .map_err(step("set up the interface to functions"))?;
        self.routes
            .request(links::switch_on(uplink))
            .and_then(|()| self.routes.request(links::new_address(uplink, addresses.far, PAIR_BITS)))
            .and_then(|()| self.routes.request(links::new_route(EVERYWHERE, addresses.near, uplink)))
            .map_err(step("set up the router"))?;
        self.forwarding = Some(Forwarding::begin().map_err(step("switch on forwarding"))?);
        Ok(())
    }

    /// Connects the namespace of an environment, whose own side `inside` reaches.
    pub(super) fn connect(&mut self, namespace: &OwnedFd, inside: &mut Socket) -> Result<(), NetworkError> {
        if let Some(forwarding) = &mut self.forwarding {
            forwarding.look_again().map_err(step("switch on forwarding"))?;
        }
        // The interface of an environment that is gone may still be there for a moment: its number is not free yet.
        for _ in 1..PAIRS {
            self.last = self.last % (PAIRS - 1) + 1;
            let index = INDEX_FIRST + self.last;
            let name = format!("e{}", self.last);
            let (near, far) = (End { name: &name, index }, End { name: INSIDE, index: INSIDE_INDEX });
            match self.routes.request(links::new_cable(&near, &far, namespace.as_raw_fd())) {
                Err(error) if is_taken(&error) => continue,
                made => made.map_err(step("make a pair of veth interfaces"))?,
            }
            let addresses = self.place.range.pair(self.last);
            self.routes
                .request(links::new_address(index, addresses.near, PAIR_BITS))
                .map_err(step("set up the way from an environment"))?;
            return inside
                .request(links::switch_on(INSIDE_INDEX))
                .and_then(|()| inside.request(links::new_address(INSIDE_INDEX, addresses.far, PAIR_BITS)))
                .and_then(|()| inside.request(links::new_route(EVERYWHERE, addresses.near, INSIDE_INDEX)))
                .map_err(step("set up the way out of an environment"));
        }
        Err(step("find a free address for an environment")(Errno::EADDRNOTAVAIL))
    }

    /// Returns how many namespaces it leads to.
    #[cfg(test)]
    pub(super) fn connected(&mut self) -> usize {
        let links = links::list_links(&mut self.routes).unwrap();
        links.iter().filter(|(index, _)| *index > INDEX_FIRST).count()
    }

    /// Returns what the operator may want to know.
    pub(super) fn facts(&mut self) -> NetworkFacts {
        let Prefix { address, bits } = self.place.range;
        NetworkFacts::Internet {
            interface: self.place.name(),
            range: format!("{address}/{bits}"),
            left_over: self.left_over,
            warnings: self.warnings(),
        }
    }

    fn warnings(&mut self) -> Vec<String> {
        let name = self.place.name();
        let closed = firewall::list_closed_to_forwarding(&mut self.firewalls_of_host).unwrap_or_default();
        let closed = closed.into_iter().filter(|table| place::number_of(table).is_none()).map(|table| {
            format!(
                "functions may not get out: the firewall's table `{table}` drops what it does not know; let it accept \
                 what is forwarded from and to the interface `{name}`"
            )
        });
        let no_names = "functions cannot resolve names: every name server in /etc/resolv.conf is this host's own or \
                        has no IPv4 address; name one there that listens on another host";
        closed.chain((!resolver().1).then(|| no_names.to_owned())).collect()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let name = self.place.name();
        let link = match self.routes_of_host.request(links::delete_link(&name)) {
            Err(error) if error.raw_os_error() == Some(Errno::ENODEV as i32) => Ok(()),
            removed => removed,
        };
        let removed = link
            .and_then(|()| firewall::delete(&mut self.firewalls_of_host, &name))
            .and_then(|_| Forwarding::end());
        if let Err(error) = removed {
            tracing::warn!(interface = name, %error, "cannot remove the network of functions; the next start does");
        }
    }
}

/// Furnishes the namespace of the router, in which the thread is.
fn furnish() -> Result<(OwnedFd, Socket), NetworkError> {
    without_ipv6().map_err(step("switch off IPv6 in the router"))?;
    // Packets whose answers would go elsewhere are dropped: no environment speaks for another.
    for (setting, value) in
        [("ip_forward", "1"), ("conf/all/rp_filter", "1"), ("conf/default/rp_filter", "1")]
    {
        fs::write(format!("/proc/sys/net/ipv4/{setting}"), value).map_err(step("set up the router"))?;
    }
    let mut firewalls = Socket::for_firewalls().map_err(step("reach nf_tables"))?;
    firewall::create(&mut firewalls, &rules::of_router()).map_err(step("make a table of nf_tables"))?;
    let routes = Socket::for_routes().map_err(step("reach the router"))?;
    Ok((current_namespace()?, routes))
}

/// Takes the first place that is free and whose range this host does not use.
fn take_place(routes: &mut Socket) -> Result<Place, NetworkError> {
    let used = links::list_routes(routes).map_err(step("list routes"))?;
    for (number, range) in place::all() {
        if used.iter().any(|used| used.bits > 0 && used.overlaps(range)) {
            continue;
        }
        if let Some(place) = Place::take(number).map_err(step("take an address range"))? {
            return Ok(place);
        }
    }
    Err(step("find an address range that this host does not use")(Errno::EADDRNOTAVAIL))
}

/// Removes interfaces and tables of servers that have ended. Returns how many servers had left some.
fn reap(routes: &mut Socket, firewalls: &mut Socket) -> io::Result<usize> {
    let mut names: Vec<String> = links::list_links(routes)?.into_iter().map(|(_, name)| name).collect();
    names.extend(firewall::list(firewalls)?);
    names.sort();
    names.dedup();
    let mut left_over = 0;
    for name in names {
        let Some(number) = place::number_of(&name) else { continue };
        let Some(place) = Place::take(number)? else { continue };
        match routes.request(links::delete_link(&place.name())) {
            Err(error) if error.raw_os_error() != Some(Errno::ENODEV as i32) => return Err(error),
            _ => firewall::delete(firewalls, &place.name())?,
        };
        left_over += 1;
    }
    if left_over > 0 {
        Forwarding::end()?;
    }
    Ok(left_over)
}

fn index_of(name: &str, socket: &mut Socket) -> Result<u32, NetworkError> {
    let links = links::list_links(socket).map_err(step("list interfaces"))?;
    let index = links.into_iter().find(|(_, found)| found == name).map(|(index, _)| index);
    index.ok_or(Errno::ENODEV).map_err(step("find an interface that was made"))
}

fn is_taken(error: &io::Error) -> bool {
    [Errno::EEXIST as i32, Errno::EBUSY as i32].contains(&error.raw_os_error().unwrap_or(0))
}

fn no_ipv6_at(interface: &str) -> io::Result<()> {
    match fs::write(format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"), "1") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()), // or the kernel has none
    }
}
