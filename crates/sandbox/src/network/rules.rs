//! What goes through and what does not: the walls between environments, host, and the world.
//!
//! ```text
//!   environment ── router ──────────────── host ──────────────── world
//!                    other environments ✗    own addresses ✗       masqueraded as the host
//!                                            link-local ✗          only answers come back
//!                                            other servers' ✗
//! ```
//!
//! What is refused is refused with an error to the sender, so that a function that asks for a metadata service, as
//! AWS's clients do, hears at once that there is none.

use std::net::Ipv4Addr;

use super::expressions::{
    Expression, KNOWN, NEW, Verdict, connection_is, destination_in, destination_is_no_other_host, from,
    from_any, ipv4, not_icmp, not_ipv4, not_to, source_has_more_than, source_in, source_not_in, to, to_any,
};
use super::firewall::{Chain, Hook, Table};
use super::links::Prefix;

/// How many connections an environment may have to the outside: those of TCP that are not closed, and those of UDP that
/// the host remembers, for 30 seconds and more. Ours: the host has 64,512 ports to each destination, its list of
/// connections is often 262,144 long, and counting them takes the kernel the longer the more there are.
pub(super) const CONNECTIONS_MAX: u32 = 8_192;

/// What the interfaces and tables of all servers begin with.
pub(super) const NAME: &str = "hearth";
/// How a router calls its interface to the host.
pub(super) const UPLINK: &str = "uplink";

/// The table that keeps the host from forwarding what it did not before.
pub(super) const GUARD: &str = "hearth-forwarding";

const LINK_LOCAL: Prefix = Prefix { address: Ipv4Addr::new(169, 254, 0, 0), bits: 16 };
const COUNTER: &str = "connections";

/// The host's side. `interface` leads to the environments, whose addresses are in `range`.
pub(super) fn of_host(interface: &str, range: Prefix) -> Table {
    let from_inside = || from(interface);
    let arrived = vec![
        rule([from_inside(), not_ipv4()], DROP),
        rule([from_inside(), source_not_in(range)], DROP),
        rule([from_inside(), destination_in(LINK_LOCAL)], Expression::Reject),
        // Before a rule of others leads it to one of their containers.
        rule([from_inside(), destination_is_no_other_host()], Expression::Reject),
    ];
    let forward = vec![
        // Of whatever server: the other one's rule would only drop it.
        rule([from_any(NAME), to_any(NAME)], Expression::Reject),
        rule([to(interface), connection_is(KNOWN)], ACCEPT),
        rule([to(interface)], DROP),
        rule(
            [from_inside(), connection_is(NEW), ipv4(), source_has_more_than(CONNECTIONS_MAX, COUNTER)],
            Expression::Reject,
        ),
    ];
    Table {
        name: interface.to_owned(),
        counters: vec![COUNTER],
        chains: vec![
            chain("arrived", Hook::Arrived, arrived),
            chain("input", Hook::Input, vec![rule([from_inside()], DROP)]),
            // Errors about packets are sent by the host itself.
            chain("output", Hook::Output, vec![rule([to(interface), not_icmp()], DROP)]),
            chain("forward", Hook::Forward, forward),
            chain(
                "leaving",
                Hook::Leaving,
                vec![rule([ipv4(), source_in(range), not_to(interface)], Expression::Masquerade)],
            ),
        ],
    }
}

/// The router's side: from environments to the host and back, and nowhere else.
pub(super) fn of_router() -> Table {
    let forward =
        vec![rule([from(UPLINK)], ACCEPT), rule([to(UPLINK)], ACCEPT), rule([], Expression::Reject)];
    Table {
        name: NAME.to_owned(),
        counters: vec![],
        chains: vec![
            chain("input", Hook::Input, vec![rule([not_icmp()], Expression::Reject)]),
            chain("forward", Hook::Forward, forward),
        ],
    }
}

/// Interfaces between which nothing was forwarded until Hearth needed forwarding of each of them.
pub(super) fn guard<'a>(interfaces: impl Iterator<Item = &'a str> + Clone) -> Table {
    const ONWARD: &str = "onward";
    let jump = Expression::End(Verdict::Jump(ONWARD));
    let forward = interfaces.clone().map(|interface| rule([from(interface)], jump.clone())).collect();
    let onward = interfaces.map(|interface| rule([to(interface)], DROP)).collect();
    Table {
        name: GUARD.to_owned(),
        counters: vec![],
        chains: vec![
            Chain { name: ONWARD, hook: None, rules: onward },
            chain("forward", Hook::Forward, forward),
        ],
    }
}

const DROP: Expression = Expression::End(Verdict::Drop);
const ACCEPT: Expression = Expression::End(Verdict::Accept);

fn rule<const N: usize>(conditions: [Vec<Expression>; N], end: Expression) -> Vec<Expression> {
    conditions.into_iter().flatten().chain([end]).collect()
}

fn chain(name: &'static str, hook: Hook, rules: Vec<Vec<Expression>>) -> Chain {
    Chain { name, hook: Some(hook), rules }
}
