//! DynamoDB: the store of the app and its stand-in, both inside this process, joined by the real SDK.

mod router;
mod store;
mod support;
