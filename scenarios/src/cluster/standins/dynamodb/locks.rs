//! Locks on partition keys: they make a transaction over several nodes one step for every other writer.
//!
//! Writers of one node hold their keys shared, because the node itself keeps them apart; a transaction over several nodes
//! holds its keys alone, from the first check to the last write. Keys share [`STRIPES`] locks by their hash, and everybody
//! takes them in ascending order, so that nobody waits in a circle.

use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Two of 100 keys in flight share one of 4,096 locks by chance more often than not; they then wait for each other, which
/// costs time only.
const STRIPES: usize = 4_096;

/// The locks of one router.
pub(super) struct KeyLocks(Vec<Arc<RwLock<()>>>);

impl KeyLocks {
    pub fn new() -> Self {
        Self((0..STRIPES).map(|_| Arc::default()).collect())
    }

    /// Together with other writers of single nodes.
    pub async fn shared(&self, keys: &[u64]) -> Vec<OwnedRwLockReadGuard<()>> {
        let mut guards = Vec::with_capacity(keys.len());
        for stripe in stripes(keys) {
            guards.push(self.0[stripe].clone().read_owned().await);
        }
        guards
    }

    /// Alone.
    pub async fn alone(&self, keys: &[u64]) -> Vec<OwnedRwLockWriteGuard<()>> {
        let mut guards = Vec::with_capacity(keys.len());
        for stripe in stripes(keys) {
            guards.push(self.0[stripe].clone().write_owned().await);
        }
        guards
    }
}

/// Ascending, each once.
fn stripes(keys: &[u64]) -> Vec<usize> {
    let mut stripes: Vec<usize> = keys.iter().map(|key| (key % STRIPES as u64) as usize).collect();
    stripes.sort_unstable();
    stripes.dedup();
    stripes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_ascend_and_repeat_nothing() {
        assert_eq!(stripes(&[9, 3, 9 + STRIPES as u64, 3]), [3, 9]);
    }

    #[tokio::test]
    async fn alone_waits_for_shared() {
        let locks = KeyLocks::new();
        let reader = locks.shared(&[1, 2]).await;
        let _another = locks.shared(&[2]).await;
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(20), locks.alone(&[2]));
        assert!(waiting.await.is_err(), "somebody still holds key 2");
        drop(reader);
        let _apart = locks.alone(&[1]).await;
    }
}
