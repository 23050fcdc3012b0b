//! Publish of SNS, in its query protocol.

use bytes::Bytes;
use hearth_invoke::{DeliveryError, DeliveryRecord};
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{attributes, text, undelivered};
use hearth_aws_client::{Asked, Endpoint};

/// What a value may contain without being escaped.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Publishes a message to a topic.
pub(crate) async fn publish(
    endpoint: &Endpoint,
    delivery: &DeliveryRecord,
    now_ms: i64,
) -> Result<(), DeliveryError> {
    let asked = Asked {
        service: "sns",
        method: Method::POST,
        path: "/",
        content_type: "application/x-www-form-urlencoded; charset=utf-8",
        headers: &[],
        body: Bytes::from(form(delivery)?),
    };
    endpoint.ask(asked, now_ms).await.map_err(undelivered)?;
    Ok(())
}

fn form(delivery: &DeliveryRecord) -> Result<String, DeliveryError> {
    let mut form = "Action=Publish&Version=2010-03-31".to_owned();
    let mut add = |name: &str, value: &str| {
        form.push_str(&format!("&{name}={}", utf8_percent_encode(value, VALUE)));
    };
    add("TopicArn", &delivery.destination);
    add("Message", text(delivery)?);
    for (number, (name, data_type, value)) in (1..).zip(attributes(delivery)) {
        let entry = format!("MessageAttributes.entry.{number}");
        add(&format!("{entry}.Name"), name);
        add(&format!("{entry}.Value.DataType"), data_type);
        add(&format!("{entry}.Value.StringValue"), &value);
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    use hearth_invoke::DeadLetterRecord;

    use super::*;

    #[test]
    fn a_dead_letter_takes_its_attributes_along() {
        let delivery = DeliveryRecord {
            request_id: "r".to_owned(),
            function_arn: String::new(),
            destination: "arn:aws:sns:us-east-1:000000000000:t".to_owned(),
            condition: "RetriesExhausted".to_owned(),
            ended_ms: 0,
            dead_letter: Some(DeadLetterRecord { error_code: 200, error_message: "a & b".to_owned() }),
            message: Bytes::from_static("{\"é\":1}".as_bytes()),
            due_ms: 0,
            backoffs: 0,
        };
        expect_test::expect![[r"
            Action=Publish
            Version=2010-03-31
            TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A000000000000%3At
            Message=%7B%22%C3%A9%22%3A1%7D
            MessageAttributes.entry.1.Name=RequestID
            MessageAttributes.entry.1.Value.DataType=String
            MessageAttributes.entry.1.Value.StringValue=r
            MessageAttributes.entry.2.Name=ErrorCode
            MessageAttributes.entry.2.Value.DataType=Number
            MessageAttributes.entry.2.Value.StringValue=200
            MessageAttributes.entry.3.Name=ErrorMessage
            MessageAttributes.entry.3.Value.DataType=String
            MessageAttributes.entry.3.Value.StringValue=a%20%26%20b
        "]]
        .assert_eq(&(form(&delivery).unwrap().replace('&', "\n") + "\n"));
    }
}
