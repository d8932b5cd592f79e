//! The wire format of SQS (AWS JSON 1.0): what requests say, what answers look like, which errors there are.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use s3s::crypto::{Checksum, Md5};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::sqs_queue::{Message, MessageAttribute, Receipt, Received};

/// The only account, as it appears in addresses.
pub(super) const ACCOUNT: &str = "000000000000";
/// The region in names; any region is accepted in signatures.
pub(super) const REGION: &str = "us-east-1";

/// A refusal, as the real service words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The JSON name.
    pub kind: &'static str,
    /// The older name that some clients look for.
    pub query_code: &'static str,
    /// For people.
    pub message: String,
}

impl ApiError {
    pub(super) fn no_queue() -> Self {
        Self {
            kind: "QueueDoesNotExist",
            query_code: "AWS.SimpleQueueService.NonExistentQueue",
            message: "The specified queue does not exist.".to_owned(),
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        let kind = "InvalidParameterValue";
        Self { kind, query_code: kind, message: message.into() }
    }

    pub(super) fn named(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, query_code: kind, message: message.into() }
    }

    pub(super) fn with_code(kind: &'static str, query_code: &'static str, message: &str) -> Self {
        Self { kind, query_code, message: message.to_owned() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({
            "__type": format!("com.amazonaws.sqs#{}", self.kind),
            "message": self.message,
        });
        let mut response = (StatusCode::BAD_REQUEST, Json(body)).into_response();
        let query_error = HeaderValue::try_from(format!("{};Sender", self.query_code));
        if let Ok(value) = query_error {
            response.headers_mut().insert("x-amzn-query-error", value);
        }
        as_amz_json(response)
    }
}

/// Sets the media type that clients of this protocol expect.
pub(super) fn as_amz_json(mut response: Response) -> Response {
    let kind = HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// CreateQueue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateQueue {
    /// Its name.
    pub queue_name: String,
    /// Settings by their names.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// GetQueueUrl.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetQueueUrl {
    /// Its name.
    pub queue_name: String,
}

/// ListQueues.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListQueues {
    /// Only names that begin so.
    #[serde(default)]
    pub queue_name_prefix: String,
}

/// GetQueueAttributes, SetQueueAttributes, PurgeQueue, DeleteQueue: those fields that each needs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OneQueue {
    /// Its address.
    pub queue_url: String,
    /// What is asked for.
    #[serde(default)]
    pub attribute_names: Vec<String>,
    /// What is set.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// SendMessage, or an entry of SendMessageBatch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Send {
    /// Names the entry within its batch.
    #[serde(default)]
    pub id: String,
    /// The queue's address; not in entries.
    #[serde(default)]
    pub queue_url: String,
    /// The body.
    pub message_body: String,
    /// Hidden for so long.
    pub delay_seconds: Option<u32>,
    /// Attached values.
    #[serde(default)]
    pub message_attributes: BTreeMap<String, MessageAttribute>,
}

/// ReceiveMessage.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Receive {
    /// The queue's address.
    pub queue_url: String,
    /// 1 to 10.
    pub max_number_of_messages: Option<u32>,
    /// Hidden for so long; else the queue's setting.
    pub visibility_timeout: Option<u32>,
    /// 0 to 20; else the queue's setting.
    pub wait_time_seconds: Option<u32>,
    /// Which system attributes to tell (older name).
    #[serde(default)]
    pub attribute_names: Vec<String>,
    /// Which system attributes to tell.
    #[serde(default)]
    pub message_system_attribute_names: Vec<String>,
    /// Which attached values to tell.
    #[serde(default)]
    pub message_attribute_names: Vec<String>,
}

/// DeleteMessage and ChangeMessageVisibility, or an entry of their batches.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OneDelivery {
    /// Names the entry within its batch.
    #[serde(default)]
    pub id: String,
    /// The queue's address; not in entries.
    #[serde(default)]
    pub queue_url: String,
    /// Names the delivery.
    pub receipt_handle: String,
    /// The new time; only for ChangeMessageVisibility.
    pub visibility_timeout: Option<u32>,
}

/// Up to ten entries.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", bound = "T: serde::de::DeserializeOwned")]
pub struct Batch<T> {
    /// The queue's address.
    pub queue_url: String,
    /// What to do.
    pub entries: Vec<T>,
}

/// The answer to a batch.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchAnswer {
    /// What was done.
    pub successful: Vec<serde_json::Value>,
    /// What was not.
    pub failed: Vec<serde_json::Value>,
}

impl BatchAnswer {
    /// Adds the outcome of one entry.
    pub(super) fn push(&mut self, id: &str, outcome: Result<serde_json::Value, ApiError>) {
        match outcome {
            Ok(mut value) => {
                value["Id"] = json!(id);
                self.successful.push(value);
            }
            Err(error) => self.failed.push(json!({
                "Id": id, "SenderFault": true, "Code": error.kind, "Message": error.message,
            })),
        }
    }
}

/// A receipt as clients carry it: opaque.
pub(super) fn receipt_text(receipt: Receipt) -> String {
    BASE64.encode(format!("{}/{}", receipt.number, receipt.delivery))
}

pub(super) fn receipt(text: &str) -> Result<Receipt, ApiError> {
    let parse = || {
        let plain = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
        let (number, delivery) = plain.split_once('/')?;
        Some(Receipt { number: number.parse().ok()?, delivery: delivery.parse().ok()? })
    };
    let message = "The input receipt handle is invalid.";
    parse().ok_or_else(|| ApiError::named("ReceiptHandleIsInvalid", message))
}

/// A message's id as clients see it, in the form of a UUID.
pub(super) fn message_id(number: u64) -> String {
    let digits = format!("{number:032x}");
    let part = |range: std::ops::Range<usize>| &digits[range];
    format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}

fn md5_hex(bytes: &[u8]) -> String {
    hex::encode(Md5::checksum(bytes))
}

/// The answer to a send.
pub(super) fn sent(message: &Message) -> serde_json::Value {
    let mut answer = json!({
        "MessageId": message_id(message.number),
        "MD5OfMessageBody": md5_hex(message.body.as_bytes()),
    });
    if !message.attributes.is_empty() {
        answer["MD5OfMessageAttributes"] = json!(attributes_md5(&message.attributes));
    }
    answer
}

/// A received message, with what the request asked to be told.
pub(super) fn received(delivery: &Received, request: &Receive) -> serde_json::Value {
    let message = &delivery.message;
    let mut answer = json!({
        "MessageId": message_id(message.number),
        "ReceiptHandle": receipt_text(delivery.receipt),
        "MD5OfBody": md5_hex(message.body.as_bytes()),
        "Body": message.body,
    });
    let names = request.attribute_names.iter().chain(&request.message_system_attribute_names);
    let names: Vec<&str> = names.map(String::as_str).collect();
    if !names.is_empty() {
        let known = [
            ("ApproximateReceiveCount", message.receive_count.to_string()),
            ("SentTimestamp", message.sent_ms.to_string()),
            (
                "ApproximateFirstReceiveTimestamp",
                message.first_received_ms.unwrap_or_default().to_string(),
            ),
            ("SenderId", ACCOUNT.to_owned()),
        ];
        let asked = |name: &str| names.contains(&"All") || names.contains(&name);
        let told: BTreeMap<_, _> = known.into_iter().filter(|(name, _)| asked(name)).collect();
        answer["Attributes"] = json!(told);
    }
    let wanted = |name: &str| {
        request.message_attribute_names.iter().any(|asked| {
            asked == "All"
                || asked == ".*"
                || asked == name
                || asked.strip_suffix(".*").is_some_and(|start| name.starts_with(start))
        })
    };
    let told: BTreeMap<_, _> = message
        .attributes
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !told.is_empty() {
        answer["MD5OfMessageAttributes"] = json!(attributes_md5(&told));
        answer["MessageAttributes"] = json!(told);
    }
    answer
}

/// The checksum that clients compare: every part with its length in front, names in order.
fn attributes_md5(attributes: &BTreeMap<String, MessageAttribute>) -> String {
    let mut bytes = Vec::new();
    let part = |part: &[u8], bytes: &mut Vec<u8>| {
        bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    for (name, value) in attributes {
        part(name.as_bytes(), &mut bytes);
        part(value.data_type.as_bytes(), &mut bytes);
        if let Some(text) = &value.string_value {
            bytes.push(1);
            part(text.as_bytes(), &mut bytes);
        } else if let Some(binary) = &value.binary_value {
            bytes.push(2);
            part(&BASE64.decode(binary).unwrap_or_default(), &mut bytes);
        }
    }
    md5_hex(&bytes)
}
