//! The table of operations, and the names of those that AWS has and Hearth has not.

use crate::error::ApiError;
use crate::input::Input;
use crate::wire::Output;
use crate::{CloudWatch, get_metric_data, get_metric_statistics, list_metrics};

/// Answers one operation. Blocks on the disk.
pub(crate) type Operation = fn(&CloudWatch, Input) -> Result<Output, ApiError>;

const IMPLEMENTED: &[(&str, Operation)] = &[
    ("GetMetricData", get_metric_data::answer),
    ("GetMetricStatistics", get_metric_statistics::answer),
    ("ListMetrics", list_metrics::answer),
];

/// Source: the service model (2010-08-01) of botocore 1.44.5.
const OTHERS: &[&str] = &[
    "AssociateDatasetKmsKey",
    "CreateResourceMetricsConfiguration",
    "DeleteAlarmMuteRule",
    "DeleteAlarms",
    "DeleteAnomalyDetector",
    "DeleteDashboards",
    "DeleteInsightRules",
    "DeleteMetricDataQueryDefinition",
    "DeleteMetricStream",
    "DeleteResourceMetricsConfiguration",
    "DescribeAlarmContributors",
    "DescribeAlarmHistory",
    "DescribeAlarms",
    "DescribeAlarmsForMetric",
    "DescribeAnomalyDetectors",
    "DescribeInsightRules",
    "DisableAlarmActions",
    "DisableInsightRules",
    "DisassociateDatasetKmsKey",
    "EnableAlarmActions",
    "EnableInsightRules",
    "GetAlarmMuteRule",
    "GetDashboard",
    "GetDataset",
    "GetInsightRuleReport",
    "GetMetricDataQueryDefinition",
    "GetMetricStream",
    "GetMetricWidgetImage",
    "GetOTelEnrichment",
    "GetResourceMetricsConfiguration",
    "ListAlarmMuteRules",
    "ListDashboards",
    "ListManagedInsightRules",
    "ListMetricDataQueryDefinitions",
    "ListMetricStreams",
    "ListTagsForResource",
    "PutAlarmMuteRule",
    "PutAnomalyDetector",
    "PutCompositeAlarm",
    "PutDashboard",
    "PutInsightRule",
    "PutLogAlarm",
    "PutManagedInsightRules",
    "PutMetricAlarm",
    "PutMetricData",
    "PutMetricDataQueryDefinition",
    "PutMetricStream",
    "SetAlarmState",
    "StartMetricStreams",
    "StartOTelEnrichment",
    "StopMetricStreams",
    "StopOTelEnrichment",
    "TagResource",
    "UntagResource",
    "UpdateOTelEnrichment",
    "UpdateResourceMetricsConfiguration",
];

/// Finds an operation by its name.
pub(crate) fn find(name: &str) -> Result<Operation, ApiError> {
    let found = IMPLEMENTED.iter().find(|(known, _)| *known == name);
    match found {
        Some((_, operation)) => Ok(*operation),
        None if OTHERS.contains(&name) => {
            Err(ApiError::not_implemented(&format!("the operation {name} of CloudWatch")))
        }
        None => Err(ApiError::unknown_operation(&plain(name))),
    }
}

/// What can be repeated: other characters are left out.
pub(crate) fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_model_is_answered_or_named() {
        assert_eq!(IMPLEMENTED.len() + OTHERS.len(), 59);
        assert!(OTHERS.iter().all(|name| IMPLEMENTED.iter().all(|(known, _)| known != name)));
        assert!(find("GetMetricData").is_ok());
        assert_eq!(find("PutMetricData").unwrap_err().status, 501);
        assert_eq!(find("Nonsense").unwrap_err().code, "InvalidAction");
    }
}
