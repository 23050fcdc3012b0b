//! `hearth serve`: the service, from its start until SIGTERM or SIGINT has drained it.

use std::io::Write;
use std::num::NonZero;

use anyhow::Context as _;
use hearth_server::Settings;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::arguments::ServeArguments;
use crate::exit_code::ExitCode;
use crate::settings::{Surroundings, settings};

/// Plenty for a task that is polled: nothing here recurses without a limit. Without optimisation every branch of a task has a
/// place of its own on the stack.
const THREAD_STACK_BYTES: usize = if cfg!(debug_assertions) { 4 << 20 } else { 1 << 20 };
/// More threads than this serve nobody.
const THREADS_MAX: usize = 256;
/// For files only; each costs memory while it lives.
const BLOCKING_THREADS_MAX: usize = 32;

/// Runs the service.
pub(crate) fn run(arguments: &ServeArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let settings = settings(arguments, &Surroundings::of_this_process())?;
    tokio_runtime(settings.threads)?.block_on(serve(settings, out))
}

async fn serve(settings: Settings, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    // Before anything is started, so that a signal during the start is not lost.
    let mut stop = StopSignals::new()?;
    let server = hearth_server::start(settings).await.context("cannot start the server")?;
    eprint!("{}", server.walls());
    writeln!(out, "hearth is ready at {}", server.url())?;
    out.flush()?;
    stop.next().await;
    tracing::info!("draining; SIGINT ends at once");
    tokio::select! {
        drained = server.drain() => drained.context("the server did not drain")?,
        () = stop.interrupted() => anyhow::bail!("stopped before the server had drained"),
    }
    Ok(ExitCode::Success)
}

/// SIGTERM and SIGINT.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Begins to listen. From here on neither of them ends the process by itself.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for SIGINT: a person who presses the keys once more does not want to wait. Another SIGTERM says nothing new.
    pub(crate) async fn interrupted(&mut self) {
        let _ = self.interrupt.recv().await;
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Makes the Tokio runtime of a server, with so many threads, or one a processor. With one thread on two processors the server's
/// threads take turns less often (2 context switches a warm call rather than 5, measured), but calls were slower while the
/// machine was busy, so that is for whoever has measured it.
pub(crate) fn tokio_runtime(threads: Option<usize>) -> anyhow::Result<tokio::runtime::Runtime> {
    let by_processors = || std::thread::available_parallelism().map_or(1, NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.unwrap_or_else(by_processors).min(THREADS_MAX))
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_stack_size(THREAD_STACK_BYTES)
        .thread_name("hearth")
        .enable_all()
        .build()
        .context("cannot start Tokio")
}

/// Sends our own log to standard error: what `HEARTH_LOG` says, otherwise `level`.
pub(crate) fn log_to_stderr(level: &str) -> anyhow::Result<()> {
    let filter = std::env::var("HEARTH_LOG").ok().filter(|filter| !filter.is_empty());
    let filter = filter.as_deref().unwrap_or(level);
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .with_context(|| format!("HEARTH_LOG is not a filter: `{filter}`"))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    Ok(())
}
