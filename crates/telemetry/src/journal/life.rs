//! The life of an environment: when it was made and why, when it ended and why, and what it did between.

use std::borrow::Cow;

use hearth_types::{
    Architecture, ColdReason, EnvironmentId, FunctionName, InitializationType, Runtime, Version,
};
use serde::{Deserialize, Serialize};

use super::entry::{Unusual, architecture, ephemeral_storage_mb, initialization_type, version};
use crate::record::{EnvironmentFacts, ShutdownReason};

/// An environment that has ended, or, if it was provisioned, one that lived when it was written down last.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvironmentLife {
    /// Its id.
    pub environment: EnvironmentId,
    /// Whose it was.
    pub function: FunctionName,
    /// Which version it ran.
    pub version: Version,
    /// What ran the handler.
    pub runtime: Runtime,
    /// Whether it was made for a call or ahead of calls.
    pub initialization_type: InitializationType,
    /// What its function is built for.
    pub architecture: Architecture,
    /// Configured memory, in MB.
    pub memory_size_mb: u32,
    /// The size of its `/tmp`, in MB.
    pub ephemeral_storage_mb: u32,
    /// When it was made, in milliseconds since 1970.
    pub made_epoch_ms: i64,
    /// Why it was made.
    pub why_made: ColdReason,
    /// When it ended, or until when it is known to have lived.
    pub ended_epoch_ms: i64,
    /// Why it ended: a word of [`why_ended`]; `None` if that was not seen.
    pub why_ended: Option<String>,
    /// How many invocations ended in it.
    pub invocations: u64,
    /// How long they took, by their Duration.
    pub busy_us: u64,
    /// How long its Inits took.
    pub init_us: u64,
}

/// Returns the word for why an environment ended.
pub const fn why_ended(reason: ShutdownReason) -> &'static str {
    match reason {
        ShutdownReason::IdleTimeout => "idle-timeout",
        ShutdownReason::FunctionUpdated => "function-updated",
        ShutdownReason::FunctionDeleted => "function-deleted",
        ShutdownReason::Evicted => "evicted",
        ShutdownReason::ServerStops => "server-stops",
        ShutdownReason::SandboxLost => "sandbox-lost",
        ShutdownReason::Unprovisioned => "unprovisioned",
        ShutdownReason::Measured => "measured",
        ShutdownReason::SnapshotTaken => "snapshot-taken",
    }
}

impl EnvironmentLife {
    /// Begins the life of an environment that has just been made.
    pub fn begin(facts: &EnvironmentFacts) -> Self {
        Self {
            environment: facts.id,
            function: facts.function.clone(),
            version: facts.version,
            runtime: facts.runtime,
            initialization_type: facts.initialization_type,
            architecture: facts.architecture,
            memory_size_mb: facts.memory_size_mb,
            ephemeral_storage_mb: facts.ephemeral_storage_mb,
            made_epoch_ms: facts.created_epoch_ms,
            why_made: facts.why_created,
            ended_epoch_ms: facts.created_epoch_ms,
            why_ended: None,
            invocations: 0,
            busy_us: 0,
            init_us: 0,
        }
    }

    /// Whether it was kept ahead of calls.
    pub fn is_provisioned(&self) -> bool {
        self.initialization_type == InitializationType::ProvisionedConcurrency
    }
}

/// A line, written as those of invocations are.
#[derive(Serialize, Deserialize)]
struct LifeLine<'a> {
    #[serde(borrow)]
    f: Cow<'a, str>,
    /// When it ended.
    t: i64,
    e: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    v: Option<Cow<'a, str>>,
    n: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<Cow<'a, str>>,
    m: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    z: Option<u32>,
    made: i64,
    why: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<Cow<'a, str>>,
    calls: u64,
    busy: u64,
    init: u64,
}

/// Writes a life as a line, with its line feed.
pub(super) fn write(life: &EnvironmentLife, into: &mut Vec<u8>) -> serde_json::Result<()> {
    let unusual =
        Unusual::of(life.version, life.initialization_type, life.architecture, life.ephemeral_storage_mb);
    let line = LifeLine {
        f: life.function.as_str().into(),
        t: life.ended_epoch_ms,
        e: life.environment.to_string().into(),
        v: unusual.version.map(Cow::Owned),
        n: life.runtime.as_str().into(),
        y: unusual.initialization_type.map(Cow::Borrowed),
        a: unusual.architecture.map(Cow::Borrowed),
        m: life.memory_size_mb,
        z: unusual.ephemeral_storage_mb,
        made: life.made_epoch_ms,
        why: life.why_made.as_str().into(),
        end: life.why_ended.as_deref().map(Cow::Borrowed),
        calls: life.invocations,
        busy: life.busy_us,
        init: life.init_us,
    };
    serde_json::to_writer(&mut *into, &line)?;
    into.push(b'\n');
    Ok(())
}

/// Reads a line. Nothing of one that is damaged.
pub(super) fn read(line: &[u8]) -> Option<EnvironmentLife> {
    let line: LifeLine<'_> = serde_json::from_slice(line).ok()?;
    Some(EnvironmentLife {
        environment: EnvironmentId::parse(&line.e)?,
        function: FunctionName::new(&line.f).ok()?,
        version: version(line.v.as_deref())?,
        runtime: Runtime::parse(&line.n).ok()?,
        initialization_type: initialization_type(line.y.as_deref())?,
        architecture: architecture(line.a.as_deref())?,
        memory_size_mb: line.m,
        ephemeral_storage_mb: ephemeral_storage_mb(line.z),
        made_epoch_ms: line.made,
        why_made: ColdReason::parse(&line.why)?,
        ended_epoch_ms: line.t,
        why_ended: line.end.map(Cow::into_owned),
        invocations: line.calls,
        busy_us: line.busy,
        init_us: line.init,
    })
}
