//! Giving back what only the start of the server needed: pages of program code that are in memory because they ran once.

use std::fs;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use nix::sys::mman::{MmapAdvise, madvise};

/// A part of this process's memory that holds program code and nothing else.
#[derive(Debug, PartialEq, Eq)]
struct Code {
    start: NonZeroUsize,
    bytes: usize,
}

/// Takes program code out of the resident memory of this process. What runs again comes back from the page cache, in less
/// than a microsecond for each 64 KiB, so it is worth it once, after the start. Returns how many bytes of code there are.
///
/// Meant for before the first request: breakpoints of a debugger go with the pages.
pub fn give_back_start_pages() -> usize {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return 0 };
    maps.lines().filter_map(code).filter(give_back).map(|code| code.bytes).sum()
}

fn give_back(code: &Code) -> bool {
    let start = NonNull::with_exposed_provenance(code.start);
    // SAFETY: `madvise` may change what is in memory only by reading it from its file again: the range is one whole
    // private mapping of a file that may be executed and not be written, as the kernel has just told it, so that the pages are
    // those of the file. Nobody unmaps it meanwhile: it is program or library, and neither is ever unloaded here. If one were,
    // the call would fail, or advise another mapping of code, for which the same holds.
    #[allow(unsafe_code)]
    let advised = unsafe { madvise(start, code.bytes, MmapAdvise::MADV_DONTNEED) };
    advised.is_ok()
}

/// Reads a line of `/proc/self/maps`; `None` for what is no code of a file.
fn code(line: &str) -> Option<Code> {
    let mut fields = line.split_ascii_whitespace();
    let (range, rights) = (fields.next()?, fields.next()?);
    // Also not the kernel's own `[vdso]`, which has no file.
    let file = fields.nth(3)?;
    if rights != "r-xp" || !file.starts_with('/') {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    Some(Code { start: NonZeroUsize::new(start)?, bytes: end.checked_sub(start)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_run_and_not_be_written_is_code() {
        let of = |line| code(line).map(|code| (code.start.get(), code.bytes));
        assert_eq!(of("1000-3000 r-xp 00000000 fe:00 12 /usr/bin/a b"), Some((0x1000, 0x2000)));
        for other in [
            "1000-3000 r--p 00000000 fe:00 12 /usr/bin/a",
            "1000-3000 rwxp 00000000 fe:00 12 /usr/bin/a",
            "1000-3000 r-xs 00000000 fe:00 12 /usr/bin/a",
            "1000-3000 r-xp 00000000 00:00 0 [vdso]",
            "1000-3000 r-xp 00000000 00:00 0",
            "0-3000 r-xp 00000000 fe:00 12 /usr/bin/a",
            "odd",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn everything_still_runs_after_its_pages_were_given_back() {
        let code = || {
            let maps = fs::read_to_string("/proc/self/smaps").unwrap();
            let mut is_code = false;
            let of_code = maps.lines().filter_map(|line| {
                if line.split_ascii_whitespace().nth(1).is_some_and(|rights| rights.len() == 4) {
                    is_code = super::code(line).is_some();
                }
                line.strip_prefix("Rss:").filter(|_| is_code)
            });
            of_code.map(|kib| kib.trim().trim_end_matches(" kB").parse::<u64>().unwrap()).sum::<u64>()
        };
        let before = code();
        assert!(give_back_start_pages() > 1 << 20);
        assert!(code() < before, "{} KiB of {before} KiB", code());
    }
}
