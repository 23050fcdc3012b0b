//! Stands before the front: finds out who is calling, and whether they may. A request that it admits has been verified in
//! full, its body included, before anything looks at what it says.

use std::sync::Arc;

use hearth_auth::policy::Context;
use hearth_auth::{Claim, Credential, Credentials, Expected, Protocol, Refusal};
use hearth_aws_wire::{CredentialScope, Response, drop_body, read_ahead};
use hearth_cloudwatch::CloudWatch;
use hearth_cloudwatch_logs::CloudWatchLogs;
use hearth_s3::S3;
use hearth_schedules::Schedules;
use hearth_telemetry::Clock;
use hearth_types::Region;
use http::Request;
use http::header::{CONNECTION, EXPECT, HeaderValue};
use hyper::body::Incoming;

use crate::front::{Front, HEARTH, asked_of_hearth};
use crate::root;
use crate::root::{claimed_service, other_service};

/// Where STS's global endpoint is: clients sign for that region, whatever their own is.
const GLOBAL_REGION: &str = "us-east-1";

/// Which part of the front is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Lambda,
    Logs,
    CloudWatch,
    S3,
    Scheduler,
    /// `/`: STS, IAM, and services that are answered with a refusal.
    Root,
    /// A service with paths of its own, which is not here: answered with a refusal.
    Other,
    Hearth,
}

impl Door {
    fn of<B>(front: &Front, request: &Request<B>) -> Self {
        let path = request.uri().path();
        if CloudWatchLogs::is_asked(request) {
            Self::Logs
        } else if CloudWatch::is_asked(request) {
            Self::CloudWatch
        } else if path.starts_with(HEARTH) {
            Self::Hearth
        } else if S3::is_asked(request) {
            Self::S3
        } else if Schedules::is_asked(request) {
            Self::Scheduler
        } else if path == "/" {
            Self::Root
        } else if other_service(front, request).is_some() {
            Self::Other
        } else {
            Self::Lambda
        }
    }

    fn protocol<B>(self, request: &Request<B>) -> Protocol {
        match self {
            Self::Logs => Protocol::Json11,
            Self::S3 => Protocol::S3,
            Self::Root if request.headers().contains_key("x-amz-target") => Protocol::Json11,
            Self::Root | Self::CloudWatch => Protocol::Query,
            Self::Lambda | Self::Scheduler | Self::Other | Self::Hearth => Protocol::RestJson,
        }
    }

    /// The service that the signature has to be for.
    fn service<B>(self, request: &Request<B>) -> String {
        match self {
            Self::Lambda => "lambda".to_owned(),
            Self::Logs => "logs".to_owned(),
            Self::CloudWatch => "monitoring".to_owned(),
            Self::S3 => "s3".to_owned(),
            Self::Scheduler => "scheduler".to_owned(),
            Self::Hearth => "hearth".to_owned(),
            // Its signature is as good as any other.
            Self::Other => claimed_service(request).unwrap_or("lambda").to_owned(),
            // Of other services nothing is answered but that they are not here: theirs is as good as STS's.
            Self::Root => {
                let claimed = CredentialScope::of(request.headers()).map(|scope| scope.service);
                claimed
                    .filter(|claimed| !["lambda", "logs", "monitoring", "s3", "scheduler"].contains(claimed))
                    .unwrap_or("sts")
                    .to_owned()
            }
        }
    }
}

/// Verifies requests against some keys.
pub(crate) struct Guard {
    clock: Clock,
    region: Region,
    global_region: Option<Region>,
    credentials: Arc<dyn Credentials>,
    /// The largest body that is read before its sender is known.
    body_bytes_max: usize,
}

impl Guard {
    pub(crate) fn new(
        clock: Clock,
        region: Region,
        credentials: Arc<dyn Credentials>,
        body_bytes_max: usize,
    ) -> Self {
        Self { clock, region, global_region: Region::new(GLOBAL_REGION).ok(), credentials, body_bytes_max }
    }

    /// Returns the request if its sender is known and may do what it asks for, and the refusal if not.
    pub(crate) async fn admit(
        &self,
        front: &Front,
        mut request: Request<Incoming>,
    ) -> Result<Request<Incoming>, Response> {
        let door = Door::of(front, &request);
        let protocol = door.protocol(&request);
        let claim = match self.claim(door, &request) {
            Ok(claim) => claim,
            Err(refusal) => {
                let refused = refused(door, protocol, &request, refusal);
                drop_body(request).await;
                return Err(refused);
            }
        };
        if door == Door::S3 {
            return self.admit_to_s3(front, claim, request).await;
        }
        let body = read_ahead(&mut request, self.body_bytes_max).await;
        let admitted = body
            .map_err(|error| Refusal::of_body(&error, self.body_bytes_max))
            .and_then(|body| Ok((claim.verify(&body)?, body)))
            .and_then(|(credential, body)| {
                let identity = &credential.identity;
                let plain = |asked| (asked, Context::default());
                let asked = match door {
                    Door::Lambda => {
                        front.api.asked(request.method(), request.uri(), &body, &identity.account).map(plain)
                    }
                    Door::Logs => Some(plain(front.cloudwatch_logs.asked(&request, &body))),
                    Door::CloudWatch => Some(plain(CloudWatch::asked(&request, &body))),
                    // Who somebody is, they may always ask.
                    Door::Root => root::asked(front, &request, &body),
                    // Who hears that there is nothing needs no right to it.
                    Door::Other => None,
                    Door::Scheduler => Schedules::asked(&request).map(plain),
                    Door::S3 => unreachable!("its bodies are not read here"),
                    Door::Hearth => Some(plain(asked_of_hearth(&request))),
                };
                asked.map_or(Ok(()), |(asked, context)| front.check(identity, &asked, context))?;
                Ok(credential)
            });
        match admitted {
            Ok(credential) => {
                identify(&mut request, &credential);
                Ok(request)
            }
            Err(refusal) => Err(refused(door, protocol, &request, refusal)),
        }
    }

    /// Admits a request to S3, whose body may be too large to be read before it is answered: the signature covers the head,
    /// and whoever reads the body compares it with what the head says of it.
    async fn admit_to_s3(
        &self,
        front: &Front,
        claim: Claim,
        mut request: Request<Incoming>,
    ) -> Result<Request<Incoming>, Response> {
        let admitted = claim.verify_head().and_then(|(credential, payload)| {
            let identity = &credential.identity;
            S3::asked(&request)
                .iter()
                .try_for_each(|asked| front.check(identity, asked, Context::default()))?;
            Ok((credential, payload))
        });
        match admitted {
            Ok((credential, payload)) => {
                identify(&mut request, &credential);
                request.extensions_mut().insert(payload);
                Ok(request)
            }
            Err(refusal) => {
                let keeps_its_body = request.headers().contains_key(EXPECT);
                drop_body(request).await;
                let mut response = refusal.into_response(Protocol::S3);
                if keeps_its_body {
                    // The next request cannot be told from the body that was announced.
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Err(response)
            }
        }
    }

    /// Reads who the request claims to be from.
    fn claim(&self, door: Door, request: &Request<Incoming>) -> Result<Claim, Refusal> {
        let (service, global) = (door.service(request), self.global_region.as_ref());
        let regions: Vec<&Region> = match door {
            Door::Root => std::iter::once(&self.region).chain(global).collect(),
            Door::Lambda
            | Door::Logs
            | Door::CloudWatch
            | Door::S3
            | Door::Scheduler
            | Door::Other
            | Door::Hearth => vec![&self.region],
        };
        let expected = Expected { service: &service, regions: &regions, now_epoch_ms: self.clock.epoch_ms() };
        Claim::of(request.method(), request.uri(), request.headers(), &expected, &*self.credentials)
    }
}

/// Returns a refusal in the shape of what was asked. CloudWatch is asked in three protocols, and knows them itself.
fn refused<B>(door: Door, protocol: Protocol, request: &Request<B>, refusal: Refusal) -> Response {
    let message = refusal.message().to_owned();
    let response = refusal.into_response(protocol);
    match door {
        Door::CloudWatch => CloudWatch::refuse(request, &response, &message),
        Door::Lambda | Door::Logs | Door::S3 | Door::Scheduler | Door::Root | Door::Other | Door::Hearth => {
            response
        }
    }
}

/// Says who has signed a request.
fn identify(request: &mut Request<Incoming>, credential: &Credential) {
    request.extensions_mut().insert(credential.identity.caller.clone());
    request.extensions_mut().insert(credential.identity.clone());
}
