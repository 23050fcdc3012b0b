//! Another host in the network of this one: a namespace at the other end of a cable.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use crate::wait::eventually;

/// A host that answers at TCP port 8080 with the address that it sees. Dropping it removes it. Needs root.
#[derive(Debug)]
pub struct Neighbour {
    process: Child,
    address: Ipv4Addr,
    of_this_host: Ipv4Addr,
}

const PROGRAM: &str = "
import socket
server = socket.create_server(('0.0.0.0', 8080))
print('ready', flush=True)
while True:
    connection, peer = server.accept()
    connection.sendall(peer[0].encode())
    connection.close()
";

impl Neighbour {
    /// Starts one, at an address that no other test uses now.
    ///
    /// # Panics
    /// When this host does not know the programs `ip`, `unshare` and `python3`, or does not allow it.
    pub fn start() -> Self {
        let own = std::process::id();
        // Out of 100.64.0.0/10, four addresses for each process id.
        let network = Ipv4Addr::new(100, 64, 0, 0).to_bits() + (own % (1 << 20)) * 4;
        let (of_this_host, address) = (Ipv4Addr::from_bits(network + 1), Ipv4Addr::from_bits(network + 2));
        let script = format!(
            "read ready && ip link set lo up && ip address add {address}/30 dev eth0 && ip link set eth0 up && \
             exec python3 -c \"$PROGRAM\""
        );
        let mut process = Command::new("unshare")
            .args(["--net", "sh", "-c", &script])
            .env("PROGRAM", PROGRAM)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        let pid = process.id().to_string();
        eventually("the neighbour is in a namespace of its own", || {
            (namespace(&pid)? != namespace("self")?).then_some(())
        });
        let interface = format!("lan{own}");
        for arguments in [
            format!("link add {interface} type veth peer name eth0 netns {pid}"),
            format!("address add {of_this_host}/30 dev {interface}"),
            format!("link set {interface} up"),
        ] {
            assert!(
                Command::new("ip").args(arguments.split(' ')).status().unwrap().success(),
                "ip {arguments}"
            );
        }
        process.stdin.as_mut().unwrap().write_all(b"ready\n").unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { process, address, of_this_host }
    }

    /// Returns its address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Returns the address by which it knows this host.
    pub fn of_this_host(&self) -> Ipv4Addr {
        self.of_this_host
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        // The cable goes with the namespace.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
