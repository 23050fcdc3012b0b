//! What stands behind the listener, and who is let in to it.

use std::sync::Arc;

use hearth_auth::policy::{Context, Guarded, decide};
use hearth_auth::{Asked, Identity, Refusal, Resource};
use hearth_aws_wire::{Peer, Response, drop_body};
use hearth_cloudwatch::CloudWatch;
use hearth_cloudwatch_logs::CloudWatchLogs;
use hearth_console::is_of_another_site;
use hearth_function_url::{Address, FunctionUrls};
use hearth_iam::Iam;
use hearth_lambda_api::LambdaApi;
use hearth_s3::S3;
use hearth_schedules::Schedules;
use hearth_telemetry::Clock;
use hearth_types::AccountId;
use http::{Method, Request};
use hyper::body::Incoming;

use crate::credentials::KnownCredentials;
use crate::guard::Guard;
use crate::insight::Insight;
use crate::root;
use crate::runtimes::RuntimesApi;

/// The front as it is seen from outside: from the first key on, only who has one comes in.
pub(crate) struct Outside {
    pub(crate) front: Arc<Front>,
    pub(crate) credentials: Arc<KnownCredentials>,
    pub(crate) guard: Guard,
}

impl Outside {
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response {
        let is_of_a_function = Address::of_host(request.headers(), request.uri()).is_some();
        let request = if is_of_a_function || is_for_everybody(request.uri().path()) {
            request
        } else if self.credentials.are_required() {
            match Box::pin(self.guard.admit(&self.front, request)).await {
                Ok(request) => request,
                Err(refusal) => return refusal,
            }
        } else if is_of_another_site(request.headers()) {
            // A signature is what a page of another site cannot have. Without keys, where a request is from has to do.
            Box::pin(drop_body(request)).await;
            return root::refuse_another_site();
        } else {
            request
        };
        // In one place: each would take as much of the stack as the largest operation does.
        self.front.answer(request).await
    }
}

/// Whether a path is answered without a signature: probes have no keys, and the location of a function's code carries a
/// token that says as much as the signature of a presigned URL. The URLs of functions ask by themselves, each as it is set.
fn is_for_everybody(path: &str) -> bool {
    let Some(path) = path.strip_prefix(HEARTH) else { return false };
    path == "health" || path.starts_with("code/") || path.starts_with("url/")
}

/// Where Hearth's own HTTP is.
pub(crate) const HEARTH: &str = "/_hearth/";

/// What stands behind the listener: the APIs of Lambda, CloudWatch and its Logs, IAM, STS, S3 and EventBridge Scheduler, the URLs of
/// functions, and Hearth's own.
pub(crate) struct Front {
    pub(crate) api: LambdaApi,
    pub(crate) function_urls: FunctionUrls,
    pub(crate) cloudwatch: Arc<CloudWatch>,
    pub(crate) cloudwatch_logs: Arc<CloudWatchLogs>,
    pub(crate) iam: Arc<Iam>,
    pub(crate) s3: Arc<S3>,
    pub(crate) schedules: Arc<Schedules>,
    pub(crate) account: AccountId,
    pub(crate) clock: Clock,
    pub(crate) insight: Insight,
    pub(crate) runtimes: Arc<RuntimesApi>,
}

impl Front {
    /// Refuses what somebody may not do, by their rights and the policy of what they ask for.
    pub(crate) fn check(&self, identity: &Identity, asked: &Asked, context: Context) -> Result<(), Refusal> {
        let guarded = match &asked.resource {
            Resource::Role { arn } if asked.action == "sts:AssumeRole" => {
                Guarded::ByTrust(self.iam.trust(arn))
            }
            // Who owns a function can always take its policy away, also one that denies them everything.
            _ if asked.action == "lambda:DeleteResourcePolicy" && identity.account == self.account => {
                Guarded::ByNothing
            }
            resource => self.api.guarded(resource),
        };
        decide(identity, asked, &self.account, &guarded, context)
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response {
        if let Some(address) = Address::of_host(request.headers(), request.uri()) {
            let peer = Peer::of(&request);
            return Box::pin(self.function_urls.answer(address, peer, request)).await;
        }
        if request.uri().path().starts_with(HEARTH) {
            return Box::pin(self.answer_hearth(request)).await;
        }
        self.answer_aws(request).await
    }

    /// Answers what only Hearth has.
    async fn answer_hearth(&self, request: Request<Incoming>) -> Response {
        let path = request.uri().path().strip_prefix(HEARTH).unwrap_or_default().to_owned();
        let (first, rest) = path.split_once('/').unwrap_or((&path, ""));
        match first {
            "code" => self.api.answer_code(rest).await,
            "runtimes" => self.runtimes.answer(rest, request).await,
            "faults" => self.insight.answer_faults(rest, request).await,
            "url" => {
                let peer = Peer::of(&request);
                self.function_urls.answer(Address::of_path(rest), peer, request).await
            }
            _ => self.insight.answer(&path, &request).await,
        }
    }

    /// Answers as AWS: Hearth's own HTTP is a path like any other that Lambda does not have.
    pub(crate) async fn answer_aws(&self, request: Request<Incoming>) -> Response {
        if CloudWatchLogs::is_asked(&request) {
            Box::pin(self.cloudwatch_logs.answer(request)).await
        } else if CloudWatch::is_asked(&request) {
            Box::pin(self.cloudwatch.answer(request)).await
        } else if S3::is_asked(&request) {
            Box::pin(self.s3.answer(request)).await
        } else if Schedules::is_asked(&request) {
            Box::pin(self.schedules.answer(request)).await
        } else if request.uri().path() == "/" {
            Box::pin(root::answer(self, request)).await
        } else if let Some(service) = root::other_service(self, &request) {
            let refusal = root::refuse(service);
            Box::pin(drop_body(request)).await;
            refusal
        } else {
            self.api.answer(request).await
        }
    }
}

/// What a request asks Hearth's own HTTP for, as rights name it.
pub(crate) fn asked_of_hearth<B>(request: &Request<B>) -> Asked {
    let action = match *request.method() {
        Method::GET | Method::HEAD => "hearth:Get",
        _ => "hearth:Change",
    };
    Asked { action: action.to_owned(), resource: Resource::Any }
}
