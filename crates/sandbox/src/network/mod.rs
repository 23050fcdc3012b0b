//! The networks of environments: a namespace for each, prepared before it is needed.
//!
//! A namespace is made by a thread of its own, since whoever makes one is in it. The Runtime API listens inside before
//! anything else is there; init only enters.

mod error;
#[allow(dead_code, reason = "the way out comes next")]
mod links;
mod maker;
#[allow(dead_code, reason = "the way out comes next")]
mod netlink;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

pub use error::NetworkError;
use error::step;
use maker::Maker;
pub(crate) use maker::Network;
use tokio::sync::{mpsc, oneshot};

/// How many networks are kept ready. Ours: more than come at once as a rule, and an idle one costs memory of the kernel.
const READY: usize = 8;
/// How many may wait for a network that is being made; further ones wait to be let in.
const WAITING_MAX: usize = 64;

/// Where an environment's connections may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum NetworkPolicy {
    /// Nowhere: it has only its own loopback interface, with the Runtime API.
    None,
    /// To the internet and the networks around this host; not to the host itself, nor to other environments.
    #[default]
    Internet,
}

/// What the thread is asked for.
enum Request {
    /// A network at once.
    Make(NetworkPolicy, oneshot::Sender<Result<Network, NetworkError>>),
    /// To look whether enough are ready.
    Refill,
}

/// The networks of one server. Dropping it removes what it added to the host.
pub(crate) struct Networks {
    /// `None` only while this is dropped: the thread ends then.
    requests: Option<mpsc::Sender<Request>>,
    ready: Arc<Ready>,
    thread: Option<JoinHandle<()>>,
}

impl Networks {
    /// Begins to prepare networks of this policy, having made one to see that this host can.
    pub(crate) async fn start(policy: NetworkPolicy) -> Result<Self, NetworkError> {
        let (requests, received) = mpsc::channel(WAITING_MAX);
        let (answer, started) = oneshot::channel();
        let ready = Arc::new(Ready::default());
        let of_thread = ready.clone();
        let work = move || {
            let first = Maker::new().and_then(|mut maker| Ok((maker.make(policy)?, maker)));
            match first {
                Ok((network, maker)) => {
                    of_thread.want(policy);
                    of_thread.put(policy, network);
                    if answer.send(Ok(())).is_ok() {
                        serve(maker, received, &of_thread);
                    }
                }
                Err(error) => drop(answer.send(Err(error))),
            }
        };
        let thread = std::thread::Builder::new().name("networks".to_owned()).spawn(work);
        let thread = thread.map_err(step("start the thread of networks"))?;
        started.await.map_err(|_| gone())??;
        Ok(Self { requests: Some(requests), ready, thread: Some(thread) })
    }

    /// Returns a network that nobody has used: one that is ready, or else a new one.
    pub(crate) async fn take(&self, policy: NetworkPolicy) -> Result<Network, NetworkError> {
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        if let Some(network) = self.ready.take(policy) {
            // A full queue means that it is awake.
            let _ = requests.try_send(Request::Refill);
            return Ok(network);
        }
        let (answer, made) = oneshot::channel();
        requests.send(Request::Make(policy, answer)).await.map_err(|_| gone())?;
        made.await.map_err(|_| gone())?
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of networks panicked");
        }
    }
}

fn gone() -> NetworkError {
    let source = std::io::ErrorKind::BrokenPipe.into();
    NetworkError { step: "reach the thread of networks", source }
}

/// Makes networks until nobody can ask any more. Those that somebody waits for come first.
fn serve(mut maker: Maker, mut requests: mpsc::Receiver<Request>, ready: &Ready) {
    // After a failure nothing is made until somebody asks again.
    let mut rests = false;
    loop {
        let request = match requests.try_recv() {
            Ok(request) => Some(request),
            Err(mpsc::error::TryRecvError::Disconnected) => return,
            Err(mpsc::error::TryRecvError::Empty) => match ready.missing() {
                Some(policy) if !rests => {
                    match maker.make(policy) {
                        Ok(network) => ready.put(policy, network),
                        Err(error) => {
                            let source = &error.source;
                            tracing::warn!(%error, %source, "cannot prepare a network");
                            rests = true;
                        }
                    }
                    continue;
                }
                _ => requests.blocking_recv(),
            },
        };
        rests = false;
        match request {
            Some(Request::Make(policy, answer)) => {
                ready.want(policy);
                // Whoever asked may have gone away.
                let _ = answer.send(maker.make(policy));
            }
            Some(Request::Refill) => {}
            None => return,
        }
    }
}

/// The networks that are ready.
#[derive(Default)]
struct Ready {
    shelves: Mutex<Vec<Shelf>>,
}

/// Those of one policy. Made for it when it is asked for the first time.
struct Shelf {
    policy: NetworkPolicy,
    networks: Vec<Network>,
}

impl Ready {
    fn shelves(&self) -> MutexGuard<'_, Vec<Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn want(&self, policy: NetworkPolicy) {
        let mut shelves = self.shelves();
        if !shelves.iter().any(|shelf| shelf.policy == policy) {
            shelves.push(Shelf { policy, networks: Vec::new() });
        }
    }

    fn missing(&self) -> Option<NetworkPolicy> {
        self.shelves().iter().find(|shelf| shelf.networks.len() < READY).map(|shelf| shelf.policy)
    }

    fn put(&self, policy: NetworkPolicy, network: Network) {
        if let Some(shelf) = self.shelves().iter_mut().find(|shelf| shelf.policy == policy) {
            shelf.networks.push(network);
        }
    }

    fn take(&self, policy: NetworkPolicy) -> Option<Network> {
        self.shelves().iter_mut().find(|shelf| shelf.policy == policy)?.networks.pop()
    }
}
