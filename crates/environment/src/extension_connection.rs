//! What an extension says on a connection to the Runtime API, as calls. Any connection serves: an extension is known by its id.

use hearth_telemetry::{Subscription, SubscriptionApi};
use hearth_types::{ExtensionId, ExtensionName};
use tokio::sync::oneshot;

use crate::event::Event;
use crate::extensions::ExtensionReport;
use crate::notifications::Notification;
use crate::runtime_connection::RuntimeConnection;
use crate::runtime_state::Rejection;

impl RuntimeConnection {
    /// An extension registers for events, named as it writes them. Returns its id.
    pub fn register_extension(
        &self,
        name: ExtensionName,
        events: Vec<String>,
    ) -> Result<ExtensionId, Rejection> {
        let id = ExtensionId::random();
        self.hear(Event::ExtensionRegisters { name, id, events })?;
        Ok(id)
    }

    /// An extension asks for an event.
    pub fn next_event(&self, id: ExtensionId) -> Result<ParkedEvent<'_>, Rejection> {
        let (reply, notification) = oneshot::channel();
        self.environment().hear_poll(self, id, reply)?;
        Ok(ParkedEvent { connection: self, extension: id, notification })
    }

    /// An extension reports an error.
    pub fn report_of_extension(
        &self,
        id: ExtensionId,
        report: ExtensionReport,
        error_type: String,
        message: Option<String>,
    ) -> Result<(), Rejection> {
        self.hear(Event::ExtensionReports { id, report, error_type, message })
    }

    /// An extension begins to subscribe to telemetry: whether it may.
    pub fn begin_subscription(&self, id: ExtensionId, api: SubscriptionApi) -> Result<(), Rejection> {
        self.hear(Event::SubscriptionBegins { id, api })
    }

    /// An extension subscribes to telemetry.
    pub fn subscribe(&self, id: ExtensionId, subscription: Subscription) -> Result<(), Rejection> {
        self.environment().hear_subscription(self, id, subscription)
    }
}

/// A poll that waits for its event. Dropped before it has one, its connection is gone.
pub struct ParkedEvent<'connection> {
    connection: &'connection RuntimeConnection,
    extension: ExtensionId,
    notification: oneshot::Receiver<Notification>,
}

impl ParkedEvent<'_> {
    /// Waits for the event, for hours if need be. `Ending`: there will be none.
    pub async fn event(mut self) -> Result<Notification, Rejection> {
        (&mut self.notification).await.map_err(|_| Rejection::Ending)
    }
}

impl Drop for ParkedEvent<'_> {
    fn drop(&mut self) {
        self.notification.close();
        // It came, and nobody took it out.
        if let Ok(notification) = self.notification.try_recv() {
            self.connection.environment().keep_notification(self.connection, self.extension, notification);
        }
    }
}
