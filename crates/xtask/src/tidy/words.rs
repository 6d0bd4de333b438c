//! What is never written, and where some things alone may be.

use super::source::whole;
use super::tree::{RustFile, Tree};
use super::{Level, Place, Rule, is_at};
use std::collections::BTreeSet;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "doors",
        why: "a tenant's wall stands on few doors to the database; SQL that changes who we are, or a pool in other hands, goes around them",
        remedy: "take TenantTx, PlatformTx or Locator; what they lack is added to crates/db",
        level: Level::Fails,
        check: doors,
    },
    Rule {
        name: "tenant-said",
        why: "row-level security is the net, not the method: a statement that names its tenant is right without the net, and finds its index",
        remedy: "write `tenant_id = $1` (or insert it) in every statement on a tenant's table",
        level: Level::Fails,
        check: tenant_said,
    },
    Rule {
        name: "menus",
        why: "a menu that exists in the catalogue alone is held to every recorded RouterOS version; one written elsewhere is a guess",
        remedy: "name the catalogue's menu (crates/routeros/src/catalogue), and add it there if it is missing",
        level: Level::Fails,
        check: menus,
    },
    Rule {
        name: "unfinished",
        why: "what is here works: a hole or a test that is switched off looks like work that was done",
        remedy: "finish it, or take it out",
        level: Level::Fails,
        check: unfinished,
    },
    Rule {
        name: "sleeps",
        why: "a test that waits for time to pass is slow on a fast machine and wrong on a slow one",
        remedy: "wait for the event itself; where only looking again can tell, look at a tokio interval below one generous timeout",
        level: Level::Fails,
        check: sleeps,
    },
    Rule {
        name: "silenced",
        why: "a lint is right until somebody says why it is not, here",
        remedy: "mend what the lint says, or add `reason = \"…\"` to the attribute",
        level: Level::Fails,
        check: silenced,
    },
    Rule {
        name: "machines",
        why: "a path or a host of one machine works on that machine alone",
        remedy: "take a path below the workspace or from the configuration, and leave hosts of package registries to their tools",
        level: Level::Fails,
        check: machines,
    },
    Rule {
        name: "words",
        why: "a promise to come back is kept by nobody",
        remedy: "do it now, or open an issue",
        level: Level::Fails,
        check: words,
    },
];

/// Names in code that only crate `db` uses.
const DOOR_NAMES: &[&str] = &["raw_sql", "AssertSqlSafe", "PgPool", "PgPoolOptions"];

/// SQL that only crate `db` sends; keywords are written in capitals here, as everywhere.
const DOOR_SQL: &[&str] = &["set_config", "SET ROLE", "SET LOCAL ROLE", "SET SESSION AUTHORIZATION"];

/// Where the tables are declared.
const REGISTRY: &str = "crates/db/src/registry.rs";

/// What stands before a table's name in a statement.
const SQL_BEFORE_TABLE: &[&str] = &["FROM", "JOIN", "INTO", "UPDATE"];

/// First words of RouterOS menus.
const MENUS: &[&str] = &["interface", "ip", "ipv6", "ppp", "queue", "radius", "routing", "snmp", "system", "tool", "user"];

/// Where menus are written: the catalogue, the router itself, what routers run, and tests.
const MENU_PLACES: &[&str] = &[
    "crates/routeros/src/catalogue",
    "crates/routeros/src/catalogue.rs",
    "crates/routeros-sim",
    "provisioning-scripts",
    "tests",
];

const UNFINISHED_MACROS: &[&str] = &["todo!", "unimplemented!", "dbg!"];
const UNFINISHED_ATTRIBUTES: &[&str] = &["ignore", "should_panic"];
const MACHINE_PATHS: &[&str] = &["/home/", "/root/", "/Users/"];
/// How the addresses of package registries begin; ordinary clients know them without being told.
const REGISTRY_ADDRESSES: &[&str] = &["://index.", "://static.", "://registry.", "://proxy."];
const WORDS: &[&str] = &["TODO", "FIXME", "HACK", "WIP"];

/// Files that others wrote.
const FOREIGN: &[&str] = &["Cargo.lock", "LICENSE"];

fn doors(tree: &Tree) -> Vec<Place> {
    let mut places = Vec::new();
    for file in tree.rust().filter(|file| !is_at(file.path, "crates/db")) {
        for name in DOOR_NAMES {
            places.extend(file.source.find_code(name).into_iter().map(|offset| place(&file, offset, name)));
        }
        for literal in &file.source.literals {
            for sql in DOOR_SQL {
                places.extend(whole(&literal.text, sql).into_iter().map(|offset| place(&file, literal.offset + offset, sql)));
            }
        }
    }
    places
}

/// Statements of stores on tenants' tables that do not name the tenant. Whose a table is stands in the registry.
fn tenant_said(tree: &Tree) -> Vec<Place> {
    let registry = tree.texts.get(REGISTRY).map_or("", String::as_str);
    let tables: BTreeSet<&str> = registry
        .split(" tenant(\"")
        .chain(registry.split("\ttenant(\""))
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let mut places = Vec::new();
    let stores = tree.rust().filter(|file| is_at(file.path, "controller/src") && file.path.contains("/store"));
    for file in stores {
        for literal in file.source.literals.iter().filter(|literal| !file.in_test(literal.offset)) {
            let words: Vec<&str> =
                literal.text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
            let named = words.windows(2).find(|pair| SQL_BEFORE_TABLE.contains(&pair[0]) && tables.contains(pair[1]));
            if let Some(pair) = named
                && !words.contains(&"tenant_id")
            {
                places.push(place(&file, literal.offset, pair[1]));
            }
        }
    }
    places
}

fn menus(tree: &Tree) -> Vec<Place> {
    let elsewhere = tree.rust().filter(|file| !MENU_PLACES.iter().any(|place| is_at(file.path, place)));
    let mut places = Vec::new();
    for file in elsewhere {
        let literals = file.source.literals.iter().filter(|literal| !file.in_test(literal.offset) && is_menu(&literal.text));
        places.extend(literals.map(|literal| place(&file, literal.offset, &literal.text)));
    }
    places
}

/// Tells whether a literal is a menu or a command as the API takes it; a line for people (`/ip service print`) is none.
fn is_menu(text: &str) -> bool {
    let Some((first, rest)) = text.strip_prefix('/').and_then(|path| path.split_once('/')) else { return false };
    MENUS.contains(&first)
        && !rest.is_empty()
        && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '/'))
}

fn unfinished(tree: &Tree) -> Vec<Place> {
    let mut places = Vec::new();
    for file in tree.rust() {
        for name in UNFINISHED_MACROS {
            places.extend(file.source.find_code(name).into_iter().map(|offset| place(&file, offset, name)));
        }
        for (offset, text) in file.source.attributes() {
            let named = UNFINISHED_ATTRIBUTES.iter().find(|name| whole(text, name).first() == Some(&1));
            places.extend(named.map(|name| place(&file, offset, name)));
        }
    }
    places
}

fn sleeps(tree: &Tree) -> Vec<Place> {
    let mut places = Vec::new();
    // The demo and the benches lie with the system tests but are programs.
    for file in tree.rust().filter(|file| !is_at(file.path, "tests/src/bin")) {
        for (offset, parts) in file.source.paths() {
            let sleeps = matches!(parts.as_slice(), [.., module, function] if matches!((module.as_str(), function.as_str()), ("thread" | "time", "sleep") | ("time", "sleep_until")));
            if sleeps && file.in_test(offset) {
                places.push(place(&file, offset, &parts.join("::")));
            }
        }
    }
    places
}

fn silenced(tree: &Tree) -> Vec<Place> {
    let mut places = Vec::new();
    for file in tree.rust() {
        for (offset, text) in file.source.attributes() {
            let silencer = ["allow(", "expect("].into_iter().find(|silencer| !whole(text, silencer).is_empty());
            if let Some(silencer) = silencer.filter(|_| whole(text, "reason").is_empty()) {
                places.push(place(&file, offset, &format!("{silencer}…)")));
            }
        }
    }
    places
}

fn machines(tree: &Tree) -> Vec<Place> {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '}' | '>' | '~');
    let paths = |line: &str, path: &str| line.match_indices(path).any(|(offset, _)| !line[..offset].ends_with(inside));
    in_lines(tree, |line| {
        let path = MACHINE_PATHS.iter().find(|path| paths(line, path));
        path.or_else(|| REGISTRY_ADDRESSES.iter().find(|address| line.contains(**address))).copied()
    })
}

fn words(tree: &Tree) -> Vec<Place> {
    in_lines(tree, |line| WORDS.iter().find(|word| !whole(line, word).is_empty()).copied())
}

/// Looks at every line that we wrote, in code, comments and prose alike.
fn in_lines(tree: &Tree, find: impl Fn(&str) -> Option<&'static str>) -> Vec<Place> {
    let ours = tree.texts.iter().filter(|(path, _)| !FOREIGN.contains(&path.as_str()));
    let lines = ours.flat_map(|(path, text)| text.lines().enumerate().map(move |(index, line)| (path, index + 1, line)));
    lines.filter_map(|(path, number, line)| Some(Place::new(path, number, format!("`{}`", find(line)?)))).collect()
}

fn place(file: &RustFile<'_>, offset: usize, what: &str) -> Place {
    Place::new(file.path, file.source.line(offset), format!("`{what}`"))
}
