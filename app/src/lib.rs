//! The photo app: sign up, follow, upload, like, comment - the workload that Lightmeter measures.
//!
//! Module map, in the order a request meets them:
//! `config` (raw flags and environment -> one checked struct) -> `state` (the only place that matches on a
//! backend kind) -> `server` (connections; `unread` reads on what a handler left of a body) -> `router` (every URL on one line) -> `routes` (a file per page family) -> the four traits
//! `store`, `assets`, `cache`, `jobs` -> their backends. `model` holds the words of the domain, `imaging` the
//! pixels; neither does I/O nor reads a clock (`clock` does). `sweep` puts right what crashes leave behind.

pub mod assets;
pub mod aws;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod imaging;
pub mod jobs;
pub mod letters;
pub mod memory;
pub mod model;
pub mod password;
pub mod places;
pub mod process;
pub mod redis_client;
pub mod router;
pub mod routes;
pub mod seed;
pub mod server;
pub mod session;
pub mod state;
pub mod store;
pub mod sweep;
pub mod telemetry;
pub mod templates;
pub mod unread;
