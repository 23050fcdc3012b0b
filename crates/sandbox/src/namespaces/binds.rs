//! What an environment sees of the host: programs, interpreters, code and layers.

use std::io;
use std::path::{Path, PathBuf};

use hearth_sandbox_init::messages::Bind;

use crate::{LAYERS_ROOT, SandboxPlan, TASK_ROOT};

/// What every environment sees of the host anyway.
const PROGRAMS: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What an environment sees besides the host's programs.
pub(super) fn binds(plan: &SandboxPlan) -> io::Result<Vec<Bind>> {
    let bind = |host: &Path, inside: &Path| Bind { host: host.into(), inside: inside.into() };
    let mut binds = Vec::new();
    let is_seen = |file: &&PathBuf| PROGRAMS.iter().any(|programs| file.starts_with(programs));
    let mut files: Vec<&PathBuf> = plan.runtime_files.iter().filter(|file| !is_seen(file)).collect();
    // A folder comes before what is in it, which it shows already.
    files.sort();
    let mut last: Option<&PathBuf> = None;
    for file in files {
        if last.is_none_or(|last| !file.starts_with(last)) {
            binds.push(bind(file, file));
            last = Some(file);
        }
    }
    binds.extend(plan.code.as_deref().map(|code| bind(code, Path::new(TASK_ROOT))));
    let Some(layers) = plan.layers.as_deref() else { return Ok(binds) };
    let opt = Path::new(LAYERS_ROOT);
    if !plan.runtime_files.iter().any(|file| file.starts_with(opt)) {
        binds.push(bind(layers, opt));
        return Ok(binds);
    }
    // The host has an interpreter in /opt, which the layers as a whole would cover.
    for entry in std::fs::read_dir(layers)? {
        let entry = entry?;
        let inside = opt.join(entry.file_name());
        if plan.runtime_files.iter().any(|file| file.starts_with(&inside)) {
            let why = format!("they have `{}`, where this host has the interpreter", inside.display());
            return Err(io::Error::other(why));
        }
        binds.push(bind(&entry.path(), &inside));
    }
    Ok(binds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_shown_once_and_the_hosts_programs_not_again() {
        let plan = SandboxPlan {
            code: Some("/data/code".into()),
            runtime_files: [
                "/srv/node/lib",
                "/usr/lib/python3",
                "/srv/node",
                "/srv/node-client",
                "/srv/node",
            ]
            .map(PathBuf::from)
            .into(),
            ..SandboxPlan::default()
        };
        let shown: Vec<_> = binds(&plan).unwrap().into_iter().map(|bind| (bind.host, bind.inside)).collect();
        let expected = [
            ("/srv/node", "/srv/node"),
            ("/srv/node-client", "/srv/node-client"),
            ("/data/code", "/var/task"),
        ];
        assert_eq!(shown, expected.map(|(host, inside)| (host.into(), inside.into())));
    }

    #[test]
    fn layers_do_not_cover_an_interpreter_of_the_host_that_is_in_their_place() {
        let layers = std::env::temp_dir().join(format!("hearth-layers-{}", std::process::id()));
        std::fs::create_dir_all(layers.join("python")).unwrap();
        let mut plan = SandboxPlan { layers: Some(layers.clone()), ..SandboxPlan::default() };
        let shown = |plan: &SandboxPlan| -> Vec<_> {
            binds(plan).unwrap().into_iter().map(|bind| (bind.host, bind.inside)).collect()
        };
        let whole = [(layers.clone().into(), "/opt".into())];
        assert_eq!(shown(&plan), whole);
        plan.runtime_files = vec!["/opt/node/bin/node".into()];
        let parts = [
            ("/opt/node/bin/node".into(), "/opt/node/bin/node".into()),
            (layers.join("python").into(), "/opt/python".into()),
        ];
        assert_eq!(shown(&plan), parts);
        std::fs::create_dir(layers.join("node")).unwrap();
        let error = binds(&plan).unwrap_err().to_string();
        assert_eq!(error, "they have `/opt/node`, where this host has the interpreter");
        std::fs::remove_dir_all(layers).unwrap();
    }
}
