//! Which name servers environments use: those of this host that can be reached from inside.

use std::fs;
use std::net::IpAddr;

use super::links;
use super::netlink::Socket;

/// The host's file.
const OF_HOST: &str = "/etc/resolv.conf";
/// The name servers behind systemd's own one, which listens at a loopback address.
const BEHIND_SYSTEMD: &str = "/run/systemd/resolve/resolv.conf";

/// Returns the `/etc/resolv.conf` of an environment, and whether any name server in it can be reached from inside.
pub(crate) fn resolver() -> (String, bool) {
    let of_host = fs::read_to_string(OF_HOST).unwrap_or_default();
    let addresses = Socket::for_routes().and_then(|mut socket| links::list_addresses(&mut socket));
    let addresses = addresses.unwrap_or_default();
    let is_reachable = |server: IpAddr| match server {
        IpAddr::V4(address) => {
            let is_special = address.is_loopback() || address.is_link_local() || address.is_unspecified();
            !is_special && !addresses.contains(&address)
        }
        IpAddr::V6(_) => false,
    };
    let behind = fs::read_to_string(BEHIND_SYSTEMD).ok();
    choose(&of_host, behind.as_deref(), is_reachable)
}

fn choose(of_host: &str, behind: Option<&str>, is_reachable: impl Fn(IpAddr) -> bool) -> (String, bool) {
    for text in [Some(of_host), behind].into_iter().flatten() {
        let mut reachable = false;
        let kept: String = text
            .lines()
            .filter(|line| {
                let Some(server) = name_server(line) else { return true };
                let is_kept = server.is_some_and(&is_reachable);
                reachable |= is_kept;
                is_kept
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        if reachable {
            return (kept, true);
        }
    }
    (of_host.to_owned(), false)
}

/// Returns the address of a line that names a server; `Some(None)` when it is none.
fn name_server(line: &str) -> Option<Option<IpAddr>> {
    let mut words = line.split_ascii_whitespace();
    (words.next()? == "nameserver").then(|| words.next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(of_host: &str, behind: Option<&str>) -> (String, bool) {
        choose(of_host, behind, |server| server.is_ipv4() && !server.is_loopback())
    }

    #[test]
    fn only_servers_that_can_be_reached_are_kept() {
        let of_host = "# ours\nnameserver 127.0.0.1\nnameserver ::1\nnameserver 192.0.2.53 \nsearch lan";
        assert_eq!(chosen(of_host, None), ("# ours\nnameserver 192.0.2.53 \nsearch lan\n".to_owned(), true));
    }

    #[test]
    fn behind_systemds_own_server_are_others() {
        let stub = "nameserver 127.0.0.53\noptions edns0\n";
        let behind = "nameserver 192.0.2.53\n";
        assert_eq!(chosen(stub, Some(behind)), (behind.to_owned(), true));
        assert_eq!(chosen(stub, None), (stub.to_owned(), false));
        assert_eq!(chosen(stub, Some("nameserver fd00::53%eth0\n")), (stub.to_owned(), false));
        assert_eq!(chosen("", None), (String::new(), false));
    }
}
