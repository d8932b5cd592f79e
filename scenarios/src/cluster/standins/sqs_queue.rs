//! One queue of the SQS stand-in: what is visible, what is hidden and until when, and when a message becomes a dead letter.
//!
//! A standard queue: at least once, in order of arrival unless redelivered. Received messages are hidden for
//! the visibility timeout; one that was received `max_receive_count` times is moved to the dead-letter queue instead of being given out
//! again. Pure state: times come in as arguments; `sqs_service` adds the log, `sqs` the waiting.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The settings of a queue, with the real service's defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Seconds a received message stays hidden.
    pub visibility_s: u32,
    /// Seconds a receive waits when it does not say.
    pub wait_s: u32,
    /// Seconds a new message stays hidden.
    pub delay_s: u32,
    /// Seconds after which a message is dropped.
    pub retention_s: u32,
    /// Bytes of a body at most.
    pub message_bytes_max: usize,
    /// Dead-letter queue's name and after how many receives.
    pub redrive: Option<(String, u32)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            visibility_s: 30,
            wait_s: 0,
            delay_s: 0,
            retention_s: 345_600,
            message_bytes_max: 1 << 20,
            redrive: None,
        }
    }
}

/// A value attached to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageAttribute {
    /// String, Number, Binary, with an optional suffix.
    pub data_type: String,
    /// Text or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// Base 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Unique over the life of the stand-in.
    pub number: u64,
    /// The body.
    pub body: String,
    /// Attached values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, MessageAttribute>,
    /// Unix milliseconds.
    pub sent_ms: u64,
    /// Unix milliseconds of the first receive.
    pub first_received_ms: Option<u64>,
    /// Receives so far.
    pub receive_count: u32,
}

/// A message given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// As it was sent, with its counts.
    pub message: Message,
    /// Names this delivery: number and receive count.
    pub receipt: Receipt,
}

/// Names one delivery of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The message.
    pub number: u64,
    /// Which delivery of it.
    pub delivery: u32,
}

/// What became of a request about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Done.
    Done,
    /// The message was deleted already, or never was.
    Gone,
    /// It is visible again, or somebody else has it.
    NotInFlight,
}

#[derive(Debug)]
struct Held {
    message: Message,
    /// Hidden until then; none when visible.
    hidden_until: Option<Instant>,
    in_flight: bool,
}

/// The state of one queue.
#[derive(Debug, Default)]
pub struct Queue {
    /// The settings.
    pub settings: Settings,
    messages: HashMap<u64, Held>,
    /// In order; may name messages that were deleted meanwhile.
    visible: VecDeque<u64>,
    hidden: BTreeSet<(Instant, u64)>,
}

/// What a receive took out of the queue.
#[derive(Debug, Default)]
pub struct Taken {
    /// Given to the receiver.
    pub received: Vec<Received>,
    /// Received too often: to be put into the dead-letter queue.
    pub dead: Vec<Message>,
    /// Older than the retention: dropped.
    pub expired: Vec<u64>,
}

impl Queue {
    /// An empty queue.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Adds a message, hidden until `hidden_until`.
    pub fn push(&mut self, message: Message, hidden_until: Option<Instant>) {
        let number = message.number;
        match hidden_until {
            Some(until) => drop(self.hidden.insert((until, number))),
            None => self.visible.push_back(number),
        }
        self.messages.insert(number, Held { message, hidden_until, in_flight: false });
    }

    /// Takes up to `limit` visible messages, hiding them for `visibility_s`.
    pub fn receive(&mut self, now: Instant, now_ms: u64, limit: usize, visibility_s: u32) -> Taken {
        self.uncover(now);
        let mut taken = Taken::default();
        while taken.received.len() < limit {
            let Some(number) = self.visible.pop_front() else { break };
            let Some(held) = self.messages.get_mut(&number) else { continue };
            if held.hidden_until.is_some() {
                continue;
            }
            let age_ms = now_ms.saturating_sub(held.message.sent_ms);
            if age_ms > u64::from(self.settings.retention_s) * 1_000 {
                self.messages.remove(&number);
                taken.expired.push(number);
                continue;
            }
            let worn_out = |(_, most): &(String, u32)| held.message.receive_count >= *most;
            if self.settings.redrive.as_ref().is_some_and(worn_out) {
                taken.dead.extend(self.messages.remove(&number).map(|held| held.message));
                continue;
            }
            held.message.receive_count += 1;
            held.message.first_received_ms.get_or_insert(now_ms);
            held.in_flight = true;
            let receipt = Receipt { number, delivery: held.message.receive_count };
            taken.received.push(Received { message: held.message.clone(), receipt });
            if visibility_s == 0 {
                held.in_flight = false;
                self.visible.push_back(number);
            } else {
                let until = now + std::time::Duration::from_secs(u64::from(visibility_s));
                held.hidden_until = Some(until);
                self.hidden.insert((until, number));
            }
        }
        taken
    }

    /// Makes visible what was hidden until now.
    fn uncover(&mut self, now: Instant) {
        while let Some(&(until, number)) = self.hidden.first() {
            if until > now {
                break;
            }
            self.hidden.pop_first();
            if let Some(held) = self.messages.get_mut(&number) {
                held.hidden_until = None;
                held.in_flight = false;
                self.visible.push_back(number);
            }
        }
    }

    /// When the next hidden message becomes visible.
    pub fn next_visible(&self) -> Option<Instant> {
        self.hidden.first().map(|(until, _)| *until)
    }

    /// Deletes the message of a delivery. An old receipt of a message that was delivered again since changes nothing.
    pub fn delete(&mut self, receipt: Receipt) -> Change {
        match self.messages.get(&receipt.number) {
            None => Change::Gone,
            Some(held) if held.message.receive_count != receipt.delivery => Change::NotInFlight,
            Some(_) => {
                if let Some(until) =
                    self.messages.remove(&receipt.number).and_then(|held| held.hidden_until)
                {
                    self.hidden.remove(&(until, receipt.number));
                }
                Change::Done
            }
        }
    }

    /// Hides the message of a delivery for another `visibility_s` from now; 0 gives it back at once.
    pub fn change_visibility(
        &mut self,
        receipt: Receipt,
        now: Instant,
        visibility_s: u32,
    ) -> Change {
        self.uncover(now);
        let Some(held) = self.messages.get_mut(&receipt.number) else { return Change::Gone };
        if !held.in_flight || held.message.receive_count != receipt.delivery {
            return Change::NotInFlight;
        }
        if let Some(until) = held.hidden_until.take() {
            self.hidden.remove(&(until, receipt.number));
        }
        if visibility_s == 0 {
            held.in_flight = false;
            self.visible.push_back(receipt.number);
        } else {
            let until = now + std::time::Duration::from_secs(u64::from(visibility_s));
            held.hidden_until = Some(until);
            self.hidden.insert((until, receipt.number));
        }
        Change::Done
    }

    /// Forgets all messages.
    pub fn purge(&mut self) {
        self.messages.clear();
        self.visible.clear();
        self.hidden.clear();
    }

    /// (visible, in flight, delayed)
    pub fn counts(&mut self, now: Instant) -> (usize, usize, usize) {
        self.uncover(now);
        let in_flight = self.messages.values().filter(|held| held.in_flight).count();
        let hidden = self.messages.values().filter(|held| held.hidden_until.is_some()).count();
        (self.messages.len() - hidden, in_flight, hidden - in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn message(number: u64) -> Message {
        let body = format!("message {number}");
        Message {
            number,
            body,
            attributes: BTreeMap::new(),
            sent_ms: 1_000,
            first_received_ms: None,
            receive_count: 0,
        }
    }

    #[test]
    fn a_received_message_is_hidden_until_its_time_is_over() {
        let now = Instant::now();
        let mut queue = Queue::new(Settings::default());
        queue.push(message(1), None);
        queue.push(message(2), None);
        let first = queue.receive(now, 1_000, 1, 5).received;
        assert_eq!(first[0].message.number, 1);
        assert_eq!(queue.receive(now, 1_000, 10, 5).received.len(), 1);
        assert!(queue.receive(now, 1_000, 10, 5).received.is_empty());
        assert_eq!(queue.counts(now), (0, 2, 0));
        let later = now + Duration::from_secs(5);
        assert_eq!(queue.next_visible(), Some(later));
        let again = queue.receive(later, 1_000, 10, 5).received;
        assert_eq!(again.iter().map(|one| one.receipt.delivery).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(queue.delete(first[0].receipt), Change::NotInFlight, "an old receipt is void");
        assert_eq!(queue.delete(again[0].receipt), Change::Done);
        assert_eq!(queue.delete(again[0].receipt), Change::Gone);
    }

    #[test]
    fn visibility_can_be_extended_and_given_back() {
        let now = Instant::now();
        let mut queue = Queue::new(Settings::default());
        queue.push(message(1), None);
        let receipt = queue.receive(now, 1_000, 1, 5).received[0].receipt;
        let soon = now + Duration::from_secs(4);
        assert_eq!(queue.change_visibility(receipt, soon, 5), Change::Done);
        assert!(queue.receive(now + Duration::from_secs(6), 1_000, 1, 5).received.is_empty());
        assert_eq!(queue.change_visibility(receipt, soon, 0), Change::Done);
        assert_eq!(queue.receive(soon, 1_000, 1, 5).received.len(), 1);
        assert_eq!(queue.change_visibility(receipt, soon, 5), Change::NotInFlight);
    }

    #[test]
    fn a_message_received_too_often_is_dead_and_an_old_one_expires() {
        let now = Instant::now();
        let redrive = Some(("dead".to_owned(), 2));
        let mut queue = Queue::new(Settings { redrive, retention_s: 60, ..Settings::default() });
        queue.push(message(1), None);
        for _ in 0..2 {
            assert_eq!(queue.receive(now, 1_000, 1, 0).received.len(), 1);
        }
        let taken = queue.receive(now, 1_000, 1, 0);
        assert!(taken.received.is_empty());
        assert_eq!(taken.dead.len(), 1);
        queue.push(message(2), None);
        // Sent at 1,000 and kept for 60 s: still there at the last millisecond, dropped after it.
        assert_eq!(queue.receive(now, 61_000, 1, 0).expired, [] as [u64; 0]);
        assert_eq!(queue.receive(now, 61_001, 1, 0).expired, [2]);
    }
}
