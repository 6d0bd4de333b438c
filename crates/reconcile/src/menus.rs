//! The menus that recipes fill, and what is printed of them.

use crate::observed::Print;
use crate::recipes::{BLOCKED, CUSTOMERS, EXPIRED, PAY_HOSTS};
use crate::site::{HotspotSupport, Site};
use routeros::catalogue as cat;
use routeros::catalogue::{Access, Menu};

/// The menus that recipes fill, each before those that refer to it.
pub const MANAGED: [&Menu; 18] = [
    // A grant is never on the router before the fuse that ends it; what a fuse names by tag may still be missing.
    &cat::system_scheduler::MENU,
    &cat::ip_pool::MENU,
    &cat::ip_address::MENU,
    &cat::ip_dhcp_server_network::MENU,
    &cat::ip_dhcp_server::MENU,
    &cat::ip_dhcp_server_lease::MENU,
    &cat::ppp_profile::MENU,
    &cat::interface_pppoe_server_server::MENU,
    &cat::ip_hotspot_profile::MENU,
    &cat::ip_hotspot_user_profile::MENU,
    &cat::ip_hotspot::MENU,
    &cat::ip_hotspot_walled_garden::MENU,
    &cat::ip_firewall_address_list::MENU,
    &cat::ip_firewall_nat::MENU,
    &cat::ip_firewall_filter::MENU,
    &cat::queue_simple::MENU,
    &cat::ppp_secret::MENU,
    &cat::ip_hotspot_user::MENU,
];

/// The menus that list sessions, with what is read of them.
const SESSIONS: [(&Menu, &[&str]); 3] = [
    (
        &cat::ppp_active::MENU,
        &[
            cat::ID,
            cat::ppp_active::NAME,
            cat::ppp_active::SERVICE,
            cat::ppp_active::ADDRESS,
            cat::ppp_active::CALLER_ID,
            cat::ppp_active::RADIUS,
        ],
    ),
    (
        &cat::ip_hotspot_active::MENU,
        &[
            cat::ID,
            cat::ip_hotspot_active::USER,
            cat::ip_hotspot_active::ADDRESS,
            cat::ip_hotspot_active::MAC_ADDRESS,
            cat::ip_hotspot_active::RADIUS,
        ],
    ),
    (&cat::ip_hotspot_cookie::MENU, &[cat::ID, cat::ip_hotspot_cookie::USER]),
];

/// Tells where a menu comes in the order of dependence.
pub fn rank(menu: &Menu) -> usize {
    MANAGED.iter().position(|managed| managed.path == menu.path).expect("recipes fill managed menus")
}

/// Lists what has to be printed before [`crate::plan`], all of it independent of the rest. Menus are read even when the site
/// wants nothing there, because something of ours may be left in them; those of a hotspot that cannot run are not, so that what is in them stays.
#[must_use]
pub fn observe_list(site: &Site) -> Vec<Print> {
    let managed = MANAGED.into_iter().map(|menu| {
        // Leases of devices that come and go are the router's own, and there may be thousands.
        let leases = menu.path == cat::ip_dhcp_server_lease::MENU.path;
        Print { menu, proplist: properties(menu, site), any_of: rows(menu), except: leases.then_some((DYNAMIC, "true")) }
    });
    let sessions = SESSIONS.into_iter().map(|(menu, names)| {
        let proplist = names.to_vec();
        Print { menu, proplist, any_of: Vec::new(), except: None }
    });
    let hotspot = site.facts.hotspot == HotspotSupport::Ready;
    managed.chain(sessions).filter(|print| hotspot || !print.menu.path.starts_with(cat::ip_hotspot::MENU.path)).collect()
}

/// Lists what a row can be told apart by, compared by and added again by: everything that can be written, and the flag.
fn properties(menu: &'static Menu, site: &Site) -> Vec<&'static str> {
    let wanted = |arg: &&cat::Arg| match arg.access {
        Access::ReadWrite | Access::Secret => true,
        Access::ReadOnly => arg.name == DYNAMIC,
        Access::AddOnly => false,
    };
    let args = menu.args.iter().filter(wanted).filter(|arg| arg.versions.contain(site.facts.version));
    [cat::ID].into_iter().chain(args.map(|arg| arg.name)).collect()
}

/// The flag of rows that the router made itself; spelled alike in every menu that has it.
pub const DYNAMIC: &str = cat::queue_simple::DYNAMIC;

/// Address lists may have tens of thousands of foreign entries: only ours are asked for.
fn rows(menu: &Menu) -> Vec<(&'static str, &'static str)> {
    if menu.path == cat::ip_firewall_address_list::MENU.path {
        [EXPIRED, BLOCKED, PAY_HOSTS, CUSTOMERS].map(|list| (cat::ip_firewall_address_list::LIST, list)).to_vec()
    } else {
        Vec::new()
    }
}
