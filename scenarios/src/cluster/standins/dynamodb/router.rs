//! The router's front: one request in, the node or nodes that must answer it, one answer out.
//!
//! Reads of one key go straight through, byte for byte. Writes hold their partition keys while they run (`locks`). Tables
//! exist on every node. What cannot be answered by partition (secondary indexes, PartiQL, streams) is refused by name.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router as Service;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::get;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::sync::RwLock;

use super::super::INFO_PATH;
use super::answers::Answer;
use super::locks::KeyLocks;
use super::nodes::Nodes;
use super::requests::{KeySchema, query_partition};
use super::transactions::Token;
use super::{batches, scans, transactions};

/// DynamoDB takes bodies up to 16 MB.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// DynamoDB remembers the token of a transaction for ten minutes.
const TOKEN_LIFETIME: Duration = Duration::from_secs(600);
/// Transactions over several nodes that are remembered at once.
const TOKENS_MAX: u64 = 100_000;

/// Everything the router knows; the data is on the nodes.
pub(super) struct Router {
    pub nodes: Nodes,
    pub locks: KeyLocks,
    /// Transactions over several nodes, by the client's token.
    pub tokens: moka::future::Cache<String, Token>,
    schemas: RwLock<HashMap<String, KeySchema>>,
}

/// A request as it came.
#[derive(Clone)]
pub(super) struct Asked {
    pub operation: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub value: Value,
}

pub(super) fn service(nodes: Vec<SocketAddr>) -> Service {
    let tokens = moka::future::Cache::builder();
    let router = Router {
        nodes: Nodes::new(nodes),
        locks: KeyLocks::new(),
        tokens: tokens.max_capacity(TOKENS_MAX).time_to_live(TOKEN_LIFETIME).build(),
        schemas: RwLock::default(),
    };
    Service::new()
        .route("/", get(async || "healthy: partition router\n").post(handle))
        .route(INFO_PATH, get(info))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::new(router))
}

async fn info(State(router): State<Arc<Router>>) -> axum::Json<Value> {
    axum::Json(router.nodes.counters.json())
}

async fn handle(State(router): State<Arc<Router>>, headers: HeaderMap, body: Bytes) -> Answer {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let Some(operation) = target.and_then(|target| target.strip_prefix("DynamoDB_20120810."))
    else {
        return Answer::unknown_operation(target.unwrap_or("a request without X-Amz-Target"));
    };
    router.nodes.counters.operation(operation);
    let Ok(value) = serde_json::from_slice::<Value>(&body) else {
        return Answer::refused("the body is not JSON");
    };
    let asked = Asked { operation: operation.to_owned(), headers, body, value };
    router.dispatch(asked).await
}

impl Router {
    async fn dispatch(self: &Arc<Self>, asked: Asked) -> Answer {
        match asked.operation.as_str() {
            "GetItem" => self.one_item(&asked, "Key", false).await,
            "PutItem" => self.one_item(&asked, "Item", true).await,
            "UpdateItem" | "DeleteItem" => self.one_item(&asked, "Key", true).await,
            "Query" => self.query(&asked).await,
            "BatchGetItem" => batches::get(self, &asked).await,
            "BatchWriteItem" => batches::write(self, &asked).await,
            "TransactGetItems" => transactions::get(self, &asked).await,
            "TransactWriteItems" => transactions::write(self, &asked).await,
            "Scan" => scans::scan(self, &asked).await,
            "CreateTable" | "DeleteTable" | "UpdateTable" | "UpdateTimeToLive" => {
                self.everywhere(&asked).await
            }
            "DescribeTable" | "ListTables" | "DescribeTimeToLive" => self.forward(0, &asked).await,
            operation => Answer::unknown_operation(operation),
        }
    }

    /// Sends the request as it came.
    pub async fn forward(&self, node: usize, asked: &Asked) -> Answer {
        self.nodes.call(node, &asked.operation, &asked.headers, asked.body.clone()).await
    }

    /// Sends a part of the request under another operation or with another body.
    pub async fn call(&self, node: usize, operation: &str, asked: &Asked, body: &Value) -> Answer {
        self.nodes.call(node, operation, &asked.headers, Bytes::from(body.to_string())).await
    }

    async fn one_item(&self, asked: &Asked, field: &str, writes: bool) -> Answer {
        let table = asked.value["TableName"].as_str().unwrap_or_default();
        let schema = match self.schema(table, asked).await {
            Ok(schema) => schema,
            Err(answer) => return answer,
        };
        let Some(partition) = schema.partition(table, &asked.value[field]) else {
            return Answer::refused(&format!("{field} lacks the partition key {}", schema.hash));
        };
        let _held = match writes {
            true => self.locks.shared(&[partition]).await,
            false => Vec::new(),
        };
        self.forward(self.nodes.owner(partition), asked).await
    }

    async fn query(&self, asked: &Asked) -> Answer {
        let table = asked.value["TableName"].as_str().unwrap_or_default();
        let schema = match self.schema(table, asked).await {
            Ok(schema) => schema,
            Err(answer) => return answer,
        };
        if asked.value.get("IndexName").is_some_and(|index| !index.is_null()) {
            return Answer::refused("secondary indexes cannot be spread over partitions");
        }
        match query_partition(&schema, table, &asked.value) {
            Some(partition) => self.forward(self.nodes.owner(partition), asked).await,
            None => Answer::refused(&format!("the query names no `{} = :value`", schema.hash)),
        }
    }

    /// The same request on every node; the first refusal, or else the first node's answer.
    async fn everywhere(&self, asked: &Asked) -> Answer {
        let table = asked.value["TableName"].as_str().unwrap_or_default();
        self.schemas.write().await.remove(table);
        let all = (0..self.nodes.count()).map(|node| self.forward(node, asked));
        let mut answers = futures_util::future::join_all(all).await;
        let refusal = answers.iter().position(|answer| !answer.is_success());
        answers.swap_remove(refusal.unwrap_or(0))
    }

    /// The key attributes of a table, asked from the first node once. The error is the answer for the client.
    pub async fn schema(&self, table: &str, asked: &Asked) -> Result<KeySchema, Answer> {
        if let Some(schema) = self.schemas.read().await.get(table) {
            return Ok(schema.clone());
        }
        let answer = self.call(0, "DescribeTable", asked, &json!({ "TableName": table })).await;
        if !answer.is_success() {
            return Err(answer);
        }
        let schema = KeySchema::from_description(&answer.value());
        let schema =
            schema.ok_or_else(|| Answer::failed("a node described a table without keys"))?;
        self.schemas.write().await.insert(table.to_owned(), schema.clone());
        Ok(schema)
    }
}
