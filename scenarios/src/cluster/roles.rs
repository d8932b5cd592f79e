//! The roles that `lightmeter` plays inside a cluster, as one subcommand each.
//!
//! People do not start these: the cluster starts its own binary again with another first word. The command
//! line (`cli`) flattens this enum into its own, hidden from the help.

use std::ffi::OsString;
use std::process::ExitCode;

use super::balancer::{self, BalancerArgs};
use super::cdn::{self, CdnArgs};
use super::http::run_role;
use super::launch::{self, LaunchArgs};
use super::link::{self, LinkArgs};
use super::null_server::{self, NullServerArgs};
use super::standins::{dynamodb, s3, sqs};

/// A role of the binary.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Role {
    /// Be the photo app: `app serve`, `app work`, `app migrate`, `app seed`, with its own flags.
    #[command(hide = true, disable_help_flag = true)]
    App {
        /// As for the program `photo-app`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Set up a program's budget and cores, and become it.
    #[command(hide = true)]
    Launch(LaunchArgs),
    /// Spread requests over web servers.
    #[command(hide = true)]
    Balancer(BalancerArgs),
    /// Be an edge of a CDN in front of an object store.
    #[command(hide = true)]
    Cdn(CdnArgs),
    /// Add distance and bandwidth in front of an address.
    #[command(hide = true)]
    Link(LinkArgs),
    /// Answer every request with the same 1 KiB.
    #[command(hide = true)]
    NullServer(NullServerArgs),
    /// Speak the API of a cloud service.
    #[command(hide = true, subcommand)]
    Standin(StandIn),
}

/// A cloud service on loopback.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum StandIn {
    /// DynamoDB: the router in front of its nodes.
    Dynamodb(dynamodb::RouterArgs),
    /// One node of DynamoDB.
    DynamodbNode(dynamodb::NodeArgs),
    /// S3.
    S3(s3::S3Args),
    /// SQS.
    Sqs(sqs::SqsArgs),
}

/// Plays a role until it is told to stop (SIGTERM).
///
/// # Errors
/// The role could not begin, such as an address in use.
pub fn run(role: Role) -> anyhow::Result<ExitCode> {
    // The app has logs of its own; `launch` becomes another program.
    if !matches!(role, Role::App { .. } | Role::Launch(_)) {
        log_to_stderr();
    }
    match role {
        Role::App { arguments } => {
            let program = OsString::from("photo-app");
            let line = std::iter::once(program).chain(arguments).collect();
            return Ok(photo_app::cli::run(line));
        }
        // It does not come back: it becomes the program.
        Role::Launch(args) => match launch::run(args)? {},
        Role::Balancer(args) => balancer::run(args)?,
        Role::Cdn(args) => cdn::run(args)?,
        Role::Link(args) => link::run(args)?,
        Role::NullServer(args) => null_server::run(args)?,
        Role::Standin(StandIn::Dynamodb(args)) => run_role(dynamodb::run_router(args))?,
        Role::Standin(StandIn::DynamodbNode(args)) => run_role(dynamodb::run_node(args))?,
        Role::Standin(StandIn::S3(args)) => run_role(s3::run(args))?,
        Role::Standin(StandIn::Sqs(args)) => run_role(sqs::run(args))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A role's talk goes to its log file, without colours. `RUST_LOG` chooses what.
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    // The command line may have set one up already; then that one serves.
    let _already_set = subscriber.try_init();
}
