//! The walls inside the controller: what a domain's rules, store and routes may name.

use super::tree::{RustFile, Tree};
use super::{Level, Place, Rule};
use std::collections::BTreeSet;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "roles",
        why: "a decision is pure, SQL stands in the store, HTTP in the routes: each can then be read, tested and changed without the others",
        remedy: "move the line: decisions to rules.rs, SQL to store.rs, HTTP to routes.rs or pages.rs, talk with routers to provisioning, enrolment or monitoring",
        level: Level::Fails,
        check: roles,
    },
    Rule {
        name: "front-doors",
        why: "one domain reaches another by its mod.rs alone, so that a table or a route can change in one place",
        remedy: "give the other domain's mod.rs a function that does what you need, and call that; routes and pages call their own domain, which calls the other",
        level: Level::Fails,
        check: front_doors,
    },
];

const SOURCES: &str = "controller/src/";

/// Folders of the controller that are no domains but put them together.
const ASSEMBLY: &[&str] = &["cli", "http", "testing"];

/// Domains that talk with routers.
const ROUTER_TALK: &[&str] = &["enrolment", "monitoring", "provisioning"];

/// What a file of a role never names, as beginnings of paths.
const ROLES: &[(&str, &[&str])] = &[
    ("rules", &["axum", "sqlx", "tokio"]),
    ("store", &["axum", "routeros", "tunnel"]),
    ("routes", &["routeros", "sqlx"]),
    ("pages", &["routeros", "sqlx"]),
];

/// What every other file of a domain never names.
const ELSE: &[&str] = &["axum"];

/// A file of the controller, as the walls see it.
struct Spot<'a> {
    file: RustFile<'a>,
    /// The domain, unless the file belongs to the assembly.
    domain: Option<&'a str>,
    /// `rules`, `store`, `routes`, `pages`, or the file's or inner folder's own name.
    role: &'a str,
    /// The file's own module path.
    module: Vec<&'a str>,
}

fn spots(tree: &Tree) -> impl Iterator<Item = Spot<'_>> {
    tree.rust().filter_map(|file| {
        let parts: Vec<&str> = file.path.strip_prefix(SOURCES)?.strip_suffix(".rs")?.split('/').collect();
        let domain = Some(parts[0]).filter(|folder| parts.len() > 1 && !ASSEMBLY.contains(folder));
        let module = parts.iter().copied().filter(|part| !matches!(*part, "mod" | "lib" | "main")).collect();
        Some(Spot { file, domain, role: parts.get(1).copied().unwrap_or(parts[0]), module })
    })
}

/// Lists the paths that a file names outside its tests, with `self` and `super` resolved to paths below `crate`.
fn named<'a>(spot: &'a Spot<'a>) -> impl Iterator<Item = (usize, Vec<String>)> + 'a {
    let paths = spot.file.source.paths().into_iter().filter(|(offset, _)| !spot.file.in_test(*offset));
    paths.map(|(offset, parts)| {
        let ups = parts.iter().take_while(|part| *part == "super").count();
        let line = spot.file.source.line(offset);
        if ups == 0 && parts[0] != "self" {
            return (line, parts);
        }
        let kept = spot.module.len().saturating_sub(ups);
        let base = std::iter::once("crate").chain(spot.module[..kept].iter().copied()).map(str::to_owned);
        (line, base.chain(parts.into_iter().skip(ups.max(1))).collect())
    })
}

fn roles(tree: &Tree) -> Vec<Place> {
    let mut places = Vec::new();
    for spot in spots(tree) {
        let Some(domain) = spot.domain else { continue };
        let never = ROLES.iter().find(|(role, _)| *role == spot.role).map_or(ELSE, |(_, never)| never);
        for (line, parts) in named(&spot) {
            if never.contains(&parts[0].as_str()) {
                places.push(Place::new(spot.file.path, line, format!("`{}` in {}", parts.join("::"), spot.role)));
            } else if parts[0] == "routeros"
                && matches!(parts.get(1).map(String::as_str), Some("client" | "Client"))
                && !ROUTER_TALK.contains(&domain)
            {
                places.push(Place::new(spot.file.path, line, format!("`{}` in domain {domain}", parts.join("::"))));
            }
        }
    }
    places
}

fn front_doors(tree: &Tree) -> Vec<Place> {
    let domains: BTreeSet<&str> = spots(tree).filter_map(|spot| spot.domain).collect();
    let mut places = Vec::new();
    for spot in spots(tree) {
        for (line, parts) in named(&spot) {
            let [first, other, inner @ ..] = parts.as_slice() else { continue };
            if first != "crate" || !domains.contains(other.as_str()) || spot.domain == Some(other) {
                continue;
            }
            let inner = inner.first().map(String::as_str);
            // The assembly mounts routes and pages; a domain sees of another only what its mod.rs shows.
            let behind =
                matches!(inner, Some("store" | "rules")) || (spot.domain.is_some() && matches!(inner, Some("routes" | "pages")));
            if behind || (spot.domain.is_some() && matches!(spot.role, "routes" | "pages")) {
                places.push(Place::new(spot.file.path, line, format!("`{}`", parts.join("::"))));
            }
        }
    }
    places
}
