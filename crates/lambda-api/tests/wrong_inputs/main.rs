//! Wrong requests, operation by operation: each row is a request and all that a client sees of the refusal. The texts
//! are those that AWS was recorded to answer, or that its service model makes; where neither says anything, the text is
//! Hearth's, and the row's helper says so.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod aliases;
mod code_signing;
mod concurrency;
mod create_function;
mod event_invoke_config;
mod function_url_config;
mod get_and_delete;
mod invoke;
mod layers;
mod list_functions;
mod management;
mod permission;
mod publish_version;
mod refusal;
mod root;
mod routes;
mod tags;
mod update_function_code;
mod update_function_configuration;

const FUNCTIONS: &str = "/2015-03-31/functions";

/// The model's pattern of `FunctionName`, as texts show it.
const FUNCTION_NAME: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?";

/// The model's pattern of `NamespacedFunctionName`.
const NAMESPACED: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";

/// The model's pattern of `NumericLatestPublishedOrAliasQualifier`.
const QUALIFIER: &str = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";

/// The model's pattern of `RoleArn`.
const ROLE: &str = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+";

/// The model's pattern of `KMSKeyArn` and `ResourceArn`.
const ANY_ARN: &str = r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()";

/// The model's pattern of `LayerVersionArn`.
const LAYER: &str = r"((arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+))";

/// The model's pattern of `LayerNameOrArn`.
const LAYER_NAME: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]{1,140}|[a-zA-Z0-9-_]{1,140})";
