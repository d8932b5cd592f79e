//! The binary `lightmeter`: hands the command line to [`lightmeter::cli`] and prints a failure's whole chain, once.

use std::process::ExitCode;

fn main() -> ExitCode {
    match lightmeter::cli::main(std::env::args_os()) {
        Ok(code) => code,
        Err(error) => {
            lightmeter::cli::tell(&format!("lightmeter: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
