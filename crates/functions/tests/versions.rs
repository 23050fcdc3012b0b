//! Versions are published, never change, keep their package, and their numbers are given once.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::atomic::Ordering;

use common::{Deployer, Host, code, create, digest, name, runtime};
use hearth_functions::{
    ConfigurationChange, CreateFunction, FunctionsError, PublishVersion, ResolveError, State,
    StateReasonCode, UpdateCode,
};
use hearth_store::FunctionStore;
use hearth_types::{Qualifier, Version};
use tokio::sync::Semaphore;

fn number(number: u64) -> Qualifier {
    Qualifier::Version(Version::Number(number))
}

fn described(text: &str) -> PublishVersion {
    PublishVersion { description: Some(text.to_owned()), ..PublishVersion::default() }
}

impl Host {
    async fn publish(&self, request: PublishVersion) -> Version {
        self.functions.publish_version(&name("f"), request).await.unwrap().version
    }

    async fn updated(&self, update: UpdateCode) {
        self.functions.update_code(&name("f"), update).await.unwrap();
        self.functions.wait_until_settled(&name("f")).await;
    }

    /// The code that a version runs.
    fn runs(&self, version: u64) -> hearth_types::CodeSha256 {
        self.functions.resolve(&name("f"), Some(&number(version))).unwrap().code.sha256
    }

    fn versions(&self) -> Vec<String> {
        let (versions, more) = self.functions.list_versions(&name("f"), None, 1_000).unwrap();
        assert!(!more);
        versions.iter().map(|function| function.version.to_string()).collect()
    }
}

#[tokio::test]
async fn a_version_is_what_the_latest_was_and_is_published_once() {
    let host = Host::new("versions").await;
    host.created("f", "one").await;
    let before = host.functions.get(&name("f")).unwrap();
    assert_eq!(host.publish(described("first")).await, Version::Number(1));
    assert_eq!(host.publish(described("the same")).await, Version::Number(1), "nothing has changed");
    host.updated(code("two")).await;
    assert_eq!(host.publish(PublishVersion::default()).await, Version::Number(2));
    let change = ConfigurationChange { handler: Some("other.handler".to_owned()), ..Default::default() };
    host.functions.update_configuration(&name("f"), change).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    assert_eq!(host.publish(PublishVersion::default()).await, Version::Number(3));

    let first = host.functions.get_qualified(&name("f"), Some(&number(1))).unwrap();
    assert_eq!((&first.state, first.configuration.description.as_str()), (&State::Active, "first"));
    assert_eq!(first.configuration.handler, before.configuration.handler);
    let second = host.functions.get_qualified(&name("f"), Some(&number(2))).unwrap();
    assert_eq!(second.configuration.description, before.configuration.description);
    assert_eq!((host.runs(1), host.runs(2)), (digest(b"one"), digest(b"two")));
    assert_eq!(host.deployer.released("one"), 0, "version 1 keeps its package");
    let not_there = host.functions.resolve(&name("f"), Some(&number(4)));
    assert!(matches!(not_there, Err(ResolveError::NotFound { arn }) if arn.to_string().ends_with(":f:4")));

    let host = host.restarted(Deployer::default()).await;
    assert_eq!(host.versions(), ["$LATEST", "1", "2", "3"]);
    assert_eq!((host.runs(1), host.runs(2)), (digest(b"one"), digest(b"two")));
    assert_eq!(host.publish(described("the same")).await, Version::Number(3), "also after a restart");
    let again = host.functions.get_qualified(&name("f"), Some(&number(1))).unwrap();
    assert_eq!((again.revision_id, &again.configuration), (first.revision_id, &first.configuration));
}

#[tokio::test]
async fn case_013_a_version_is_published_only_of_the_code_and_revision_that_the_caller_has_seen() {
    let host = Host::new("versions-guards").await;
    host.created("f", "one").await;
    let stale = host.functions.get(&name("f")).unwrap().revision_id.to_string();
    host.updated(code("two")).await;
    let publish = async |request| host.functions.publish_version(&name("f"), request).await;
    let wrong_code = PublishVersion { code_sha256: Some(digest(b"one").to_string()), ..Default::default() };
    let refused = publish(wrong_code).await;
    assert!(
        matches!(refused, Err(FunctionsError::CodeMismatch { current, .. }) if current == digest(b"two"))
    );
    let refused = publish(PublishVersion { revision_id: Some(stale), ..Default::default() }).await;
    assert!(matches!(refused, Err(FunctionsError::RevisionMismatch)));
    assert_eq!(host.versions(), ["$LATEST"], "nothing has changed");
    let right = PublishVersion {
        code_sha256: Some(digest(b"two").to_string()),
        revision_id: Some(host.functions.get(&name("f")).unwrap().revision_id.to_string()),
        ..Default::default()
    };
    assert_eq!(publish(right).await.unwrap().version, Version::Number(1));
}

#[tokio::test]
async fn a_number_is_not_given_again_and_a_package_goes_with_its_last_version() {
    let host = Host::new("versions-deleted").await;
    host.created("f", "one").await;
    host.publish(PublishVersion::default()).await;
    host.updated(code("two")).await;
    host.publish(PublishVersion::default()).await;
    for _ in 0..2 {
        host.functions.delete_version(&name("f"), 1).await.unwrap();
    }
    assert_eq!(host.versions(), ["$LATEST", "2"]);
    assert!(host.deployer.released("one") > 0, "nobody has it any more");
    host.functions.delete_version(&name("f"), 2).await.unwrap();
    assert_eq!(host.deployer.released("two"), 0, "the latest has it");
    assert_eq!(host.publish(PublishVersion::default()).await, Version::Number(3));
    host.functions.delete_version(&name("f"), 3).await.unwrap();
    let host = host.restarted(Deployer::default()).await;
    assert_eq!(host.versions(), ["$LATEST"]);
    assert_eq!(host.publish(PublishVersion::default()).await, Version::Number(4));

    // With the function everything goes, and another one begins anew.
    host.functions.delete(&name("f")).await.unwrap();
    assert!(host.functions.resolve(&name("f"), Some(&number(4))).is_err());
    host.created("f", "three").await;
    assert_eq!(host.publish(PublishVersion::default()).await, Version::Number(1));
    let host = host.restarted(Deployer::default()).await;
    assert_eq!(
        (host.versions(), host.runs(1)),
        (vec!["$LATEST".to_owned(), "1".to_owned()], digest(b"three"))
    );
    let missing = host.functions.delete_version(&name("g"), 1).await;
    assert!(matches!(missing, Err(FunctionsError::NotFound { arn }) if arn.qualifier.is_none()));
}

#[tokio::test]
async fn a_version_that_is_published_along_settles_on_its_own_also_after_a_restart() {
    let held = || Deployer { checks: Some(Semaphore::new(0)), ..Deployer::default() };
    let host = Host::with("versions-along", held()).await;
    let created =
        host.functions.create(CreateFunction { publish: true, ..create("f", "one") }).await.unwrap();
    assert_eq!((created.version, &created.state), (Version::Number(1), &State::Pending));
    let early = host.functions.publish_version(&name("f"), PublishVersion::default()).await;
    assert!(matches!(early, Err(FunctionsError::Pending { .. })));
    assert!(matches!(
        host.functions.resolve(&name("f"), Some(&number(1))),
        Err(ResolveError::Pending { arn }) if arn.to_string().ends_with(":f:1")
    ));
    host.deployer.checks.as_ref().unwrap().add_permits(2);
    host.functions.wait_until_settled(&name("f")).await;
    assert_eq!(host.runs(1), digest(b"one"));
    assert_eq!(host.serving("f").1, digest(b"one"));

    let update = || UpdateCode { publish: true, ..code("two") };
    let trial = UpdateCode { dry_run: true, ..update() };
    assert_eq!(host.functions.update_code(&name("f"), trial).await.unwrap().version, Version::Latest);
    let updated = host.functions.update_code(&name("f"), update()).await.unwrap();
    assert_eq!((updated.version, updated.code_sha256), (Version::Number(2), digest(b"two")));
    let busy = host.functions.publish_version(&name("f"), PublishVersion::default()).await;
    assert!(matches!(busy, Err(FunctionsError::UpdateInProgress { .. })));
    host.deployer.checks.as_ref().unwrap().add_permits(2);
    host.functions.wait_until_settled(&name("f")).await;
    assert_eq!((host.runs(1), host.runs(2)), (digest(b"one"), digest(b"two")));

    // As a server leaves it that ends before the version has settled.
    let records = FunctionStore::load_all(&*host.store).await.unwrap();
    let mut record = records.into_iter().find(|record| record.version == Some(2)).unwrap();
    (record.state, record.last_update) = ("Pending".to_owned(), None);
    FunctionStore::replace(&*host.store, record.revision_id.clone(), record).await.unwrap();
    let host = host.restarted(Deployer::default()).await;
    host.functions.wait_until_settled(&name("f")).await;
    assert_eq!(host.runs(2), digest(b"two"));
}

#[tokio::test]
async fn a_version_fails_with_its_runtime_or_package_and_the_others_go_on() {
    let host = Host::new("versions-failed").await;
    host.deployer.missing_runtimes.lock().unwrap().push(runtime("python3.11"));
    host.functions.create(CreateFunction { publish: true, ..create("f", "one") }).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    let failed = |host: &Host, version| match host.functions.resolve(&name("f"), Some(&number(version))) {
        Err(ResolveError::Failed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(failed(&host, 1).contains("python3.11"));
    host.deployer.missing_runtimes.lock().unwrap().clear();
    host.functions.settle_again(|_| true).await;
    assert_eq!(host.runs(1), digest(b"one"), "the runtime has come");
    host.updated(UpdateCode { publish: true, ..code("two") }).await;

    let deployer = Deployer::default();
    deployer.lost.lock().unwrap().push(digest(b"one"));
    let host = host.restarted(deployer).await;
    assert!(host.functions.misses_code());
    let first = host.functions.get_qualified(&name("f"), Some(&number(1))).unwrap();
    assert!(
        matches!(&first.state, State::Failed(failure) if failure.code == StateReasonCode::InvalidZipFileException)
    );
    failed(&host, 1);
    assert_eq!((host.runs(2), host.serving("f").1), (digest(b"two"), digest(b"two")));
    let host = host.restarted(Deployer::default()).await;
    assert_eq!(host.runs(1), digest(b"one"), "it was a passing reason");
}

#[tokio::test]
async fn a_full_disk_publishes_and_deletes_nothing_and_is_got_over() {
    let host = Host::new("versions-full").await;
    host.created("f", "one").await;
    host.publish(PublishVersion::default()).await;
    host.updated(code("two")).await;
    host.store.full.store(true, Ordering::SeqCst);
    let refused = host.functions.publish_version(&name("f"), PublishVersion::default()).await;
    assert!(matches!(refused, Err(FunctionsError::Store(_))));
    assert!(matches!(host.functions.delete_version(&name("f"), 1).await, Err(FunctionsError::Store(_))));
    assert_eq!((host.versions(), host.runs(1)), (vec!["$LATEST".to_owned(), "1".to_owned()], digest(b"one")));
    host.store.full.store(false, Ordering::SeqCst);
    assert_eq!(host.publish(PublishVersion::default()).await, Version::Number(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn case_130_of_fifty_publications_at_once_all_get_one_number_and_no_number_is_left_out() {
    let host = Host::new("versions-at-once").await;
    host.created("f", "one").await;
    for (number, zip) in [(1, "two"), (2, "three"), (3, "four")] {
        host.updated(code(zip)).await;
        let publishers: Vec<_> = (0..50)
            .map(|_| {
                let functions = host.functions.clone();
                tokio::spawn(async move {
                    functions.publish_version(&name("f"), PublishVersion::default()).await.unwrap().version
                })
            })
            .collect();
        for publisher in publishers {
            assert_eq!(publisher.await.unwrap(), Version::Number(number), "all publish the same");
        }
        assert_eq!(host.runs(number), digest(zip.as_bytes()));
    }
    assert_eq!(host.versions(), ["$LATEST", "1", "2", "3"]);
}

#[tokio::test]
async fn lists_go_on_where_they_ended_while_versions_go() {
    let host = Host::new("versions-lists").await;
    host.created("e", "one").await;
    host.created("f", "one").await;
    for zip in ["two", "three", "four"] {
        host.updated(UpdateCode { publish: true, ..code(zip) }).await;
    }
    host.created("g", "one").await;
    let page = |after| {
        let (page, more) = host.functions.list_versions(&name("f"), after, 2).unwrap();
        (page.iter().map(|function| function.version.to_string()).collect::<Vec<_>>(), more)
    };
    assert_eq!(page(None), (vec!["$LATEST".to_owned(), "1".to_owned()], true));
    assert_eq!(page(Some(Version::Number(1))), (vec!["2".to_owned(), "3".to_owned()], false));
    host.functions.delete_version(&name("f"), 2).await.unwrap();
    assert_eq!(page(Some(Version::Number(2))), (vec!["3".to_owned()], false));
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (page, more) = host.functions.list_all_versions(after.as_ref(), 2);
        all.extend(
            page.iter().map(|function| format!("{}:{}", function.configuration.name, function.version)),
        );
        after = page.last().map(|last| (last.configuration.name.clone(), last.version));
        if !more {
            break;
        }
    }
    assert_eq!(all, ["e:$LATEST", "f:$LATEST", "f:1", "f:3", "g:$LATEST"]);
}
