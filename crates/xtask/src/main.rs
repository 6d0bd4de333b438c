//! The project's own commands: set-up, tests, house rules, benches, loads and the demo.
//!
//! `cargo xtask --help` lists them. Everything here only starts and judges other programs; it decides nothing about routers or money.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "these commands talk to a person at a terminal")]

mod bench;
mod demo;
mod load;
mod process;
mod setup;
mod suite;
mod tidy;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Mastwire's own commands: get ready, test, tidy, measure, show.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Finds or installs what this project needs.
    ///
    /// Needed: the server programs of PostgreSQL 15 or newer, and a C compiler. What is missing is installed on Debian and Ubuntu, as root
    /// or by sudo that asks for no password; it says what it does before it does it. No system-wide database server is started.
    /// On other systems it names what to install. Programs outside the usual folders are found by MASTWIRE_PG_BIN, the folder they lie in.
    ///
    /// Optional: python3 with librouteros, and wireguard-go; their tests say when they skip.
    Setup,
    /// Runs every test of the workspace, after `setup`, and sums the results.
    ///
    /// Closes with `N passed, N failed`.
    Test {
        /// Builds the release programs too, and runs the tests on them with many more generated cases.
        #[arg(long)]
        long: bool,
    },
    /// Checks the house rules that the compiler cannot see, and says why each stands.
    ///
    /// It prints file and line, the rule, its reason and the remedy. It runs as a test of this package as well.
    Tidy,
    /// Measures the hot paths against a peer that does the same work.
    ///
    /// It prints a table, writes bench/NAME.json in the target folder, and fails when a target is missed.
    Bench {
        /// The bench to run; without a name, all of them.
        #[arg(value_parser = bench::names())]
        name: Option<String>,
    },
    /// Fills a data folder with ISPs, their customers and twelve months of sessions.
    ///
    /// What is chosen follows from the seed: names, packages, payments with their books, sessions, tickets and the audit log; the largest ISP
    /// has a tenth of everything. It builds with optimisation first. A controller can be started on the folder, and audited.
    Load(load::Load),
    /// Starts a controller and four virtual routers, and takes them from a paste to a paid customer online.
    ///
    /// After `setup` it builds both programs and starts the demo, which prints a timeline and stays up until Ctrl-C.
    Demo {
        /// Ends after the timeline: with 0 when all went well, else with a clear failure.
        #[arg(long)]
        once: bool,
    },
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Setup => {
            setup::ssh_server();
            setup::setup(setup::Detail::WithExtras).map(drop)
        }
        Command::Test { long } => suite::test(long),
        Command::Tidy => tidy::tidy(),
        Command::Bench { name } => bench::bench(name.as_deref()),
        Command::Load(load) => load.run(),
        Command::Demo { once } => demo::demo(once),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::CommandFactory;

    #[test]
    fn command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
