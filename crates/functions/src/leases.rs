//! Packages that stay on disk although nobody in this process is going to hold them.

use crate::{DeployedCode, DeployedLayers, FunctionsError};

/// Keeps packages on disk when a record may name it although the store reported an error. The next start knows.
pub(crate) fn keep_if_in_doubt(
    error: FunctionsError,
    code: Option<&DeployedCode>,
    layers: Option<&DeployedLayers>,
) -> FunctionsError {
    if let FunctionsError::Store(cause) = &error
        && cause.leaves_doubt()
    {
        keep_on_disk(code, layers);
    }
    error
}

/// Leaves packages on disk although nobody in this process is going to hold them.
pub(crate) fn keep_on_disk<'a>(
    code: impl IntoIterator<Item = &'a DeployedCode>,
    layers: impl IntoIterator<Item = &'a DeployedLayers>,
) {
    let layers = layers.into_iter().flat_map(|layers| &layers.leases);
    for lease in code.into_iter().map(|code| &code.lease).chain(layers) {
        std::mem::forget(lease.clone());
    }
}
