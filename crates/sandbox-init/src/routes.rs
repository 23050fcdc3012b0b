//! What of other networks an environment must not reach, told to the kernel over netlink.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

const HEADER_BYTES: usize = 16;
/// A route of one destination: header, `rtmsg`, one attribute.
const ROUTE_BYTES: usize = HEADER_BYTES + 12 + 8;

/// Returns the IPv4 addresses of the network that this process is in.
pub(crate) fn own_addresses() -> Result<Vec<Ipv4Addr>, Errno> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the call writes one pointer, to a list that is ours until it is given back below.
    #[allow(unsafe_code)]
    Errno::result(unsafe { libc::getifaddrs(&raw mut first) })?;
    let mut found = Vec::new();
    let mut next = first;
    while !next.is_null() {
        // SAFETY: `next` is not null, and an entry of the list, which is given back only below.
        #[allow(unsafe_code)]
        let entry = unsafe { &*next };
        next = entry.ifa_next;
        let address = entry.ifa_addr;
        // SAFETY: an address that is not null begins with its family, and one of IPv4 is a `sockaddr_in`, aligned as one.
        #[allow(unsafe_code)]
        let address = unsafe {
            match address.as_ref() {
                Some(any) if i32::from(any.sa_family) == libc::AF_INET => {
                    Some((*address.cast::<libc::sockaddr_in>()).sin_addr.s_addr)
                }
                Some(_) | None => None,
            }
        };
        found.extend(address.map(|bits| Ipv4Addr::from(u32::from_be(bits))));
    }
    // SAFETY: the list is the one from above, and nothing of it is used any more.
    #[allow(unsafe_code)]
    unsafe {
        libc::freeifaddrs(first);
    }
    Ok(found)
}

/// Makes these networks unreachable from the one that this process is in, whatever other routes there will be.
pub(crate) fn close(networks: &[(Ipv4Addr, u8)]) -> Result<(), Errno> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
    for &(address, bits) in networks {
        match close_one(&netlink, address, bits) {
            // An address that two interfaces have.
            Err(Errno::EEXIST) => {}
            other => other?,
        }
    }
    Ok(())
}

fn close_one(netlink: &OwnedFd, address: Ipv4Addr, bits: u8) -> Result<(), Errno> {
    const FLAGS: libc::c_int = libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
    let mut packet = Vec::with_capacity(ROUTE_BYTES);
    packet.extend((ROUTE_BYTES as u32).to_ne_bytes());
    packet.extend(libc::RTM_NEWROUTE.to_ne_bytes());
    packet.extend((FLAGS as u16).to_ne_bytes());
    packet.extend([0; 8]); // sequence, sender
    packet.extend([libc::AF_INET as u8, bits, 0, 0]);
    packet.extend([libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNREACHABLE]);
    packet.extend([0; 4]); // flags
    packet.extend(8_u16.to_ne_bytes());
    packet.extend(libc::RTA_DST.to_ne_bytes());
    packet.extend(address.octets());
    send(netlink.as_raw_fd(), &packet, MsgFlags::empty())?;
    let mut answer = [0; 256];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    let errno = answer[..length].get(HEADER_BYTES..HEADER_BYTES + 4).and_then(|bytes| bytes.try_into().ok());
    match errno.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(errno) => Err(Errno::from_raw(-errno)),
        None => Err(Errno::EBADMSG),
    }
}
