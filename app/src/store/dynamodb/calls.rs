//! The calls to DynamoDB that the verbs are made of: get, query, put, update, batches, transactions.
//!
//! Transport errors, timeouts and throttling are retried by the SDK (`aws::CallLimits`). What the SDK does not retry is
//! retried here, with doubling pauses and a named limit: transactions that met another one, and the parts of a batch that
//! came back unprocessed. What remains is `StoreError::Unavailable`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{KeysAndAttributes, TransactWriteItem, WriteRequest};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::de::DeserializeOwned;

use super::items::{Item, decode, key_of};
use super::keys::{Key, PK, SK, Span, text};
use super::writes::{Action, Write};
use crate::store::{StoreError, StoreResult};

/// DynamoDB's limit for one BatchGetItem.
const BATCH_GET_MAX: usize = 100;
/// DynamoDB's limit for one BatchWriteItem.
pub(super) const BATCH_WRITE_MAX: usize = 25;
/// Batches of one verb in flight at once.
const BATCH_CONCURRENCY: usize = 4;
/// How often a transaction is tried that meets another one. 10 attempts pause for 2 s at most in sum.
const CONFLICT_ATTEMPTS_MAX: u32 = 10;
/// How often the unprocessed rest of a batch is sent again.
const UNPROCESSED_ATTEMPTS_MAX: u32 = 10;
/// The first pause between attempts; it doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(5);
/// No pause is longer.
const PAUSE_MAX: Duration = Duration::from_millis(400);

/// One table and the client to reach it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Table {
    pub client: Client,
    pub name: Arc<str>,
    /// Spreads the pauses of concurrent retries without asking for randomness.
    turns: Arc<AtomicU64>,
}

/// How a transaction ended.
pub(super) enum Transacted {
    /// Everything was written.
    Done,
    /// Nothing was written: the conditions of the actions marked true did not hold.
    Refused(Vec<bool>),
}

impl Transacted {
    /// Whether the condition of this action did not hold.
    pub fn refused(&self, action: usize) -> bool {
        matches!(self, Self::Refused(actions) if actions.get(action) == Some(&true))
    }

    pub fn done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// How a query reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Backwards: the largest sort key first.
    pub newest_first: bool,
    /// Sees every write that has been acknowledged, at twice the read units.
    pub consistent: bool,
}

impl Reading {
    /// Lists where a photo may be missing for a moment: half the read units.
    pub const NEWEST: Self = Self { newest_first: true, consistent: false };
    /// Lists that a person looks at right after changing them.
    pub const NEWEST_CONSISTENT: Self = Self { newest_first: true, consistent: true };
    /// Lists that a cascade or a repair walks through.
    pub const ALL: Self = Self { newest_first: false, consistent: true };
}

impl Table {
    pub fn new(client: Client, name: &str) -> Self {
        Self { client, name: name.into(), turns: Arc::default() }
    }

    /// One item, consistently. One call.
    pub async fn get<T: DeserializeOwned>(
        &self,
        verb: &'static str,
        key: Key,
    ) -> StoreResult<Option<T>> {
        let request = self.client.get_item().table_name(&*self.name).consistent_read(true);
        let answer = request.set_key(Some(key.attributes())).send().await;
        let answer = answer.map_err(|error| StoreError::unavailable(verb, error))?;
        answer.item.map(decode).transpose()
    }

    /// Items by key, in no order; keys without an item are left out. One call per 100 keys.
    pub async fn get_many(
        &self,
        verb: &'static str,
        keys: &[Key],
        consistent: bool,
    ) -> StoreResult<HashMap<Key, Item>> {
        let batches = keys.chunks(BATCH_GET_MAX).map(<[Key]>::to_vec);
        let found: Vec<Vec<Item>> =
            stream::iter(batches.map(|keys| self.get_batch(verb, keys, consistent)))
                .buffer_unordered(BATCH_CONCURRENCY)
                .try_collect()
                .await?;
        Ok(found.into_iter().flatten().map(|item| (key_of(&item), item)).collect())
    }

    async fn get_batch(
        &self,
        verb: &'static str,
        keys: Vec<Key>,
        consistent: bool,
    ) -> StoreResult<Vec<Item>> {
        let mut wanted: Vec<Item> = keys.iter().map(Key::attributes).collect();
        let mut found = Vec::with_capacity(keys.len());
        for attempt in 0..UNPROCESSED_ATTEMPTS_MAX {
            let keys = KeysAndAttributes::builder().set_keys(Some(wanted));
            let keys = keys.consistent_read(consistent).build();
            let keys = keys.map_err(|error| StoreError::unavailable(verb, error))?;
            let request = self.client.batch_get_item().request_items(&*self.name, keys);
            let answer = request.send().await;
            let answer = answer.map_err(|error| StoreError::unavailable(verb, error))?;
            found.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
            wanted = answer
                .unprocessed_keys
                .into_iter()
                .flatten()
                .flat_map(|(_, rest)| rest.keys)
                .collect();
            if wanted.is_empty() {
                return Ok(found);
            }
            self.pause(attempt).await;
        }
        Err(StoreError::unavailable(verb, "DynamoDB kept handing keys of a batch back"))
    }

    /// The first `limit` items of a span. One call per megabyte.
    pub async fn query(
        &self,
        verb: &'static str,
        span: Span,
        reading: Reading,
        limit: usize,
    ) -> StoreResult<Vec<Item>> {
        let mut found: Vec<Item> = Vec::new();
        let mut start = None;
        loop {
            let rest = limit - found.len();
            let (items, more) = self.query_once(verb, &span, reading, Some(rest), start).await?;
            found.extend(items);
            start = more;
            if start.is_none() || found.len() >= limit {
                return Ok(found);
            }
        }
    }

    /// All items of a span, which a cascade or a repair needs. One call per megabyte.
    pub async fn query_all(&self, verb: &'static str, span: Span) -> StoreResult<Vec<Item>> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let (items, more) = self.query_once(verb, &span, Reading::ALL, None, start).await?;
            found.extend(items);
            start = more;
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    async fn query_once(
        &self,
        verb: &'static str,
        span: &Span,
        reading: Reading,
        limit: Option<usize>,
        start: Option<Item>,
    ) -> StoreResult<(Vec<Item>, Option<Item>)> {
        let request = self.client.query().table_name(&*self.name);
        let answer = request
            .key_condition_expression(format!("{PK} = :pk AND {SK} BETWEEN :from AND :to"))
            .expression_attribute_values(":pk", text(&span.pk))
            .expression_attribute_values(":from", text(&span.from))
            .expression_attribute_values(":to", text(&span.to))
            .scan_index_forward(!reading.newest_first)
            .consistent_read(reading.consistent)
            .set_limit(limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| StoreError::unavailable(verb, error))?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
    }

    /// Writes an item whatever was there. One call.
    pub async fn put(&self, verb: &'static str, item: Item) -> StoreResult<()> {
        let request = self.client.put_item().table_name(&*self.name).set_item(Some(item));
        request.send().await.map_err(|error| StoreError::unavailable(verb, error))?;
        Ok(())
    }

    /// Removes an item if it is there. One call.
    pub async fn delete(&self, verb: &'static str, key: Key) -> StoreResult<()> {
        let request = self.client.delete_item().table_name(&*self.name);
        let answer = request.set_key(Some(key.attributes())).send().await;
        answer.map_err(|error| StoreError::unavailable(verb, error))?;
        Ok(())
    }

    /// All of the actions or none. One call, unless it meets another transaction on the same items.
    pub async fn transact(
        &self,
        verb: &'static str,
        actions: Vec<Action>,
    ) -> StoreResult<Transacted> {
        let items: Vec<TransactWriteItem> = actions
            .into_iter()
            .map(|action| action.into_transact_item(&self.name))
            .collect::<Result<_, _>>()
            .map_err(|error| StoreError::unavailable(verb, error))?;
        for attempt in 0..CONFLICT_ATTEMPTS_MAX {
            // The SDK gives each call a token of its own, so that its retries of one call never write twice.
            let request = self.client.transact_write_items();
            let error = match request.set_transact_items(Some(items.clone())).send().await {
                Ok(_) => return Ok(Transacted::Done),
                Err(error) => error,
            };
            let Some(codes) = cancellation_codes(&error) else {
                return Err(StoreError::unavailable(verb, error));
            };
            if codes.iter().any(|code| code == "ConditionalCheckFailed") {
                let refused = codes.iter().map(|code| code == "ConditionalCheckFailed");
                return Ok(Transacted::Refused(refused.collect()));
            }
            let last = attempt + 1 == CONFLICT_ATTEMPTS_MAX;
            if last || !codes.iter().all(|code| is_passing(code)) {
                return Err(StoreError::unavailable(verb, error));
            }
            self.pause(attempt).await;
        }
        unreachable!("the last attempt returns")
    }

    /// Puts and deletes without conditions, in no order. One call per 25 of them, four at once.
    pub async fn write_many(&self, verb: &'static str, writes: Vec<Write>) -> StoreResult<()> {
        self.write_many_wide(verb, writes, BATCH_CONCURRENCY).await
    }

    /// As `write_many`, with `concurrency` batches in flight.
    pub async fn write_many_wide(
        &self,
        verb: &'static str,
        writes: Vec<Write>,
        concurrency: usize,
    ) -> StoreResult<()> {
        let mut writes = writes.into_iter().peekable();
        let batches = std::iter::from_fn(|| {
            writes.peek()?;
            Some(writes.by_ref().take(BATCH_WRITE_MAX).collect::<Vec<Write>>())
        });
        stream::iter(batches.map(|batch| self.write_batch(verb, batch)))
            .buffer_unordered(concurrency)
            .try_collect()
            .await
    }

    async fn write_batch(&self, verb: &'static str, writes: Vec<Write>) -> StoreResult<()> {
        let mut requests: Vec<WriteRequest> = writes
            .into_iter()
            .map(Write::into_request)
            .collect::<Result<_, _>>()
            .map_err(|error| StoreError::unavailable(verb, error))?;
        for attempt in 0..UNPROCESSED_ATTEMPTS_MAX {
            let request = self.client.batch_write_item().request_items(&*self.name, requests);
            let answer = request.send().await;
            let answer = answer.map_err(|error| StoreError::unavailable(verb, error))?;
            requests =
                answer.unprocessed_items.into_iter().flatten().flat_map(|(_, rest)| rest).collect();
            if requests.is_empty() {
                return Ok(());
            }
            self.pause(attempt).await;
        }
        Err(StoreError::unavailable(verb, "DynamoDB kept handing writes of a batch back"))
    }

    /// Doubling pauses, each between half of it and all of it, so that rivals part.
    pub async fn pause(&self, attempt: u32) {
        let turn = self.turns.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let full = PAUSE_FIRST.saturating_mul(1 << attempt.min(10)).min(PAUSE_MAX);
        let share = 0.5 + (turn >> 40) as f64 / (1_u64 << 25) as f64;
        tokio::time::sleep(full.mul_f64(share)).await;
    }
}

/// The code of each action of a cancelled transaction; none for any other error.
fn cancellation_codes<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Vec<String>> {
    match error.as_service_error()? {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            let reasons = cancelled.cancellation_reasons();
            Some(reasons.iter().map(|reason| reason.code().unwrap_or("None").to_owned()).collect())
        }
        // The same token is still being worked on: a retry of ours overtook it.
        TransactWriteItemsError::TransactionInProgressException(_) => {
            Some(vec!["TransactionConflict".to_owned()])
        }
        _ => None,
    }
}

/// Reasons that pass by themselves.
fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "None"
            | "TransactionConflict"
            | "ThrottlingError"
            | "ProvisionedThroughputExceeded"
            | "InternalServerError"
    )
}
