//! The programs with which tests look at walls from outside and count instructions, and what Hearth itself uses where it is
//! there: installed by name from Debian.

use std::path::Path;

use anyhow::{Result, bail};

use crate::python::apt_get;

/// A program, and the package that has it.
const TOOLS: [(&str, &str); 6] = [
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("capsh", "libcap2-bin"),
    ("mkfs.ext4", "e2fsprogs"),
    ("pasta", "passt"),
    ("valgrind", "valgrind"),
];

/// Where Debian has programs.
const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Installs what is missing.
pub(crate) fn install() -> Result<()> {
    let wanted = missing();
    if wanted.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = wanted.iter().map(|(_, package)| *package).collect();
    if apt_get(&packages) && missing().is_empty() {
        return Ok(());
    }
    bail!("the tests need these packages of Debian: {}", packages.join(", "))
}

fn missing() -> Vec<(&'static str, &'static str)> {
    let is_there = |program: &str| FOLDERS.iter().any(|folder| Path::new(folder).join(program).exists());
    TOOLS.into_iter().filter(|(program, _)| !is_there(program)).collect()
}
