//! Hotspots: the customers' network, a server per interface, a user profile per package, hosts open before login.

use super::lan::Lan;
use super::{Draft, Recipe, rate_limit};
use crate::object::{ObjectKey, Risk, SiteError};
use crate::site::{Hotspot, HotspotSupport, PARTS_MAX, Package, PackageKind, Service};
use crate::{Severity, site::Site};
use routeros::catalogue::{ip_hotspot, ip_hotspot_profile, ip_hotspot_user_profile, ip_hotspot_walled_garden};
use std::collections::BTreeSet;

/// Seconds for which a device keeps its address: few, because visitors come and go.
const LEASE_S: u32 = 3600;

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
        Service::Pppoe(_) | Service::Dhcp(_) => None,
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
        let lan = Lan {
            kind: "hotspot",
            what: "hotspot",
            name: name(hotspot),
            interface: &hotspot.interface,
            gateway: hotspot.gateway,
            pool: Some(&hotspot.pool),
            dns: &[],
            lease_s: LEASE_S,
            add_arp: None,
        };
        lan.objects(recipe)?;
        server(recipe, hotspot)?;
    }
    walled_garden(recipe)
}

/// The names of a hotspot's pool, DHCP server, profile and server.
fn name(hotspot: &Hotspot) -> String {
    format!("mw-hotspot-{}", hotspot.interface)
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
