//! `cargo lab run --target` and `cargo lab cloud` end to end, without an account: local stacks play deployed stages (the same outputs
//! file, loopback addresses), and a script named `aws` on the path plays AWS's command line tool.

mod commands;
mod runs;
mod stage;
