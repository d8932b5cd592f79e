//! The job queue of production: SQS, through its own client. `submit` returns once the queue has the job; `worker` does it.
//!
//! A message is deleted after its job is done, never before: a worker that dies leaves it to the next one. What fails again and
//! again ends in the dead-letter queue that the queue's redrive policy names.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
};

use super::{Job, JobError, JobQueue};
use crate::aws::{CallLimits, sdk_config};

/// The service's limit for one call.
pub const BATCH_MAX: usize = 10;

/// A queue in SQS.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    /// For calls that answer at once.
    client: Client,
    /// For receives, which wait on purpose.
    poller: Client,
    queue_url: String,
}

/// A message as a worker gets it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message's text.
    pub body: String,
    /// Names this delivery; needed to extend or delete it.
    pub receipt: String,
    /// How often the message was given out, this time included.
    pub receive_count: u32,
    /// When it was sent, as Unix time in milliseconds.
    pub sent_at_ms: Option<i64>,
}

impl Delivery {
    /// The job in it.
    pub fn job(&self) -> Result<Job, serde_json::Error> {
        serde_json::from_str(&self.body)
    }
}

impl SqsQueue {
    /// Connects to an endpoint of ours, or to AWS (`None`).
    pub async fn connect(endpoint: Option<&str>, queue_url: &str) -> Result<Self, JobError> {
        let client = |limits| async move {
            let config = sdk_config(endpoint, limits).await;
            let config =
                config.map_err(|error| JobError { verb: "connect", source: error.into() })?;
            Ok::<_, JobError>(Client::from_conf(Builder::from(&config).build()))
        };
        Ok(Self {
            client: client(CallLimits::SMALL).await?,
            poller: client(CallLimits::LARGE).await?,
            queue_url: queue_url.to_owned(),
        })
    }

    /// Up to `limit` messages (at most [`BATCH_MAX`]), waiting up to `wait` for the first; each stays hidden from others
    /// for `visibility` (whole seconds).
    pub async fn receive(
        &self,
        limit: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, JobError> {
        let request = self
            .poller
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(limit.clamp(1, BATCH_MAX) as i32)
            .wait_time_seconds(wait.as_secs() as i32)
            .visibility_timeout(visibility.as_secs() as i32)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
        let answer = request.send().await.map_err(failed("receive"))?;
        let delivery = |message: aws_sdk_sqs::types::Message| {
            let known = message.attributes.unwrap_or_default();
            let number = |name| known.get(&name)?.parse::<i64>().ok();
            let count = number(MessageSystemAttributeName::ApproximateReceiveCount);
            Some(Delivery {
                receive_count: count.and_then(|count| count.try_into().ok()).unwrap_or(1),
                sent_at_ms: number(MessageSystemAttributeName::SentTimestamp),
                body: message.body?,
                receipt: message.receipt_handle?,
            })
        };
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(delivery).collect())
    }

    /// Keeps a message hidden for another `visibility` from now; zero gives it back at once.
    pub async fn extend(&self, receipt: &str, visibility: Duration) -> Result<(), JobError> {
        let request = self
            .client
            .change_message_visibility()
            .queue_url(&self.queue_url)
            .receipt_handle(receipt)
            .visibility_timeout(visibility.as_secs() as i32);
        request.send().await.map(|_| ()).map_err(failed("extend"))
    }

    /// Removes finished messages, ten a call. Returns how many the service refused; they will be delivered again.
    pub async fn delete(&self, receipts: &[String]) -> Result<usize, JobError> {
        let mut refused = 0;
        for batch in receipts.chunks(BATCH_MAX) {
            let entries = batch.iter().enumerate().map(|(index, receipt)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                entry.receipt_handle(receipt).build()
            });
            let entries: Result<Vec<_>, _> = entries.collect();
            let request = self
                .client
                .delete_message_batch()
                .queue_url(&self.queue_url)
                .set_entries(Some(entries.map_err(failed("delete"))?));
            let answer = request.send().await.map_err(failed("delete"))?;
            refused += answer.failed.len();
        }
        Ok(refused)
    }
}

fn failed<E>(verb: &'static str) -> impl FnOnce(E) -> JobError
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |error| JobError { verb, source: Box::new(error) }
}

#[async_trait]
impl JobQueue for SqsQueue {
    async fn submit(&self, job: &Job) -> Result<(), JobError> {
        let body = serde_json::to_string(job).map_err(failed("submit"))?;
        let request = self.client.send_message().queue_url(&self.queue_url).message_body(body);
        request.send().await.map(|_| ()).map_err(failed("submit"))
    }

    async fn depth(&self) -> Result<(u64, u64), JobError> {
        let (waiting, working) = (
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        );
        let request = self
            .client
            .get_queue_attributes()
            .queue_url(&self.queue_url)
            .attribute_names(waiting.clone())
            .attribute_names(working.clone());
        let answer = request.send().await.map_err(failed("count"))?;
        let known = answer.attributes.unwrap_or_default();
        let number = |name| known.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok((number(&waiting), number(&working)))
    }

    async fn ping(&self) -> Result<(), JobError> {
        self.depth().await.map(|_| ())
    }
}
