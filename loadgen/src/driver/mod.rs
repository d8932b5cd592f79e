//! The driver: an open loop over hyper that follows its schedule whatever the server does.

mod types;

pub use self::types::*;
