//! The words of Hearth: identifiers, limits and small values that every crate shares, named as AWS names them.
//!
//! Nothing here does I/O, reads a clock or knows a wire format. A value is validated once, in its constructor;
//! whoever holds a [`FunctionName`] need not check it again.

mod arn;
mod backoff;
mod cold_reason;
mod cold_start;
mod configuration;
mod extension;
mod fault;
mod ids;
mod layers;
pub mod limits;
mod names;
mod process_usage;
mod runtime;

pub use arn::{Arn, ArnError, FunctionArn, FunctionReference};
pub use backoff::Backoff;
pub use cold_reason::ColdReason;
pub use cold_start::{ColdParticulars, ColdStart, FirstSince, WhatChanged};
pub use configuration::{
    Architecture, InitializationType, LogFormat, LogLevel, MemoryMb, TimeoutSeconds, TracingMode,
};
pub use extension::{ExtensionEvents, ExtensionId, ExtensionName, ExtensionState};
pub use fault::{FaultDeed, FaultPhase, InjectedFault};
pub use ids::{CodeSha256, EnvironmentId, RequestId, RevisionId, SpanId, TraceHeader, TraceId, random_uuid};
pub use layers::{LayerReference, LayerVersionArn};
pub use names::{
    AccountId, FunctionName, LayerName, LogGroupName, LogStreamName, NameError, Qualifier, Region, Version,
};
pub use process_usage::ProcessUsage;
pub use runtime::{Runtime, RuntimeFamily, UnknownRuntime};
