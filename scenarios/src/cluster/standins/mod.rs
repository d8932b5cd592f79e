//! Stand-ins: local programs that speak a cloud service's API, so that the app runs with the client that production uses.

pub mod dynamodb;
