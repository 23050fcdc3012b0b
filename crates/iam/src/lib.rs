//! The roles of IAM, and STS's AssumeRole: what deployment tools ask for before they make a function. In the query
//! protocol: a form comes in, XML goes out.
//!
//! A role is a record. Its policies are kept and shown, and decide nothing: who may do what is a matter of keys
//! (`hearth credentials`). A session of a role may do what the caller who began it may, and no more.

mod error;
mod form;
mod policies;
mod policy_document;
mod role_names;
mod roles;
mod sessions;
mod sts;
mod tags;
mod xml;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use hearth_auth::{Asked, Identity, Resource};
use hearth_aws_wire::{Body, Response};
use hearth_store::{Clock, RoleRecord, RoleStore, StoreError};
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

/// Returns what an action asks for, as rights name it. `None` when it is none of ours.
pub fn asked(action: &str) -> Option<Asked> {
    let service = if action == "AssumeRole" { "sts" } else { "iam" };
    OPERATIONS
        .contains(&action)
        .then(|| Asked { action: format!("{service}:{action}"), resource: Resource::Any })
}

impl Iam {
    /// Reads the roles that are kept.
    pub async fn open(
        store: Arc<dyn RoleStore>,
        account: AccountId,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, StoreError> {
        let roles = store.roles().await?.into_iter().map(|role| (role.key(), role)).collect();
        let sessions = Arc::new(Sessions::default());
        let (roles, changing) = (RwLock::new(roles), tokio::sync::Mutex::default());
        Ok(Arc::new(Self { store, account, clock, roles, changing, sessions }))
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
            "AssumeRole" => self.assume_role(form, caller).map(Some),
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
