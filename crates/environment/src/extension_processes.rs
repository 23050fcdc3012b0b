//! The extensions of a running environment: their processes, what they put out, and what they say on connections.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Weak};
use std::time::Instant;

use hearth_sandbox::{Output, ProcessId, SandboxError, output_pipe};
use hearth_telemetry::{LifecycleEvent, Subscription};
use hearth_types::{ExtensionId, ExtensionName, ProcessUsage};
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use crate::environment::{Brought, Environment, Inner};
use crate::event::{Event, ExtensionEvent};
use crate::extensions::ProgramNumber;
use crate::notifications::Notification;
use crate::runtime_connection::RuntimeConnection;
use crate::runtime_state::Rejection;
use crate::watch::extension_process;

impl Environment {
    /// An extension asks for an event.
    pub(crate) fn hear_poll(
        self: &Arc<Self>,
        from: &RuntimeConnection,
        extension: ExtensionId,
        reply: oneshot::Sender<Notification>,
    ) -> Result<(), Rejection> {
        let mut inner = self.lock();
        if inner.generation != from.generation() {
            return Err(Rejection::Ending);
        }
        // An event that never reached it: it is not done with that.
        if let Some(notification) = inner.notifications.take(extension) {
            if let Err(unsent) = reply.send(notification) {
                inner.notifications.send(extension, unsent);
            }
            return Ok(());
        }
        let waiter = Some(Brought::Extension(extension, reply));
        self.feed_locked(inner, Event::ExtensionNext(extension), waiter).unwrap_or(Err(Rejection::Ending))
    }

    /// An extension subscribes to telemetry.
    pub(crate) fn hear_subscription(
        self: &Arc<Self>,
        from: &RuntimeConnection,
        id: ExtensionId,
        subscription: Subscription,
    ) -> Result<(), Rejection> {
        let inner = self.lock();
        if inner.generation != from.generation() {
            return Err(Rejection::Ending);
        }
        let (api, types) = (subscription.api(), subscription.types());
        let event = Event::ExtensionSubscribes { id, api, types };
        let subscription = Some(Brought::Subscription(subscription));
        self.feed_locked(inner, event, subscription).unwrap_or(Err(Rejection::Ending))
    }

    /// The event that was handed to a poll never left us: the connection broke in that moment.
    pub(crate) fn keep_notification(
        &self,
        from: &RuntimeConnection,
        extension: ExtensionId,
        notification: Notification,
    ) {
        let mut inner = self.lock();
        if inner.generation == from.generation() {
            inner.notifications.send(extension, notification);
        }
    }

    /// Starts the program of an external extension.
    pub(crate) fn start_extension(
        self: &Arc<Self>,
        inner: &mut Inner,
        program: ProgramNumber,
    ) -> Result<(), Event> {
        let lost = |error: SandboxError| {
            tracing::error!(environment_id = %self.id, %error, "cannot start an extension");
            Event::SandboxLost
        };
        let Some(name) = self.boot.extensions.get(program) else { return Ok(()) };
        let command = (self.boot.extension_command)(&*self.sandbox, program);
        let (output, output_to) = output_pipe().map_err(lost)?;
        let to_watch = output
            .try_clone()
            .map_err(|source| lost(SandboxError::Prepare { what: "an output pipe", source }))?;
        let process = extension_process(inner.generation, program);
        self.sandbox.start(process, &command, Output::Own(output_to.as_fd())).map_err(lost)?;
        inner.outputs.add(name.clone(), output);
        tokio::spawn(watch_extension(Arc::downgrade(self), name.clone(), to_watch));
        Ok(())
    }

    /// Returns what the process of each external extension that runs has used so far. Reads some files for each.
    pub fn extensions_usage(&self) -> Vec<(ExtensionName, ProcessUsage)> {
        let generation = self.lock().generation;
        let usage = |(program, name): (ProgramNumber, &ExtensionName)| {
            let process = extension_process(generation, program);
            // One that has ended is in the record.
            self.sandbox.pid(process)?;
            Some((name.clone(), self.sandbox.usage(process)?))
        };
        self.boot.extensions.iter().enumerate().filter_map(usage).collect()
    }

    /// The process of an external extension has ended: records what it used.
    pub(crate) fn record_usage(&self, program: ProgramNumber, process: ProcessId) {
        let (Some(extension), Some(usage)) = (self.boot.extensions.get(program), self.sandbox.usage(process))
        else {
            return;
        };
        let used = LifecycleEvent::ExtensionUsed { extension: extension.clone(), usage };
        self.lock().telemetry.take(self.clock.now(), used);
    }

    /// Hands an event to an extension.
    pub(crate) fn notify(
        &self,
        inner: &mut Inner,
        now: Instant,
        extension: ExtensionId,
        event: ExtensionEvent,
    ) {
        let notification = match event {
            ExtensionEvent::Invoke(invocation) => {
                let deadline = inner.machine.running().map_or(now, |(_, deadline)| deadline);
                Notification::Invoke {
                    deadline_epoch_ms: self.clock.epoch_ms_at(deadline, now),
                    request_id: invocation.request_id,
                    invoked_function_arn: invocation.invoked_function_arn,
                    trace: invocation.delivered_trace,
                }
            }
            ExtensionEvent::Shutdown { reason, deadline } => {
                // It has to hear of the last lines before it ends.
                inner.outputs.drain(&mut inner.telemetry);
                inner.telemetry.hurry_subscribers();
                let deadline_epoch_ms = self.clock.epoch_ms_at(deadline, now);
                Notification::Shutdown { reason, deadline_epoch_ms }
            }
        };
        inner.notifications.send(extension, notification);
    }
}

/// Reads what an external extension puts out, until its pipe ends.
async fn watch_extension(environment: Weak<Environment>, extension: ExtensionName, output: OwnedFd) {
    let Ok(output) = pipe::Receiver::from_owned_fd(output) else { return };
    while output.readable().await.is_ok() {
        let Some(environment) = environment.upgrade() else { return };
        let room = environment.lock().telemetry.room_for_output();
        room.await;
        let mut guard = environment.lock();
        let inner = &mut *guard;
        if inner.outputs.drain_extension(&extension, &mut inner.telemetry) {
            continue;
        }
        // Tokio has to see for itself that the pipe is empty before it waits again. If it is not, a byte comes along.
        let mut byte = [0];
        match output.try_read(&mut byte) {
            Ok(1..) => inner.outputs.take_of_extension(&extension, &byte, &mut inner.telemetry),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return,
        }
    }
}
