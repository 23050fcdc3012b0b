//! What a backend says about itself at the start: which walls are in force on this host, and which are not.

use std::fmt;

use crate::Isolation;

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about, in a word or two.
    pub what: &'static str,
    /// What holds, or what does not and why, without a full stop.
    pub state: String,
    /// Whether it protects.
    pub is_in_force: bool,
}

impl Fact {
    /// Says what protects.
    pub fn in_force(what: &'static str, state: impl Into<String>) -> Self {
        Self { what, state: state.into(), is_in_force: true }
    }

    /// Says what does not.
    pub fn missing(what: &'static str, state: impl Into<String>) -> Self {
        Self { what, state: state.into(), is_in_force: false }
    }
}

/// All of it. Its text is a block of lines, each of them ended; what is not in force is marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Which backend.
    pub isolation: Isolation,
    /// Its lines, in the order in which they are read.
    pub facts: Vec<Fact>,
}

impl fmt::Display for Facts {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "isolation `{}`:", self.isolation.name())?;
        let width = self.facts.iter().map(|fact| fact.what.len()).max().unwrap_or(0);
        for Fact { what, state, is_in_force } in &self.facts {
            let mark = if *is_in_force { ' ' } else { '!' };
            writeln!(to, "{mark} {what:width$}  {state}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_marks_what_is_not_in_force() {
        let facts = Facts {
            isolation: Isolation::Namespaces,
            facts: vec![Fact::in_force("seccomp", "a filter"), Fact::missing("memory", "not limited")],
        };
        let expected = "isolation `namespaces`:\n  seccomp  a filter\n! memory   not limited\n";
        assert_eq!(facts.to_string(), expected);
    }
}
