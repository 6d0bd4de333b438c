//! From what is wanted and what is there to what has to be done.
//!
//! A router's rows are of three kinds: ours, known by their mark; foreign, never touched; and dynamic, made by the router.
//! Values are compared in their canonical form. Nothing here depends on the order of rows in a table.

mod diff;
mod matching;
mod position;
mod sessions;

use crate::changeset::{Action, Change, ChangeSet};
use crate::menus::{self, MANAGED};
use crate::object::{Desired, Object, ObjectKey, Risk, Value, Values};
use crate::observed::{Observed, Row};
#[cfg(any(test, feature = "testing"))]
pub(crate) use matching::row_keys;
use matching::{Blocked, Matched, Matching};
use model::Tag;
use position::Order;
use routeros::catalogue::{Access, Menu, Shape, ip_address, ip_firewall_filter, ip_hotspot_active, ip_hotspot_user};
use std::collections::{BTreeMap, BTreeSet};

/// The action of a rule that leads into another chain.
const JUMP: &str = "jump";

/// What a plan may assume.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Marks of rows that someone else in the controller looks after, above all what enrolment left: the tunnel's address
    /// and its first firewall rule. A plan leaves these alone, and removes every other row whose mark no object has.
    pub keep: BTreeSet<Tag>,
    /// Whether the router shows passwords to the controller's account. Where it does not, they cannot be compared, and are
    /// written with new rows and for `rewrite` alone.
    pub secrets_shown: bool,
    /// Objects whose password is written although it cannot be compared.
    pub rewrite: BTreeSet<ObjectKey>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { keep: BTreeSet::new(), secrets_shown: true, rewrite: BTreeSet::new() }
    }
}

/// Plans what has to change so that a router holds what is wanted. Total and deterministic; empty when nothing differs.
#[must_use]
pub fn plan(desired: &Desired, observed: &Observed, policy: &Policy) -> ChangeSet {
    let mut planner = Planner { observed, policy, set: ChangeSet::default(), stage: 0, blocked: Blocked::default() };
    planner.set.findings.clone_from(&desired.findings);
    let mut by_menu: BTreeMap<usize, Vec<&Object>> = BTreeMap::new();
    for object in &desired.objects {
        by_menu.entry(menus::rank(object.menu)).or_default().push(object);
    }
    let mut orphans = Vec::new();
    for (rank, menu) in MANAGED.into_iter().enumerate() {
        let objects = by_menu.get(&rank).map_or(&[][..], Vec::as_slice);
        let matching = matching::of(menu, objects, observed.rows(menu), policy, &mut planner.blocked);
        let order = planner.write(&matching);
        orphans.push((menu, matching.orphans, order));
    }
    for (menu, rows, mut order) in orphans.into_iter().rev() {
        planner.remove(menu, &rows, &mut order, "not wanted any more");
    }
    let ended = planner.set.changes.iter().filter(|change| change.menu.path == ip_hotspot_active::MENU.path);
    let ended: BTreeSet<&str> = ended.filter_map(|change| change.id.as_deref()).collect();
    let mut kicks = sessions::kicks(desired, observed, policy, &planner.blocked);
    kicks.retain(|kick| kick.menu.path != ip_hotspot_active::MENU.path || !ended.contains(kick.id.as_str()));
    planner.set.kicks = kicks;
    planner.set.findings.extend(planner.blocked.findings());
    planner.set
}

struct Planner<'a> {
    observed: &'a Observed,
    policy: &'a Policy,
    set: ChangeSet,
    stage: u32,
    blocked: Blocked,
}

impl<'a> Planner<'a> {
    /// Writes one menu: what makes room, then moves, then sets, then adds. Tells how the rows that were there stand then.
    fn write(&mut self, matching: &Matching<'a>) -> Order<'a> {
        let rows = self.observed.rows(matching.menu);
        let mut order = Order::of(matching.menu, rows);
        if matching.menu.path == ip_hotspot_user::MENU.path {
            // What a session used is counted at its end, to the row that the user has then.
            let sessions = sessions::of_users(self.observed, &matching.evicted);
            self.remove(&ip_hotspot_active::MENU, &sessions, &mut Order::default(), "ends before its user is counted anew");
        }
        self.remove(matching.menu, &matching.evicted, &mut order, "makes room, and is added again");
        let places = position::of(matching, rows, &mut order);
        for (id, before, stood_before) in places.moves {
            let Some(Matched { object, row: Some(row) }) = matching.by_id(id) else { continue };
            let mut change = change(object, Action::Move { before: before.to_owned() }, Some(row));
            change.stood_before = stood_before.map(str::to_owned);
            self.stage([change]);
        }
        for level in &matching.levels {
            let mut changes = Vec::new();
            for (object, row) in level {
                changes.append(&mut self.differences(object, row));
            }
            self.stage(changes);
        }
        let mut together = Vec::new();
        for Matched { object, .. } in matching.missing() {
            let before = places.before.get(&object.key).map(|id| (*id).to_owned());
            let mut change = change(object, Action::Add { before }, None);
            change.values =
                object.values.iter().filter(|(_, value)| **value != Value::Absent).map(|(k, v)| (*k, v.clone())).collect();
            if object.position == Some(crate::Position::Sequence) {
                self.stage([change]);
            } else {
                together.push(change);
            }
        }
        self.stage(together);
        order
    }

    fn differences(&mut self, object: &Object, row: &Row) -> Vec<Change> {
        let mut differences = diff::of(object, row, self.policy);
        self.blocked.hold_back(&mut differences);
        let mut changes = Vec::new();
        let mut set = change(object, Action::Set, Some(row));
        for diff::Difference { arg, before, after } in differences {
            if let Some(after) = after {
                set.values.insert(arg.name, after);
                set.before.insert(arg.name, before);
            } else {
                let mut unset = change(object, Action::Unset { name: arg.name }, Some(row));
                unset.values.insert(arg.name, Value::Absent);
                unset.before.insert(arg.name, before);
                changes.push(unset);
            }
        }
        if set.values.keys().all(|name| matching::is_comment(name)) {
            set.risk = Risk::Safe;
        }
        if !set.values.is_empty() {
            changes.insert(0, set);
        }
        changes
    }

    /// Removes rows. The rules that lead into our chains go first: a chain that is emptied while packets still pass through it loses
    /// what lets them pass before what drops them, and the controller its path.
    fn remove(&mut self, menu: &'static Menu, rows: &[&Row], order: &mut Order<'_>, reason: &str) {
        let leads = |row: &&Row| menu.shape == Shape::Ordered && row.text(ip_firewall_filter::ACTION) == JUMP;
        let (jumps, rest): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| leads(row));
        for rows in [jumps, rest] {
            let stood = order.take_out(&rows);
            let changes: Vec<_> = stood.into_iter().map(|(row, before)| removal(menu, row, before, reason)).collect();
            self.stage(changes);
        }
    }

    fn stage(&mut self, changes: impl IntoIterator<Item = Change>) {
        let before = self.set.changes.len();
        self.set.changes.extend(changes.into_iter().map(|change| Change { stage: self.stage, ..change }));
        self.stage += u32::from(self.set.changes.len() > before);
    }
}

fn change(object: &Object, action: Action, row: Option<&Row>) -> Change {
    Change {
        stage: 0,
        menu: object.menu,
        action,
        id: row.map(|row| row.id.clone()),
        key: Some(object.key.clone()),
        tag: Some(object.tag),
        label: matching::object_label(object),
        values: Values::new(),
        before: Values::new(),
        stood_before: None,
        reason: object.reason.clone(),
        risk: object.risk,
    }
}

fn removal(menu: &'static Menu, row: &Row, stood_before: Option<&str>, reason: &str) -> Change {
    let shown = |arg: &routeros::catalogue::Arg| {
        let text = arg.canonical(Some(row.raw(arg.name)?)).ok().flatten()?;
        matches!(arg.access, Access::ReadWrite | Access::Secret).then(|| (arg.name, Value::wrap(arg.access, text)))
    };
    let chain = row.text(ip_firewall_filter::CHAIN);
    let rule = menu.path == ip_firewall_filter::MENU.path && crate::recipes::INPUT_CHAINS.contains(&chain);
    let path = rule || menu.path == ip_address::MENU.path;
    Change {
        stage: 0,
        menu,
        action: Action::Remove,
        id: Some(row.id.clone()),
        key: None,
        tag: matching::tag(menu, row),
        label: matching::row_label(menu, row),
        values: Values::new(),
        before: menu.args.iter().filter_map(shown).collect(),
        stood_before: stood_before.map(str::to_owned),
        reason: reason.to_owned(),
        risk: if path { Risk::Path } else { Risk::Safe },
    }
}
