//! The mappings of a process, and which of their pages are its own.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use nix::libc;

use super::{SnapshotError, failed};

pub(super) const PAGE: u64 = 4_096;
/// How many clean pages between dirty ones are taken for dirty: one mapping costs as much as some pages. Ours.
const GAP_PAGES: u64 = 8;
/// How large all mappings may be together. Ours: each page of them is looked at, and a function can map, without using it,
/// more than could be looked at in a day.
const MAPPED_BYTES_MAX: u64 = 64 << 30;
/// The only place where a function can write. What it has mapped there is not there when it is restored; and nobody else is
/// to look up paths that a function can change.
const WRITABLE: &str = "/tmp/";
/// How many entries of the page map are read at once.
const ENTRIES: u64 = 4_096;

const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const OF_FILE: u64 = 1 << 61;

/// One mapping.
pub(super) struct Mapping {
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) protection: u64,
    /// Where in its file it begins.
    pub(super) offset: u64,
    pub(super) what: What,
    /// What of it is the process' own.
    pub(super) dirty: Vec<(u64, u64)>,
}

/// What is mapped.
pub(super) enum What {
    /// Memory that begins empty.
    Anonymous,
    /// The stack of the first thread, which grows.
    Stack,
    /// The memory that `brk` moves.
    Heap,
    /// A file, by its path as the process sees it.
    File(String),
}

/// All mappings of a process.
pub(super) struct Layout {
    pub(super) mappings: Vec<Mapping>,
    /// What the kernel has mapped: beginning and end, the vDSO last.
    pub(super) of_kernel: Vec<(u64, u64)>,
    /// Where the vDSO is.
    pub(super) vdso: u64,
    /// How large the mappings are together.
    mapped: u64,
}

impl Layout {
    /// Reads those of a process that stands still.
    pub(super) fn of(pid: i32) -> Result<Self, SnapshotError> {
        let maps = fs::read(format!("/proc/{pid}/smaps")).map_err(failed("read its mappings"))?;
        let maps = String::from_utf8(maps).map_err(|_| refused("a file with an odd name"))?;
        let pages = File::open(format!("/proc/{pid}/pagemap")).map_err(failed("read its pages"))?;
        let mut layout = Self { mappings: Vec::new(), of_kernel: Vec::new(), vdso: 0, mapped: 0 };
        let mut is_of_process = false;
        for line in maps.lines() {
            // A mapping begins with its address; what is told of it, with a word.
            match line.split_once(' ') {
                Some((word, flags)) if word.ends_with(':') => {
                    // What a fork would wipe: libraries keep the state of their random numbers there.
                    if word == "VmFlags:" && is_of_process && flags.split(' ').any(|flag| flag == "wf") {
                        layout.mappings.last_mut().into_iter().for_each(|mapping| mapping.dirty.clear());
                    }
                }
                _ => {
                    let before = layout.mappings.len();
                    layout.take(line, &pages)?;
                    is_of_process = layout.mappings.len() > before;
                }
            }
        }
        // The kernel wants it to be moved last: its address is how it tells that it moved.
        layout.of_kernel.sort_by_key(|(begin, _)| *begin == layout.vdso);
        if layout.vdso == 0 {
            return Err(refused("no vDSO"));
        }
        Ok(layout)
    }

    fn take(&mut self, line: &str, pages: &File) -> Result<(), SnapshotError> {
        let odd = || refused("an odd mapping");
        let mut fields = line.splitn(6, ' ');
        let mut next = || fields.next().ok_or_else(odd);
        let (range, permissions, offset) = (next()?, next()?, next()?);
        let (_device, inode) = (next()?, next()?);
        let path = fields.next().unwrap_or_default().trim_start();
        let hex = |text: &str| u64::from_str_radix(text, 16).map_err(|_| odd());
        let (begin, end) = range.split_once('-').ok_or_else(odd)?;
        let (begin, end, offset) = (hex(begin)?, hex(end)?, hex(offset)?);
        let what = match path {
            "[vsyscall]" => return Ok(()),
            "[vdso]" => {
                self.vdso = begin;
                self.of_kernel.push((begin, end));
                return Ok(());
            }
            kernel if kernel.starts_with("[vvar") => {
                self.of_kernel.push((begin, end));
                return Ok(());
            }
            "[stack]" => What::Stack,
            "[heap]" => What::Heap,
            _ if inode == "0" && (path.is_empty() || path.starts_with("[anon")) => What::Anonymous,
            file if file.starts_with('/')
                && !file.starts_with(WRITABLE)
                && !file.contains('\\')
                && !file.ends_with(" (deleted)") =>
            {
                What::File(file.to_owned())
            }
            _ => return Err(refused(&format!("it has mapped `{path}`"))),
        };
        self.mapped += end - begin;
        if self.mapped > MAPPED_BYTES_MAX {
            return Err(refused("it has mapped more than 64 GiB"));
        }
        let has = |letter: char| permissions.contains(letter);
        let shared_for_reading = has('s') && !has('w') && matches!(what, What::File(_));
        if has('s') && !shared_for_reading {
            return Err(refused("it shares memory with others"));
        }
        let bit = |letter: char, bit: libc::c_int| if has(letter) { bit as u64 } else { 0 };
        let protection = bit('r', libc::PROT_READ) | bit('w', libc::PROT_WRITE) | bit('x', libc::PROT_EXEC);
        let dirty = match shared_for_reading {
            true => Vec::new(),
            false => dirty(pages, begin, end)?,
        };
        self.mappings.push(Mapping { begin, end, protection, offset, what, dirty });
        Ok(())
    }
}

/// Finds the pages of a mapping that are the process' own: those that are there, and not a file's.
fn dirty(pages: &File, begin: u64, end: u64) -> Result<Vec<(u64, u64)>, SnapshotError> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    let mut entries = vec![0; (ENTRIES * 8) as usize];
    let mut page = begin / PAGE;
    while page < end / PAGE {
        let count = ENTRIES.min(end / PAGE - page);
        let part = &mut entries[..(count * 8) as usize];
        pages.read_exact_at(part, page * 8).map_err(failed("read its pages"))?;
        let (chunks, _) = part.as_chunks::<8>();
        for (index, entry) in (0..).zip(chunks) {
            let entry = u64::from_ne_bytes(*entry);
            if entry & (PRESENT | SWAPPED) == 0 || entry & OF_FILE != 0 {
                continue;
            }
            let at = (page + index) * PAGE;
            match runs.last_mut() {
                Some((_, last)) if at - *last <= GAP_PAGES * PAGE => *last = at + PAGE,
                _ => runs.push((at, at + PAGE)),
            }
        }
        page += count;
    }
    Ok(runs)
}

fn refused(why: &str) -> SnapshotError {
    SnapshotError::Refused(why.to_owned())
}
