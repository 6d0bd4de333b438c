//! `mastwire-router-sim`: runs a virtual MikroTik, and talks to one that runs.

mod ctl;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use jiff::Timestamp;
use model::{Clock, RouterosVersion, Secret};
use routeros_sim::device::{BOARDS, Board, Config, Mode};
use routeros_sim::simulator::{Options, Simulator};
use std::fmt::Display;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// A virtual MikroTik router: binary API, console, WireGuard tunnel, and customers who dial in.
///
/// It knows the menus that Mastwire uses and refuses everything else as RouterOS would. Nothing it does leaves this machine,
/// except the tunnel's packets to the endpoint you configure and what its scripts fetch.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run a router until it is told to stop.
    Run(Box<Run>),
    /// Do something to a router that runs, through its control socket.
    Ctl(ctl::Ctl),
    /// List the boards that can be run.
    Boards,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// The board, by name or model; `boards` lists them.
    #[arg(long, default_value = "hEX S", value_parser = Board::find)]
    board: &'static Board,
    /// The RouterOS version: menus and arguments it does not have are refused.
    #[arg(long = "routeros", default_value = "7.20.8")]
    version: RouterosVersion,
    /// The serial number, or a virtual machine's system-id; made from the seed by default.
    #[arg(long)]
    serial: Option<String>,
    /// The device-mode: home, basic, advanced or rose; the board's own by default.
    #[arg(long)]
    device_mode: Option<Mode>,
    /// The router's name.
    #[arg(long, default_value = "MikroTik")]
    identity: String,
    /// What the router's clock shows at the start, as 1970-01-02T00:00:00Z; the right time by default.
    #[arg(long, value_name = "TIME")]
    clock: Option<Timestamp>,
    /// Makes keys and shuffles repeatable; drawn at random by default.
    #[arg(long)]
    seed: Option<u64>,
    /// The password of the account admin; empty by default.
    #[arg(long, env = "ROUTER_SIM_ADMIN_PASSWORD", hide_env_values = true)]
    admin_password: Option<String>,
    /// Where programs on this machine reach the API, beside the tunnel: 127.0.0.1:8728, or port 0 for any free one.
    #[arg(long, value_name = "ADDRESS")]
    api: Option<SocketAddr>,
    /// Where connections to --api seem to come from, for the address bindings of service and accounts. Without it they pass
    /// every binding.
    #[arg(long, value_name = "IP", requires = "api")]
    api_source: Option<IpAddr>,
    /// Where to make the control socket.
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// A script to import at the start.
    #[arg(long, value_name = "FILE")]
    import: Option<PathBuf>,
}

#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the shell that reads the clock for everybody else")]
    fn now(&self) -> Timestamp {
        model::micros(Timestamp::now())
    }
}

/// Prints a line for whoever reads; a router goes on when nobody does any more.
fn say(line: impl Display) {
    let _unread = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line about what went wrong.
fn complain(line: impl Display) {
    let _unread = writeln!(std::io::stderr(), "{line}");
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let outcome = match Arguments::parse().what {
        What::Run(run) => run.run().await,
        What::Ctl(ctl) => ctl.run().await,
        What::Boards => {
            boards();
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("mastwire-router-sim: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn boards() {
    for board in BOARDS {
        let ports = board.ports.join(" ");
        say(format_args!(
            "{:<12} {:<18} {:<7} device-mode {:<9} {ports}",
            board.name,
            board.model,
            board.architecture,
            board.mode.word()
        ));
    }
}

impl Run {
    async fn run(self) -> anyhow::Result<()> {
        let script = match &self.import {
            Some(path) => Some(std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?),
            None => None,
        };
        let seed = self.seed.map_or_else(draw_seed, Ok)?;
        let mut config = Config::new(self.board, self.version, seed);
        config.identity = self.identity;
        config.clock = self.clock;
        config.serial = self.serial.unwrap_or(config.serial);
        config.mode = self.device_mode.unwrap_or(config.mode);
        say(format_args!(
            "{} ({}), RouterOS {}, serial {}, device-mode {}",
            config.identity,
            config.board.name,
            config.version,
            config.serial,
            config.mode.word()
        ));
        let mut options = Options::new(config);
        options.admin_password = self.admin_password.map(Secret::new);
        options.api = self.api;
        options.api_source = self.api_source;
        options.control.clone_from(&self.control);
        let simulator = Simulator::start(options, Arc::new(SystemClock)).await.context("cannot start the router")?;
        if let Some(address) = simulator.api_address() {
            say(format_args!("API on {address}"));
        }
        if let Some(path) = &self.control {
            say(format_args!("control socket {}", path.display()));
        }
        if let Some(script) = script {
            let ended = simulator.shared().import(&script).await?;
            ended.output.iter().for_each(say);
            ended.failures.iter().for_each(|failure| complain(format_args!("import: {failure}")));
        }
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
            () = simulator.stopped() => {}
        }
        simulator.stop().await;
        say("switched off");
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the shell that draws randomness for everybody else")]
fn draw_seed() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("cannot draw randomness: {error}"))?;
    Ok(u64::from_le_bytes(bytes))
}
