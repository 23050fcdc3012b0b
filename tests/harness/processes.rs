//! Which processes belong to a test, whoever started them.

use std::fs;
use std::path::Path;

/// Returns the ids of the processes that run a program of `folder`, work in it, have its name in their variables, or
/// live behind walls where something of it is shown.
pub fn processes_of(folder: &Path) -> Vec<u32> {
    let wanted = folder.to_string_lossy().into_owned();
    let names = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).contains(&wanted);
    let points_into = |link: &Path| fs::read_link(link).is_ok_and(|target| target.starts_with(folder));
    let own_mounts = fs::read_link("/proc/self/ns/mnt").unwrap();
    let is_walled = |process: &Path| {
        fs::read_link(process.join("ns/mnt")).is_ok_and(|mounts| mounts != own_mounts)
            && fs::read(process.join("mountinfo")).is_ok_and(names)
    };
    let belongs = |process: &Path| {
        points_into(&process.join("exe"))
            || points_into(&process.join("cwd"))
            || fs::read(process.join("environ")).is_ok_and(names)
            || is_walled(process)
    };
    let ids = fs::read_dir("/proc").unwrap().flatten();
    ids.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        belongs(&entry.path()).then_some(id)
    })
    .collect()
}

/// Returns a process and all that descend from it, as far as they are there.
pub fn family(pid: u32) -> Vec<u32> {
    let mut processes = vec![pid];
    let mut next = 0;
    while let Some(&pid) = processes.get(next) {
        next += 1;
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            processes.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    processes
}

/// Returns the processes of all servers of this test, and of their functions.
pub(crate) fn processes_of_this_test() -> Vec<u32> {
    family(std::process::id()).split_off(1)
}

/// Returns the id, on this host, of a process of a function of this test that has the id `inside` there. Without walls
/// it is the same.
///
/// # Panics
/// Unless there is exactly one.
pub fn on_host(inside: u64) -> u64 {
    let is_it = |id: &u32| ids_of(*id).last() == Some(&inside);
    let found: Vec<u32> = processes_of_this_test().into_iter().filter(is_it).collect();
    assert_eq!(found.len(), 1, "processes that are {inside} inside: {found:?}");
    found[0].into()
}

/// Says whether a process is the first one behind its walls. It is Hearth's own, and stays as long as they do.
pub fn is_init_of_an_environment(process: u32) -> bool {
    matches!(ids_of(process)[..], [_, .., 1])
}

/// Returns the ids of a process, from the host's to its own.
fn ids_of(process: u32) -> Vec<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    ids.split_ascii_whitespace().filter_map(|id| id.parse().ok()).collect()
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
