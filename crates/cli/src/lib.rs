//! The program `hearth`: the service, the demo, and a client of a running service that uses nothing but HTTP.
//!
//! All of it is a library with one function, [`main`], so that the fuzzer can reach what reads configuration.
#![allow(
    clippy::disallowed_methods,
    reason = "this crate reads the configuration and looks for interpreters"
)]

mod arguments;
mod client;
mod cost;
mod credentials;
mod demo;
mod deploy;
mod environments;
mod exit_code;
mod fault_injection;
mod faults;
mod flame;
mod functions;
mod invoke;
mod logs;
mod runtimes;
mod serve;
mod settings;
mod stdout;
mod table;
mod tax;
mod timeline;
mod top;
mod tune;
mod whatif;
mod words;

use std::io::Write as _;

use anyhow::Context as _;
use clap::Parser as _;

use crate::arguments::{Arguments, Command};
use crate::client::{Client, ClientError};
use crate::exit_code::ExitCode;
use crate::settings::SettingsError;
use crate::stdout::{Appearance, Stdout};

/// Runs the program, and returns its exit code.
pub fn main() -> std::process::ExitCode {
    hearth_sandbox_init::run_if_launcher();
    let code = run(Arguments::parse()).unwrap_or_else(|error| report(&error));
    code.into()
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let appearance = Appearance::of_stdout();
    let mut out = Stdout::lock();
    let out = &mut out;
    match arguments.command {
        Command::Serve(serve) => {
            serve::log_to_stderr("info")?;
            faults::set_up()?;
            serve::run(&serve, out)
        }
        Command::Demo(demo) => {
            serve::log_to_stderr("warn")?;
            serve::tokio_runtime(None)?.block_on(demo::run(&demo, appearance, out))
        }
        Command::Invoke(invoke) => {
            let client = Client::new(&invoke.list.server)?;
            client_runtime()?.block_on(invoke::run(&invoke, &client, out, &mut std::io::stderr()))
        }
        Command::Runtimes(runtimes) => client_runtime()?.block_on(runtimes::run(&runtimes, out)),
        Command::Credentials(credentials) => {
            faults::set_up()?;
            credentials::run(&credentials, out)
        }
        Command::Deploy(deploy) => {
            let client = Client::new(&deploy.list.server)?;
            client_runtime()?.block_on(deploy::run(&deploy, &client, out, &mut std::io::stderr()))
        }
        Command::Functions(functions) => {
            let client = Client::new(&functions.list().server)?;
            client_runtime()?.block_on(functions::run(&functions, &client, out))
        }
        Command::Environments(environments) => {
            let client = Client::new(&environments.list.server)?;
            client_runtime()?.block_on(environments::run(&environments, &client, out))
        }
        Command::Logs(logs) => {
            let client = Client::new(&logs.list.server)?;
            client_runtime()?.block_on(logs::run(&logs, &client, appearance.terminal, out))
        }
        Command::Timeline(timeline) => {
            let client = Client::new(&timeline.list.server)?;
            client_runtime()?.block_on(timeline::run(&timeline, &client, appearance, out))
        }
        Command::Whatif(whatif) => {
            let client = Client::new(&whatif.list.server)?;
            client_runtime()?.block_on(whatif::run(&whatif, &client, out))
        }
        Command::Tune(tune) => {
            let client = Client::new(&tune.list.server)?;
            client_runtime()?.block_on(tune::run(&tune, &client, out, &mut std::io::stderr()))
        }
        Command::Flame(flame) => {
            let client = Client::new(&flame.server)?;
            client_runtime()?.block_on(flame::run(&flame, &client, appearance, out))
        }
        Command::Tax(tax) => {
            let client = Client::new(&tax.list.server)?;
            client_runtime()?.block_on(tax::run(&tax, &client, out))
        }
        Command::Fault(fault) => {
            let client = Client::new(&fault.list().server)?;
            client_runtime()?.block_on(fault_injection::run(&fault, &client, out))
        }
        Command::Cost(cost) => {
            let client = Client::new(&cost.list.server)?;
            client_runtime()?.block_on(cost::run(&cost, &client, out, &mut std::io::stderr()))
        }
        Command::Top(top) => {
            let client = Client::new(&top.server)?;
            client_runtime()?.block_on(top::run(&top, &client, out))
        }
    }
}

fn client_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start Tokio")
}

/// Tells the user what happened, with all its causes in one line, and what to do about it.
fn report(error: &anyhow::Error) -> ExitCode {
    if stdout::is_closed(error) {
        return ExitCode::Success;
    }
    let (code, hint) = code_and_hint(error);
    // If nobody reads standard error either, the exit code has to do.
    let mut stderr = std::io::stderr();
    let _ = writeln!(stderr, "error: {error:#}");
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "hint: {hint}");
    }
    code
}

fn code_and_hint(error: &anyhow::Error) -> (ExitCode, Option<&str>) {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<ClientError>() {
            return (error.exit_code(), error.hint());
        }
        if let Some(error) = cause.downcast_ref::<SettingsError>() {
            return (ExitCode::Usage, error.hint());
        }
        if let Some(error) = cause.downcast_ref::<hearth_server::StartError>() {
            return (ExitCode::StartFailed, error.hint());
        }
        if let Some(error) = cause.downcast_ref::<hearth_server::CredentialsError>() {
            return (ExitCode::Failure, error.hint());
        }
        if let Some(error) = cause.downcast_ref::<runtimes::InstallFailed>() {
            return (ExitCode::Failure, error.hint());
        }
        if let Some(error) = cause.downcast_ref::<hearth_server::InstallError>() {
            return (ExitCode::Failure, error.hint());
        }
        if let Some(error) = cause.downcast_ref::<deploy::DeployError>() {
            return (error.exit_code(), error.hint());
        }
        if let Some(deploy::ApplyError::Client(error)) = cause.downcast_ref::<deploy::ApplyError>() {
            return (error.exit_code(), error.hint());
        }
        if let Some(error) = cause.downcast_ref::<tune::TuneError>() {
            return (error.exit_code(), error.hint());
        }
        if let Some(error) = cause.downcast_ref::<demo::DemoError>() {
            return (ExitCode::Failure, error.hint());
        }
    }
    (ExitCode::Failure, None)
}

/// Entry points of the fuzzer (`fuzz/`), and of nobody else.
#[doc(hidden)]
pub mod fuzzing {
    use clap::Parser as _;

    use crate::arguments::{Arguments, Command};
    use crate::settings::{self, Surroundings};

    /// Reads the settings of `hearth serve` from its flags and the text of a `hearth.toml`.
    pub fn settings(flags: &[&str], toml: &str) -> Result<hearth_server::Settings, String> {
        let arguments = [&["hearth", "serve"], flags].concat();
        let Command::Serve(arguments) =
            Arguments::try_parse_from(arguments).map_err(|error| error.to_string())?.command
        else {
            return Err("another command".to_owned());
        };
        let surroundings = Surroundings {
            path: "/bin".into(),
            xdg_data_home: Some("/data".into()),
            ..Surroundings::default()
        };
        settings::of_text(&arguments, toml, &surroundings).map_err(|error| error.to_string())
    }
}
