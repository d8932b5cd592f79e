//! Scan over all nodes, one after the other. The place to go on from says which node it is on.

use serde_json::{Map, Value, json};

use super::answers::Answer;
use super::batches::add_capacity;
use super::router::{Asked, Router};

/// The attribute in LastEvaluatedKey that names the node; clients hand it back without looking.
const NODE: &str = "__lightmeter_node";

pub(super) async fn scan(router: &Router, asked: &Asked) -> Answer {
    let mut start = match asked.value.get("ExclusiveStartKey") {
        Some(Value::Object(key)) => key.clone(),
        _ => Map::new(),
    };
    let first = match start.remove(NODE) {
        Some(node) => {
            node["N"].as_str().and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
        }
        None => 0,
    };
    if first >= router.nodes.count() {
        return Answer::refused("The provided starting key is invalid");
    }
    let limit = asked.value["Limit"].as_u64();
    let mut joined = json!({ "Count": 0, "ScannedCount": 0 });
    for node in first..router.nodes.count() {
        let mut body = asked.value.clone();
        let scanned = joined["ScannedCount"].as_u64().unwrap_or_default();
        if let Some(limit) = limit {
            body["Limit"] = json!(limit - scanned);
        }
        if let Some(fields) = body.as_object_mut() {
            fields.remove("ExclusiveStartKey");
        }
        if !start.is_empty() {
            body["ExclusiveStartKey"] = Value::Object(std::mem::take(&mut start));
        }
        let answer = router.call(node, "Scan", asked, &body).await;
        if !answer.is_success() {
            return answer;
        }
        let last = add(&mut joined, answer.value());
        let full = limit.is_some_and(|limit| joined["ScannedCount"].as_u64() >= Some(limit));
        let next = match last {
            Some(mut key) => {
                key.insert(NODE.to_owned(), json!({ "N": node.to_string() }));
                key
            }
            None if full && node + 1 < router.nodes.count() => {
                Map::from_iter([(NODE.to_owned(), json!({ "N": (node + 1).to_string() }))])
            }
            None => continue,
        };
        joined["LastEvaluatedKey"] = Value::Object(next);
        break;
    }
    Answer::joined(&joined)
}

/// Adds one node's part and returns where that node stopped.
fn add(joined: &mut Value, part: Value) -> Option<Map<String, Value>> {
    let Value::Object(fields) = part else { return None };
    let mut last = None;
    for (field, value) in fields {
        match (field.as_str(), value) {
            ("LastEvaluatedKey", Value::Object(key)) => last = Some(key),
            ("Items", Value::Array(items)) => match &mut joined["Items"] {
                Value::Array(there) => there.extend(items),
                there => *there = Value::Array(items),
            },
            ("Count" | "ScannedCount", Value::Number(count)) => {
                let sum = joined[&field].as_u64().unwrap_or_default();
                joined[&field] = json!(sum + count.as_u64().unwrap_or_default());
            }
            ("ConsumedCapacity", value) if !joined["ConsumedCapacity"].is_null() => {
                add_capacity(&mut joined["ConsumedCapacity"], value);
            }
            (_, value) => joined[&field] = value,
        }
    }
    last
}
