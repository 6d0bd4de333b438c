//! Where rows of ordered menus have to stand.

use super::matching::{Matched, Matching};
use crate::object::{Object, ObjectKey, Position};
use crate::observed::Row;
use routeros::catalogue::{Shape, ip_firewall_filter};
use std::collections::{BTreeMap, BTreeSet};

/// The argument that splits a menu into groups; spelled alike in every menu that has it.
const CHAIN: &str = ip_firewall_filter::CHAIN;

/// What stands wrong, and where new rows go; rows are named by id.
#[derive(Default)]
pub struct Places<'a> {
    /// Rows to move, in order: which, before which, and before which it stood.
    pub moves: Vec<(&'a str, &'a str, Option<&'a str>)>,
    /// The row that a new one has to stand before.
    pub before: BTreeMap<ObjectKey, &'a str>,
}

pub fn of<'a>(matching: &Matching<'a>, rows: &'a [Row]) -> Places<'a> {
    let mut places = Places::default();
    if matching.menu.shape != Shape::Ordered {
        return places;
    }
    let mut groups: BTreeMap<&str, Vec<Matched<'a>>> = BTreeMap::new();
    for matched in matching.matched.iter().filter(|matched| matched.object.position.is_some()) {
        groups.entry(matched.object.text(CHAIN).unwrap_or_default()).or_default().push(*matched);
    }
    // A row that is in the wrong chain is put right before, and keeps its place in the table.
    let chains: BTreeMap<&str, &str> = groups
        .iter()
        .flat_map(|(chain, members)| members.iter().filter_map(|member| Some((member.row?.id.as_str(), *chain))))
        .collect();
    let chain_of = |row: &'a Row| chains.get(row.id.as_str()).copied().unwrap_or_else(|| row.text(CHAIN));
    let foreign: BTreeSet<&str> = matching.foreign.iter().map(|row| row.id.as_str()).collect();
    for (chain, members) in &groups {
        let order: Vec<&str> = rows.iter().filter(|row| chain_of(row) == *chain).map(|row| row.id.as_str()).collect();
        Group { order, foreign: &foreign }.place(members, &mut places);
    }
    places
}

/// The rows of a group as they will stand after the moves so far.
struct Group<'a, 'f> {
    order: Vec<&'a str>,
    foreign: &'f BTreeSet<&'a str>,
}

impl<'a> Group<'a, '_> {
    /// Goes through our rows from the last to the first; each has to stand before the one that was looked at last, and
    /// that one before all foreign rows.
    fn place(&mut self, members: &[Matched<'a>], places: &mut Places<'a>) {
        let mut anchor = self.order.iter().copied().find(|id| self.foreign.contains(id));
        for Matched { object, row } in members.iter().rev() {
            let Some(row) = row else {
                anchor.map(|anchor| places.before.insert(object.key.clone(), anchor));
                continue;
            };
            if let Some(anchor) = anchor
                && let Some(stood_before) = self.move_before(&row.id, anchor)
            {
                places.moves.push((&row.id, anchor, stood_before));
            }
            if follows(object) {
                anchor = Some(&row.id);
            }
        }
    }

    /// Moves a row before another unless it stands there already, and tells before which row it stood.
    fn move_before(&mut self, id: &'a str, anchor: &str) -> Option<Option<&'a str>> {
        let at = self.order.iter().position(|other| *other == id)?;
        let target = self.order.iter().position(|other| *other == anchor)?;
        if at < target {
            return None;
        }
        self.order.remove(at);
        let stood_before = self.order.get(at).copied();
        self.order.insert(target, id);
        Some(stood_before)
    }
}

/// Says whether earlier rows of ours have to stand before this one.
fn follows(object: &Object) -> bool {
    object.position == Some(Position::Sequence)
}
