//! The policies of functions and layer versions as what decides: `hearth-auth` is asked with them before a request is
//! answered, and here where a request uses something besides what it is about.

use hearth_auth::policy::{Context, Document, Grant, Guarded, Key, Who, decide, is_open_to};
use hearth_auth::{Asked, Identity, Resource};
use hearth_functions::{Functions, LayerVersion, Statement};
use hearth_types::{FunctionName, LayerVersionArn, Qualifier, Version};

use crate::LambdaApi;
use crate::error::ApiError;

/// Returns the policy of a function, version or alias as what decides. `None` when it has none, or is not there.
pub fn policy_of_function(
    functions: &Functions,
    name: &FunctionName,
    qualifier: Option<&Qualifier>,
) -> Option<Document> {
    let policy = functions.policy(name, qualifier).ok().flatten()?;
    // A policy of `$LATEST` is that of the function.
    let latest = Qualifier::Version(Version::Latest);
    let arn = functions.arn(name, qualifier.filter(|qualifier| **qualifier != latest).cloned()).to_string();
    Some(document(&arn, &policy.statements))
}

fn document(arn: &str, statements: &[Statement]) -> Document {
    let mut document = Document::default();
    for statement in statements {
        if let Some(text) = &statement.document {
            if let Err(error) = document.push_text(text) {
                tracing::error!(function = arn, %error, "a policy cannot be read, and so denies everything");
                return Document::that_denies_everything();
            }
            continue;
        }
        document.push_grant(Grant {
            principal: &statement.principal,
            action: &statement.action,
            resource: arn.to_owned(),
            source_arn: statement.source_arn.as_deref(),
            source_account: statement.source_account.as_deref(),
            event_source_token: statement.event_source_token.as_deref(),
            function_url_auth_type: statement.function_url_auth_type.as_deref(),
            invoked_via_function_url: statement.invoked_via_function_url,
            principal_org_id: statement.principal_org_id.as_deref(),
        });
    }
    document
}

fn document_of_layer(version: &LayerVersion) -> Document {
    let mut document = Document::default();
    for statement in &version.statements {
        document.push_grant(Grant {
            principal: &statement.principal,
            action: "lambda:GetLayerVersion",
            resource: version.arn.to_string(),
            principal_org_id: statement.organization_id.as_deref(),
            ..Grant::default()
        });
    }
    document
}

/// A service of AWS that calls a function on somebody's behalf.
#[derive(Debug, Clone, Default)]
pub struct ServiceCall<'a> {
    /// Such as `events.amazonaws.com`.
    pub service: &'a str,
    /// What it calls for: a rule, a bucket, a topic.
    pub source_arn: Option<&'a str>,
    /// Whose that is.
    pub source_account: Option<&'a str>,
    /// The token of an Alexa skill.
    pub event_source_token: Option<&'a str>,
}

/// Whether a service may invoke a function, version or alias: if the policy of that lets it, as on AWS.
pub fn may_invoke(
    functions: &Functions,
    name: &FunctionName,
    qualifier: Option<&Qualifier>,
    call: &ServiceCall<'_>,
) -> bool {
    let Some(policy) = policy_of_function(functions, name, qualifier) else { return false };
    let latest = Qualifier::Version(Version::Latest);
    let qualifier = qualifier.filter(|qualifier| **qualifier != latest).cloned();
    let resource = crate::asked::function(functions.arn(name, qualifier));
    let asked = Asked { action: "lambda:InvokeFunction".to_owned(), resource };
    let context = Context::default()
        .with_some(Key::SourceArn, call.source_arn)
        .with_some(Key::SourceAccount, call.source_account)
        .with_some(Key::EventSourceToken, call.event_source_token);
    is_open_to(&policy, &Who::Service(call.service), &asked, context)
}

impl LambdaApi {
    /// Returns what stands before a resource.
    pub fn guarded(&self, resource: &Resource) -> Guarded {
        let ours = self.functions.settings();
        let policy = match resource {
            Resource::Function { region, account, name, qualifier, .. }
                if *region == ours.region && *account == ours.account =>
            {
                policy_of_function(&self.functions, name, qualifier.as_ref())
            }
            Resource::LayerVersion(arn) if arn.region == ours.region && arn.account == ours.account => {
                let version = self.layers.get(&arn.name, arn.version);
                version.map(|version| document_of_layer(&version))
            }
            _ => None,
        };
        policy.map_or(Guarded::ByNothing, Guarded::ByPolicy)
    }

    /// Refuses a layer version that whoever gives it to a function may not have.
    pub(crate) fn check_layer(
        &self,
        identity: Option<&Identity>,
        arn: &LayerVersionArn,
    ) -> Result<(), ApiError> {
        // Nobody has to be known.
        let Some(identity) = identity else { return Ok(()) };
        let resource = Resource::LayerVersion(arn.clone());
        let guarded = self.guarded(&resource);
        let asked = Asked { action: "lambda:GetLayerVersion".to_owned(), resource };
        let owner = &self.functions.settings().account;
        decide(identity, &asked, owner, &guarded, Context::default())
            .map_err(|refusal| ApiError::access_denied(refusal.message()))
    }
}
