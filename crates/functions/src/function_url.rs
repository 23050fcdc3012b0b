//! Function URLs: an HTTP address of a function, or of one of its aliases.

use std::sync::Arc;

use hearth_store::{CorsRecord, FunctionUrlRecord};
use hearth_types::{FunctionArn, Qualifier};

use crate::OpenError;

/// Who may call a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthType {
    /// Everybody.
    None,
    /// Whoever signs their requests.
    AwsIam,
}

/// How a response goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvokeMode {
    /// When it is complete.
    Buffered,
    /// As it comes.
    ResponseStream,
}

/// What browsers on other origins may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    /// Whether with cookies and other credentials.
    pub allow_credentials: Option<bool>,
    /// With which headers.
    pub allow_headers: Option<Vec<String>>,
    /// With which methods.
    pub allow_methods: Option<Vec<String>>,
    /// From which origins.
    pub allow_origins: Option<Vec<String>>,
    /// Which headers of the response they see.
    pub expose_headers: Option<Vec<String>>,
    /// How long they may remember this, in seconds.
    pub max_age_seconds: Option<i64>,
}

/// The URL of a function or alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionUrl {
    /// Whose it is: the function's ARN, with the alias as its qualifier.
    pub arn: FunctionArn,
    /// The alias, if it is one's.
    pub alias: Option<Arc<str>>,
    /// What tells it from others: 32 lower-case letters and digits. Stays when the URL is changed.
    pub id: Arc<str>,
    /// Who may call it.
    pub auth_type: AuthType,
    /// How responses go out.
    pub invoke_mode: InvokeMode,
    /// What browsers may do; `None` leaves that to the function.
    pub cors: Option<Cors>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last changed, in milliseconds since 1970.
    pub last_modified_ms: i64,
}

/// A change of a URL. What is `None` stays as it is.
#[derive(Debug, Default)]
pub struct FunctionUrlChange {
    /// Who may call it.
    pub auth_type: Option<AuthType>,
    /// How responses go out.
    pub invoke_mode: Option<InvokeMode>,
    /// What browsers may do; an empty one removes what was there.
    pub cors: Option<Cors>,
}

impl AuthType {
    /// Returns the word of AWS's API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::AwsIam => "AWS_IAM",
        }
    }

    /// Reads the word of AWS's API.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::None, Self::AwsIam].into_iter().find(|it| it.as_str() == word)
    }
}

impl InvokeMode {
    /// Returns the word of AWS's API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buffered => "BUFFERED",
            Self::ResponseStream => "RESPONSE_STREAM",
        }
    }

    /// Reads the word of AWS's API.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Buffered, Self::ResponseStream].into_iter().find(|it| it.as_str() == word)
    }
}

impl FunctionUrl {
    pub(crate) fn write(&self) -> FunctionUrlRecord {
        FunctionUrlRecord {
            alias: self.alias.as_deref().map(str::to_owned),
            id: self.id.to_string(),
            auth_type: self.auth_type.as_str().to_owned(),
            invoke_mode: self.invoke_mode.as_str().to_owned(),
            cors: self.cors.clone().map(|cors| CorsRecord {
                allow_credentials: cors.allow_credentials,
                allow_headers: cors.allow_headers,
                allow_methods: cors.allow_methods,
                allow_origins: cors.allow_origins,
                expose_headers: cors.expose_headers,
                max_age_seconds: cors.max_age_seconds,
            }),
            created_ms: self.created_ms,
            last_modified_ms: self.last_modified_ms,
        }
    }

    /// Reads a record. What it says is checked again: the file may have been touched.
    pub(crate) fn read(record: &FunctionUrlRecord, function: &FunctionArn) -> Result<Self, OpenError> {
        let wrong = |field, value: &str| OpenError::Record {
            name: function.name.to_string(),
            field,
            value: value.to_owned(),
        };
        let alias: Option<Arc<str>> = match record.alias.as_deref().map(Qualifier::parse) {
            None => None,
            Some(Ok(Qualifier::Alias(alias))) => Some(alias),
            Some(Ok(Qualifier::Version(_)) | Err(_)) => {
                return Err(wrong("alias of a URL", record.alias.as_deref().unwrap_or_default()));
            }
        };
        Ok(Self {
            arn: function.with_qualifier(alias.clone().map(Qualifier::Alias)),
            alias,
            id: Arc::from(record.id.as_str()),
            auth_type: AuthType::parse(&record.auth_type)
                .ok_or_else(|| wrong("auth type of a URL", &record.auth_type))?,
            invoke_mode: InvokeMode::parse(&record.invoke_mode)
                .ok_or_else(|| wrong("invoke mode of a URL", &record.invoke_mode))?,
            cors: record.cors.clone().map(|cors| Cors {
                allow_credentials: cors.allow_credentials,
                allow_headers: cors.allow_headers,
                allow_methods: cors.allow_methods,
                allow_origins: cors.allow_origins,
                expose_headers: cors.expose_headers,
                max_age_seconds: cors.max_age_seconds,
            }),
            created_ms: record.created_ms,
            last_modified_ms: record.last_modified_ms,
        })
    }
}
