//! Who is a customer, by address: a list for the rules that treat customers alike, whether they have paid or not.

use super::{CUSTOMERS, Draft, Recipe};
use crate::object::{ObjectKey, SiteError};
use crate::site::{AddressRange, PackageKind, Service};
use routeros::catalogue::ip_firewall_address_list as list;
use std::collections::BTreeSet;

/// Writes the list: what PPPoE sessions get whole, and the addresses of single customers beside it.
///
/// Neither a hotspot's guests nor strangers in a DHCP network are on it: the operator's own devices may be among them.
pub fn customers(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    let mut ranges: Vec<AddressRange> = Vec::new();
    let mut kinds = vec![PackageKind::Static];
    for service in &recipe.site.services {
        match service {
            Service::Pppoe(pppoe) => {
                ranges.extend(pppoe.pool.iter().chain(&pppoe.expired_pool));
                kinds.push(PackageKind::Pppoe);
            }
            Service::Hotspot(_) | Service::Dhcp(_) => {}
        }
    }
    let mut addresses: BTreeSet<String> = ranges.iter().map(ToString::to_string).collect();
    for kind in kinds {
        for (customer, _) in recipe.customers(kind)? {
            let own =
                customer.address.filter(|address| !ranges.iter().any(|range| range.first <= *address && *address <= range.last));
            addresses.extend(own.map(|address| address.to_string()));
        }
    }
    for address in addresses {
        let draft = Draft::new(&list::MENU, ObjectKey::new("customers-at", &address), format!("customers have {address}"));
        recipe.add(draft.set(list::LIST, CUSTOMERS).set(list::ADDRESS, address).set(list::DISABLED, "no"))?;
    }
    Ok(())
}
