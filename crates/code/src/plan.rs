//! What a package will be on disk: the tree of its files, folders and links, made of the names of an archive's entries
//! before the first of them is written.
//!
//! A name is taken apart into plain components here and never put together again as it was. Whether a name is there
//! already is decided here, too, and not by what the disk happens to say.

use std::collections::HashMap;

use crate::archive::{Archive, Entry, Kind};
use crate::error::{ENTRIES_MAX, UnpackError};

/// Deepest folder. Ours: nothing real comes near.
const DEPTH_MAX: usize = 256;
/// Longest path inside a package. Ours: Linux takes 4,095 bytes, and the data folder needs some of them.
const PATH_BYTES_MAX: usize = 3_072;
/// Longest component that file systems of Linux take.
const COMPONENT_BYTES_MAX: usize = 255;

/// The tree of a package. The folder with index 0 is its root; a folder comes before what is in it.
pub(crate) struct Plan<'a> {
    nodes: Vec<Node<'a>>,
}

struct Node<'a> {
    parent: usize,
    name: &'a [u8],
    /// `None` for a folder.
    entry: Option<&'a Entry<'a>>,
}

/// A folder and what is in it.
pub(crate) struct PlannedFolder<'a> {
    /// Where it is below the root, empty for the root itself.
    pub(crate) path: Vec<u8>,
    /// Folders, files and links in it, by name.
    pub(crate) children: Vec<(&'a [u8], Option<&'a Entry<'a>>)>,
}

impl<'a> Plan<'a> {
    /// Puts the names of an archive together.
    pub(crate) fn of(archive: &'a Archive<'a>) -> Result<Self, UnpackError> {
        let mut nodes = vec![Node { parent: 0, name: b"", entry: None }];
        let mut known: HashMap<(usize, &[u8]), usize> = HashMap::new();
        for entry in archive.entries() {
            let components = components(entry.name).map_err(|problem| entry.refused(problem))?;
            let mut folder = 0;
            for (place, &name) in components.iter().enumerate() {
                let leaf = (place + 1 == components.len() && entry.kind != Kind::Folder).then_some(entry);
                match known.get(&(folder, name)) {
                    None => {
                        if nodes.len() > ENTRIES_MAX {
                            return Err(UnpackError::TooManyEntries);
                        }
                        known.insert((folder, name), nodes.len());
                        nodes.push(Node { parent: folder, name, entry: leaf });
                        folder = nodes.len() - 1;
                    }
                    // The same name twice: which one would count? A folder twice is one folder.
                    Some(&node) => match (nodes[node].entry, leaf) {
                        (None, None) => folder = node,
                        (Some(_), Some(_)) => return Err(entry.refused("is there twice")),
                        (None, Some(_)) | (Some(_), None) => {
                            return Err(entry.refused("is a folder and something else"));
                        }
                    },
                }
            }
        }
        Ok(Self { nodes })
    }

    /// Returns the folders, each before those in it.
    pub(crate) fn folders(&self) -> impl Iterator<Item = PlannedFolder<'a>> {
        let mut by_parent: Vec<usize> = (1..self.nodes.len()).collect();
        by_parent.sort_by_key(|&node| self.nodes[node].parent);
        let mut next = 0;
        self.nodes.iter().enumerate().filter(|(_, node)| node.entry.is_none()).map(move |(folder, _)| {
            let first = next;
            while by_parent.get(next).is_some_and(|&node| self.nodes[node].parent == folder) {
                next += 1;
            }
            let children =
                by_parent[first..next].iter().map(|&node| (self.nodes[node].name, self.nodes[node].entry));
            PlannedFolder { path: self.path(folder), children: children.collect() }
        })
    }

    fn path(&self, mut folder: usize) -> Vec<u8> {
        let mut components = Vec::new();
        while folder != 0 {
            components.push(self.nodes[folder].name);
            folder = self.nodes[folder].parent;
        }
        components.reverse();
        components.join(&b'/')
    }
}

/// Takes a name apart. None of the components is empty, `.` or `..`. The root itself, as `./`, has none.
fn components(name: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    if name.is_empty() {
        return Err("has no name");
    }
    if name.contains(&0) {
        return Err("has a NUL in its name");
    }
    // What a separator means elsewhere would be a part of the name here; packages from Windows with such names did not
    // work on AWS either. `C:x` is a drive there.
    let is_of_a_drive = name[0].is_ascii_alphabetic() && name.get(1) == Some(&b':');
    if name.contains(&b'\\') || is_of_a_drive {
        return Err("has a name of Windows");
    }
    if name[0] == b'/' {
        return Err("has an absolute name");
    }
    let mut components = Vec::new();
    let mut path_bytes = 0;
    for component in name.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => continue,
            b".." => return Err("has a name that leaves the package"),
            _ => {}
        }
        path_bytes += component.len() + 1;
        let fits = component.len() <= COMPONENT_BYTES_MAX && path_bytes <= PATH_BYTES_MAX;
        if !fits || components.len() == DEPTH_MAX {
            return Err("has a name that is too long");
        }
        components.push(component);
    }
    Ok(components)
}

/// Whether a link in `folder` with this target ends inside the package, whatever other links there are: a target may go
/// up only as far as the link is deep, and only at its beginning. Folders of a package are never links, so its first
/// steps go up through real ones; behind them it only goes down, or along another link, of which the same is true.
pub(crate) fn stays_inside(folder: &[u8], target: &[u8]) -> bool {
    if target.is_empty() || target[0] == b'/' || target.contains(&0) {
        return false;
    }
    let depth = folder.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).count();
    let mut steps =
        target.split(|&byte| byte == b'/').filter(|step| !step.is_empty() && *step != b".").peekable();
    let mut ups = 0;
    while steps.next_if_eq(b"..").is_some() {
        ups += 1;
    }
    ups <= depth && steps.all(|step| step != b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leaves_the_package_has_no_components() {
        for good in ["a", "a/b.js", "./a", "a//b", "ä/ü", "a..b", "a/b:c", "...", "."] {
            assert!(components(good.as_bytes()).is_ok(), "{good}");
        }
        let deep = "x/".repeat(DEPTH_MAX + 1);
        for bad in ["", "/a", "../a", "a/../../b", "a/..", "C:\\x", "C:x", "a\\b", "a\0b", &deep] {
            assert!(components(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_link_may_go_up_only_as_far_as_it_is_deep() {
        let check = |folder: &str, target: &str| stays_inside(folder.as_bytes(), target.as_bytes());
        assert!(check("node_modules/.bin", "../tool/cli.js"));
        assert!(check("", "libx.so.1"));
        assert!(check("a", ".."));
        assert!(check("a", "./../b"));
        for (folder, target) in [
            ("", ".."),
            ("", "../etc/passwd"),
            ("", "/etc/passwd"),
            ("", ""),
            ("a", "../../x"),
            ("a", "b/../../../x"),
            ("a", "b/.."),
            ("a/b", "..//.././../x"),
        ] {
            assert!(!check(folder, target), "{folder} {target}");
        }
    }
}
