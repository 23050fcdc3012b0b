//! Resource policies as records and back.

use hearth_store::{PolicyRecord, StatementRecord};
use hearth_types::RevisionId;

use crate::{Policy, Statement};

/// Writes the record of a policy.
pub(crate) fn write(policy: &Policy) -> PolicyRecord {
    let statement = |statement: &Statement| {
        let Statement {
            sid,
            principal,
            action,
            source_arn,
            source_account,
            event_source_token,
            function_url_auth_type,
            invoked_via_function_url,
            principal_org_id,
            document,
        } = statement.clone();
        StatementRecord {
            sid,
            principal,
            action,
            source_arn,
            source_account,
            event_source_token,
            function_url_auth_type,
            invoked_via_function_url,
            principal_org_id,
            document,
        }
    };
    PolicyRecord {
        revision_id: policy.revision_id.to_string(),
        statements: policy.statements.iter().map(statement).collect(),
    }
}

/// Reads a record. `None` when its revision id is none.
pub(crate) fn read(record: &PolicyRecord) -> Option<Policy> {
    let statement = |statement: &StatementRecord| {
        let StatementRecord {
            sid,
            principal,
            action,
            source_arn,
            source_account,
            event_source_token,
            function_url_auth_type,
            invoked_via_function_url,
            principal_org_id,
            document,
        } = statement.clone();
        Statement {
            sid,
            principal,
            action,
            source_arn,
            source_account,
            event_source_token,
            function_url_auth_type,
            invoked_via_function_url,
            principal_org_id,
            document,
        }
    };
    Some(Policy {
        revision_id: RevisionId::parse(&record.revision_id)?,
        statements: record.statements.iter().map(statement).collect(),
    })
}
