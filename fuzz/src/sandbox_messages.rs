//! Packets between the server and the first process of an environment, which is untrusted.
//!
//! What is read prints as something that reads as the same; everything else is refused.

use hearth_sandbox_init::messages::{FromInit, ToInit};

/// Runs one input.
pub fn run(data: &[u8]) {
    if let Some(message) = FromInit::decode(data) {
        assert_eq!(FromInit::decode(&message.encode()), Some(message));
    }
    if let Some(message) = ToInit::decode(data) {
        assert_eq!(ToInit::decode(&message.encode()), Some(message));
    }
}
