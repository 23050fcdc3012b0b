//! Why a server could not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use hearth_cloudwatch::MetricsError;
use hearth_code::PackagesError;
use hearth_cost::PricesError;
use hearth_functions::OpenError;
use hearth_runtimes::InstallError;
use hearth_sandbox::SandboxError;
use hearth_store::StoreError;
use hearth_telemetry::LogStoreError;
use hearth_types::{NameError, UnknownRuntime};

use crate::credentials::CredentialsError;

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error("a setting is wrong")]
    Name(#[from] NameError),
    /// An interpreter was named for a runtime that does not exist.
    #[error("an interpreter was named for no runtime")]
    Interpreter(#[from] UnknownRuntime),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error("cannot use the data folder")]
    Store(#[from] StoreError),
    /// The functions in it cannot be read.
    #[error("cannot read the functions of the data folder")]
    Functions(#[from] OpenError),
    /// The packages in it cannot be used.
    #[error("cannot use the packages of the data folder")]
    Packages(#[from] PackagesError),
    /// The runtime packages in it cannot be used.
    #[error("cannot use the runtime packages of the data folder")]
    Runtimes(#[source] InstallError),
    /// The logs in it cannot be used.
    #[error("cannot use the logs of the data folder")]
    Logs(#[from] LogStoreError),
    /// The journal in it cannot be used.
    #[error("cannot use the journal of invocations of the data folder")]
    Journal(#[source] io::Error),
    /// The file with prices cannot be read.
    #[error("cannot read the prices in `{}`", file.display())]
    UnreadablePrices {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file with prices is wrong.
    #[error("cannot use the prices in `{}`", file.display())]
    Prices {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: PricesError,
    },
    /// The metrics in it cannot be used.
    #[error("cannot use the metrics of the data folder")]
    Metrics(#[from] MetricsError),
    /// The operating system gives no thread.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// The operating system gives no random numbers for the sessions of the console.
    #[error("cannot make sessions for the console")]
    Console(#[source] io::Error),
    /// The keys in it cannot be used.
    #[error("cannot use the keys of the data folder")]
    Credentials(#[from] CredentialsError),
    /// Everybody who reaches that address could do everything.
    #[error(
        "{address} can be reached from other machines, and there are no keys that callers would have to have"
    )]
    Open {
        /// Which address.
        address: SocketAddr,
    },
    /// Functions cannot be run.
    #[error("cannot run functions")]
    Sandbox(#[from] SandboxError),
}

impl StartError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                Some("another program listens there; stop it, or name another address with `--listen`")
            }
            Self::Store(error) | Self::Functions(OpenError::Store(error)) => error.hint(),
            Self::Runtimes(error) => error.hint(),
            Self::Sandbox(error) => error.hint(),
            Self::Credentials(error) => error.hint(),
            Self::Open { .. } => Some(
                "make a key with `hearth credentials add NAME`, listen on 127.0.0.1, or say `--allow-unauthenticated` where \
                 only those come who may do everything",
            ),
            Self::Prices { .. } => {
                Some("begin with `crates/cost/src/prices.toml` of Hearth's source; nothing may be missing")
            }
            Self::Name(_)
            | Self::Interpreter(_)
            | Self::Listen { .. }
            | Self::Functions(_)
            | Self::Packages(_)
            | Self::Logs(_)
            | Self::Journal(_)
            | Self::UnreadablePrices { .. }
            | Self::Metrics(_)
            | Self::Console(_)
            | Self::Thread(_) => None,
        }
    }
}
