//! What the router keeps to itself: its management from customers, its resolver from the world outside.
//!
//! Both only take away what nobody of the operator's needs, and an operator who does need it opens it ([`Openings`]). Whoever is neither a
//! customer by address nor comes in from outside is judged by the operator's rules alone.
//!
//! [`Openings`]: crate::Openings

use super::expired::rule;
use super::{CUSTOMERS, Recipe, join};
use crate::object::{ObjectKey, Risk, SiteError};
use routeros::catalogue::ip_firewall_filter as filter;

/// The chain for what comes from outside to the router itself.
const OUTSIDE: &str = "mw-outside";

/// The port of name servers.
const DNS_PORT: u16 = 53;

/// Keeps customers from what manages the router, whether there are any yet or not: the rule is written once, with the tunnel's.
pub fn management(recipe: &mut Recipe<'_>, chain: &str) -> Result<(), SiteError> {
    let ports: Vec<u16> = recipe.site.facts.management_ports.iter().copied().collect();
    if recipe.site.openings.customers_manage || ports.is_empty() {
        return Ok(());
    }
    let draft = rule(ObjectKey::new("filter-router", "manage"), "customers do not reach what manages the router", chain, "drop")
        .set(filter::SRC_ADDRESS_LIST, CUSTOMERS)
        .set(filter::PROTOCOL, "tcp")
        .set(filter::DST_PORT, join(&ports));
    recipe.add(draft.risk(Risk::Path))
}

/// Refuses questions for names that come from outside, whether the resolver answers others or not: so it is never open for a moment.
pub fn outside(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    if !refuses_outside(recipe) {
        return Ok(());
    }
    for interface in &recipe.site.facts.outside {
        for protocol in ["udp", "tcp"] {
            let key = ObjectKey::new("filter-outside", format_args!("dns-{protocol}@{interface}"));
            let draft = rule(key, &format!("nobody is answered names by way of {interface}"), OUTSIDE, "drop");
            let draft = draft.set(filter::IN_INTERFACE, interface).set(filter::PROTOCOL, protocol);
            recipe.add(draft.set(filter::DST_PORT, DNS_PORT))?;
        }
    }
    Ok(())
}

/// Leads into the chain of what comes from outside. The rule stays the same when the way out is another one.
pub fn leads_outside(recipe: &mut Recipe<'_>, chain: &str) -> Result<(), SiteError> {
    if !refuses_outside(recipe) {
        return Ok(());
    }
    let key = ObjectKey::new("filter-router", "outside");
    let jump = rule(key, "what comes from outside is judged by rules of its own", chain, "jump");
    recipe.add(jump.set(filter::JUMP_TARGET, OUTSIDE).risk(Risk::Path))
}

fn refuses_outside(recipe: &Recipe<'_>) -> bool {
    !recipe.site.openings.resolve_outside && !recipe.site.facts.outside.is_empty()
}
