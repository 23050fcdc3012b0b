//! The API of Hearth inside an environment: who offers it is not known here, only what it needs and gives.

use std::any::Any;
use std::io;
use std::net::TcpListener;

use hearth_functions::ResolvedVersion;
use hearth_runtimes::Credentials;
use hearth_types::EnvironmentId;

/// Offers the API to environments. What it offers to one ends with it.
pub trait OwnApi: Send + Sync + 'static {
    /// Begins to serve `listener`, which does not block and is where only the environment can reach it. Without, a free
    /// port of the loopback interface. It takes `keys`, or new ones: what begins from a snapshot may have made clients with
    /// the keys that were given to the environment of the snapshot.
    fn open(
        &self,
        listener: Option<TcpListener>,
        id: EnvironmentId,
        version: &ResolvedVersion,
        keys: Option<&Credentials>,
    ) -> io::Result<OpenOwnApi>;
}

/// The API of one environment.
pub struct OpenOwnApi {
    /// The keys that it takes, and where it is.
    pub credentials: Credentials,
    /// Ends it when dropped, and with it the keys.
    pub served: Box<dyn Any + Send + Sync>,
}
