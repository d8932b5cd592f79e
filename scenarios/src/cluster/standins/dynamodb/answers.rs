//! What goes back to a client: a node's answer as it came, or one of the router's own, with the headers DynamoDB sends.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::{Value, json};

const JSON: &str = "application/x-amz-json-1.0";
const NAMESPACE: &str = "com.amazonaws.dynamodb.v20120810";
/// Headers of a node's answer that are true for a forwarded answer as well.
const FORWARDED: [HeaderName; 3] = [
    CONTENT_TYPE,
    HeaderName::from_static("x-amz-crc32"),
    HeaderName::from_static("x-amzn-requestid"),
];

/// Status, headers and body of an answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub status: StatusCode,
    headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A node's answer, without the headers that belong to its connection.
    pub fn forwarded(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        let mut kept = HeaderMap::with_capacity(FORWARDED.len());
        for name in FORWARDED {
            if let Some(value) = headers.get(&name) {
                kept.insert(name, value.clone());
            }
        }
        Self { status, headers: kept, body }
    }

    /// An answer of the router's own making; the checksum is that of its body.
    pub fn json(status: StatusCode, value: &Value) -> Self {
        let body = Bytes::from(value.to_string());
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        let checksum = HeaderValue::from(crc32fast::hash(&body));
        headers.insert(HeaderName::from_static("x-amz-crc32"), checksum);
        Self { status, headers, body }
    }

    /// What the joined parts of a request amount to.
    pub fn joined(value: &Value) -> Self {
        Self::json(StatusCode::OK, value)
    }

    /// The request cannot be routed as it is.
    pub fn refused(message: &str) -> Self {
        let value = json!({ "__type": "com.amazon.coral.validate#ValidationException", "message": message });
        Self::json(StatusCode::BAD_REQUEST, &value)
    }

    /// The service asked for is not in the house.
    pub fn unknown_operation(operation: &str) -> Self {
        let message = format!("{operation} cannot be spread over partitions");
        let value = json!({ "__type": "com.amazon.coral.service#UnknownOperationException", "message": message });
        Self::json(StatusCode::BAD_REQUEST, &value)
    }

    /// A node does not answer: the client may try again.
    pub fn failed(message: &str) -> Self {
        let value =
            json!({ "__type": format!("{NAMESPACE}#InternalServerError"), "message": message });
        Self::json(StatusCode::INTERNAL_SERVER_ERROR, &value)
    }

    /// The same token with other content.
    pub fn token_mismatch() -> Self {
        let message = "The request token was used before with different parameters";
        let kind = format!("{NAMESPACE}#IdempotentParameterMismatchException");
        Self::json(StatusCode::BAD_REQUEST, &json!({ "__type": kind, "message": message }))
    }

    /// A transaction whose conditions did not all hold; one reason per action, in the request's order.
    pub fn cancelled(reasons: &[Value]) -> Self {
        let codes: Vec<&str> =
            reasons.iter().map(|reason| reason["Code"].as_str().unwrap_or("None")).collect();
        let message = format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        );
        let value = json!({
            "__type": format!("{NAMESPACE}#TransactionCanceledException"),
            "Message": message,
            "CancellationReasons": reasons,
        });
        Self::json(StatusCode::BAD_REQUEST, &value)
    }

    /// Whether it says that the request was carried out.
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The body as JSON; null when it is none.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
