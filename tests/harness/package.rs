//! Deployment packages: zips made in memory.

use std::fs;
use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;

use crate::wait::repository;

/// A deployment package in the making.
#[derive(Debug, Clone, Default)]
pub struct Package {
    files: Vec<(String, u32, Vec<u8>)>,
}

impl Package {
    /// Starts an empty package.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file that everybody may read.
    #[must_use]
    pub fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), 0o644, content.into()));
        self
    }

    /// Adds a file that everybody may run.
    #[must_use]
    pub fn program(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), 0o755, content.into()));
        self
    }

    /// Returns the zip.
    pub fn zip(&self) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, mode, content) in &self.files {
            zip.start_file(name.as_str(), SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}

/// Returns the example for `provided.al2023`: a program on the official `lambda_runtime` crate.
///
/// # Panics
/// When it has not been built.
pub fn provided_bootstrap() -> Vec<u8> {
    let path = repository().join(".cache/provided-target/release/bootstrap");
    fs::read(&path).unwrap_or_else(|error| {
        panic!("`{}` is missing ({error}); `cargo xtask test` builds it", path.display());
    })
}
