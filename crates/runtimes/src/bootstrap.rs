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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_comes_before_the_layers_and_a_folder_is_no_program() {
        let top = tempfile::tempdir().unwrap();
        let folder = |name: &str| top.path().join(name);
        for name in ["package", "layers"] {
            fs::create_dir(folder(name)).unwrap();
        }
        let (code, layers) = (folder("package"), folder("layers"));
        let shown = |layers| Bootstrap::find(&code, layers).map(|found| found.shown);
        assert_eq!(shown(Some(&*layers)), None);
        fs::write(layers.join("bootstrap"), "x").unwrap();
        assert_eq!(shown(Some(&*layers)), Some("/opt/bootstrap"));
        assert_eq!(shown(None), None);
        fs::create_dir(code.join("bootstrap")).unwrap();
        assert_eq!(shown(Some(&*layers)), Some("/opt/bootstrap"));
        fs::remove_dir(code.join("bootstrap")).unwrap();
        fs::write(code.join("bootstrap"), "x").unwrap();
        assert_eq!(shown(Some(&*layers)), Some("/var/task/bootstrap"));
    }
}
