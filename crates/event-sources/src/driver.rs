//! The task of a mapping: does what is wanted of it, one thing after the other. What has begun is finished before the next.

use std::sync::Arc;
use std::time::Duration;

use hearth_store::StoreError;
use tokio::sync::watch;

use crate::mapping::{Mapping, MappingState, SourceKind};
use crate::status::{Status, Stop, Wanted};
use crate::{Poller, Shared, sqs, streams};

/// How long to wait before a mapping is removed again that could not be. Ours.
const REMOVE_AGAIN: Duration = Duration::from_secs(1);

/// Does what is wanted until the mapping is gone, or the server ends.
pub(crate) async fn drive(
    shared: Arc<Shared>,
    uuid: String,
    status: Arc<Status>,
    mut hears: watch::Receiver<Wanted>,
) {
    loop {
        let wanted = hears.borrow_and_update().clone();
        match wanted {
            Wanted::Polling(mapping) => poll(&shared, &status, mapping, &mut hears).await,
            Wanted::Resting => {
                // What was asked for meanwhile stays.
                if !hears.has_changed().unwrap_or(true) {
                    status.set_state(MappingState::Disabled);
                }
                if hears.changed().await.is_err() {
                    return;
                }
            }
            Wanted::Removed => return remove(&shared, &uuid).await,
            Wanted::Ended => return,
        }
    }
}

async fn poll(
    shared: &Arc<Shared>,
    status: &Arc<Status>,
    mapping: Arc<Mapping>,
    hears: &mut watch::Receiver<Wanted>,
) {
    let Some((aws, services)) = &shared.reach else {
        status.settle();
        status.problem("The server has no `aws-endpoint`");
        let _ = hears.changed().await;
        // It has been heard of, and is to be looked at.
        hears.mark_changed();
        return;
    };
    let parts = &shared.parts;
    let poller = Arc::new(Poller {
        functions: parts.functions.clone(),
        invoker: parts.invoker.clone(),
        store: parts.store.clone(),
        clock: parts.clock.clone(),
        services: services.clone(),
        status: status.clone(),
    });
    let stop = Stop(hears.clone());
    let (aws, kind) = (aws.clone(), mapping.source.kind);
    match kind {
        SourceKind::SqsStandard | SourceKind::SqsFifo => sqs::poll(poller, aws, mapping, stop).await,
        SourceKind::Kinesis | SourceKind::DynamoDbStreams => {
            streams::poll(poller, aws, mapping, stop).await;
        }
    }
}

/// Removes a mapping with all that is kept of it.
async fn remove(shared: &Shared, uuid: &str) {
    while let Err(error) = shared.parts.store.remove_mapping(uuid.to_owned()).await {
        if matches!(error, StoreError::Stopped) {
            // It is removed by the next server.
            return;
        }
        let reason = error.to_string();
        let sentence = "an event source mapping cannot be removed, which is tried again";
        tracing::error!(mapping = uuid, reason, "{sentence}");
        tokio::time::sleep(REMOVE_AGAIN).await;
    }
    shared.entries().remove(uuid);
}
