//! Deployment packages: a zip becomes a read-only tree on disk.
//!
//! A package is known by the SHA-256 of its zip. It is kept as it came (an object) and unpacked once (a tree); every
//! environment shares the tree. Whoever uses one holds its lease; when the last lease is dropped, object and tree are
//! removed. A tree appears with one rename and is never half there.

mod packages;
mod unpack;

pub use packages::{Package, Packages, PackagesError};
pub use unpack::UnpackError;
