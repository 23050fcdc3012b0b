//! Which processes belong to a test, whoever started them.

use std::fs;
use std::path::Path;

/// Returns the ids of the processes that run a program of `folder`, work in it, or have its name in their variables.
pub fn processes_of(folder: &Path) -> Vec<u32> {
    let wanted = folder.to_string_lossy().into_owned();
    let names = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).contains(&wanted);
    let points_into = |link: &Path| fs::read_link(link).is_ok_and(|target| target.starts_with(folder));
    let belongs = |process: &Path| {
        points_into(&process.join("exe"))
            || points_into(&process.join("cwd"))
            || fs::read(process.join("environ")).is_ok_and(names)
    };
    let ids = fs::read_dir("/proc").unwrap().flatten();
    ids.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        belongs(&entry.path()).then_some(id)
    })
    .collect()
}

/// Says whether a process is there and not a zombie.
pub fn is_alive(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// Counts the processes that have `argument` in their command line.
pub fn running(argument: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|&byte| byte == 0).any(|word| word == argument.as_bytes())).count()
}
