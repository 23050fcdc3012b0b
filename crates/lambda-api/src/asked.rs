//! What a request asks for, as policies name it: the action, and what it is about.

use hearth_auth::{Asked, Resource};
use hearth_aws_wire::query_pairs;
use hearth_durable::DurableExecutionArn;
use hearth_types::{AccountId, FunctionArn, FunctionReference, LayerReference, LayerVersionArn, Qualifier};
use http::{Method, Uri};
use serde::Deserialize;

use crate::LambdaApi;
use crate::routes::{Call, Route};

/// Labels of a path that may name a function.
const FUNCTION_LABELS: [&str; 4] = ["FunctionName", "Resource", "ARN", "ResourceArn"];

/// What a body says of the function that is to be made.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    function_name: String,
}

impl LambdaApi {
    /// Whether there is an operation at a path.
    pub fn has_operation(&self, method: &Method, uri: &Uri) -> bool {
        !matches!(Route::of(method, uri), Ok(Route::Root) | Err(_))
    }

    /// Returns what a request asks Lambda for. `None` when there is no operation at its path, and nothing to allow. A name
    /// without an account is one of the caller's account.
    pub fn asked(&self, method: &Method, uri: &Uri, body: &[u8], caller: &AccountId) -> Option<Asked> {
        let query = uri.query().unwrap_or("");
        match Route::of(method, uri).ok()? {
            Route::Invoke { function_name } => Some(Asked {
                action: action("Invoke"),
                resource: self.function(&function_name, query, caller),
            }),
            Route::Operation(call) => {
                let resource = self.resource(&call, query, body, caller);
                Some(Asked { action: action(call.operation.name), resource })
            }
            Route::Root => None,
        }
    }

    fn resource(&self, call: &Call, query: &str, body: &[u8], caller: &AccountId) -> Resource {
        let label = |name: &str| call.labels.iter().find(|(known, _)| *known == name).map(|(_, label)| label);
        if let Some((_, label)) = call.labels.iter().find(|(name, _)| FUNCTION_LABELS.contains(name)) {
            return self.function(label, query, caller);
        }
        if let Some(label) = label("DurableExecutionArn") {
            return execution(label);
        }
        match (call.operation.name, label("LayerName")) {
            ("CreateFunction", _) => match serde_json::from_slice::<Created>(body) {
                Ok(created) => self.function(&created.function_name, "", caller),
                Err(_) => Resource::Untold,
            },
            ("GetLayerVersionByArn", _) => {
                let arn = only(query, "Arn").and_then(|arn| LayerVersionArn::parse(&arn));
                arn.map_or(Resource::Untold, Resource::LayerVersion)
            }
            (_, Some(layer)) => {
                let number = label("VersionNumber");
                self.layer(layer, number.map(String::as_str), caller).unwrap_or(Resource::Untold)
            }
            // What is named in another way is something that policies could be about.
            (_, None) if !call.labels.is_empty() => Resource::Untold,
            (_, None) => Resource::Any,
        }
    }

    /// Finds the function, version or alias. Two different qualifiers are refused by the operation.
    fn function(&self, label: &str, query: &str, caller: &AccountId) -> Resource {
        let Ok(FunctionReference { region, account, name, qualifier }) = FunctionReference::parse(label)
        else {
            return Resource::Untold;
        };
        let beside = match has(query, "Qualifier") {
            false => None,
            true => match only(query, "Qualifier").map(|text| Qualifier::parse(&text)) {
                Some(Ok(beside)) => Some(beside),
                Some(Err(_)) | None => return Resource::Untold,
            },
        };
        let qualifier = match (qualifier, beside) {
            (Some(within), Some(beside)) if within != beside => return Resource::Untold,
            (within, beside) => within.or(beside),
        };
        let region = region.unwrap_or_else(|| self.functions.settings().region.clone());
        let account = account.unwrap_or_else(|| caller.clone());
        function(FunctionArn { region, account, name, qualifier })
    }

    fn layer(&self, label: &str, number: Option<&str>, caller: &AccountId) -> Option<Resource> {
        let LayerReference { owner, name } = LayerReference::parse(label)?;
        let ours = || (self.functions.settings().region.clone(), caller.clone());
        let (region, account) = owner.unwrap_or_else(ours);
        let arn = LayerVersionArn { region, account, name, version: 0 };
        match number {
            None => Some(Resource::Named { arn: arn.layer() }),
            Some(number) => {
                Some(Resource::LayerVersion(LayerVersionArn { version: number.parse().ok()?, ..arn }))
            }
        }
    }
}

/// A function as policies are about it.
pub(crate) fn function(arn: FunctionArn) -> Resource {
    let text = arn.to_string();
    let FunctionArn { region, account, name, qualifier } = arn;
    Resource::Function { arn: text, region, account, name, qualifier }
}

fn has(query: &str, name: &str) -> bool {
    query.split('&').any(|pair| {
        let key = pair.split_once('=').map_or(pair, |(key, _)| key);
        key == name || hearth_aws_wire::decode(&key.replace('+', " ")).is_some_and(|key| key == name)
    })
}

/// Returns the value of a parameter that is there once.
fn only(query: &str, name: &str) -> Option<String> {
    let mut values = query_pairs(query).into_iter().filter(|(key, _)| key == name).map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// A durable execution belongs to the version that its ARN names.
fn execution(label: &str) -> Resource {
    let Some(arn) = DurableExecutionArn::parse(label) else { return Resource::Untold };
    let text = arn.to_string();
    let qualifier = Qualifier::parse(&arn.version).ok();
    Resource::Function { arn: text, region: arn.region, account: arn.account, name: arn.function, qualifier }
}

/// Names of operations and of actions are the same, mostly. Source: "Actions, resources, and condition keys for AWS
/// Lambda" in the Service Authorization Reference, read 2026-11.
fn action(operation: &str) -> String {
    let action = match operation {
        "Invoke" | "InvokeWithResponseStream" => "InvokeFunction",
        "GetLayerVersionByArn" => "GetLayerVersion",
        same => same,
    };
    format!("lambda:{action}")
}
