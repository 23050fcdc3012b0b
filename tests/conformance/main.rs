//! What we claim about AWS, checked from outside: a real server, real functions, and unmodified AWS clients.
//!
//! Each module is one promise; each test's name is a sentence of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::disallowed_methods, reason = "the tests start programs and read clocks")]

mod answers;
mod asynchronous;
mod aws_side;
mod clients;
mod cloudwatch_logs;
mod cloudwatch_logs_filter;
mod cloudwatch_logs_input;
mod cloudwatch_logs_insights;
mod cloudwatch_logs_live_tail;
mod command_line;
mod concurrency;
mod console;
mod console_guards;
mod control_plane;
mod cost;
mod credentials;
mod density;
mod deploy;
mod destinations;
mod durable;
mod event_sources;
mod experiment;
mod extension_tax;
mod extensions;
mod fault_injection;
mod flame;
mod function_urls;
mod init;
mod instructions;
mod invoke;
mod isolation;
mod json_logs;
mod lanes;
mod layers;
mod logs;
mod metrics;
mod operations;
mod outcomes;
mod own_api;
mod policies;
mod preboot;
mod recursion;
mod restart;
mod runtimes;
mod scaling;
mod schedules;
mod snap_start;
mod streaming;
mod telemetry;
mod threads;
mod tools;
mod top;
mod traces;
mod tune;
mod update;
mod versions;
mod walls;
mod whatif;
mod why_cold;
mod without_walls;
