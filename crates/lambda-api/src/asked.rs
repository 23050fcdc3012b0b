//! What a request asks for, as policies name it: the action, and the function that it is about.

use hearth_auth::{Asked, Resource};
use hearth_types::{FunctionArn, FunctionReference};
use http::{Method, Uri};

use crate::LambdaApi;
use crate::routes::Route;

/// Labels of a path that may name a function.
const FUNCTION_LABELS: [&str; 4] = ["FunctionName", "Resource", "ARN", "ResourceArn"];

impl LambdaApi {
    /// Returns what a request asks Lambda for. `None` when there is no operation at its path, and nothing to allow.
    pub fn asked(&self, method: &Method, uri: &Uri) -> Option<Asked> {
        match Route::of(method, uri).ok()? {
            Route::Invoke { function_name } => {
                Some(Asked { action: action("Invoke"), resource: self.function(&function_name) })
            }
            Route::Operation(call) => {
                let label = call.labels.iter().find(|(name, _)| FUNCTION_LABELS.contains(name));
                let resource = label.map_or(Resource::Any, |(_, label)| self.function(label));
                Some(Asked { action: action(call.operation.name), resource })
            }
            Route::Root => None,
        }
    }

    fn function(&self, label: &str) -> Resource {
        let Ok(FunctionReference { region, account, name, qualifier }) = FunctionReference::parse(label)
        else {
            return Resource::Any;
        };
        let ours = self.functions.settings();
        let arn = FunctionArn {
            region: region.unwrap_or_else(|| ours.region.clone()),
            account: account.unwrap_or_else(|| ours.account.clone()),
            name: name.clone(),
            qualifier,
        };
        Resource::Function { arn: arn.to_string(), name }
    }
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
