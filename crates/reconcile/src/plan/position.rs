//! Where rows of ordered menus have to stand.

use super::matching::{Matched, Matching};
use crate::menus;
use crate::object::{Object, ObjectKey, Position};
use crate::observed::Row;
use routeros::catalogue::{Menu, Shape, ip_firewall_filter};
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

/// The rows of an ordered menu as they stand at a moment, named by id, without those that the router made itself: these are no place to
/// stand before. Empty for a menu without an order.
#[derive(Default)]
pub struct Order<'a>(Vec<&'a str>);

impl<'a> Order<'a> {
    pub fn of(menu: &Menu, rows: &'a [Row]) -> Self {
        let ordered = menu.shape == Shape::Ordered;
        Self(rows.iter().filter(|row| ordered && !row.flag(menus::DYNAMIC)).map(|row| row.id.as_str()).collect())
    }

    /// Takes rows out, and tells of each, in their order, before which it stood.
    pub fn take_out<'r>(&mut self, rows: &[&'r Row]) -> Vec<(&'r Row, Option<&'a str>)> {
        let places: BTreeMap<&str, usize> = self.0.iter().zip(0..).map(|(id, at)| (*id, at)).collect();
        let mut rows: Vec<_> = rows.iter().map(|row| (places.get(row.id.as_str()).copied(), *row)).collect();
        rows.sort_by_key(|(at, _)| *at);
        let stood = rows.iter().map(|(at, row)| (*row, at.and_then(|at| self.0.get(at + 1)).copied())).collect();
        let gone: BTreeSet<&str> = rows.iter().map(|(_, row)| row.id.as_str()).collect();
        self.0.retain(|id| !gone.contains(id));
        stood
    }

    /// Moves a row before another unless it stands before it already, and tells before which row it stood.
    fn move_before(&mut self, id: &'a str, anchor: &str) -> Option<Option<&'a str>> {
        let at = self.0.iter().position(|other| *other == id)?;
        let target = self.0.iter().position(|other| *other == anchor)?;
        if at < target {
            return None;
        }
        self.0.remove(at);
        let stood_before = self.0.get(at).copied();
        self.0.insert(target, id);
        Some(stood_before)
    }
}

pub fn of<'a>(matching: &Matching<'a>, rows: &'a [Row], order: &mut Order<'a>) -> Places<'a> {
    let mut places = Places::default();
    if matching.menu.shape != Shape::Ordered {
        return places;
    }
    let mut groups: BTreeMap<&str, Vec<Matched<'a>>> = BTreeMap::new();
    for matched in matching.matched.iter().filter(|matched| matched.object.position.is_some()) {
        groups.entry(matched.object.text(CHAIN).unwrap_or_default()).or_default().push(*matched);
    }
    // A row that is in the wrong chain is put right before, and keeps its place in the table.
    let mut chains: BTreeMap<&str, &str> = rows.iter().map(|row| (row.id.as_str(), row.text(CHAIN))).collect();
    chains.extend(
        groups.iter().flat_map(|(chain, members)| members.iter().filter_map(|member| Some((member.row?.id.as_str(), *chain)))),
    );
    let foreign: BTreeSet<&str> = matching.foreign.iter().map(|row| row.id.as_str()).collect();
    for (chain, members) in &groups {
        let in_chain = |id: &&&str| chains.get(**id) == Some(chain);
        let first_foreign = order.0.iter().filter(in_chain).find(|id| foreign.contains(**id)).copied();
        place(members, first_foreign, order, &mut places);
    }
    places
}

/// Goes through our rows of a group from the last to the first; each has to stand before the one that was looked at last, and that one
/// before all foreign rows.
fn place<'a>(members: &[Matched<'a>], first_foreign: Option<&'a str>, order: &mut Order<'a>, places: &mut Places<'a>) {
    let mut anchor = first_foreign;
    for Matched { object, row } in members.iter().rev() {
        let Some(row) = row else {
            anchor.map(|anchor| places.before.insert(object.key.clone(), anchor));
            continue;
        };
        if let Some(anchor) = anchor
            && let Some(stood_before) = order.move_before(&row.id, anchor)
        {
            places.moves.push((&row.id, anchor, stood_before));
        }
        if follows(object) {
            anchor = Some(&row.id);
        }
    }
}

/// Says whether earlier rows of ours have to stand before this one.
fn follows(object: &Object) -> bool {
    object.position == Some(Position::Sequence)
}
