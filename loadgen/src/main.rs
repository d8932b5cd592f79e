//! `loadgen`: the goose users against any address, with goose's own command line. See `loadgen::users`.

use std::io::Write as _;
use std::process::ExitCode;

use goose::config::GooseConfiguration;
use loadgen::users::{Summary, UsersConfig, UsersError, run};

#[tokio::main]
async fn main() -> ExitCode {
    let configuration = GooseConfiguration::parse_args_default_or_exit();
    match run(configuration, UsersConfig::from_environment()).await {
        Ok((_, summary)) => {
            tell(&summary);
            if summary.all_failed() {
                say("loadgen: not one request had a right answer\n");
                return ExitCode::FAILURE;
            }
            ExitCode::SUCCESS
        }
        Err(UsersError::Kept { summary, problems }) => {
            tell(&summary);
            problems.into_iter().for_each(complain);
            ExitCode::FAILURE
        }
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

fn tell(summary: &Summary) {
    if !summary.is_empty() {
        say(&format!("\n{summary}"));
    }
}

/// A failure's whole chain, in one line.
fn complain(error: UsersError) {
    say(&format!("loadgen: {:#}\n", anyhow::Error::from(error)));
}

/// Whoever has closed the terminal does not read it: that is no reason to fail.
fn say(text: &str) {
    let _nobody_reads = std::io::stderr().lock().write_all(text.as_bytes());
}
