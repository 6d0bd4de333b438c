//! In which order tables lose their rows so that no row refers to one that is gone. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// Groups tables so that whoever refers to a table comes before it. A group of several is a circle of tables that refer to each other; a
/// table that refers to itself is a group of its own. `refers` holds (who refers, to whom).
pub(in super::super) fn order(tables: &[String], refers: &[(String, String)]) -> Vec<Vec<String>> {
    let mut targets: BTreeMap<&str, BTreeSet<&str>> = tables.iter().map(|table| (table.as_str(), BTreeSet::new())).collect();
    for (from, to) in refers.iter().filter(|(from, to)| from != to) {
        if targets.contains_key(to.as_str())
            && let Some(known) = targets.get_mut(from.as_str())
        {
            known.insert(to);
        }
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> = targets.keys().map(|table| (*table, reach(table, &targets))).collect();
    let mut left: BTreeSet<&str> = targets.keys().copied().collect();
    let mut groups = Vec::new();
    while !left.is_empty() {
        // A table is next when everybody left who refers to it is in its own circle.
        let ready = |table: &str| left.iter().all(|other| !reached[*other].contains(table) || reached[table].contains(*other));
        let next: Vec<&str> = left.iter().copied().filter(|table| ready(table)).collect();
        assert!(!next.is_empty(), "of finitely many circles one is referred to by no other");
        let mut placed: BTreeSet<&str> = BTreeSet::new();
        for table in next {
            if placed.contains(table) {
                continue;
            }
            let circle = |other: &&str| *other == table || (reached[table].contains(*other) && reached[*other].contains(table));
            let group: Vec<&str> = left.iter().copied().filter(circle).collect();
            placed.extend(&group);
            groups.push(group.into_iter().map(str::to_owned).collect());
        }
        left.retain(|table| !placed.contains(table));
    }
    groups
}

/// Every table that is reached along references, one after another.
fn reach<'a>(from: &'a str, targets: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<&str> = targets[from].iter().copied().collect();
    while let Some(table) = waiting.pop() {
        if seen.insert(table) {
            waiting.extend(targets[table].iter().copied());
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(tables: &[&str], refers: &[(&str, &str)]) -> Vec<Vec<String>> {
        let tables: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
        let refers: Vec<(String, String)> = refers.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        order(&tables, &refers)
    }

    #[test]
    fn who_refers_goes_first() {
        let groups = ordered(
            &["customer", "payment", "router", "site"],
            &[("customer", "router"), ("payment", "customer"), ("router", "site"), ("site", "site"), ("site", "tenant")],
        );
        assert_eq!(groups, [["payment"], ["customer"], ["router"], ["site"]]);
    }

    #[test]
    fn a_circle_is_one_group() {
        let groups = ordered(
            &["package", "package_version", "payment", "note"],
            &[
                ("package", "package_version"),
                ("package_version", "package"),
                ("payment", "package_version"),
                ("package", "note"),
            ],
        );
        assert_eq!(groups, [vec!["payment"], vec!["package", "package_version"], vec!["note"]]);
    }

    #[test]
    fn every_table_stands_once_and_none_before_who_refers_to_it() {
        // Many graphs out of a simple generator; the property is checked on each.
        let mut state = 1_u64;
        for _ in 0..200 {
            let mut random = |below: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % below
            };
            let tables: Vec<String> = (0..8).map(|n| format!("t{n}")).collect();
            let refers: Vec<(String, String)> =
                (0..random(14)).map(|_| (format!("t{}", random(8)), format!("t{}", random(8)))).collect();
            let groups = order(&tables, &refers);
            let mut all: Vec<&String> = groups.iter().flatten().collect();
            all.sort();
            assert_eq!(all, tables.iter().collect::<Vec<_>>());
            let place = |table: &String| groups.iter().position(|group| group.contains(table));
            for (from, to) in &refers {
                assert!(place(from) <= place(to), "{from} refers to {to}: {groups:?}");
            }
        }
    }
}
