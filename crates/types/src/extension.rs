//! Extensions: companions of a function, by name, id, events and state.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// The name of an extension: of an external one the base name of its file, of an internal one what it registers with.
/// Copies share the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExtensionName(Arc<str>);

impl ExtensionName {
    /// Longest name. Ours: a file name on Linux is no longer, and AWS states no limit.
    pub const BYTES_MAX: usize = 255;

    /// Takes a name; `None` when it is empty, too long, or has control characters, which would break log lines.
    pub fn new(name: &str) -> Option<Self> {
        let fits = !name.is_empty() && name.len() <= Self::BYTES_MAX;
        (fits && !name.chars().any(char::is_control)).then(|| Self(name.into()))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExtensionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ExtensionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// By what a registered extension is known: its header `Lambda-Extension-Identifier`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExtensionId(Uuid);

impl ExtensionId {
    /// Makes a new random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Reads an id that an extension sends; `None` when it is no UUID.
    pub fn parse(value: &str) -> Option<Self> {
        Uuid::try_parse(value).ok().map(Self)
    }
}

impl fmt::Display for ExtensionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(self.0.as_hyphenated(), f)
    }
}

impl fmt::Debug for ExtensionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which events an extension has registered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtensionEvents {
    /// `INVOKE`: it hears of each invocation, and the environment waits for it.
    pub invoke: bool,
    /// `SHUTDOWN`: it hears of the end, and has time for it.
    pub shutdown: bool,
}

impl ExtensionEvents {
    /// Returns their names, sorted.
    pub fn names(self) -> Vec<&'static str> {
        let all = [(self.invoke, "INVOKE"), (self.shutdown, "SHUTDOWN")];
        all.into_iter().filter(|(registered, _)| *registered).map(|(_, name)| name).collect()
    }
}

/// How far an extension is, under the names that log lines and error texts use. Source: state machine of AWS's open runtime
/// interface emulator, read 2026-11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtensionState {
    /// Its process was started; it has not registered.
    Started,
    /// It has registered, and has not asked for an event.
    Registered,
    /// It waits for an event.
    Ready,
    /// It has an event.
    Running,
    /// It has reported that its Init failed.
    InitError,
    /// It has reported that it is going to exit with an error.
    ExitError,
    /// Its process could not be started.
    LaunchError,
    /// It had to be killed at the end of the Shutdown phase.
    ShutdownFailed,
    /// Its process is gone.
    Exited,
}

impl ExtensionState {
    /// Returns the state as AWS spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Registered => "Registered",
            Self::Ready => "Ready",
            Self::Running => "Running",
            Self::InitError => "InitError",
            Self::ExitError => "ExitError",
            Self::LaunchError => "LaunchError",
            Self::ShutdownFailed => "ShutdownFailed",
            Self::Exited => "Exited",
        }
    }
}

impl fmt::Display for ExtensionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_of_text() {
        assert_eq!(ExtensionName::new("my-extension.sh").unwrap().as_str(), "my-extension.sh");
        assert_eq!(ExtensionName::new(""), None);
        assert_eq!(ExtensionName::new("two\nlines"), None);
        assert_eq!(ExtensionName::new(&"x".repeat(256)), None);
    }

    #[test]
    fn events_are_named_in_order() {
        assert_eq!(ExtensionEvents { invoke: true, shutdown: true }.names(), ["INVOKE", "SHUTDOWN"]);
        assert!(ExtensionEvents::default().names().is_empty());
    }
}
