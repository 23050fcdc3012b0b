//! The policy of a layer version: who else may use it. Kept here; what it decides is `hearth-auth`'s.

use hearth_types::limits::POLICY_BYTES_MAX;

use crate::{LayerVersion, LayersError};

/// A statement of a policy. Its action is always `lambda:GetLayerVersion`, its resource the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerStatement {
    /// Its id.
    pub sid: String,
    /// `*`, an account, or an ARN.
    pub principal: String,
    /// The organization that `*` is narrowed to.
    pub organization_id: Option<String>,
}

impl LayerVersion {
    /// Refuses a policy that has become too long, counted generously: AWS counts its text.
    pub(crate) fn check_policy_size(&self) -> Result<(), LayersError> {
        // What stands around the words of a statement, and around all of them.
        const STATEMENT_BYTES: usize = 170;
        const POLICY_BYTES: usize = 60;
        let resource = self.arn.to_string().len();
        let statements = self.statements.iter().map(|statement| {
            let organization = statement.organization_id.as_ref().map_or(0, |id| id.len() + 64);
            STATEMENT_BYTES + statement.sid.len() + statement.principal.len() + organization + resource
        });
        let bytes = POLICY_BYTES + statements.sum::<usize>();
        if bytes > POLICY_BYTES_MAX { Err(LayersError::PolicyTooLong { bytes }) } else { Ok(()) }
    }
}
