//! Netlink, by which the kernel is told about interfaces, addresses, routes and firewalls: requests are written here,
//! and answers read. What they say is in `links` and `firewall`.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

const HEADER_BYTES: usize = 16;
const ATTRIBUTE_HEADER_BYTES: usize = 4;
/// The kernel puts no more than this into one packet of a dump.
const PACKET_BYTES_MAX: usize = 32 * 1024;
/// The kernel answers within the call; whoever waits longer waits for nothing.
const ANSWER_S_MAX: i64 = 10;

const ERROR: u16 = 2;
const DONE: u16 = 3;
const IS_REQUEST: u16 = 0x1;
const WANTS_ANSWER: u16 = 0x4;
const DUMP: u16 = 0x300;
const NESTED: u16 = 0x8000;

/// The thing is made; it may be there already.
pub(super) const CREATE: u16 = 0x400;
/// The thing is made, and must not be there yet.
pub(super) const CREATE_NEW: u16 = 0x600;
/// The thing is made, after those that are there.
pub(super) const APPEND: u16 = 0xc00;

/// A request, written piece by piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// Begins a message of a kind, with what its subsystem wants to see before the attributes.
    pub(super) fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | IS_REQUEST).to_ne_bytes());
        bytes.extend_from_slice(body);
        Self { bytes }.aligned()
    }

    /// Adds an attribute.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = (ATTRIBUTE_HEADER_BYTES + value.len()) as u16;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.aligned()
    }

    /// Adds a text, which ends with NUL.
    pub(super) fn text(self, kind: u16, text: &str) -> Self {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.attribute(kind, &value)
    }

    /// Adds a number in the byte order of this machine, as interfaces and routes want it.
    pub(super) fn number(self, kind: u16, number: u32) -> Self {
        self.attribute(kind, &number.to_ne_bytes())
    }

    /// Adds a number in the byte order of networks, as firewalls want it.
    pub(super) fn network_number(self, kind: u16, number: u32) -> Self {
        self.attribute(kind, &number.to_be_bytes())
    }

    /// Adds an attribute that consists of others.
    pub(super) fn nest(mut self, kind: u16, inside: impl FnOnce(Self) -> Self) -> Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; ATTRIBUTE_HEADER_BYTES]);
        let mut nested = inside(self);
        let length = (nested.bytes.len() - start) as u16;
        nested.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        nested.bytes[start + 2..start + 4].copy_from_slice(&(kind | NESTED).to_ne_bytes());
        nested
    }

    /// Adds bytes that are no attribute: what some attributes begin with.
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self.aligned()
    }

    fn aligned(mut self) -> Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    /// Returns the bytes to send.
    fn numbered(mut self, more_flags: u16, sequence: u32) -> Vec<u8> {
        let length = self.bytes.len() as u32;
        let flags = u16::from_ne_bytes([self.bytes[6], self.bytes[7]]) | more_flags;
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

/// A message of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    kind: u16,
    sequence: u32,
    /// What follows the header.
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Returns the error that it reports; `None` when it is no report.
    fn outcome(&self) -> Option<io::Result<()>> {
        if self.kind != ERROR {
            return None;
        }
        let errno = self.body.first_chunk::<4>().map_or(Errno::EBADMSG as i32, |errno| {
            // The kernel writes it negative.
            i32::from_ne_bytes(*errno).wrapping_neg()
        });
        Some(if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) })
    }
}

/// Takes apart a packet, as far as it is whole.
fn answers(packet: &[u8]) -> Vec<Answer> {
    let (mut found, mut rest) = (Vec::new(), packet);
    while let Some((header, _)) = rest.split_first_chunk::<HEADER_BYTES>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some(body) = rest.get(HEADER_BYTES..length) else { break };
        found.push(Answer {
            kind: u16::from_ne_bytes([header[4], header[5]]),
            sequence: u32::from_ne_bytes([header[8], header[9], header[10], header[11]]),
            body: body.to_vec(),
        });
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// Returns the attributes of a message or of an attribute that consists of others, as far as they are whole.
pub(super) fn attributes(bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let (mut found, mut rest) = (Vec::new(), bytes);
    while let Some((header, _)) = rest.split_first_chunk::<ATTRIBUTE_HEADER_BYTES>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let Some(value) = rest.get(ATTRIBUTE_HEADER_BYTES..length) else { break };
        found.push((u16::from_ne_bytes([header[2], header[3]]) & !NESTED, value));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// A connection to the kernel, for the network namespace that its opener was in, wherever it goes later.
pub(super) struct Socket {
    socket: OwnedFd,
    sequence: u32,
}

impl Socket {
    /// For interfaces, addresses and routes.
    pub(super) fn for_routes() -> io::Result<Self> {
        Self::open(SockProtocol::NetlinkRoute)
    }

    /// For firewalls.
    pub(super) fn for_firewalls() -> io::Result<Self> {
        Self::open(SockProtocol::NetlinkNetFilter)
    }

    fn open(protocol: SockProtocol) -> io::Result<Self> {
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(ANSWER_S_MAX))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Has something done.
    pub(super) fn request(&mut self, message: Message) -> io::Result<()> {
        self.sequence += 1;
        let packet = message.numbered(WANTS_ANSWER, self.sequence);
        self.send_and_wait(&packet, self.sequence)
    }

    /// Has all of these done, or none.
    pub(super) fn transaction(
        &mut self,
        begin: Message,
        messages: Vec<Message>,
        end: Message,
    ) -> io::Result<()> {
        let mut packet = begin.numbered(0, 0);
        let first = self.sequence + 1;
        for message in messages {
            self.sequence += 1;
            packet.extend(message.numbered(WANTS_ANSWER, self.sequence));
        }
        packet.extend(end.numbered(0, 0));
        self.send_and_wait(&packet, first)
    }

    /// Waits for the answers from `first` to the last that was sent.
    fn send_and_wait(&mut self, packet: &[u8], first: u32) -> io::Result<()> {
        send(self.socket.as_raw_fd(), packet, MsgFlags::empty())?;
        let mut missing = self.sequence + 1 - first;
        while missing > 0 {
            for answer in self.receive()? {
                match answer.outcome() {
                    // Of a whole transaction.
                    Some(Err(error)) if answer.sequence == 0 => return Err(error),
                    // Of an earlier request, which was given up at its first error.
                    _ if answer.sequence < first => {}
                    Some(outcome) => {
                        outcome?;
                        missing = missing.saturating_sub(1);
                    }
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Asks for a list.
    pub(super) fn list(&mut self, message: Message) -> io::Result<Vec<Answer>> {
        self.sequence += 1;
        let packet = message.numbered(DUMP, self.sequence);
        send(self.socket.as_raw_fd(), &packet, MsgFlags::empty())?;
        let mut found = Vec::new();
        loop {
            for answer in self.receive()? {
                match answer.outcome() {
                    _ if answer.sequence != self.sequence => {}
                    Some(outcome) => outcome?,
                    None if answer.kind == DONE => return Ok(found),
                    None => found.push(answer),
                }
            }
        }
    }

    fn receive(&mut self) -> io::Result<Vec<Answer>> {
        let mut packet = vec![0; PACKET_BYTES_MAX];
        let length = recv(self.socket.as_raw_fd(), &mut packet, MsgFlags::empty())?;
        Ok(answers(&packet[..length]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_lengths_and_is_aligned() {
        let message = Message::new(16, CREATE_NEW, &[1, 2, 3, 4])
            .text(3, "veth0")
            .nest(18, |link| link.text(1, "veth").number(2, 7));
        let bytes = message.numbered(WANTS_ANSWER, 9);
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(u32::from_ne_bytes(bytes[..4].try_into().unwrap()) as usize, bytes.len());
        let read = answers(&bytes);
        assert_eq!((read.len(), read[0].kind, read[0].sequence), (1, 16, 9));
        let attributes_read = attributes(&read[0].body[4..]);
        assert_eq!(attributes_read[0], (3, &b"veth0\0"[..]));
        let seven = 7_u32.to_ne_bytes();
        assert_eq!(attributes(attributes_read[1].1), [(1, &b"veth\0"[..]), (2, &seven[..])]);
        assert_eq!(attributes_read.len(), 2);
    }

    #[test]
    fn what_is_cut_is_left_out() {
        let bytes = Message::new(16, 0, &[]).text(3, "eth0").number(4, 1).numbered(0, 1);
        for length in 0..bytes.len() {
            assert!(answers(&bytes[..length]).is_empty());
            assert!(attributes(&bytes[HEADER_BYTES..][..length.saturating_sub(HEADER_BYTES)]).len() < 2);
        }
        // A length of nothing must not be read again and again.
        assert!(answers(&[0; 64]).is_empty() && attributes(&[0; 64]).is_empty());
    }

    #[test]
    fn the_kernel_says_what_is_wrong() {
        let mut socket = Socket::for_routes().unwrap();
        // A link of an index that nobody has.
        let mut body = [0; 16];
        body[4..8].copy_from_slice(&0x7fff_fff0_i32.to_ne_bytes());
        let error = socket.request(Message::new(17, 0, &body)).unwrap_err();
        assert!(
            [Errno::ENODEV as i32, Errno::EPERM as i32].contains(&error.raw_os_error().unwrap()),
            "{error}"
        );
    }
}
