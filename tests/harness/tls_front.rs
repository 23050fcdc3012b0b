//! TLS before a server of this machine that has none.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use crate::programs::{EndedOnDrop, python_of};
use crate::wait::{Folder, repository};

/// Takes TLS off what comes, and hands it on. It ends with this.
pub struct TlsFront {
    _child: EndedOnDrop,
    folder: Folder,
    port: u16,
}

impl TlsFront {
    /// Starts one before a port of this machine, with a certificate of an authority of its own.
    ///
    /// # Panics
    /// When it does not say where it listens.
    pub fn start(before: u16) -> Self {
        let folder = Folder::new();
        // Moto's packages can make certificates.
        let mut command = python_of("moto");
        command.arg(repository().join("tests/clients/tls_front.py")).arg(folder.path());
        command.arg(before.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = EndedOnDrop(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("it says where it listens");
        Self { _child: child, folder, port }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Returns the file with the certificate of its authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }
}
