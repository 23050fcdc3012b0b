//! The command line of `hearth fault`.

use clap::{Args, Subcommand};

use super::ListArguments;

#[derive(Debug, Args)]
pub(crate) struct FaultArguments {
    #[command(subcommand)]
    pub(crate) command: FaultCommand,
}

impl FaultArguments {
    pub(crate) fn list(&self) -> &ListArguments {
        match &self.command {
            FaultCommand::Add(add) => &add.list,
            FaultCommand::List(list) => list,
            FaultCommand::Remove(remove) => &remove.list,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum FaultCommand {
    /// Have something go wrong, from the next time on that the phase is reached
    #[command(after_help = TABLE)]
    Add(FaultToAdd),
    /// List the faults, those included that have happened. They are gone when the server ends
    List(ListArguments),
    /// Have a fault happen no more
    Remove(FaultToRemove),
}

const TABLE: &str = "\
What can be done when, and to whom:
  extension-init  fail, hang, delay, kill, oom            an external extension, the first one unless --extension names it
  runtime-init    fail, hang, delay, kill, oom            the runtime, once it has been started
  function-init   fail, hang, delay, kill, oom            the runtime, once it has loaded the function's code
  invoke          fail, hang, delay, kill, oom, throttle  the runtime, before it gets the event; or --extension
  after-invoke    fail, hang, delay, kill, oom            the runtime, once it has answered; or --extension
  shutdown        hang, delay, kill                       the first external extension, or --extension; the runtime where
                                                          there is none

fail ends the phase with an error, of a type that ends in .InjectedFault; hang stops the process (SIGSTOP) until it is
killed; delay stops it for a while; kill and oom kill it (SIGKILL), oom as if memory had run out; throttle refuses the
call with 429. A function without extensions is killed at once when it is shut down: nothing happens there then.
Faults are kept in memory: they are gone when the server ends, or the function is deleted.";

#[derive(Debug, Args)]
pub(crate) struct FaultToAdd {
    /// In which function
    #[arg(value_name = "FUNCTION")]
    pub(crate) function_name: String,
    /// When: extension-init, runtime-init, function-init, invoke, after-invoke or shutdown
    #[arg(long)]
    pub(crate) phase: String,
    /// What: fail, hang, delay MS, kill, oom or throttle
    #[arg(long = "do", value_name = "DEED [MS]", num_args = 1..=2, required = true)]
    pub(crate) deed: Vec<String>,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) times: u64,
    /// Only of this version; an alias stands for the version that it points to now [default: any]
    #[arg(long, value_name = "VERSION|ALIAS")]
    pub(crate) qualifier: Option<String>,
    /// To which external extension. One that the function does not have is never hit
    #[arg(long, value_name = "NAME")]
    pub(crate) extension: Option<String>,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

#[derive(Debug, Args)]
pub(crate) struct FaultToRemove {
    /// Which one, by its number
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) id: Option<u64>,
    /// All of them
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}
