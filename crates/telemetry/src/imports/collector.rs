//! Takes the records of one profile as they come: lines of JSON, each an array that begins with its kind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::watch;

use super::tree::{Begun, Ended, Records, made_of};
use super::{ImportKind, ImportProfile};
use crate::Clock;

/// How many imports are kept. Ours: Django has 600, a Node.js function that brings all of the AWS SDK 5,000.
const IMPORTS_MAX: usize = 20_000;
/// How many edges between ES modules are kept.
const EDGES_MAX: usize = 60_000;
/// Longest line: names, files and errors have 400 characters each.
const LINE_BYTES_MAX: usize = 16 << 10;
/// How much is looked at in all; what follows is thrown away.
const BYTES_MAX: usize = 32 << 20;
/// Longest text that is kept of a record, in characters.
const TEXT_MAX: usize = 400;

/// Collects the records of the Init of one environment.
pub struct ImportCollector {
    clock: Clock,
    is_taken: AtomicBool,
    records: Mutex<Records>,
    is_open: watch::Sender<bool>,
}

impl ImportCollector {
    /// Has nothing yet.
    pub fn new(clock: Clock) -> Arc<Self> {
        let (is_open, _) = watch::channel(false);
        Arc::new(Self { clock, is_taken: AtomicBool::new(false), records: Mutex::default(), is_open })
    }

    /// Begins to take records. Only once: the runtime client is the first to come, and the function's code is not.
    pub fn open(self: &Arc<Self>) -> Option<ImportStream> {
        if self.is_taken.swap(true, Ordering::AcqRel) {
            return None;
        }
        self.is_open.send_replace(true);
        Some(ImportStream { collector: self.clone(), line: Vec::new(), is_too_long: false, bytes: 0 })
    }

    /// Waits until nothing more comes, up to `limit`; not at all if nothing has come.
    pub async fn wait_until_closed(&self, limit: Duration) {
        let mut is_open = self.is_open.subscribe();
        let _ = tokio::time::timeout(limit, is_open.wait_for(|is_open| !is_open)).await;
    }

    /// Makes the profile of what has come. What had begun and had not ended has ended with Init.
    pub fn profile(&self, init_ended: Instant) -> ImportProfile {
        made_of(&self.lock(), init_ended)
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the bytes of a profile, in whichever pieces they come.
pub struct ImportStream {
    collector: Arc<ImportCollector>,
    line: Vec<u8>,
    is_too_long: bool,
    bytes: usize,
}

impl ImportStream {
    /// Takes the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.bytes = self.bytes.saturating_add(piece.len());
        if self.bytes > BYTES_MAX {
            self.collector.lock().left_out += piece.iter().filter(|byte| **byte == b'\n').count();
            return;
        }
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_end) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            if self.line.len() + text.len() > LINE_BYTES_MAX {
                self.is_too_long = true;
                self.line.clear();
            } else if !self.is_too_long {
                self.line.extend_from_slice(text);
            }
            if is_end {
                let line = std::mem::take(&mut self.line);
                let now = self.collector.clock.now();
                let mut records = self.collector.lock();
                let is_taken = !self.is_too_long && take(&mut records, &line, now).is_some();
                records.left_out += usize::from(!is_taken);
                self.is_too_long = false;
            }
        }
    }
}

impl Drop for ImportStream {
    fn drop(&mut self) {
        self.collector.is_open.send_replace(false);
    }
}

/// Takes one record, or says that it is none.
fn take(records: &mut Records, line: &[u8], now: Instant) -> Option<()> {
    let fields: Vec<Value> = serde_json::from_slice(line).ok()?;
    let field = Fields(&fields);
    match fields.first()?.as_str()? {
        "h" => {
            // The first one counts.
            if records.hello.is_some() {
                return None;
            }
            records.task_root = field.text(1)?;
            records.modules_before = field.number(2)?;
            records.memory_before_kb = field.signed(3);
            records.hello = Some((field.time(4)?, now));
        }
        "b" => {
            let number = field.number(1)?;
            if records.begun.len() >= IMPORTS_MAX || records.index.contains_key(&number) {
                return None;
            }
            let begun = Begun {
                parent: records.index.get(&field.number(2)?).copied(),
                kind: ImportKind::told(&field.text(3)?)?,
                name: field.text(4)?,
                importer: field.text(5),
                line: field.number(6).and_then(|line| u32::try_from(line).ok()),
                thread: u32::try_from(field.number(7)?).ok()?,
                start: field.time(8)?,
                memory_kb: field.signed(9),
                ended: None,
                waits_from: None,
            };
            let at = records.begun.len();
            records.index.insert(number, at);
            records.begun.push(begun);
        }
        "e" => {
            let at = *records.index.get(&field.number(1)?)?;
            let begun = records.begun.get_mut(at).filter(|begun| begun.ended.is_none())?;
            begun.ended = Some(Ended {
                at: field.time(2)?.max(begun.start),
                memory_kb: field.signed(3),
                file: field.text(4),
                error: field.text(5),
            });
        }
        "w" => {
            let at = *records.index.get(&field.number(1)?)?;
            let begun = records.begun.get_mut(at).filter(|begun| begun.ended.is_none())?;
            begun.waits_from.get_or_insert(field.time(2)?.max(begun.start));
        }
        "i" | "u" if records.edges.len() >= EDGES_MAX => return None,
        "i" => {
            let line = field.number(3).and_then(|line| u32::try_from(line).ok());
            records.edges.push((field.text(1)?, field.text(2)?, line));
        }
        "u" => {
            let line = field.number(3).and_then(|line| u32::try_from(line).ok());
            records.unresolved.push((field.text(1)?, field.text(2)?, line, field.text(4)?));
            // They count to the same limit.
            records.edges.push((String::new(), String::new(), None));
        }
        "l" => {
            records.linking_from.get_or_insert(field.time(1)?);
            records.hooks.get_or_insert((field.flag(2)?, field.flag(3)?));
        }
        "d" => {
            records.done.get_or_insert(field.time(1)?);
            records.spent_recording = Some(field.time(2)?);
        }
        _ => return None,
    }
    Some(())
}

/// The fields of a record.
struct Fields<'a>(&'a [Value]);

impl Fields<'_> {
    fn number(&self, at: usize) -> Option<u64> {
        self.0.get(at)?.as_u64()
    }

    fn signed(&self, at: usize) -> Option<i64> {
        // Up to a petabyte, so that sums stay in range.
        self.0.get(at)?.as_i64().filter(|kb| (0..1 << 40).contains(kb))
    }

    fn flag(&self, at: usize) -> Option<bool> {
        self.0.get(at)?.as_bool()
    }

    /// Microseconds since the profile began: at most a day.
    fn time(&self, at: usize) -> Option<Duration> {
        self.number(at).filter(|us| *us < 86_400_000_000).map(Duration::from_micros)
    }

    fn text(&self, at: usize) -> Option<String> {
        self.0.get(at)?.as_str().map(|text| text.chars().take(TEXT_MAX).collect())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
