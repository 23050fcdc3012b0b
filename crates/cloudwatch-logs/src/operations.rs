//! The table of operations, and the names of those that AWS has and Hearth has not.

use serde_json::Value;

use crate::error::LogsError;
use crate::input::Input;
use crate::{
    CloudWatchLogs, create_log_group, create_log_stream, delete_log_group, delete_log_stream,
    describe_log_groups, describe_log_streams, describe_queries, filter_log_events, get_log_events,
    get_log_group_fields, get_log_record, get_query_results, list_log_groups, put_log_events,
    retention_policy, start_query, stop_query, tags, test_metric_filter,
};

/// Answers one operation. Blocks on the disk. `Null` is no output.
pub(crate) type Operation = fn(&CloudWatchLogs, Input) -> Result<Value, LogsError>;

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found {
    /// An operation with an answer.
    Operation(Operation),
    /// The one whose answer goes on.
    LiveTail,
}

const LIVE_TAIL: &str = "StartLiveTail";

const IMPLEMENTED: &[(&str, Operation)] = &[
    ("CreateLogGroup", create_log_group::answer),
    ("DeleteLogGroup", delete_log_group::answer),
    ("DescribeLogGroups", describe_log_groups::answer),
    ("ListLogGroups", list_log_groups::answer),
    ("CreateLogStream", create_log_stream::answer),
    ("DeleteLogStream", delete_log_stream::answer),
    ("DescribeLogStreams", describe_log_streams::answer),
    ("PutLogEvents", put_log_events::answer),
    ("GetLogEvents", get_log_events::answer),
    ("FilterLogEvents", filter_log_events::answer),
    ("PutRetentionPolicy", retention_policy::put),
    ("DeleteRetentionPolicy", retention_policy::delete),
    ("PutLogGroupDeletionProtection", delete_log_group::protect),
    ("TagResource", tags::tag_resource),
    ("UntagResource", tags::untag_resource),
    ("ListTagsForResource", tags::list_for_resource),
    ("TagLogGroup", tags::tag_log_group),
    ("UntagLogGroup", tags::untag_log_group),
    ("ListTagsLogGroup", tags::list_of_log_group),
    ("StartQuery", start_query::answer),
    ("GetQueryResults", get_query_results::answer),
    ("StopQuery", stop_query::answer),
    ("DescribeQueries", describe_queries::answer),
    ("GetLogRecord", get_log_record::answer),
    ("GetLogGroupFields", get_log_group_fields::answer),
    ("TestMetricFilter", test_metric_filter::answer),
];

/// Source: the service model (2014-03-28) of botocore 1.44.5.
const OTHERS: &[&str] = &[
    "AssociateKmsKey",
    "AssociateSourceToS3TableIntegration",
    "CancelExportTask",
    "CancelImportTask",
    "CreateDelivery",
    "CreateExportTask",
    "CreateImportTask",
    "CreateLogAnomalyDetector",
    "CreateLookupTable",
    "CreateScheduledQuery",
    "DeleteAccountPolicy",
    "DeleteDataProtectionPolicy",
    "DeleteDelivery",
    "DeleteDeliveryDestination",
    "DeleteDeliveryDestinationPolicy",
    "DeleteDeliverySource",
    "DeleteDestination",
    "DeleteIndexPolicy",
    "DeleteIntegration",
    "DeleteLogAnomalyDetector",
    "DeleteLookupTable",
    "DeleteMetricFilter",
    "DeleteQueryDefinition",
    "DeleteResourcePolicy",
    "DeleteScheduledQuery",
    "DeleteSubscriptionFilter",
    "DeleteSyslogConfiguration",
    "DeleteTransformer",
    "DescribeAccountPolicies",
    "DescribeConfigurationTemplates",
    "DescribeDeliveries",
    "DescribeDeliveryDestinations",
    "DescribeDeliverySources",
    "DescribeDestinations",
    "DescribeExportTasks",
    "DescribeFieldIndexes",
    "DescribeImportTaskBatches",
    "DescribeImportTasks",
    "DescribeIndexPolicies",
    "DescribeLookupTables",
    "DescribeMetricFilters",
    "DescribeQueryDefinitions",
    "DescribeResourcePolicies",
    "DescribeSubscriptionFilters",
    "DisassociateKmsKey",
    "DisassociateSourceFromS3TableIntegration",
    "GetDataProtectionPolicy",
    "GetDelivery",
    "GetDeliveryDestination",
    "GetDeliveryDestinationPolicy",
    "GetDeliverySource",
    "GetIntegration",
    "GetLogAnomalyDetector",
    "GetLogFields",
    "GetLogObject",
    "GetLookupTable",
    "GetScheduledQuery",
    "GetScheduledQueryHistory",
    "GetStorageTierPolicy",
    "GetTransformer",
    "ListAggregateLogGroupSummaries",
    "ListAnomalies",
    "ListIntegrations",
    "ListLogAnomalyDetectors",
    "ListLogGroupsForQuery",
    "ListScheduledQueries",
    "ListSourcesForS3TableIntegration",
    "ListSyslogConfigurations",
    "PutAccountPolicy",
    "PutBearerTokenAuthentication",
    "PutDataProtectionPolicy",
    "PutDeliveryDestination",
    "PutDeliveryDestinationPolicy",
    "PutDeliverySource",
    "PutDestination",
    "PutDestinationPolicy",
    "PutIndexPolicy",
    "PutIntegration",
    "PutMetricFilter",
    "PutQueryDefinition",
    "PutResourcePolicy",
    "PutStorageTierPolicy",
    "PutSubscriptionFilter",
    "PutSyslogConfiguration",
    "PutTransformer",
    "TestTransformer",
    "UpdateAnomaly",
    "UpdateDeliveryConfiguration",
    "UpdateLogAnomalyDetector",
    "UpdateLookupTable",
    "UpdateScheduledQuery",
];

/// Finds an operation by its name.
pub(crate) fn find(name: &str) -> Result<Found, LogsError> {
    let found = IMPLEMENTED.iter().find(|(known, _)| *known == name);
    match found {
        Some((_, operation)) => Ok(Found::Operation(*operation)),
        None if name == LIVE_TAIL => Ok(Found::LiveTail),
        None if OTHERS.contains(&name) => {
            Err(LogsError::not_implemented(&format!("the operation {name} of CloudWatch Logs")))
        }
        None => Err(LogsError::unknown_operation(&plain(name))),
    }
}

/// What can be repeated: other characters are left out.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_model_is_answered_or_named() {
        assert_eq!(IMPLEMENTED.len() + 1 + OTHERS.len(), 118);
        assert!(OTHERS.iter().all(|name| IMPLEMENTED.iter().all(|(known, _)| known != name)));
        assert!(find("FilterLogEvents").is_ok() && find(LIVE_TAIL).is_ok());
        for (name, expected) in [
            ("PutMetricFilter", "NotImplementedException"),
            ("Nonsense", "UnknownOperationException"),
            ("", "UnknownOperationException"),
        ] {
            let response = find(name).unwrap_err().into_response();
            assert_eq!(response.headers()["x-amzn-errortype"], expected, "{name}");
        }
    }
}
