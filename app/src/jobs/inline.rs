//! No queue: the request that asks for renditions waits until they are made. The "before" of the imaging experiment.
//!
//! The work runs in a task of its own, so that a browser that hangs up does not leave a half-made version behind.

use std::sync::Arc;

use async_trait::async_trait;

use super::renditions::{RenderOutcome, Renderer};
use super::{Job, JobError, JobQueue};

/// Does each job before `submit` returns.
pub struct InlineQueue {
    renderer: Arc<Renderer>,
}

impl InlineQueue {
    /// Works with this renderer.
    pub fn new(renderer: impl Into<Arc<Renderer>>) -> Self {
        Self { renderer: renderer.into() }
    }
}

#[async_trait]
impl JobQueue for InlineQueue {
    async fn submit(&self, job: &Job) -> Result<(), JobError> {
        let (renderer, job) = (Arc::clone(&self.renderer), job.clone());
        let work = tokio::spawn(async move { renderer.run(&job).await });
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| JobError { verb: "run", source };
        match work.await {
            // Whoever waits learns why: the page says it to the person who sent the picture.
            Ok(Ok(RenderOutcome::Failed(Some(reason)))) => Err(failed(reason.into())),
            Ok(Ok(_outcome)) => Ok(()),
            Ok(Err(error)) => Err(failed(error.into())),
            Err(error) => Err(failed(error.into())),
        }
    }

    async fn depth(&self) -> Result<(u64, u64), JobError> {
        Ok((0, 0))
    }

    async fn ping(&self) -> Result<(), JobError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::local::LocalAssets;
    use crate::jobs::conformance::{self, Uploads};
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn keeps_every_promise() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let assets = LocalAssets::open(folder.path(), "/assets").expect("it can be opened");
        let uploads = Uploads::new(Arc::new(MemoryStore::new()), Arc::new(assets)).await;
        conformance::check_all(uploads, |renderer| async {
            Arc::new(InlineQueue::new(renderer)) as Arc<dyn JobQueue>
        })
        .await;
    }
}
