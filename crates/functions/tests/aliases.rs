//! Aliases point to versions that are there, share calls out by weight, and are there again after a restart.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Deployer, Host, code, digest, name};
use hearth_functions::{
    AdditionalVersion, Alias, CreateAlias, FunctionsError, PublishVersion, ResolveError, State, UpdateAlias,
    UpdateCode,
};
use hearth_types::{Qualifier, Version};

fn alias(name: &str, version: Version) -> CreateAlias {
    CreateAlias { name: Arc::from(name), version, description: "for all".to_owned(), additional: None }
}

fn share(version: u64, weight: f64) -> Option<AdditionalVersion> {
    Some(AdditionalVersion { version, weight })
}

fn live() -> Qualifier {
    Qualifier::parse("live").unwrap()
}

/// `f`, with versions 1 and 2.
async fn host(test: &str) -> Host {
    let host = Host::new(test).await;
    host.created("f", "one").await;
    host.functions.publish_version(&name("f"), PublishVersion::default()).await.unwrap();
    host.functions.update_code(&name("f"), UpdateCode { publish: true, ..code("two") }).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    host
}

impl Host {
    async fn make(&self, request: CreateAlias) -> Result<Arc<Alias>, FunctionsError> {
        self.functions.create_alias(&name("f"), request).await
    }

    async fn change(&self, request: UpdateAlias) -> Result<Arc<Alias>, FunctionsError> {
        self.functions.update_alias(&name("f"), Arc::from("live"), request).await
    }

    fn live(&self) -> Version {
        self.functions.resolve(&name("f"), Some(&live())).unwrap().version
    }
}

#[tokio::test]
async fn an_alias_follows_what_it_points_to_also_after_restarts_and_updates() {
    let host = host("aliases").await;
    let made = host.make(alias("live", Version::Number(1))).await.unwrap();
    assert_eq!(made.arn.to_string(), "arn:aws:lambda:us-east-1:000000000000:function:f:live");
    assert_eq!(host.live(), Version::Number(1));
    let taken = host.make(alias("live", Version::Number(2))).await;
    assert!(matches!(taken, Err(FunctionsError::AliasExists { .. })));
    // An update of the function leaves its aliases alone, and they leave its revision alone.
    host.functions.update_code(&name("f"), code("three")).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    let revision = host.functions.get(&name("f")).unwrap().revision_id;
    host.make(alias("newest", Version::Latest)).await.unwrap();
    assert_eq!(host.functions.get(&name("f")).unwrap().revision_id, revision);
    let update = UpdateAlias {
        version: Some(Version::Number(2)),
        revision_id: Some(made.revision_id.to_string()),
        ..Default::default()
    };
    let updated = host.change(update).await.unwrap();
    assert_eq!((updated.version, updated.description.as_str()), (Version::Number(2), "for all"));
    assert_ne!(updated.revision_id, made.revision_id);

    let host = host.restarted(Deployer::default()).await;
    assert_eq!(*host.functions.get_alias(&name("f"), "live").unwrap(), *updated);
    assert_eq!(host.functions.resolve(&name("f"), Some(&live())).unwrap().code.sha256, digest(b"two"));
    let newest = Qualifier::parse("newest").unwrap();
    assert_eq!(host.functions.resolve(&name("f"), Some(&newest)).unwrap().code.sha256, digest(b"three"));
    let deleted = async || host.functions.delete_alias(&name("f"), Arc::from("newest")).await;
    deleted().await.unwrap();
    deleted().await.unwrap();
    let gone = host.functions.resolve(&name("f"), Some(&newest));
    assert!(matches!(gone, Err(ResolveError::NotFound { arn }) if arn.to_string().ends_with(":f:newest")));
    host.functions.delete(&name("f")).await.unwrap();
    host.created("f", "one").await;
    assert!(host.functions.get_alias(&name("f"), "live").is_err(), "it went with its function");
}

#[tokio::test]
async fn calls_are_shared_out_by_weight_whatever_the_weight_is() {
    let host = host("alias-weights").await;
    host.make(CreateAlias { additional: share(2, 0.25), ..alias("live", Version::Number(1)) }).await.unwrap();
    let count = |host: &Host| (0..10_000).filter(|_| host.live() == Version::Number(2)).count();
    // Ten standard deviations: once in 10^22 runs.
    let quarter = count(&host);
    assert!((2_067..=2_933).contains(&quarter), "{quarter} of 10000");
    for (weight, expected) in [(0.0, 0), (1.0, 10_000)] {
        let update = UpdateAlias { additional: Some(share(2, weight)), ..Default::default() };
        host.change(update).await.unwrap();
        assert_eq!(count(&host), expected);
    }
    let odd = UpdateAlias { additional: Some(share(2, 0.1)), ..Default::default() };
    host.change(odd).await.unwrap();
    let host = host.restarted(Deployer::default()).await;
    assert_eq!(host.functions.get_alias(&name("f"), "live").unwrap().additional, share(2, 0.1));
    host.change(UpdateAlias { additional: Some(None), ..Default::default() }).await.unwrap();
    assert_eq!(count(&host), 0);
}

#[tokio::test]
async fn a_wrong_alias_changes_nothing_and_a_version_in_use_stays() {
    let host = host("alias-wrong").await;
    let wrong = async |request: CreateAlias| host.make(request).await.unwrap_err().to_string();
    let not_there = "function not found: arn:aws:lambda:us-east-1:000000000000:function:f:3";
    assert_eq!(wrong(alias("a", Version::Number(3))).await, not_there);
    let of = |version, additional| CreateAlias { additional, ..alias("a", version) };
    assert_eq!(wrong(of(Version::Number(1), share(3, 0.5))).await, not_there);
    let twice = "an alias points to version 1 twice";
    assert_eq!(wrong(of(Version::Number(1), share(1, 0.5))).await, twice);
    let latest = "an alias of `$LATEST` points to no other version";
    assert_eq!(wrong(of(Version::Latest, share(1, 0.5))).await, latest);
    assert!(host.functions.list_aliases(&name("f"), None, None, 50).unwrap().0.is_empty());

    let made = host.make(of(Version::Number(1), share(2, 0.5))).await.unwrap();
    host.make(alias("live", Version::Number(1))).await.unwrap();
    let stale = UpdateAlias { revision_id: Some(made.revision_id.to_string()), ..Default::default() };
    assert!(matches!(host.change(stale).await, Err(FunctionsError::RevisionMismatch)));
    let merged = UpdateAlias { version: Some(Version::Number(2)), ..Default::default() };
    let merged = host.functions.update_alias(&name("f"), Arc::from("a"), merged).await;
    assert!(matches!(merged, Err(FunctionsError::AliasOfOneVersionTwice { .. })));
    for (number, users) in [(1, vec!["a", "live"]), (2, vec!["a"])] {
        match host.functions.delete_version(&name("f"), number).await {
            Err(FunctionsError::VersionInUse { aliases, .. }) => assert_eq!(aliases, users),
            other => panic!("{other:?}"),
        }
    }
    let (page, more) = host.functions.list_aliases(&name("f"), Some(Version::Number(2)), None, 50).unwrap();
    assert_eq!((page.len(), &*page[0].name, more), (1, "a", false));
    let (page, more) = host.functions.list_aliases(&name("f"), None, None, 1).unwrap();
    assert_eq!((&*page[0].name, more), ("a", true));
    let (page, more) = host.functions.list_aliases(&name("f"), None, Some("a"), 1).unwrap();
    assert_eq!((&*page[0].name, more), ("live", false));
    host.store.full.store(true, Ordering::SeqCst);
    let full = UpdateAlias { version: Some(Version::Number(2)), ..Default::default() };
    assert!(matches!(host.change(full).await, Err(FunctionsError::Store(_))));
    assert_eq!(host.live(), Version::Number(1));
}

#[tokio::test]
async fn an_alias_of_a_function_whose_package_is_lost_for_a_time_is_changed_without_harm() {
    let host = host("alias-lost").await;
    host.make(alias("live", Version::Number(1))).await.unwrap();
    let deployer = Deployer::default();
    deployer.lost.lock().unwrap().push(digest(b"two"));
    let host = host.restarted(deployer).await;
    assert!(matches!(host.functions.get(&name("f")).unwrap().state, State::Failed(_)));
    let update = UpdateAlias { version: Some(Version::Number(2)), ..Default::default() };
    host.change(update).await.unwrap();
    let host = host.restarted(Deployer::default()).await;
    assert_eq!(host.functions.get(&name("f")).unwrap().state, State::Active);
    assert_eq!((host.live(), host.serving("f").1), (Version::Number(2), digest(b"two")));
}
