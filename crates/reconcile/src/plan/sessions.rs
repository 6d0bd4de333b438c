//! Which live sessions have to end.
//!
//! A changed profile, secret or user does not touch a live session (RouterOS), so a session is judged by what it has: its
//! speed, address, list and device are compared with what it would get now. Nothing has to be remembered between passes, and
//! a kick that was lost is found again.

use super::matching::{self, Blocked};
use super::{Policy, diff};
use crate::changeset::Kick;
use crate::menus;
use crate::object::{Desired, Object};
use crate::observed::{Observed, Row};
use crate::recipes::EXPIRED;
use routeros::catalogue::{
    Menu, ip_firewall_address_list, ip_hotspot_active, ip_hotspot_cookie, ip_hotspot_user, ip_hotspot_user_profile, ppp_active,
    ppp_profile, ppp_secret, queue_simple,
};
use std::collections::{BTreeMap, BTreeSet};

/// What RouterOS puts before the user's name in a trial's login.
const TRIAL: &str = "T-";

pub fn kicks(desired: &Desired, observed: &Observed, policy: &Policy, blocked: &Blocked) -> Vec<Kick> {
    let judge = Judge::new(desired, observed, policy, blocked);
    let mut kicks = judge.ppp();
    kicks.extend(judge.hotspot());
    // Tables have no order of their own.
    kicks.sort_by(|a, b| (a.menu.path, &a.login, &a.id).cmp(&(b.menu.path, &b.login, &b.id)));
    kicks
}

/// Lists the sessions of hotspot users.
pub fn of_users<'a>(observed: &'a Observed, users: &[&Row]) -> Vec<&'a Row> {
    let of = |session: &&Row| {
        let login = session.text(ip_hotspot_active::USER);
        !session.flag(ip_hotspot_active::RADIUS) && users.iter().any(|user| user.text(ip_hotspot_user::NAME) == login)
    };
    observed.rows(&ip_hotspot_active::MENU).iter().filter(of).collect()
}

struct Judge<'a> {
    observed: &'a Observed,
    policy: &'a Policy,
    blocked: &'a Blocked,
    secrets: BTreeMap<&'a str, &'a Object>,
    users: BTreeMap<&'a str, &'a Object>,
    ppp_profiles: BTreeMap<&'a str, &'a Object>,
    user_profiles: BTreeMap<&'a str, &'a Object>,
    /// Limits of the queues that the router made for sessions, by name and by target.
    queues: BTreeMap<&'a str, &'a Row>,
    targets: BTreeMap<&'a str, &'a Row>,
    /// Addresses that profiles put into the list of expired customers.
    expired: BTreeSet<&'a str>,
}

impl<'a> Judge<'a> {
    fn new(desired: &'a Desired, observed: &'a Observed, policy: &'a Policy, blocked: &'a Blocked) -> Self {
        let by_name = |menu: &Menu| {
            let objects = desired.objects.iter().filter(|object| object.menu.path == menu.path);
            objects.filter_map(|object| Some((object.text(ppp_secret::NAME)?, object))).collect()
        };
        let queues = || observed.rows(&queue_simple::MENU).iter().filter(|row| row.flag(menus::DYNAMIC));
        let listed = observed.rows(&ip_firewall_address_list::MENU).iter().filter(|row| row.flag(menus::DYNAMIC));
        Self {
            observed,
            policy,
            blocked,
            secrets: by_name(&ppp_secret::MENU),
            users: by_name(&ip_hotspot_user::MENU),
            ppp_profiles: by_name(&ppp_profile::MENU),
            user_profiles: by_name(&ip_hotspot_user_profile::MENU),
            queues: queues().map(|row| (row.text(queue_simple::NAME), row)).collect(),
            targets: queues()
                .filter(|row| row.text(queue_simple::NAME).starts_with("<hotspot-"))
                .map(|row| (bare(row.text(queue_simple::TARGET)), row))
                .collect(),
            expired: listed
                .filter(|row| row.text(ip_firewall_address_list::LIST) == EXPIRED)
                .map(|row| bare(row.text(ip_firewall_address_list::ADDRESS)))
                .collect(),
        }
    }

    /// Lists the logins that rows of a menu hold and that are nobody's object: foreign ones, and ours that go away.
    fn others(&self, menu: &Menu, objects: &BTreeMap<&str, &Object>, rows: impl Fn(&Row) -> bool) -> BTreeSet<&'a str> {
        let rows = self.observed.rows(menu).iter().filter(|row| rows(row));
        rows.map(|row| row.text(ppp_secret::NAME)).filter(|name| !objects.contains_key(name)).collect()
    }

    fn ppp(&self) -> Vec<Kick> {
        let foreign = self.others(&ppp_secret::MENU, &self.secrets, |row| !matching::ours(&ppp_secret::MENU, row, self.policy));
        let mut kicks = Vec::new();
        for session in self.observed.rows(&ppp_active::MENU) {
            let login = session.text(ppp_active::NAME);
            if session.text(ppp_active::SERVICE) != "pppoe" || session.flag(ppp_active::RADIUS) || foreign.contains(login) {
                continue;
            }
            let reason = match self.secrets.get(login) {
                Some(secret) => self.ppp_reason(secret, session),
                None => self.observed.printed(&ppp_secret::MENU).then_some("the login does not exist any more"),
            };
            kicks.extend(reason.map(|reason| kick(&ppp_active::MENU, session, login, reason)));
        }
        kicks
    }

    fn ppp_reason(&self, secret: &Object, session: &Row) -> Option<&'static str> {
        if self.blocked.contains(&secret.key) {
            return None;
        }
        if secret.text(ppp_secret::DISABLED) == Some("yes") {
            return Some("the customer is switched off");
        }
        let lock = secret.text(ppp_secret::CALLER_ID);
        if lock.is_some_and(|lock| !lock.eq_ignore_ascii_case(session.text(ppp_active::CALLER_ID))) {
            return Some("the login belongs to another device");
        }
        let address = session.text(ppp_active::ADDRESS);
        if secret.text(ppp_secret::REMOTE_ADDRESS).is_some_and(|own| own != address) {
            return Some("the customer has an address of its own");
        }
        let profile = self.ppp_profiles.get(secret.text(ppp_secret::PROFILE)?)?;
        if self.blocked.contains(&profile.key) {
            return None;
        }
        match (profile.text(ppp_profile::ADDRESS_LIST) == Some(EXPIRED), self.expired.contains(address)) {
            (true, false) => return Some("the customer's time is up"),
            (false, true) => return Some("the customer has paid"),
            _ => {}
        }
        let queue = self.queues.get(format!("<pppoe-{}>", session.text(ppp_active::NAME)).as_str())?;
        other_speed(profile.text(ppp_profile::RATE_LIMIT)?, queue).then_some("the speed has changed")
    }

    fn hotspot(&self) -> Vec<Kick> {
        let menu = &ip_hotspot_user::MENU;
        let foreign = self.others(menu, &self.users, |row| !matching::ours(menu, row, self.policy));
        let leaving = self.others(menu, &self.users, |row| matching::ours(menu, row, self.policy));
        let mut kicks = Vec::new();
        for session in self.observed.rows(&ip_hotspot_active::MENU) {
            let login = session.text(ip_hotspot_active::USER);
            if session.flag(ip_hotspot_active::RADIUS) || login.starts_with(TRIAL) || foreign.contains(login) {
                continue;
            }
            let reason = match self.users.get(login) {
                Some(user) => self.hotspot_reason(user, session),
                None => self.observed.printed(menu).then_some("the login does not exist any more"),
            };
            kicks.extend(reason.map(|reason| kick(&ip_hotspot_active::MENU, session, login, reason)));
        }
        for cookie in self.observed.rows(&ip_hotspot_cookie::MENU) {
            let login = cookie.text(ip_hotspot_cookie::USER);
            let off = |user: &&Object| user.text(ip_hotspot_user::DISABLED) == Some("yes") && !self.blocked.contains(&user.key);
            if leaving.contains(login) || self.users.get(login).is_some_and(off) {
                kicks.push(kick(&ip_hotspot_cookie::MENU, cookie, login, "the device may not come back by itself"));
            }
        }
        kicks
    }

    fn hotspot_reason(&self, user: &Object, session: &Row) -> Option<&'static str> {
        if self.blocked.contains(&user.key) {
            return None;
        }
        if user.text(ip_hotspot_user::DISABLED) == Some("yes") {
            return Some("the customer is switched off");
        }
        let lock = user.text(ip_hotspot_user::MAC_ADDRESS);
        if lock.is_some_and(|lock| !lock.eq_ignore_ascii_case(session.text(ip_hotspot_active::MAC_ADDRESS))) {
            return Some("the login belongs to another device");
        }
        let profile = self.user_profiles.get(user.text(ip_hotspot_user::PROFILE)?)?;
        if self.blocked.contains(&profile.key) {
            return None;
        }
        let queue = self.targets.get(session.text(ip_hotspot_active::ADDRESS))?;
        other_speed(profile.text(ip_hotspot_user_profile::RATE_LIMIT)?, queue).then_some("the speed has changed")
    }
}

/// Says whether a session's queue has another speed than its profile gives now. Which way round a router shows the two
/// speeds does not matter: a mistake there would kick everyone for ever.
fn other_speed(rate_limit: &str, queue: &Row) -> bool {
    let arg = queue_simple::MENU.arg(queue_simple::MAX_LIMIT).expect("an argument of the menu");
    let rates = rate_limit.split(' ').next().unwrap_or_default();
    let (Ok(wanted), Some(shown)) = (arg.kind.canonical(rates.as_bytes()), diff::shown(arg, queue)) else { return false };
    let turned = wanted.split_once('/').map(|(up, down)| format!("{down}/{up}"));
    wanted != shown && turned.is_none_or(|turned| turned != shown)
}

fn bare(address: &str) -> &str {
    address.strip_suffix("/32").unwrap_or(address)
}

fn kick(menu: &'static Menu, row: &Row, login: &str, reason: &str) -> Kick {
    Kick { menu, id: row.id.clone(), login: login.to_owned(), reason: reason.to_owned() }
}
