//! Which row is which object.

use super::Policy;
use super::diff::{self, Difference};
use crate::object::{Object, ObjectKey, Value};
use crate::observed::Row;
use crate::recipes::{COMMENT, NAME_PREFIX};
use crate::{Finding, Severity, menus};
use model::Tag;
use routeros::catalogue::{
    Access, Arg, Kind, Menu, Shape, ip_dhcp_server_lease as lease, ip_firewall_filter, ip_hotspot_user, ip_hotspot_walled_garden,
    ip_pool, ppp_secret,
};
use std::collections::{BTreeMap, BTreeSet};

/// The argument that names a row, in every menu that has names; spelled alike in all of them.
const NAME: &str = ip_pool::NAME;

/// The server of a lease that holds in all of them.
const ALL_SERVERS: &str = "all";

/// An object and its row, if it has one.
#[derive(Clone, Copy)]
pub struct Matched<'a> {
    pub object: &'a Object,
    pub row: Option<&'a Row>,
}

/// A menu's objects and rows, put together.
pub struct Matching<'a> {
    pub menu: &'static Menu,
    /// The objects that can be written, in the order of the recipes.
    pub matched: Vec<Matched<'a>>,
    /// Those of them that have rows, in the order in which they can be set.
    pub levels: Vec<Vec<(&'a Object, &'a Row)>>,
    /// Rows that have to make room first; their objects count as missing.
    pub evicted: Vec<&'a Row>,
    /// Ours, but not wanted any more.
    pub orphans: Vec<&'a Row>,
    /// Not ours, in the router's order.
    pub foreign: Vec<&'a Row>,
}

impl<'a> Matching<'a> {
    pub fn by_id(&self, id: &str) -> Option<Matched<'a>> {
        self.matched.iter().copied().find(|matched| matched.row.is_some_and(|row| row.id == id))
    }

    pub fn missing(&self) -> impl Iterator<Item = Matched<'a>> {
        self.matched.iter().copied().filter(|matched| matched.row.is_none())
    }

    fn existing(&self) -> impl Iterator<Item = (&'a Object, &'a Row)> {
        self.matched.iter().filter_map(|matched| matched.row.map(|row| (matched.object, row)))
    }

    /// Sorts the objects with rows into levels: whoever takes a name comes after the one that gives it up. Where they wait
    /// for each other in a circle, one row is evicted, to be removed first and added again.
    fn sort(mut self) -> Self {
        let mut held: BTreeMap<Key, &ObjectKey> =
            self.existing().flat_map(|(object, row)| row_keys(self.menu, row).map(|key| (key, &object.key))).collect();
        let mut waiting: Vec<_> = self.existing().collect();
        while !waiting.is_empty() {
            let free = |(object, _): &(&Object, &Row)| {
                object_keys(object).all(|key| held.get(&key).is_none_or(|holder| **holder == object.key))
            };
            let (level, mut rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(free);
            let evicted = level.is_empty().then(|| rest.remove(0));
            for (_, row) in level.iter().chain(&evicted) {
                row_keys(self.menu, row).for_each(|key| {
                    held.remove(&key);
                });
            }
            if let Some((object, row)) = evicted {
                self.evicted.push(row);
                self.matched.iter_mut().filter(|matched| matched.object.key == object.key).for_each(|matched| matched.row = None);
            } else {
                self.levels.push(level);
            }
            waiting = rest;
        }
        self
    }
}

/// What makes a row unique in its menu.
type Key = Vec<Option<String>>;

fn row_key(menu: &Menu, row: &Row) -> Option<Key> {
    let part = |name: &&str| menu.arg(name).map(|arg| diff::shown(arg, row));
    if menu.key.is_empty() { None } else { menu.key.iter().map(part).collect() }
}

/// Lists everything that makes a row unique: its menu's key, and a lease's device in its server besides.
pub fn row_keys(menu: &Menu, row: &Row) -> impl Iterator<Item = Key> {
    let text = |name| menu.arg(name).and_then(|arg| diff::shown(arg, row));
    let device = is_lease(menu).then(|| vec![text(lease::MAC_ADDRESS), text(lease::SERVER)]);
    row_key(menu, row).into_iter().chain(device)
}

/// Lists the keys that no other row can have beside this one: a secret for any service stands for each, and a lease in all servers
/// keeps its device out of each.
fn taken_by(menu: &Menu, row: &Row) -> impl Iterator<Item = Key> {
    let any = menu.path == ppp_secret::MENU.path && matches!(row.text(ppp_secret::SERVICE), "" | "any");
    let pppoe = any.then(|| vec![Some(row.text(ppp_secret::NAME).to_owned()), Some("pppoe".to_owned())]);
    row_keys(menu, row).chain(pppoe)
}

/// Lists the keys of foreign rows that are in an object's way.
fn wanted_by(object: &Object) -> impl Iterator<Item = Key> {
    let device = || vec![object.text(lease::MAC_ADDRESS).map(str::to_owned), Some(ALL_SERVERS.to_owned())];
    object_keys(object).chain(is_lease(object.menu).then(device))
}

fn is_lease(menu: &Menu) -> bool {
    menu.path == lease::MENU.path
}

/// Lists everything that makes an object's row unique.
fn object_keys(object: &Object) -> impl Iterator<Item = Key> {
    let text = |name| object.text(name).map(str::to_owned);
    let device = is_lease(object.menu).then(|| vec![text(lease::MAC_ADDRESS), text(lease::SERVER)]);
    object_key(object).into_iter().chain(device)
}

fn object_key(object: &Object) -> Option<Key> {
    let part = |name: &&str| {
        let arg = object.menu.arg(name)?;
        Some(object.text(name).or(arg.default).map(str::to_owned))
    };
    if object.menu.key.is_empty() { None } else { object.menu.key.iter().map(part).collect() }
}

/// Says whether an argument is the one that carries the mark.
pub fn is_comment(name: &str) -> bool {
    name == COMMENT
}

/// Names a row for people: by its name, by what makes it unique, or by what it does.
fn label(menu: &Menu, text: impl Fn(&'static str) -> Option<String>) -> Option<String> {
    if let Some(name) = text(NAME) {
        return Some(name);
    }
    let nameless = &[ip_firewall_filter::CHAIN, ip_firewall_filter::ACTION, ip_hotspot_walled_garden::DST_HOST];
    let device = &[lease::ADDRESS, lease::MAC_ADDRESS];
    let names: &[&str] = match menu.key {
        [] => nameless,
        _ if is_lease(menu) => device,
        key => key,
    };
    let parts: Vec<_> = names.iter().filter_map(|name| text(name)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Names an object for people.
pub fn object_label(object: &Object) -> String {
    label(object.menu, |name| object.text(name).map(str::to_owned)).unwrap_or_else(|| object.key.to_string())
}

/// Names a row for people.
pub fn row_label(menu: &Menu, row: &Row) -> String {
    let text = |name| menu.arg(name).and_then(|arg| diff::shown(arg, row)).filter(|text| !text.is_empty());
    label(menu, text).unwrap_or_else(|| row.id.clone())
}

fn has_comment(menu: &Menu) -> bool {
    menu.arg(COMMENT).is_some_and(|arg| arg.access == Access::ReadWrite)
}

/// Reads a row's tag.
pub fn tag(menu: &Menu, row: &Row) -> Option<Tag> {
    row.text(COMMENT).parse().ok().filter(|_| has_comment(menu))
}

/// Says whether a row is marked as ours.
pub fn ours(menu: &Menu, row: &Row, policy: &Policy) -> bool {
    if has_comment(menu) {
        tag(menu, row).is_some_and(|tag| !policy.keep.contains(&tag))
    } else {
        row.text(NAME).starts_with(NAME_PREFIX)
    }
}

/// Puts objects and rows together: by tag; by key, for rows of ours whose tag nobody knows; by equality, for rows with our
/// kind of name that lost their comment. A hotspot user whose tag nobody knows is evicted instead, because its counters go with it. What would clash with a foreign row is blocked.
pub fn of<'a>(
    menu: &'static Menu,
    objects: &[&'a Object],
    rows: &'a [Row],
    policy: &Policy,
    blocked: &mut Blocked,
) -> Matching<'a> {
    let mut rows: Vec<&Row> = rows.iter().filter(|row| !row.flag(menus::DYNAMIC)).collect();
    if menu.shape != Shape::Ordered {
        // Ids are hexadecimal numbers behind a star.
        rows.sort_by_key(|row| (row.id.len(), row.id.clone()));
    }
    let (own, foreign): (Vec<&Row>, Vec<&Row>) = rows.into_iter().partition(|row| ours(menu, row, policy));
    let mut claims = Claims::new(menu, own);
    let mut found: Vec<Matched<'a>> = objects.iter().map(|object| Matched { object, row: claims.by_tag(object) }).collect();
    let mut evicted = Vec::new();
    if is_lease(menu) {
        // What is in the way of a lease has to go first: a router takes no second one for a device.
        let wanted: BTreeSet<Key> = objects.iter().flat_map(|object| object_keys(object)).collect();
        evicted.extend(claims.take(|row| row_keys(menu, row).any(|key| wanted.contains(&key))));
    }
    for matched in found.iter_mut().filter(|matched| matched.row.is_none()) {
        let row = claims.by_key(matched.object);
        // What another row counted is not this object's.
        if menu.path == ip_hotspot_user::MENU.path { evicted.extend(row) } else { matched.row = row }
    }
    let taken: BTreeMap<Key, &Row> = foreign.iter().flat_map(|row| taken_by(menu, row).map(|key| (key, *row))).collect();
    let mut matched = Vec::new();
    let mut adopted = BTreeSet::new();
    for Matched { object, row } in found {
        let clash = wanted_by(object).find_map(|key| taken.get(&key).copied());
        match clash {
            Some(lost) if row.is_none() && adoptable(object, lost, policy) => {
                adopted.insert(&lost.id);
                matched.push(Matched { object, row: Some(lost) });
            }
            Some(_) => blocked.clash(object),
            // What is there already is kept right as far as it can be, above all when someone is to be switched off.
            None if row.is_none() && blocked.waits(object) => {}
            None => matched.push(Matched { object, row }),
        }
    }
    let foreign = foreign.into_iter().filter(|row| !adopted.contains(&row.id)).collect();
    Matching { menu, matched, levels: Vec::new(), evicted, orphans: claims.rest(), foreign }.sort()
}

/// Rows of ours, and which of them objects have claimed.
struct Claims<'a> {
    rows: Vec<&'a Row>,
    claimed: BTreeSet<&'a str>,
    by_tag: BTreeMap<Tag, &'a Row>,
    by_key: BTreeMap<Key, &'a Row>,
}

impl<'a> Claims<'a> {
    fn new(menu: &'static Menu, rows: Vec<&'a Row>) -> Self {
        // Of several rows the first one counts.
        let by_tag = rows.iter().rev().filter_map(|row| Some((tag(menu, row)?, *row))).collect();
        let by_key = rows.iter().rev().filter_map(|row| Some((row_key(menu, row)?, *row))).collect();
        Self { rows, claimed: BTreeSet::new(), by_tag, by_key }
    }

    fn by_tag(&mut self, object: &Object) -> Option<&'a Row> {
        let row = self.by_tag.get(&object.tag).copied();
        self.claim(row)
    }

    fn by_key(&mut self, object: &Object) -> Option<&'a Row> {
        let row = object_key(object).and_then(|key| self.by_key.get(&key).copied());
        self.claim(row)
    }

    fn claim(&mut self, row: Option<&'a Row>) -> Option<&'a Row> {
        row.filter(|row| self.claimed.insert(&row.id))
    }

    /// Claims the rest of the rows that a condition holds for.
    fn take(&mut self, holds: impl Fn(&Row) -> bool) -> Vec<&'a Row> {
        let rows: Vec<_> =
            self.rows.iter().copied().filter(|row| !self.claimed.contains(row.id.as_str()) && holds(row)).collect();
        rows.into_iter().filter_map(|row| self.claim(Some(row))).collect()
    }

    fn rest(self) -> Vec<&'a Row> {
        self.rows.into_iter().filter(|row| !self.claimed.contains(row.id.as_str())).collect()
    }
}

/// Says whether a foreign row is one of ours that lost its comment: our kind of name, no comment, equal in everything else.
fn adoptable(object: &Object, row: &Row, policy: &Policy) -> bool {
    row.text(NAME).starts_with(NAME_PREFIX)
        && row.text(COMMENT).is_empty()
        && diff::of(object, row, policy).iter().all(|difference| is_comment(difference.arg.name))
}

/// Tells in which menus a value of a kind may name a row.
fn references(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::Reference(menus, _) => menus,
        Kind::Either(first, second) => {
            [references(first), references(second)].into_iter().max_by_key(|menus| menus.len()).unwrap_or_default()
        }
        Kind::Or(_, kind) | Kind::Negatable(kind) => references(kind),
        _ => &[],
    }
}

/// Objects that cannot be written because a foreign row is in the way, or because what they refer to cannot be written.
#[derive(Default)]
pub struct Blocked {
    keys: BTreeSet<ObjectKey>,
    /// Names that objects may refer to, with the clash that blocks them.
    names: BTreeMap<(&'static str, String), Name>,
    clashes: BTreeMap<ObjectKey, Clash>,
}

/// The name of an object that is blocked.
struct Name {
    root: ObjectKey,
    /// Whether a row has it, somebody else's; otherwise a router refuses whatever refers to it.
    taken: bool,
}

struct Clash {
    menu: &'static str,
    label: String,
    waiting: usize,
}

impl Blocked {
    pub fn contains(&self, key: &ObjectKey) -> bool {
        self.keys.contains(key)
    }

    fn clash(&mut self, object: &Object) {
        let label = object_label(object);
        self.clashes.insert(object.key.clone(), Clash { menu: object.menu.path, label, waiting: 0 });
        self.block(object, Name { root: object.key.clone(), taken: true });
    }

    fn block(&mut self, object: &Object, blocked: Name) {
        self.keys.insert(object.key.clone());
        if let Some(name) = object.text(NAME) {
            self.names.insert((object.menu.path, name.to_owned()), blocked);
        }
    }

    /// Blocks an object that refers to a blocked one.
    fn waits(&mut self, object: &Object) -> bool {
        let name = object.values.iter().find_map(|(name, value)| self.referred(object.menu.arg(name)?, value));
        let Some(root) = name.map(|name| name.root.clone()) else { return false };
        self.count(&root);
        self.block(object, Name { root, taken: false });
        true
    }

    /// Leaves out of what differs in a row whatever refers to an object that cannot be made, which a router would refuse.
    pub fn hold_back(&mut self, differences: &mut Vec<Difference>) {
        let missing = |difference: &Difference| {
            let name = self.referred(difference.arg, difference.after.as_ref()?).filter(|name| !name.taken)?;
            Some(name.root.clone())
        };
        let roots: BTreeSet<ObjectKey> = differences.iter().filter_map(missing).collect();
        differences.retain(|difference| missing(difference).is_none());
        roots.iter().for_each(|root| self.count(root));
    }

    /// Finds the blocked name that a value is.
    fn referred(&self, arg: &Arg, value: &Value) -> Option<&Name> {
        let name = value.expose()?;
        references(&arg.kind).iter().find_map(|menu| self.names.get(&(*menu, name.to_owned())))
    }

    fn count(&mut self, root: &ObjectKey) {
        if let Some(clash) = self.clashes.get_mut(root) {
            clash.waiting += 1;
        }
    }

    /// Reports the clashes.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.clashes.values().map(|Clash { menu, label, waiting }| {
            let waits = if *waiting == 0 { String::new() } else { format!(" {waiting} other objects wait for it.") };
            let text = format!("{menu} already has `{label}`, which is not ours and stays as it is.{waits} Rename or remove it.");
            Finding::new(Severity::Warning, "conflict", text)
        })
    }
}
