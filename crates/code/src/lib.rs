//! Deployment packages: a zip becomes a read-only tree on disk.
//!
//! A package is known by the SHA-256 of its zip. It is kept as it came (an object) and unpacked once (a tree); every
//! environment shares the tree. Whoever uses one holds its lease; when the last lease is dropped, object and tree are
//! removed. A tree appears with one rename and is never half there.
//!
//! What a zip says is believed nowhere. The way of one: `archive` reads it, `plan` makes a tree of its names, `unpack`
//! walks the tree, `content` inflates an entry, `root` is the only place that makes files, and only beneath a folder. Where trees are, and how one
//! appears and goes as a whole, is the matter of `trees`; whether one is still what it was, that of `seal`; who uses them,
//! that of `packages`.

mod archive;
mod content;
mod error;
mod layers;
mod packages;
mod plan;
mod remove;
mod root;
mod seal;
mod trees;
mod unpack;

pub use archive::Archive;
pub use error::UnpackError;
pub use packages::{Package, Packages, PackagesError};
pub use unpack::unpack;
