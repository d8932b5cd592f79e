//! The log of the SQS stand-in: one line of JSON per change, appended before the change is answered.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::sqs_queue::{Message, Settings};

/// A line of the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    Queue { name: String, settings: Settings },
    Drop { queue: String },
    Message { queue: String, message: Message },
    Delete { queue: String, number: u64 },
    Purge { queue: String },
}

pub(super) fn append(log: &mut File, event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    // One write per line: a crash can cut off the last line only.
    log.write_all(&line)
}

/// Settings and messages of each queue.
pub(super) type Replayed = BTreeMap<String, (Settings, BTreeMap<u64, Message>)>;

/// Reads the log. A last line that a crash cut off is ignored.
pub(super) fn replay(path: &Path) -> io::Result<(Replayed, u64)> {
    let mut queues = Replayed::new();
    let mut last_number = 0;
    let log = match File::open(path) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((queues, 0)),
        Err(error) => return Err(error),
    };
    let mut lines = BufReader::new(log).lines().peekable();
    while let Some(line) = lines.next() {
        let event = match serde_json::from_str(&line?) {
            Ok(event) => event,
            Err(_) if lines.peek().is_none() => break,
            Err(error) => return Err(error.into()),
        };
        match event {
            Event::Queue { name, settings } => {
                queues.entry(name).or_insert_with(|| (Settings::default(), BTreeMap::new())).0 =
                    settings;
            }
            Event::Drop { queue } => drop(queues.remove(&queue)),
            Event::Message { queue, message } => {
                last_number = last_number.max(message.number);
                if let Some((_, messages)) = queues.get_mut(&queue) {
                    messages.insert(message.number, message);
                }
            }
            Event::Delete { queue, number } => {
                if let Some((_, messages)) = queues.get_mut(&queue) {
                    messages.remove(&number);
                }
            }
            Event::Purge { queue } => {
                if let Some((_, messages)) = queues.get_mut(&queue) {
                    messages.clear();
                }
            }
        }
    }
    Ok((queues, last_number))
}
