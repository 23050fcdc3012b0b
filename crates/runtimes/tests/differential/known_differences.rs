//! Where Hearth's clients differ from AWS's, and why it stays so.
//!
//! Not seen here, because both clients run on the same host: Hearth starts Python without `site` and runs it when a
//! module is not found otherwise, so that `.pth` files and a `sitecustomize` of the host's Python do nothing until then
//! (with a `PYTHON…` variable of the user, `site` runs at once). It would be a third of every cold start.
//!
//! Nor what depends on which of two requests is faster: a promise that is rejected while a CommonJS module of Node.js
//! loads. AWS's client posts `/init/error` and asks for the first event at once; Hearth's only posts (see `node.rs`).

use crate::Chapter;
use crate::Official::{self, Node20, Node22, Node24, Python311};

/// A difference that is meant.
struct Known {
    /// The clients that Hearth's differ from.
    clients: &'static [Official],
    /// The handlers; `chapter/*` is all of a chapter that have such a line, and at least one.
    rows: &'static [&'static str],
    /// What the lines have in them that only Hearth's client has.
    hearth: &'static [&'static str],
    /// What the lines have in them that only AWS's client has.
    aws: &'static [&'static str],
    /// The reason.
    #[allow(dead_code, reason = "for people")]
    why: &'static str,
}

const PYTHON: &[Official] = &[Python311];
const NODE_3: &[Official] = &[Node20, Node22];
const NODE_4: &[Official] = &[Node24];

const KNOWN_DIFFERENCES: &[Known] = &[
    Known {
        clients: PYTHON,
        rows: &["loading/*", "json while loading/*"],
        hearth: &["LAMBDA_WARNING: Unhandled exception."],
        aws: &["LAMBDA_WARNING: Unhandled exception."],
        why: "AWS's text goes on about updates of its runtimes, which Hearth does not have",
    },
    Known {
        clients: PYTHON,
        rows: &["an event that is broken JSON"],
        hearth: &["Unable to unmarshal input: "],
        aws: &["Unable to unmarshal input: "],
        why: "the words are those of Python's own `json`, not of the package that AWS has; the service refuses such \
              events before a function sees them",
    },
    Known {
        clients: PYTHON,
        rows: &["an event that is NaN"],
        hearth: &["f00/response", "body \"NaN\""],
        aws: &["f00/error", "Unable to unmarshal input: "],
        why: "as before: no such event gets past the service",
    },
    Known {
        clients: PYTHON,
        rows: &["an async handler"],
        hearth: &["RuntimeWarning: coroutine 'handler' was never awaited"],
        aws: &["RuntimeWarning: coroutine 'handler' was never awaited", "  handle_event_request(\\n"],
        why: "Python shows the client's line that dropped the coroutine",
    },
    Known {
        clients: PYTHON,
        rows: &["an interrupt while loading"],
        hearth: &[],
        aws: &["in import_module", "_gcd_import(name", "^^^^^"],
        why: "Hearth calls the import system without the package `importlib` and adds this frame to what it reports, but \
              cannot add it to what Python itself writes at its end",
    },
    Known {
        clients: &[Python311, Node20, Node22, Node24],
        rows: &["a long exception"],
        hearth: &[],
        aws: &["lambda-runtime-function-xray-error-cause: "],
        why: "the service crops a cause to 64 KiB: a larger one is left out rather than sent in a header",
    },
    Known {
        clients: PYTHON,
        rows: &["an answer that is refused"],
        hearth: &["GET invocation/next", "POST invocation/", "  content-type: ", "  body ", "SIGKILL"],
        aws: &["Traceback", "RuntimeError: Failed to post invocation response", "exit status: 1"],
        why: "AWS's client for Python gives up with the environment; the function has done nothing wrong, and those for \
              Node.js go on too",
    },
    Known {
        clients: PYTHON,
        rows: &["a deep exception"],
        hearth: &["\\\"RecursionError\\\"", "[ERROR] RecursionError: "],
        aws: &[
            "\\\"RecursionError\\\"",
            "[ERROR] RecursionError: ",
            "lambda-runtime-function-xray-error-cause: ",
        ],
        why: "how deep it gets depends on the frames of the client below it (and the cause is too long, as before)",
    },
    Known {
        clients: NODE_3,
        rows: &["a broken package.json"],
        hearth: &["package.json cannot be read and does not count as a sign of an ES module."],
        aws: &["package.json cannot be read, it will be ignored"],
        why: "the same in other words",
    },
    Known {
        clients: NODE_3,
        rows: &["an exception without a stack", "an exception whose name is not text"],
        hearth: &["The handler failed with a value whose name, message or stack cannot be read."],
        aws: &["there was a problem while retrieving one or more of its message, name, and stack"],
        why: "the same in other words",
    },
    Known {
        clients: NODE_3,
        rows: &["a promise that is settled in the next invocation"],
        hearth: &["The invocation has been answered already: a second answer is ignored."],
        aws: &["Invocation has already been reported as done."],
        why: "the same in other words",
    },
    Known {
        clients: NODE_3,
        rows: &["an exception that the function catches itself"],
        hearth: &["caught late"],
        aws: &[],
        why: "AWS's client blocks while it posts and then ends the process, so that listeners behind its own are never \
              called; Hearth's has no way to block",
    },
    Known {
        clients: NODE_3,
        rows: &["a handler of another mode"],
        hearth: &[
            "lambda-runtime-function-error-type: Runtime.MalformedStreamingHandler",
            "body \"{\\\"errorType\\\":\\\"Runtime.MalformedStreamingHandler",
            "Uncaught Exception",
        ],
        aws: &[
            "lambda-runtime-function-error-type: ReferenceError",
            "MalformedStreamingHandler is not defined",
            "Uncaught Exception",
        ],
        why: "a slip in AWS's client, which means the error that Hearth's reports",
    },
    Known {
        clients: &[Node22],
        rows: &["a top-level await that never ends"],
        hearth: &[],
        aws: &["Detected unsettled top-level await", "\"\\n\""],
        why: "what Node.js shows is the line where AWS's client waits",
    },
    Known {
        clients: NODE_4,
        rows: &["an exception whose name is not text"],
        hearth: &["The handler failed with a value whose name, message or stack cannot be read."],
        aws: &["there was a problem while retrieving one or more of its message, name, and stack"],
        why: "the same in other words",
    },
    Known {
        clients: NODE_4,
        rows: &["callbacks/*"],
        hearth: &["ERROR: callback-based function handlers are not supported from Node.js 24 on."],
        aws: &["ERROR: AWS Lambda has removed support for callback-based function handlers"],
        why: "the same in other words",
    },
    Known {
        clients: NODE_4,
        rows: &["a folder"],
        hearth: &["imported from /var/runtime/bootstrap.cjs"],
        aws: &["imported from /var/runtime/index.mjs"],
        why: "the name of the client's own file",
    },
    Known {
        clients: NODE_4,
        rows: &["wrong syntax"],
        hearth: &["body ", "Init Error ", "at ModuleJob.run (node:internal/modules/esm/module_job:"],
        aws: &[
            "body ",
            "Init Error ",
            "at ModuleJob.run (node:internal/modules/esm/module_job:",
            "at async node:internal/modules/esm/loader:",
        ],
        why: "Node.js cuts a stack after ten frames, and Hearth's has one more of how Node.js runs jobs",
    },
    Known {
        clients: NODE_4,
        rows: &[
            "JSON of wrong syntax",
            "JSON of an exception while loading",
            "JSON of an exception while loading, framed",
        ],
        hearth: &[
            "body ",
            "\\\"level\\\":\\\"ERROR\\\"",
            "at ModuleJob.run (node:internal/modules/esm/module_job:",
        ],
        aws: &[
            "body ",
            "\\\"level\\\":\\\"ERROR\\\"",
            "at ModuleJob.run (node:internal/modules/esm/module_job:",
            "at async node:internal/modules/esm/loader:",
        ],
        why: "as before",
    },
    Known {
        clients: PYTHON,
        rows: &["JSON of exc_info that is not there"],
        hearth: &[
            "/response",
            "body \"null\"",
            "\\\"message\\\": \\\"nothing\\\"",
            "\\\"message\\\": \\\"after\\\"",
        ],
        aws: &[
            "/error",
            "lambda-runtime-function-xray-error-cause: ",
            "body \"{\\\"errorMessage\\\": \\\"'NoneType' object",
            "\\\"errorType\\\": \\\"AttributeError\\\"",
        ],
        why: "`logger.exception` outside of an `except` fails in AWS's formatter, and the invocation with it; Hearth's \
              writes the record without an error, as in the text format",
    },
    Known {
        clients: NODE_4,
        rows: &["a client context that is not JSON"],
        hearth: &["Cannot parse ClientContext as json"],
        aws: &["Failed to parse lambda-runtime-client-context as JSON"],
        why: "the same in other words: those of AWS's earlier client",
    },
    Known {
        clients: NODE_4,
        rows: &["logs in JSON of a tenant"],
        hearth: &["\\\"tenantId\\\":\\\"blue\\\",\\\"message\\\":"],
        aws: &["\\\"requestId\\\":\\\"8476a536-e9f4-11e8-9739-2dfe598c3f00\\\",\\\"message\\\":"],
        why: "AWS's client would write the tenant, but never tells its log of it",
    },
];

/// The known differences from one client, and which of them were met.
pub(crate) struct KnownDifferences {
    parts: Vec<Part>,
}

/// A part of a line, and where it differs.
struct Part {
    chapter: &'static str,
    /// A handler, or `chapter/*`.
    row: &'static str,
    is_hearth: bool,
    text: &'static str,
    met: bool,
}

impl KnownDifferences {
    /// # Panics
    /// When a handler is not there.
    pub(crate) fn of(official: Official, chapters: &[Chapter]) -> Self {
        let mut parts = Vec::new();
        for known in KNOWN_DIFFERENCES.iter().filter(|known| known.clients.contains(&official)) {
            for row in known.rows {
                let has_row = |(chapter, handlers): &&Chapter| {
                    row.strip_suffix("/*") == Some(chapter) || handlers.iter().any(|(name, _)| name == row)
                };
                let (chapter, _) =
                    chapters.iter().find(has_row).unwrap_or_else(|| panic!("no handler `{row}`"));
                let part =
                    |is_hearth| move |text: &&'static str| Part { chapter, row, is_hearth, text, met: false };
                parts.extend(known.hearth.iter().map(part(true)));
                parts.extend(known.aws.iter().map(part(false)));
            }
        }
        Self { parts }
    }

    /// Returns the lines that only one of the clients has and that are not known to differ.
    pub(crate) fn unexplained(
        &mut self,
        chapter: &str,
        row: &str,
        ours: &[String],
        theirs: &[String],
    ) -> String {
        let mut unexplained = String::new();
        for (is_hearth, whose, lines) in [(true, "Hearth", ours), (false, "AWS   ", theirs)] {
            for line in lines {
                let mut is_known = false;
                for part in self.parts.iter_mut().filter(|part| part.is_hearth == is_hearth) {
                    let is_here = part.row == row || part.row.strip_suffix("/*") == Some(chapter);
                    if is_here && line.contains(part.text) {
                        part.met = true;
                        is_known = true;
                    }
                }
                if !is_known {
                    unexplained.push_str(&format!("  only {whose} {line}\n"));
                }
            }
        }
        unexplained
    }

    /// Returns those of some chapters that were not met.
    pub(crate) fn gone(&self, chapters: &[&str]) -> impl Iterator<Item = String> {
        let gone = self.parts.iter().filter(|part| !part.met && chapters.contains(&part.chapter));
        gone.map(|part| {
            format!("{}: only {} {}", part.row, if part.is_hearth { "Hearth" } else { "AWS" }, part.text)
        })
    }
}
