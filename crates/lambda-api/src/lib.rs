//! The Lambda API: from an HTTP request to one of the operations, and back. One module an operation; [`routes`] is the
//! table, [`error`] turns our errors into AWS's. STS's GetCallerIdentity, which every client asks first, is here too.
//!
//! Signatures are not checked yet: whoever reaches the listener may call everything. See `SECURITY.md`.

mod code_location;
mod configuration;
mod create_function;
mod delete_function;
mod error;
mod function_name;
mod generated;
mod get_function;
mod get_function_configuration;
mod input;
mod invoke;
mod list_functions;
mod other_services;
mod routes;
mod sts;
mod unsupported;
mod update_function_code;
mod update_function_configuration;
mod validation;

use std::sync::Arc;

use hearth_aws_wire::{REQUEST_ID, Response};
use hearth_functions::{Clock, Functions};
use hearth_invoke::Invoker;
use hearth_types::{Architecture, RequestId, Runtime};
use http::{HeaderValue, Request};
use hyper::body::Incoming;

use code_location::CodeLocations;
use error::ApiError;
use input::Uploads;
use routes::Route;

/// Names the version of a runtime that this host has, for `RuntimeVersionConfig`.
pub type RuntimeVersionArn = dyn Fn(Runtime) -> Option<String> + Send + Sync;

/// The Lambda API of one account in one region.
pub struct LambdaApi {
    functions: Arc<Functions>,
    invoker: Arc<Invoker>,
    clock: Arc<dyn Clock>,
    code_locations: CodeLocations,
    uploads: Uploads,
    runtime_version_arn: Box<RuntimeVersionArn>,
    /// What this host can run.
    host_architecture: Architecture,
}

impl LambdaApi {
    /// Puts the API in front of functions and invocations.
    pub fn new(
        functions: Arc<Functions>,
        invoker: Arc<Invoker>,
        clock: Arc<dyn Clock>,
        host_architecture: Architecture,
        runtime_version_arn: Box<RuntimeVersionArn>,
    ) -> Self {
        let (code_locations, uploads) = (CodeLocations::default(), Uploads::default());
        Self { functions, invoker, clock, code_locations, uploads, runtime_version_arn, host_architecture }
    }

    /// Answers a request of an AWS client.
    pub async fn answer(&self, request: Request<Incoming>) -> Response {
        let request_id = RequestId::random();
        let mut response = match self.dispatch(request_id, request).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        };
        if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }

    /// Answers a plain GET of a `Code.Location`; `token` is the end of its path.
    pub async fn answer_code(&self, token: &str) -> Response {
        match code_location::answer(self, token).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        }
    }

    async fn dispatch(
        &self,
        request_id: RequestId,
        request: Request<Incoming>,
    ) -> Result<Response, ApiError> {
        let route = Route::of(request.method(), request.uri())?;
        match route {
            Route::Invoke { function_name } => invoke::answer(self, request_id, function_name, request).await,
            Route::Operation { operation, labels } => match operation.name {
                "CreateFunction" => create_function::answer(self, request).await,
                "GetFunction" => get_function::answer(self, labels, request),
                "GetFunctionConfiguration" => get_function_configuration::answer(self, labels, &request),
                "ListFunctions" => list_functions::answer(self, &request),
                "UpdateFunctionCode" => update_function_code::answer(self, labels, request).await,
                "UpdateFunctionConfiguration" => {
                    update_function_configuration::answer(self, labels, request).await
                }
                "DeleteFunction" => delete_function::answer(self, labels, &request).await,
                other => Err(ApiError::not_implemented(other)),
            },
            Route::Root => other_services::answer(self, request_id, request).await,
        }
    }
}
