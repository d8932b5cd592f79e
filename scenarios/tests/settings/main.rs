//! The settings that terraform/ and compose.yaml write, held against the app's own `Config`: names, words, defaults and constants.
//!
//! The app itself is the judge: every set of settings goes through its command line and its checks, exactly as at a start. Only the few
//! numbers that have no setting (a path, a heartbeat, a lifetime) are read out of terraform's text by `text`. No terraform and no
//! account is needed; what terraform alone can know is checked by terraform/check.sh.

mod app;
mod compose;
mod terraform;
mod text;
mod variables;
