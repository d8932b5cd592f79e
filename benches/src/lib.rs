//! What the benches share: private servers on loopback, and the imaging work of other crates. The benches themselves are in `benches/`, one per layer.

pub mod mariadb;
#[cfg(feature = "peers")]
pub mod peers;
pub mod redis;
