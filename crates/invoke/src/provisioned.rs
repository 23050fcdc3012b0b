//! Provisioned concurrency: what was asked for, and how far it is. What was asked for is kept by `functions`, and the
//! environments are somebody else's; this module passes the one to the others, and puts both together.

use std::collections::HashMap;

use hearth_functions::{
    ConcurrencyListener, FunctionsError, ProvisionedConcurrency, ProvisionedVersion, State, VersionShare,
};
use hearth_types::{FunctionName, Qualifier, Version};

use crate::{Invoker, ProvisionedEnvironments};

/// How provisioned concurrency is doing, spelled as AWS does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllocationStatus {
    /// Environments are being initialized.
    InProgress,
    /// There are as many as were asked for.
    Ready,
    /// Some cannot be initialized. It is tried again, less and less often.
    Failed {
        /// AWS's `StatusReason`.
        reason: &'static str,
    },
}

/// Provisioned concurrency of a version or alias.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvisionedAllocation {
    /// As it was asked for.
    pub config: ProvisionedConcurrency,
    /// How many environments are initialized for it, whether or not an invocation runs in them.
    pub allocated: u32,
    /// How it is doing.
    pub status: AllocationStatus,
}

impl ConcurrencyListener for Invoker {
    fn changed(&self, name: &FunctionName, reserved: Option<u32>, provisioned: Vec<ProvisionedVersion>) {
        self.concurrency.reserve(name, reserved);
        self.environments.provision(name, provisioned);
    }

    fn deleted(&self, name: &FunctionName) {
        self.environments.provision(name, Vec::new());
        self.concurrency.forget(name);
    }
}

impl Invoker {
    /// Returns the provisioned concurrency of a function, by qualifier.
    pub fn provisioned_concurrency(
        &self,
        name: &FunctionName,
    ) -> Result<Vec<ProvisionedAllocation>, FunctionsError> {
        // Two aliases of one version share its environments: the first has its own first.
        let mut left: HashMap<u64, ProvisionedEnvironments> = HashMap::new();
        let configs = self.functions.provisioned_concurrency(name)?;
        let allocations = configs.into_iter().map(|(config, versions)| {
            let (mut wanted, mut allocated, mut failure) = (0, 0, None);
            for VersionShare { number, count } in versions {
                let version = Version::Number(number);
                let environments =
                    left.entry(number).or_insert_with(|| self.environments.provisioned(name, version));
                let taken = count.min(environments.initialized);
                environments.initialized -= taken;
                wanted += count;
                allocated += taken;
                failure = failure.or(environments.failure).or_else(|| self.failed_version(name, version));
            }
            let status = match failure {
                _ if allocated >= wanted => AllocationStatus::Ready,
                Some(reason) => AllocationStatus::Failed { reason },
                None => AllocationStatus::InProgress,
            };
            ProvisionedAllocation { config, allocated, status }
        });
        Ok(allocations.collect())
    }

    /// A version that failed will have no environments.
    fn failed_version(&self, name: &FunctionName, version: Version) -> Option<&'static str> {
        let function = self.functions.get_qualified(name, Some(&Qualifier::Version(version))).ok()?;
        matches!(function.state, State::Failed(_)).then_some("INVALID_FUNCTION_STATE")
    }
}
