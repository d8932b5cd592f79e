//! Which partition a request belongs to: pure functions over DynamoDB's JSON.
//!
//! A key value is hashed as it is written; numbers that are equal but written differently (1 and 1.0) would part, so
//! tables with a numeric partition key are outside what the stand-in promises.

use serde_json::{Map, Value};

/// The key attributes of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeySchema {
    pub hash: String,
    pub range: Option<String>,
}

impl KeySchema {
    /// From the answer to DescribeTable.
    pub fn from_description(description: &Value) -> Option<Self> {
        let elements = description["Table"]["KeySchema"].as_array()?;
        let of = |kind: &str| {
            let element = elements.iter().find(|element| element["KeyType"] == kind)?;
            element["AttributeName"].as_str().map(str::to_owned)
        };
        Some(Self { hash: of("HASH")?, range: of("RANGE") })
    }

    /// The key attributes of an item.
    pub fn key_of(&self, item: &Value) -> Option<Value> {
        let mut key = Map::new();
        for name in [Some(&self.hash), self.range.as_ref()].into_iter().flatten() {
            key.insert(name.clone(), item.get(name)?.clone());
        }
        Some(Value::Object(key))
    }

    /// The hash of the partition that an item or key belongs to.
    pub fn partition(&self, table: &str, item_or_key: &Value) -> Option<u64> {
        attribute_hash(table, item_or_key.get(&self.hash)?)
    }
}

/// FNV-1a over the table's name and the key's text: stable across restarts and machines.
pub(super) fn hash(table: &str, key: &str) -> u64 {
    let bytes = table.bytes().chain([0]).chain(key.bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// `{"S": "..."}`, `{"N": "..."}` or `{"B": "..."}`.
fn attribute_hash(table: &str, value: &Value) -> Option<u64> {
    let (_, text) = value.as_object()?.iter().next()?;
    Some(hash(table, text.as_str()?))
}

/// The partition that a Query asks for, from `pk = :value AND ...` or from the older `KeyConditions`.
pub(super) fn query_partition(schema: &KeySchema, table: &str, query: &Value) -> Option<u64> {
    if let Some(conditions) = query.get("KeyConditions") {
        let condition = &conditions[&schema.hash];
        let value = condition["AttributeValueList"].get(0)?;
        return attribute_hash(table, value).filter(|_| condition["ComparisonOperator"] == "EQ");
    }
    let expression = query["KeyConditionExpression"].as_str()?;
    let tokens = tokens(expression);
    let name_of = |token: &'_ str| -> Option<String> {
        if token.starts_with('#') {
            return query["ExpressionAttributeNames"][token].as_str().map(str::to_owned);
        }
        Some(token.to_owned())
    };
    let placeholder = tokens.windows(3).find_map(|window| match window {
        [name, "=", value] if name_of(name).as_ref() == Some(&schema.hash) => Some(*value),
        _ => None,
    })?;
    attribute_hash(table, query["ExpressionAttributeValues"].get(placeholder)?)
}

/// Names, placeholders and operators of an expression; brackets and commas are left out.
fn tokens(expression: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let is_word = |letter: char| letter.is_alphanumeric() || "_#:.-".contains(letter);
        let is_operator = |letter: char| "=<>".contains(letter);
        let end = if is_word(first) {
            rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())
        } else if is_operator(first) {
            rest.find(|letter| !is_operator(letter)).unwrap_or(rest.len())
        } else {
            rest = &rest[first.len_utf8()..];
            continue;
        };
        tokens.push(&rest[..end]);
        rest = &rest[end..];
    }
    tokens
}

/// One action of TransactWriteItems: its kind, and the body of that kind.
pub(super) fn action(item: &Value) -> Option<(&str, &Value)> {
    let (kind, body) = item.as_object()?.iter().find(|(_, body)| !body.is_null())?;
    matches!(kind.as_str(), "Put" | "Update" | "Delete" | "ConditionCheck")
        .then_some((kind.as_str(), body))
}

/// The condition of an action as a ConditionCheck on the same item; none when it has no condition.
/// Placeholders that only the write uses are left out, because DynamoDB refuses unused ones.
pub(super) fn condition_check(schema: &KeySchema, item: &Value) -> Option<Value> {
    let (kind, body) = action(item)?;
    let condition = body.get("ConditionExpression")?.as_str()?;
    let key = match kind {
        "Put" => schema.key_of(&body["Item"])?,
        _ => body["Key"].clone(),
    };
    let mut check = Map::new();
    check.insert("TableName".to_owned(), body["TableName"].clone());
    check.insert("Key".to_owned(), key);
    check.insert("ConditionExpression".to_owned(), Value::from(condition));
    let used: Vec<&str> = tokens(condition)
        .into_iter()
        .flat_map(|token| token.split('.'))
        .filter(|part| part.starts_with(['#', ':']))
        .collect();
    for field in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
        let Some(all) = body.get(field).and_then(Value::as_object) else { continue };
        let kept: Map<String, Value> = all
            .iter()
            .filter(|(name, _)| used.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !kept.is_empty() {
            check.insert(field.to_owned(), Value::Object(kept));
        }
    }
    let on_failure = "ReturnValuesOnConditionCheckFailure";
    if let Some(wanted) = body.get(on_failure) {
        check.insert(on_failure.to_owned(), wanted.clone());
    }
    Some(serde_json::json!({ "ConditionCheck": check }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> KeySchema {
        KeySchema { hash: "pk".to_owned(), range: Some("sk".to_owned()) }
    }

    #[test]
    fn a_query_leads_to_the_partition_of_its_key() {
        let expected = schema().partition("t", &json!({ "pk": { "S": "user#1" } }));
        assert!(expected.is_some());
        let values = json!({ ":p": { "S": "user#1" }, ":s": { "S": "x" } });
        for expression in ["pk = :p", "sk < :s AND (pk=:p)", "begins_with(sk, :s) and #k = :p"] {
            let query = json!({
                "KeyConditionExpression": expression,
                "ExpressionAttributeNames": { "#k": "pk" },
                "ExpressionAttributeValues": values,
            });
            assert_eq!(query_partition(&schema(), "t", &query), expected, "{expression}");
        }
        let legacy = json!({ "KeyConditions": { "pk": {
            "ComparisonOperator": "EQ", "AttributeValueList": [{ "S": "user#1" }] } } });
        assert_eq!(query_partition(&schema(), "t", &legacy), expected);
        let without =
            json!({ "KeyConditionExpression": "sk = :p", "ExpressionAttributeValues": values });
        assert_eq!(query_partition(&schema(), "t", &without), None);
    }

    #[test]
    fn a_condition_becomes_a_check_with_its_own_placeholders_only() {
        let update = json!({ "Update": {
            "TableName": "t", "Key": { "pk": { "S": "a" }, "sk": { "S": "b" } },
            "UpdateExpression": "SET #plan = :new ADD likes :one",
            "ConditionExpression": "attribute_exists(pk) AND #plan.#inner <> :old",
            "ExpressionAttributeNames": { "#plan": "plan", "#inner": "inner" },
            "ExpressionAttributeValues": { ":new": { "S": "x" }, ":one": { "N": "1" }, ":old": { "S": "y" } },
        } });
        let check = condition_check(&schema(), &update).expect("there is a condition");
        let check = &check["ConditionCheck"];
        assert_eq!(check["ExpressionAttributeValues"], json!({ ":old": { "S": "y" } }));
        assert_eq!(check["ExpressionAttributeNames"].as_object().map(Map::len), Some(2));
        let put = json!({ "Put": { "TableName": "t", "ConditionExpression": "attribute_not_exists(pk)",
            "Item": { "pk": { "S": "a" }, "sk": { "S": "b" }, "more": { "N": "1" } } } });
        let check = condition_check(&schema(), &put).expect("there is a condition");
        assert_eq!(check["ConditionCheck"]["Key"], update["Update"]["Key"]);
        let free = json!({ "Delete": { "TableName": "t", "Key": {} } });
        assert_eq!(condition_check(&schema(), &free), None);
    }

    #[test]
    fn the_hash_is_stable() {
        assert_eq!(hash("photo-app", "user#0"), hash("photo-app", "user#0"));
        assert_ne!(hash("photo-app", "user#0"), hash("photo-app", "user#1"));
        assert_ne!(hash("ab", "c"), hash("a", "bc"));
    }
}
