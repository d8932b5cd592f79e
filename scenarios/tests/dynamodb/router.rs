//! The router's promises, through the SDK: transactions over several nodes under concurrency, reasons in the request's
//! order, tokens, batches, scans, and what it refuses.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, ConditionCheck, Get, KeySchemaElement,
    KeyType, KeysAndAttributes, Put, PutRequest, ReturnConsumedCapacity, ScalarAttributeType,
    TransactGetItem, TransactWriteItem, Update, WriteRequest,
};

use crate::support::{Partitions, number, string};

const TABLE: &str = "accounts";

async fn partitions() -> (Partitions, Client) {
    let partitions = Partitions::start(4).await;
    let client = partitions.client().await;
    let mut request =
        client.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let attribute = AttributeDefinition::builder().attribute_name(name);
        let attribute = attribute.attribute_type(ScalarAttributeType::S).build();
        let key = KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        request = request.attribute_definitions(attribute.expect("complete"));
        request = request.key_schema(key.expect("complete"));
    }
    request.send().await.expect("create the table on every node");
    (partitions, client)
}

fn key(account: usize) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".to_owned(), string(format!("account-{account}"))),
        ("sk".to_owned(), string("balance")),
    ])
}

fn item(account: usize, balance: i64) -> HashMap<String, AttributeValue> {
    let mut item = key(account);
    item.insert("balance".to_owned(), number(balance));
    item.insert("moves".to_owned(), number(0));
    item
}

async fn put(client: &Client, account: usize, balance: i64) {
    let put = client.put_item().table_name(TABLE).set_item(Some(item(account, balance)));
    put.send().await.expect("put an account");
}

async fn field(client: &Client, account: usize, name: &str) -> i64 {
    let get = client.get_item().table_name(TABLE).set_key(Some(key(account)));
    let item = get.send().await.expect("get an account").item.expect("the account is there");
    item[name].as_n().expect("a number").parse().expect("a whole number")
}

fn add(account: usize, amount: i64, condition: Option<&str>) -> TransactWriteItem {
    let update = Update::builder()
        .table_name(TABLE)
        .set_key(Some(key(account)))
        .update_expression("ADD balance :amount, moves :one")
        .expression_attribute_values(":amount", number(amount))
        .expression_attribute_values(":one", number(1))
        .set_condition_expression(condition.map(str::to_owned));
    let update = match condition {
        Some(_) => update.expression_attribute_values(":needed", number(-amount)),
        None => update,
    };
    TransactWriteItem::builder().update(update.build().expect("complete")).build()
}

/// Takes one from an account that has one, and gives it to another.
fn transfer(from: usize, to: usize) -> Vec<TransactWriteItem> {
    // The giver stands last, so that the taker's node would be written first were it not checked before.
    vec![add(to, 1, None), add(from, -1, Some("balance >= :needed"))]
}

fn codes(error: &SdkError<TransactWriteItemsError>) -> Vec<String> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let reasons = cancelled.cancellation_reasons();
            reasons.iter().map(|reason| reason.code().unwrap_or("?").to_owned()).collect()
        }
        other => panic!("not cancelled but {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_transactions_are_whole_or_nothing() {
    const ACCOUNTS: usize = 8;
    const TASKS: usize = 16;
    let (partitions, client) = partitions().await;
    for account in 0..ACCOUNTS {
        put(&client, account, 5).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let client = client.clone();
        tasks.spawn(async move {
            let mut done = 0;
            for step in 0..20 {
                let from = (task * 3 + step) % ACCOUNTS;
                let to = (from + 1 + (task + step) % (ACCOUNTS - 1)) % ACCOUNTS;
                let request = client.transact_write_items();
                match request.set_transact_items(Some(transfer(from, to))).send().await {
                    Ok(_) => done += 1,
                    Err(error) => assert_eq!(codes(&error), ["None", "ConditionalCheckFailed"]),
                }
            }
            done
        });
    }
    // Other writers of the same keys come in between: single updates go through the same locks.
    for account in 0..ACCOUNTS {
        let client = client.clone();
        tasks.spawn(async move {
            for _ in 0..20 {
                let update = client.update_item().table_name(TABLE).set_key(Some(key(account)));
                let update = update.update_expression("ADD beside :one");
                let update = update.expression_attribute_values(":one", number(1));
                update.send().await.expect("a single update");
            }
            0
        });
    }
    let done: i64 = tasks.join_all().await.into_iter().sum();
    let (mut sum, mut moves) = (0, 0);
    for account in 0..ACCOUNTS {
        let balance = field(&client, account, "balance").await;
        assert!(balance >= 0, "no account is overdrawn");
        assert_eq!(field(&client, account, "beside").await, 20, "no single update is lost");
        sum += balance;
        moves += field(&client, account, "moves").await;
    }
    assert_eq!(sum, 5 * ACCOUNTS as i64, "nothing is lost or made");
    assert_eq!(moves, 2 * done, "each transaction is written on both sides or on none");
    let info = partitions.info().await;
    assert!(info["transactions"]["across_nodes"].as_u64() > Some(0), "{info}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reasons_stand_in_the_order_of_the_request() {
    let (_partitions, client) = partitions().await;
    for account in 0..6 {
        put(&client, account, 1).await;
    }
    let check = ConditionCheck::builder()
        .table_name(TABLE)
        .set_key(Some(key(4)))
        .condition_expression("attribute_not_exists(pk)");
    let check = check.build().expect("complete");
    let fresh = Put::builder().table_name(TABLE).set_item(Some(item(9, 1)));
    let fresh = fresh.condition_expression("attribute_not_exists(pk)").build().expect("complete");
    let items = vec![
        add(0, 1, None),
        add(1, -5, Some("balance >= :needed")),
        add(2, -1, Some("balance >= :needed")),
        TransactWriteItem::builder().put(fresh).build(),
        TransactWriteItem::builder().condition_check(check).build(),
        add(5, 1, None),
    ];
    let request = client.transact_write_items().set_transact_items(Some(items));
    let error = request.send().await.expect_err("two conditions do not hold");
    let failed = "ConditionalCheckFailed";
    assert_eq!(codes(&error), ["None", failed, "None", "None", failed, "None"]);
    for account in 0..6 {
        assert_eq!(field(&client, account, "balance").await, 1, "nothing is written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_carried_out_once() {
    let (_partitions, client) = partitions().await;
    let client = Arc::new(client);
    for account in 0..6 {
        put(&client, account, 10).await;
    }
    let all: Vec<TransactWriteItem> = (0..6).map(|account| add(account, 1, None)).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let request = client.transact_write_items().client_request_token("one-and-the-same");
        let request = request.set_transact_items(Some(all.clone()));
        tasks.spawn(async move { request.send().await.map(|_| ()) });
    }
    for outcome in tasks.join_all().await {
        outcome.expect("a repetition is answered like the first");
    }
    for account in 0..6 {
        assert_eq!(field(&client, account, "balance").await, 11, "written once");
    }
    let request = client.transact_write_items().client_request_token("one-and-the-same");
    let error = request.set_transact_items(Some(transfer(0, 1))).send().await;
    let error = error.expect_err("the token was used for something else");
    assert_eq!(error.code(), Some("IdempotentParameterMismatchException"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactional_reads_keep_their_order() {
    let (_partitions, client) = partitions().await;
    for account in 0..10 {
        put(&client, account, account as i64).await;
    }
    let gets = (0..12).rev().map(|account| {
        let get = Get::builder().table_name(TABLE).set_key(Some(key(account))).build();
        TransactGetItem::builder().get(get.expect("complete")).build()
    });
    let request = client.transact_get_items().set_transact_items(Some(gets.collect()));
    let answer = request.send().await.expect("read all");
    let found: Vec<Option<String>> = answer
        .responses()
        .iter()
        .map(|response| response.item()?.get("balance")?.as_n().ok().cloned())
        .collect();
    let missing = [None, None].into_iter();
    let expected = missing.chain((0..10).rev().map(|account: i64| Some(account.to_string())));
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_split_and_joined() {
    let (partitions, client) = partitions().await;
    for first in (0..100).step_by(25) {
        let writes = (first..first + 25).map(|account| {
            let put = PutRequest::builder().set_item(Some(item(account, 1))).build();
            WriteRequest::builder().put_request(put.expect("complete")).build()
        });
        let request = client.batch_write_item().request_items(TABLE, writes.collect());
        let request = request.return_consumed_capacity(ReturnConsumedCapacity::Total);
        let answer = request.send().await.expect("write a batch");
        assert!(answer.unprocessed_items().is_none_or(HashMap::is_empty));
        let capacity: Vec<_> = answer.consumed_capacity().to_vec();
        assert_eq!(capacity.len(), 1, "one entry for one table: {capacity:?}");
        assert_eq!(capacity[0].capacity_units(), Some(25.0), "one unit per small item");
    }
    let keys = (0..100).map(key).collect();
    let keys = KeysAndAttributes::builder().set_keys(Some(keys)).build().expect("complete");
    let request = client.batch_get_item().request_items(TABLE, keys);
    let answer = request.send().await.expect("read a batch");
    let items = &answer.responses().expect("there are responses")[TABLE];
    let distinct: BTreeSet<&String> =
        items.iter().filter_map(|item| item["pk"].as_s().ok()).collect();
    assert_eq!((items.len(), distinct.len()), (100, 100), "each item once");
    let info = partitions.info().await;
    for node in info["nodes"].as_array().expect("four nodes") {
        assert_eq!(node["calls"]["BatchGetItem"], 1, "one call per node: {info}");
    }
    let keys = (0..101).map(key).collect();
    let keys = KeysAndAttributes::builder().set_keys(Some(keys)).build().expect("complete");
    let error = client.batch_get_item().request_items(TABLE, keys).send().await;
    let error = error.expect_err("101 keys are too many");
    assert_eq!(error.code(), Some("ValidationException"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_visits_every_node_once() {
    let (_partitions, client) = partitions().await;
    for account in 0..50 {
        put(&client, account, 1).await;
    }
    let whole = client.scan().table_name(TABLE).send().await.expect("scan at once");
    assert_eq!((whole.count(), whole.items().len()), (50, 50));
    for limit in [1, 7, 50] {
        let scan = client.scan().table_name(TABLE).limit(limit);
        let items = scan.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let items = items.expect("scan page by page");
        let distinct: BTreeSet<&String> =
            items.iter().filter_map(|item| item["pk"].as_s().ok()).collect();
        assert_eq!((items.len(), distinct.len()), (50, 50), "pages of {limit}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_routed_is_refused_by_name() {
    let (_partitions, client) = partitions().await;
    let error = client.get_item().table_name("nowhere").set_key(Some(key(1))).send().await;
    assert_eq!(error.expect_err("no such table").code(), Some("ResourceNotFoundException"));
    let query = client.query().table_name(TABLE).index_name("by_balance");
    let query = query.key_condition_expression("pk = :pk");
    let query = query.expression_attribute_values(":pk", string("x"));
    let error = query.send().await.expect_err("there are no indexes");
    assert_eq!(error.code(), Some("ValidationException"));
    let statement = client.execute_statement().statement("SELECT * FROM accounts");
    let error = statement.send().await.expect_err("PartiQL is not spoken");
    assert_eq!(error.code(), Some("UnknownOperationException"));
    let again = client.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    let attribute = AttributeDefinition::builder().attribute_name("pk");
    let attribute = attribute.attribute_type(ScalarAttributeType::S).build().expect("complete");
    let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build();
    let again = again.attribute_definitions(attribute).key_schema(key.expect("complete"));
    let error = again.send().await.expect_err("the table is there");
    assert_eq!(error.code(), Some("ResourceInUseException"));
    client.delete_table().table_name(TABLE).send().await.expect("delete it on every node");
    let error = client.scan().table_name(TABLE).send().await.expect_err("the table is gone");
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
}
