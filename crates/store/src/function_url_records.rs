//! The URLs of a function, as they are kept with the function.

use serde::{Deserialize, Serialize};

/// The URL of a function or of one of its aliases. The texts are those of AWS's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionUrlRecord {
    /// The alias; `None` for the function itself.
    pub alias: Option<String>,
    /// What tells it from others.
    pub id: String,
    /// `NONE` or `AWS_IAM`.
    pub auth_type: String,
    /// `BUFFERED` or `RESPONSE_STREAM`.
    pub invoke_mode: String,
    /// What browsers may do.
    pub cors: Option<CorsRecord>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last changed, in milliseconds since 1970.
    pub last_modified_ms: i64,
}

/// What browsers on other origins may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsRecord {
    /// Whether with credentials.
    pub allow_credentials: Option<bool>,
    /// With which headers.
    pub allow_headers: Option<Vec<String>>,
    /// With which methods.
    pub allow_methods: Option<Vec<String>>,
    /// From which origins.
    pub allow_origins: Option<Vec<String>>,
    /// Which headers of the response they see.
    pub expose_headers: Option<Vec<String>>,
    /// How long they may remember this.
    pub max_age_seconds: Option<i64>,
}
