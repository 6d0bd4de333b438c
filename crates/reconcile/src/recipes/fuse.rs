//! Fuses: scheduler entries on the router that end what is not paid any further, even while the controller is away.
//!
//! One entry per hour in which something ends, for the coming days, refreshed while the controller lives. Ends are rounded up
//! to the next full hour in the router's own zone, so that nobody is cut early, and entries change seldom. An entry brings
//! what it names, by tag, to where the controller itself would have brought it, so that nothing is left to write when the
//! controller is back. It knows nothing of dates and logins; each statement stands alone, so that one that fails
//! stops no other.
//!
//! What happens where the scheduler cannot be trusted is decided here and nowhere else.

use super::{Draft, EXPIRED, Recipe, count, hotspot, people, pppoe};
use crate::Severity;
use crate::object::{ObjectKey, SiteError};
use crate::site::{Customer, Facts, OnExpiry, Package, PackageKind, State};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use routeros::catalogue::{
    ip_firewall_address_list as list, ip_hotspot_active, ip_hotspot_cookie, ip_hotspot_user, ppp_active, ppp_secret,
    system_scheduler as scheduler,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Customers that one entry ends at most, so that its script stays far below what one API word carries (64 KiB).
const CUSTOMERS_PER_ENTRY: usize = 40;

/// What an entry may do: without this RouterOS gives a scheduler entry every right there is.
const POLICY: &str = "read,write,test";

const HOUR: SignedDuration = SignedDuration::from_hours(1);

pub fn all(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    let facts = &recipe.site.facts;
    let why = match (facts.clock_set, facts.scheduler_allowed) {
        (true, true) => return entries(recipe),
        (false, _) => "its clock is not set",
        (true, false) => "device-mode forbids the scheduler",
    };
    let grants = ends(recipe, Timestamp::MAX)?;
    let of = |hotspot| grants.iter().filter(|end| (end.package.kind == PackageKind::Hotspot) == hotspot).count();
    let text = format!(
        "The router carries no scheduled ends, because {why}. Ended by their online time nevertheless: {}. Ended only when \
         the controller reaches the router: {}.",
        count(of(true), "hotspot grant"),
        count(of(false), "PPPoE or static grant")
    );
    recipe.find(Severity::Warning, "no-fuses", text);
    Ok(())
}

/// The end of a customer's grant.
struct End<'a> {
    customer: &'a Customer,
    package: &'a Package,
    hour: DateTime,
}

/// Lists the ends of all grants that this router serves until a time, by hour and customer.
fn ends<'a>(recipe: &Recipe<'a>, horizon: Timestamp) -> Result<Vec<End<'a>>, SiteError> {
    let mut kinds = vec![PackageKind::Static];
    if pppoe::of(recipe.site).is_some() {
        kinds.push(PackageKind::Pppoe);
    }
    if hotspot::possible(recipe.site) {
        kinds.push(PackageKind::Hotspot);
    }
    let mut ends = Vec::new();
    for kind in kinds {
        for (customer, package) in recipe.customers(kind)? {
            if let State::Active(grant) = customer.state
                && grant.until <= horizon
            {
                ends.push(End { customer, package, hour: hour(&recipe.site.facts, grant.until) });
            }
        }
    }
    ends.sort_by_key(|end| (end.hour, end.customer.id));
    Ok(ends)
}

/// Finds the first full hour of the router's own clock that is neither before a time nor before the next one from now.
fn hour(facts: &Facts, until: Timestamp) -> DateTime {
    // A minute's grace keeps an entry from being written for an hour that has begun when it arrives.
    let earliest = until.max(facts.now.saturating_add(SignedDuration::from_mins(1)).unwrap_or(until));
    let civil = facts.zone.to_datetime(earliest);
    let begun = civil.date().at(civil.hour(), 0, 0, 0);
    let mut hour = begun;
    // An hour that summer time repeats begins twice, and the router may act on the first.
    while facts.zone.to_ambiguous_timestamp(hour).earlier().is_ok_and(|first| first < earliest) {
        let Ok(next) = hour.checked_add(1.hour()) else { break };
        hour = next;
    }
    hour
}

fn entries(recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    let facts = &recipe.site.facts;
    let days = HOUR.saturating_mul(24).saturating_mul(i32::from(recipe.site.fuse_days));
    let horizon = facts.now.saturating_add(days).unwrap_or(Timestamp::MAX);
    let later = ends(recipe, Timestamp::MAX)?;
    let ends = ends(recipe, horizon)?;
    if later.len() > ends.len() {
        let text = format!(
            "The router carries fuses for {}; later ends are written when the time comes: {}.",
            count(recipe.site.fuse_days.into(), "day"),
            count(later.len() - ends.len(), "grant")
        );
        recipe.find(Severity::Info, "fuse-horizon", text);
    }
    let mut hours: BTreeMap<DateTime, Vec<End<'_>>> = BTreeMap::new();
    for end in ends {
        hours.entry(end.hour).or_default().push(end);
    }
    for (hour, ends) in hours {
        for (index, part) in ends.chunks(CUSTOMERS_PER_ENTRY).enumerate() {
            entry(recipe, hour, index, part)?;
        }
    }
    Ok(())
}

fn entry(recipe: &mut Recipe<'_>, hour: DateTime, index: usize, ends: &[End<'_>]) -> Result<(), SiteError> {
    let mut script = String::new();
    for end in ends {
        statements(recipe, end, &mut script)?;
    }
    let script = script.trim_end();
    let part = if index == 0 { String::new() } else { format!("-{}", index + 1) };
    let key = ObjectKey::new("fuse", format_args!("{}{part}", hour.strftime("%Y-%m-%dT%H")));
    let reason = format!("ends {} at {} if the controller does not", count(ends.len(), "grant"), hour.strftime("%Y-%m-%d %H:%M"));
    let draft = Draft::new(&scheduler::MENU, key, reason)
        .set(scheduler::NAME, format!("mw-fuse-{}{part}", hour.strftime("%Y%m%d%H")))
        .set(scheduler::START_DATE, hour.strftime("%Y-%m-%d"))
        .set(scheduler::START_TIME, hour.strftime("%H:%M:%S"))
        .set(scheduler::INTERVAL, "0s")
        .set(scheduler::POLICY, POLICY)
        .set(scheduler::ON_EVENT, script)
        .set(scheduler::DISABLED, "no");
    recipe.add(draft)
}

fn statements(recipe: &Recipe<'_>, end: &End<'_>, script: &mut String) -> Result<(), SiteError> {
    let mut line = |statement: String| {
        writeln!(script, ":do {{ {statement} }} on-error={{}}").expect("a String takes everything");
    };
    let customer = end.customer;
    let by_tag = |key: &ObjectKey| Ok::<_, SiteError>(format!("[find comment=\"{}\"]", recipe.tag(key)?));
    match end.package.kind {
        PackageKind::Pppoe => {
            let (path, row) = (ppp_secret::MENU.path, by_tag(&people::secret_key(customer.id))?);
            match end.package.on_expiry {
                OnExpiry::Redirect => {
                    line(format!("{path}/set {row} {}={EXPIRED}", ppp_secret::PROFILE));
                    line(format!("{path}/unset {row} value-name={}", ppp_secret::REMOTE_ADDRESS));
                }
                OnExpiry::Disable => line(format!("{path}/set {row} {}=yes", ppp_secret::DISABLED)),
            }
            let login = login(path, &row);
            line(format!("{login}; {}/remove [find {}=$mwLogin]", ppp_active::MENU.path, ppp_active::NAME));
        }
        PackageKind::Hotspot => {
            let (path, row) = (ip_hotspot_user::MENU.path, by_tag(&people::user_key(customer))?);
            line(format!("{path}/set {row} {}=yes", ip_hotspot_user::DISABLED));
            let login = login(path, &row);
            for (menu, user) in
                [(ip_hotspot_active::MENU.path, ip_hotspot_active::USER), (ip_hotspot_cookie::MENU.path, ip_hotspot_cookie::USER)]
            {
                line(format!("{login}; {menu}/remove [find {user}=$mwLogin]"));
            }
        }
        PackageKind::Static => {
            let (address, stop) = (people::address(customer)?, people::stop_list(end.package));
            let tag = recipe.tag(&people::stop_key(customer.id))?;
            let (list, at, comment) = (list::LIST, list::ADDRESS, list::COMMENT);
            let path = list::MENU.path;
            line(format!("{path}/add {list}={stop} {at}={address} {comment}=\"{tag}\""));
        }
    }
    Ok(())
}

/// Reads a row's login into a variable, once: a search looks at every row, and would read it again for each. The variable's
/// name is no property's, because a search would then compare the property with itself.
fn login(path: &str, row: &str) -> String {
    format!(":local mwLogin [{path}/get {row} value-name={}]", ppp_secret::NAME)
}
