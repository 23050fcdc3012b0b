//! Why a request about functions cannot be fulfilled.

use hearth_store::StoreError;
use hearth_types::{CodeSha256, FunctionArn, FunctionName, LayerVersionArn, Version};

/// Why a package cannot be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// It is no zip, or one with entries that we refuse. The caller's fault.
    #[error("the package cannot be unpacked: {reason}")]
    Unpack {
        /// What is wrong with it.
        reason: String,
    },
    /// It is too large when unpacked. The caller's fault.
    #[error("the unpacked package is larger than 262144000 bytes")]
    UnzippedTooLarge,
    /// It is not there any more.
    #[error("the package is missing or damaged on disk")]
    Missing,
    /// We failed.
    #[error("the package cannot be kept")]
    Service(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a request about functions cannot be fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum FunctionsError {
    /// There is no such function, version or alias.
    #[error("function not found: {arn}")]
    NotFound {
        /// As it was asked for.
        arn: FunctionArn,
    },
    /// The name is taken.
    #[error("function already exists: {name}")]
    AlreadyExists {
        /// Which name.
        name: FunctionName,
    },
    /// Another change is under way.
    #[error("an update is in progress for {arn}")]
    UpdateInProgress {
        /// Of which function.
        arn: FunctionArn,
    },
    /// It is being created.
    #[error("the function {arn} is being created")]
    Pending {
        /// Which function.
        arn: FunctionArn,
    },
    /// The caller has seen another revision.
    #[error("the revision id does not match the latest one")]
    RevisionMismatch,
    /// The function would have more tags than it may have.
    #[error("the function would have too many tags")]
    TooManyTags,
    /// The caller wants to publish other code than there is.
    #[error("the code is `{current}`, and not `{expected}`")]
    CodeMismatch {
        /// What the caller has seen: SHA-256 in base64, or anything else.
        expected: String,
        /// What there is.
        current: CodeSha256,
    },
    /// Aliases point to the version that is to be deleted.
    #[error("aliases point to {arn}: {aliases:?}")]
    VersionInUse {
        /// Which version.
        arn: FunctionArn,
        /// Which aliases, by name.
        aliases: Vec<String>,
    },
    /// The name of the alias is taken.
    #[error("alias already exists: {arn}")]
    AliasExists {
        /// Which alias.
        arn: FunctionArn,
    },
    /// There is no such alias.
    #[error("alias not found: {arn}")]
    AliasNotFound {
        /// As it was asked for.
        arn: FunctionArn,
    },
    /// The function, or alias, has a URL already.
    #[error("there is a URL of {arn}")]
    UrlExists {
        /// Of which one.
        arn: FunctionArn,
    },
    /// The function, or alias, has no URL.
    #[error("there is no URL of {arn}")]
    UrlNotFound {
        /// Of which one.
        arn: FunctionArn,
    },
    /// An alias of two versions cannot have `$LATEST` among them.
    #[error("an alias of `$LATEST` points to no other version")]
    AliasOfLatestAndAnother,
    /// An alias with provisioned concurrency points to a version with its own.
    #[error("an alias with provisioned concurrency points to a version with its own")]
    AliasOfProvisionedVersion,
    /// An alias with provisioned concurrency points to `$LATEST`.
    #[error("an alias with provisioned concurrency points to `$LATEST`")]
    ProvisionedAliasOfLatest,
    /// The two versions of an alias must differ.
    #[error("an alias points to version {version} twice")]
    AliasOfOneVersionTwice {
        /// Which version.
        version: Version,
    },
    /// The package is refused.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// The change could not be kept; nothing has changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a request about layers cannot be fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum LayersError {
    /// There is no such version.
    #[error("layer version not found: {arn}")]
    VersionNotFound {
        /// As it was asked for.
        arn: LayerVersionArn,
    },
    /// The caller has seen another revision of the policy.
    #[error("the revision id does not match the latest one")]
    RevisionMismatch,
    /// The policy has a statement of this id.
    #[error("the policy has a statement `{sid}`")]
    StatementExists {
        /// Which one.
        sid: String,
    },
    /// The policy has no statement of this id.
    #[error("the policy has no statement `{sid}`")]
    StatementNotFound {
        /// Which one.
        sid: String,
    },
    /// The policy would be too long.
    #[error("the policy would have {bytes} bytes")]
    PolicyTooLong {
        /// How long.
        bytes: usize,
    },
    /// The package is refused.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// The change could not be kept; nothing has changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a name cannot be invoked.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is no such function, version or alias.
    #[error("function not found: {arn}")]
    NotFound {
        /// As it was asked for.
        arn: FunctionArn,
    },
    /// It is being created.
    #[error("the function {arn} is being created")]
    Pending {
        /// Which function.
        arn: FunctionArn,
    },
    /// Its creation failed.
    #[error("the function {arn} has failed: {reason}")]
    Failed {
        /// Which function.
        arn: FunctionArn,
        /// Why.
        reason: String,
    },
}

/// Why the functions of a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record makes no sense.
    #[error("the record of layer version `{layer}` has a wrong {field}: `{value}`")]
    LayerRecord {
        /// Of which version.
        layer: String,
        /// Which field.
        field: &'static str,
        /// What it says.
        value: String,
    },
    /// A record makes no sense.
    #[error("the record of function `{name}` has a wrong {field}: `{value}`")]
    Record {
        /// Of which function.
        name: String,
        /// Which field.
        field: &'static str,
        /// What it says.
        value: String,
    },
}
