//! Layers of functions: numbers, deletion while in use, callers that hang up, full disks, and packages that are gone.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use common::{Deployer, Host, code, create, digest, name};
use hearth_functions::{
    ConfigurationChange, CreateFunction, DeployError, FunctionsError, LayerFilter, LayerInUse,
    LayerStatement, LayersError, PublishLayerVersion, State,
};
use hearth_types::{Architecture, LayerName, Runtime};

fn layer(name: &str) -> LayerName {
    LayerName::new(name).unwrap()
}

fn publish(name: &str, zip: &'static str) -> PublishLayerVersion {
    PublishLayerVersion {
        name: layer(name),
        description: "ü\n".to_owned(),
        license_info: Some("MIT".to_owned()),
        compatible_runtimes: vec![Runtime::parse("python3.11").unwrap()],
        compatible_architectures: vec![Architecture::Arm64],
        zip: Bytes::from_static(zip.as_bytes()),
    }
}

fn statement(sid: &str) -> LayerStatement {
    LayerStatement { sid: sid.to_owned(), principal: "*".to_owned(), organization_id: None }
}

impl Host {
    async fn published(&self, name: &str, zip: &'static str) -> u64 {
        self.layers.publish(publish(name, zip)).await.unwrap().arn.version
    }

    fn numbers(&self, name: &str) -> Vec<u64> {
        let (versions, _) = self.layers.list_versions(&layer(name), LayerFilter::default(), None, 100);
        versions.iter().map(|version| version.arn.version).collect()
    }

    fn found(&self, name: &str, number: u64) -> LayerInUse {
        self.layers.for_function(&self.layers.arn(&layer(name), number)).unwrap()
    }

    /// Creates a function with layers and waits until it has settled.
    async fn with_layers(&self, function: &str, zip: &'static str, layers: Vec<LayerInUse>) {
        self.functions.create(create_with(function, zip, layers)).await.unwrap();
        self.functions.wait_until_settled(&name(function)).await;
    }

    /// What stands for `/opt`: the names of the merged trees.
    fn opt(&self, function: &str) -> Option<String> {
        let version = self.functions.resolve(&name(function), None).unwrap();
        version.layers.root.as_ref().map(|root| root.display().to_string())
    }
}

fn create_with(function: &str, zip: &'static str, layers: Vec<LayerInUse>) -> CreateFunction {
    let mut request = create(function, zip);
    request.configuration.layers = layers.iter().map(|layer| layer.layer.clone()).collect();
    CreateFunction { layers, ..request }
}

fn change(layers: Vec<LayerInUse>) -> ConfigurationChange {
    ConfigurationChange { layers: Some(layers), ..Default::default() }
}

fn root_of(zips: &[&str]) -> String {
    zips.iter().map(|zip| digest(zip.as_bytes()).to_hex()).collect::<Vec<_>>().join("+")
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_versions_published_at_once_each_has_a_number_of_its_own() {
    let host = Host::new("layers-at-once").await;
    let publishing: Vec<_> = (0..20)
        .map(|_| {
            let layers = host.layers.clone();
            tokio::spawn(async move { layers.publish(publish("l", "zip")).await.unwrap().arn.version })
        })
        .collect();
    let mut numbers = BTreeSet::new();
    for published in publishing {
        numbers.insert(published.await.unwrap());
    }
    assert_eq!(numbers, (1..=20).collect());
    assert_eq!(host.numbers("l"), (1..=20).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_number_is_not_given_again_after_deletions_and_restarts() {
    let host = Host::new("layers-numbers").await;
    for _ in 0..3 {
        host.published("l", "one").await;
    }
    host.layers.delete(&layer("l"), 3).await.unwrap();
    host.layers.delete(&layer("l"), 2).await.unwrap();
    host.layers.delete(&layer("l"), 3).await.expect("what is not there can be deleted");
    let host = host.restarted(Deployer::default()).await;
    assert_eq!(host.numbers("l"), [1]);
    host.layers.delete(&layer("l"), 1).await.unwrap();
    assert_eq!(host.published("l", "one").await, 4);
    let version = host.layers.get(&layer("l"), 4).unwrap();
    host.layers.add_statement(&layer("l"), 4, statement("s"), None).await.unwrap();
    let host = host.restarted(Deployer::default()).await;
    let kept = host.layers.get(&layer("l"), 4).unwrap();
    assert_eq!(kept.statements, [statement("s")]);
    assert_ne!(kept.policy_revision_id, version.policy_revision_id);
    let without_policy = |version: &hearth_functions::LayerVersion| hearth_functions::LayerVersion {
        statements: Vec::new(),
        policy_revision_id: version.policy_revision_id,
        ..version.clone()
    };
    let expected = hearth_functions::LayerVersion {
        policy_revision_id: kept.policy_revision_id,
        ..without_policy(&version)
    };
    assert_eq!(without_policy(&kept), expected, "nothing else of a version ever changes");
}

#[tokio::test]
async fn layers_are_merged_in_order_and_held_by_the_function_alone_when_they_are_deleted() {
    let host = Host::new("layers-held").await;
    host.published("a", "la").await;
    host.published("b", "lb").await;
    host.with_layers("f", "one", vec![host.found("b", 1), host.found("a", 1)]).await;
    assert_eq!(host.opt("f"), Some(root_of(&["lb", "la"])));
    for name in ["a", "b"] {
        host.layers.delete(&layer(name), 1).await.unwrap();
        let arn = host.layers.arn(&layer(name), 1);
        assert!(matches!(host.layers.for_function(&arn), Err(LayersError::VersionNotFound { .. })));
    }
    host.functions.update_code(&name("f"), code("two")).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    let host = host.restarted(Deployer::default()).await;
    assert_eq!((host.opt("f"), host.serving("f").1), (Some(root_of(&["lb", "la"])), digest(b"two")));
    let released = host.deployer.released("la");
    host.functions.update_configuration(&name("f"), change(Vec::new())).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    assert_eq!(host.opt("f"), None);
    until("the package of a layer that nobody has is given free", || host.deployer.released("la") > released)
        .await;
}

#[tokio::test]
async fn code_and_layers_that_are_too_large_together_change_nothing() {
    let host = Host::new("layers-large").await;
    host.published("l", "large").await;
    let too_large =
        |error: &FunctionsError| matches!(error, FunctionsError::Deploy(DeployError::UnzippedTooLarge));
    let refused = host.functions.create(create_with("f", "one", vec![host.found("l", 1)])).await;
    assert!(too_large(&refused.unwrap_err()));
    assert!(host.functions.get(&name("f")).is_err());
    host.created("f", "one").await;
    let refused = host.functions.update_configuration(&name("f"), change(vec![host.found("l", 1)])).await;
    assert!(too_large(&refused.unwrap_err()));
    host.published("small", "s").await;
    host.functions.update_configuration(&name("f"), change(vec![host.found("small", 1)])).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    let refused = host.functions.update_code(&name("f"), code("large too")).await;
    assert!(too_large(&refused.unwrap_err()));
    assert_eq!((host.opt("f"), host.serving("f").1), (Some(root_of(&["s"])), digest(b"one")));
    host.functions.update_configuration(&name("f"), change(Vec::new())).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    host.functions.update_code(&name("f"), code("large too")).await.expect("alone it is not too large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_who_hangs_up_leaves_a_whole_version() {
    let host = Host::new("layers-hang-up").await;
    let held = host.store.replies.available_permits() as u32;
    host.store.replies.acquire_many(held).await.unwrap().forget();
    let published =
        tokio::time::timeout(Duration::from_millis(200), host.layers.publish(publish("l", "one")));
    assert!(published.await.is_err(), "it is held up");
    host.store.replies.add_permits(held as usize);
    until("shown", || host.layers.get(&layer("l"), 1).is_some()).await;
    assert_eq!(host.deployer.released("one"), 0, "a stored record needs it");
    assert_eq!(host.published("l", "two").await, 2);
}

#[tokio::test]
async fn a_full_disk_fails_every_change_of_layers_and_is_got_over() {
    let host = Host::new("layers-full").await;
    host.published("l", "one").await;
    host.store.full.store(true, Ordering::SeqCst);
    assert!(host.layers.publish(publish("l", "two")).await.is_err());
    assert!(host.layers.delete(&layer("l"), 1).await.is_err());
    assert!(host.layers.add_statement(&layer("l"), 1, statement("s"), None).await.is_err());
    assert_eq!(host.numbers("l"), [1]);
    assert_eq!(host.layers.get(&layer("l"), 1).unwrap().statements, []);
    host.store.full.store(false, Ordering::SeqCst);
    assert_eq!(host.published("l", "two").await, 2);
    host.layers.delete(&layer("l"), 1).await.unwrap();
    assert_eq!(host.restarted(Deployer::default()).await.numbers("l"), [2]);
}

#[tokio::test]
async fn a_lost_layer_fails_only_those_who_have_it_until_they_get_another() {
    let host = Host::new("layers-lost").await;
    host.published("l", "lost").await;
    host.published("m", "kept").await;
    host.with_layers("f", "one", vec![host.found("l", 1)]).await;
    host.with_layers("g", "two", vec![host.found("m", 1)]).await;
    let deployer = Deployer { lost: vec![digest(b"lost")].into(), ..Deployer::default() };
    let host = host.restarted(deployer).await;
    assert!(host.functions.misses_code() && host.layers.misses_code(), "nothing is to be swept");
    let State::Failed(failure) = &host.functions.get(&name("f")).unwrap().state else { panic!("it lives") };
    assert!(failure.reason.contains("a layer"), "{}", failure.reason);
    assert_eq!(host.opt("g"), Some(root_of(&["kept"])));
    let arn = host.layers.arn(&layer("l"), 1);
    assert!(matches!(host.layers.for_function(&arn), Err(LayersError::Deploy(DeployError::Missing))));
    // A change of something else does not bring it back.
    host.functions.update_configuration(&name("f"), ConfigurationChange::default()).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    assert!(host.functions.resolve(&name("f"), None).is_err());
    host.functions.update_configuration(&name("f"), change(vec![host.found("m", 1)])).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    assert_eq!(host.opt("f"), Some(root_of(&["kept"])));
}

#[tokio::test]
async fn lists_filter_and_go_on_where_they_ended_while_layers_come_and_go() {
    let host = Host::new("layers-lists").await;
    for name in ["a", "b", "c"] {
        host.published(name, "one").await;
        host.published(name, "two").await;
    }
    let any = LayerFilter::default();
    let names = |after: Option<&str>, limit| {
        let after = after.map(layer);
        let (found, more) = host.layers.list(any, after.as_ref(), limit);
        (found.iter().map(|it| format!("{}:{}", it.arn.name, it.arn.version)).collect::<Vec<_>>(), more)
    };
    assert_eq!(names(None, 2), (vec!["a:2".to_owned(), "b:2".to_owned()], true));
    host.layers.delete(&layer("b"), 2).await.unwrap();
    assert_eq!(names(Some("b"), 2), (vec!["c:2".to_owned()], false));
    assert_eq!(names(None, 3).0, ["a:2", "b:1", "c:2"]);
    let (page, more) = host.layers.list_versions(&layer("a"), any, Some(2), 5);
    assert_eq!((page[0].arn.version, page.len(), more), (1, 1, false));
    let other = LayerFilter { runtime: Some(Runtime::parse("nodejs22.x").unwrap()), architecture: None };
    assert!(host.layers.list(other, None, 9).0.is_empty());
    let arm = LayerFilter { runtime: None, architecture: Some(Architecture::Arm64) };
    assert_eq!(host.layers.list(arm, None, 9).0.len(), 3);
    assert!(host.layers.list_versions(&layer("nobody"), any, None, 9).0.is_empty());
}
