//! Bodies of the Telemetry API and of the Logs API. The first byte says which.
//!
//! A subscription that is accepted is for something, comes through the interface it was sent to, and is accepted again; a
//! refusal says why.

use hearth_telemetry::{Subscription, SubscriptionApi};

/// Where the Runtime API of the environment listens: nobody else can.
const RUNTIME_API_PORT: u16 = 9_002;

/// Runs one input.
pub fn run(data: &[u8]) {
    let [which, body @ ..] = data else { return };
    let api = if which % 2 == 0 { SubscriptionApi::Telemetry } else { SubscriptionApi::Logs };
    let parsed = Subscription::parse(api, body, RUNTIME_API_PORT);
    match &parsed {
        Ok(subscription) => {
            let types = subscription.types();
            assert!(types.platform || types.function || types.extension, "it is for something");
            assert_eq!(subscription.api(), api);
        }
        Err(error) => assert!(!error.message.is_empty() && !error.error_type.is_empty()),
    }
    assert_eq!(parsed, Subscription::parse(api, body, RUNTIME_API_PORT), "the same each time");
}
