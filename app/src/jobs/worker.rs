//! The consumer: takes jobs from the queue, does at most so many at once, and deletes what is done.
//!
//! While a job is worked on its message is kept hidden by a heartbeat, three beats per visibility timeout: a slow picture is not done
//! twice, and a worker that dies is replaced after one timeout. What fails is given back with a growing delay until the queue's redrive policy
//! sends it to the dead letters. Told to stop, the worker takes nothing new, finishes what it has, and returns.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep};
use tokio_util::sync::CancellationToken;

use super::JobEvent;
use super::renditions::{RenderOutcome, Renderer};
use super::sqs::{BATCH_MAX, Delivery, SqsQueue};

/// The longest wait that the service offers: an idle worker asks three times a minute.
const WAIT: Duration = Duration::from_secs(20);
/// Beats per visibility timeout: two may get lost.
pub const BEATS: u32 = 3;
/// A failed job is tried again after 1, 2, 4, ... seconds, at most this.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(60);
/// Pause after the queue did not answer (its client has tried several times by then).
const OUTAGE_PAUSE: Duration = Duration::from_secs(1);

/// Told what happens to each job.
pub type OnEvent = Arc<dyn Fn(JobEvent) + Send + Sync>;

/// Works until `shutdown` is cancelled. `visibility` counts in whole seconds, at least one.
pub async fn run(
    queue: Arc<SqsQueue>,
    renderer: Arc<Renderer>,
    concurrency: usize,
    visibility: Duration,
    shutdown: CancellationToken,
    on_event: OnEvent,
) {
    let visibility = Duration::from_secs(visibility.as_secs().max(1));
    let slots = Arc::new(Semaphore::new(concurrency.max(1)));
    let (done, finished) = unbounded_channel();
    let deleter = tokio::spawn(delete_finished(Arc::clone(&queue), finished));
    let worker = Arc::new(Worker { queue, renderer, visibility, done, on_event });
    let mut tasks = JoinSet::new();
    loop {
        let Some(permits) = free_slots(&slots, &shutdown).await else { break };
        let received = tokio::select! {
            received = worker.queue.receive(permits.len(), WAIT, visibility) => received,
            // What the queue hands out at this very moment comes back after one visibility timeout.
            () = shutdown.cancelled() => break,
        };
        match received {
            Ok(deliveries) => {
                for (delivery, permit) in deliveries.into_iter().zip(permits) {
                    tasks.spawn(Arc::clone(&worker).handle(delivery, permit));
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no jobs received");
                tokio::select! {
                    () = sleep(OUTAGE_PAUSE) => {}
                    () = shutdown.cancelled() => break,
                }
            }
        }
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
    // The last sender goes with the worker: the deleter then ends with the last batch.
    drop(worker);
    if let Err(error) = deleter.await {
        tracing::error!(%error, "finished jobs may be delivered again");
    }
}

/// Waits for a free slot and takes all that are free, up to a batch. None when it is time to stop.
async fn free_slots(
    slots: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<Vec<OwnedSemaphorePermit>> {
    let first = tokio::select! {
        // Stopping goes first, so that a busy worker stops as well.
        biased;
        () = shutdown.cancelled() => return None,
        permit = Arc::clone(slots).acquire_owned() => permit.ok()?,
    };
    let mut permits = vec![first];
    while permits.len() < BATCH_MAX {
        match Arc::clone(slots).try_acquire_owned() {
            Ok(permit) => permits.push(permit),
            Err(_) => break,
        }
    }
    Some(permits)
}

struct Worker {
    queue: Arc<SqsQueue>,
    renderer: Arc<Renderer>,
    visibility: Duration,
    done: UnboundedSender<String>,
    on_event: OnEvent,
}

impl Worker {
    async fn handle(self: Arc<Self>, delivery: Delivery, _slot: OwnedSemaphorePermit) {
        // The queue's clock is another one: a job is never taken before it was sent.
        let since = |sent_at_ms: i64| self.renderer.now_ms().saturating_sub(sent_at_ms).max(0);
        let waited = delivery.sent_at_ms.map(since).map(i64::unsigned_abs);
        (self.on_event)(JobEvent::Taken { waited: waited.map(Duration::from_millis) });
        let begun = Instant::now();
        let outcome = self.work(&delivery).await;
        let took = begun.elapsed();
        match outcome {
            Ok(outcome) => {
                let failed = matches!(outcome, RenderOutcome::Failed(_));
                let event =
                    if failed { JobEvent::Failed { took } } else { JobEvent::Done { took } };
                (self.on_event)(event);
                if self.done.send(delivery.receipt).is_err() {
                    tracing::error!("a finished job is not deleted and will be delivered again");
                }
            }
            Err(error) => {
                let attempt = delivery.receive_count;
                tracing::warn!(error = &*error, attempt, "a job failed and is given back");
                (self.on_event)(JobEvent::Failed { took });
                self.give_back(&delivery).await;
            }
        }
    }

    async fn work(
        &self,
        delivery: &Delivery,
    ) -> Result<RenderOutcome, Box<dyn std::error::Error + Send + Sync>> {
        let job = delivery.job()?;
        let mut work = std::pin::pin!(self.renderer.run(&job));
        let beat = self.visibility / BEATS;
        let mut beats = interval_at(Instant::now() + beat, beat);
        loop {
            tokio::select! {
                outcome = &mut work => return Ok(outcome?),
                _ = beats.tick() => {
                    if let Err(error) = self.queue.extend(&delivery.receipt, self.visibility).await {
                        // The job goes on: done twice is better than not done.
                        tracing::warn!(error = &error as &dyn std::error::Error, "a heartbeat got lost");
                    }
                }
            }
        }
    }

    /// Makes the message visible again after a delay that doubles with each attempt.
    async fn give_back(&self, delivery: &Delivery) {
        let doublings = delivery.receive_count.saturating_sub(1).min(16);
        let delay = Duration::from_secs(1 << doublings).min(RETRY_DELAY_MAX);
        if let Err(error) = self.queue.extend(&delivery.receipt, delay).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a failed job returns late");
        }
    }
}

/// Deletes finished messages in batches: whatever has gathered while the last call was under way.
async fn delete_finished(queue: Arc<SqsQueue>, mut finished: UnboundedReceiver<String>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while finished.recv_many(&mut batch, BATCH_MAX).await > 0 {
        match queue.delete(&batch).await {
            Ok(0) => {}
            Ok(refused) => tracing::warn!(refused, "finished jobs will be delivered again"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "finished jobs will be delivered again");
            }
        }
        batch.clear();
    }
}
