//! Why a runtime could not be installed, and what the operator can do about it.

use std::io;
use std::path::{Path, PathBuf};

use hearth_store::StoreError;
use hearth_types::Runtime;

use crate::packages::Damaged;

/// Why a runtime could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Hearth does not run it, whatever is installed.
    #[error("Hearth does not run {runtime}")]
    NotSupported {
        /// Which one.
        runtime: Runtime,
    },
    /// The function brings everything itself.
    #[error("{runtime} needs no package: a function of it brings its own runtime, `bootstrap`")]
    NothingToInstall {
        /// Which one.
        runtime: Runtime,
    },
    /// A name is not one of the AWS SDK's packages.
    #[error("`{name}` is not the name of a package of the AWS SDK for JavaScript")]
    ClientName {
        /// As it was given.
        name: String,
    },
    /// There is no interpreter, and none can be had by package name.
    #[error("{reason}")]
    Unavailable {
        /// What is missing, and the way out.
        reason: String,
    },
    /// npm or pip is not there.
    #[error("`{program}` is not on PATH, and it is needed to install {what}")]
    ProgramMissing {
        /// Which program.
        program: &'static str,
        /// What for.
        what: String,
    },
    /// The registry cannot be reached.
    #[error("cannot install {what}: the package registry cannot be reached (`{program}`: {message})")]
    Offline {
        /// Which program tried.
        program: String,
        /// What was to be installed.
        what: String,
        /// What it said.
        message: String,
    },
    /// npm or pip failed for a reason of its own.
    #[error("cannot install {what}: `{program}` {message}")]
    Program {
        /// Which program.
        program: String,
        /// What was to be installed.
        what: String,
        /// How it ended, and what it said.
        message: String,
    },
    /// What came is not what was asked for.
    #[error("cannot install {what}: {problem}")]
    Unexpected {
        /// What was to be installed.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Our disk refuses.
    #[error("failed to use `{}`", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The object store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is there is not what was installed.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// Somebody said stop.
    #[error("the installation was stopped")]
    Stopped,
}

impl InstallError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotSupported { .. } => Some("`hearth runtimes` lists what it does run"),
            Self::ClientName { .. } => Some("name clients such as `client-s3` or `@aws-sdk/lib-storage`"),
            Self::ProgramMissing { program, .. } if *program == "npm" => {
                Some("install Node.js with npm on the machine of the server, in its PATH")
            }
            Self::ProgramMissing { .. } => {
                Some("install pip for Python on the machine of the server, in its PATH")
            }
            Self::Offline { .. } => Some(
                "check the network and the proxy settings of the server; what is installed goes on working",
            ),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("the disk is full: make room, about 500 MB for a runtime")
            }
            Self::Io { .. } => Some("check that the data folder is writable and has room"),
            Self::Store(error) => error.hint(),
            Self::Damaged(_) => Some("install the runtime again with `hearth runtimes install`"),
            Self::NothingToInstall { .. }
            | Self::Unavailable { .. }
            | Self::Program { .. }
            | Self::Unexpected { .. }
            | Self::Stopped => None,
        }
    }
}

/// Says where an error of the disk happened.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> InstallError + use<> {
    let path = path.to_owned();
    move |source| InstallError::Io { path: path.clone(), source }
}
