//! A router and its nodes inside the test's process, on free ports, and clients for them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lightmeter::cluster::standins::dynamodb::{serve_node, serve_router};
use photo_app::aws::{CallLimits, sdk_config};
use photo_app::store::dynamodb::DynamodbStore;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// A router and its nodes; all end with the value.
pub struct Partitions {
    pub router: SocketAddr,
    serving: JoinHandle<anyhow::Result<()>>,
    nodes: Vec<Option<Runtime>>,
}

async fn free_port() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind a free port");
    let address = listener.local_addr().expect("the listener is bound");
    (listener, address)
}

impl Partitions {
    /// Each node gets a runtime of its own, so that stopping it closes its connections, as the end of a process would.
    pub async fn start(count: usize) -> Self {
        let (mut nodes, mut addresses) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let node = builder.worker_threads(1).enable_all().build().expect("a runtime");
            let (address, bound) = tokio::sync::oneshot::channel();
            node.spawn(async move {
                let (listener, listening) = free_port().await;
                address.send(listening).expect("the test waits for the address");
                serve_node(listener).await
            });
            addresses.push(bound.await.expect("the node listens"));
            nodes.push(Some(node));
        }
        let (listener, router) = free_port().await;
        let serving = tokio::spawn(serve_router(listener, addresses));
        Self { router, serving, nodes }
    }

    /// Ends a node for good.
    pub async fn stop_node(&mut self, node: usize) {
        let runtime = self.nodes[node].take().expect("a node ends once");
        runtime.shutdown_background();
    }

    /// A store with a fresh table.
    pub async fn store(&self, table: &str) -> DynamodbStore {
        let endpoint = format!("http://{}", self.router);
        let store = DynamodbStore::connect(Some(&endpoint), table).await.expect("connect");
        store.create_table().await.expect("create the table");
        store
    }

    /// The SDK's client itself.
    pub async fn client(&self) -> Client {
        let endpoint = format!("http://{}", self.router);
        let config = sdk_config(Some(&endpoint), CallLimits::SMALL).await;
        Client::new(&config.expect("the endpoint is sound"))
    }

    /// The router's counters.
    pub async fn info(&self) -> serde_json::Value {
        let client: HttpClient<HttpConnector, Full<bytes::Bytes>> =
            HttpClient::builder(TokioExecutor::new()).build_http();
        let uri = format!("http://{}/__lightmeter/info.json", self.router);
        let answer = client.get(uri.parse().expect("a URL")).await.expect("the router answers");
        let body = answer.into_body().collect().await.expect("a whole body").to_bytes();
        serde_json::from_slice(&body).expect("the counters are JSON")
    }

    /// The item whose partition starts with `pk` and whose sort key is `sk`.
    pub async fn find(&self, table: &str, pk: &str, sk: &str) -> HashMap<String, AttributeValue> {
        let scan = self.client().await.scan().table_name(table);
        let items = scan.into_paginator().items().send();
        let items = items.collect::<Result<Vec<_>, _>>().await.expect("scan the table");
        let is_it = |item: &HashMap<String, AttributeValue>| {
            let of = |name: &str| item[name].as_s().cloned().unwrap_or_default();
            of("pk").starts_with(pk) && of("sk") == sk
        };
        items.into_iter().find(is_it).expect("the item is there")
    }
}

impl Drop for Partitions {
    fn drop(&mut self) {
        self.serving.abort();
        for node in self.nodes.iter_mut().filter_map(Option::take) {
            node.shutdown_background();
        }
    }
}

/// A string attribute.
pub fn string(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A number attribute.
pub fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A server in front of the router that refuses the first `refusals` requests as DynamoDB does above its capacity, and
/// passes the others on. Returns its address and how many it refused.
pub async fn throttling_server(router: SocketAddr, refusals: u32) -> (SocketAddr, Arc<AtomicU32>) {
    let refused = Arc::new(AtomicU32::new(0));
    let count = refused.clone();
    let client: HttpClient<HttpConnector, Full<bytes::Bytes>> =
        HttpClient::builder(TokioExecutor::new()).build_http();
    let handle = async move |headers: HeaderMap, body: bytes::Bytes| -> Response {
        let room = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |so_far| {
            (so_far < refusals).then_some(so_far + 1)
        });
        if room.is_ok() {
            let kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
            let body = serde_json::json!({ "__type": kind, "message": "slow down" }).to_string();
            return (StatusCode::BAD_REQUEST, body).into_response();
        }
        let mut request = Request::post(format!("http://{router}/"));
        *request.headers_mut().expect("a sound request") = headers;
        let request = request.body(Full::new(body)).expect("a sound request");
        let (head, body) = client.request(request).await.expect("the router answers").into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        (head.status, body).into_response()
    };
    let (listener, address) = free_port().await;
    let service = axum::Router::new().route("/", axum::routing::post(handle));
    tokio::spawn(async move { axum::serve(listener, service).await });
    (address, refused)
}
