//! `loadgen`: the goose users against any address, with goose's own command line. See `loadgen::users`.

use std::io::Write as _;

use goose::config::GooseConfiguration;
use loadgen::users::{UsersConfig, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let configuration = GooseConfiguration::parse_args_default_or_exit();
    let (_, summary) = run(configuration, UsersConfig::from_environment()).await?;
    if !summary.lines.is_empty() || !summary.errors.is_empty() {
        write!(std::io::stderr().lock(), "\n{summary}")?;
    }
    Ok(())
}
