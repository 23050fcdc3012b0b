//! What can go wrong with cgroups. Never the function author's fault.

use std::io;
use std::path::{Path, PathBuf};

/// Why limits could not be set, read or lifted.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// Some controllers are served by no hierarchy that the server may write.
    #[error("no cgroup serves {controllers}")]
    Missing {
        /// Which, and why, as in the start-up block.
        controllers: String,
    },
    /// Another server uses the group.
    #[error("cgroup `{path}` is in use by a server that runs")]
    InUse {
        /// The group.
        path: PathBuf,
    },
    /// cgroup v2 gives controllers to groups below a group only when that one has no process of its own, and it has
    /// some that the server must not move.
    #[error("cgroup `{path}` holds processes that are not the server's")]
    NotAlone {
        /// The group that the server was started in.
        path: PathBuf,
    },
    /// A name that cannot be a folder's.
    #[error("`{name}` cannot be the name of a cgroup")]
    Name {
        /// The name.
        name: String,
    },
    /// A file or folder of a group could not be made, read, written or removed.
    #[error("failed to {what} `{path}`")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file does not hold what the kernel's documentation says.
    #[error("`{path}` holds something else than {expected}: `{content}`")]
    Content {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// The beginning of what is in it.
        content: String,
    },
    /// The kernel did not get there in time.
    #[error("cgroup `{path}` was not {state} within {ms_max} ms")]
    Late {
        /// The group.
        path: PathBuf,
        /// `frozen` or `empty`.
        state: &'static str,
        /// How long it was waited for.
        ms_max: u64,
    },
}

impl CgroupError {
    /// Returns what the operator can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } => Some(
                "run as root, or start the server in a delegated cgroup (systemd: `Delegate=yes`); in a container, \
                 mount /sys/fs/cgroup writable",
            ),
            Self::NotAlone { .. } => Some(
                "start the server in a cgroup of its own (systemd: a service, or `systemd-run --scope -p Delegate=yes`)",
            ),
            Self::InUse { .. } => Some("stop the other server, or give this one another data folder"),
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("run as root, or start the server in a delegated cgroup (systemd: `Delegate=yes`)")
                }
                _ => None,
            },
            Self::Name { .. } | Self::Content { .. } | Self::Late { .. } => None,
        }
    }

    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    pub(super) fn content(path: &Path, expected: &'static str, content: &str) -> Self {
        Self::Content { path: path.to_owned(), expected, content: content.chars().take(80).collect() }
    }
}
