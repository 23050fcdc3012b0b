//! What of the account's concurrency belongs to a function: bounded, durable, told to whoever counts.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use common::{Deployer, Host, code, name};
use hearth_functions::{
    AdditionalVersion, ConcurrencyError, ConcurrencyListener, CreateAlias, FunctionsError,
    ProvisionedVersion, UpdateAlias, UpdateCode,
};
use hearth_types::{FunctionName, Qualifier, Version};

const ACCOUNT_MAX: u32 = 1_000;

/// What is reserved, and what is provisioned by version.
type Has = (Option<u32>, Vec<(String, u32)>);

/// What was heard last of each function.
#[derive(Default)]
struct Told(Mutex<BTreeMap<String, Has>>);

impl ConcurrencyListener for Told {
    fn changed(&self, name: &FunctionName, reserved: Option<u32>, provisioned: Vec<ProvisionedVersion>) {
        let versions = provisioned.iter().map(|one| (one.version.version.to_string(), one.count)).collect();
        self.0.lock().unwrap().insert(name.to_string(), (reserved, versions));
    }

    fn deleted(&self, name: &FunctionName) {
        self.0.lock().unwrap().remove(name.as_str());
    }
}

impl Told {
    fn of(&self, function: &str) -> Option<Has> {
        self.0.lock().unwrap().get(function).cloned()
    }
}

fn listened(host: &Host) -> Arc<Told> {
    let told = Arc::new(Told::default());
    host.functions.set_concurrency_listener(told.clone());
    told
}

fn qualifier(text: &str) -> Qualifier {
    Qualifier::parse(text).unwrap()
}

/// `f` with versions 1 and 2 and the alias `live` of 1; `g`.
async fn host(test: &str) -> Host {
    let host = Host::new(test).await;
    host.created("f", "one").await;
    for zip in ["one", "two"] {
        host.functions.update_code(&name("f"), UpdateCode { publish: true, ..code(zip) }).await.unwrap();
        host.functions.wait_until_settled(&name("f")).await;
    }
    host.created("g", "one").await;
    let version = Version::Number(1);
    let live = CreateAlias { name: Arc::from("live"), version, description: String::new(), additional: None };
    host.functions.create_alias(&name("f"), live).await.unwrap();
    host
}

impl Host {
    async fn reserve(&self, function: &str, reserved: Option<u32>) -> Result<(), ConcurrencyError> {
        self.functions.set_reserved_concurrency(&name(function), reserved, ACCOUNT_MAX).await
    }

    async fn provision(&self, of: &str, requested: u32) -> Result<(), ConcurrencyError> {
        let function = name("f");
        let put =
            self.functions.put_provisioned_concurrency(&function, qualifier(of), requested, ACCOUNT_MAX);
        put.await.map(drop)
    }

    async fn point(&self, version: u64, additional: Option<(u64, f64)>) -> Result<(), FunctionsError> {
        let additional = additional.map(|(version, weight)| AdditionalVersion { version, weight });
        let update = UpdateAlias {
            version: Some(Version::Number(version)),
            additional: Some(additional),
            ..Default::default()
        };
        self.functions.update_alias(&name("f"), Arc::from("live"), update).await.map(drop)
    }
}

fn versions(versions: &[(&str, u32)]) -> Vec<(String, u32)> {
    versions.iter().map(|(version, count)| ((*version).to_owned(), *count)).collect()
}

#[tokio::test]
async fn what_is_reserved_is_kept_and_leaves_a_hundred_to_the_others() {
    let host = host("reserved").await;
    let told = listened(&host);
    let revision = host.functions.get(&name("f")).unwrap().revision_id;
    let too_much = |result: Result<(), ConcurrencyError>| {
        assert!(
            matches!(result, Err(ConcurrencyError::ReservesTooMuch { unreserved_min: 100 })),
            "{result:?}"
        );
    };
    too_much(host.reserve("f", Some(901)).await);
    too_much(host.reserve("f", Some(u32::MAX)).await);
    host.reserve("f", Some(600)).await.unwrap();
    too_much(host.reserve("g", Some(301)).await);
    host.reserve("g", Some(300)).await.unwrap();
    assert_eq!(host.functions.reserved_concurrency(), 900);
    too_much(host.reserve("f", Some(601)).await);
    host.reserve("g", Some(0)).await.unwrap();
    // The limit was lowered meanwhile: less is always fine.
    host.functions.set_reserved_concurrency(&name("f"), Some(599), 50).await.unwrap();
    assert_eq!(
        host.functions.get(&name("f")).unwrap().revision_id,
        revision,
        "it is no change of the function"
    );
    assert_eq!(told.of("f"), Some((Some(599), vec![])));
    assert_eq!(told.of("g"), Some((Some(0), vec![])));

    // An update and its settling leave it alone.
    host.functions.update_code(&name("f"), code("three")).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    let host = host.restarted(Deployer::default()).await;
    let told = listened(&host);
    assert_eq!(host.functions.reserved_concurrency(), 599);
    assert_eq!(told.of("f"), Some((Some(599), vec![])));
    host.store.full.store(true, Ordering::SeqCst);
    assert!(host.reserve("f", None).await.is_err());
    assert_eq!(told.of("f"), Some((Some(599), vec![])), "what is not kept is not told");
    host.store.full.store(false, Ordering::SeqCst);
    host.reserve("f", None).await.unwrap();
    assert_eq!(told.of("f"), Some((None, vec![])));
    host.functions.delete(&name("f")).await.unwrap();
    assert_eq!(told.of("f"), None);
    assert!(matches!(
        host.reserve("f", Some(1)).await,
        Err(ConcurrencyError::Functions(FunctionsError::NotFound { .. }))
    ));
}

#[tokio::test]
async fn a_small_account_may_reserve_all_that_it_has() {
    let host = host("small-account").await;
    let f = name("f");
    let reserve = |count| host.functions.set_reserved_concurrency(&f, Some(count), 10);
    assert!(matches!(reserve(11).await, Err(ConcurrencyError::ReservesTooMuch { unreserved_min: 0 })));
    reserve(10).await.unwrap();
}

#[tokio::test]
async fn what_is_provisioned_follows_its_alias_and_is_there_after_a_restart() {
    let host = host("provisioned").await;
    let told = listened(&host);
    host.provision("2", 3).await.unwrap();
    assert_eq!(told.of("f"), Some((None, versions(&[("2", 3)]))));
    let of_provisioned = host.point(2, None).await;
    assert!(of_provisioned.is_ok(), "an alias without provisioned concurrency may point to it");
    host.point(1, None).await.unwrap();
    host.provision("live", 10).await.unwrap();
    assert_eq!(told.of("f"), Some((None, versions(&[("1", 10), ("2", 3)]))));
    assert!(matches!(host.point(2, None).await, Err(FunctionsError::AliasOfProvisionedVersion)));
    assert!(matches!(host.provision("1", 1).await, Err(ConcurrencyError::VersionOfProvisionedAlias)));
    host.functions.delete_provisioned_concurrency(&name("f"), qualifier("2")).await.unwrap();
    host.functions.delete_provisioned_concurrency(&name("f"), qualifier("2")).await.unwrap();
    host.point(1, Some((2, 0.25))).await.unwrap();
    assert_eq!(told.of("f"), Some((None, versions(&[("1", 7), ("2", 3)]))), "10 x 0.25 is 3, rounded");

    let host = host.restarted(Deployer::default()).await;
    let told = listened(&host);
    assert_eq!(told.of("f"), Some((None, versions(&[("1", 7), ("2", 3)]))));
    host.point(2, None).await.unwrap();
    assert_eq!(told.of("f"), Some((None, versions(&[("2", 10)]))));
    host.functions.delete_alias(&name("f"), Arc::from("live")).await.unwrap();
    assert_eq!(told.of("f"), Some((None, vec![])));
    // A version takes what is provisioned of it along; its number is not given again.
    host.provision("1", 1).await.unwrap();
    host.functions.delete_version(&name("f"), 1).await.unwrap();
    assert_eq!(told.of("f"), Some((None, vec![])));
    let host = host.restarted(Deployer::default()).await;
    assert!(host.functions.provisioned_concurrency(&name("f")).unwrap().is_empty());
}

#[tokio::test]
async fn what_is_provisioned_is_part_of_what_is_reserved_or_of_what_is_left() {
    let host = host("provisioned-limits").await;
    let unreserved = |result| match result {
        Err(ConcurrencyError::ProvisionsMoreThanUnreserved { unreserved }) => unreserved,
        other => panic!("{other:?}"),
    };
    assert_eq!(unreserved(host.provision("1", 1_001).await), 1_000);
    assert!(matches!(
        host.provision("1", 901).await,
        Err(ConcurrencyError::ProvisionsTooMuch { unreserved_min: 100 })
    ));
    host.provision("1", 500).await.unwrap();
    assert_eq!(unreserved(host.provision("2", 501).await), 500);
    assert!(matches!(
        host.reserve("g", Some(401)).await,
        Err(ConcurrencyError::ReservesTooMuch { unreserved_min: 100 })
    ));
    host.reserve("g", Some(400)).await.unwrap();
    host.provision("1", 2).await.unwrap();
    assert!(matches!(
        host.reserve("f", Some(1)).await,
        Err(ConcurrencyError::ReservesLessThanProvisioned { reserved: 1, provisioned: 2 })
    ));
    host.reserve("f", Some(3)).await.unwrap();
    assert!(matches!(host.provision("2", 2).await, Err(ConcurrencyError::ProvisionsMoreThanReserved)));
    host.provision("2", 1).await.unwrap();
    for of in ["$LATEST", "latest"] {
        let live = CreateAlias {
            name: Arc::from("latest"),
            version: Version::Latest,
            description: String::new(),
            additional: None,
        };
        let _ = host.functions.create_alias(&name("f"), live).await;
        assert!(matches!(host.provision(of, 1).await, Err(ConcurrencyError::ProvisionsLatest)));
    }
    for of in ["3", "nobody"] {
        assert!(matches!(host.provision(of, 1).await, Err(ConcurrencyError::Functions(_))));
    }
}
