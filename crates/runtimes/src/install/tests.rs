//! Installations with a script in the place of npm: what a crash, a restart and a stop leave behind.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;

use hearth_store::LocalBlobStore;

use super::*;
use crate::runtimes::Settings;

const NODE: &str = "nodejs22.x";

/// Brings Node.js 22.9.9, which answers questions and runs nothing, and empty packages of the AWS SDK.
const NPM: &str = r#"folder=$3/node_modules
for package; do
  case $package in
    node-linux-*@*)
      at=$folder/${package%@*}
      /bin/mkdir -p "$at/bin"
      echo '{"version":"22.9.9"}' > "$at/package.json"
      printf '#!/bin/sh\necho hearth; echo "$0"; echo 22.9.9; echo true\n' > "$at/bin/node"
      /bin/chmod 755 "$at/bin/node" ;;
    @aws-sdk/*)
      /bin/mkdir -p "$folder/$package/dist-types" "$folder/.bin"
      echo '{"version":"3.0.1"}' > "$folder/$package/package.json"
      echo types > "$folder/$package/dist-types/index.d.ts" ;;
  esac
done"#;

struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new(npm: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("npm"), format!("#!/bin/sh\n{npm}\n")).unwrap();
        fs::set_permissions(bin.join("npm"), Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join("data/runtimes").join(below)
    }

    /// Opens the packages, as a server does at its start.
    async fn start(&self) -> (RuntimePackages, Arc<Runtimes>) {
        let settings = Settings {
            data_dir: self.folder.path().join("data"),
            path: self.folder.path().join("bin").into(),
            interpreters: BTreeMap::new(),
        };
        let runtimes = Arc::new(Runtimes::new(settings));
        let objects = Arc::new(LocalBlobStore::open(&self.path("objects")).unwrap());
        (RuntimePackages::open(runtimes.clone(), objects).await.unwrap(), runtimes)
    }

    /// Returns the names in a folder, sorted.
    fn names(&self, below: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(below)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn node() -> Runtime {
    Runtime::parse(NODE).unwrap()
}

fn watcher() -> Watcher {
    Watcher { progress: Arc::new(|_| {}), cancelled: Arc::default() }
}

async fn install(packages: &RuntimePackages) -> Installed {
    packages.install(node(), InstallOptions::default(), watcher()).await.unwrap()
}

#[tokio::test]
async fn what_no_manifest_names_is_removed_at_the_next_start() {
    let host = Host::new(NPM);
    let (packages, _) = host.start().await;
    let installed = install(&packages).await;
    let archives: Vec<String> = installed.manifest.archives().map(|archive| archive.sha256.clone()).collect();
    assert_eq!(archives.len(), 2);
    let whole = (host.names("objects"), host.names("trees"), host.names(""));

    // As after a crash: an installation that had begun, and one whose manifest was never written.
    for folder in ["new-1-1/tree", "trees/0a"] {
        fs::create_dir_all(host.path(folder)).unwrap();
    }
    for file in ["objects/0a", "trees/0a.boot-id", "trees/0a/file", "new-1-1/archive"] {
        fs::write(host.path(file), "left").unwrap();
    }
    let (packages, runtimes) = host.start().await;
    assert_eq!((host.names("objects"), host.names("trees"), host.names("")), whole);
    assert!(!install(&packages).await.changed);
    assert!(runtimes.prepare(node()).is_ok());

    // What a damaged manifest needs is not known: everything stays until it is put right.
    fs::write(host.path("packages/nodejs22.x.json"), "{").unwrap();
    let (packages, runtimes) = host.start().await;
    assert_eq!(host.names("objects"), whole.0);
    let reason = runtimes.prepare(node()).unwrap_err().reason;
    assert!(reason.contains("packages/nodejs22.x.json` is not what was written"), "{reason}");
    assert_eq!(install(&packages).await.manifest.libraries, installed.manifest.libraries);
    assert!(runtimes.prepare(node()).is_ok());
}

#[tokio::test]
async fn only_what_functions_need_is_kept_and_progress_is_told() {
    let host = Host::new(NPM);
    let (packages, runtimes) = host.start().await;
    let told = Arc::new(Mutex::new(Vec::<Progress>::new()));
    let heard = told.clone();
    let progress = move |progress: Progress| heard.lock().unwrap().push(progress);
    let watcher = Watcher { progress: Arc::new(progress), ..watcher() };
    let options =
        InstallOptions { node_sdk_clients: vec!["client-s3".to_owned()], ..InstallOptions::default() };
    let installed = packages.install(node(), options, watcher).await.unwrap();

    let libraries = installed.manifest.libraries.unwrap();
    assert_eq!(libraries.packages, BTreeMap::from([("@aws-sdk/client-s3".to_owned(), "3.0.1".to_owned())]));
    let tree = runtimes.packages.tree(&libraries.archive);
    let client = tree.join("node_modules/@aws-sdk/client-s3");
    let names: Vec<_> = fs::read_dir(&client).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["package.json"], "no types");
    assert!(!tree.join("node_modules/.bin").exists());

    let told = told.lock().unwrap();
    let download = told.iter().find(|progress| progress.step.starts_with("downloading node-linux-"));
    assert!(download.unwrap().bytes_total.is_some());
}

#[tokio::test]
async fn after_a_restart_of_the_machine_trees_are_unpacked_again() {
    let host = Host::new(NPM);
    let (packages, _) = host.start().await;
    let manifest = install(&packages).await.manifest;
    let libraries = manifest.libraries.unwrap().archive;
    let (_, runtimes) = host.start().await;
    let tree = runtimes.packages.tree(&libraries);
    // What the disk had not written yet when the power went, and another boot.
    fs::write(tree.join("node_modules/@aws-sdk/client-s3/package.json"), "").unwrap();
    fs::write(mark_of(&tree), "another-boot").unwrap();
    let (packages, runtimes) = host.start().await;
    assert!(runtimes.prepare(node()).unwrap_err().reason.contains("is of before this machine was restarted"));
    packages.repair(node()).await.unwrap();
    assert!(runtimes.prepare(node()).is_ok());
    let package = fs::read_to_string(tree.join("node_modules/@aws-sdk/client-s3/package.json")).unwrap();
    assert_eq!(package, "{\"version\":\"3.0.1\"}\n");

    // Without its archive it cannot be unpacked, and is not used.
    fs::write(mark_of(&tree), "another-boot").unwrap();
    fs::remove_file(host.path("objects").join(&libraries.sha256)).unwrap();
    let (packages, runtimes) = host.start().await;
    let error = packages.repair(node()).await.unwrap_err().to_string();
    assert!(error.contains(&libraries.sha256) && error.contains("is not there"), "{error}");
    assert!(runtimes.prepare(node()).is_err());
}

#[tokio::test]
async fn an_installation_that_is_stopped_ends_at_once_and_leaves_nothing() {
    let host = Host::new("exec /bin/sleep 600");
    let (packages, runtimes) = host.start().await;
    let watcher = watcher();
    let stop = watcher.cancelled.clone();
    let watcher = Watcher {
        // npm is running once this is told.
        progress: Arc::new(move |progress| {
            stop.store(progress.step.starts_with("downloading"), Ordering::Relaxed);
        }),
        ..watcher
    };
    let error = packages.install(node(), InstallOptions::default(), watcher).await.unwrap_err();
    assert!(matches!(error, InstallError::Stopped), "{error}");
    assert_eq!(host.names(""), ["objects", "trees"]);
    assert!(host.names("objects").is_empty() && host.names("trees").is_empty());
    assert!(runtimes.prepare(node()).is_err());
}

#[tokio::test]
async fn what_npm_brings_must_be_what_was_asked_for() {
    let other = NPM.replace("echo 22.9.9; echo true", "echo 20.9.9; echo true");
    let silent = NPM.replace("echo hearth", "exit 1");
    let no_client = NPM.replace("@aws-sdk/*)", "never)");
    for (npm, problem) in [
        (other, "was installed for it, and is Node.js 20.9.9"),
        (silent, "was installed for it, but it ended with exit status: 1"),
        (no_client, "npm brought no `@aws-sdk/client-dynamodb`"),
    ] {
        let host = Host::new(&format!("/bin/mkdir -p \"$3/node_modules\"\n{npm}"));
        let (packages, _) = host.start().await;
        let error = packages.install(node(), InstallOptions::default(), watcher()).await.unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
        assert_eq!(host.names(""), ["objects", "trees"]);
    }
}

#[test]
fn only_packages_of_the_aws_sdk_can_be_named() {
    let clients = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        node_sdk_clients(&names).map_err(|error| error.to_string())
    };
    assert_eq!(
        clients(&["lib-storage", "@aws-sdk/client-s3", "client-s3"]).unwrap(),
        ["@aws-sdk/client-s3", "@aws-sdk/lib-storage"]
    );
    for name in
        ["", "left-pad@1", "../x", "--prefix=/", "@aws-sdk/", "@evil/client-s3", "client s3", "Client-s3"]
    {
        assert!(clients(&[name]).unwrap_err().contains(&format!("`{name}`")), "{name}");
    }
    assert!(clients(&[]).is_err());
}
