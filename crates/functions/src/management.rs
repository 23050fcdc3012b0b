//! What a function's owner sets beside its configuration. Runtimes are not updated by themselves, whatever is set of that.

/// What is set beside the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Management {
    /// What happens to a function that calls itself through other services.
    pub recursive_loop: RecursiveLoop,
    /// When its runtime is updated.
    pub update_runtime_on: UpdateRuntimeOn,
    /// The id of its code signing configuration.
    pub code_signing_config: Option<String>,
    /// How many of the account's concurrent executions are its own, and no more; `None`: it shares what is left.
    pub reserved_concurrency: Option<u32>,
}

/// What happens to a function that calls itself through other services.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RecursiveLoop {
    /// It is stopped.
    #[default]
    Terminate,
    /// It may.
    Allow,
}

impl RecursiveLoop {
    /// Reads AWS's word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Terminate, Self::Allow].into_iter().find(|known| known.as_str() == text)
    }

    /// Returns AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terminate => "Terminate",
            Self::Allow => "Allow",
        }
    }
}

/// When a function's runtime is updated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum UpdateRuntimeOn {
    /// When there is a new version.
    #[default]
    Auto,
    /// When the function is updated.
    FunctionUpdate,
    /// Never.
    Manual {
        /// The version that it stays at.
        runtime_version_arn: String,
    },
}

impl UpdateRuntimeOn {
    /// Reads AWS's word. `Manual` needs a version, and the others have none.
    pub fn new(word: &str, runtime_version_arn: Option<String>) -> Option<Self> {
        match (word, runtime_version_arn) {
            ("Auto", None) => Some(Self::Auto),
            ("FunctionUpdate", None) => Some(Self::FunctionUpdate),
            ("Manual", Some(runtime_version_arn)) => Some(Self::Manual { runtime_version_arn }),
            _ => None,
        }
    }

    /// Returns AWS's word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Auto => "Auto",
            Self::FunctionUpdate => "FunctionUpdate",
            Self::Manual { .. } => "Manual",
        }
    }

    /// Returns the version that it stays at.
    pub fn runtime_version_arn(&self) -> Option<&str> {
        match self {
            Self::Auto | Self::FunctionUpdate => None,
            Self::Manual { runtime_version_arn } => Some(runtime_version_arn),
        }
    }
}
