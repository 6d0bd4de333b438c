//! What an operator may choose a router to offer, and how the business becomes a site that recipes can be made of. Pure.

use ipnetwork::Ipv4Network;
use model::Supernet;
use reconcile::{AddressRange, Dhcp, Hotspot, Portal, Pppoe, Service, VlanRange};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use utoipa::ToSchema;

/// Services that one router offers at most.
const SERVICES_MAX: usize = 16;
/// Interfaces of one PPPoE service, and hosts of one walled garden, at most.
const NAMES_MAX: usize = 64;

/// Seconds for which a device has its address when nothing else is said: a customer who was a stranger before has the own one after
/// five minutes.
const LEASE_S: u32 = 600;
/// Seconds for which a device may have its address.
const LEASES_S: RangeInclusive<u32> = 120..=86_400;
/// The last tag of a VLAN (IEEE 802.1Q).
const VLAN_MAX: u16 = 4094;
/// Name servers that customers are told at most.
const DNS_MAX: usize = 4;

/// One service on a router, as its operator chooses it. Ranges that are left out get a default out of the shared address space
/// (RFC 6598), which collides with nobody's LAN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ServiceChoice {
    /// Customers dial in with a name and a password.
    Pppoe {
        /// The interfaces on which they dial.
        interfaces: Vec<String>,
        /// VLANs on these interfaces whose callers are answered as well as untagged ones, such as `100-199,300`; from RouterOS 7.18 on.
        vlans: Option<String>,
        /// The router's end of the sessions; 100.64.0.1.
        #[schema(value_type = Option<String>)]
        local_address: Option<Ipv4Addr>,
        /// The customers' addresses, as `first-last`; 100.64.0.10-100.64.15.254.
        pool: Option<String>,
        /// Addresses of expired customers; 100.64.16.10-100.64.31.254.
        expired_pool: Option<String>,
    },
    /// Customers log in on a page.
    Hotspot {
        /// The interface on which they connect.
        interface: String,
        /// The router's address with its prefix; 100.64.32.1/20.
        #[schema(value_type = Option<String>)]
        gateway: Option<Ipv4Network>,
        /// The customers' addresses, as `first-last`; all of the gateway's network but its first ten.
        pool: Option<String>,
        /// The login page's host name.
        dns_name: Option<String>,
        /// Hosts that are open before login.
        #[serde(default)]
        walled_garden: Vec<String>,
    },
    /// Static customers' devices are given their addresses.
    Dhcp {
        /// The interface on which they connect.
        interface: String,
        /// The router's address with its prefix; 100.64.48.1/20. Customers whose address lies in this network and whose device is known
        /// are served.
        #[schema(value_type = Option<String>)]
        gateway: Option<Ipv4Network>,
        /// Addresses for devices that are nobody's, as `first-last`; such devices are held like expired customers. Left out, they get no
        /// address.
        pool: Option<String>,
        /// For how many seconds a device has its address, 120 to 86400; 600. It asks again after half of them.
        lease_seconds: Option<u32>,
        /// Name servers told to customers; the router itself.
        #[serde(default)]
        #[schema(value_type = Vec<String>)]
        dns: Vec<Ipv4Addr>,
        /// Learn from leases alone which device has which address. It holds once the interface is set to `arp=reply-only`, which stays
        /// the operator's to do: preflight and plan give the command.
        #[serde(default)]
        pin: bool,
    },
}

/// What is wrong with a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct ServiceFault {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

fn fault(field: &'static str, message: impl Into<String>) -> ServiceFault {
    ServiceFault { field, message: message.into() }
}

/// Looks whether the services make sense together.
///
/// # Errors
/// The first thing that does not.
pub fn check(services: &[ServiceChoice], supernet: Supernet) -> Result<(), ServiceFault> {
    if services.len() > SERVICES_MAX {
        return Err(fault("services", format!("choose at most {SERVICES_MAX}")));
    }
    let mut interfaces: Vec<String> = Vec::new();
    let mut ranges: Vec<AddressRange> = Vec::new();
    let mut pppoe = 0;
    for service in resolve(services)? {
        match service {
            Service::Pppoe(service) => {
                pppoe += 1;
                interfaces.extend(service.interfaces);
                ranges.extend(service.pool);
                ranges.extend(service.expired_pool);
            }
            Service::Hotspot(service) => {
                if service.walled_garden.len() > NAMES_MAX {
                    return Err(fault("walled_garden", format!("name at most {NAMES_MAX} hosts")));
                }
                interfaces.push(service.interface);
                ranges.extend(service.pool);
            }
            Service::Dhcp(service) => {
                let network = whole(service.gateway);
                if overlaps(&network, supernet.network()) {
                    return Err(fault("gateway", format!("{} lies within the tunnels' network {supernet}", service.gateway)));
                }
                interfaces.push(service.interface);
                ranges.push(network);
            }
        }
    }
    if pppoe > 1 {
        return Err(fault("services", "a router has one PPPoE service; give it all its interfaces"));
    }
    if let Some(name) = interfaces.iter().find(|name| !is_name(name)) {
        return Err(fault("interfaces", format!("`{name}` is not an interface's name")));
    }
    interfaces.sort();
    if let Some(pair) = interfaces.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(fault("interfaces", format!("`{}` is chosen twice", pair[0])));
    }
    ranges.sort_by_key(|range| range.first);
    if let Some(range) = ranges.iter().find(|range| overlaps(range, supernet.network())) {
        return Err(fault("pool", format!("{range} lies within the tunnels' network {supernet}")));
    }
    if let Some(pair) = ranges.windows(2).find(|pair| pair[0].last >= pair[1].first) {
        return Err(fault("pool", format!("{} and {} overlap", pair[0], pair[1])));
    }
    Ok(())
}

/// Says whether an interface may be called that; what is made of the name fits into a line that people read and type.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

fn overlaps(range: &AddressRange, network: Ipv4Network) -> bool {
    range.first <= network.broadcast() && range.last >= network.network()
}

/// Fills in the defaults.
///
/// # Errors
/// When a range or an address is not one.
pub fn resolve(services: &[ServiceChoice]) -> Result<Vec<Service>, ServiceFault> {
    services.iter().map(one).collect()
}

fn one(choice: &ServiceChoice) -> Result<Service, ServiceFault> {
    match choice {
        ServiceChoice::Pppoe { interfaces, vlans, local_address, pool, expired_pool } => {
            if interfaces.is_empty() || interfaces.len() > NAMES_MAX {
                return Err(fault("interfaces", format!("name 1 to {NAMES_MAX} interfaces")));
            }
            Ok(Service::Pppoe(Pppoe {
                interfaces: interfaces.clone(),
                vlans: vlans.as_deref().map(tags).transpose()?.unwrap_or_default(),
                local_address: local_address.unwrap_or(Ipv4Addr::new(100, 64, 0, 1)),
                pool: vec![range("pool", pool.as_deref().unwrap_or("100.64.0.10-100.64.15.254"))?],
                expired_pool: vec![range("expired_pool", expired_pool.as_deref().unwrap_or("100.64.16.10-100.64.31.254"))?],
                dns: Vec::new(),
            }))
        }
        ServiceChoice::Hotspot { interface, gateway, pool, dns_name, walled_garden } => {
            let gateway = network(*gateway, Ipv4Addr::new(100, 64, 32, 1))?;
            let pool = match pool {
                Some(text) => range("pool", text)?,
                None => behind(gateway),
            };
            within(gateway, pool)?;
            Ok(Service::Hotspot(Hotspot {
                interface: interface.clone(),
                gateway,
                pool: vec![pool],
                dns_name: dns_name.clone(),
                walled_garden: walled_garden.clone(),
            }))
        }
        ServiceChoice::Dhcp { interface, gateway, pool, lease_seconds, dns, pin } => {
            let gateway = network(*gateway, Ipv4Addr::new(100, 64, 48, 1))?;
            let pool = pool.as_deref().map(|text| range("pool", text)).transpose()?;
            if let Some(pool) = pool {
                within(gateway, pool)?;
                let taken = |address| pool.first <= address && address <= pool.last;
                if [gateway.ip(), gateway.network(), gateway.broadcast()].into_iter().any(taken) {
                    return Err(fault(
                        "pool",
                        format!("{pool} holds the router's own address, or the first or last of {gateway}"),
                    ));
                }
            }
            let lease_s = lease_seconds.unwrap_or(LEASE_S);
            if !LEASES_S.contains(&lease_s) {
                let (first, last) = (LEASES_S.start(), LEASES_S.end());
                return Err(fault("lease_seconds", format!("give a device its address for {first} to {last} seconds")));
            }
            if dns.len() > DNS_MAX
                || dns.iter().any(|server| server.is_unspecified() || server.is_multicast() || server.is_broadcast())
            {
                return Err(fault("dns", format!("name at most {DNS_MAX} servers, each by its own address")));
            }
            let (interface, pool, dns, pin) = (interface.clone(), pool.into_iter().collect(), dns.clone(), *pin);
            Ok(Service::Dhcp(Dhcp { interface, gateway, pool, lease_s, dns, pin }))
        }
    }
}

/// Checks a gateway; without one it is the given address in a network of 4,096.
fn network(gateway: Option<Ipv4Network>, default: Ipv4Addr) -> Result<Ipv4Network, ServiceFault> {
    let gateway = gateway.unwrap_or_else(|| Ipv4Network::new(default, 20).expect("20 is a prefix length"));
    if !(8..=29).contains(&gateway.prefix()) || gateway.ip() == gateway.network() || gateway.ip() == gateway.broadcast() {
        return Err(fault("gateway", "write the router's address with a prefix from /8 to /29, such as 192.168.88.1/24"));
    }
    Ok(gateway)
}

fn within(gateway: Ipv4Network, pool: AddressRange) -> Result<(), ServiceFault> {
    if gateway.contains(pool.first) && gateway.contains(pool.last) {
        return Ok(());
    }
    Err(fault("pool", format!("{pool} is not within the gateway's network {gateway}")))
}

fn whole(network: Ipv4Network) -> AddressRange {
    AddressRange { first: network.network(), last: network.broadcast() }
}

/// Reads ranges of VLANs with commas between.
fn tags(text: &str) -> Result<Vec<VlanRange>, ServiceFault> {
    let tag = |text: &str| text.trim().parse().ok().filter(|tag| (1..=VLAN_MAX).contains(tag));
    let one = |item: &str| {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let range = VlanRange { first: tag(first)?, last: tag(last)? };
        (range.first <= range.last).then_some(range)
    };
    let ranges: Option<Vec<VlanRange>> = text.split(',').map(one).collect();
    let mut ranges = ranges.filter(|ranges| ranges.len() <= NAMES_MAX).ok_or_else(|| {
        fault("vlans", format!("`{text}` is not 1 to {NAMES_MAX} ranges of 1 to {VLAN_MAX}, such as 100-199,300"))
    })?;
    ranges.sort_by_key(|range| range.first);
    match ranges.windows(2).find(|pair| pair[0].last >= pair[1].first) {
        Some(pair) => Err(fault("vlans", format!("{} and {} overlap", pair[0], pair[1]))),
        None => Ok(ranges),
    }
}

/// All of a network but its first ten addresses (or, in a small one, its first two) and its last.
fn behind(gateway: Ipv4Network) -> AddressRange {
    let (low, high) = (u32::from(gateway.network()), u32::from(gateway.broadcast()));
    let skip = if high - low > 32 { 10 } else { 2 };
    AddressRange { first: Ipv4Addr::from(low + skip), last: Ipv4Addr::from(high - 1) }
}

fn range(field: &'static str, text: &str) -> Result<AddressRange, ServiceFault> {
    let wrong = || fault(field, format!("`{text}` is not a range such as 100.64.0.10-100.64.15.254"));
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let (first, last) = (first.trim().parse().map_err(|_| wrong())?, last.trim().parse().map_err(|_| wrong())?);
    if first > last { Err(wrong()) } else { Ok(AddressRange { first, last }) }
}

/// Where expired customers are led: the controller's own pay page has an issue of its own, so for now they are held back and told by
/// other means. The recipes take a portal as soon as there is one.
pub const PORTAL: Option<Portal> = None;

#[cfg(test)]
mod tests {
    use super::*;

    fn pppoe(interface: &str) -> ServiceChoice {
        tagged(interface, None)
    }

    fn tagged(interface: &str, vlans: Option<&str>) -> ServiceChoice {
        ServiceChoice::Pppoe {
            interfaces: vec![interface.to_owned()],
            vlans: vlans.map(str::to_owned),
            local_address: None,
            pool: None,
            expired_pool: None,
        }
    }

    fn hotspot(gateway: Option<&str>) -> ServiceChoice {
        let gateway = gateway.map(|text| text.parse().expect("a network"));
        ServiceChoice::Hotspot { interface: "bridge".to_owned(), gateway, pool: None, dns_name: None, walled_garden: Vec::new() }
    }

    #[test]
    fn defaults_go_together() {
        assert_eq!(check(&[pppoe("ether2"), hotspot(None)], Supernet::default()), Ok(()));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let field = |services: &[ServiceChoice]| check(services, Supernet::default()).expect_err("refused").field;
        assert_eq!(field(&[pppoe("bridge"), hotspot(None)]), "interfaces");
        for name in ["", "a\nb", "caf\u{e9}", &"a".repeat(65)] {
            assert_eq!(field(&[pppoe(name)]), "interfaces", "{name}");
        }
        assert_eq!(field(&[pppoe("a"), pppoe("b")]), "services");
        assert_eq!(field(&[hotspot(Some("10.10.0.1/16"))]), "pool");
        assert_eq!(field(&[hotspot(Some("192.168.88.0/24"))]), "gateway");
        assert_eq!(field(&[pppoe("a"), hotspot(Some("100.64.0.1/24"))]), "pool");
        let lan = |gateway: &str, pool: Option<&str>, lease_seconds| ServiceChoice::Dhcp {
            interface: "lan".to_owned(),
            gateway: Some(gateway.parse().expect("a network")),
            pool: pool.map(str::to_owned),
            lease_seconds,
            dns: Vec::new(),
            pin: false,
        };
        assert_eq!(check(&[lan("192.168.50.1/24", Some("192.168.50.2-192.168.50.254"), Some(120))], Supernet::default()), Ok(()));
        assert_eq!(field(&[lan("10.10.7.1/24", None, None)]), "gateway");
        assert_eq!(field(&[lan("192.168.50.255/24", None, None)]), "gateway");
        assert_eq!(field(&[lan("192.168.50.1/24", Some("192.168.51.2-192.168.51.9"), None)]), "pool");
        assert_eq!(field(&[lan("192.168.50.1/24", Some("192.168.50.1-192.168.50.9"), None)]), "pool");
        assert_eq!(field(&[lan("192.168.50.1/24", Some("192.168.50.9-192.168.50.255"), None)]), "pool");
        assert_eq!(field(&[lan("192.168.50.1/24", None, Some(0))]), "lease_seconds");
        assert_eq!(field(&[pppoe("a"), lan("100.64.15.1/24", None, None)]), "pool");
        assert_eq!(field(&[pppoe("lan"), lan("192.168.50.1/24", None, None)]), "interfaces");
        assert_eq!(check(&[tagged("a", Some("300,100-199"))], Supernet::default()), Ok(()));
        for wrong in ["", "0-9", "4095", "9-1", "1-9,9", "x", "1-2-3", "1,,2"] {
            assert_eq!(field(&[tagged("a", Some(wrong))]), "vlans", "{wrong}");
        }
        let odd = ServiceChoice::Pppoe {
            interfaces: vec!["a".into()],
            vlans: None,
            local_address: None,
            pool: Some("x".into()),
            expired_pool: None,
        };
        assert_eq!(field(&[odd]), "pool");
    }

    #[test]
    fn small_networks_have_small_pools() {
        let network: Ipv4Network = "192.168.88.1/29".parse().expect("a network");
        assert_eq!(behind(network).to_string(), "192.168.88.2-192.168.88.6");
    }
}
