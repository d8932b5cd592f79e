//! The cluster's parts on this machine: services, budgets, links, balancer, CDN, and that nothing is left behind.
//!
//! No test here asserts how long something took. Budgets are judged by the kernel's accounts, links by
//! generous bands around what was configured, everything else by what it did.

mod balancer;
mod budgets;
mod cdn;
mod links;
mod processes;
mod services;
mod stacks;
mod support;
mod web;
