//! The two ends of a first contact by SSH, for its scenario: `cli …` is the command line of the controller, `console SOCKET ACCOUNT` is what an
//! SSH server starts for an `exec` request on a virtual router.

use anyhow::{Context as _, bail};
use clap::Parser as _;
use controller::cli;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut words = std::env::args_os();
    let program = words.next().context("a program has a name")?;
    let role = words.next().unwrap_or_default();
    if role == "cli" {
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            bail!("a TLS provider was installed already");
        }
        return Ok(match cli::Cli::parse_from(std::iter::once(program).chain(words)).run().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                cli::print_error(&error);
                ExitCode::from(cli::exit_code(&error))
            }
        });
    }
    let (Some(socket), Some(account)) = (words.next(), words.next()) else { bail!("first-contact console SOCKET ACCOUNT") };
    let text = std::env::var("SSH_ORIGINAL_COMMAND").context("no command came over SSH")?;
    let account = account.to_str().context("an account's name is text")?;
    let mut out = std::io::stdout();
    let said = |line: &str| {
        // RouterOS ends its lines so; whoever listens may be gone.
        drop(write!(out, "{line}\r\n").and_then(|()| out.flush()));
    };
    let good = routeros_sim::control::exec(Path::new(&socket), account, &text, said).await?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
