//! What the pollers of all kinds of sources share: the parts of the server that they need, and saying what keeps them up.

use std::sync::Arc;

use hearth_aws_client::ClientError;
use hearth_destinations::Services;
use hearth_functions::Functions;
use hearth_invoke::{EventClock, Invoker};
use hearth_store::{EventSourceMappingStore, ShardPositionRecord, StoreError};

use crate::backoff::Waits;
use crate::mapping::Mapping;
use crate::status::{Status, Stop};

/// What the poller of a mapping needs.
pub(crate) struct Poller {
    pub(crate) functions: Arc<Functions>,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) store: Arc<dyn EventSourceMappingStore>,
    pub(crate) clock: Arc<dyn EventClock>,
    pub(crate) services: Arc<Services>,
    pub(crate) status: Arc<Status>,
}

impl Poller {
    /// Notes that the source did not answer as it should. A mapping whose source is away is polled all the same.
    pub(crate) fn say_unreachable(&self, mapping: &Mapping, error: &ClientError) {
        self.status.settle();
        self.status.problem("The event source cannot be polled");
        self.log(mapping, &error.to_string(), "an event source cannot be polled, which is tried again");
    }

    /// The same, and waits. Returns whether to go on.
    pub(crate) async fn unreachable(
        &self,
        mapping: &Mapping,
        error: &ClientError,
        stop: &Stop,
        backoff: &mut Waits,
    ) -> bool {
        self.say_unreachable(mapping, error);
        stop.wait(backoff.wait()).await
    }

    /// Notes that the function cannot be called, and waits. Returns whether to go on.
    pub(crate) async fn not_callable(
        &self,
        mapping: &Mapping,
        reason: &str,
        stop: &Stop,
        backoff: &mut Waits,
    ) -> bool {
        self.status.problem("Function cannot be called");
        self.log(mapping, reason, "an event source is not polled: its function cannot be called");
        stop.wait(backoff.wait()).await
    }

    /// Writes to the log what keeps a mapping up.
    pub(crate) fn log(&self, mapping: &Mapping, reason: &str, sentence: &'static str) {
        let (source, function) = (&mapping.source.arn, &mapping.function);
        tracing::warn!(mapping = mapping.record.uuid, source, %function, reason, "{sentence}");
    }

    /// Keeps how far a shard has come. Returns whether it is kept: otherwise something else is wanted before.
    pub(crate) async fn keep(&self, mapping: &Mapping, at: &ShardPositionRecord, stop: &Stop) -> bool {
        let mut backoff = Waits::of_services();
        loop {
            match self.store.put_positions(vec![at.clone()]).await {
                Ok(()) => {
                    fail::fail_point!("event_sources::position_kept");
                    return true;
                }
                Err(StoreError::Stopped) => return false,
                Err(error) => {
                    let sentence = "how far a stream has been read cannot be kept, which is tried again";
                    self.log(mapping, &error.to_string(), sentence);
                    if !stop.wait(backoff.wait()).await {
                        return false;
                    }
                }
            }
        }
    }

    /// Returns the role of a mapping's function; nothing when there is no function.
    pub(crate) fn role(&self, mapping: &Mapping) -> String {
        let function = self.functions.get_qualified(&mapping.function, mapping.qualifier.as_ref());
        function.map(|function| function.configuration.role.clone()).unwrap_or_default()
    }

    /// Returns the ARN of a mapping's function, as the mapping names it.
    pub(crate) fn function_arn(&self, mapping: &Mapping) -> String {
        self.functions.arn(&mapping.function, mapping.qualifier.clone()).to_string()
    }
}
