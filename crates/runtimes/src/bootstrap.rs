//! Which program of an OS-only function is its runtime.

use std::fs;
use std::path::{Path, PathBuf};

/// The program that an OS-only function, or one of its layers, brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// Where it is on this host.
    pub program: PathBuf,
    /// Where AWS would have it; texts show that.
    pub shown: &'static str,
}

impl Bootstrap {
    /// Finds the first that is there: the package's, then the layers'. Whether it can be executed is another question.
    pub fn find(code_root: &Path, layers_root: Option<&Path>) -> Option<Self> {
        let of_layers = layers_root.map(|layers| (layers, "/opt/bootstrap"));
        [(code_root, "/var/task/bootstrap")]
            .into_iter()
            .chain(of_layers)
            .map(|(folder, shown)| Self { program: folder.join("bootstrap"), shown })
            .find(|found| fs::metadata(&found.program).is_ok_and(|metadata| !metadata.is_dir()))
    }
}
