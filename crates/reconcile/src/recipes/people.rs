//! One object or two per customer: a PPP secret, a hotspot user, a queue with an entry in a list.

use super::{BLOCKED, Draft, EXPIRED, Recipe, hotspot, pair, pppoe, state_word};
use crate::object::{ObjectKey, Position, SiteError};
use crate::site::{Customer, Grant, OnExpiry, Package, PackageKind, State};
use jiff::SignedDuration;
use model::CustomerId;
use routeros::catalogue::{ip_firewall_address_list as list, ip_hotspot_user, ppp_secret, queue_simple};
use std::net::Ipv4Addr;

pub fn all(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    if pppoe::of(recipe.site).is_some() {
        for (customer, package) in recipe.customers(PackageKind::Pppoe)? {
            secret(recipe, customer, package)?;
        }
    }
    if hotspot::possible(recipe.site) {
        for (customer, package) in recipe.customers(PackageKind::Hotspot)? {
            user(recipe, customer, package)?;
        }
    }
    for (customer, package) in recipe.customers(PackageKind::Static)? {
        queue(recipe, customer, package)?;
    }
    Ok(())
}

/// The key of a customer's PPP secret.
pub fn secret_key(customer: CustomerId) -> ObjectKey {
    ObjectKey::new("ppp-secret", customer)
}

/// The key of a customer's hotspot user. A user's counters belong to its row, so what is counted anew is another object.
pub fn user_key(customer: &Customer) -> ObjectKey {
    match customer.counted_since {
        Some(since) => ObjectKey::new("hotspot-user", format_args!("{}@{}", customer.id, since.as_second())),
        None => ObjectKey::new("hotspot-user", customer.id),
    }
}

/// The key of the entry that stops a static customer.
pub fn stop_key(customer: CustomerId) -> ObjectKey {
    ObjectKey::new("stop", customer)
}

/// The list that stops a static customer whose time is up.
pub const fn stop_list(package: &Package) -> &'static str {
    match package.on_expiry {
        OnExpiry::Redirect => EXPIRED,
        OnExpiry::Disable => BLOCKED,
    }
}

/// The address of a static customer.
pub fn address(customer: &Customer) -> Result<Ipv4Addr, SiteError> {
    customer.address.ok_or_else(|| SiteError::NoAddress(ObjectKey::new("customer", customer.id)))
}

fn reason(customer: &Customer, package: &Package) -> String {
    format!("customer {} is {}, package {}", customer.login, state_word(customer.state), package.name)
}

fn secret(recipe: &mut Recipe<'_>, customer: &Customer, package: &Package) -> Result<(), SiteError> {
    let (redirected, disabled) = match (customer.state, package.on_expiry) {
        (State::Active(_), _) => (false, false),
        (State::Expired, OnExpiry::Redirect) => (true, false),
        (State::Expired, OnExpiry::Disable) | (State::Suspended, _) => (false, true),
    };
    let profile = if redirected { EXPIRED.to_owned() } else { recipe.name(&pppoe::profile(package))? };
    let draft = Draft::new(&ppp_secret::MENU, secret_key(customer.id), reason(customer, package))
        .set(ppp_secret::NAME, &customer.login)
        .set(ppp_secret::PASSWORD, customer.password.expose())
        .set(ppp_secret::SERVICE, "pppoe")
        .set(ppp_secret::PROFILE, profile)
        // An address of the customer's own would win over the profile's pool, and lead around the pay page.
        .maybe(ppp_secret::REMOTE_ADDRESS, customer.address.filter(|_| !redirected))
        .maybe(ppp_secret::CALLER_ID, customer.mac_lock.as_ref().map(|mac| mac.to_ascii_uppercase()))
        .set(ppp_secret::DISABLED, yes_no(disabled));
    recipe.add(draft)
}

fn user(recipe: &mut Recipe<'_>, customer: &Customer, package: &Package) -> Result<(), SiteError> {
    let profile = recipe.name(&hotspot::profile(package))?;
    let draft = Draft::new(&ip_hotspot_user::MENU, user_key(customer), reason(customer, package))
        .set(ip_hotspot_user::NAME, &customer.login)
        .set(ip_hotspot_user::PASSWORD, customer.password.expose())
        .set(ip_hotspot_user::PROFILE, profile)
        .maybe(ip_hotspot_user::MAC_ADDRESS, customer.mac_lock.as_ref())
        .maybe(ip_hotspot_user::ADDRESS, customer.address);
    recipe.add(match customer.state {
        // The limits stay as they were: they matter to nobody now, and the user's counters go on.
        State::Expired | State::Suspended => draft.set(ip_hotspot_user::DISABLED, "yes"),
        State::Active(grant) => draft
            .maybe(
                ip_hotspot_user::LIMIT_UPTIME,
                limit_uptime(customer, grant, package).map(|limit| format!("{}s", limit.as_secs())),
            )
            .maybe(ip_hotspot_user::LIMIT_BYTES_TOTAL, grant.data_max.map(|bytes| bytes.0))
            .set(ip_hotspot_user::DISABLED, "no"),
    })
}

/// Bounds online time by the calendar: whoever was online all the time since the beginning, with every allowed device, has
/// not been online longer than this. It is a fuse that needs no clock and no scheduler, and it cuts nobody early.
fn limit_uptime(customer: &Customer, grant: Grant, package: &Package) -> Option<SignedDuration> {
    let calendar = customer.counted_since.map(|since| {
        let calendar = grant.until.duration_since(since).max(SignedDuration::from_secs(1));
        calendar.saturating_mul(i32::from(package.shared_users.max(1)))
    });
    calendar.into_iter().chain(grant.online_max).min()
}

fn queue(recipe: &mut Recipe<'_>, customer: &Customer, package: &Package) -> Result<(), SiteError> {
    let address = address(customer)?;
    let speed = package.speed;
    let burst = speed.burst;
    let draft = Draft::new(&queue_simple::MENU, ObjectKey::new("queue", customer.id), reason(customer, package))
        .set(queue_simple::NAME, format!("mw-{}", customer.login))
        .set(queue_simple::TARGET, format!("{address}/32"))
        .set(queue_simple::MAX_LIMIT, pair(speed.up, speed.down))
        .maybe(queue_simple::BURST_LIMIT, burst.map(|burst| pair(burst.up, burst.down)))
        .maybe(queue_simple::BURST_THRESHOLD, burst.map(|burst| pair(burst.threshold_up, burst.threshold_down)))
        .maybe(queue_simple::BURST_TIME, burst.map(|burst| format!("{0}s/{0}s", burst.time_s)))
        .set(queue_simple::DISABLED, "no")
        .at(Position::First);
    recipe.add(draft)?;
    let stop = match customer.state {
        State::Active(_) => return Ok(()),
        State::Expired => stop_list(package),
        State::Suspended => BLOCKED,
    };
    let draft = Draft::new(&list::MENU, stop_key(customer.id), reason(customer, package))
        .set(list::LIST, stop)
        .set(list::ADDRESS, address)
        .set(list::DISABLED, "no");
    recipe.add(draft)
}

const fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
