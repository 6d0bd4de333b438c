//! Whether a service that an operator chose fits the router.

use super::{FactsObserved, Interface, Role, ServerKind, roles};
use crate::Severity::{Blocker, Warning};
use crate::finding::Finding;
use crate::guard::quote;
use crate::site::{AddressRange, Dhcp, Hotspot, Pppoe, Service};
use ipnetwork::Ipv4Network;
use model::RouterosVersion;
use routeros::catalogue::{interface_bridge, interface_ethernet, interface_vlan, ip_dns};
use std::net::Ipv4Addr;

/// Names what is wrong with a chosen service on this router: its interfaces, its addresses, and how they fit together.
/// Deterministic; no findings mean that nothing known stands in the way.
#[must_use]
pub fn fits(facts: &FactsObserved, service: &Service) -> Vec<Finding> {
    match service {
        Service::Pppoe(pppoe) => fits_pppoe(facts, pppoe),
        Service::Hotspot(hotspot) => fits_hotspot(facts, hotspot),
        Service::Dhcp(dhcp) => fits_dhcp(facts, dhcp),
    }
}

fn fits_pppoe(facts: &FactsObserved, pppoe: &Pppoe) -> Vec<Finding> {
    let mut findings: Vec<_> =
        pppoe.interfaces.iter().filter_map(|interface| fits_interface(facts, interface, ServerKind::Pppoe)).collect();
    findings.extend(fits_vlans(facts, pppoe));
    findings.extend(fits_resolver(facts, &pppoe.dns, "PPPoE service"));
    let own = AddressRange { first: pppoe.local_address, last: pppoe.local_address };
    let ranges: Vec<_> = pppoe.pool.iter().chain(&pppoe.expired_pool).copied().chain([own]).collect();
    findings.extend(fits_addresses(facts, &ranges, None));
    if pppoe.pool.iter().any(|range| pppoe.expired_pool.iter().any(|expired| touch(*range, *expired))) {
        let text = "The pools for customers and for expired customers share addresses.";
        findings.push(Finding::new(Blocker, "service-pools-share", text));
    }
    findings
}

/// Customers who are told no name server are told the router, which is the operator's to open.
fn fits_resolver(facts: &FactsObserved, dns: &[Ipv4Addr], what: &str) -> Option<Finding> {
    if facts.resolver || !dns.is_empty() {
        return None;
    }
    let text = format!(
        "Customers of the {what} are told to ask the router for names, and its resolver answers nobody but the router itself."
    );
    let command = format!("{}/set {}=yes", ip_dns::MENU.path, ip_dns::ALLOW_REMOTE_REQUESTS);
    Some(Finding::new(Warning, "service-dns", text).command(command))
}

/// The first RouterOS version whose PPPoE servers answer callers in VLANs without an interface for each.
const VLAN_RANGE_SINCE: RouterosVersion = RouterosVersion::new(7, 18, 0);

fn fits_vlans(facts: &FactsObserved, pppoe: &Pppoe) -> Vec<Finding> {
    if !pppoe.vlans.is_empty() && facts.version < VLAN_RANGE_SINCE {
        let text = format!(
            "RouterOS {} answers callers in VLANs on interfaces of their own alone: choose those interfaces, or upgrade to {VLAN_RANGE_SINCE}.",
            facts.version
        );
        return vec![Finding::new(Blocker, "service-vlan-version", text)];
    }
    let mut findings = Vec::new();
    for interface in &facts.interfaces {
        let Some((parent, tag)) = &interface.vlan else { continue };
        let range = pppoe.vlans.iter().find(|range| range.first <= *tag && *tag <= range.last);
        if let Some(range) = range.filter(|_| pppoe.interfaces.contains(parent)) {
            let text = format!(
                "VLAN {tag} of {parent} is the interface {} already: leave it out of {range}, or choose it.",
                interface.name
            );
            findings.push(Finding::new(Blocker, "service-vlan", text));
        }
    }
    findings
}

fn fits_hotspot(facts: &FactsObserved, hotspot: &Hotspot) -> Vec<Finding> {
    let mut findings: Vec<_> = fits_interface(facts, &hotspot.interface, ServerKind::Hotspot).into_iter().collect();
    findings.extend(fits_network(facts, &hotspot.interface, hotspot.gateway, &hotspot.pool, "hotspot"));
    if facts.fasttrack {
        let text =
            "FastTrack is on: the hotspot's guests are not held to their speed, because its connections pass by their queues.";
        let command = "/ip/firewall/filter/disable [find where action=fasttrack-connection]";
        findings.push(Finding::new(Warning, "service-fasttrack", text).command(command));
    }
    findings
}

fn fits_dhcp(facts: &FactsObserved, dhcp: &Dhcp) -> Vec<Finding> {
    let mut findings: Vec<_> = fits_interface(facts, &dhcp.interface, ServerKind::Dhcp).into_iter().collect();
    findings.extend(fits_network(facts, &dhcp.interface, dhcp.gateway, &dhcp.pool, "DHCP service"));
    findings.extend(fits_resolver(facts, &dhcp.dns, "DHCP service"));
    let interface = facts.interfaces.iter().find(|interface| interface.name == dhcp.interface);
    let learns_by_itself = interface.is_some_and(|interface| interface.arp.as_deref() != Some(REPLY_ONLY));
    if interface.is_some() && dhcp.pin && learns_by_itself {
        findings.push(not_pinned(dhcp, interface));
    } else if interface.is_some() && !dhcp.pin && !learns_by_itself {
        let text = format!(
            "{} answers only devices that its table of ARP names (arp={REPLY_ONLY}), and an unpinned service names none: pin it, or set \
             the interface's arp to enabled.",
            dhcp.interface
        );
        findings.push(Finding::new(Blocker, "service-arp", text));
    }
    findings
}

/// How an interface behaves that learns no device's address by itself.
const REPLY_ONLY: &str = "reply-only";

/// The interface is the operator's: what belongs to it is said, and never set.
fn not_pinned(dhcp: &Dhcp, interface: Option<&Interface>) -> Finding {
    let name = &dhcp.interface;
    let text = format!(
        "{name} still learns by itself which device has which address, so a device may take another's. Devices with fixed addresses of \
         their own on {name} need entries in /ip/arp before it learns from leases alone."
    );
    let menu = interface.and_then(|interface| match interface.kind.as_str() {
        "bridge" => Some(interface_bridge::MENU.path),
        "ether" => Some(interface_ethernet::MENU.path),
        "vlan" => Some(interface_vlan::MENU.path),
        _ => None,
    });
    let finding = Finding::new(Warning, "dhcp-not-pinned", text);
    match (menu, quote(name)) {
        (Some(menu), Some(name)) => {
            finding.command(format!("{menu}/set [find name={name}] {}={REPLY_ONLY}", interface_bridge::ARP))
        }
        _ => finding,
    }
}

/// Compares a service's own network on an interface with what is there, and its pool with the network.
fn fits_network(facts: &FactsObserved, interface: &str, gateway: Ipv4Network, pool: &[AddressRange], what: &str) -> Vec<Finding> {
    let network = whole(gateway);
    let mut findings = fits_addresses(facts, &[network], Some(interface));
    for range in pool {
        if range.first < network.first || range.last > network.last {
            let text = format!("The pool {range} is not within the {what}'s network {gateway}.");
            findings.push(Finding::new(Blocker, "service-pool-outside", text));
        }
        if range.first <= gateway.ip() && gateway.ip() <= range.last {
            let text = format!("The pool {range} holds the router's own address {}.", gateway.ip());
            findings.push(Finding::new(Blocker, "service-pool-gateway", text));
        }
    }
    findings
}

fn fits_interface(facts: &FactsObserved, name: &str, kind: ServerKind) -> Option<Finding> {
    let roles = roles(facts);
    let role = roles.iter().find(|(other, _)| *other == name).map(|(_, role)| role);
    let text = match role {
        None => format!("The router has no interface {name}."),
        Some(Role::Wan) => format!("{name} is the router's way to the internet."),
        Some(Role::Tunnel) => format!("{name} is the tunnel to the controller."),
        Some(Role::Port { bridge }) => format!("{name} is a port of {bridge}: choose {bridge}, or take the port out of it."),
        Some(Role::Serves { .. } | Role::Lan { .. } | Role::Free) => {
            let foreign = |server: &&super::Server| server.interface == name && server.kind == kind && !server.ours;
            let server = facts.servers.iter().find(foreign)?;
            format!("{name} has `{}` already, which is not ours.", server.name)
        }
    };
    Some(Finding::new(Blocker, "service-interface", text))
}

/// Compares addresses that a service would use with those in use; `interface` is where the service itself has its network.
fn fits_addresses(facts: &FactsObserved, ranges: &[AddressRange], interface: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for range in ranges {
        if touch(*range, whole(facts.supernet.network())) {
            let text = format!("{range} lies within the tunnels' network {}. Use other addresses.", facts.supernet);
            findings.push(Finding::new(Blocker, "service-address-overlap", text));
        }
        for other in facts.addresses.iter().filter(|other| interface != Some(&other.interface)) {
            if other.interface != facts.tunnel && touch(*range, whole(other.address)) {
                let text = format!("{range} overlaps {} on {}. Use other addresses.", other.address, other.interface);
                findings.push(Finding::new(Blocker, "service-address-overlap", text));
            }
        }
        for pool in facts.pools.iter().filter(|pool| !pool.ours) {
            if pool.ranges.iter().any(|other| touch(*range, *other)) {
                let text = format!("{range} shares addresses with the pool {}, which is not ours.", pool.name);
                findings.push(Finding::new(Warning, "service-pool-overlap", text));
            }
        }
    }
    findings
}

fn whole(network: Ipv4Network) -> AddressRange {
    AddressRange { first: network.network(), last: network.broadcast() }
}

fn touch(a: AddressRange, b: AddressRange) -> bool {
    a.first <= b.last && b.first <= a.last
}
