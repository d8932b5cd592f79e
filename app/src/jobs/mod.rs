//! Work that a request asks for and need not do itself: making the renditions of a version.
//!
//! [`JobQueue`] has two backends: `inline` (done before `submit` returns) and `sqs` (done by `worker`, in a process started
//! with `photo-app work`). Every job is safe to run twice, because a queue delivers at least once.

pub mod conformance;
pub mod inline;
pub mod renditions;
pub mod sqs;
pub mod worker;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::{PhotoId, VersionId};

/// One piece of work, as it travels through the queue (JSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case", deny_unknown_fields)]
pub enum Job {
    /// Make and store all renditions of a version, then mark it ready.
    RenderVersion {
        /// The photo.
        photo: PhotoId,
        /// The version.
        version: VersionId,
    },
}

/// What happens to jobs where they are done, for the telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEvent {
    /// A job was taken from the queue.
    Taken {
        /// How long it waited there, where the queue says when it came.
        waited: Option<Duration>,
    },
    /// It was done.
    Done {
        /// How long it took.
        took: Duration,
    },
    /// The picture cannot be rendered, or the job is given back.
    Failed {
        /// How long that took.
        took: Duration,
    },
}

/// What went wrong while handing over a job.
#[derive(Debug, thiserror::Error)]
#[error("the job queue could not {verb}")]
pub struct JobError {
    /// submit, receive, delete, ping, run.
    pub verb: &'static str,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Hands over jobs.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Returns once the job is done (`inline`) or safely queued (`sqs`).
    async fn submit(&self, job: &Job) -> Result<(), JobError>;
    /// (waiting, being worked on); inline: always zero.
    async fn depth(&self) -> Result<(u64, u64), JobError>;
    /// Answers when the backend does.
    async fn ping(&self) -> Result<(), JobError>;
}
