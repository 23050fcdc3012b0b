//! What an environment is made of, and who hears of it.

use std::sync::Arc;
use std::time::Duration;

use hearth_sandbox::{Command, Sandbox};
use hearth_telemetry::{Clock, EnvironmentTelemetry};
use hearth_types::{AccountId, EnvironmentId, ExtensionName, FunctionName, Version};

use crate::environment::Environment;
use crate::extensions::ProgramNumber;
use crate::fatal_error::FatalError;
use crate::injected_fault::Faults;
use crate::snap_start::SnapStart;

/// Makes the command of a runtime, or says why there is none.
pub type MakeCommand = dyn Fn(&dyn Sandbox) -> Result<Command, FatalError> + Send + Sync;

/// Makes the command of an external extension, by its number.
pub type MakeExtensionCommand = dyn Fn(&dyn Sandbox, ProgramNumber) -> Command + Send + Sync;

/// Says what to start in an environment; asked at each start, also after a reset.
pub struct Boot {
    /// Makes the command, or says why there is none.
    pub command: Box<MakeCommand>,
    /// The path of the program as the function's author knows it, for messages.
    pub shown_program: String,
    /// The external extensions, in the order in which they are started.
    pub extensions: Vec<ExtensionName>,
    /// Makes the command of one of them.
    pub extension_command: Box<MakeExtensionCommand>,
}

/// What the processes of an environment may know about their function.
#[derive(Debug, Clone)]
pub struct FunctionFacts {
    /// Its account.
    pub account: AccountId,
    /// Its name.
    pub name: FunctionName,
    /// The version that runs.
    pub version: Version,
    /// The Handler setting.
    pub handler: String,
}

/// Who must hear when an environment can take an invocation, or is gone: the pool.
pub trait Owner: Send + Sync + 'static {
    /// The Init ahead of the first invocation is over, well or not.
    fn initialized(&self, environment: &Arc<Environment>);

    /// The invocation is over (or an Init without one); another one may come.
    fn settled(&self, environment: &Arc<Environment>);

    /// The environment is gone.
    fn gone(&self, environment: &Arc<Environment>);
}

/// What an environment is made of.
pub struct EnvironmentParts {
    /// Its id.
    pub id: EnvironmentId,
    /// How long the Init ahead of an invocation may take.
    pub init_limit: Duration,
    /// Where its processes run.
    pub sandbox: Box<dyn Sandbox>,
    /// What runs there.
    pub boot: Boot,
    /// What its processes may know.
    pub function: FunctionFacts,
    /// Takes what it records and puts out.
    pub telemetry: EnvironmentTelemetry,
    /// Who hears of it.
    pub owner: Arc<dyn Owner>,
    /// Both clocks.
    pub clock: Clock,
    /// Who says what goes wrong in it; `None`: nobody may.
    pub faults: Option<Arc<dyn Faults>>,
    /// What it has to do with snapshots.
    pub snap_start: SnapStart,
}
