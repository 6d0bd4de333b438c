//! DHCP services: a network and a server per interface, a lease per known device, and strangers held like expired customers.
//!
//! A customer of such a service is a static customer: queue, list and fuse are the same, the lease brings the address to the device.

use super::lan::Lan;
use super::{Draft, EXPIRED, Recipe};
use crate::Severity;
use crate::object::{ObjectKey, SiteError};
use crate::site::{AddressRange, Customer, Dhcp, PARTS_MAX, PackageKind, Service, Site};
use routeros::catalogue::{ip_dhcp_server_lease as lease, ip_firewall_address_list as list};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Customers that a finding names at most.
const NAMED_MAX: usize = 5;

pub fn service(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    for dhcp in services(recipe.site) {
        let pool = strangers(recipe, dhcp)?;
        for range in pool.iter().flatten() {
            held(recipe, dhcp, *range)?;
        }
        let lan = Lan {
            kind: "dhcp",
            what: "DHCP service",
            name: name(dhcp),
            interface: &dhcp.interface,
            gateway: dhcp.gateway,
            pool: pool.as_deref(),
            dns: &dhcp.dns,
            lease_s: dhcp.lease_s,
            add_arp: Some(dhcp.pin),
        };
        lan.objects(recipe)?;
        leases(recipe, dhcp)?;
    }
    Ok(())
}

fn services(site: &Site) -> impl Iterator<Item = &Dhcp> {
    site.services.iter().filter_map(|service| match service {
        Service::Dhcp(dhcp) => Some(dhcp),
        Service::Pppoe(_) | Service::Hotspot(_) => None,
    })
}

/// The name of a service's pool and DHCP server.
fn name(dhcp: &Dhcp) -> String {
    format!("mw-dhcp-{}", dhcp.interface)
}

/// Lists the addresses for strangers: the pool less what is a customer's own, who would be held with them otherwise, or lose the
/// address to them.
fn strangers(recipe: &mut Recipe<'_>, dhcp: &Dhcp) -> Result<Option<Vec<AddressRange>>, SiteError> {
    if dhcp.pool.is_empty() {
        return Ok(None);
    }
    let customers = recipe.customers(PackageKind::Static)?;
    let own: BTreeSet<Ipv4Addr> = customers.iter().filter_map(|(customer, _)| customer.address).collect();
    let free: Vec<_> = dhcp.pool.iter().flat_map(|range| without(*range, &own)).collect();
    if free.is_empty() || free.len() > PARTS_MAX {
        let text = format!(
            "Devices that are nobody's get no address on {}: customers' own addresses leave too little of its pool, or too many pieces. \
             Give it a pool in which no customer has an address.",
            dhcp.interface
        );
        recipe.find(Severity::Warning, "dhcp-pool-crowded", text);
        return Ok(None);
    }
    Ok(Some(free))
}

/// Cuts addresses out of a range.
fn without(range: AddressRange, own: &BTreeSet<Ipv4Addr>) -> Vec<AddressRange> {
    let mut pieces = Vec::new();
    let mut next = Some(range.first);
    for address in own.range(range.first..=range.last) {
        let Some(first) = next.filter(|first| first <= address) else { break };
        if first < *address {
            pieces.push(AddressRange { first, last: Ipv4Addr::from(u32::from(*address) - 1) });
        }
        next = u32::from(*address).checked_add(1).map(Ipv4Addr::from);
    }
    pieces.extend(next.filter(|first| *first <= range.last).map(|first| AddressRange { first, last: range.last }));
    pieces
}

/// Puts a range of strangers' addresses on the list of expired customers.
fn held(recipe: &mut Recipe<'_>, dhcp: &Dhcp, range: AddressRange) -> Result<(), SiteError> {
    let key = ObjectKey::new("dhcp-strangers", format_args!("{}@{range}", dhcp.interface));
    let draft =
        Draft::new(&list::MENU, key, format!("devices on {} that are nobody's reach the pay hosts alone", dhcp.interface))
            .set(list::LIST, EXPIRED)
            .set(list::ADDRESS, range)
            .set(list::DISABLED, "no");
    recipe.add(draft)
}

/// Writes a lease for each customer whose address lies in the network and whose device is known.
fn leases(recipe: &mut Recipe<'_>, dhcp: &Dhcp) -> Result<(), SiteError> {
    let mut devices = BTreeSet::new();
    let (mut unknown, mut twice, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for (customer, _) in recipe.customers(PackageKind::Static)? {
        let Some(address) = customer.address.filter(|address| dhcp.gateway.contains(*address)) else { continue };
        let Some(mac) = customer.mac_lock.as_ref().map(|mac| mac.to_ascii_uppercase()) else {
            unknown.push(customer);
            continue;
        };
        if [dhcp.gateway.ip(), dhcp.gateway.network(), dhcp.gateway.broadcast()].contains(&address) {
            taken.push(customer);
        } else if devices.insert(mac.clone()) {
            let draft = Draft::new(&lease::MENU, key(customer), format!("customer {} has the address {address}", customer.login))
                .set(lease::ADDRESS, address)
                .set(lease::MAC_ADDRESS, mac)
                .set(lease::SERVER, name(dhcp))
                .set(lease::DISABLED, "no");
            recipe.add(draft)?;
        } else {
            twice.push(customer);
        }
    }
    let interface = &dhcp.interface;
    for (code, customers, why) in [
        ("dhcp-no-device", unknown, "their device is not known"),
        ("dhcp-same-device", twice, "another customer's lease is for the same device"),
        ("dhcp-address-taken", taken, "their address is the router's own, or the first or last of the network"),
    ] {
        left_out(recipe, code, &customers, &format!("get no lease on {interface}, because {why}"));
    }
    Ok(())
}

/// The key of a customer's lease.
fn key(customer: &Customer) -> ObjectKey {
    ObjectKey::new("dhcp-lease", customer.id)
}

fn left_out(recipe: &mut Recipe<'_>, code: &'static str, customers: &[&Customer], what: &str) {
    if customers.is_empty() {
        return;
    }
    let mut names: Vec<&str> = customers.iter().take(NAMED_MAX).map(|customer| customer.login.as_str()).collect();
    if customers.len() > NAMED_MAX {
        names.push("…");
    }
    recipe.find(Severity::Warning, code, format!("Customers who {what}: {} ({}).", customers.len(), names.join(", ")));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u8, last: u8) -> AddressRange {
        AddressRange { first: [192, 168, 50, first].into(), last: [192, 168, 50, last].into() }
    }

    #[test]
    fn own_addresses_are_cut_out() {
        let pieces = |own: &[u8]| {
            let own = own.iter().map(|last| Ipv4Addr::new(192, 168, 50, *last)).collect();
            without(range(10, 20), &own)
                .iter()
                .map(|piece| format!("{}-{}", piece.first.octets()[3], piece.last.octets()[3]))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(pieces(&[]), "10-20");
        assert_eq!(pieces(&[9, 21]), "10-20");
        assert_eq!(pieces(&[10, 15, 16, 20]), "11-14 17-19");
        assert_eq!(pieces(&[10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]), "");
        let end = AddressRange { first: Ipv4Addr::BROADCAST, last: Ipv4Addr::BROADCAST };
        assert_eq!(without(end, &[Ipv4Addr::BROADCAST].into()), []);
    }
}
