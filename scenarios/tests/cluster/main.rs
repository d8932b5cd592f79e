//! The cluster's parts on this machine: services, budgets, links, balancer, CDN, and that nothing is left behind.
//!
//! No test here asserts how long something took. Budgets and links are judged by accounts and by generous bands
//! around what was configured.

mod processes;
mod services;
mod support;
