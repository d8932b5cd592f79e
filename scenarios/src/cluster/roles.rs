//! The roles that `lightmeter` plays inside a cluster, as one subcommand each.
//!
//! People do not start these: the cluster starts its own binary again with another first word. The command
//! line (`cli`) flattens this enum into its own, hidden from the help.

use std::process::ExitCode;

use super::launch::{self, LaunchArgs};

/// A role of the binary.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Role {
    /// Set up a program's budget and cores, and become it.
    #[command(hide = true)]
    Launch(LaunchArgs),
}

/// Plays a role until it is told to stop (SIGTERM).
///
/// # Errors
/// The role could not begin, such as an address in use.
pub fn run(role: Role) -> anyhow::Result<ExitCode> {
    match role {
        Role::Launch(args) => match launch::run(args)? {},
    }
}
