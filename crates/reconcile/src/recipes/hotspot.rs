//! Hotspots: the customers' network, a server per interface, a user profile per package, hosts open before login.

use super::{Draft, Recipe, join, rate_limit};
use crate::object::{ObjectKey, Risk, SiteError};
use crate::site::{Hotspot, HotspotSupport, PARTS_MAX, Package, PackageKind, Service};
use crate::{Severity, site::Site};
use routeros::catalogue::{
    ip_address, ip_dhcp_server, ip_dhcp_server_network, ip_hotspot, ip_hotspot_profile, ip_hotspot_user_profile,
    ip_hotspot_walled_garden, ip_pool,
};
use std::collections::BTreeSet;

/// How long a device keeps its address: short, because visitors come and go.
const LEASE: &str = "1h";

/// How long a device that left keeps its session.
const KEEPALIVE: &str = "5m";

/// The key of a package's user profile.
pub fn profile(package: &Package) -> ObjectKey {
    ObjectKey::new("hotspot-profile", package.id)
}

/// Says whether hotspot objects can be wished for on this router at all.
pub fn possible(site: &Site) -> bool {
    site.facts.hotspot == HotspotSupport::Ready && services(site).next().is_some()
}

fn services(site: &Site) -> impl Iterator<Item = &Hotspot> {
    site.services.iter().filter_map(|service| match service {
        Service::Hotspot(hotspot) => Some(hotspot),
        Service::Pppoe(_) => None,
    })
}

pub fn service(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    let why = match recipe.site.facts.hotspot {
        HotspotSupport::Ready => None,
        HotspotSupport::Forbidden => Some("device-mode forbids it"),
        HotspotSupport::Missing => Some("its package is missing"),
    };
    if let (Some(why), Some(hotspot)) = (why, services(recipe.site).next()) {
        let text = format!("The hotspot on {} is left out: {why}.", hotspot.interface);
        recipe.find(Severity::Warning, "hotspot-left-out", text);
    }
    if !possible(recipe.site) {
        return Ok(());
    }
    for package in recipe.site.packages.iter().filter(|package| package.kind == PackageKind::Hotspot) {
        let key = profile(package);
        let name = recipe.name(&key)?;
        let draft = Draft::new(&ip_hotspot_user_profile::MENU, key, format!("profile of package {}", package.name))
            .set(ip_hotspot_user_profile::NAME, name)
            .set(ip_hotspot_user_profile::RATE_LIMIT, rate_limit(package.speed))
            .set(ip_hotspot_user_profile::SHARED_USERS, package.shared_users.max(1))
            .set(ip_hotspot_user_profile::KEEPALIVE_TIMEOUT, KEEPALIVE)
            // A switched-off user cannot come back by cookie, so a cookie is only comfort.
            .set(ip_hotspot_user_profile::ADD_MAC_COOKIE, "yes");
        recipe.add(draft.risk(Risk::Kicks))?;
    }
    for hotspot in services(recipe.site) {
        network(recipe, hotspot)?;
        server(recipe, hotspot)?;
    }
    walled_garden(recipe)
}

/// The names of a hotspot's pool, DHCP server, profile and server.
fn name(hotspot: &Hotspot) -> String {
    format!("mw-hotspot-{}", hotspot.interface)
}

fn network(recipe: &mut Recipe<'_>, hotspot: &Hotspot) -> Result<(), SiteError> {
    let interface = &hotspot.interface;
    let reason = |what: &str| format!("{what} of the hotspot on {interface}");
    let key = |kind| ObjectKey::new(kind, interface);
    let draft = Draft::new(&ip_pool::MENU, key("hotspot-pool"), reason("addresses"));
    recipe.add(draft.set(ip_pool::NAME, name(hotspot)).set(ip_pool::RANGES, join(&hotspot.pool)))?;
    let draft = Draft::new(&ip_address::MENU, key("hotspot-address"), reason("the router's address"))
        .set(ip_address::ADDRESS, hotspot.gateway)
        .set(ip_address::INTERFACE, interface)
        .set(ip_address::DISABLED, "no");
    recipe.add(draft)?;
    let draft = Draft::new(&ip_dhcp_server_network::MENU, key("hotspot-network"), reason("the network"))
        .set(ip_dhcp_server_network::ADDRESS, hotspot.gateway)
        .set(ip_dhcp_server_network::GATEWAY, hotspot.gateway.ip())
        .set(ip_dhcp_server_network::DNS_SERVER, hotspot.gateway.ip());
    recipe.add(draft)?;
    let draft = Draft::new(&ip_dhcp_server::MENU, key("hotspot-dhcp"), reason("the DHCP server"))
        .set(ip_dhcp_server::NAME, name(hotspot))
        .set(ip_dhcp_server::INTERFACE, interface)
        .set(ip_dhcp_server::ADDRESS_POOL, name(hotspot))
        .set(ip_dhcp_server::LEASE_TIME, LEASE)
        .set(ip_dhcp_server::DISABLED, "no");
    recipe.add(draft)
}

fn server(recipe: &mut Recipe<'_>, hotspot: &Hotspot) -> Result<(), SiteError> {
    let interface = &hotspot.interface;
    let key = ObjectKey::new("hotspot-server-profile", interface);
    let draft = Draft::new(&ip_hotspot_profile::MENU, key, format!("the login page of the hotspot on {interface}"))
        .set(ip_hotspot_profile::NAME, name(hotspot))
        .set(ip_hotspot_profile::HOTSPOT_ADDRESS, hotspot.gateway.ip())
        .maybe(ip_hotspot_profile::DNS_NAME, hotspot.dns_name.as_ref())
        .set(ip_hotspot_profile::LOGIN_BY, "cookie,http-chap,http-pap,mac-cookie");
    recipe.add(draft)?;
    let key = ObjectKey::new("hotspot-server", interface);
    let draft = Draft::new(&ip_hotspot::MENU, key, format!("the hotspot on {interface}"))
        .set(ip_hotspot::NAME, name(hotspot))
        .set(ip_hotspot::INTERFACE, interface)
        .set(ip_hotspot::ADDRESS_POOL, name(hotspot))
        .set(ip_hotspot::PROFILE, name(hotspot))
        .set(ip_hotspot::DISABLED, "no");
    recipe.add(draft.risk(Risk::Kicks))
}

fn walled_garden(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    let hosts: BTreeSet<_> = services(recipe.site).flat_map(|hotspot| &hotspot.walled_garden).collect();
    if hosts.len() > PARTS_MAX {
        return Err(SiteError::TooMany { what: "walled-garden hosts", max: PARTS_MAX });
    }
    for host in hosts {
        let key = ObjectKey::new("walled-garden", host);
        let draft = Draft::new(&ip_hotspot_walled_garden::MENU, key, format!("{host} is open before login"))
            .set(ip_hotspot_walled_garden::ACTION, "allow")
            .set(ip_hotspot_walled_garden::DST_HOST, host);
        recipe.add(draft)?;
    }
    Ok(())
}
