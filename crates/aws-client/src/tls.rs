//! TLS to an endpoint: its certificate is checked against the authorities that this host trusts.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::EndpointError;

/// What connections to one host are made with.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the authorities that this host trusts: its own, or those in the file that `SSL_CERT_FILE` names, as with OpenSSL.
    pub fn to(host: &str, url: &str) -> Result<Self, EndpointError> {
        let wrong = || EndpointError::Url { url: url.to_owned() };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| wrong())?;
        let mut roots = RootCertStore::empty();
        // A certificate that is damaged takes no other's place.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(EndpointError::NoAuthorities { url: url.to_owned() });
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has what TLS 1.2 and 1.3 need")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// Makes a connection private, and sure of who is at its other end.
    pub async fn connect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}
