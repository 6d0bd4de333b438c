//! As much of the firewall as decides whether a packet gets through: chains, address lists, addresses, protocol, ports,
//! interfaces. A rule with a condition that is not among these matches nothing.

use super::Device;
use super::table::Row;
use std::net::Ipv4Addr;

/// A packet of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Where it comes from.
    pub source: Ipv4Addr,
    /// Where it goes.
    pub destination: Ipv4Addr,
    /// `tcp`, `udp` or `icmp`.
    pub protocol: &'static str,
    /// The port it goes to; zero for none.
    pub port: u16,
    /// The interface it comes in by.
    pub interface: &'a str,
    /// What the connection is to the router: `new` for its first packet, `established` for the later ones.
    pub state: &'static str,
}

/// Where a customer's packet ends up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It leaves for the internet.
    Internet,
    /// A rule sends it somewhere else; the comment of the rule.
    Redirected(String),
    /// A rule stops it; the comment of the rule.
    Blocked(String),
    /// The uplink does not work.
    NoUplink,
}

const FILTER: &str = "/ip/firewall/filter";

/// The deepest that chains may jump into each other.
const MAX_JUMPS: u8 = 16;

enum Verdict {
    Accept,
    Stop(String),
    Nat(String),
    FastTrack,
    Return,
}

impl Device {
    /// Follows a packet from a customer towards the internet.
    #[must_use]
    pub fn reach(&self, packet: Packet<'_>) -> Reach {
        if let Some(Verdict::Nat(comment)) = self.walk("/ip/firewall/nat", "dstnat", packet, 0) {
            return Reach::Redirected(comment);
        }
        if let Some(Verdict::Stop(comment)) = self.walk(FILTER, "forward", packet, 0) {
            return Reach::Blocked(comment);
        }
        if self.config.internet { Reach::Internet } else { Reach::NoUplink }
    }

    /// Says whether the router itself takes a packet.
    #[must_use]
    pub fn accepts(&self, packet: Packet<'_>) -> bool {
        !matches!(self.walk(FILTER, "input", packet, 0), Some(Verdict::Stop(_)))
    }

    /// Says whether FastTrack carries the connections of an address once they are established.
    #[must_use]
    pub fn fasttracked(&self, address: Ipv4Addr, interface: &str) -> bool {
        let handed_over = self.established(address, interface).map(|packet| self.walk(FILTER, "forward", packet, 0));
        handed_over.iter().any(|verdict| matches!(verdict, Some(Verdict::FastTrack)))
    }

    /// Says whether a connection that an address has open to the internet goes on. What FastTrack carries goes on, because it meets no rule
    /// any more.
    #[must_use]
    pub fn goes_on(&self, address: Ipv4Addr, interface: &str) -> bool {
        let stopped = || self.established(address, interface).iter().any(|packet| self.stops(*packet));
        self.config.internet && (self.fasttracked(address, interface) || !stopped())
    }

    fn stops(&self, packet: Packet<'_>) -> bool {
        matches!(self.walk(FILTER, "forward", packet, 0), Some(Verdict::Stop(_)))
    }

    /// Packets of an open connection to the internet: one out, one back.
    fn established<'a>(&'a self, address: Ipv4Addr, interface: &'a str) -> [Packet<'a>; 2] {
        let outside = Ipv4Addr::new(1, 1, 1, 1);
        let packet = |source, destination, interface| Packet {
            source,
            destination,
            protocol: "tcp",
            port: 443,
            interface,
            state: "established",
        };
        [packet(address, outside, interface), packet(outside, address, self.uplink())]
    }

    fn walk(&self, path: &str, chain: &str, packet: Packet<'_>, depth: u8) -> Option<Verdict> {
        for rule in self.rows(path).filter(|rule| rule.get("chain") == chain && !rule.is("disabled")) {
            if !self.rule_matches(rule, packet) {
                continue;
            }
            let comment = || rule.get("comment").to_owned();
            let verdict = match rule.get("action") {
                "accept" => Verdict::Accept,
                "drop" | "reject" | "tarpit" => Verdict::Stop(comment()),
                "dst-nat" | "redirect" | "netmap" => Verdict::Nat(comment()),
                "return" => Verdict::Return,
                // Later packets of the connection pass by rules and queues (manual, "FastTrack").
                "fasttrack-connection" => Verdict::FastTrack,
                "jump" if depth < MAX_JUMPS => match self.walk(path, rule.get("jump-target"), packet, depth + 1) {
                    None | Some(Verdict::Return) => continue,
                    Some(verdict) => verdict,
                },
                _ => continue,
            };
            return Some(verdict);
        }
        None
    }

    fn rule_matches(&self, rule: &Row, packet: Packet<'_>) -> bool {
        let conditions = rule.fields.iter().filter(|(_, value)| !value.is_empty());
        conditions.into_iter().all(|(name, value)| {
            let (wanted, value) = value.strip_prefix('!').map_or((true, value.as_str()), |rest| (false, rest));
            let holds = match *name {
                "chain" | "action" | "comment" | "disabled" | "log" | "log-prefix" | "to-addresses" | "to-ports"
                | "jump-target" | "reject-with" | "bytes" | "packets" => return true,
                "src-address" => in_range(value, packet.source),
                "dst-address" => in_range(value, packet.destination),
                "src-address-list" => self.listed(value, packet.source),
                "dst-address-list" => self.listed(value, packet.destination),
                "protocol" => value == packet.protocol,
                "dst-port" => value.split(',').any(|item| in_ports(item, packet.port)),
                "in-interface" => self.comes_by(value, packet.interface),
                "dst-address-type" => value == "unicast",
                "out-interface" => value == self.uplink(),
                "out-interface-list" => self.in_list(value, self.uplink()),
                "in-interface-list" => self.in_list(value, packet.interface),
                "connection-state" => value.split(',').any(|state| state == packet.state),
                _ => return false,
            };
            holds == wanted
        })
    }

    /// Returns the interface that packets for the internet leave by.
    fn uplink(&self) -> &str {
        self.rows("/ip/dhcp-client").next().map_or("", |row| row.get("interface"))
    }

    fn comes_by(&self, wanted: &str, interface: &str) -> bool {
        wanted == interface || (wanted == "all-ppp" && interface.starts_with("<pppoe-"))
    }

    fn in_list(&self, list: &str, interface: &str) -> bool {
        let member = |row: &Row| row.get("list") == list && row.get("interface") == interface && !row.is("disabled");
        list == "all" || self.rows("/interface/list/member").any(member)
    }

    /// Says whether an address is on an address list.
    #[must_use]
    pub fn listed(&self, list: &str, address: Ipv4Addr) -> bool {
        self.rows("/ip/firewall/address-list")
            .any(|row| row.get("list") == list && !row.is("disabled") && in_range(row.get("address"), address))
    }
}

/// Says whether `a`, `a/n` or `a-b` holds an address.
pub(super) fn in_range(text: &str, address: Ipv4Addr) -> bool {
    match text.split_once('-') {
        Some((first, last)) => {
            let bounds = first.parse::<Ipv4Addr>().ok().zip(last.parse::<Ipv4Addr>().ok());
            bounds.is_some_and(|(first, last)| (first..=last).contains(&address))
        }
        None => text.parse::<ipnetwork::Ipv4Network>().is_ok_and(|network| network.contains(address)),
    }
}

pub(super) fn in_ports(text: &str, port: u16) -> bool {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    first.parse::<u16>().ok().zip(last.parse::<u16>().ok()).is_some_and(|(first, last)| (first..=last).contains(&port))
}
