//! A cluster as a value: processes, settings, budgets; up and down, with nothing left behind.

pub mod budget;
pub mod files;
pub mod launch;
pub mod process;
pub mod roles;
pub mod services;
pub mod standins;
