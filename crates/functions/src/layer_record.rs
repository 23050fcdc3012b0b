//! Layer versions as records and back.

use hearth_store::{LayerStatementRecord, LayerVersionRecord};
use hearth_types::{Architecture, CodeSha256, LayerName, LayerVersionArn, RevisionId, Runtime};

use crate::{FunctionsSettings, LayerStatement, LayerVersion, OpenError};

/// Writes the record of a version.
pub(crate) fn write(version: &LayerVersion) -> LayerVersionRecord {
    let statement = |statement: &LayerStatement| LayerStatementRecord {
        sid: statement.sid.clone(),
        principal: statement.principal.clone(),
        organization_id: statement.organization_id.clone(),
    };
    LayerVersionRecord {
        name: version.arn.name.to_string(),
        version: version.arn.version,
        revision_id: version.policy_revision_id.to_string(),
        description: version.description.clone(),
        license_info: version.license_info.clone(),
        compatible_runtimes: version.compatible_runtimes.iter().map(Runtime::to_string).collect(),
        compatible_architectures: version
            .compatible_architectures
            .iter()
            .map(Architecture::to_string)
            .collect(),
        created_ms: version.created_ms,
        code_sha256: version.code_sha256.to_string(),
        code_size: version.code_size,
        statements: version.statements.iter().map(statement).collect(),
        is_deleted: false,
    }
}

/// Reads a record. What it says is checked again: the file may have been touched.
pub(crate) fn read(
    record: &LayerVersionRecord,
    settings: &FunctionsSettings,
) -> Result<LayerVersion, OpenError> {
    let field =
        |field, value: &str| OpenError::LayerRecord { layer: record.key(), field, value: value.to_owned() };
    let runtime = |value: &String| Runtime::parse(value).map_err(|_| field("runtime", value));
    let architecture =
        |value: &String| Architecture::parse(value).ok_or_else(|| field("architecture", value));
    let statement = |statement: &LayerStatementRecord| LayerStatement {
        sid: statement.sid.clone(),
        principal: statement.principal.clone(),
        organization_id: statement.organization_id.clone(),
    };
    Ok(LayerVersion {
        arn: LayerVersionArn {
            region: settings.region.clone(),
            account: settings.account.clone(),
            name: LayerName::new(&record.name).map_err(|_| field("name", &record.name))?,
            version: record.version,
        },
        description: record.description.clone(),
        license_info: record.license_info.clone(),
        compatible_runtimes: record.compatible_runtimes.iter().map(runtime).collect::<Result<_, _>>()?,
        compatible_architectures: record
            .compatible_architectures
            .iter()
            .map(architecture)
            .collect::<Result<_, _>>()?,
        created_ms: record.created_ms,
        code_sha256: CodeSha256::parse(&record.code_sha256)
            .ok_or_else(|| field("code digest", &record.code_sha256))?,
        code_size: record.code_size,
        statements: record.statements.iter().map(statement).collect(),
        policy_revision_id: RevisionId::parse(&record.revision_id)
            .ok_or_else(|| field("revision id", &record.revision_id))?,
    })
}
