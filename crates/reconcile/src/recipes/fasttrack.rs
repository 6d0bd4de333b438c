//! Customers with a speed of their own are kept out of FastTrack, whose connections pass by queues and rules.
//!
//! Rules of our own chain accept what is established before a rule of the operator's can hand it to FastTrack. That passes by nothing of
//! the operator's which was not passed by already: FastTrack carries a connection past every rule, whether it stands before or behind the
//! one that handed it over (manual, "FastTrack"). Without FastTrack on the router there is no such rule of ours.

use super::expired::rule;
use super::{CUSTOMERS, Recipe};
use crate::object::{ObjectKey, SiteError};
use routeros::catalogue::ip_firewall_filter as filter;

/// Writes the rules into a chain that `forward` enters first, behind those that stop somebody.
///
/// A hotspot's guests are not among them: whoever logs out must lose the open connections too, and the hotspot's own rules see to that.
pub fn exemption(recipe: &mut Recipe<'_>, chain: &str) -> Result<(), SiteError> {
    if !recipe.site.facts.fasttrack {
        return Ok(());
    }
    for (which, direction) in [("from-customers", filter::SRC_ADDRESS_LIST), ("to-customers", filter::DST_ADDRESS_LIST)] {
        let key = ObjectKey::new("filter-forward", which);
        let draft = rule(key, "open connections of customers stay out of FastTrack, and so in their queues", chain, "accept");
        recipe.add(draft.set(filter::CONNECTION_STATE, "established,related").set(direction, CUSTOMERS))?;
    }
    Ok(())
}
