//! What the processes of an environment put out: one pipe for the runtime, and one for each external extension.

use std::os::fd::OwnedFd;

use hearth_telemetry::{EnvironmentTelemetry, OutputCapture};
use hearth_types::ExtensionName;

/// Reads all pipes, and hands on what is in them.
pub(crate) struct Outputs {
    runtime: OutputCapture,
    extensions: Vec<(ExtensionName, OutputCapture)>,
}

impl Outputs {
    /// Begins with the pipe of the runtime.
    pub(crate) fn new(runtime: OwnedFd) -> Self {
        Self { runtime: OutputCapture::new(runtime), extensions: Vec::new() }
    }

    /// Adds the pipe of an extension.
    pub(crate) fn add(&mut self, extension: ExtensionName, pipe: OwnedFd) {
        self.extensions.push((extension, OutputCapture::new(pipe)));
    }

    /// Hands on what is in the pipe of the runtime. Returns whether there may be more.
    pub(crate) fn drain_runtime(&mut self, telemetry: &mut EnvironmentTelemetry) -> bool {
        let (events, more) = self.runtime.drain(telemetry.timestamp_ms());
        if !events.is_empty() {
            telemetry.write(events);
        }
        more
    }

    /// Hands on what is in the pipe of an extension. Returns whether there may be more.
    pub(crate) fn drain_extension(
        &mut self,
        extension: &ExtensionName,
        telemetry: &mut EnvironmentTelemetry,
    ) -> bool {
        let Some((_, capture)) = self.extensions.iter_mut().find(|(name, _)| name == extension) else {
            return false;
        };
        let (events, more) = capture.drain(telemetry.timestamp_ms());
        if !events.is_empty() {
            telemetry.write_extension(extension, events);
        }
        more
    }

    /// Hands on what is in any pipe. Returns whether there may be more.
    pub(crate) fn drain(&mut self, telemetry: &mut EnvironmentTelemetry) -> bool {
        let mut more = self.drain_runtime(telemetry);
        for (extension, capture) in &mut self.extensions {
            let (events, more_of_it) = capture.drain(telemetry.timestamp_ms());
            if !events.is_empty() {
                telemetry.write_extension(extension, events);
            }
            more |= more_of_it;
        }
        more
    }

    /// Takes output of the runtime that was read elsewhere.
    pub(crate) fn take(&mut self, bytes: &[u8], telemetry: &mut EnvironmentTelemetry) {
        let events = self.runtime.take(bytes, telemetry.timestamp_ms());
        telemetry.write(events);
    }

    /// Takes output of an extension that was read elsewhere.
    pub(crate) fn take_of_extension(
        &mut self,
        extension: &ExtensionName,
        bytes: &[u8],
        telemetry: &mut EnvironmentTelemetry,
    ) {
        if let Some((_, capture)) = self.extensions.iter_mut().find(|(name, _)| name == extension) {
            let events = capture.take(bytes, telemetry.timestamp_ms());
            telemetry.write_extension(extension, events);
        }
    }

    /// Ends the line that has no end yet: the invocation is over. Extensions go on.
    pub(crate) fn flush(&mut self, telemetry: &mut EnvironmentTelemetry) {
        if let Some(event) = self.runtime.flush(telemetry.timestamp_ms()) {
            telemetry.write(vec![event]);
        }
    }

    /// Ends everything that has no end yet: the processes are gone.
    pub(crate) fn finish(&mut self, telemetry: &mut EnvironmentTelemetry) {
        let events = self.runtime.finish(telemetry.timestamp_ms());
        if !events.is_empty() {
            telemetry.write(events);
        }
        for (extension, mut capture) in std::mem::take(&mut self.extensions) {
            let events = capture.finish(telemetry.timestamp_ms());
            if !events.is_empty() {
                telemetry.write_extension(&extension, events);
            }
        }
    }
}
