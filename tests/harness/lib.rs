//! What the tests of the whole program share: a real `hearth serve` of their own, a plain client for it, packages,
//! and ways to run unmodified AWS clients against it.
//!
//! Everything here blocks and panics: a test is a sequence of steps, and a step that cannot be taken fails it.
//! Nothing here links against Hearth; the tests see what a user sees.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::disallowed_methods, reason = "the tests start programs, read the clock and the environment")]

mod browser;
mod collector;
mod connection;
mod disk;
mod extension;
mod file_inside;
mod function;
mod gate;
mod http;
mod layer;
mod link;
mod logs;
mod moto;
mod neighbour;
mod notes;
mod package;
mod processes;
mod programs;
mod random;
mod raw_zip;
mod server;
mod soak;
mod streamed;
mod subscriber;
mod tls_front;
mod wait;

pub use browser::{needs_browser, run_browser};
pub use collector::Collector;
pub use connection::{Connection, Received};
pub use disk::Mounted;
pub use extension::{bash_extension, example_extension, number_after, position, said, scripted, web_adapter};
pub use file_inside::FileInside;
pub use function::{Answer, Call, Function, NewFunction, bootstrap, node, python};
pub use gate::{Gate, NODE_WAIT, PYTHON_WAIT};
pub use http::{Response, encode, http, try_http};
pub use logs::{LogEvent, lines_of, reports, streams, transcript};
pub use moto::Moto;
pub use neighbour::Neighbour;
pub use notes::{Notes, PYTHON_NOTES};
pub use package::{Package, provided_bootstrap};
pub use processes::{family, is_alive, is_init_of_an_environment, on_host, processes_of, running};
pub use programs::{
    Finished, Following, aws, aws_1_follow, aws_follow, aws_with_key, hearth, hearth_with, needs_aws_cli_2,
    needs_node, needs_osls, needs_root, needs_sam, osls, run_node, run_node_with_key, run_python,
    run_python_with_key, sam, skip,
};
pub use random::Random;
pub use raw_zip::{RawEntry, RawHeader, RawZip, crc32};
pub use server::{Ended, Server, Settings, StandsStill, hearth_binary, hearth_with_fault_points};
pub use soak::rounds;
pub use streamed::{Message, Streamed, begin_http, streaming_bootstrap};
pub use subscriber::{LOGS_API, Subscriber, TELEMETRY_API, is_of_type, redacted, settled};
pub use tls_front::TlsFront;
pub use wait::{Folder, LIMIT, eventually, repository, try_within, within};
