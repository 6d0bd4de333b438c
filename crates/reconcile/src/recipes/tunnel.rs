//! Firewall rules for the tunnel: the hub reaches the API, nothing else comes in, nothing passes through.

use super::Recipe;
use super::expired::rule;
use crate::object::{ObjectKey, Risk, SiteError};
use routeros::catalogue::ip_firewall_filter as filter;

/// The chain for what the tunnel brings to the router itself. It decides about every packet that enters it.
pub const INPUT: &str = "mw-input";

/// The port of the RouterOS API.
pub const API_PORT: u16 = 8728;

pub fn input(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    let hub = recipe.site.hub;
    let key = |which| ObjectKey::new("filter-input", which);
    let api = rule(key("api"), "the hub reaches the API", INPUT, "accept");
    let api = api.set(filter::SRC_ADDRESS, hub).set(filter::PROTOCOL, "tcp").set(filter::DST_PORT, API_PORT);
    recipe.add(api.risk(Risk::Path))?;
    let ping = rule(key("icmp"), "the hub can ping", INPUT, "accept");
    recipe.add(ping.set(filter::SRC_ADDRESS, hub).set(filter::PROTOCOL, "icmp"))?;
    let replies = rule(key("replies"), "answers to what the router asked the hub", INPUT, "accept");
    recipe.add(replies.set(filter::SRC_ADDRESS, hub).set(filter::CONNECTION_STATE, "established,related"))?;
    recipe.add(rule(key("drop"), "nothing else comes in from the tunnel", INPUT, "drop").risk(Risk::Path))
}

/// Rules in a chain that everything passes which goes through the router.
pub fn forward(recipe: &mut Recipe<'_>, chain: &str) -> Result<(), SiteError> {
    let wireguard = &recipe.site.wireguard_interface;
    let key = |which| ObjectKey::new("filter-forward", which);
    let reason = "nothing passes from or to the tunnel";
    recipe.add(rule(key("from-tunnel"), reason, chain, "drop").set(filter::IN_INTERFACE, wireguard))?;
    recipe.add(rule(key("to-tunnel"), reason, chain, "drop").set(filter::OUT_INTERFACE, wireguard))
}
