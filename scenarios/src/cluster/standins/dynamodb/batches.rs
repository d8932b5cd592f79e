//! BatchGetItem and BatchWriteItem: split by node, sent side by side, joined again.
//!
//! DynamoDB promises no order inside a batch, so the parts are joined node by node. A part that a node could not take in
//! comes back under UnprocessedKeys or UnprocessedItems, as from the service.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::answers::Answer;
use super::router::{Asked, Router};

/// The limits of the service; what is above goes to one node whole, which refuses it in the service's words.
const GET_MAX: usize = 100;
const WRITE_MAX: usize = 25;

/// What each node gets: table -> its requests or keys.
type Parts = BTreeMap<usize, BTreeMap<String, Vec<Value>>>;

pub(super) async fn get(router: &Router, asked: &Asked) -> Answer {
    let Some(tables) = asked.value["RequestItems"].as_object() else {
        return router.forward(0, asked).await;
    };
    let keys = tables.iter().flat_map(|(table, wanted)| {
        let keys = wanted["Keys"].as_array().map(Vec::as_slice).unwrap_or_default();
        keys.iter().map(move |key| (table.as_str(), key, key))
    });
    let (parts, _) = match split(router, asked, keys.collect(), GET_MAX).await {
        Ok(parts) => parts,
        Err(answer) => return answer,
    };
    let body = |part: &BTreeMap<String, Vec<Value>>| {
        let items: Map<String, Value> = part
            .iter()
            .map(|(table, keys)| {
                let mut wanted = tables[table].clone();
                wanted["Keys"] = Value::from(keys.clone());
                (table.clone(), wanted)
            })
            .collect();
        with_items(&asked.value, items)
    };
    send(router, asked, &parts, body).await
}

pub(super) async fn write(router: &Router, asked: &Asked) -> Answer {
    let Some(tables) = asked.value["RequestItems"].as_object() else {
        return router.forward(0, asked).await;
    };
    let requests = tables.iter().flat_map(|(table, requests)| {
        let requests = requests.as_array().map(Vec::as_slice).unwrap_or_default();
        requests.iter().map(move |request| {
            let put = request.get("PutRequest").map(|put| &put["Item"]);
            let key = put.unwrap_or_else(|| &request["DeleteRequest"]["Key"]);
            (table.as_str(), request, key)
        })
    });
    let (parts, partitions) = match split(router, asked, requests.collect(), WRITE_MAX).await {
        Ok(parts) => parts,
        Err(answer) => return answer,
    };
    let _held = router.locks.shared(&partitions).await;
    let body = |part: &BTreeMap<String, Vec<Value>>| {
        let items = part.iter().map(|(table, requests)| (table.clone(), json!(requests)));
        with_items(&asked.value, items.collect())
    };
    send(router, asked, &parts, body).await
}

/// The client's request with other items.
fn with_items(request: &Value, items: Map<String, Value>) -> Value {
    let mut body = Map::new();
    for (field, value) in request.as_object().into_iter().flatten() {
        if field != "RequestItems" {
            body.insert(field.clone(), value.clone());
        }
    }
    body.insert("RequestItems".to_owned(), Value::Object(items));
    Value::Object(body)
}

/// Groups requests, given as (table, request, item or key), by the node that owns them. The error is the client's answer.
async fn split(
    router: &Router,
    asked: &Asked,
    requests: Vec<(&str, &Value, &Value)>,
    limit: usize,
) -> Result<(Parts, Vec<u64>), Answer> {
    if requests.is_empty() || requests.len() > limit {
        return Err(router.forward(0, asked).await);
    }
    let mut parts = Parts::new();
    let mut partitions = Vec::with_capacity(requests.len());
    for (table, request, item_or_key) in requests {
        let schema = router.schema(table, asked).await?;
        let Some(partition) = schema.partition(table, item_or_key) else {
            return Err(Answer::refused(&format!("a key lacks {}", schema.hash)));
        };
        partitions.push(partition);
        let part = parts.entry(router.nodes.owner(partition)).or_default();
        part.entry(table.to_owned()).or_default().push(request.clone());
    }
    Ok((parts, partitions))
}

async fn send(
    router: &Router,
    asked: &Asked,
    parts: &Parts,
    body: impl Fn(&BTreeMap<String, Vec<Value>>) -> Value,
) -> Answer {
    if let Some((node, _)) = parts.first_key_value().filter(|_| parts.len() == 1) {
        return router.forward(*node, asked).await;
    }
    let calls = parts.iter().map(|(node, part)| {
        let body = body(part);
        async move { router.call(*node, &asked.operation, asked, &body).await }
    });
    let answers = join_all(calls).await;
    if let Some(refusal) = answers.iter().find(|answer| !answer.is_success()) {
        return refusal.clone();
    }
    Answer::joined(&join(answers.iter().map(Answer::value)))
}

/// Joins answers field by field: lists are appended, tables kept apart, capacity units of a table added up.
pub(super) fn join(answers: impl Iterator<Item = Value>) -> Value {
    let mut joined = Map::new();
    for answer in answers {
        let Value::Object(fields) = answer else { continue };
        for (field, value) in fields {
            match joined.get_mut(&field) {
                None => {
                    joined.insert(field, value);
                }
                Some(there) if field == "ConsumedCapacity" => add_capacity(there, value),
                Some(there) => append(there, value),
            }
        }
    }
    Value::Object(joined)
}

/// Appends lists, goes into objects, and keeps what is there of anything else (a ProjectionExpression).
fn append(there: &mut Value, more: Value) {
    match (there, more) {
        (Value::Array(there), Value::Array(more)) => there.extend(more),
        (Value::Object(there), Value::Object(more)) => {
            for (field, value) in more {
                match there.get_mut(&field) {
                    Some(there) => append(there, value),
                    None => {
                        there.insert(field, value);
                    }
                }
            }
        }
        _ => {}
    }
}

/// `[{"TableName", "CapacityUnits", ...}]`: one entry per table, its numbers added up. Scans carry one entry without a list.
pub(super) fn add_capacity(there: &mut Value, more: Value) {
    match (there, more) {
        (Value::Array(there), Value::Array(more)) => {
            for entry in more {
                match there.iter_mut().find(|known| known["TableName"] == entry["TableName"]) {
                    Some(known) => add_numbers(known, &entry),
                    None => there.push(entry),
                }
            }
        }
        (there, more) => add_numbers(there, &more),
    }
}

fn add_numbers(there: &mut Value, more: &Value) {
    match (there, more) {
        (Value::Object(there), Value::Object(more)) => {
            for (field, value) in more {
                match there.get_mut(field) {
                    Some(there) => add_numbers(there, value),
                    None => {
                        there.insert(field.clone(), value.clone());
                    }
                }
            }
        }
        (there @ Value::Number(_), Value::Number(more)) => {
            let sum = there.as_f64().unwrap_or_default() + more.as_f64().unwrap_or_default();
            *there = json!(sum);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_join_without_loss() {
        let one = json!({
            "Responses": { "t": [1, 2], "u": [7] },
            "UnprocessedKeys": { "t": { "Keys": ["a"], "ConsistentRead": true } },
            "ConsumedCapacity": [{ "TableName": "t", "CapacityUnits": 1.5 }],
        });
        let other = json!({
            "Responses": { "t": [3] },
            "UnprocessedKeys": { "t": { "Keys": ["b"], "ConsistentRead": true } },
            "ConsumedCapacity": [
                { "TableName": "t", "CapacityUnits": 2.0 }, { "TableName": "u", "CapacityUnits": 1.0 },
            ],
        });
        let expected = json!({
            "Responses": { "t": [1, 2, 3], "u": [7] },
            "UnprocessedKeys": { "t": { "Keys": ["a", "b"], "ConsistentRead": true } },
            "ConsumedCapacity": [
                { "TableName": "t", "CapacityUnits": 3.5 }, { "TableName": "u", "CapacityUnits": 1.0 },
            ],
        });
        assert_eq!(join([one, other].into_iter()), expected);
    }
}
