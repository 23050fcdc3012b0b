//! The terminal while `hearth top` has it: another screen, no echo, keys one by one; and as it was, afterwards.

use std::io::{self, IsTerminal as _, Read as _, Write};

use anyhow::Context as _;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::sync::mpsc;

use super::view::Room;

/// The other screen, without a cursor and without breaking lines.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// How many keys wait at most while a screen is drawn; whoever types faster waits.
const KEYS_MAX: usize = 16;

/// The terminal, ours until this is dropped.
pub(super) struct Screen<'out> {
    out: &'out mut dyn Write,
    before: Termios,
}

/// Whether there is somebody who looks and types.
pub(super) fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

impl<'out> Screen<'out> {
    /// Takes the terminal.
    pub(super) fn enter(out: &'out mut dyn Write) -> anyhow::Result<Self> {
        let before = tcgetattr(io::stdin()).context("cannot read the settings of the terminal")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw).context("cannot set the terminal")?;
        // From here on it is put back, whatever happens.
        let screen = Self { out, before };
        screen.out.write_all(ENTER.as_bytes())?;
        screen.out.flush()?;
        Ok(screen)
    }

    /// Returns how large it is now.
    pub(super) fn room() -> Room {
        match tcgetwinsize(io::stdout()) {
            // A terminal that does not say is as large as they mostly are.
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Room { width: usize::from(size.ws_col), height: usize::from(size.ws_row) }
            }
            _ => Room { width: 80, height: 24 },
        }
    }

    /// Shows these lines, and nothing else.
    pub(super) fn show(&mut self, lines: &[String]) -> io::Result<()> {
        let mut frame = String::from("\x1b[H");
        for (at, line) in lines.iter().enumerate() {
            frame.push_str(if at == 0 { "" } else { "\r\n" });
            frame.push_str(line);
            frame.push_str("\x1b[K");
        }
        frame.push_str("\x1b[J");
        self.out.write_all(frame.as_bytes())?;
        self.out.flush()
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        // Who has closed the terminal does not mind.
        let _ = self.out.write_all(LEAVE.as_bytes()).and_then(|()| self.out.flush());
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// Reads what is typed, on a thread that ends with the process or when nobody listens.
pub(super) fn keys() -> anyhow::Result<mpsc::Receiver<Vec<u8>>> {
    let (send, keys) = mpsc::channel(KEYS_MAX);
    let read = move || {
        let mut bytes = [0; 64];
        while let Ok(length @ 1..) = io::stdin().read(&mut bytes) {
            if send.blocking_send(bytes[..length].to_vec()).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("keys".to_owned()).spawn(read).context("cannot start a thread")?;
    Ok(keys)
}
