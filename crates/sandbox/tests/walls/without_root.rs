//! The tests as an ordinary user: whether this host lets one, and how one is become.

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use crate::{ORDINARY_USER, WITHOUT_ROOT};

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// How the tests can run: as root, and without.
pub(crate) fn modes() -> &'static [&'static str] {
    if !can_without_root() {
        // Not listed, so that none of them counts as passed.
        eprintln!("skipped: this host does not let ordinary users have user namespaces");
        return if is_root() { &[""] } else { &[] };
    }
    if is_root() { &["", WITHOUT_ROOT] } else { &[WITHOUT_ROOT] }
}

/// Asks a program that needs a user namespace for everything that we need one for.
pub(crate) fn can_without_root() -> bool {
    let mut unshare = std::process::Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "true"]);
    if is_root() {
        unshare.uid(ORDINARY_USER).gid(ORDINARY_USER);
    }
    unshare.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs one test in this program started once more. `/proc/self/exe` is there also for users who cannot reach its folder.
pub(crate) fn as_ordinary_user(name: &str) {
    let mut again = std::process::Command::new("/proc/self/exe");
    again.args(["--exact", name]).uid(ORDINARY_USER).gid(ORDINARY_USER).current_dir("/");
    let status = again.status().unwrap();
    assert!(status.success(), "{name}: {status}");
}

/// The host of `case_085_pasta`: two addresses, a device for packets, and another host that leads everywhere.
pub(crate) const HOST: &str = r#"
set -e
mkdir "$1/net"
mknod "$1/net/tun" c 10 200
chmod 666 "$1/net/tun"
mount --bind "$1/net" /dev/net
unshare --net python3 -S -c "$2" &
other=$!
trap 'kill $other' EXIT
while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do :; done
ip link set lo up
ip link add out type veth peer name eth0 netns $other
ip addr add 10.9.0.2/24 dev out
ip addr add 10.9.1.2/24 dev out
ip link set out up
nsenter --net=/proc/$other/ns/net sh -c 'ip addr add 10.9.0.1/24 dev eth0; ip addr add 169.254.169.254/32 dev eth0; ip link set eth0 up'
ip route add default via 10.9.0.1
cp "$3" "$1/walls"
cd /
setpriv --reuid 65534 --regid 65534 --clear-groups "$1/walls" --exact "$4"
"#;

/// Answers everybody, at any address that it has.
pub(crate) const OTHER_HOST: &str = "
import socket
server = socket.create_server(('0.0.0.0', 8080))
while True:
    connection, _ = server.accept()
    connection.sendall(b'other host')
    connection.close()
";

/// Runs one test as an ordinary user of a host that is a network and a mount namespace.
pub(crate) fn on_a_host_of_its_own(name: &str) {
    if hearth_sandbox_init::way_out::pasta().is_none() {
        println!("skipped: {name}: pasta is not here");
        return;
    }
    let folder = hearth_tests::Folder::new();
    let mut unshare = std::process::Command::new("unshare");
    unshare.args(["--net", "--mount", "bash", "-c", HOST, "host"]).arg(folder.path()).arg(OTHER_HOST);
    let status = unshare.arg(std::env::current_exe().unwrap()).arg(name).status().unwrap();
    assert!(status.success(), "{name}: {status}");
}
