//! All queues of the SQS stand-in behind one lock, and the log that lets them survive a restart.
//!
//! Each verb checks its request, changes one `sqs_queue` and appends what changed to the log before it answers. Waiting is left to `sqs`.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::sqs_api::{
    ACCOUNT, ApiError, OneDelivery, REGION, Receive, Send, receipt, received, sent,
};
use super::sqs_log::{Event, append, replay};
use super::sqs_queue::{Change, Message, Queue, Settings, Taken};

/// As the real service.
pub(super) const BATCH_MAX: usize = 10;
const WAIT_S_MAX: u32 = 20;
const VISIBILITY_S_MAX: u32 = 43_200;

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) empty: AtomicU64,
    pub(super) deleted: AtomicU64,
    pub(super) visibility: AtomicU64,
    pub(super) dead: AtomicU64,
    pub(super) requests: AtomicU64,
}

pub(super) struct Named {
    pub(super) queue: Queue,
    arrived: Arc<Notify>,
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) queues: BTreeMap<String, Named>,
    log: Option<File>,
}

/// All queues.
pub struct QueueService {
    inner: Mutex<Inner>,
    next_number: AtomicU64,
    pub(super) counters: Counters,
}

impl QueueService {
    /// Queues that vanish with the process.
    pub fn in_memory() -> Self {
        Self {
            inner: Mutex::default(),
            next_number: AtomicU64::new(1),
            counters: Counters::default(),
        }
    }

    /// Queues as the folder's log left them. The log is rewritten first, so that it does not grow over restarts.
    ///
    /// # Errors
    /// The log cannot be read or written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join("queues.jsonl");
        let (queues, last_number) = replay(&path)?;
        let fresh = folder.join("queues.jsonl.new");
        let mut log = OpenOptions::new().create(true).truncate(true).write(true).open(&fresh)?;
        for (name, (settings, messages)) in &queues {
            append(&mut log, &Event::Queue { name: name.clone(), settings: settings.clone() })?;
            for message in messages.values() {
                let (queue, message) = (name.clone(), message.clone());
                append(&mut log, &Event::Message { queue, message })?;
            }
        }
        fs::rename(&fresh, &path)?;
        let mut inner = Inner { queues: BTreeMap::new(), log: Some(log) };
        for (name, (settings, messages)) in queues {
            let mut queue = Queue::new(settings);
            for (_, message) in messages {
                queue.push(message, None);
            }
            inner.queues.insert(name, Named { queue, arrived: Arc::default() });
        }
        Ok(Self {
            inner: Mutex::new(inner),
            next_number: AtomicU64::new(last_number + 1),
            counters: Counters::default(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a queue, unless it is there.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn create(&self, name: &str, settings: Settings) -> io::Result<()> {
        let mut inner = self.lock();
        if !inner.queues.contains_key(name) {
            inner.log(|| Event::Queue { name: name.to_owned(), settings: settings.clone() })?;
            let named = Named { queue: Queue::new(settings), arrived: Arc::default() };
            inner.queues.insert(name.to_owned(), named);
        }
        Ok(())
    }

    pub(super) fn send(&self, queue: &str, request: Send) -> Result<Value, ApiError> {
        let now = Instant::now();
        let mut inner = self.lock();
        let settings = &inner.named(queue)?.queue.settings;
        if request.message_body.is_empty() {
            let message = "The request must contain the parameter MessageBody.";
            return Err(ApiError::named("MissingParameter", message));
        }
        if request.message_body.len() > settings.message_bytes_max {
            let most = settings.message_bytes_max;
            return Err(ApiError::invalid(format!("Message must be shorter than {most} bytes.")));
        }
        let delay_s = request.delay_seconds.unwrap_or(settings.delay_s);
        if delay_s > 900 {
            return Err(ApiError::invalid("DelaySeconds must be between 0 and 900."));
        }
        let message = Message {
            number: self.next_number.fetch_add(1, Ordering::Relaxed),
            body: request.message_body,
            attributes: request.message_attributes,
            sent_ms: now_ms(),
            first_received_ms: None,
            receive_count: 0,
        };
        inner
            .log(|| Event::Message { queue: queue.to_owned(), message: message.clone() })
            .map_err(log_failed)?;
        let answer = sent(&message);
        let named = inner.named(queue)?;
        let hidden_until = (delay_s > 0).then(|| now + Duration::from_secs(delay_s.into()));
        named.queue.push(message, hidden_until);
        // One receiver per message; of a delayed one all must learn, as the moment to look again may have come nearer.
        match hidden_until {
            Some(_) => named.arrived.notify_waiters(),
            None => named.arrived.notify_one(),
        }
        self.counters.sent.fetch_add(1, Ordering::Relaxed);
        Ok(answer)
    }

    /// Takes messages; when there are none, tells when to look again and what to wait on.
    pub(super) fn try_receive(&self, queue: &str, request: &Receive) -> Result<Looked, ApiError> {
        let limit = request.max_number_of_messages.unwrap_or(1);
        if !(1..=BATCH_MAX as u32).contains(&limit) {
            return Err(ApiError::invalid("MaxNumberOfMessages must be between 1 and 10."));
        }
        let mut inner = self.lock();
        let named = inner.named(queue)?;
        let visibility_s = request.visibility_timeout.unwrap_or(named.queue.settings.visibility_s);
        let wait_s = request.wait_time_seconds.unwrap_or(named.queue.settings.wait_s);
        if visibility_s > VISIBILITY_S_MAX || wait_s > WAIT_S_MAX {
            return Err(ApiError::invalid("VisibilityTimeout or WaitTimeSeconds is too long."));
        }
        let now = Instant::now();
        let before = named.queue.next_visible();
        let taken = named.queue.receive(now, now_ms(), limit as usize, visibility_s);
        let after = named.queue.next_visible();
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            // Others wait for a later moment than the one at which these messages may return.
            named.arrived.notify_waiters();
        }
        let looked = Looked {
            found: taken.received.iter().map(|delivery| received(delivery, request)).collect(),
            next_visible: named.queue.next_visible(),
            wait_s,
        };
        let dead_letters = named.queue.settings.redrive.clone();
        inner.settle(queue, taken, dead_letters, &self.counters).map_err(log_failed)?;
        let count = looked.found.len() as u64;
        self.counters.received.fetch_add(count, Ordering::Relaxed);
        Ok(looked)
    }

    pub(super) fn delete(&self, queue: &str, handle: &str) -> Result<Value, ApiError> {
        let receipt = receipt(handle)?;
        let mut inner = self.lock();
        if inner.named(queue)?.queue.delete(receipt) == Change::Done {
            let number = receipt.number;
            inner.log(|| Event::Delete { queue: queue.to_owned(), number }).map_err(log_failed)?;
            self.counters.deleted.fetch_add(1, Ordering::Relaxed);
        }
        // Deleting what is gone, or with an outdated handle, is a success to the client, as with the real service.
        Ok(json!({}))
    }

    pub(super) fn change_visibility(
        &self,
        queue: &str,
        request: &OneDelivery,
    ) -> Result<Value, ApiError> {
        let receipt = receipt(&request.receipt_handle)?;
        let visibility_s = request.visibility_timeout.unwrap_or(0);
        if visibility_s > VISIBILITY_S_MAX {
            return Err(ApiError::invalid("VisibilityTimeout must be at most 43200."));
        }
        let mut inner = self.lock();
        let named = inner.named(queue)?;
        match named.queue.change_visibility(receipt, Instant::now(), visibility_s) {
            Change::Done => {
                // Now, or at a nearer moment than others wait for.
                named.arrived.notify_waiters();
                self.counters.visibility.fetch_add(1, Ordering::Relaxed);
                Ok(json!({}))
            }
            Change::Gone | Change::NotInFlight => {
                let kind = "MessageNotInflight";
                let code = "AWS.SimpleQueueService.MessageNotInflight";
                Err(ApiError::with_code(kind, code, "The message is not in flight."))
            }
        }
    }

    pub(super) fn attributes(&self, queue: &str, names: &[String]) -> Result<Value, ApiError> {
        let mut inner = self.lock();
        let named = inner.named(queue)?;
        let (visible, in_flight, delayed) = named.queue.counts(Instant::now());
        let settings = &named.queue.settings;
        let mut known = BTreeMap::from([
            ("ApproximateNumberOfMessages", visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
            ("VisibilityTimeout", settings.visibility_s.to_string()),
            ("ReceiveMessageWaitTimeSeconds", settings.wait_s.to_string()),
            ("DelaySeconds", settings.delay_s.to_string()),
            ("MessageRetentionPeriod", settings.retention_s.to_string()),
            ("MaximumMessageSize", settings.message_bytes_max.to_string()),
            ("QueueArn", arn(queue)),
        ]);
        if let Some((dead, most)) = &settings.redrive {
            let policy = json!({ "deadLetterTargetArn": arn(dead), "maxReceiveCount": most });
            known.insert("RedrivePolicy", policy.to_string());
        }
        let asked = |name: &str| names.iter().any(|asked| asked == "All" || asked == name);
        known.retain(|name, _| asked(name));
        Ok(json!({ "Attributes": known }))
    }

    pub(super) fn set_attributes(
        &self,
        queue: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<Value, ApiError> {
        let mut inner = self.lock();
        let settings = changed(inner.named(queue)?.queue.settings.clone(), attributes)?;
        if let Some((dead, _)) = &settings.redrive {
            inner.named(dead)?;
        }
        inner.named(queue)?.queue.settings = settings.clone();
        inner.log(|| Event::Queue { name: queue.to_owned(), settings }).map_err(log_failed)?;
        Ok(json!({}))
    }

    pub(super) fn purge(&self, queue: &str) -> Result<Value, ApiError> {
        let mut inner = self.lock();
        inner.named(queue)?.queue.purge();
        inner.log(|| Event::Purge { queue: queue.to_owned() }).map_err(log_failed)?;
        Ok(json!({}))
    }

    pub(super) fn drop_queue(&self, queue: &str) -> Result<Value, ApiError> {
        let mut inner = self.lock();
        let named = inner.queues.remove(queue).ok_or_else(ApiError::no_queue)?;
        named.arrived.notify_waiters();
        inner.log(|| Event::Drop { queue: queue.to_owned() }).map_err(log_failed)?;
        Ok(json!({}))
    }

    pub(super) fn arrived(&self, queue: &str) -> Result<Arc<Notify>, ApiError> {
        Ok(Arc::clone(&self.lock().named(queue)?.arrived))
    }
}

pub(super) struct Looked {
    pub(super) found: Vec<Value>,
    pub(super) next_visible: Option<Instant>,
    pub(super) wait_s: u32,
}

impl Inner {
    pub(super) fn named(&mut self, queue: &str) -> Result<&mut Named, ApiError> {
        self.queues.get_mut(queue).ok_or_else(ApiError::no_queue)
    }

    fn log(&mut self, event: impl FnOnce() -> Event) -> io::Result<()> {
        match &mut self.log {
            Some(log) => append(log, &event()),
            None => Ok(()),
        }
    }

    /// Writes down what a receive changed, and moves dead letters.
    fn settle(
        &mut self,
        queue: &str,
        taken: Taken,
        dead_letters: Option<(String, u32)>,
        counters: &Counters,
    ) -> io::Result<()> {
        for number in taken.expired {
            self.log(|| Event::Delete { queue: queue.to_owned(), number })?;
        }
        for delivery in taken.received {
            // The count of receives must survive, or a poison message would kill workers for ever.
            let message = delivery.message;
            self.log(|| Event::Message { queue: queue.to_owned(), message })?;
        }
        for message in taken.dead {
            let number = message.number;
            self.log(|| Event::Delete { queue: queue.to_owned(), number })?;
            counters.dead.fetch_add(1, Ordering::Relaxed);
            let Some((target, _)) = &dead_letters else { continue };
            self.log(|| Event::Message { queue: target.clone(), message: message.clone() })?;
            if let Some(named) = self.queues.get_mut(target) {
                named.queue.push(message, None);
                named.arrived.notify_one();
            }
        }
        Ok(())
    }
}

pub(super) fn log_failed(error: io::Error) -> ApiError {
    tracing::error!(%error, "the log of the queues cannot be written");
    ApiError::named("InternalFailure", "the log of the queues cannot be written")
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}")
}

/// Settings after the named attributes were set.
pub(super) fn changed(
    mut settings: Settings,
    attributes: &BTreeMap<String, String>,
) -> Result<Settings, ApiError> {
    let bad = |name: &str| ApiError::named("InvalidAttributeValue", format!("Invalid {name}."));
    for (name, value) in attributes {
        let number = |most: u32| {
            value.parse().ok().filter(|number| *number <= most).ok_or_else(|| bad(name))
        };
        match name.as_str() {
            "VisibilityTimeout" => settings.visibility_s = number(VISIBILITY_S_MAX)?,
            "ReceiveMessageWaitTimeSeconds" => settings.wait_s = number(WAIT_S_MAX)?,
            "DelaySeconds" => settings.delay_s = number(900)?,
            "MessageRetentionPeriod" => settings.retention_s = number(1_209_600)?,
            "MaximumMessageSize" => settings.message_bytes_max = number(1 << 20)? as usize,
            "RedrivePolicy" if value.is_empty() => settings.redrive = None,
            "RedrivePolicy" => {
                let policy: Value = serde_json::from_str(value).map_err(|_| bad(name))?;
                let target = policy["deadLetterTargetArn"].as_str().ok_or_else(|| bad(name))?;
                let most = &policy["maxReceiveCount"];
                let most = most.as_u64().or_else(|| most.as_str()?.parse().ok());
                let most =
                    most.filter(|most| (1..=1_000).contains(most)).ok_or_else(|| bad(name))?;
                let queue = target.rsplit(':').next().unwrap_or(target);
                settings.redrive = Some((queue.to_owned(), most as u32));
            }
            other => {
                let message = format!("Unknown Attribute {other}.");
                return Err(ApiError::named("InvalidAttributeName", message));
            }
        }
    }
    Ok(settings)
}
