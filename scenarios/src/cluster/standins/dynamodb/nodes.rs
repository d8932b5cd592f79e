//! The connections to the database nodes: which node owns a key, and sending it a request.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::answers::Answer;
use super::counters::Counters;

/// A node on the same machine accepts at once or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A node that has not answered by then counts as dead; the SDK gives one attempt 2 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections kept open per node.
const IDLE_CONNECTIONS_MAX: usize = 128;
/// Headers of a client's request that a node needs to see; it checks that a signature is there, not which.
const FORWARDED: [HeaderName; 4] = [
    http::header::AUTHORIZATION,
    http::header::CONTENT_TYPE,
    HeaderName::from_static("x-amz-date"),
    HeaderName::from_static("x-amz-security-token"),
];
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// The nodes in their order, which decides who owns what.
pub(super) struct Nodes {
    addresses: Vec<SocketAddr>,
    client: Client<HttpConnector, Full<Bytes>>,
    pub counters: Counters,
}

impl Nodes {
    pub fn new(addresses: Vec<SocketAddr>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(connector);
        let counters = Counters::new(&addresses);
        Self { addresses, client, counters }
    }

    pub fn count(&self) -> usize {
        self.addresses.len()
    }

    /// The node that owns the partition with this hash. The finalizer of splitmix64 keeps nodes even for similar keys.
    pub fn owner(&self, hash: u64) -> usize {
        let mut mixed = hash ^ (hash >> 30);
        mixed = mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % self.addresses.len() as u64) as usize
    }

    /// Sends `body` to a node as `operation`, signed as the client's request was.
    /// A node that does not answer yields the answer of a service that failed.
    pub async fn call(
        &self,
        node: usize,
        operation: &str,
        client: &HeaderMap,
        body: Bytes,
    ) -> Answer {
        self.counters.call(node, operation);
        match tokio::time::timeout(ANSWER_TIMEOUT, self.send(node, operation, client, body)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => self.unanswered(node, &format!("{error:#}")),
            Err(_) => self.unanswered(node, &format!("no answer within {ANSWER_TIMEOUT:?}")),
        }
    }

    fn unanswered(&self, node: usize, why: &str) -> Answer {
        self.counters.unanswered(node);
        Answer::failed(&format!("database node {}: {why}", self.addresses[node]))
    }

    async fn send(
        &self,
        node: usize,
        operation: &str,
        client: &HeaderMap,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let uri = format!("http://{}/", self.addresses[node]);
        let mut request = Request::builder().method(Method::POST).uri(uri).body(Full::new(body))?;
        let headers = request.headers_mut();
        for name in FORWARDED {
            if let Some(value) = client.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        let target = HeaderValue::try_from(format!("DynamoDB_20120810.{operation}"))?;
        headers.insert(TARGET, target);
        let (head, body) = self.client.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer::forwarded(head.status, &head.headers, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_keys_spread_evenly() {
        let nodes = Nodes::new((1..=8).map(|port| ([127, 0, 0, 1], port).into()).collect());
        let mut counts = [0_u32; 8];
        for number in 0..8_000 {
            let hash = super::super::requests::hash("photos", &format!("user#{number:013}"));
            counts[nodes.owner(hash)] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }
}
