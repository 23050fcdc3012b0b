//! `/_hearth/prices`: the prices that this server estimates with.

use hearth_aws_wire::Response;
use hearth_cost::Rates;
use hearth_types::Architecture;
use serde_json::{Value, json};

use super::{Insight, answer};

impl Insight {
    /// Says what a GB-second and a request cost, by architecture, in dollars.
    pub(super) fn prices(&self) -> Response {
        let of = |architecture| -> Value {
            let Rates { gb_second, gb_second_on_provisioned, gb_second_provisioned, request } =
                self.prices.rates(architecture);
            json!({
                "gb_second_usd": gb_second,
                "gb_second_on_provisioned_usd": gb_second_on_provisioned,
                "gb_second_provisioned_usd": gb_second_provisioned,
                "request_usd": request,
            })
        };
        answer(&json!({
            "source": self.prices.source,
            "date": self.prices.date,
            "region": self.prices.region,
            "x86_64": of(Architecture::X86_64),
            "arm64": of(Architecture::Arm64),
        }))
    }
}
