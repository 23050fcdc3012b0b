//! Hearth's own AWS API inside environments: a listener for each, which takes nothing but the environment's own temporary
//! keys, and allows what the function rights say. So that a function's SDK can call another function.
//!
//! Behind it is the same front as outside, without Hearth's own HTTP.

use std::any::Any;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use hearth_auth::{Caller, Credential, Identity, Own, Right, Secret, Temporary};
use hearth_aws_wire::{ErrorBody, MessageKey, REQUEST_ID, Response, Server, ServerSettings, WireError};
use hearth_functions::ResolvedVersion;
use hearth_pool::{OpenOwnApi, OwnApi};
use hearth_runtimes::Credentials;
use hearth_telemetry::Clock;
use hearth_types::{Arn, EnvironmentId, Region, RequestId};
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::front::Front;
use crate::guard::Guard;

/// How many connections an environment may have open to it; more wait. An SDK's pool has ten to fifty.
const CONNECTIONS_MAX: usize = 64;
/// The largest body that an environment may send: above the largest event. Packages are not uploaded from inside.
const BODY_BYTES_MAX: usize = 8 << 20;
/// How much of all its bodies is kept at once: two of the largest.
const BODY_ROOM_KIB: usize = 16 << 10;
/// Its processes may be frozen in the middle of a request, as long as no call comes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Serves the API to environments.
pub(crate) struct OwnApis {
    /// The pool is made before the front, which needs it: set when both are there.
    pub(crate) front: Arc<OnceLock<Weak<Front>>>,
    pub(crate) clock: Clock,
    pub(crate) region: Region,
    /// What functions may do.
    pub(crate) rights: Arc<[Right]>,
}

impl OwnApi for OwnApis {
    fn open(
        &self,
        listener: Option<TcpListener>,
        id: EnvironmentId,
        version: &ResolvedVersion,
        keys: Option<&Credentials>,
    ) -> io::Result<OpenOwnApi> {
        let listener = match listener {
            Some(listener) => listener,
            None => on_loopback()?,
        };
        let keys = match keys {
            Some(keys) => Temporary {
                access_key_id: keys.access_key_id.clone(),
                secret_access_key: Secret::new(keys.secret_access_key.clone()),
                session_token: Secret::new(keys.session_token.clone()),
            },
            None => Temporary::random()?,
        };
        let endpoint_url = format!("http://{}", listener.local_addr()?);
        let credential = Arc::new(Credential {
            access_key_id: keys.access_key_id.clone(),
            secret_access_key: keys.secret_access_key.clone(),
            session_token: Some(keys.session_token.clone()),
            expires_ms: None,
            identity: identity(id, version, self.rights.clone()),
        });
        let guard =
            Arc::new(Guard::new(self.clock, self.region.clone(), Arc::new(credential), BODY_BYTES_MAX));
        let front = self.front.clone();
        let answer = move |request| {
            let (front, guard) = (front.clone(), guard.clone());
            async move { answer(front.get().and_then(Weak::upgrade), &guard, request).await }
        };
        let settings = ServerSettings {
            connections_max: CONNECTIONS_MAX,
            body_room_kib: BODY_ROOM_KIB,
            head_timeout: PATIENCE,
            keep_alive_timeout: PATIENCE,
            write_timeout: PATIENCE,
            ..ServerSettings::default()
        };
        let (stop, stopped) = watch::channel(false);
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let serving = tokio::spawn(Server { settings }.serve(listener, answer, stopped));
        let served: Box<dyn Any + Send + Sync> =
            Box::new(Served { serving: serving.abort_handle(), _stop: stop });
        Ok(OpenOwnApi {
            credentials: Credentials {
                access_key_id: keys.access_key_id,
                secret_access_key: keys.secret_access_key.expose().to_owned(),
                session_token: keys.session_token.expose().to_owned(),
                endpoint_url: Some(endpoint_url),
            },
            served,
        })
    }
}

/// Without a network of its own, an environment's listener can be reached by all local processes: they find that it needs
/// keys.
fn on_loopback() -> io::Result<TcpListener> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A served API. Dropping it closes the listener and every connection, and forgets the keys.
struct Served {
    serving: AbortHandle,
    /// A sender that is gone would let requests finish first.
    _stop: watch::Sender<bool>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(front: Option<Arc<Front>>, guard: &Guard, request: Request<Incoming>) -> Response {
    let Some(front) = front else {
        return unavailable();
    };
    match Box::pin(guard.admit(&front, request)).await {
        Ok(request) => front.answer_aws(request).await,
        Err(refusal) => refusal,
    }
}

/// 503: the server begins or ends just now.
fn unavailable() -> Response {
    let mut response = WireError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        error_type: "ServiceUnavailableException",
        body: ErrorBody::Framework,
        key: MessageKey::Small,
        message: "The server is starting or stopping".to_owned(),
        more: vec![],
    }
    .into_response();
    if let Ok(request_id) = HeaderValue::from_str(&RequestId::random().to_string()) {
        response.headers_mut().insert(REQUEST_ID, request_id);
    }
    response
}

/// Who an environment is: its function's role, with the function's name as the name of the session, as on AWS.
fn identity(id: EnvironmentId, version: &ResolvedVersion, rights: Arc<[Right]>) -> Identity {
    let configuration = &version.configuration;
    let role = Arn::parse(&configuration.role).map_or("", |role| role.resource);
    // `role/path/NAME`
    let role = role.rsplit('/').next().unwrap_or_default();
    let name = &configuration.name;
    let caller = Caller {
        arn: format!("arn:aws:sts::{}:assumed-role/{role}/{name}", version.arn.account),
        user_id: format!("AROA{}:{name}", &id.to_string()[..17].to_uppercase()),
    };
    Identity {
        role_arn: Some(configuration.role.clone()),
        own: Some(Own { function: name.clone(), log_group: configuration.logging.group.clone() }),
        ..Identity::user(caller, version.arn.account.clone(), rights)
    }
}
