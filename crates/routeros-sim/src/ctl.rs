//! `ctl`: control commands from the command line, answers as a person reads them.

use crate::say;
use anyhow::Context as _;
use clap::Subcommand;
use jiff::Timestamp;
use routeros_sim::control::{self, Command, Fault};
use routeros_sim::router::Mishap;
use serde_json::Value;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// Arguments of `ctl`.
#[derive(Debug, clap::Args)]
pub struct Ctl {
    /// The router's control socket.
    socket: PathBuf,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Asked,
}

#[derive(Debug, Subcommand)]
enum Asked {
    /// Paste a file, or standard input, into the router's terminal.
    Paste { file: Option<PathBuf> },
    /// Import a file, or standard input, as /import does.
    Import { file: Option<PathBuf> },
    /// Run one console line: ctl SOCKET console /ip address print
    Console {
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Switch on a PPPoE customer, who dials and stays.
    Dial {
        name: String,
        password: String,
        /// The port it is on, with the VLAN of its packets behind a colon: ether2:120.
        #[arg(long, default_value = "ether2")]
        interface: String,
        /// Its MAC address; one is made up by default.
        #[arg(long, default_value = "")]
        mac: String,
    },
    /// Switch customers off, by name, MAC address or address.
    Hangup { name: String },
    /// Bring a device to a hotspot; with a user it logs in.
    Hotspot {
        mac: String,
        user: Option<String>,
        password: Option<String>,
        /// The port or bridge it is on.
        #[arg(long, default_value = "ether2")]
        interface: String,
    },
    /// Switch on a host with an address of its own.
    Static { address: Ipv4Addr },
    /// Bring a device to a network in which addresses are given out.
    Dhcp {
        mac: String,
        /// The port or bridge it is on.
        #[arg(long, default_value = "ether2")]
        interface: String,
        /// The address that it takes without asking.
        #[arg(long)]
        address: Option<Ipv4Addr>,
    },
    /// Tell how every customer fares.
    Customers,
    /// Tell whether the firewall lets a packet in to the router itself: ctl SOCKET knock 192.0.2.9 ether1 udp 53
    Knock {
        source: Ipv4Addr,
        /// The interface it comes in by.
        interface: String,
        /// tcp, udp or icmp.
        protocol: String,
        #[arg(default_value_t = 0)]
        port: u16,
    },
    /// Ping an address through the tunnel that has a peer for it.
    Ping { address: Ipv4Addr },
    /// Print a menu: ctl SOCKET print /ppp/active name=asha
    Print { path: String, queries: Vec<String> },
    /// Let something go wrong, or right again.
    #[command(subcommand)]
    Fault(Wrong),
    /// Set the router's clock, or move the whole simulated world forward.
    Clock {
        /// What the router's clock shows from now on, as 1970-01-02T00:00:00Z.
        #[arg(long)]
        set: Option<Timestamp>,
        /// Seconds to move forward.
        #[arg(long, default_value_t = 0)]
        advance: u64,
    },
    /// Tell which router this is and how its tunnels are.
    Status,
    /// Show the API sentences that arrived, secrets removed.
    Transcript,
    /// Switch the router off.
    Shutdown,
}

#[derive(Debug, Subcommand)]
enum Wrong {
    /// Lose the answers to the next writes over the API.
    LoseReplies {
        #[arg(default_value_t = 1)]
        count: u32,
    },
    /// Cut the uplink.
    CutLink,
    /// Mend the uplink.
    RestoreLink,
    /// Take the internet away behind the uplink.
    InternetDown,
    /// Bring the internet back.
    InternetUp,
    /// Restart the router.
    Reboot,
    /// Press the button on the box, which confirms a device-mode that was asked for.
    Button,
    /// Send slowly over the API; without a speed, at full speed again.
    Slow { bytes_per_second: Option<u32> },
    /// Let something go wrong at one command over the API: ctl SOCKET fault strike restart /ppp/secret add
    Strike {
        /// What: lose-reply, cut, restart, slow, full-flash, wrong-clock, no-permission, device-mode, session-limit, other-admin.
        #[arg(value_parser = mishap)]
        mishap: Mishap,
        /// The command's menu.
        menu: String,
        /// The command.
        command: String,
        /// At how many of these from now on.
        #[arg(default_value_t = 1)]
        nth: u32,
        /// What another administrator types.
        #[arg(long, default_value = "")]
        lines: String,
    },
    /// Set right whatever went wrong.
    Mend,
    /// Take this long over each write; without a time, no longer than the work itself.
    SlowWrites { microseconds: Option<u32> },
    /// Shuffle commands in flight from another seed.
    Shuffle { seed: u64 },
}

impl Wrong {
    fn fault(self) -> Fault {
        match self {
            Self::LoseReplies { count } => Fault::LoseReplies { count },
            Self::CutLink => Fault::CutLink,
            Self::RestoreLink => Fault::RestoreLink,
            Self::InternetDown => Fault::Internet { up: false },
            Self::InternetUp => Fault::Internet { up: true },
            Self::Reboot => Fault::Reboot,
            Self::Button => Fault::Button,
            Self::Slow { bytes_per_second } => Fault::Slow { bytes_per_second },
            Self::Strike { mishap, menu, command, nth, lines } => Fault::Strike { mishap, menu, command, nth, lines },
            Self::Mend => Fault::Mend,
            Self::SlowWrites { microseconds } => Fault::SlowWrites { microseconds },
            Self::Shuffle { seed } => Fault::Shuffle { seed },
        }
    }
}

/// Reads a mishap by the name that the control socket knows it by.
fn mishap(text: &str) -> Result<Mishap, serde_json::Error> {
    serde_json::from_value(Value::from(text))
}

fn text_of(file: Option<PathBuf>) -> anyhow::Result<String> {
    match file {
        Some(path) => std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display())),
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
            Ok(text)
        }
    }
}

impl Asked {
    fn command(self) -> anyhow::Result<Command> {
        Ok(match self {
            Self::Paste { file } => Command::Paste { text: text_of(file)? },
            Self::Import { file } => Command::Import { text: text_of(file)? },
            Self::Console { words } => Command::Paste { text: words.join(" ") },
            Self::Dial { name, password, interface, mac } => Command::Dial { name, password, interface, mac },
            Self::Hangup { name } => Command::Hangup { name },
            Self::Hotspot { mac, user, password, interface } => {
                Command::HotspotLogin { mac, interface, user, password: password.unwrap_or_default() }
            }
            Self::Static { address } => Command::Static { address },
            Self::Dhcp { mac, interface, address } => Command::Dhcp { mac, interface, address },
            Self::Customers => Command::Customers,
            Self::Knock { source, interface, protocol, port } => Command::Knock { source, interface, protocol, port },
            Self::Ping { address } => Command::Ping { address },
            Self::Print { path, queries } => Command::Print { path, queries },
            Self::Fault(wrong) => Command::Fault(wrong.fault()),
            Self::Clock { set, advance } => Command::Clock { set, advance },
            Self::Status => Command::Status,
            Self::Transcript => Command::Transcript,
            Self::Shutdown => Command::Shutdown,
        })
    }
}

impl Ctl {
    /// Does what was asked and prints the answer.
    pub async fn run(self) -> anyhow::Result<()> {
        let command = self.command.command()?;
        let answer = control::ask(&self.socket, &command).await;
        let answer = answer.with_context(|| format!("no router answers on {}", self.socket.display()))?;
        let answer = answer.map_err(|error| anyhow::anyhow!(error))?;
        if self.json {
            say(format_args!("{answer:#}"));
        } else {
            show(&answer);
        }
        match answer["failures"].as_array().map(Vec::len) {
            Some(count) if count > 0 => anyhow::bail!("{count} command(s) failed"),
            _ => Ok(()),
        }
    }
}

/// Prints an answer as lines: a list one item a line, an object one value a line.
fn show(answer: &Value) {
    match answer {
        Value::Null => say("done"),
        Value::Array(items) => items.iter().for_each(|item| say(line(item))),
        Value::Object(fields) if fields.contains_key("output") => {
            for part in ["output", "failures"] {
                fields[part].as_array().into_iter().flatten().for_each(|item| say(line(item)));
            }
        }
        Value::Object(fields) => fields.iter().for_each(|(name, value)| say(format_args!("{name:<16} {}", line(value)))),
        other => say(line(other)),
    }
}

fn line(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(line).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}={}", line(value))).collect::<Vec<_>>().join("  ")
        }
        Value::Null => "-".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}
