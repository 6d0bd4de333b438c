//! What expired and switched-off customers reach: rules in chains of our own, entered by one jump rule each.
//!
//! Expired PPPoE customers come into the list by their profile, static ones by an entry of their own.

use super::{BLOCKED, Draft, EXPIRED, PAY_HOSTS, Recipe};
use crate::object::{ObjectKey, Position, SiteError};
use crate::site::Portal;
use routeros::catalogue::{ip_firewall_address_list as list, ip_firewall_filter as filter, ip_firewall_nat as nat};

/// The chain that leads expired customers to the pay page.
const REDIRECT: &str = "mw-redirect";

pub fn rules(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    if let Some(portal) = &recipe.site.portal {
        hosts(recipe, portal)?;
        redirect(recipe, portal)?;
    }
    let rules = [
        ("dns-udp", "expired customers resolve names", [("udp", "53")].as_slice(), None),
        ("dns-tcp", "expired customers resolve names", &[("tcp", "53")], None),
        ("hosts", "expired customers reach the pay hosts", &[], Some(PAY_HOSTS)),
    ];
    for (which, reason, port, hosts) in rules {
        if hosts.is_some() && recipe.site.portal.is_none() {
            continue;
        }
        let mut draft = rule(ObjectKey::new("filter-expired", which), reason, EXPIRED, "accept");
        for (protocol, port) in port {
            draft = draft.set(filter::PROTOCOL, protocol).set(filter::DST_PORT, port);
        }
        recipe.add(draft.maybe(filter::DST_ADDRESS_LIST, hosts))?;
    }
    recipe.add(rule(ObjectKey::new("filter-expired", "drop"), "expired customers reach nothing else", EXPIRED, "drop"))
}

/// A filter rule at its place in its chain.
pub fn rule(key: ObjectKey, reason: &str, chain: &str, action: &str) -> Draft {
    let draft = Draft::new(&filter::MENU, key, reason).set(filter::CHAIN, chain).set(filter::ACTION, action);
    draft.set(filter::DISABLED, "no").at(Position::Sequence)
}

/// Rules in `forward` for the lists; the caller makes the chain's other rules.
pub fn forward(recipe: &mut Recipe<'_>, chain: &str) -> Result<(), SiteError> {
    let key = ObjectKey::new("filter-forward", "blocked");
    recipe.add(rule(key, "switched-off customers reach nothing", chain, "drop").set(filter::SRC_ADDRESS_LIST, BLOCKED))?;
    let jump = rule(ObjectKey::new("filter-forward", "expired"), "expired customers are held to the pay page", chain, "jump");
    recipe.add(jump.set(filter::SRC_ADDRESS_LIST, EXPIRED).set(filter::JUMP_TARGET, EXPIRED))
}

fn hosts(recipe: &mut Recipe<'_>, portal: &Portal) -> Result<(), SiteError> {
    let page = portal.address.to_string();
    let mut hosts: Vec<&String> = portal.hosts.iter().chain([&page]).collect();
    hosts.sort();
    hosts.dedup();
    for host in hosts {
        let draft = Draft::new(&list::MENU, ObjectKey::new("pay-host", host), format!("{host} is open to expired customers"))
            .set(list::LIST, PAY_HOSTS)
            .set(list::ADDRESS, host)
            .set(list::DISABLED, "no");
        recipe.add(draft)?;
    }
    Ok(())
}

fn redirect(recipe: &mut Recipe<'_>, portal: &Portal) -> Result<(), SiteError> {
    let rule = |which: &str, reason: &str, chain: &str, action: &str| {
        let draft = Draft::new(&nat::MENU, ObjectKey::new("nat", which), reason).set(nat::CHAIN, chain);
        draft.set(nat::ACTION, action).set(nat::DISABLED, "no").at(Position::Sequence)
    };
    let hosts = rule("redirect-hosts", "pay hosts are reached as they are", REDIRECT, "accept");
    recipe.add(hosts.set(nat::DST_ADDRESS_LIST, PAY_HOSTS))?;
    let page = rule("redirect-page", "plain web requests of expired customers go to the pay page", REDIRECT, "dst-nat");
    let page = page.set(nat::PROTOCOL, "tcp").set(nat::DST_PORT, "80");
    recipe.add(page.set(nat::TO_ADDRESSES, portal.address).set(nat::TO_PORTS, portal.port))?;
    let jump = rule("redirect", "expired customers are led to the pay page", "dstnat", "jump");
    recipe.add(jump.set(nat::SRC_ADDRESS_LIST, EXPIRED).set(nat::JUMP_TARGET, REDIRECT))
}
