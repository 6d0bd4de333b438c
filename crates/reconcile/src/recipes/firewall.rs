//! The firewall as a whole: chains of our own, each of RouterOS' chains entered by one rule that leads into ours and stands before all
//! others. What is added to our chains later changes nothing outside of them. The chain that leads to the pay page is [`expired`]'s.

use super::expired::{self, rule};
use super::{Recipe, fasttrack, tunnel, walls};
use crate::object::{ObjectKey, Risk, SiteError};
use routeros::catalogue::ip_firewall_filter as filter;

/// The chain for everything that comes to the router itself.
pub const ROUTER: &str = "mw-router";

/// The chain for everything that passes through the router.
const FORWARD: &str = "mw-forward";

/// Writes the rules; each chain is complete before a rule leads into it.
pub fn rules(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    tunnel::input(recipe)?;
    walls::outside(recipe)?;
    let key = |which| ObjectKey::new("filter-router", which);
    let wireguard = &recipe.site.wireguard_interface;
    // First, so that nothing that is added here can cut the controller off: the tunnel's chain decides about every packet.
    let tunnel = rule(key("tunnel"), "what the tunnel brings is judged by rules of its own", ROUTER, "jump");
    recipe.add(tunnel.set(filter::IN_INTERFACE, wireguard).set(filter::JUMP_TARGET, tunnel::INPUT).risk(Risk::Path))?;
    walls::management(recipe, ROUTER)?;
    walls::leads_outside(recipe, ROUTER)?;
    let jump = rule(key("jump"), "everything that comes to the router itself is judged by our rules first", "input", "jump");
    recipe.add(jump.set(filter::JUMP_TARGET, ROUTER).risk(Risk::Path))?;

    tunnel::forward(recipe, FORWARD)?;
    expired::forward(recipe, FORWARD)?;
    fasttrack::exemption(recipe, FORWARD)?;
    let key = ObjectKey::new("filter-forward", "jump");
    let jump = rule(key, "everything that passes is judged by our rules first", "forward", "jump");
    recipe.add(jump.set(filter::JUMP_TARGET, FORWARD))
}
