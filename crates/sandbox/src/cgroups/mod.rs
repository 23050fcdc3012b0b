//! The limits of an environment on hosts with cgroup v1, v2 or both: memory, CPU, processes; and its freezer.
//!
//! Which hierarchy serves what is found for each controller ([`Discovery`]), because hosts mix them. [`Cgroups`] is the
//! server's own group in each hierarchy in use, [`EnvironmentCgroup`] a group below it. Everything stays below the
//! group that the server was started in, so that limits on the server hold for its environments too.
//!
//! This module does not decide when to freeze, nor what an environment that ran out of memory answers.

mod discover;
mod environment;
mod error;
mod favour;
mod files;
mod host;
mod limits;
mod parent;
mod reap;

pub use discover::{Controller, Discovery, Facts, Missing, Served};
pub use environment::EnvironmentCgroup;
pub use error::CgroupError;
pub(crate) use files::keyed_number;
pub use host::{Hierarchy, Host};
pub use limits::{Limits, MilliCpu};
pub use parent::Cgroups;
