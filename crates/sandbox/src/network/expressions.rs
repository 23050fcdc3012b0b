//! What the rules of a firewall are made of. A rule is a row of expressions: each goes on or ends the rule, and the last
//! one decides. All of them work on one register.

use std::net::Ipv4Addr;

use super::links::Prefix;
use super::netlink::Message;

/// Connections of this state belong to one that is known, or are errors about one.
pub(super) const KNOWN: u32 = 2 | 4;
/// Connections of this state begin.
pub(super) const NEW: u32 = 8;

const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;
const ELEMENT: u16 = 1;
const NAME: u16 = 1;
const DATA: u16 = 2;
const VALUE: u16 = 1;
const VERDICT: u16 = 2;
const INTERFACE_NAME_BYTES: usize = 16;

/// One step of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// Loads a fact about the packet.
    Load(Fact),
    /// Goes on if what was loaded begins with this, or if it does not.
    Compare { equal: bool, with: Vec<u8> },
    /// Blanks bits of what was loaded.
    Mask(Vec<u8>),
    /// Goes on if the address that was loaded has more connections than this. Counts the packet's.
    CountOver { set: &'static str, connections: u32 },
    /// Ends with this.
    End(Verdict),
    /// Refuses, and says so to the sender: its call fails at once.
    Reject,
    /// Lets the packet go out with the address of this host.
    Masquerade,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    IncomingInterface,
    OutgoingInterface,
    /// Of the network layer; one byte.
    Family,
    /// Of the transport layer; one byte.
    Protocol,
    Source,
    Destination,
    /// What the routing tables of this host say about the destination.
    DestinationKind,
    ConnectionState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Drop,
    Accept,
    Jump(&'static str),
}

impl Expression {
    pub(super) fn write(&self, rule: Message) -> Message {
        let element = |name: &str, data: &dyn Fn(Message) -> Message| {
            rule.nest(ELEMENT, |element| element.text(NAME, name).nest(DATA, data))
        };
        match self {
            Self::Load(fact) => fact.write(element),
            Self::Compare { equal, with } => element("cmp", &|data| {
                let data = data.network_number(1, REGISTER).network_number(2, u32::from(!*equal));
                data.nest(3, |value| value.attribute(VALUE, with))
            }),
            Self::Mask(mask) => element("bitwise", &|data| {
                data.network_number(1, REGISTER)
                    .network_number(2, REGISTER)
                    .network_number(3, mask.len() as u32)
                    .nest(4, |value| value.attribute(VALUE, mask))
                    .nest(5, |value| value.attribute(VALUE, &vec![0; mask.len()]))
            }),
            Self::CountOver { set, connections } => element("dynset", &|data| {
                const ADD: u32 = 0;
                const OVER: u32 = 1;
                data.text(1, set).network_number(3, ADD).network_number(4, REGISTER).nest(7, |counter| {
                    counter
                        .text(NAME, "connlimit")
                        .nest(DATA, |limit| limit.network_number(1, *connections).network_number(2, OVER))
                })
            }),
            Self::End(verdict) => element("immediate", &|data| {
                let data = data.network_number(1, VERDICT_REGISTER);
                data.nest(2, |value| {
                    value.nest(VERDICT, |code| match verdict {
                        Verdict::Drop => code.network_number(1, 0),
                        Verdict::Accept => code.network_number(1, 1),
                        Verdict::Jump(chain) => code.network_number(1, (-3_i32) as u32).text(2, chain),
                    })
                })
            }),
            Self::Reject => element("reject", &|data| {
                const BY_ICMP_OF_THE_FAMILY: u32 = 2;
                const ADMINISTRATIVELY_PROHIBITED: u8 = 3;
                data.network_number(1, BY_ICMP_OF_THE_FAMILY).attribute(2, &[ADMINISTRATIVELY_PROHIBITED])
            }),
            Self::Masquerade => element("masq", &|data| data),
        }
    }
}

impl Fact {
    fn write(self, element: impl FnOnce(&str, &dyn Fn(Message) -> Message) -> Message) -> Message {
        let meta = |key: u32| move |data: Message| data.network_number(1, REGISTER).network_number(2, key);
        let header = |offset: u32| {
            const NETWORK_LAYER: u32 = 1;
            move |data: Message| {
                let data = data.network_number(1, REGISTER).network_number(2, NETWORK_LAYER);
                data.network_number(3, offset).network_number(4, 4)
            }
        };
        match self {
            Self::IncomingInterface => element("meta", &meta(6)),
            Self::OutgoingInterface => element("meta", &meta(7)),
            Self::Family => element("meta", &meta(15)),
            Self::Protocol => element("meta", &meta(16)),
            Self::Source => element("payload", &header(12)),
            Self::Destination => element("payload", &header(16)),
            Self::DestinationKind => element("fib", &|data| {
                const KIND: u32 = 3;
                const OF_DESTINATION: u32 = 2;
                data.network_number(1, REGISTER).network_number(2, KIND).network_number(3, OF_DESTINATION)
            }),
            Self::ConnectionState => {
                element("ct", &|data| data.network_number(1, REGISTER).network_number(2, 0))
            }
        }
    }
}

/// The packet came in by this interface.
pub(super) fn from(interface: &str) -> Vec<Expression> {
    vec![Expression::Load(Fact::IncomingInterface), is(whole_name(interface))]
}

/// The packet came in by an interface whose name begins so.
pub(super) fn from_any(prefix: &str) -> Vec<Expression> {
    vec![Expression::Load(Fact::IncomingInterface), is(prefix.as_bytes().to_vec())]
}

/// The packet goes out by this interface.
pub(super) fn to(interface: &str) -> Vec<Expression> {
    vec![Expression::Load(Fact::OutgoingInterface), is(whole_name(interface))]
}

/// The packet goes out by another interface.
pub(super) fn not_to(interface: &str) -> Vec<Expression> {
    vec![Expression::Load(Fact::OutgoingInterface), is_not(whole_name(interface))]
}

/// The packet goes out by an interface whose name begins so.
pub(super) fn to_any(prefix: &str) -> Vec<Expression> {
    vec![Expression::Load(Fact::OutgoingInterface), is(prefix.as_bytes().to_vec())]
}

/// The packet is not one of IPv4.
pub(super) fn not_ipv4() -> Vec<Expression> {
    vec![Expression::Load(Fact::Family), is_not(vec![nix::libc::NFPROTO_IPV4 as u8])]
}

/// The packet is one of IPv4, as the ones after which addresses can be asked for.
pub(super) fn ipv4() -> Vec<Expression> {
    vec![Expression::Load(Fact::Family), is(vec![nix::libc::NFPROTO_IPV4 as u8])]
}

/// The packet is not one of ICMP.
pub(super) fn not_icmp() -> Vec<Expression> {
    vec![Expression::Load(Fact::Protocol), is_not(vec![nix::libc::IPPROTO_ICMP as u8])]
}

/// An IPv4 packet comes from this network.
pub(super) fn source_in(network: Prefix) -> Vec<Expression> {
    in_network(Fact::Source, network, is)
}

/// An IPv4 packet comes from another network.
pub(super) fn source_not_in(network: Prefix) -> Vec<Expression> {
    in_network(Fact::Source, network, is_not)
}

/// An IPv4 packet goes to this network.
pub(super) fn destination_in(network: Prefix) -> Vec<Expression> {
    in_network(Fact::Destination, network, is)
}

/// An IPv4 packet goes to this host, to several, or to nobody.
pub(super) fn destination_is_no_other_host() -> Vec<Expression> {
    const UNICAST: u32 = 1;
    vec![Expression::Load(Fact::DestinationKind), is_not(UNICAST.to_ne_bytes().to_vec())]
}

/// The connection is in one of these states.
pub(super) fn connection_is(states: u32) -> Vec<Expression> {
    let none = 0_u32.to_ne_bytes().to_vec();
    let states = states.to_ne_bytes().to_vec();
    vec![Expression::Load(Fact::ConnectionState), Expression::Mask(states), is_not(none)]
}

/// The sender of an IPv4 packet has more connections than this.
pub(super) fn source_has_more_than(connections: u32, set: &'static str) -> Vec<Expression> {
    vec![Expression::Load(Fact::Source), Expression::CountOver { set, connections }]
}

fn in_network(fact: Fact, network: Prefix, compare: fn(Vec<u8>) -> Expression) -> Vec<Expression> {
    let mask = Ipv4Addr::from_bits(network.mask()).octets().to_vec();
    vec![Expression::Load(fact), Expression::Mask(mask), compare(network.address.octets().to_vec())]
}

fn is(value: Vec<u8>) -> Expression {
    Expression::Compare { equal: true, with: value }
}

fn is_not(value: Vec<u8>) -> Expression {
    Expression::Compare { equal: false, with: value }
}

fn whole_name(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(INTERFACE_NAME_BYTES, 0);
    bytes
}
