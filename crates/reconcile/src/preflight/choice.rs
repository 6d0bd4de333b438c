//! Whether a service that an operator chose fits the router.

use super::{FactsObserved, Role, ServerKind, roles};
use crate::Severity::{Blocker, Warning};
use crate::finding::Finding;
use crate::site::{AddressRange, Hotspot, Pppoe, Service};
use ipnetwork::Ipv4Network;

/// Names what is wrong with a chosen service on this router: its interfaces, its addresses, and how they fit together.
/// Deterministic; no findings mean that nothing known stands in the way.
#[must_use]
pub fn fits(facts: &FactsObserved, service: &Service) -> Vec<Finding> {
    match service {
        Service::Pppoe(pppoe) => fits_pppoe(facts, pppoe),
        Service::Hotspot(hotspot) => fits_hotspot(facts, hotspot),
    }
}

fn fits_pppoe(facts: &FactsObserved, pppoe: &Pppoe) -> Vec<Finding> {
    let mut findings: Vec<_> =
        pppoe.interfaces.iter().filter_map(|interface| fits_interface(facts, interface, ServerKind::Pppoe)).collect();
    let own = AddressRange { first: pppoe.local_address, last: pppoe.local_address };
    let ranges: Vec<_> = pppoe.pool.iter().chain(&pppoe.expired_pool).copied().chain([own]).collect();
    findings.extend(fits_addresses(facts, &ranges, None));
    if pppoe.pool.iter().any(|range| pppoe.expired_pool.iter().any(|expired| touch(*range, *expired))) {
        let text = "The pools for customers and for expired customers share addresses.";
        findings.push(Finding::new(Blocker, "service-pools-share", text));
    }
    findings
}

fn fits_hotspot(facts: &FactsObserved, hotspot: &Hotspot) -> Vec<Finding> {
    let mut findings: Vec<_> = fits_interface(facts, &hotspot.interface, ServerKind::Hotspot).into_iter().collect();
    let network = whole(hotspot.gateway);
    findings.extend(fits_addresses(facts, &[network], Some(&hotspot.interface)));
    let gateway = hotspot.gateway.ip();
    for range in &hotspot.pool {
        if range.first < network.first || range.last > network.last {
            let text = format!("The pool {range} is not within the hotspot's network {}.", hotspot.gateway);
            findings.push(Finding::new(Blocker, "service-pool-outside", text));
        }
        if range.first <= gateway && gateway <= range.last {
            let text = format!("The pool {range} holds the router's own address {gateway}.");
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
