//! The Lambda API: from an HTTP request to one of the operations, and back. One module an operation; [`routes`] is the
//! table, [`error`] turns our errors into AWS's. STS's GetCallerIdentity, which every client asks first, is here too.
//!
//! Who calls, and whether they may, has been found out before a request comes here (`hearth-auth`).

mod access;
mod account_settings;
mod aliases;
mod asked;
mod code_location;
mod code_signing;
mod code_source;
mod code_storage;
mod configuration;
mod create_function;
mod delete_function;
mod delete_layer_version;
mod durable_callbacks;
mod durable_checkpoint;
mod durable_config;
mod durable_executions;
mod durable_invoke;
mod error;
mod event_invoke_config;
mod event_source_mapping_input;
mod event_source_mappings;
mod function_concurrency;
mod function_layers;
mod function_name;
mod function_url_config;
mod generated;
mod get_function;
mod get_function_configuration;
mod get_layer_version;
mod input;
mod invoke;
mod invoke_with_response_stream;
mod kept_only;
mod layer_version_permission;
mod layers;
mod list_functions;
mod list_layers;
mod list_versions_by_function;
mod other_services;
mod patterns;
mod permission;
mod policy_document;
mod provisioned_concurrency;
mod publish_layer_version;
mod publish_version;
mod recursion_config;
mod resource_policy;
mod routes;
mod runtime_management_config;
mod sts;
mod tags;
mod unsupported;
mod update_function_code;
mod update_function_configuration;
mod validation;

use std::sync::Arc;

use hearth_aws_wire::{REQUEST_ID, Response};
use hearth_durable::DurableExecutions;
use hearth_event_sources::EventSources;
use hearth_functions::{Clock, CodeSigningConfigs, Functions, Layers};
use hearth_invoke::{EventQueue, Invoker};
use hearth_types::limits::TOTAL_CODE_BYTES_MAX;
use hearth_types::{Architecture, RequestId, Runtime};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};
use hyper::body::Incoming;

pub use access::{ServiceCall, may_invoke, policy_of_function};
use code_location::CodeLocations;
use code_source::NoBuckets;
pub use code_source::{CodeObjectError, CodeObjects};
use error::ApiError;
use input::Uploads;
use routes::{Call, Route};

/// Names the version of a runtime that this host has, for `RuntimeVersionConfig`.
pub type RuntimeVersionArn = dyn Fn(Runtime) -> Option<String> + Send + Sync;

/// The Lambda API of one account in one region.
pub struct LambdaApi {
    functions: Arc<Functions>,
    layers: Arc<Layers>,
    invoker: Arc<Invoker>,
    events: Arc<EventQueue>,
    code_signing: Arc<CodeSigningConfigs>,
    clock: Arc<dyn Clock>,
    code_locations: CodeLocations,
    uploads: Uploads,
    runtime_version_arn: Box<RuntimeVersionArn>,
    /// What this host can run.
    host_architecture: Architecture,
    code_objects: Arc<dyn CodeObjects>,
    /// How many bytes packages may have together.
    code_bytes_max: u64,
    /// Who runs durable functions. Without, there are none.
    durable: Option<Arc<DurableExecutions>>,
    event_sources: Option<Arc<EventSources>>,
}

impl LambdaApi {
    /// Puts the API in front of functions, layers and invocations.
    #[expect(clippy::too_many_arguments, reason = "it is the front of as many parts")]
    pub fn new(
        functions: Arc<Functions>,
        layers: Arc<Layers>,
        invoker: Arc<Invoker>,
        events: Arc<EventQueue>,
        code_signing: Arc<CodeSigningConfigs>,
        clock: Arc<dyn Clock>,
        host_architecture: Architecture,
        runtime_version_arn: Box<RuntimeVersionArn>,
    ) -> Self {
        let (code_locations, uploads) = (CodeLocations::default(), Uploads::default());
        Self {
            functions,
            layers,
            invoker,
            events,
            code_signing,
            clock,
            code_locations,
            uploads,
            runtime_version_arn,
            host_architecture,
            code_objects: Arc::new(NoBuckets),
            code_bytes_max: TOTAL_CODE_BYTES_MAX,
            durable: None,
            event_sources: None,
        }
    }

    /// Takes packages from these buckets, too.
    #[must_use]
    pub fn with_code_objects(mut self, code_objects: Arc<dyn CodeObjects>) -> Self {
        self.code_objects = code_objects;
        self
    }

    /// Takes packages of so many bytes together.
    #[must_use]
    pub fn with_code_bytes_max(self, code_bytes_max: u64) -> Self {
        Self { code_bytes_max, ..self }
    }

    /// Has durable functions, too.
    #[must_use]
    pub fn with_durable(mut self, durable: Arc<DurableExecutions>) -> Self {
        self.durable = Some(durable);
        self
    }

    /// Has queues and streams polled for functions.
    #[must_use]
    pub fn with_event_sources(mut self, event_sources: Arc<EventSources>) -> Self {
        self.event_sources = Some(event_sources);
        self
    }

    /// Answers a request of an AWS client.
    pub async fn answer(&self, request: Request<Incoming>) -> Response {
        let request_id = RequestId::random();
        finished(request_id, self.dispatch(request_id, request).await)
    }

    /// Answers a plain GET of a `Code.Location`; `token` is the end of its path.
    pub async fn answer_code(&self, token: &str) -> Response {
        finished(RequestId::random(), code_location::answer(self, token).await)
    }

    async fn dispatch(
        &self,
        request_id: RequestId,
        request: Request<Incoming>,
    ) -> Result<Response, ApiError> {
        let route = Route::of(request.method(), request.uri())?;
        match route {
            Route::Invoke { function_name } => invoke::answer(self, request_id, function_name, request).await,
            // Apart: what is kept of a request while it is answered is moved about, and has room for the largest operation.
            Route::Operation(call) => Box::pin(self.operate(request_id, call, request)).await,
            Route::Root => Box::pin(other_services::answer(self, request_id, request)).await,
        }
    }

    /// Answers any operation but Invoke.
    async fn operate(
        &self,
        request_id: RequestId,
        call: Call,
        request: Request<Incoming>,
    ) -> Result<Response, ApiError> {
        match call.operation.name {
            "CreateFunction" => create_function::answer(self, call, request).await,
            "GetFunction" => get_function::answer(self, call, &request),
            "GetFunctionConfiguration" => get_function_configuration::answer(self, call, &request),
            "ListFunctions" => list_functions::answer(self, call, &request),
            "UpdateFunctionCode" => update_function_code::answer(self, call, request).await,
            "UpdateFunctionConfiguration" => update_function_configuration::answer(self, call, request).await,
            "DeleteFunction" => delete_function::answer(self, call, &request).await,
            "CreateAlias" => aliases::answer_create(self, call, request).await,
            "GetAlias" => aliases::answer_get(self, call, &request),
            "UpdateAlias" => aliases::answer_update(self, call, request).await,
            "DeleteAlias" => aliases::answer_delete(self, call, &request).await,
            "ListAliases" => aliases::answer_list(self, call, &request),
            "PublishVersion" => publish_version::answer(self, call, request).await,
            "ListVersionsByFunction" => list_versions_by_function::answer(self, call, &request),
            "PublishLayerVersion" => publish_layer_version::answer(self, call, request).await,
            "GetLayerVersion" => get_layer_version::answer(self, call, &request),
            "GetLayerVersionByArn" => get_layer_version::answer_by_arn(self, call, &request),
            "ListLayers" => list_layers::answer(self, call, &request),
            "ListLayerVersions" => list_layers::answer_versions(self, call, &request),
            "DeleteLayerVersion" => delete_layer_version::answer(self, call, &request).await,
            "AddLayerVersionPermission" => layer_version_permission::answer_add(self, call, request).await,
            "RemoveLayerVersionPermission" => {
                layer_version_permission::answer_remove(self, call, &request).await
            }
            "GetLayerVersionPolicy" => layer_version_permission::answer_get(self, call, &request),
            "GetAccountSettings" => account_settings::answer(self, call, &request),
            "TagResource" => tags::answer_tag(self, call, request).await,
            "UntagResource" => tags::answer_untag(self, call, &request).await,
            "ListTags" => tags::answer_list(self, call, &request),
            "AddPermission" => permission::answer_add(self, call, request).await,
            "RemovePermission" => permission::answer_remove(self, call, &request).await,
            "GetPolicy" => permission::answer_get(self, call, &request),
            "PutResourcePolicy" => resource_policy::answer_put(self, call, request).await,
            "GetResourcePolicy" => resource_policy::answer_get(self, call, &request),
            "DeleteResourcePolicy" => resource_policy::answer_delete(self, call, &request).await,
            "CreateCodeSigningConfig" => code_signing::answer_create(self, call, request).await,
            "GetCodeSigningConfig" => code_signing::answer_get(self, call, &request),
            "UpdateCodeSigningConfig" => code_signing::answer_update(self, call, request).await,
            "DeleteCodeSigningConfig" => code_signing::answer_delete(self, call, &request).await,
            "ListCodeSigningConfigs" => code_signing::answer_list(self, call, &request),
            "ListFunctionsByCodeSigningConfig" => code_signing::answer_list_functions(self, call, &request),
            "PutFunctionCodeSigningConfig" => code_signing::answer_attach(self, call, request).await,
            "GetFunctionCodeSigningConfig" => code_signing::answer_attached(self, call, &request),
            "DeleteFunctionCodeSigningConfig" => code_signing::answer_detach(self, call, &request).await,
            "InvokeWithResponseStream" => {
                invoke_with_response_stream::answer(self, request_id, call, request).await
            }
            "CreateFunctionUrlConfig" => function_url_config::answer_create(self, call, request).await,
            "GetFunctionUrlConfig" => function_url_config::answer_get(self, call, &request),
            "UpdateFunctionUrlConfig" => function_url_config::answer_update(self, call, request).await,
            "DeleteFunctionUrlConfig" => function_url_config::answer_delete(self, call, &request).await,
            "ListFunctionUrlConfigs" => function_url_config::answer_list(self, call, &request),
            "InvokeAsync" => invoke::answer_async(self, request_id, call, request).await,
            "PutFunctionEventInvokeConfig" | "UpdateFunctionEventInvokeConfig" => {
                event_invoke_config::answer_set(self, call, request).await
            }
            "GetFunctionEventInvokeConfig" => event_invoke_config::answer_get(self, call, &request).await,
            "DeleteFunctionEventInvokeConfig" => {
                event_invoke_config::answer_delete(self, call, &request).await
            }
            "ListFunctionEventInvokeConfigs" => event_invoke_config::answer_list(self, call, &request).await,
            "CreateEventSourceMapping" => event_source_mappings::answer_create(self, call, request).await,
            "GetEventSourceMapping" => event_source_mappings::answer_get(self, call, &request),
            "ListEventSourceMappings" => event_source_mappings::answer_list(self, call, &request),
            "UpdateEventSourceMapping" => event_source_mappings::answer_update(self, call, request).await,
            "DeleteEventSourceMapping" => event_source_mappings::answer_delete(self, call, &request).await,
            "GetFunctionRecursionConfig" => recursion_config::answer_get(self, call, &request),
            "PutFunctionRecursionConfig" => recursion_config::answer_put(self, call, request).await,
            "GetRuntimeManagementConfig" => runtime_management_config::answer_get(self, call, &request),
            "PutRuntimeManagementConfig" => runtime_management_config::answer_put(self, call, request).await,
            "PutFunctionConcurrency" => function_concurrency::answer_put(self, call, request).await,
            "GetFunctionConcurrency" => function_concurrency::answer_get(self, call, &request),
            "DeleteFunctionConcurrency" => function_concurrency::answer_delete(self, call, &request).await,
            "PutProvisionedConcurrencyConfig" => {
                provisioned_concurrency::answer_put(self, call, request).await
            }
            "GetProvisionedConcurrencyConfig" => provisioned_concurrency::answer_get(self, call, &request),
            "ListProvisionedConcurrencyConfigs" => provisioned_concurrency::answer_list(self, call, &request),
            "DeleteProvisionedConcurrencyConfig" => {
                provisioned_concurrency::answer_delete(self, call, &request).await
            }
            "CheckpointDurableExecution" => durable_checkpoint::answer(self, call, request).await,
            "GetDurableExecutionState" => durable_checkpoint::answer_state(self, call, &request).await,
            "GetDurableExecution" => durable_executions::answer_get(self, call, &request).await,
            "GetDurableExecutionHistory" => durable_executions::answer_history(self, call, &request).await,
            "ListDurableExecutionsByFunction" => durable_executions::answer_list(self, call, &request).await,
            "StopDurableExecution" => durable_executions::answer_stop(self, call, request).await,
            "PauseDurableExecution" => durable_executions::answer_pause(self, call, request).await,
            "ResumeDurableExecution" => durable_executions::answer_resume(self, call, request).await,
            "DeleteDurableExecution" => durable_executions::answer_delete(self, call, &request).await,
            "SendDurableExecutionCallbackSuccess" => {
                durable_callbacks::answer_success(self, call, request).await
            }
            "SendDurableExecutionCallbackFailure" => {
                durable_callbacks::answer_failure(self, call, request).await
            }
            "SendDurableExecutionCallbackHeartbeat" => {
                durable_callbacks::answer_heartbeat(self, call, &request).await
            }
            other => Err(ApiError::not_implemented(other)),
        }
    }
}

/// Gives an answer what every answer has: the id of its request, and a type, without a body too.
fn finished(request_id: RequestId, answer: Result<Response, ApiError>) -> Response {
    let mut response = answer.unwrap_or_else(ApiError::into_response);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    response
}
