//! The binary `lightmeter`: only dispatches.

use std::process::ExitCode;

use clap::Parser;
use lightmeter::cluster::roles::{self, Role};

#[derive(Debug, Parser)]
#[command(name = "lightmeter", version)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

fn main() -> ExitCode {
    match roles::run(Cli::parse().role) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lightmeter: {error:#}");
            ExitCode::FAILURE
        }
    }
}
