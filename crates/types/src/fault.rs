//! Faults that somebody injects on purpose: at which step of a lifecycle, and what happens there. AWS has no words for
//! these; the steps are its phases.

use std::fmt;
use std::time::Duration;

use crate::ExtensionName;

/// At which step a fault is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultPhase {
    /// An external extension has been started.
    ExtensionInit,
    /// The runtime has been started.
    RuntimeInit,
    /// The function's code has been loaded: the runtime is about to wait for its first event.
    FunctionInit,
    /// An invocation is about to be handed to the runtime.
    Invoke,
    /// The runtime has answered; of an extension: the runtime is done.
    AfterInvoke,
    /// The environment is about to be ended.
    Shutdown,
}

impl FaultPhase {
    /// Every phase, in the order of a life.
    pub const ALL: &'static [Self] = &[
        Self::ExtensionInit,
        Self::RuntimeInit,
        Self::FunctionInit,
        Self::Invoke,
        Self::AfterInvoke,
        Self::Shutdown,
    ];

    /// Returns the phase as one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExtensionInit => "extension-init",
            Self::RuntimeInit => "runtime-init",
            Self::FunctionInit => "function-init",
            Self::Invoke => "invoke",
            Self::AfterInvoke => "after-invoke",
            Self::Shutdown => "shutdown",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|phase| phase.as_str() == word)
    }

    /// Returns what can be done in it, by the words of [`FaultDeed::as_str`].
    pub const fn deeds(self) -> &'static [&'static str] {
        match self {
            Self::ExtensionInit | Self::RuntimeInit | Self::FunctionInit | Self::AfterInvoke => {
                &["fail", "hang", "delay", "kill", "oom"]
            }
            Self::Invoke => &["fail", "hang", "delay", "kill", "oom", "throttle"],
            // Nobody listens to an error then, and what ends needs no memory.
            Self::Shutdown => &["hang", "delay", "kill"],
        }
    }

    /// Returns whether an extension can be named as the one to be hit.
    pub const fn is_of_extensions(self) -> bool {
        match self {
            Self::ExtensionInit | Self::Invoke | Self::AfterInvoke | Self::Shutdown => true,
            // Only the runtime does something that could fail then.
            Self::RuntimeInit | Self::FunctionInit => false,
        }
    }
}

impl fmt::Display for FaultPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultDeed {
    /// The phase ends with an error, as if the runtime or the extension had reported one.
    Fail,
    /// The process stands still until it is killed.
    Hang,
    /// The process stands still for so long, then goes on.
    Delay(Duration),
    /// The process is killed.
    Kill,
    /// The process is killed as if memory had run out.
    OutOfMemory,
    /// The call is throttled.
    Throttle,
}

impl FaultDeed {
    /// Returns the deed as one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Hang => "hang",
            Self::Delay(_) => "delay",
            Self::Kill => "kill",
            Self::OutOfMemory => "oom",
            Self::Throttle => "throttle",
        }
    }

    /// Returns how long a delay is.
    pub const fn delay(self) -> Option<Duration> {
        match self {
            Self::Delay(delay) => Some(delay),
            Self::Fail | Self::Hang | Self::Kill | Self::OutOfMemory | Self::Throttle => None,
        }
    }
}

/// As a command says it: `delay 500` in milliseconds.
impl fmt::Display for FaultDeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self.delay() {
            Some(delay) => write!(f, " {}", delay.as_millis()),
            None => Ok(()),
        }
    }
}

/// A fault that was injected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectedFault {
    /// When.
    pub phase: FaultPhase,
    /// What.
    pub deed: FaultDeed,
    /// Which extension was hit; `None`: the runtime.
    pub extension: Option<ExtensionName>,
}

impl fmt::Display for InjectedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.deed, self.phase)?;
        match &self.extension {
            Some(extension) => write!(f, " of {extension}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for &phase in FaultPhase::ALL {
            assert_eq!(FaultPhase::parse(phase.as_str()), Some(phase));
        }
        assert_eq!(FaultPhase::parse("init"), None);
        let fault = InjectedFault {
            phase: FaultPhase::AfterInvoke,
            deed: FaultDeed::Delay(Duration::from_millis(500)),
            extension: ExtensionName::new("agent"),
        };
        assert_eq!(fault.to_string(), "delay 500 at after-invoke of agent");
    }
}
