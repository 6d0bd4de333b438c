//! The program: `serve` runs the controller, a few commands work on its machine, and all others talk to its API.

use clap::Parser as _;
use controller::cli;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // One provider in the whole program: reqwest is built without one of its own.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    match cli::Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::print_error(&error);
            ExitCode::from(cli::exit_code(&error))
        }
    }
}
