//! The processes between the server and a function: the launcher and the first process of each environment.
//!
//! ```text
//!   hearth serve ──socket──> launcher ──fork──> init of environment A ──fork+exec──> runtime, extensions
//!        │                              └fork──> init of environment B ──…
//!        └────────── control socket of A ──────────^
//! ```
//!
//! The server never forks: it has threads and much memory, and a fork of it would be slow and unsafe. Instead it
//! starts itself once more as a small single-threaded *launcher*, which forks an *init* for each environment. Init
//! starts them, adopts whatever the function leaves behind (it is a subreaper), and ends the whole tree.
//! Nothing here outlives the server: the end of the server closes the sockets, and init ends its tree then.
//!
//! Without root an environment with a way to other networks has a keeper between launcher and init, see `way_out`.
//!
//! This crate has no async, no threads and no log. It shares [`messages`] with the crate `sandbox`.

mod exec;
mod groups;
mod init;
pub mod landlock;
mod launcher;
pub mod messages;
mod privileges;
mod restore;
mod root_file_system;
mod routes;
mod seccomp;
mod sockets;
pub mod tree;
mod user_namespace;
mod walls;
pub mod way_out;

use std::os::fd::{FromRawFd as _, OwnedFd};

pub use restore::{IMAGE_FD, VARIABLES_FD};
pub use root_file_system::shown_of_host;
pub use seccomp::denied_calls;
pub use walls::{AWS_API, RUNTIME_API, RUNTIME_API_PORT};

/// The first argument by which a process knows that it is the launcher.
pub const LAUNCHER_ARGUMENT: &str = "hearth-sandbox-launcher";

/// What the server says to the launcher: fork an init beside the server.
pub const ENVIRONMENT: &[u8] = b"environment";
/// Fork an init as the first process of a new pid namespace; it will be told to build the other walls.
pub const WALLED_ENVIRONMENT: &[u8] = b"walled";
/// The same in a new user namespace, which gives a server without root the rights to build walls.
pub const ROOTLESS_ENVIRONMENT: &[u8] = b"rootless";
/// The same, with a way out to other networks.
pub const OUTGOING_ENVIRONMENT: &[u8] = b"outgoing";

/// Where the launcher finds its end of the socket to the server: its standard input.
const LAUNCHER_SOCKET: i32 = 0;

/// Becomes the launcher, and never returns, when this process was started as one. Must be the first call of `main`:
/// the launcher forks, so there may be no second thread.
pub fn run_if_launcher() {
    let mut arguments = std::env::args_os();
    if arguments.nth(1).is_none_or(|argument| argument != LAUNCHER_ARGUMENT) {
        return;
    }
    // SAFETY: descriptor 0 is open (the server passes a socket there) and nothing else in this process owns it.
    #[allow(unsafe_code)]
    let socket = unsafe { OwnedFd::from_raw_fd(LAUNCHER_SOCKET) };
    launcher::run(socket);
}
