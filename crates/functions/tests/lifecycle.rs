//! Functions are created, changed, settled, removed, and there again after a restart.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use common::{Deployer, Heard, Host, code, create, digest, name, runtime};
use hearth_functions::{
    ConfigurationChange, FunctionsError, LastUpdateStatus, ResolveError, State, UpdateCode,
};
use hearth_types::Qualifier;
use tokio::sync::Semaphore;

#[tokio::test]
async fn a_function_is_pending_when_created_and_active_when_it_has_settled() {
    let host =
        Host::with("create", Deployer { checks: Some(Semaphore::new(0)), ..Deployer::default() }).await;
    let created = host.functions.create(create("f", "one")).await.unwrap();
    assert_eq!((&created.state, &created.last_update), (&State::Pending, &None));
    assert!(matches!(host.functions.resolve(&name("f"), None), Err(ResolveError::Pending { .. })));
    host.deployer.checks.as_ref().unwrap().add_permits(1);
    host.functions.wait_until_settled(&name("f")).await;
    let settled = host.functions.get(&name("f")).unwrap();
    assert_eq!(settled.state, State::Active);
    assert_ne!(settled.revision_id, created.revision_id);
    assert_eq!(host.serving("f"), ("python3.11".to_owned(), digest(b"one")));
}

#[tokio::test]
async fn a_function_without_its_runtime_fails_and_can_be_repaired() {
    let host = Host::new("failed").await;
    host.deployer.missing_runtimes.lock().unwrap().push(runtime("python3.11"));
    host.created("f", "one").await;
    let function = host.functions.get(&name("f")).unwrap();
    assert!(matches!(&function.state, State::Failed(failure) if failure.reason.contains("python3.11")));
    assert!(matches!(host.functions.resolve(&name("f"), None), Err(ResolveError::Failed { .. })));
    let change = ConfigurationChange { runtime: Some(runtime("nodejs22.x")), ..Default::default() };
    host.functions.update_configuration(&name("f"), change).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    assert_eq!(host.serving("f").0, "nodejs22.x");
}

#[tokio::test]
async fn a_function_comes_to_life_when_its_runtime_has_come_and_a_failed_update_stays_failed() {
    let host = Host::new("runtime-came").await;
    host.created("updated", "one").await;
    host.deployer.missing_runtimes.lock().unwrap().extend([runtime("python3.11"), runtime("nodejs22.x")]);
    host.created("created", "one").await;
    let change = ConfigurationChange { runtime: Some(runtime("nodejs22.x")), ..Default::default() };
    host.functions.update_configuration(&name("updated"), change).await.unwrap();
    host.functions.wait_until_settled(&name("updated")).await;
    let before = host.functions.get(&name("created")).unwrap();
    let failed = |function: &str| host.functions.get(&name(function)).unwrap();

    host.functions.settle_again(|_| true).await;
    assert_eq!(failed("created").revision_id, before.revision_id, "nothing has come yet");
    host.deployer.missing_runtimes.lock().unwrap().clear();
    host.functions.settle_again(|meant| meant != runtime("python3.11")).await;
    assert!(matches!(failed("created").state, State::Failed(_)), "another runtime is meant");
    host.functions.settle_again(|_| true).await;

    let host = host.restarted(Deployer::default()).await;
    let function = host.functions.get(&name("created")).unwrap();
    assert_eq!(function.state, State::Active);
    assert_eq!(function.last_update, Some(LastUpdateStatus::Successful));
    assert_eq!(host.serving("created"), ("python3.11".to_owned(), digest(b"one")));
    let function = host.functions.get(&name("updated")).unwrap();
    assert!(matches!(function.last_update, Some(LastUpdateStatus::Failed(_))), "{function:?}");
    assert_eq!(host.serving("updated").0, "python3.11");
}

#[tokio::test]
async fn of_twenty_creations_of_one_name_at_once_one_succeeds() {
    let host = Host::new("twenty").await;
    let creations: Vec<_> = (0..20)
        .map(|_| {
            let functions = host.functions.clone();
            tokio::spawn(async move { functions.create(create("f", "one")).await })
        })
        .collect();
    let mut created = 0;
    for creation in creations {
        match creation.await.unwrap() {
            Ok(_) => created += 1,
            Err(FunctionsError::AlreadyExists { name }) => assert_eq!(name.as_str(), "f"),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(created, 1);
}

#[tokio::test]
async fn a_refused_package_leaves_no_function_and_the_name_free() {
    let host = Host::new("refused").await;
    let refused = host.functions.create(create("f", "bad")).await;
    assert!(matches!(refused, Err(FunctionsError::Deploy(_))), "{refused:?}");
    assert!(matches!(host.functions.get(&name("f")), Err(FunctionsError::NotFound { .. })));
    host.created("f", "one").await;
    let refused = host.functions.update_code(&name("f"), code("bad")).await;
    assert!(matches!(refused, Err(FunctionsError::Deploy(_))), "{refused:?}");
    assert_eq!(host.serving("f").1, digest(b"one"));
}

#[tokio::test]
async fn while_an_update_settles_the_old_version_serves_and_another_change_is_refused() {
    let host =
        Host::with("update", Deployer { checks: Some(Semaphore::new(1)), ..Deployer::default() }).await;
    host.created("f", "one").await;
    let before = host.functions.get(&name("f")).unwrap();
    let updated = host.functions.update_code(&name("f"), code("two")).await.unwrap();
    assert_eq!(updated.last_update, Some(LastUpdateStatus::InProgress));
    assert_eq!((updated.code_sha256, updated.code_size), (digest(b"two"), 3));
    assert_ne!(updated.revision_id, before.revision_id);
    assert!(updated.last_modified_ms > before.last_modified_ms);
    assert_eq!(host.serving("f").1, digest(b"one"));
    let refused = host.functions.update_code(&name("f"), code("three")).await;
    assert!(matches!(refused, Err(FunctionsError::UpdateInProgress { .. })), "{refused:?}");
    let refused = host.functions.update_configuration(&name("f"), ConfigurationChange::default()).await;
    assert!(matches!(refused, Err(FunctionsError::UpdateInProgress { .. })), "{refused:?}");
    host.deployer.checks.as_ref().unwrap().add_permits(1);
    host.functions.wait_until_settled(&name("f")).await;
    let settled = host.functions.get(&name("f")).unwrap();
    assert_eq!(settled.last_update, Some(LastUpdateStatus::Successful));
    assert_ne!(settled.revision_id, updated.revision_id);
    assert_eq!(host.serving("f").1, digest(b"two"));
    assert_eq!(host.deployer.released("one"), 1, "nobody needs the old package any more");
}

#[tokio::test]
async fn after_a_failed_update_the_old_version_serves_also_after_a_restart() {
    let host = Host::new("failed-update").await;
    host.created("f", "one").await;
    host.deployer.missing_runtimes.lock().unwrap().push(runtime("nodejs22.x"));
    let change = ConfigurationChange { runtime: Some(runtime("nodejs22.x")), ..Default::default() };
    host.functions.update_configuration(&name("f"), change).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    let host = host.restarted(Deployer::default()).await;
    let function = host.functions.get(&name("f")).unwrap();
    assert_eq!(function.state, State::Active);
    assert!(matches!(function.last_update, Some(LastUpdateStatus::Failed(_))), "{function:?}");
    assert_eq!(host.serving("f"), ("python3.11".to_owned(), digest(b"one")));
}

#[tokio::test]
async fn a_change_by_somebody_who_saw_another_revision_is_refused() {
    let host = Host::new("revision").await;
    let created = host.functions.create(create("f", "one")).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    let stale = UpdateCode { revision_id: Some(created.revision_id.to_string()), ..code("two") };
    let refused = host.functions.update_code(&name("f"), stale).await;
    assert!(matches!(refused, Err(FunctionsError::RevisionMismatch)), "{refused:?}");
    let current = host.functions.get(&name("f")).unwrap().revision_id.to_string();
    host.functions
        .update_code(&name("f"), UpdateCode { revision_id: Some(current), ..code("two") })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_dry_run_shows_the_update_and_changes_nothing() {
    let host = Host::new("dry-run").await;
    host.created("f", "one").await;
    let before = host.functions.get(&name("f")).unwrap();
    let shown =
        host.functions.update_code(&name("f"), UpdateCode { dry_run: true, ..code("two") }).await.unwrap();
    assert_eq!((shown.code_sha256, shown.revision_id), (digest(b"two"), before.revision_id));
    assert!(Arc::ptr_eq(&before, &host.functions.get(&name("f")).unwrap()));
    assert_eq!((host.deployer.released("two"), host.deployer.released("one")), (1, 0));
    let host = host.restarted(Deployer::default()).await;
    assert_eq!(host.serving("f").1, digest(b"one"));
}

#[tokio::test]
async fn the_listener_hears_of_each_generation_and_of_the_end() {
    let host = Host::new("listener").await;
    let heard = Arc::new(Heard::default());
    host.functions.set_listener(heard.clone());
    host.created("f", "one").await;
    let first = host.functions.resolve(&name("f"), None).unwrap().generation;
    host.functions.update_code(&name("f"), code("two")).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    let second = host.functions.resolve(&name("f"), None).unwrap().generation;
    host.functions.delete(&name("f")).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(*heard.0.lock().unwrap(), [Some(first), Some(second), None]);
}

#[tokio::test]
async fn a_pending_function_can_be_deleted_and_its_package_stays_with_who_runs_it() {
    let host =
        Host::with("delete", Deployer { checks: Some(Semaphore::new(1)), ..Deployer::default() }).await;
    host.created("f", "one").await;
    let running = host.functions.resolve(&name("f"), None).unwrap();
    host.functions.delete(&name("f")).await.unwrap();
    assert_eq!(host.deployer.released("one"), 0);
    drop(running);
    assert_eq!(host.deployer.released("one"), 1);
    let again = host.functions.delete(&name("f")).await;
    assert!(matches!(again, Err(FunctionsError::NotFound { .. })), "{again:?}");

    host.functions.create(create("f", "two")).await.unwrap();
    host.functions.delete(&name("f")).await.unwrap();
    host.functions.wait_until_settled(&name("f")).await;
    host.deployer.checks.as_ref().unwrap().add_permits(1);
    let host = host.restarted(Deployer::default()).await;
    assert_eq!(host.functions.list(None, 10).0.len(), 0, "a settling step does not bring it back");
}

#[tokio::test]
async fn what_was_pending_or_in_progress_settles_after_a_restart() {
    let host =
        Host::with("resume", Deployer { checks: Some(Semaphore::new(1)), ..Deployer::default() }).await;
    host.created("updated", "one").await;
    host.functions.update_code(&name("updated"), code("two")).await.unwrap();
    host.functions.create(create("created", "three")).await.unwrap();
    // Checks of the server that ends never come to an end, so it is not waited for.
    let folder = host.folder.with_file_name("functions-resume-copy");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["hearth.db", "hearth.db-wal"] {
        std::fs::copy(host.folder.join(file), folder.join(file)).unwrap();
    }
    let deployer = Deployer { checks: Some(Semaphore::new(0)), ..Deployer::default() };
    let restarted = Host::open(&folder, Arc::new(deployer)).await.unwrap();
    assert_eq!(
        restarted.serving("updated").1,
        digest(b"one"),
        "the old code serves until the new one has settled"
    );
    restarted.deployer.checks.as_ref().unwrap().add_permits(2);
    for function in ["updated", "created"] {
        restarted.functions.wait_until_settled(&name(function)).await;
    }
    assert_eq!(restarted.serving("updated").1, digest(b"two"));
    assert_eq!(restarted.serving("created").1, digest(b"three"));
}

#[tokio::test]
async fn everything_that_was_set_is_there_after_a_restart() {
    let host = Host::new("everything").await;
    host.created("f", "one").await;
    let before = host.functions.get(&name("f")).unwrap();
    let host = host.restarted(Deployer::default()).await;
    let after = host.functions.get(&name("f")).unwrap();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
}

#[tokio::test]
async fn pages_go_by_name_and_name_everything_once() {
    let host = Host::new("pages").await;
    for function in ["c", "a", "d", "b"] {
        host.created(function, "one").await;
    }
    let names = |functions: Vec<Arc<hearth_functions::Function>>| -> Vec<String> {
        functions.iter().map(|function| function.configuration.name.to_string()).collect()
    };
    let (page, more) = host.functions.list(None, 3);
    assert_eq!((names(page), more), (vec!["a".to_owned(), "b".to_owned(), "c".to_owned()], true));
    let (page, more) = host.functions.list(Some(&name("c")), 3);
    assert_eq!((names(page), more), (vec!["d".to_owned()], false));
}

#[tokio::test]
async fn only_latest_resolves() {
    let host = Host::new("qualifier").await;
    host.created("f", "one").await;
    let resolve =
        |qualifier: &str| host.functions.resolve(&name("f"), Some(&Qualifier::parse(qualifier).unwrap()));
    assert!(resolve("$LATEST").is_ok());
    for qualifier in ["1", "live"] {
        let Err(ResolveError::NotFound { arn }) = resolve(qualifier) else { panic!("{qualifier} resolved") };
        assert!(arn.to_string().ends_with(&format!(":f:{qualifier}")), "{arn}");
    }
}
