//! Transactions. On one node they are that node's business. Over several they are check, then apply, while nobody else
//! writes those partition keys (`locks`):
//!
//! 1. every condition is checked on its node, as a transaction of condition checks; one that does not hold ends it;
//! 2. the decision to apply is remembered under the client's token;
//! 3. every node writes its part, under a token of its own.
//!
//! So a node that dies between 2 and 3 leaves a decided transaction, which the client's next attempt completes: parts already
//! written are not written twice. The work runs in a task of its own, so that a client that hangs up stops nothing half way.
//! What conditions cannot foresee (an item over 400 KB) is found in step 3 only; it is answered as a failure of the service.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::answers::Answer;
use super::batches::join;
use super::counters::Transacted;
use super::requests::{action, condition_check};
use super::router::{Asked, Router};

/// The service's limit; what is above goes to one node whole, which refuses it in the service's words.
const ACTIONS_MAX: usize = 100;

/// What is known of a transaction over several nodes under its token.
#[derive(Clone)]
pub(super) struct Token {
    /// The SHA-256 of its actions: the same token with others is a mistake.
    fingerprint: [u8; 32],
    /// The answer, once every node has written its part; none while it is decided only.
    answer: Option<Answer>,
}

/// The actions of a transaction with where they belong.
struct Placed {
    /// Positions in the request by node.
    nodes: BTreeMap<usize, Vec<usize>>,
    partitions: Vec<u64>,
    /// The condition of each action as a check, none where it has none.
    checks: Vec<Option<Value>>,
}

/// TransactGetItems: reads that no transaction over several nodes comes between.
pub(super) async fn get(router: &Router, asked: &Asked) -> Answer {
    let items = asked.value["TransactItems"].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() || items.len() > ACTIONS_MAX {
        return router.forward(0, asked).await;
    }
    let mut nodes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut partitions = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        let table = item["Get"]["TableName"].as_str().unwrap_or_default();
        let schema = match router.schema(table, asked).await {
            Ok(schema) => schema,
            Err(answer) => return answer,
        };
        let Some(partition) = schema.partition(table, &item["Get"]["Key"]) else {
            return Answer::refused(&format!("a key lacks {}", schema.hash));
        };
        partitions.push(partition);
        nodes.entry(router.nodes.owner(partition)).or_default().push(position);
    }
    let _held = router.locks.shared(&partitions).await;
    if let Some((node, _)) = nodes.first_key_value().filter(|_| nodes.len() == 1) {
        return router.forward(*node, asked).await;
    }
    let calls = nodes.iter().map(|(node, positions)| {
        let part: Vec<&Value> = positions.iter().map(|position| &items[*position]).collect();
        let body = with_actions(&asked.value, json!(part), None);
        async move { router.call(*node, "TransactGetItems", asked, &body).await }
    });
    let answers = join_all(calls).await;
    if let Some(refusal) = answers.iter().find(|answer| !answer.is_success()) {
        return refusal.clone();
    }
    let mut responses = vec![Value::Null; items.len()];
    for (positions, answer) in nodes.values().zip(&answers) {
        let mut value = answer.value();
        for (position, place) in positions.iter().enumerate() {
            responses[*place] = value["Responses"][position].take();
        }
    }
    let mut joined = join(answers.iter().map(Answer::value));
    joined["Responses"] = Value::Array(responses);
    Answer::joined(&joined)
}

/// TransactWriteItems.
pub(super) async fn write(router: &Arc<Router>, asked: &Asked) -> Answer {
    let items = asked.value["TransactItems"].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() || items.len() > ACTIONS_MAX {
        return router.forward(0, asked).await;
    }
    let placed = match place(router, asked, items).await {
        Ok(placed) => placed,
        Err(answer) => return answer,
    };
    if let Some((node, _)) = placed.nodes.first_key_value().filter(|_| placed.nodes.len() == 1) {
        let _held = router.locks.shared(&placed.partitions).await;
        router.nodes.counters.transaction(Transacted::OnOneNode);
        return router.forward(*node, asked).await;
    }
    let (router, asked) = (router.clone(), asked.clone());
    let work = tokio::spawn(async move { across(&router, &asked, &placed).await });
    work.await.unwrap_or_else(|error| Answer::failed(&format!("a transaction broke off: {error}")))
}

async fn place(router: &Router, asked: &Asked, items: &[Value]) -> Result<Placed, Answer> {
    let mut placed = Placed { nodes: BTreeMap::new(), partitions: Vec::new(), checks: Vec::new() };
    for (position, item) in items.iter().enumerate() {
        let Some((kind, body)) = action(item) else {
            return Err(Answer::refused(
                "an action is none of Put, Update, Delete, ConditionCheck",
            ));
        };
        let table = body["TableName"].as_str().unwrap_or_default();
        let schema = router.schema(table, asked).await?;
        let item_or_key = if kind == "Put" { &body["Item"] } else { &body["Key"] };
        let Some(partition) = schema.partition(table, item_or_key) else {
            return Err(Answer::refused(&format!("an action lacks the key {}", schema.hash)));
        };
        placed.partitions.push(partition);
        placed.nodes.entry(router.nodes.owner(partition)).or_default().push(position);
        placed.checks.push(condition_check(&schema, item));
    }
    Ok(placed)
}

async fn across(router: &Router, asked: &Asked, placed: &Placed) -> Answer {
    let _held = router.locks.alone(&placed.partitions).await;
    let items = asked.value["TransactItems"].as_array().map(Vec::as_slice).unwrap_or_default();
    let fingerprint: [u8; 32] = Sha256::digest(json!(items).to_string()).into();
    let token = asked.value["ClientRequestToken"].as_str();
    let known = match token {
        Some(token) => router.tokens.get(token).await,
        None => None,
    };
    match known {
        Some(known) if known.fingerprint != fingerprint => return Answer::token_mismatch(),
        Some(Token { answer: Some(answer), .. }) => return answer,
        Some(_) => {}
        None => {
            if let Err(refusal) = check(router, asked, placed).await {
                router.nodes.counters.transaction(Transacted::AcrossNodesRefused);
                return refusal;
            }
        }
    }
    if let Some(token) = token {
        let decided = Token { fingerprint, answer: None };
        router.tokens.insert(token.to_owned(), decided).await;
    }
    let answer = apply(router, asked, placed, items, token).await;
    if let Some(token) = token.filter(|_| answer.is_success()) {
        let done = Token { fingerprint, answer: Some(answer.clone()) };
        router.tokens.insert(token.to_owned(), done).await;
        router.nodes.counters.transaction(Transacted::AcrossNodes);
    }
    answer
}

/// Every condition on its node. The error is the client's answer: the reasons in the order of the request, or a node's failure.
async fn check(router: &Router, asked: &Asked, placed: &Placed) -> Result<(), Answer> {
    let parts: Vec<(usize, Vec<usize>)> = placed
        .nodes
        .iter()
        .map(|(node, positions)| {
            let conditional = positions.iter().filter(|at| placed.checks[**at].is_some());
            (*node, conditional.copied().collect::<Vec<usize>>())
        })
        .filter(|(_, positions)| !positions.is_empty())
        .collect();
    let calls = parts.iter().map(|(node, positions)| {
        let checks: Vec<&Value> =
            positions.iter().filter_map(|position| placed.checks[*position].as_ref()).collect();
        let body = json!({ "TransactItems": checks });
        async move { router.call(*node, "TransactWriteItems", asked, &body).await }
    });
    let answers = join_all(calls).await;
    let mut reasons = vec![json!({ "Code": "None" }); placed.checks.len()];
    let mut held = true;
    for ((_, positions), answer) in parts.iter().zip(answers) {
        if answer.is_success() {
            continue;
        }
        let mut value = answer.value();
        let Some(given) = value["CancellationReasons"].as_array_mut() else {
            return Err(answer);
        };
        held = false;
        for (position, reason) in positions.iter().zip(given) {
            reasons[*position] = reason.take();
        }
    }
    if held { Ok(()) } else { Err(Answer::cancelled(&reasons)) }
}

/// Every node's part, side by side.
async fn apply(
    router: &Router,
    asked: &Asked,
    placed: &Placed,
    items: &[Value],
    token: Option<&str>,
) -> Answer {
    let calls = placed.nodes.iter().map(|(node, positions)| {
        let part: Vec<&Value> = positions.iter().map(|position| &items[*position]).collect();
        let token = token.map(|token| part_token(token, *node));
        let body = with_actions(&asked.value, json!(part), token);
        async move { router.call(*node, "TransactWriteItems", asked, &body).await }
    });
    let answers = join_all(calls).await;
    let failures: Vec<&Answer> = answers.iter().filter(|answer| !answer.is_success()).collect();
    match failures.first() {
        None => Answer::joined(&join(answers.iter().map(Answer::value))),
        // Refused by all alike: nothing was written.
        Some(refusal) if failures.len() == answers.len() => (*refusal).clone(),
        Some(refusal) => {
            let why = String::from_utf8_lossy(&refusal.body);
            tracing::error!(%why, "a decided transaction is written on some nodes only");
            Answer::failed(&format!("the transaction is decided and not complete yet: {why}"))
        }
    }
}

/// The client's request with a part of its actions and another token.
fn with_actions(request: &Value, actions: Value, token: Option<String>) -> Value {
    let mut body = Map::new();
    for (field, value) in request.as_object().into_iter().flatten() {
        if field != "ClientRequestToken" {
            body.insert(field.clone(), value.clone());
        }
    }
    body.insert("TransactItems".to_owned(), actions);
    if let Some(token) = token {
        body.insert("ClientRequestToken".to_owned(), Value::from(token));
    }
    Value::Object(body)
}

/// A node's own token: 32 of the 36 characters that are allowed.
fn part_token(token: &str, node: usize) -> String {
    hex::encode(&Sha256::digest(format!("{token}/{node}"))[..16])
}
