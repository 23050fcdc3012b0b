//! The roles of IAM, and STS's AssumeRole: what deployment tools ask for before they make a function. In the query
//! protocol: a form comes in, XML goes out.
//!
//! A role is a record. Its trust policy decides who may assume it, its other policies what its sessions may do; what
//! functions may do is a setting of the server, whatever their role. A session that was begun while nobody had to be known may
//! do nothing.

mod error;
mod form;
mod policies;
mod policy_document;
mod role_names;
mod role_rights;
mod roles;
mod sessions;
mod sts;
mod tags;
mod xml;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use hearth_auth::policy::{Context, Document, Key};
use hearth_auth::{Asked, Identity, MasterKey, Resource};
use hearth_aws_wire::{Body, Response};
use hearth_store::{Clock, RoleRecord, RoleStore, SessionStore, StoreError};
use hearth_types::{AccountId, RequestId};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};

use error::IamError;
pub use form::Form;
pub use sessions::{Expired, Sessions};
use xml::Xml;

/// The roles and sessions of one account.
pub struct Iam {
    store: Arc<dyn RoleStore>,
    session_store: Arc<dyn SessionStore>,
    account: AccountId,
    clock: Arc<dyn Clock>,
    /// By [`RoleRecord::key`].
    roles: RwLock<BTreeMap<String, RoleRecord>>,
    /// One change after the other: the store is written first.
    changing: tokio::sync::Mutex<()>,
    sessions: Arc<Sessions>,
}

/// The operations. Names of operations and of actions are the same.
const OPERATIONS: [&str; 19] = [
    "CreateRole",
    "GetRole",
    "ListRoles",
    "UpdateRole",
    "UpdateRoleDescription",
    "UpdateAssumeRolePolicy",
    "DeleteRole",
    "PutRolePolicy",
    "GetRolePolicy",
    "DeleteRolePolicy",
    "ListRolePolicies",
    "AttachRolePolicy",
    "DetachRolePolicy",
    "ListAttachedRolePolicies",
    "TagRole",
    "UntagRole",
    "ListRoleTags",
    "ListInstanceProfilesForRole",
    "AssumeRole",
];

/// Whether an action is one of ours.
pub fn is_ours(action: &str) -> bool {
    OPERATIONS.contains(&action)
}

/// Returns the circumstances that policies may ask for.
pub fn context(form: &Form) -> Context {
    Context::default()
        .with_some(Key::ExternalId, form.get("ExternalId"))
        .with_some(Key::RoleSessionName, form.get("RoleSessionName"))
}

/// Returns the ARN of a role.
fn arn(account: &AccountId, role: &RoleRecord) -> String {
    format!("arn:aws:iam::{account}:role{}{}", role.path, role.name)
}

impl Iam {
    /// Reads the roles and sessions that are kept. The secrets of sessions follow from `master`.
    pub async fn open(
        store: Arc<dyn RoleStore>,
        session_store: Arc<dyn SessionStore>,
        account: AccountId,
        clock: Arc<dyn Clock>,
        master: MasterKey,
    ) -> Result<Arc<Self>, StoreError> {
        let roles: BTreeMap<_, _> = store.roles().await?.into_iter().map(|role| (role.key(), role)).collect();
        let sessions = Arc::new(Sessions::new(account.clone(), master));
        for session in session_store.sessions().await? {
            // A server that ended just when a role was deleted may have left sessions of it.
            if let Some(role) = roles.get(&session.role).filter(|role| role.role_id == session.role_id) {
                sessions.add(role, session);
            }
        }
        let (roles, changing) = (RwLock::new(roles), tokio::sync::Mutex::default());
        Ok(Arc::new(Self { store, session_store, account, clock, roles, changing, sessions }))
    }

    /// Returns what a form asks for, as rights name it. `None` when it is none of our actions.
    pub fn asked(&self, form: &Form) -> Option<Asked> {
        let action = form.action().filter(|action| is_ours(action))?;
        let service = if action == "AssumeRole" { "sts" } else { "iam" };
        Some(Asked { action: format!("{service}:{action}"), resource: self.resource(action, form) })
    }

    fn resource(&self, action: &str, form: &Form) -> Resource {
        let named = if action == "AssumeRole" { form.get("RoleArn") } else { form.get("RoleName") };
        let Some(named) = named else { return Resource::Any };
        if action == "AssumeRole" {
            let arn = named.chars().filter(|c| !c.is_control()).take(2_048).collect();
            return Resource::Role { arn };
        }
        let Ok(name) = role_names::role_name(form) else { return Resource::Untold };
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        match roles.get(&name.to_ascii_lowercase()) {
            Some(role) => Resource::Role { arn: arn(&self.account, role) },
            None => {
                let path = role_names::path(form).unwrap_or_else(|_| "/".to_owned());
                Resource::Role { arn: format!("arn:aws:iam::{}:role{path}{name}", self.account) }
            }
        }
    }

    /// Returns who may assume the role with this ARN. Nobody may when there is no such role.
    pub fn trust(&self, arn: &str) -> Document {
        self.role_of_arn(arn).map(|role| role_rights::trust(&role)).unwrap_or_default()
    }

    fn role_of_arn(&self, arn: &str) -> Option<RoleRecord> {
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        let name = arn.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        roles.get(&name).filter(|role| self.arn(role) == arn).cloned()
    }

    /// Returns the sessions of roles that go on.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// Answers an operation for which [`asked`] has something. `caller` is `None` when nobody has to be known.
    pub async fn answer(
        self: &Arc<Self>,
        request_id: RequestId,
        action: &str,
        form: Form,
        caller: Option<Identity>,
    ) -> Response {
        let namespace = xml::namespace(action);
        // A client that hangs up must not leave a change half made.
        let (iam, name) = (self.clone(), action.to_owned());
        let answered = tokio::spawn(async move { iam.run(&name, &form, caller).await }).await;
        match answered.unwrap_or(Err(IamError::Failed)) {
            Ok(result) => {
                let result = match result {
                    Some(result) => format!("<{action}Result>{}</{action}Result>", result.text()),
                    None => String::new(),
                };
                let body = format!(
                    "<{action}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{request_id}</RequestId>\
                     </ResponseMetadata></{action}Response>"
                );
                respond(StatusCode::OK, body)
            }
            Err(error) => error.into_response(namespace, request_id),
        }
    }

    async fn run(
        &self,
        action: &str,
        form: &Form,
        caller: Option<Identity>,
    ) -> Result<Option<Xml>, IamError> {
        match action {
            "CreateRole" => self.create_role(form).await.map(Some),
            "GetRole" => self.get_role(form).map(Some),
            "ListRoles" => self.list_roles(form).map(Some),
            "UpdateRole" => self.update_role(form).await.map(Some),
            "UpdateRoleDescription" => self.update_role_description(form).await.map(Some),
            "UpdateAssumeRolePolicy" => self.update_assume_role_policy(form).await,
            "DeleteRole" => self.delete_role(form).await,
            "PutRolePolicy" => self.put_role_policy(form).await,
            "GetRolePolicy" => self.get_role_policy(form).map(Some),
            "DeleteRolePolicy" => self.delete_role_policy(form).await,
            "ListRolePolicies" => self.list_role_policies(form).map(Some),
            "AttachRolePolicy" => self.attach_role_policy(form).await,
            "DetachRolePolicy" => self.detach_role_policy(form).await,
            "ListAttachedRolePolicies" => self.list_attached_role_policies(form).map(Some),
            "TagRole" => self.tag_role(form).await,
            "UntagRole" => self.untag_role(form).await,
            "ListRoleTags" => self.list_role_tags(form).map(Some),
            "ListInstanceProfilesForRole" => self.list_instance_profiles_for_role(form).map(Some),
            "AssumeRole" => self.assume_role(form, caller).await.map(Some),
            other => Err(IamError::not_implemented(other)),
        }
    }

    /// Returns the role that a form names.
    fn role(&self, form: &Form) -> Result<RoleRecord, IamError> {
        let name = role_names::role_name(form)?;
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        roles.get(&name.to_ascii_lowercase()).cloned().ok_or_else(|| IamError::no_such_role(&name))
    }

    /// Changes the role that a form names, and makes that durable.
    async fn change(
        &self,
        form: &Form,
        change: impl FnOnce(&mut RoleRecord) -> Result<(), IamError> + Send,
    ) -> Result<RoleRecord, IamError> {
        let _changing = self.changing.lock().await;
        let mut role = self.role(form)?;
        change(&mut role)?;
        self.keep(role.clone()).await?;
        Ok(role)
    }

    /// Keeps a role, for whoever holds `changing`.
    async fn keep(&self, role: RoleRecord) -> Result<(), IamError> {
        self.store.put_role(role.clone()).await.map_err(|error| IamError::store(&error))?;
        self.sessions.change_rights(&role);
        self.roles.write().unwrap_or_else(PoisonError::into_inner).insert(role.key(), role);
        Ok(())
    }
}

fn respond(status: StatusCode, body: String) -> Response {
    let mut response = http::Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}
