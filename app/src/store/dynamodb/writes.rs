//! What can be written: the actions of a transaction, each with its condition, and the puts and deletes of a batch.
//!
//! An action reads like a sentence: `Action::update(key, "ADD like_count :one").when("attribute_exists(pk)")`.
//! The calls that carry them follow in `calls`.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, DeleteRequest, Put, PutRequest, TransactWriteItem,
    Update, WriteRequest,
};

use super::items::Item;
use super::keys::Key;

/// Holds when there is an item under the key.
pub(super) const EXISTS: &str = "attribute_exists(pk)";
/// Holds when there is none.
pub(super) const ABSENT: &str = "attribute_not_exists(pk)";

/// One action of a transaction.
#[derive(Debug, Clone)]
pub(super) struct Action {
    kind: Kind,
    condition: Option<String>,
    names: Option<HashMap<String, String>>,
    values: Option<HashMap<String, AttributeValue>>,
}

#[derive(Debug, Clone)]
enum Kind {
    Put(Item),
    Update(Key, String),
    Delete(Key),
    Check(Key),
}

impl Action {
    fn new(kind: Kind) -> Self {
        Self { kind, condition: None, names: None, values: None }
    }

    /// Writes an item, replacing what was there.
    pub fn put(item: Item) -> Self {
        Self::new(Kind::Put(item))
    }

    /// Changes single attributes.
    pub fn update(key: Key, expression: impl Into<String>) -> Self {
        Self::new(Kind::Update(key, expression.into()))
    }

    /// Removes an item.
    pub fn delete(key: Key) -> Self {
        Self::new(Kind::Delete(key))
    }

    /// Writes nothing, but the transaction holds only with the condition.
    pub fn check(key: Key, condition: impl Into<String>) -> Self {
        Self::new(Kind::Check(key)).when(condition)
    }

    /// The condition without which the whole transaction is refused.
    pub fn when(mut self, condition: impl Into<String>) -> Self {
        self.condition = Some(condition.into());
        self
    }

    /// The value of a placeholder such as `:one`.
    pub fn value(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.values.get_or_insert_default().insert(placeholder.to_owned(), value);
        self
    }

    /// The attribute behind a placeholder such as `#plan` (for words that DynamoDB reserves).
    pub fn attribute(mut self, placeholder: &str, name: &str) -> Self {
        self.names.get_or_insert_default().insert(placeholder.to_owned(), name.to_owned());
        self
    }

    /// Adds `by` to a counter of an item that must exist.
    pub fn count(key: Key, counter: &str, by: i64) -> Self {
        Self::update(key, format!("ADD {counter} :by"))
            .value(":by", super::keys::number(by))
            .when(EXISTS)
    }

    pub fn into_transact_item(self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let item = TransactWriteItem::builder();
        let item = match self.kind {
            Kind::Put(attributes) => item.put(
                Put::builder()
                    .table_name(table)
                    .set_item(Some(attributes))
                    .set_condition_expression(self.condition)
                    .set_expression_attribute_names(self.names)
                    .set_expression_attribute_values(self.values)
                    .build()?,
            ),
            Kind::Update(key, expression) => item.update(
                Update::builder()
                    .table_name(table)
                    .set_key(Some(key.attributes()))
                    .update_expression(expression)
                    .set_condition_expression(self.condition)
                    .set_expression_attribute_names(self.names)
                    .set_expression_attribute_values(self.values)
                    .build()?,
            ),
            Kind::Delete(key) => item.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(key.attributes()))
                    .set_condition_expression(self.condition)
                    .set_expression_attribute_names(self.names)
                    .set_expression_attribute_values(self.values)
                    .build()?,
            ),
            Kind::Check(key) => item.condition_check(
                ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(key.attributes()))
                    .set_condition_expression(self.condition)
                    .set_expression_attribute_names(self.names)
                    .set_expression_attribute_values(self.values)
                    .build()?,
            ),
        };
        Ok(item.build())
    }
}

/// One write of a batch: no condition, any order.
#[derive(Debug, Clone)]
pub(super) enum Write {
    Put(Item),
    Delete(Key),
}

impl Write {
    pub fn into_request(self) -> Result<WriteRequest, BuildError> {
        let request = WriteRequest::builder();
        Ok(match self {
            Write::Put(item) => {
                request.put_request(PutRequest::builder().set_item(Some(item)).build()?).build()
            }
            Write::Delete(key) => {
                let key = DeleteRequest::builder().set_key(Some(key.attributes())).build()?;
                request.delete_request(key).build()
            }
        })
    }
}
