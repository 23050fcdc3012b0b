//! What the Init of a function imports: the records that a runtime client of Hearth sends while the function's code is
//! loaded, and the tree that is made of them.
//!
//! The records come from inside of an environment, so they are untrusted: bounded in number, size and depth
//! ([`ImportCollector`]), and each number in them is checked against the others. At worst a function's own profile is wrong.

mod collector;
mod tree;

use std::time::Duration;

pub use collector::{ImportCollector, ImportStream};

/// Of what an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportKind {
    /// A module of Python.
    Python,
    /// A module of Python that was loaded already, and is loaded again.
    Reload,
    /// A CommonJS module of Node.js.
    CommonJs,
    /// An ES module of Node.js.
    EsModule,
    /// A module that Node.js brings along.
    BuiltIn,
    /// Resolving, reading and compiling the ES modules, before the first of them runs: Node.js does that for many at once.
    Linking,
}

impl ImportKind {
    /// Returns the kind as one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Reload => "reload",
            Self::CommonJs => "commonjs",
            Self::EsModule => "module",
            Self::BuiltIn => "builtin",
            Self::Linking => "linking",
        }
    }

    /// Returns the kind that a runtime client tells.
    fn told(word: &str) -> Option<Self> {
        let told = [Self::Python, Self::Reload, Self::CommonJs, Self::EsModule, Self::BuiltIn];
        told.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// What made it: an index of [`ImportProfile::imports`]. `None` for what the runtime client loaded, and what began in
    /// another thread.
    pub parent: Option<usize>,
    /// How many are above it.
    pub depth: usize,
    /// Of what it is.
    pub kind: ImportKind,
    /// Its name as people know it.
    pub name: String,
    /// Its file as the function sees it.
    pub file: Option<String>,
    /// The file that imports it, and the line there.
    pub imported_by: Option<(String, Option<u32>)>,
    /// 0 for the thread that loads the function; others in the order in which they were seen.
    pub thread: u32,
    /// When it began, from the first record on.
    pub start: Duration,
    /// With all that it imports.
    pub total: Duration,
    /// Without that.
    pub own: Duration,
    /// By how much resident memory grew, with all that it imports. `None` where nobody measured.
    pub memory_kb: Option<i64>,
    /// Without that.
    pub own_memory_kb: Option<i64>,
    /// With what it failed.
    pub error: Option<String>,
    /// Init ended in it.
    pub is_unfinished: bool,
    /// It waited at an `await`: its own time is until then, this is all of it.
    pub awaited: Option<Duration>,
}

/// What an Init imported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportProfile {
    /// The imports: each behind what made it, and of those that one made the largest first.
    pub imports: Vec<Import>,
    /// Whether a runtime client has sent anything.
    pub has_begun: bool,
    /// Whether it came to its end, however Init ended.
    pub is_complete: bool,
    /// How many records are not among them: there were too many, or they made no sense.
    pub left_out: usize,
    /// The folder of the function's code as the function sees it.
    pub task_root: String,
    /// How many modules were loaded before the function's code was, and the resident memory then.
    pub modules_before: u64,
    /// The resident memory before the function's code was loaded.
    pub memory_before_kb: Option<i64>,
    /// What the runtime client took to make the records.
    pub spent_recording: Option<Duration>,
    /// From the first record to the end of Init, as far as it is known from inside.
    pub lasted: Duration,
    /// What cannot be known of ES modules in this version of Node.js, if there are any.
    pub es_modules: Option<EsModules>,
}

/// How ES modules were measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EsModules {
    /// By hooks in the function's own thread.
    Measured,
    /// By hooks in a thread of their own, which makes linking slower.
    MeasuredFromAThread,
    /// Not at all: this version of Node.js has no hooks.
    Unknown,
}
