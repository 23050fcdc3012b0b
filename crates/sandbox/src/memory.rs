//! How much memory the processes of an environment have used at most, from `/proc`.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use hearth_sandbox_init::tree;

/// Keeps the highest sum seen. The kernel keeps each process's own high-water mark (`VmHWM`), so a peak between two
/// measurements counts; only what lives and dies between two of them is missed, until cgroups do the counting.
#[derive(Default)]
pub(crate) struct MemoryMeter {
    processes: Vec<Watched>,
    bytes_max: u64,
}

/// A process that the server started. Its files stay open: opening costs more than reading.
struct Watched {
    status: File,
    children: Option<File>,
}

impl MemoryMeter {
    /// Counts `pid`, and whatever it starts, from now on.
    pub(crate) fn watch(&mut self, pid: i32) {
        if let Ok(status) = File::open(format!("/proc/{pid}/status")) {
            let children = File::open(format!("/proc/{pid}/task/{pid}/children")).ok();
            self.processes.push(Watched { status, children });
        }
    }

    /// Forgets the processes, which are gone, and keeps the mark.
    pub(crate) fn forget_processes(&mut self) {
        self.processes.clear();
    }

    /// Takes the mark of a process that has ended.
    pub(crate) fn at_least(&mut self, bytes: u64) {
        self.bytes_max = self.bytes_max.max(bytes);
    }

    /// Measures now and returns the highest sum so far, in bytes.
    pub(crate) fn measure(&mut self) -> u64 {
        let mut sum = 0;
        for process in &self.processes {
            sum += high_water_bytes(&process.status).unwrap_or(0);
            let mut text = [0; 64];
            let has_children =
                process.children.as_ref().is_some_and(|file| file.read_at(&mut text, 0).unwrap_or(0) > 0);
            if has_children {
                sum += descendants(&text).iter().map(|&pid| of_pid(pid)).sum::<u64>();
            }
        }
        self.bytes_max = self.bytes_max.max(sum);
        self.bytes_max
    }
}

/// The children listed in the beginning of a `children` file, and all below them.
fn descendants(children: &[u8]) -> Vec<i32> {
    let text = String::from_utf8_lossy(children);
    let mut found = Vec::new();
    // The last word may be cut off at the end of the buffer; it must be followed by a blank.
    for word in text.split_inclusive(' ').filter_map(|word| word.strip_suffix(' ')) {
        if let Ok(pid) = word.parse() {
            found.push(pid);
            found.extend(tree::descendants_of(pid));
        }
    }
    found
}

fn of_pid(pid: i32) -> u64 {
    File::open(format!("/proc/{pid}/status")).ok().and_then(|file| high_water_bytes(&file)).unwrap_or(0)
}

fn high_water_bytes(status: &File) -> Option<u64> {
    let mut text = [0; 1_536];
    let length = status.read_at(&mut text, 0).ok()?;
    let text = String::from_utf8_lossy(&text[..length]);
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}
