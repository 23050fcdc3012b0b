//! Standard output: where data goes, and nothing else.

use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write};

/// What `COLUMNS` and the terminal do not tell.
const WIDTH_DEFAULT: usize = 100;

/// Standard output that knows when its reader has gone, as `head` does when it has seen enough.
/// Buffered: what shall be seen must be flushed.
pub(crate) struct Stdout(BufWriter<StdoutLock<'static>>);

/// Nobody reads standard output any more. Not a failure: whoever closed it has what they wanted.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
struct StdoutClosed;

impl Stdout {
    pub(crate) fn lock() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }
}

impl Write for Stdout {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer).map_err(closed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(closed)
    }
}

fn closed(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::BrokenPipe { io::Error::other(StdoutClosed) } else { error }
}

/// Says whether `error` only means that nobody reads our output any more.
pub(crate) fn is_closed(error: &anyhow::Error) -> bool {
    let inner = |cause: &&(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .is_some_and(|it| it.is::<StdoutClosed>())
    };
    error.chain().any(|cause| inner(&cause))
}

/// How text may look: the width of the terminal, and whether colours are welcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Appearance {
    pub(crate) width: usize,
    pub(crate) colour: bool,
    /// A person looks at it: control characters of a function's output must not reach the terminal.
    pub(crate) terminal: bool,
}

impl Appearance {
    /// Looks at standard output, `NO_COLOR`, `TERM` and `COLUMNS`.
    pub(crate) fn of_stdout() -> Self {
        let terminal = io::stdout().is_terminal();
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let columns = || variable("COLUMNS")?.to_str()?.parse().ok();
        let width = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        let dumb = variable("TERM").is_none_or(|term| term == "dumb");
        Self {
            width: width.or_else(columns).unwrap_or(WIDTH_DEFAULT),
            colour: terminal && !dumb && variable("NO_COLOR").is_none(),
            terminal,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_reader_that_has_gone_is_told_from_a_connection_that_broke() {
        let ours =
            Err::<(), _>(closed(io::ErrorKind::BrokenPipe.into())).context("cannot print").unwrap_err();
        assert!(is_closed(&ours));
        let other =
            Err::<(), _>(closed(io::ErrorKind::StorageFull.into())).context("cannot print").unwrap_err();
        assert!(!is_closed(&other));
        assert!(!is_closed(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
    }
}
