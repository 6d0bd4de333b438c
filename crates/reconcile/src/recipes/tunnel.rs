//! Firewall rules for the tunnel: the hub reaches the API, nothing else comes in, nothing passes through.

use super::expired::{self, rule};
use super::{Recipe, fasttrack};
use crate::object::{ObjectKey, Risk, SiteError};
use routeros::catalogue::ip_firewall_filter as filter;

/// The chain for what the tunnel brings to the router itself.
pub const INPUT: &str = "mw-input";

/// The chain for everything that passes through the router.
const FORWARD: &str = "mw-forward";

/// The port of the RouterOS API.
pub const API_PORT: u16 = 8728;

pub fn rules(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    let (hub, wireguard) = (recipe.site.hub, &recipe.site.wireguard_interface);
    let key = |which| ObjectKey::new("filter-input", which);
    let api = rule(key("api"), "the hub reaches the API", INPUT, "accept");
    let api = api.set(filter::SRC_ADDRESS, hub).set(filter::PROTOCOL, "tcp").set(filter::DST_PORT, API_PORT);
    recipe.add(api.risk(Risk::Path))?;
    let ping = rule(key("icmp"), "the hub can ping", INPUT, "accept");
    recipe.add(ping.set(filter::SRC_ADDRESS, hub).set(filter::PROTOCOL, "icmp"))?;
    let replies = rule(key("replies"), "answers to what the router asked the hub", INPUT, "accept");
    recipe.add(replies.set(filter::SRC_ADDRESS, hub).set(filter::CONNECTION_STATE, "established,related"))?;
    recipe.add(rule(key("drop"), "nothing else comes in from the tunnel", INPUT, "drop").risk(Risk::Path))?;
    let jump = rule(key("jump"), "what the tunnel brings is judged by our rules", "input", "jump");
    recipe.add(jump.set(filter::IN_INTERFACE, wireguard).set(filter::JUMP_TARGET, INPUT).risk(Risk::Path))?;

    let key = |which| ObjectKey::new("filter-forward", which);
    let reason = "nothing passes from or to the tunnel";
    recipe.add(rule(key("from-tunnel"), reason, FORWARD, "drop").set(filter::IN_INTERFACE, wireguard))?;
    recipe.add(rule(key("to-tunnel"), reason, FORWARD, "drop").set(filter::OUT_INTERFACE, wireguard))?;
    expired::forward(recipe, FORWARD)?;
    fasttrack::exemption(recipe, FORWARD)?;
    recipe.add(
        rule(key("jump"), "everything that passes is judged by our rules first", "forward", "jump")
            .set(filter::JUMP_TARGET, FORWARD),
    )
}
