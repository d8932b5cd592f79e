//! The command `run`: measure, save after each trial, report.

pub mod carry_out;
pub mod interrupt;
pub mod reconcile;
pub mod records;
pub mod substitute;
