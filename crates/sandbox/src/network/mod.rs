//! The networks of environments: a namespace for each, prepared before it is needed.
//!
//! A namespace is made by a thread of its own, since whoever makes one is in it. The Runtime API listens inside before
//! anything else is there; init only enters.

mod error;
mod expressions;
mod firewall;
mod forwarding;
mod links;
mod maker;
mod netlink;
mod place;
mod resolver;
mod router;
mod rules;

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) use error::MAKE_NAMESPACE;
pub use error::NetworkError;
use error::step;
use maker::Maker;
pub(crate) use maker::Network;
pub(crate) use resolver::resolver;
use tokio::sync::oneshot;

/// How many networks are kept ready. Ours: more than come at once as a rule, and an idle one costs memory of the kernel.
const READY: usize = 8;
/// How many may wait for a network that is being made; further ones are refused. More than start at once.
const WAITING_MAX: usize = 1_024;
/// How long after one was taken the next is made. Ours: it would take the processor from the start that it was taken for.
const REFILL_AFTER: Duration = Duration::from_millis(25);

/// Where an environment's connections may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum NetworkPolicy {
    /// Nowhere: it has only its own loopback interface, with the Runtime API.
    None,
    /// To the internet and the networks around this host; not to the host itself, nor to other environments.
    #[default]
    Internet,
}

/// What was found and done for the networks of functions, for whoever starts a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkFacts {
    /// Functions reach nothing.
    None,
    /// They go out by IPv4, masqueraded as this host. IPv6 is closed.
    Internet {
        /// The interface of this host that leads to them; a table of `nf_tables` has the same name.
        interface: String,
        /// The addresses that they have inside.
        range: String,
        /// How many servers that had ended left an interface or a table, which are removed.
        left_over: usize,
        /// What will not work, and what the operator can do about it.
        warnings: Vec<String>,
    },
}

impl fmt::Display for NetworkFacts {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => to.write_str("none"),
            Self::Internet { interface, range, .. } => {
                write!(
                    to,
                    "internet through nftables masquerade, range {range}, interface {interface}, no IPv6"
                )
            }
        }
    }
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
    requests: Option<SyncSender<Request>>,
    ready: Arc<Ready>,
    thread: Option<JoinHandle<()>>,
    facts: NetworkFacts,
}

impl Networks {
    /// Begins to prepare networks, having made one to see that this host can. `most` is the most that any function may.
    pub(crate) async fn start(most: NetworkPolicy) -> Result<Self, NetworkError> {
        let (requests, received) = mpsc::sync_channel(WAITING_MAX);
        let (answer, started) = oneshot::channel();
        let ready = Arc::new(Ready::default());
        let of_thread = ready.clone();
        let work = move || {
            let first = Maker::new(most).and_then(|mut maker| Ok((maker.make(most)?, maker)));
            match first {
                Ok((network, mut maker)) => {
                    of_thread.want(most);
                    of_thread.put(most, network);
                    if answer.send(Ok(maker.facts())).is_ok() {
                        serve(maker, received, &of_thread);
                    }
                }
                Err(error) => drop(answer.send(Err(error))),
            }
        };
        let thread = std::thread::Builder::new().name("networks".to_owned()).spawn(work);
        let thread = thread.map_err(step("start the thread of networks"))?;
        let facts = started.await.map_err(|_| gone())??;
        Ok(Self { requests: Some(requests), ready, thread: Some(thread), facts })
    }

    /// Returns what was found and done at the start.
    pub(crate) fn facts(&self) -> &NetworkFacts {
        &self.facts
    }

    /// Returns a network that nobody has used: one that is ready, or else a new one.
    pub(crate) async fn take(&self, policy: NetworkPolicy) -> Result<Network, NetworkError> {
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        if let Some(network) = self.ready.take(policy) {
            // A full queue will have it look as well.
            let _ = requests.try_send(Request::Refill);
            return Ok(network);
        }
        let (answer, made) = oneshot::channel();
        requests.try_send(Request::Make(policy, answer)).map_err(|error| match error {
            TrySendError::Full(_) => {
                step("make so many networks at once")(io::Error::from(ErrorKind::WouldBlock))
            }
            TrySendError::Disconnected(_) => gone(),
        })?;
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
    step("reach the thread of networks")(io::Error::from(ErrorKind::BrokenPipe))
}

/// Makes networks until nobody can ask any more. Those that somebody waits for come first.
fn serve(mut maker: Maker, requests: Receiver<Request>, ready: &Ready) {
    let mut refill_at = Some(Instant::now());
    loop {
        let missing = ready.missing().filter(|_| refill_at.is_some());
        let request = match (missing, refill_at) {
            (Some(_), Some(at)) => requests.recv_timeout(at.saturating_duration_since(Instant::now())),
            _ => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match (request, missing) {
            (Ok(Request::Make(policy, answer)), _) => {
                ready.want(policy);
                // Whoever asked may have gone away.
                let _ = answer.send(maker.make(policy));
                refill_at = refill_at.or_else(|| Some(Instant::now() + REFILL_AFTER));
            }
            (Ok(Request::Refill), Some(_)) => {}
            (Ok(Request::Refill), None) => refill_at = Some(Instant::now() + REFILL_AFTER),
            (Err(RecvTimeoutError::Timeout), Some(policy)) => match maker.make(policy) {
                Ok(network) => ready.put(policy, network),
                Err(error) => {
                    let source = &error.source;
                    tracing::warn!(%error, %source, "cannot prepare a network");
                    // Not again until somebody asks.
                    refill_at = None;
                }
            },
            (Err(RecvTimeoutError::Timeout), None) => {}
            (Err(RecvTimeoutError::Disconnected), _) => return,
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

#[cfg(test)]
mod tests {
    use hearth_sandbox_init::RUNTIME_API;

    use super::*;

    /// In a namespace of its own, which is the host. `None` without root, which it says.
    fn on_a_host(test: impl AsyncFnOnce() + Send + 'static) {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: network namespaces need root");
            return;
        }
        let work = move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio.block_on(test());
        };
        std::thread::spawn(work).join().unwrap();
    }

    async fn when_full(networks: &Networks) {
        while networks.ready.missing().is_some() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn networks_are_ready_before_they_are_needed_and_used_once() {
        on_a_host(async || {
            let networks = Networks::start(NetworkPolicy::Internet).await.unwrap();
            when_full(&networks).await;
            let mut seen = Vec::new();
            for _ in 0..3 * READY {
                let network = networks.take(NetworkPolicy::Internet).await.unwrap();
                assert_eq!(network.runtime_api.local_addr().unwrap(), RUNTIME_API.into());
                let namespace = nix::sys::stat::fstat(&*network.namespace).unwrap().st_ino;
                assert!(seen.iter().all(|(known, _)| *known != namespace));
                seen.push((namespace, network));
            }
            when_full(&networks).await;
        });
    }

    #[test]
    fn after_many_networks_no_namespace_and_no_interface_is_left() {
        on_a_host(async || {
            let mut maker = Maker::new(NetworkPolicy::Internet).unwrap();
            let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
            drop(maker.make(NetworkPolicy::Internet).unwrap());
            let before = descriptors();
            for _ in 0..hearth_tests::rounds(50, 1_000) {
                drop(maker.make(NetworkPolicy::Internet).unwrap());
            }
            assert_eq!(descriptors(), before);
            // An interface of a namespace that lives would stay.
            let started = Instant::now();
            while maker.connected() != Some(0) {
                assert!(started.elapsed() < Duration::from_secs(10));
                std::thread::yield_now();
            }
        });
    }

    /// How long it takes. Printed, with a bound far above what was seen.
    #[test]
    fn the_time_of_taking_and_of_making_one() {
        const ROUNDS: usize = 50;
        on_a_host(async || {
            for policy in [NetworkPolicy::None, NetworkPolicy::Internet] {
                let started = Instant::now();
                let networks = Networks::start(policy).await.unwrap();
                let start = started.elapsed();
                let (mut ready, mut made, mut all) = (Vec::new(), Vec::new(), Vec::new());
                for _ in 0..ROUNDS {
                    when_full(&networks).await;
                    let started = Instant::now();
                    all.push(networks.take(policy).await.unwrap());
                    ready.push(started.elapsed());
                }
                let mut maker = Maker::new(policy).unwrap();
                for _ in 0..ROUNDS {
                    let started = Instant::now();
                    all.push(maker.make(policy).unwrap());
                    made.push(started.elapsed());
                }
                let started = Instant::now();
                drop(all.split_off(ROUNDS));
                while maker.connected().is_some_and(|connected| connected > 0) {
                    std::thread::yield_now();
                }
                let dropped = started.elapsed();
                let started = Instant::now();
                drop((networks, maker));
                let end = started.elapsed();
                ready.sort();
                made.sort();
                let (ready, made) = (ready[ROUNDS / 2], made[ROUNDS / 2]);
                println!(
                    "{policy:?}: start {start:?}, take {ready:?}, make {made:?} (medians of {ROUNDS}), gone {ROUNDS} \
                     {dropped:?}, end {end:?}"
                );
                assert!(ready < Duration::from_millis(50) && made < Duration::from_millis(500));
            }
        });
    }
}
