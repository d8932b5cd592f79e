//! The front door as a library: experiments as data, the plan of trials, the cluster they run on, and the commands.
//!
//! Module map, in the order a command meets them: `cli` (words -> a command) -> `experiment` (a TOML file -> one
//! question as data; `check` explains every mistake) -> `plan` (the order of trials, pure) -> `run` (carries the plan
//! out and saves after each trial, while `progress` talks) -> `cluster` (the processes that are measured). `cloud` is the way to
//! stacks that are deployed on AWS.

pub mod check;
pub mod cli;
pub mod cloud;
pub mod cluster;
pub mod doctor;
pub mod experiment;
pub mod machine;
pub mod plan;
pub mod progress;
pub mod run;
pub mod up;
