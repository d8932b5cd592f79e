//! The app as a browser meets it: real HTTP on a free port, the memory and SQLite stores, assets in a folder that vanishes.
//!
//! `support` starts a site and plays the browser; the other files hold the tests by subject.

mod budgets;
mod credentials;
mod early_answers;
mod flow;
mod letters;
mod links;
mod origins;
mod pages;
mod safety;
mod server;
mod support;
mod uploads;
mod validators;
