//! What the benches share: private servers on loopback. The benches themselves are in `benches/`, one per layer.

pub mod mariadb;
pub mod redis;
