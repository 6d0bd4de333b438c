//! A network of customers on one interface: pool, the router's address, DHCP.

use super::{Draft, Recipe, join};
use crate::object::{ObjectKey, SiteError};
use crate::site::AddressRange;
use ipnetwork::Ipv4Network;
use routeros::catalogue::{ip_address, ip_dhcp_server, ip_dhcp_server_network, ip_pool};
use std::net::Ipv4Addr;

/// The pool of a DHCP server that knows its devices one by one.
const NO_POOL: &str = "static-only";

/// What a service asks of its network.
pub struct Lan<'a> {
    /// What the keys begin with.
    pub kind: &'static str,
    /// The service in reasons.
    pub what: &'static str,
    /// The name of pool and DHCP server.
    pub name: String,
    pub interface: &'a str,
    pub gateway: Ipv4Network,
    /// Addresses for whoever asks; without them only known devices get one.
    pub pool: Option<&'a [AddressRange]>,
    /// Name servers; none means the router.
    pub dns: &'a [Ipv4Addr],
    pub lease_s: u32,
    /// Whether leases fill the table of ARP; nothing where that is nobody's business.
    pub add_arp: Option<bool>,
}

impl Lan<'_> {
    pub fn objects(&self, recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
        let reason = |part: &str| format!("{part} of the {} on {}", self.what, self.interface);
        let key = |part: &str| ObjectKey::new(&format!("{}-{part}", self.kind), self.interface);
        if let Some(pool) = self.pool {
            let draft = Draft::new(&ip_pool::MENU, key("pool"), reason("addresses"));
            recipe.add(draft.set(ip_pool::NAME, &self.name).set(ip_pool::RANGES, join(pool)))?;
        }
        let draft = Draft::new(&ip_address::MENU, key("address"), reason("the router's address"))
            .set(ip_address::ADDRESS, self.gateway)
            .set(ip_address::INTERFACE, self.interface)
            .set(ip_address::DISABLED, "no");
        recipe.add(draft)?;
        let dns = if self.dns.is_empty() { self.gateway.ip().to_string() } else { join(self.dns) };
        let draft = Draft::new(&ip_dhcp_server_network::MENU, key("network"), reason("the network"))
            .set(ip_dhcp_server_network::ADDRESS, self.gateway)
            .set(ip_dhcp_server_network::GATEWAY, self.gateway.ip())
            .set(ip_dhcp_server_network::DNS_SERVER, dns);
        recipe.add(draft)?;
        let mut draft = Draft::new(&ip_dhcp_server::MENU, key("dhcp"), reason("the DHCP server"))
            .set(ip_dhcp_server::NAME, &self.name)
            .set(ip_dhcp_server::INTERFACE, self.interface)
            .set(ip_dhcp_server::ADDRESS_POOL, if self.pool.is_some() { &self.name } else { NO_POOL })
            .set(ip_dhcp_server::LEASE_TIME, format!("{}s", self.lease_s))
            .set(ip_dhcp_server::DISABLED, "no");
        if let Some(add_arp) = self.add_arp {
            draft = draft.set(ip_dhcp_server::ADD_ARP, if add_arp { "yes" } else { "no" });
        }
        recipe.add(draft)
    }
}
