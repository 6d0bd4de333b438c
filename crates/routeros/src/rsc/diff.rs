//! What differs between two exports, menu by menu.

use super::writer::quoted;
use super::{Command, Export, Section, Target, Verb};
use crate::catalogue::{self, Shape};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What differs in one menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionDiff {
    /// The menu as the API spells it: `/ip/address`.
    pub path: String,
    /// Commands that only the later export has.
    pub added: Vec<String>,
    /// Commands that only the earlier export has.
    pub removed: Vec<String>,
    /// Rows that both have, with other values.
    pub changed: Vec<Changed>,
    /// Whether rows that both have stand in another order, where the order means something.
    pub moved: bool,
}

/// A row with other values than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which row: `add name=home`, `set [ find default-name=ether1 ]`.
    pub row: String,
    /// Its arguments that differ.
    pub values: Vec<ValueChange>,
}

/// An argument with another value than before, as an export writes it; nothing where it stood at its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueChange {
    /// The argument.
    pub name: String,
    /// What it was.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

/// Compares two exports. What changes by itself should be left out first ([`Export::comparable`]); the headers are not compared. The
/// menus come in the later export's order, those that it lacks last; menus without a difference are not named.
#[must_use]
pub fn diff(before: &Export, after: &Export) -> Vec<SectionDiff> {
    let (old, new) = (by_menu(before), by_menu(after));
    let mut paths: Vec<&str> = Vec::new();
    for section in after.sections.iter().chain(&before.sections) {
        if !paths.contains(&section.path.as_str()) {
            paths.push(&section.path);
        }
    }
    let none = Vec::new();
    let compare = |path: &str| {
        let (old, new) = (old.get(path).unwrap_or(&none), new.get(path).unwrap_or(&none));
        compare(path, old, new)
    };
    paths.into_iter().filter_map(compare).collect()
}

fn by_menu(export: &Export) -> BTreeMap<&str, Vec<&Command>> {
    let mut menus: BTreeMap<&str, Vec<&Command>> = BTreeMap::new();
    for Section { path, commands } in &export.sections {
        menus.entry(path).or_default().extend(commands);
    }
    menus
}

fn compare(path: &str, old: &[&Command], new: &[&Command]) -> Option<SectionDiff> {
    let (left, common_old) = without(old, new);
    let (come, common_new) = without(new, old);
    let moved = is_ordered(path) && common_old != common_new;
    let (mut added, mut removed, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    let mut partners: HashMap<Identity, VecDeque<&Command>> = HashMap::new();
    for command in &come {
        if let Some(identity) = identity(path, command) {
            partners.entry(identity).or_default().push_back(command);
        }
    }
    let mut paired: Vec<*const Command> = Vec::new();
    for command in left {
        let partner = identity(path, command).and_then(|identity| partners.get_mut(&identity)).and_then(VecDeque::pop_front);
        match partner {
            Some(partner) => {
                paired.push(partner);
                changed.push(change(path, command, partner));
            }
            None => removed.push(command.to_string()),
        }
    }
    paired.sort_unstable();
    for command in come {
        if paired.binary_search(&std::ptr::from_ref(command)).is_err() {
            added.push(command.to_string());
        }
    }
    let differs = moved || !added.is_empty() || !removed.is_empty() || !changed.is_empty();
    differs.then(|| SectionDiff { path: path.to_owned(), added, removed, changed, moved })
}

/// Splits `list` into what `other` lacks and the texts of what both have, each as often as it stands there.
fn without<'a>(list: &[&'a Command], other: &[&Command]) -> (Vec<&'a Command>, Vec<String>) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for command in other {
        *counts.entry(command.to_string()).or_default() += 1;
    }
    let (mut own, mut common) = (Vec::new(), Vec::new());
    for command in list {
        let text = command.to_string();
        match counts.get_mut(&text).filter(|count| **count > 0) {
            Some(count) => {
                *count -= 1;
                common.push(text);
            }
            None => own.push(*command),
        }
    }
    (own, common)
}

/// By what a row is the same row in two exports.
type Identity = (Verb, Option<String>, Vec<(String, Vec<u8>)>);

/// Names what makes a row the same one: which row a `set` is about; of an `add` the menu's key, its name, or else its comment. Rows
/// without any of them are new or gone, never changed.
fn identity(path: &str, command: &Command) -> Option<Identity> {
    if command.verb != Verb::Add {
        return Some((command.verb, command.target.text(), Vec::new()));
    }
    let keyed = |names: &[&str]| -> Option<Vec<(String, Vec<u8>)>> {
        let pairs = names.iter().map(|name| Some(((*name).to_owned(), command.value(name)?.to_vec())));
        pairs.collect::<Option<Vec<_>>>().filter(|pairs| !pairs.is_empty())
    };
    let key = catalogue::menu(path).map_or(&[][..], |menu| menu.key);
    let values = keyed(key).or_else(|| keyed(&["name"])).or_else(|| keyed(&["comment"]))?;
    Some((Verb::Add, None, values))
}

fn change(path: &str, before: &Command, after: &Command) -> Changed {
    let text = |command: &Command, name: &str| {
        let found = command.values.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_deref().map_or_else(|| "(cleared)".to_owned(), quoted))
    };
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in before.values.iter().chain(&after.values) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let differs = |name: &str| {
        let (before, after) = (text(before, name), text(after, name));
        (before != after).then(|| ValueChange { name: name.to_owned(), before, after })
    };
    Changed { row: row(path, after), values: names.into_iter().filter_map(differs).collect() }
}

/// Writes which row a command is about.
fn row(path: &str, command: &Command) -> String {
    let mut words = vec![command.verb.word().to_owned()];
    if command.target != Target::Menu {
        words.extend(command.target.text());
    }
    let values = identity(path, command).map(|(_, _, values)| values).unwrap_or_default();
    words.extend(values.iter().map(|(name, value)| format!("{name}={}", quoted(value))));
    words.join(" ")
}

/// Says whether the order of a menu's rows means something: as the catalogue has it, and in what it does not know in all that filters.
fn is_ordered(path: &str) -> bool {
    let filters = || path.split('/').any(|word| matches!(word, "firewall" | "filter"));
    catalogue::menu(path).map_or_else(filters, |menu| menu.shape == Shape::Ordered)
}
