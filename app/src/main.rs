//! `photo-app`: hands the command line to `cli`, where the roles serve, work, migrate and seed are.

fn main() -> std::process::ExitCode {
    photo_app::cli::run(std::env::args_os().collect())
}
