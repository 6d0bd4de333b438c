//! A router reduced to its tables: what it would hold after a plan was applied.

use crate::changeset::{Action, Change, ChangeSet};
use crate::observed::{Observed, Row};
use crate::plan::row_keys;
use crate::recipes::EXPIRED;
use routeros::catalogue::{Menu, ip_firewall_address_list, ip_hotspot_active, ppp_active, queue_simple};

/// Applies a plan to what was observed, in order, as a router would.
///
/// # Panics
/// The plan names a row that is not there, or makes two rows with one key: such a plan is wrong.
#[must_use]
pub fn simulate(observed: &Observed, set: &ChangeSet) -> Observed {
    let mut router = observed.clone();
    for (number, change) in set.changes.iter().enumerate() {
        apply(&mut router, change, number);
    }
    for kick in &set.kicks {
        end_session(&mut router, kick.menu, &kick.id);
    }
    router
}

fn apply(router: &mut Observed, change: &Change, number: usize) {
    if change.menu.path == ip_hotspot_active::MENU.path {
        return end_session(router, change.menu, of(change));
    }
    let rows = router.rows_mut(change.menu);
    match &change.action {
        Action::Add { before } => {
            let written = change.values.iter().filter_map(|(name, value)| Some((*name, value.expose()?)));
            let at = before.as_ref().map_or(rows.len(), |id| find(rows, id));
            rows.insert(at, Row::new(format!("*ADD{number}"), written));
            assert_unique(change, rows, at);
        }
        Action::Set | Action::Unset { .. } => {
            let at = find(rows, of(change));
            for (name, value) in &change.values {
                rows[at].set(name, value.expose());
            }
            assert_unique(change, rows, at);
        }
        Action::Move { before } => {
            let from = find(rows, of(change));
            let row = rows.remove(from);
            let to = find(rows, before);
            rows.insert(to, row);
        }
        Action::Remove => {
            let at = find(rows, of(change));
            rows.remove(at);
        }
    }
}

/// Refuses a second row with the same key, as a router does.
fn assert_unique(change: &Change, rows: &[Row], at: usize) {
    let keys: Vec<_> = row_keys(change.menu, &rows[at]).collect();
    let same = |row: &Row| row_keys(change.menu, row).any(|key| keys.contains(&key));
    let twice = rows.iter().enumerate().any(|(other, row)| other != at && same(row));
    assert!(!twice, "already there: {change}");
}

/// Removes a session with the queue and the list entry that the router made for it.
fn end_session(router: &mut Observed, menu: &Menu, id: &str) {
    let rows = router.rows_mut(menu);
    let at = find(rows, id);
    let session = rows.remove(at);
    let address = session.text(ppp_active::ADDRESS).to_owned();
    let queue = format!("<pppoe-{}>", session.text(ppp_active::NAME));
    if menu.path == ppp_active::MENU.path {
        router.rows_mut(&queue_simple::MENU).retain(|row| row.text(queue_simple::NAME) != queue);
        router.rows_mut(&ip_firewall_address_list::MENU).retain(|row| {
            let made = row.flag(ip_firewall_address_list::DYNAMIC) && row.text(ip_firewall_address_list::LIST) == EXPIRED;
            !(made && row.text(ip_firewall_address_list::ADDRESS) == address)
        });
    } else if menu.path == ip_hotspot_active::MENU.path {
        let target = format!("{address}/32");
        let made = |row: &Row| row.flag(queue_simple::DYNAMIC) && row.text(queue_simple::TARGET) == target;
        router.rows_mut(&queue_simple::MENU).retain(|row| !made(row));
    }
}

fn of(change: &Change) -> &str {
    change.id.as_deref().expect("a change of a row names it")
}

fn find(rows: &[Row], id: &str) -> usize {
    rows.iter().position(|row| row.id == id).expect("a plan names rows that are there")
}
