//! What a SAM or CloudFormation template asks of Hearth: reads the YAML with its lines, resolves parameters and intrinsic
//! functions, and returns the functions and layers that are meant, as requests of the Lambda API would say them.
//!
//! It asks no server and changes nothing: comparing with what is there, and bringing it there, is `hearth deploy`'s.

mod event_sources;
mod finding;
mod globals;
mod intrinsics;
mod kept_only;
mod package;
mod properties;
mod resources;
mod schedules;
mod serverless;
mod stack;
mod template;
mod yaml;

pub use finding::Finding;
pub use package::{PackageError, package};
pub use stack::{Alias, Code, EventSourceMapping, Function, Layer, Place, Schedule, Stack, Url};
pub use template::{Surroundings, Template};
