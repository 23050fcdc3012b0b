//! Backend `namespaces`: each environment has namespaces, a root file system, a user and a network of its own.
//!
//! The walls are built by the environment's init, see `hearth_sandbox_init`; its network is prepared by `network`. What its
//! processes may use is limited by [`cgroups`](crate::cgroups), which also make them stand still between invocations.
//!
//! As root every environment has users of its own on the host; an ordinary user can have the same walls by user
//! namespaces, and all functions are that user then. What is in force and what is not says [`Sandboxes::facts`].

mod binds;
mod environment;
mod groups;
mod network_inside;

use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use futures_util::future::BoxFuture;
use hearth_sandbox_init::messages::{FromInit, Temporary, ToInit, Walls};
use hearth_sandbox_init::{OUTGOING_ENVIRONMENT, ROOTLESS_ENVIRONMENT, way_out};
use hearth_types::{EnvironmentId, limits};

use self::binds::binds;
use self::environment::NamespaceSandbox;
use self::groups::{enter_groups, limits_in_init, open_cgroups};
use self::network_inside::NetworkInside;
use crate::cgroups::{Cgroups, MilliCpu};
use crate::ephemeral_storage::{EphemeralStorageKind, EphemeralStorages, Storage};
use crate::folder::Folders;
use crate::foundations::{self, Foundation, Foundations};
use crate::network::{NetworkFacts, NetworkPolicy, Networks};
use crate::rootless::{self, Mode, Obstacle};
use crate::{Fact, Facts, Isolation, Sandbox, SandboxError, SandboxPlan, Sandboxes, in_force};

/// Makes sandboxes of namespaces.
pub struct NamespaceSandboxes {
    folders: Folders,
    foundations: Foundations,
    ephemeral_storages: EphemeralStorages,
    /// `None` without root: each init makes its own.
    networks: Option<Networks>,
    /// `None` without root, where this user has none to write.
    cgroups: Option<Cgroups>,
    limits: Vec<Fact>,
    mode: Mode,
    /// Without root: why functions have no way out, if they have none.
    no_way_out: Option<String>,
}

impl NamespaceSandboxes {
    /// Starts the launcher, and builds one sandbox to see that this host can. `folder` will hold a folder for each
    /// environment; what an earlier server left in it is removed. `network` is the most that any function may. Needs a
    /// Tokio runtime.
    pub async fn start(folder: &Path, network: NetworkPolicy) -> Result<Self, SandboxError> {
        let mode = Mode::of_this_process(foundations::USER_LAST);
        // What an earlier server has left ends before its folders go.
        let (cgroups, limits) = open_cgroups(folder, mode)?;
        let folders = Folders::start(folder)?;
        let networks = match mode {
            Mode::Root { .. } => Some(Networks::start(network).await?),
            Mode::Rootless => None,
        };
        let no_way_out = match network {
            NetworkPolicy::None => Some("as it is set".to_owned()),
            NetworkPolicy::Internet => rootless::obstacle_of_pasta(),
        };
        let mut sandboxes = Self {
            folders,
            foundations: Foundations::new(folder, mode, cgroups.is_none())?,
            cgroups,
            limits,
            ephemeral_storages: ephemeral_storages(folder).await?,
            networks,
            mode,
            no_way_out,
        };
        let plan = SandboxPlan { network, ..SandboxPlan::default() };
        let mut tried = sandboxes.create(EnvironmentId::random(), &plan).await;
        if let Err(SandboxError::Build { step, .. }) = &tried
            && step.starts_with(way_out::STEP)
        {
            sandboxes.no_way_out = Some(format!("it failed to {step}"));
            tried = sandboxes.create(EnvironmentId::random(), &plan).await;
        }
        match tried {
            Ok(_) => Ok(sandboxes),
            Err(SandboxError::Build { step, source }) if sandboxes.mode == Mode::Rootless => {
                let obstacle = Obstacle::of_this_host();
                let is_refused = source.kind() == io::ErrorKind::PermissionDenied;
                // AppArmor grants the namespace itself, and then nothing of what it is for.
                if step.contains("user namespace") || (is_refused && obstacle != Obstacle::Unknown) {
                    return Err(SandboxError::UserNamespaces { obstacle, step, source });
                }
                Err(SandboxError::Build { step, source })
            }
            Err(error) => Err(error),
        }
    }

    /// Returns where the files of `/tmp` are.
    pub fn ephemeral_storage(&self) -> EphemeralStorageKind {
        self.ephemeral_storages.kind()
    }

    /// Returns what was found and done for the networks of functions.
    pub fn network(&self) -> &NetworkFacts {
        self.networks.as_ref().map_or(&NetworkFacts::None, Networks::facts)
    }

    fn network_fact(&self) -> Fact {
        const NONE: &str = "none: functions reach their Runtime API and nothing else";
        let state = match (self.mode, self.network(), &self.no_way_out) {
            (Mode::Rootless, _, Some(why)) => format!("{NONE}; {why}"),
            (Mode::Rootless, _, None) => {
                "internet through pasta, IPv4 only; link-local addresses and those that this machine has when an \
                 environment begins are closed"
                    .to_owned()
            }
            (Mode::Root { .. }, NetworkFacts::None, _) => NONE.to_owned(),
            (Mode::Root { .. }, facts @ NetworkFacts::Internet { .. }, _) => facts.to_string(),
        };
        Fact::in_force("network", state)
    }

    fn foundation(&self, plan: &SandboxPlan) -> Result<Foundation, SandboxError> {
        match self.mode {
            Mode::Root { .. } => self.foundations.take(),
            Mode::Rootless if plan.network == NetworkPolicy::Internet && self.no_way_out.is_none() => {
                self.foundations.begin(OUTGOING_ENVIRONMENT)
            }
            Mode::Rootless => self.foundations.begin(ROOTLESS_ENVIRONMENT),
        }
    }

    async fn build(
        &self,
        environment: EnvironmentId,
        plan: &SandboxPlan,
    ) -> Result<Box<dyn Sandbox>, SandboxError> {
        let storage = self.ephemeral_storages.take(plan.ephemeral_storage_mb).await?;
        let network = match &self.networks {
            Some(networks) => Some(networks.take(plan.network).await?),
            None => None,
        };
        let walls = ToInit::BuildWalls(Walls {
            binds: binds(plan).map_err(|source| SandboxError::Prepare { what: "its layers", source })?,
            temporary: match storage {
                Some(_) => Temporary::Mounted,
                None => Temporary::Memory { bytes_max: u64::from(plan.ephemeral_storage_mb) << 20 },
            },
            processes_max: limits::PROCESSES_MAX,
            resolver: crate::network::resolver().0.into(),
            network_is_prepared: self.networks.is_some(),
        });
        let of_network = network.iter().map(|network| network.namespace.as_raw_fd());
        let prepared: Vec<_> =
            of_network.chain(storage.iter().map(|storage| storage.mount().as_raw_fd())).collect();
        let (mut foundation, said) = loop {
            let foundation = self.foundation(plan)?;
            match foundation.processes.say(&walls, &prepared) {
                // It was ready, but has ended since: whatever ended it, there are others.
                Err(_) if foundation.is_laid => {}
                // When there is no init, what it says comes from the launcher, and it hears nothing.
                said => break (foundation, said),
            }
        };
        // While init builds.
        let folder = self.folders.make(environment)?;
        let cgroup = match &self.cgroups {
            Some(cgroups) => Some(cgroups.create(environment, &limits_in_init(plan))?),
            None => None,
        };
        let said = said.and_then(|()| enter_groups(&foundation.processes, cgroup.as_ref()));
        foundation.laid().await?;
        let Foundation { processes, .. } = foundation;
        match processes.receive().await {
            Some((FromInit::WallsBuilt, descriptors)) => {
                let network = match network {
                    Some(network) => NetworkInside::prepared(network),
                    None => NetworkInside::of_init(descriptors).ok_or(SandboxError::InitGone)?,
                };
                Ok(Box::new(NamespaceSandbox {
                    processes,
                    cgroup,
                    cpu: MilliCpu::of_memory_size(plan.memory_size_mb.into()),
                    out_of_memory_kills_before: AtomicU64::new(0),
                    runtime_api: Mutex::new(Some(network.runtime_api)),
                    aws_api: Mutex::new(Some(network.aws_api)),
                    sockets: network.sockets,
                    _contents: storage.map(Storage::placed),
                    _folder: folder,
                }))
            }
            Some((FromInit::WallsFailed { step, errno }, _)) => {
                Err(SandboxError::Build { step, source: std::io::Error::from_raw_os_error(errno) })
            }
            _ => Err(said.err().unwrap_or(SandboxError::InitGone)),
        }
    }
}

/// Finds out how they can be made, which takes too long for an async thread.
async fn ephemeral_storages(folder: &Path) -> Result<EphemeralStorages, SandboxError> {
    let folder = folder.to_owned();
    let started = tokio::task::spawn_blocking(move || EphemeralStorages::start(&folder)).await;
    started.unwrap_or_else(|error| {
        let source = io::Error::other(error);
        Err(SandboxError::EphemeralStorage { step: "find out how it can be made".to_owned(), source })
    })
}

impl Sandboxes for NamespaceSandboxes {
    fn isolation(&self) -> Isolation {
        Isolation::Namespaces
    }

    fn facts(&self) -> Facts {
        let storage = Fact::from(self.ephemeral_storages.kind());
        Facts {
            isolation: self.isolation(),
            facts: in_force::facts(self.mode, self.limits.clone(), self.network_fact(), storage),
        }
    }

    fn left_over(&self) -> usize {
        self.folders.left_over().max(self.cgroups.as_ref().map_or(0, Cgroups::reaped))
    }

    fn create<'a>(
        &'a self,
        environment: EnvironmentId,
        plan: &'a SandboxPlan,
    ) -> BoxFuture<'a, Result<Box<dyn Sandbox>, SandboxError>> {
        Box::pin(self.build(environment, plan))
    }
}
