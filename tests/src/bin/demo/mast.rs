//! A virtual router on a mast, as a process of its own, with what the world does to it.

use crate::process::{Daemon, until};
use anyhow::{Context as _, anyhow, ensure};
use model::RouterosVersion;
use routeros::codec::Sentence;
use routeros_sim::control::{self, Command};
use serde_json::Value;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

/// Far longer than anything at a router takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a router joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// The whole block is pasted.
    Block,
    /// The line is pasted, which fetches the block.
    Line,
}

impl Road {
    /// Returns the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Line => "line",
        }
    }
}

/// Which router stands on a mast, and what it is to offer.
#[derive(Debug)]
pub struct Spec {
    /// Whose it is, by position.
    pub isp: usize,
    /// What both the ISP and the box call it.
    pub name: &'static str,
    /// The board.
    pub board: &'static str,
    /// The RouterOS version.
    pub version: &'static str,
    /// The device-mode.
    pub mode: &'static str,
    /// How it joins.
    pub road: Road,
    /// What a person does at its terminal before customers are served.
    pub prepare: &'static str,
    /// The port on which customers dial in.
    pub pppoe: &'static str,
    /// The port with a login page.
    pub hotspot: Option<&'static str>,
}

/// The four routers: the same names at both ISPs, three versions, four boards, every device-mode that matters, both roads.
pub const SPECS: [Spec; 4] = [
    Spec {
        isp: 0,
        name: "mast-1",
        board: "RB5009",
        version: "7.22.3",
        mode: "advanced",
        road: Road::Block,
        prepare: "/interface bridge port remove [find interface=ether5]",
        pppoe: "ether5",
        hotspot: None,
    },
    Spec {
        isp: 1,
        name: "mast-1",
        board: "hEX S",
        version: "7.20.8",
        mode: "home",
        road: Road::Block,
        prepare: "/interface bridge port remove [find interface=ether5]",
        pppoe: "ether5",
        hotspot: None,
    },
    Spec {
        isp: 0,
        name: "mast-2",
        board: "CHR",
        version: "7.21.5",
        mode: "advanced",
        road: Road::Line,
        prepare: "/ip address add address=192.168.88.1/24 interface=ether4\n\
                  /ip firewall nat add chain=srcnat action=masquerade out-interface=ether1",
        pppoe: "ether2",
        hotspot: Some("ether3"),
    },
    Spec {
        isp: 1,
        name: "mast-2",
        board: "hAP ax2",
        version: "7.20.8",
        mode: "advanced",
        road: Road::Block,
        prepare: "/interface bridge port remove [find interface=ether4]\n/interface bridge port remove [find interface=ether5]",
        pppoe: "ether4",
        hotspot: Some("ether5"),
    },
];

/// A router that runs.
#[derive(Debug)]
pub struct Mast {
    /// What it is.
    pub spec: &'static Spec,
    /// The process.
    pub daemon: Daemon,
    /// Where the world reaches it.
    pub socket: PathBuf,
    /// The serial number on its label.
    pub serial: String,
    /// The controller's id for it.
    pub id: String,
    /// Its address in the tunnel.
    pub address: Ipv4Addr,
    /// From the paste until it had joined.
    pub joined: Duration,
    /// Writes of the first apply.
    pub writes: u64,
}

impl Mast {
    /// Does something to the router.
    pub async fn ask(&self, command: Command) -> anyhow::Result<Value> {
        let answer = control::ask(&self.socket, &command).await;
        let answer = answer.with_context(|| format!("the router on {} does not answer", self.socket.display()))?;
        answer.map_err(|text| anyhow!("{}: {text}", self.spec.name))
    }

    /// Types or pastes text at the router's terminal; returns what it printed.
    pub async fn paste(&self, text: &str) -> anyhow::Result<String> {
        let ended = self.ask(Command::Paste { text: text.to_owned() }).await?;
        let lines = |part: &str| -> Vec<String> {
            ended[part].as_array().into_iter().flatten().filter_map(|line| line.as_str().map(str::to_owned)).collect()
        };
        let failures = lines("failures");
        ensure!(failures.is_empty(), "the terminal of {} says: {}", self.spec.name, failures.join("; "));
        Ok(lines("output").join("\n"))
    }

    /// Returns how a customer fares, by dial-in name, MAC address or address; null when there is none.
    pub async fn customer(&self, name: &str) -> anyhow::Result<Value> {
        let all = self.ask(Command::Customers).await?;
        let found = all.as_array().into_iter().flatten().find(|customer| customer["name"] == name);
        Ok(found.cloned().unwrap_or(Value::Null))
    }

    /// Waits until a customer is online, or not.
    pub async fn wait(&self, name: &str, online: bool) -> anyhow::Result<Value> {
        let what = format!("{name} is {} at {}", if online { "online" } else { "held back" }, self.spec.name);
        until(&what, PATIENCE, async || {
            let customer = self.customer(name).await?;
            Ok((customer["online"] == online).then_some(customer))
        })
        .await
    }

    /// Has a PPPoE customer's box dial in, and stay.
    pub async fn dial(&self, name: &str, password: &str) -> anyhow::Result<()> {
        let (name, password, interface) = (name.to_owned(), password.to_owned(), self.spec.pppoe.to_owned());
        self.ask(Command::Dial { name, password, interface, mac: String::new() }).await.map(drop)
    }

    /// Returns every API sentence that arrived, secrets removed.
    pub async fn transcript(&self) -> anyhow::Result<Vec<Sentence>> {
        let sentences: Vec<Vec<String>> = serde_json::from_value(self.ask(Command::Transcript).await?)?;
        Ok(sentences.into_iter().map(Sentence::new).collect())
    }

    /// Returns its RouterOS version.
    pub fn version(&self) -> RouterosVersion {
        self.spec.version.parse().expect("the table above holds versions")
    }
}
