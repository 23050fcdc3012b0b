//! What is said to `nf_tables`: tables of chains of rules. A table is made whole or not at all.

use std::io;

use super::expressions::Expression;
use super::netlink::{APPEND, CREATE, CREATE_NEW, Message, Socket, attributes};

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = 0;
const GET_TABLE: u16 = 1;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const GET_CHAIN: u16 = 4;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;

const TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;

const INET: u8 = nix::libc::NFPROTO_INET as u8;

/// The rules of one table, for both families of addresses.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    /// Names of sets that count connections by IPv4 address.
    pub(super) counters: Vec<&'static str>,
    pub(super) chains: Vec<Chain>,
}

/// Rules that are looked at one after the other.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) name: &'static str,
    /// When; a chain without is only jumped to.
    pub(super) hook: Option<Hook>,
    pub(super) rules: Vec<Vec<Expression>>,
}

/// Where in the way of a packet a chain is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hook {
    /// It has arrived, and neither its destination nor its way is decided.
    Arrived,
    /// It is for this host.
    Input,
    /// It is for others.
    Forward,
    /// It comes from this host.
    Output,
    /// It leaves, and may get another source address.
    Leaving,
}

impl Hook {
    fn write(self, chain: Message) -> Message {
        // Before what other tables do there: `dnat` at -100, `filter` at 0; with `srcnat`, at 100.
        let (number, priority, kind) = match self {
            Self::Arrived => (0, -150, "filter"),
            Self::Input => (1, -10, "filter"),
            Self::Forward => (2, -10, "filter"),
            Self::Output => (3, -10, "filter"),
            Self::Leaving => (4, 100, "nat"),
        };
        let hook = |hook: Message| hook.network_number(1, number).network_number(2, priority as u32);
        chain.nest(CHAIN_HOOK, hook).text(CHAIN_TYPE, kind)
    }
}

/// Makes a table; it must not be there yet.
pub(super) fn create(socket: &mut Socket, table: &Table) -> io::Result<()> {
    transaction(socket, creation(table))
}

/// Makes a table in the place of another of its name: at no moment there is none.
pub(super) fn replace(socket: &mut Socket, table: &Table) -> io::Result<()> {
    // It is there for certain when it is deleted.
    let mut messages = vec![
        message(NEW_TABLE, CREATE).text(TABLE, &table.name),
        message(DELETE_TABLE, 0).text(TABLE, &table.name),
    ];
    messages.extend(creation(table));
    transaction(socket, messages)
}

/// Removes a table, if it is there. Returns whether it was.
pub(super) fn delete(socket: &mut Socket, name: &str) -> io::Result<bool> {
    match transaction(socket, vec![message(DELETE_TABLE, 0).text(TABLE, name)]) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        done => done.map(|()| true),
    }
}

/// Lists the names of tables.
pub(super) fn list(socket: &mut Socket) -> io::Result<Vec<String>> {
    let answers = socket.list(message(GET_TABLE, 0))?;
    Ok(answers
        .iter()
        .filter_map(|answer| {
            let attributes = attributes(answer.body.get(4..)?);
            let (_, found) = attributes.into_iter().find(|(kind, _)| *kind == TABLE)?;
            name(found)
        })
        .collect())
}

/// Lists the tables that drop what is forwarded by IPv4 unless a rule of theirs accepts it.
pub(super) fn list_closed_to_forwarding(socket: &mut Socket) -> io::Result<Vec<String>> {
    const IPV4: u8 = nix::libc::NFPROTO_IPV4 as u8;
    const FORWARD: u32 = 2;
    const DROP: u32 = 0;
    let number = |value: Option<&[u8]>| value?.first_chunk().map(|number| u32::from_be_bytes(*number));
    let answers = socket.list(Message::new((SUBSYSTEM << 8) | GET_CHAIN, 0, &[0, 0, 0, 0]))?;
    let closed = answers.iter().filter_map(|answer| {
        let chain = attributes(answer.body.get(4..)?);
        let find = |kind| chain.iter().find(|(found, _)| *found == kind).map(|(_, value)| *value);
        let hook = attributes(find(CHAIN_HOOK)?);
        let hook = hook.iter().find(|(found, _)| *found == 1).map(|(_, value)| *value);
        let is_closed = [INET, IPV4].contains(answer.body.first()?)
            && number(hook) == Some(FORWARD)
            && number(find(CHAIN_POLICY)) == Some(DROP);
        is_closed.then(|| name(find(TABLE)?)).flatten()
    });
    Ok(closed.collect())
}

/// Reads a text that ends with NUL.
fn name(bytes: &[u8]) -> Option<String> {
    Some(String::from_utf8_lossy(bytes.split(|&byte| byte == 0).next()?).into_owned())
}

fn creation(table: &Table) -> Vec<Message> {
    let name = &table.name;
    let mut messages = vec![message(NEW_TABLE, CREATE_NEW).text(TABLE, name)];
    for (counter, id) in table.counters.iter().zip(1..) {
        const CHANGED_BY_RULES: u32 = 0x20;
        const ADDRESS: u32 = 7;
        let set = message(NEW_SET, CREATE_NEW).text(TABLE, name).text(2, counter);
        let set = set.network_number(3, CHANGED_BY_RULES).network_number(4, ADDRESS);
        messages.push(set.network_number(5, 4).network_number(10, id));
    }
    // All chains before the rules that jump to them.
    for chain in &table.chains {
        let message = message(NEW_CHAIN, CREATE_NEW).text(TABLE, name).text(CHAIN_NAME, chain.name);
        messages.push(match chain.hook {
            Some(hook) => hook.write(message),
            None => message,
        });
    }
    for chain in &table.chains {
        for rule in &chain.rules {
            let message = message(NEW_RULE, APPEND).text(TABLE, name).text(RULE_CHAIN, chain.name);
            messages.push(message.nest(RULE_EXPRESSIONS, |expressions| {
                rule.iter().fold(expressions, |expressions, expression| expression.write(expressions))
            }));
        }
    }
    messages
}

fn message(kind: u16, flags: u16) -> Message {
    Message::new((SUBSYSTEM << 8) | kind, flags, &[INET, 0, 0, 0])
}

fn transaction(socket: &mut Socket, messages: Vec<Message>) -> io::Result<()> {
    let subsystem = SUBSYSTEM.to_be_bytes();
    let edge = |kind| Message::new(kind, 0, &[0, 0, subsystem[0], subsystem[1]]);
    socket.transaction(edge(BATCH_BEGIN), messages, edge(BATCH_END))
}
