//! What stands in the way of serving customers from a router, found before anything is written to it.
//!
//! The input is what the controller read, as plain values; the output names each obstacle with the command that removes it.

mod checks;
mod choice;

use crate::finding::Finding;
use crate::site::{AddressRange, HotspotSupport};
pub use choice::fits;
use ipnetwork::Ipv4Network;
use jiff::{SignedDuration, Timestamp};
use model::{Bytes, RouterosVersion, Supernet};
use serde::Serialize;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The oldest RouterOS version whose menus are known.
pub const VERSION_MIN: RouterosVersion = RouterosVersion::new(7, 9, 0);

/// The first RouterOS version whose menus are not known yet.
pub const VERSION_UNKNOWN: RouterosVersion = RouterosVersion::new(7, 25, 0);

/// What was read from a router.
#[derive(Debug, Clone)]
pub struct FactsObserved {
    /// `/system/resource` version.
    pub version: RouterosVersion,
    /// `/system/resource` architecture-name, such as `smips`.
    pub architecture: String,
    /// `/system/resource` free-hdd-space.
    pub free_flash: Bytes,
    /// Enabled packages by name (`/system/package`).
    pub packages: Vec<String>,
    /// `/system/device-mode`; `None` where the version has none.
    pub device_mode: Option<DeviceMode>,
    /// The controller's time when the router's clock was read.
    pub now: Timestamp,
    /// The router's clock, brought to UTC by its own zone.
    pub clock: Timestamp,
    /// The network of all tunnels.
    pub supernet: Supernet,
    /// The tunnel's interface.
    pub tunnel: String,
    /// The router's interfaces.
    pub interfaces: Vec<Interface>,
    /// `/ip/address`, enabled, without those that sessions made (on `<pppoe-…>`).
    pub addresses: Vec<InterfaceAddress>,
    /// `/ip/pool`.
    pub pools: Vec<Pool>,
    /// `/interface/pppoe-server/server`, `/ip/hotspot` and `/ip/dhcp-server`, in this order.
    pub servers: Vec<Server>,
    /// Active default routes: the interface each leaves by, where the router tells.
    pub default_routes: Vec<Option<String>>,
    /// The interfaces by which enabled default routes leave, active or not.
    pub ways_out: BTreeSet<String>,
    /// `/ip/dns` allow-remote-requests.
    pub resolver: bool,
    /// `/ip/service` ports of what manages the router and nothing else, enabled or not.
    pub management_ports: BTreeSet<u16>,
    /// Whether an enabled firewall rule is `fasttrack-connection`.
    pub fasttrack: bool,
    /// Whether an enabled srcnat rule is `masquerade` or `src-nat`.
    pub source_nat: bool,
    /// `/ppp/aaa` use-radius.
    pub ppp_radius: bool,
    /// Hotspot profiles in use with use-radius.
    pub hotspot_radius: Vec<String>,
    /// `/ip/service` api.
    pub api: Api,
}

/// The clock's error from which on ends of grants are wrong beyond what anybody accepts.
const CLOCK_ERROR_MAX: SignedDuration = SignedDuration::from_mins(10);

/// The first version in which small MIPS boards need the hotspot as a package of its own.
const HOTSPOT_SPLIT: RouterosVersion = RouterosVersion::new(7, 20, 0);

impl FactsObserved {
    /// Says whether the router's clock can be relied on for the ends of grants.
    #[must_use]
    pub fn clock_set(&self) -> bool {
        self.clock.duration_since(self.now).abs() <= CLOCK_ERROR_MAX
    }

    /// Lists the lasting interfaces that lead outside and to nobody else: where somebody is served, or addresses are given out, the
    /// operator's own devices may be.
    #[must_use]
    pub fn outside(&self) -> BTreeSet<String> {
        let serves = |name: &str| name == self.tunnel || self.servers.iter().any(|server| server.interface == name);
        let leads_out = |name: &&str| self.ways_out.contains(*name) && !serves(name);
        self.interfaces.iter().map(|interface| interface.name.as_str()).filter(leads_out).map(str::to_owned).collect()
    }

    /// Says whether the router can run a hotspot.
    #[must_use]
    pub fn hotspot(&self) -> HotspotSupport {
        let split = self.architecture == "smips" && self.version >= HOTSPOT_SPLIT;
        if split && !self.packages.iter().any(|name| name == "hotspot") {
            HotspotSupport::Missing
        } else if self.device_mode.is_some_and(|mode| !mode.hotspot) {
            HotspotSupport::Forbidden
        } else {
            HotspotSupport::Ready
        }
    }
}

/// What device-mode allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMode {
    /// Hotspot servers.
    pub hotspot: bool,
    /// The scheduler.
    pub scheduler: bool,
    /// `/tool/fetch`.
    pub fetch: bool,
}

/// An interface of the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its type: `ether`, `bridge`, `wlan`, `vlan` …
    pub kind: String,
    /// The bridge it is a port of (`/interface/bridge/port`).
    pub bridge: Option<String>,
    /// The interface that it is a VLAN of, and its tag.
    pub vlan: Option<(String, u16)>,
    /// How it learns which device has which address, such as `reply-only`; `None` where its type's menu was not read.
    pub arp: Option<String>,
}

/// An address on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The router's address and the network.
    pub address: Ipv4Network,
    /// Where.
    pub interface: String,
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub ranges: Vec<AddressRange>,
    /// Whether it carries our mark.
    pub ours: bool,
}

/// A server for customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What it serves.
    pub kind: ServerKind,
    /// Its name.
    pub name: String,
    /// Where.
    pub interface: String,
    /// Whether it carries our mark.
    pub ours: bool,
}

/// What kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerKind {
    /// `/interface/pppoe-server/server`.
    Pppoe,
    /// `/ip/hotspot`.
    Hotspot,
    /// `/ip/dhcp-server`.
    Dhcp,
}

/// The API service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Whether it is on.
    pub enabled: bool,
    /// Its port.
    pub port: u16,
    /// From where it may be reached; from everywhere where there are none.
    pub address: Vec<Ipv4Network>,
}

/// What an interface is used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "role")]
pub enum Role {
    /// The way to the internet.
    Wan,
    /// The tunnel.
    Tunnel,
    /// A port of a bridge; a service belongs on the bridge.
    Port {
        /// The bridge.
        bridge: String,
    },
    /// Serves customers already.
    Serves {
        /// How.
        kind: ServerKind,
    },
    /// Has an address.
    Lan {
        /// The first one.
        address: Ipv4Addr,
    },
    /// Nothing yet.
    Free,
}

/// Names every obstacle on a router, the worst first. Deterministic.
#[must_use]
pub fn preflight(facts: &FactsObserved) -> Vec<Finding> {
    let mut findings: Vec<Finding> = checks::ALL.iter().flat_map(|check| check(facts)).collect();
    findings.sort();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Tells what each interface is used for, in the order given.
#[must_use]
pub fn roles(facts: &FactsObserved) -> Vec<(&str, Role)> {
    facts.interfaces.iter().map(|interface| (interface.name.as_str(), role(facts, interface))).collect()
}

fn role(facts: &FactsObserved, interface: &Interface) -> Role {
    let name = &interface.name;
    if *name == facts.tunnel {
        return Role::Tunnel;
    }
    if facts.default_routes.iter().flatten().any(|wan| wan == name) {
        return Role::Wan;
    }
    if let Some(bridge) = &interface.bridge {
        return Role::Port { bridge: bridge.clone() };
    }
    // A DHCP server of somebody else's makes a network of theirs, not customers of ours.
    let serves = |server: &&Server| server.interface == *name && (server.ours || server.kind != ServerKind::Dhcp);
    if let Some(server) = facts.servers.iter().find(serves) {
        return Role::Serves { kind: server.kind };
    }
    let address = facts.addresses.iter().find(|address| address.interface == *name);
    address.map_or(Role::Free, |address| Role::Lan { address: address.address.ip() })
}
