//! Which process a copy belongs to, so that a later one can tell whether it is still there.

use std::fs;

/// A process of this machine: it is told from others that had its number, before and elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// This start of this machine, and the namespace in which processes have their numbers.
    place: String,
    pid: u32,
    /// When it started, in ticks since the machine did.
    started: u64,
}

/// What is known of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It runs.
    Lives,
    /// It is gone.
    Gone,
    /// It is of another machine, or of another start of this one.
    Elsewhere,
}

impl Owner {
    /// Returns this process. Without `/proc`, it is one that nobody else knows.
    pub(super) fn this() -> Self {
        let pid = std::process::id();
        Self { place: place(), pid, started: started(pid).unwrap_or_default() }
    }

    /// Reads what [`Display`](std::fmt::Display) has written.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(3, '/');
        let (started, pid) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { place: parts.next()?.to_owned(), pid, started })
    }

    pub(super) fn fate(&self) -> Fate {
        if self.place != place() {
            return Fate::Elsewhere;
        }
        if started(self.pid) == Some(self.started) { Fate::Lives } else { Fate::Gone }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.place, self.pid, self.started)
    }
}

fn place() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits = |character: &char| character.is_ascii_digit();
    let namespace: String = namespace.to_string_lossy().chars().filter(digits).collect();
    format!("{}/{namespace}", boot.trim())
}

/// The 22nd member of `/proc/PID/stat`; the second one, a name in parentheses, may contain anything.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_another_one_of_its_number_is_gone_and_elsewhere_nobody_knows() {
        let this = Owner::this();
        assert_eq!(Owner::parse(&this.to_string()), Some(this.clone()));
        assert_eq!(this.fate(), Fate::Lives);
        assert_eq!(Owner { started: this.started + 1, ..this.clone() }.fate(), Fate::Gone);
        assert_eq!(Owner { pid: u32::MAX, ..this.clone() }.fate(), Fate::Gone);
        assert_eq!(Owner { place: "another/1".to_owned(), ..this }.fate(), Fate::Elsewhere);
        for damaged in ["", "a", "a/b/c", "a/1/-1", "1/2"] {
            assert_eq!(Owner::parse(damaged), None, "{damaged}");
        }
    }
}
