//! Callers that hang up, disks that are full, records and packages that are gone: no half change, and nothing is lost.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Deployer, Host, code, create, digest, name, runtime};
use hearth_functions::{ConfigurationChange, ResolveError, State};

/// Waits for a condition, with a limit.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Polls `future` until its change is durable but not yet answered, then drops it, as when a client hangs up.
async fn hang_up<T>(host: &Host, future: impl Future<Output = T>) {
    let held = host.store.replies.available_permits() as u32;
    host.store.replies.acquire_many(held).await.unwrap().forget();
    // The store has answered none of them by then, so the future cannot be ready.
    let given_up = tokio::time::timeout(Duration::from_millis(200), future).await;
    assert!(given_up.is_err(), "it is held up");
    host.store.replies.add_permits(held as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_leaves_a_whole_function() {
    let host = Host::new("hang-up-create").await;
    hang_up(&host, host.functions.create(create("f", "one"))).await;
    until("shown", || host.functions.get(&name("f")).is_ok()).await;
    host.functions.wait_until_settled(&name("f")).await;
    assert_eq!(host.serving("f").1, digest(b"one"));
    assert_eq!(host.deployer.released("one"), 0, "a stored record needs it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_leaves_a_whole_update() {
    let host = Host::new("hang-up-update").await;
    host.created("f", "one").await;
    hang_up(&host, host.functions.update_code(&name("f"), code("two"))).await;
    until("served", || host.functions.resolve(&name("f"), None).unwrap().code.sha256 == digest(b"two")).await;
    host.functions.wait_until_settled(&name("f")).await;
    host.functions.update_code(&name("f"), code("three")).await.expect("the next update is not refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_leaves_a_whole_removal() {
    let host = Host::new("hang-up-delete").await;
    host.created("f", "one").await;
    hang_up(&host, host.functions.delete(&name("f"))).await;
    until("gone", || host.functions.get(&name("f")).is_err()).await;
}

#[tokio::test]
async fn a_full_disk_fails_changes_and_is_got_over_without_a_restart() {
    let host =
        Host::with("full", Deployer { checks: Some(tokio::sync::Semaphore::new(0)), ..Deployer::default() })
            .await;
    host.functions.create(create("f", "one")).await.unwrap();
    host.store.full.store(true, Ordering::SeqCst);
    assert!(host.functions.create(create("g", "two")).await.is_err());
    assert!(host.functions.get(&name("g")).is_err());
    // The creation of `f` cannot be settled now, so nobody is told that it is.
    host.deployer.checks.as_ref().unwrap().add_permits(10);
    until("failed twice", || host.store.failed.load(Ordering::SeqCst) >= 2).await;
    host.store.full.store(false, Ordering::SeqCst);
    host.functions.wait_until_settled(&name("f")).await;
    host.functions.update_code(&name("f"), code("two")).await.expect("an update after the disk has room");
    host.functions.wait_until_settled(&name("f")).await;
    let host = host.restarted(Deployer::default()).await;
    assert_eq!(host.serving("f").1, digest(b"two"));
}

#[tokio::test]
async fn a_server_that_ends_gives_no_package_free_that_a_record_needs() {
    let host = Host::new("ends").await;
    host.created("f", "one").await;
    let deployer = host.deployer.clone();
    host.end().await;
    assert_eq!(deployer.released("one"), 0);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_costs_no_other_function_its_package() {
    let host = Host::new("bad-record").await;
    host.created("a", "one").await;
    host.created("b", "two").await;
    let folder = host.end().await;
    // As a later version may have written it, with a checksum that is right.
    let store = hearth_store::embedded::EmbeddedStore::open(&folder).unwrap();
    let mut record = hearth_store::FunctionStore::load_all(&store).await.unwrap().remove(1);
    record.runtime = "cobol74".to_owned();
    let revision_id = record.revision_id.clone();
    hearth_store::FunctionStore::replace(&store, revision_id, record).await.unwrap();
    drop(store);
    let deployer = Arc::new(Deployer::default());
    let Err(error) = Host::open(&folder, deployer.clone()).await else { panic!("opened") };
    assert!(error.to_string().contains("cobol74"), "{error}");
    assert_eq!(deployer.released("one"), 0);
}

#[tokio::test]
async fn a_function_whose_package_is_lost_is_failed_until_it_is_sent_again() {
    let host = Host::new("lost").await;
    host.created("f", "one").await;
    let lost = || Deployer { lost: vec![digest(b"one")].into(), ..Deployer::default() };
    let host = host.restarted(lost()).await;
    let failed =
        |host: &Host| matches!(host.functions.resolve(&name("f"), None), Err(ResolveError::Failed { .. }));
    assert!(failed(&host));
    // A change of something else does not bring the package back.
    host.functions.update_configuration(&name("f"), ConfigurationChange::default()).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    assert!(failed(&host), "{:?}", host.functions.get(&name("f")));
    host.functions.update_code(&name("f"), code("two")).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    assert_eq!(host.functions.get(&name("f")).unwrap().state, State::Active);
    assert_eq!(host.serving("f").1, digest(b"two"));
}

#[tokio::test]
async fn what_served_goes_on_when_only_the_package_of_a_failed_update_is_lost() {
    let host = Host::new("lost-update").await;
    host.created("f", "one").await;
    host.deployer.missing_runtimes.lock().unwrap().push(runtime("python3.11"));
    host.functions.update_code(&name("f"), code("two")).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    let host = host.restarted(Deployer { lost: vec![digest(b"two")].into(), ..Deployer::default() }).await;
    assert_eq!(host.serving("f").1, digest(b"one"));
}
