//! What the S3 stand-in was asked, since its start: the figures of `/__lightmeter/info.json`.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was asked, since the start.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) get: AtomicU64,
    pub(super) head: AtomicU64,
    pub(super) put: AtomicU64,
    pub(super) copy: AtomicU64,
    pub(super) delete: AtomicU64,
    pub(super) list: AtomicU64,
    pub(super) not_modified: AtomicU64,
    pub(super) received_bytes: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
}

impl Counters {
    /// As `/__lightmeter/info.json` shows them.
    pub fn to_json(&self, kind: &str) -> serde_json::Value {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        serde_json::json!({
            "standin": kind,
            "pid": std::process::id(),
            "counters": {
                "get": read(&self.get), "head": read(&self.head), "put": read(&self.put),
                "copy": read(&self.copy), "delete": read(&self.delete), "list": read(&self.list),
                "not_modified": read(&self.not_modified),
                "received_bytes": read(&self.received_bytes), "sent_bytes": read(&self.sent_bytes),
            }
        })
    }
}

/// Adds to a counter.
pub(super) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}
