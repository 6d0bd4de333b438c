//! The PPPoE service: pools, a profile per package, a server per interface.

use super::{Draft, EXPIRED, Recipe, join, rate_limit};
use crate::object::{ObjectKey, Risk, SiteError};
use crate::site::{Package, PackageKind, Pppoe, Service, Site};
use routeros::catalogue::{interface_pppoe_server_server as server, ip_pool, ppp_profile};

/// The speed of expired customers, both ways: enough for a pay page.
const EXPIRED_RATE: &str = "256k/256k";

/// Seconds of silence after which a session is over: a customer's device that is silent this long is gone.
const KEEPALIVE_S: u32 = 30;

/// The pool's name.
const POOL: &str = "mw-pppoe";

pub fn of(site: &Site) -> Option<&Pppoe> {
    site.services.iter().find_map(|service| match service {
        Service::Pppoe(pppoe) => Some(pppoe),
        Service::Hotspot(_) | Service::Dhcp(_) => None,
    })
}

/// The key of a package's profile.
pub fn profile(package: &Package) -> ObjectKey {
    ObjectKey::new("ppp-profile", package.id)
}

pub fn service(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    let Some(pppoe) = of(recipe.site) else { return Ok(()) };
    for (name, ranges, who) in [(POOL, &pppoe.pool, "customers"), (EXPIRED, &pppoe.expired_pool, "expired customers")] {
        let draft = Draft::new(&ip_pool::MENU, ObjectKey::new("pool", name), format!("addresses for PPPoE {who}"));
        recipe.add(draft.set(ip_pool::NAME, name).set(ip_pool::RANGES, join(ranges)))?;
    }
    for package in recipe.site.packages.iter().filter(|package| package.kind == PackageKind::Pppoe) {
        let key = profile(package);
        let name = recipe.name(&key)?;
        let draft = Draft::new(&ppp_profile::MENU, key, format!("profile of package {}", package.name))
            .set(ppp_profile::NAME, name)
            .set(ppp_profile::REMOTE_ADDRESS, POOL)
            .set(ppp_profile::RATE_LIMIT, rate_limit(package.speed))
            .clear(ppp_profile::ADDRESS_LIST);
        recipe.add(common(draft, pppoe))?;
    }
    let draft = Draft::new(&ppp_profile::MENU, ObjectKey::new("ppp-profile", "expired"), "profile of expired customers")
        .set(ppp_profile::NAME, EXPIRED)
        .set(ppp_profile::REMOTE_ADDRESS, EXPIRED)
        .set(ppp_profile::RATE_LIMIT, EXPIRED_RATE)
        .set(ppp_profile::ADDRESS_LIST, EXPIRED);
    recipe.add(common(draft, pppoe))?;
    for interface in &pppoe.interfaces {
        let key = ObjectKey::new("pppoe-server", interface);
        let draft = Draft::new(&server::MENU, key, format!("customers dial in on {interface}"))
            .set(server::SERVICE_NAME, format!("mw-{interface}"))
            .set(server::INTERFACE, interface)
            // Whoever has no secret of ours gets the profile that leads to the pay page.
            .set(server::DEFAULT_PROFILE, EXPIRED)
            .set(server::AUTHENTICATION, "pap,chap,mschap1,mschap2")
            .set(server::ONE_SESSION_PER_HOST, "yes")
            .set(server::KEEPALIVE_TIMEOUT, KEEPALIVE_S)
            .maybe(server::PPPOE_OVER_VLAN_RANGE, (!pppoe.vlans.is_empty()).then(|| join(&pppoe.vlans)))
            .set(server::DISABLED, "no");
        recipe.add(draft.risk(Risk::Kicks))?;
    }
    Ok(())
}

fn common(draft: Draft, pppoe: &Pppoe) -> Draft {
    let dns = if pppoe.dns.is_empty() { pppoe.local_address.to_string() } else { join(&pppoe.dns) };
    draft
        .set(ppp_profile::LOCAL_ADDRESS, pppoe.local_address)
        .set(ppp_profile::DNS_SERVER, dns)
        .set(ppp_profile::ONLY_ONE, "yes")
        .risk(Risk::Kicks)
}
