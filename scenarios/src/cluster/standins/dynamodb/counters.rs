//! What the router has done, for `GET /__lightmeter/info.json`: calls per operation and per node, so that skew is visible.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use serde::Serialize;

/// Counts of one node.
#[derive(Debug, Clone, Serialize)]
struct NodeCounts {
    address: String,
    /// Requests sent to it, by operation; a batch or transaction over several nodes counts on each.
    calls: BTreeMap<String, u64>,
    /// Requests it did not answer.
    unanswered: u64,
}

#[derive(Debug, Serialize)]
struct Counts {
    role: &'static str,
    /// Requests of clients, by operation.
    operations: BTreeMap<String, u64>,
    nodes: Vec<NodeCounts>,
    transactions: Transactions,
}

/// Write transactions by how they ended.
#[derive(Debug, Default, Serialize)]
struct Transactions {
    on_one_node: u64,
    across_nodes: u64,
    across_nodes_refused: u64,
}

/// How a write transaction was carried out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Transacted {
    OnOneNode,
    AcrossNodes,
    AcrossNodesRefused,
}

/// The counters of one router.
pub(super) struct Counters(Mutex<Counts>);

impl Counters {
    pub fn new(nodes: &[SocketAddr]) -> Self {
        let fresh = |address: &SocketAddr| NodeCounts {
            address: address.to_string(),
            calls: BTreeMap::new(),
            unanswered: 0,
        };
        Self(Mutex::new(Counts {
            role: "dynamodb",
            operations: BTreeMap::new(),
            nodes: nodes.iter().map(fresh).collect(),
            transactions: Transactions::default(),
        }))
    }

    pub fn operation(&self, operation: &str) {
        add(&mut self.counts().operations, operation);
    }

    pub fn call(&self, node: usize, operation: &str) {
        add(&mut self.counts().nodes[node].calls, operation);
    }

    pub fn unanswered(&self, node: usize) {
        self.counts().nodes[node].unanswered += 1;
    }

    pub fn transaction(&self, how: Transacted) {
        let mut counts = self.counts();
        match how {
            Transacted::OnOneNode => counts.transactions.on_one_node += 1,
            Transacted::AcrossNodes => counts.transactions.across_nodes += 1,
            Transacted::AcrossNodesRefused => counts.transactions.across_nodes_refused += 1,
        }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::to_value(&*self.counts()).expect("counters are plain data")
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Without a new string for a name that is there already.
fn add(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}
