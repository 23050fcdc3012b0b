//! The place of one server among all that run on this host: a number, and what follows from it, the name of an interface
//! and of a table, and a range of addresses.
//!
//! Who holds an abstract socket of the number's name has the place. Such a name belongs to a network namespace, as
//! interfaces and tables do, and is free as soon as its holder has ended, however it did: what bears the number of a free
//! name was left behind.

use std::io;
use std::net::Ipv4Addr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::links::Prefix;
use super::rules::NAME;

/// Bits of a server's range. It has 4,096 networks of two addresses, one of them to the host.
const RANGE_BITS: u8 = 19;
/// Where ranges are taken from, one after the other: first what is set aside for measuring devices (RFC 2544), in which
/// no reachable host is; then a part of a private network.
const SPACES: [Prefix; 2] = [
    Prefix { address: Ipv4Addr::new(198, 18, 0, 0), bits: 15 },
    Prefix { address: Ipv4Addr::new(10, 192, 0, 0), bits: 10 },
];

/// A place that this server has. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) number: u32,
    pub(super) range: Prefix,
    _held: UnixDatagram,
}

impl Place {
    /// Takes the place of this number; `None` when it is taken.
    pub(super) fn take(number: u32) -> io::Result<Option<Self>> {
        let Some(range) = range(number) else { return Ok(None) };
        let name = SocketAddr::from_abstract_name(format!("{NAME}-network-{number}"))?;
        match UnixDatagram::bind_addr(&name) {
            Ok(_held) => Ok(Some(Self { number, range, _held })),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the name of its interface and its table.
    pub(super) fn name(&self) -> String {
        format!("{NAME}{}", self.number)
    }
}

/// Returns the numbers of all places, with their ranges.
pub(super) fn all() -> impl Iterator<Item = (u32, Prefix)> {
    (0..).map_while(|number| Some((number, range(number)?)))
}

/// Returns the number in the name of an interface or table, if it is one of a server's.
pub(super) fn number_of(name: &str) -> Option<u32> {
    name.strip_prefix(NAME)?.parse().ok().filter(|&number| range(number).is_some())
}

fn range(number: u32) -> Option<Prefix> {
    let mut index = number;
    for space in SPACES {
        let ranges = 1 << (RANGE_BITS - space.bits);
        if index < ranges {
            let address = space.address.to_bits() + (index << (32 - RANGE_BITS));
            return Some(Prefix { address: address.into(), bits: RANGE_BITS });
        }
        index -= ranges;
    }
    None
}

/// The addresses of one cable: of the end that is nearer to the world, and of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) near: Ipv4Addr,
    pub(super) far: Ipv4Addr,
}

/// The bits of a pair's network.
pub(super) const PAIR_BITS: u8 = 31;
/// How many pairs a range has. Pair 0 is the one between host and router.
pub(super) const PAIRS: u32 = 1 << (PAIR_BITS - RANGE_BITS);

impl Prefix {
    /// Returns the pair of this number in a server's range.
    pub(super) fn pair(self, number: u32) -> Pair {
        let near = self.address.to_bits() + 2 * number;
        Pair { near: near.into(), far: (near + 1).into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_ranges_overlap_and_names_lead_back_to_numbers() {
        let all: Vec<_> = all().collect();
        assert_eq!(all.len(), 16 + 512);
        for (at, (number, range)) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|(_, other)| !range.overlaps(*other)), "{range:?}");
            assert_eq!(number_of(&format!("{NAME}{number}")), Some(*number));
            let last = range.pair(PAIRS - 1).far;
            assert!(range.overlaps(Prefix { address: last, bits: 32 }));
        }
        assert_eq!(all[1].1, Prefix { address: [198, 18, 32, 0].into(), bits: 19 });
        assert_eq!(all[16].1, Prefix { address: [10, 192, 0, 0].into(), bits: 19 });
        for name in ["hearth", "hearth528", "hearth-1", "hearthx", "eth0"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }
}
