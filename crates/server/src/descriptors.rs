//! How many files and sockets this process may have open, and what part of them clients get.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The part of all descriptors that clients' connections may take: one in so many. The rest is for environments (about
/// ten each), the store and the logs: clients alone cannot keep a function from starting.
const CLIENTS_PART: u64 = 2;
/// So many connections are accepted in any case.
const CONNECTIONS_MIN: usize = 16;

/// Raises the limit of this process as far as it may be raised, and returns how many connections of clients there is room
/// for, at most `wanted`.
pub(crate) fn room_for_connections(wanted: usize) -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    let limit = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(error) => {
            tracing::warn!(%error, soft, hard, "cannot raise the limit of open files");
            soft
        }
    };
    let room = usize::try_from(limit / CLIENTS_PART).unwrap_or(usize::MAX);
    if room < wanted {
        tracing::info!(limit, "few files may be open at once; fewer connections are accepted");
    }
    room.max(CONNECTIONS_MIN).min(wanted)
}
