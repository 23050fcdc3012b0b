//! What is said about interfaces, addresses and routes.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::RawFd;

use super::netlink::{CREATE, CREATE_NEW, Message, Socket, attributes};

/// The loopback interface is always the first of its namespace.
pub(super) const LOOPBACK: u32 = 1;

const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;

const LINK_NAME: u16 = 3;
const LINK_INFO: u16 = 18;
const LINK_NAMESPACE: u16 = 28;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_PEER: u16 = 1;
const ADDRESS: u16 = 1;
const ADDRESS_LOCAL: u16 = 2;
const ROUTE_DESTINATION: u16 = 1;
const ROUTE_INTERFACE: u16 = 4;
const ROUTE_GATEWAY: u16 = 5;

const IPV4: u8 = nix::libc::AF_INET as u8;
const UP: u32 = nix::libc::IFF_UP as u32;

/// A network: its first address, and how many bits of it are fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) address: Ipv4Addr,
    pub(super) bits: u8,
}

impl Prefix {
    pub(super) const fn mask(self) -> u32 {
        match self.bits {
            0 => 0,
            bits => u32::MAX << (32 - bits as u32),
        }
    }

    /// Whether some address is in both.
    pub(super) fn overlaps(self, other: Self) -> bool {
        let mask = self.mask() & other.mask();
        self.address.to_bits() & mask == other.address.to_bits() & mask
    }
}

/// One end of a cable between two namespaces.
pub(super) struct End<'a> {
    pub(super) name: &'a str,
    /// Its number there; 0 for the next one, and then of both ends.
    pub(super) index: u32,
}

/// Makes a cable: the near end here, and on; the far end in another namespace, and off, since the kernel can switch it on
/// only when both are there.
pub(super) fn new_cable(near: &End<'_>, far: &End<'_>, far_namespace: RawFd) -> Message {
    Message::new(NEW_LINK, CREATE_NEW, &link_body(near.index, UP)).text(LINK_NAME, near.name).nest(
        LINK_INFO,
        |info| {
            info.text(INFO_KIND, "veth").nest(INFO_DATA, |data| {
                data.nest(VETH_PEER, |peer| {
                    let peer = peer.raw(&link_body(far.index, 0)).text(LINK_NAME, far.name);
                    peer.number(LINK_NAMESPACE, far_namespace as u32)
                })
            })
        },
    )
}

/// Switches an interface on.
pub(super) fn switch_on(index: u32) -> Message {
    Message::new(NEW_LINK, 0, &link_body(index, UP))
}

/// Removes an interface, and with it the other end of its cable.
pub(super) fn delete_link(name: &str) -> Message {
    Message::new(DELETE_LINK, 0, &link_body(0, 0)).text(LINK_NAME, name)
}

/// Gives an interface an address; whoever else is in the network of this many bits is its neighbour.
pub(super) fn new_address(index: u32, address: Ipv4Addr, bits: u8) -> Message {
    let index = index.to_ne_bytes();
    let body = [IPV4, bits, 0, 0, index[0], index[1], index[2], index[3]];
    let message = Message::new(NEW_ADDRESS, CREATE_NEW, &body);
    message.attribute(ADDRESS_LOCAL, &address.octets()).attribute(ADDRESS, &address.octets())
}

/// Sends what goes to a network by way of a neighbour.
pub(super) fn new_route(to: Prefix, gateway: Ipv4Addr, index: u32) -> Message {
    const MAIN_TABLE: u8 = 254;
    const SET_BY_AN_OPERATOR: u8 = 4;
    const UNICAST: u8 = 1;
    let body = [IPV4, to.bits, 0, 0, MAIN_TABLE, SET_BY_AN_OPERATOR, 0, UNICAST, 0, 0, 0, 0];
    let message = Message::new(NEW_ROUTE, CREATE, &body);
    let message = match to.bits {
        0 => message,
        _ => message.attribute(ROUTE_DESTINATION, &to.address.octets()),
    };
    message.attribute(ROUTE_GATEWAY, &gateway.octets()).number(ROUTE_INTERFACE, index)
}

/// `struct ifinfomsg`: the flags that are given are set, and the others stay.
fn link_body(index: u32, flags: u32) -> [u8; 16] {
    let mut body = [0; 16];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    body[12..16].copy_from_slice(&flags.to_ne_bytes());
    body
}

/// Lists interfaces by number and name.
pub(super) fn list_links(socket: &mut Socket) -> io::Result<Vec<(u32, String)>> {
    let answers = socket.list(Message::new(GET_LINK, 0, &link_body(0, 0)))?;
    Ok(answers
        .iter()
        .filter_map(|answer| {
            let index = u32::from_ne_bytes(*answer.body.get(4..)?.first_chunk()?);
            let attributes = attributes(answer.body.get(16..)?);
            let (_, name) = attributes.into_iter().find(|(kind, _)| *kind == LINK_NAME)?;
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            Some((index, String::from_utf8_lossy(name).into_owned()))
        })
        .collect())
}

/// Lists the IPv4 addresses of this host.
pub(super) fn list_addresses(socket: &mut Socket) -> io::Result<Vec<Ipv4Addr>> {
    let answers = socket.list(Message::new(GET_ADDRESS, 0, &[IPV4, 0, 0, 0, 0, 0, 0, 0]))?;
    Ok(answers
        .iter()
        .filter_map(|answer| {
            let attributes = attributes(answer.body.get(8..)?);
            let (_, address) = attributes.into_iter().find(|(kind, _)| *kind == ADDRESS_LOCAL)?;
            Some(Ipv4Addr::from(*address.first_chunk::<4>()?))
        })
        .collect())
}

/// Lists where IPv4 routes lead, in all tables; a default route is not among them.
pub(super) fn list_routes(socket: &mut Socket) -> io::Result<Vec<Prefix>> {
    let answers = socket.list(Message::new(GET_ROUTE, 0, &[IPV4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))?;
    Ok(answers
        .iter()
        .filter_map(|answer| {
            let bits = *answer.body.get(1)?;
            let attributes = attributes(answer.body.get(12..)?);
            let (_, address) = attributes.into_iter().find(|(kind, _)| *kind == ROUTE_DESTINATION)?;
            Some(Prefix { address: Ipv4Addr::from(*address.first_chunk::<4>()?), bits: bits.min(32) })
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(address: [u8; 4], bits: u8) -> Prefix {
        Prefix { address: address.into(), bits }
    }

    #[test]
    fn networks_overlap_when_one_contains_the_other() {
        let network = prefix([198, 18, 32, 0], 19);
        for other in
            [([198, 18, 33, 7], 32), ([198, 18, 0, 0], 15), ([0, 0, 0, 0], 0), ([198, 18, 32, 0], 19)]
        {
            assert!(network.overlaps(prefix(other.0, other.1)), "{other:?}");
        }
        for other in [([198, 18, 64, 0], 19), ([198, 18, 31, 255], 32), ([10, 0, 0, 0], 8)] {
            assert!(!network.overlaps(prefix(other.0, other.1)), "{other:?}");
        }
    }

    #[test]
    fn the_loopback_interface_and_its_network_are_listed() {
        let mut socket = Socket::for_routes().unwrap();
        assert!(list_links(&mut socket).unwrap().contains(&(LOOPBACK, "lo".to_owned())));
        assert!(list_addresses(&mut socket).unwrap().contains(&Ipv4Addr::LOCALHOST));
        assert!(list_routes(&mut socket).unwrap().contains(&prefix([127, 0, 0, 0], 8)));
    }
}
