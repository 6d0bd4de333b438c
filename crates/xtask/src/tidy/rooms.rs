//! Which crate may use which, and what every manifest says.

use super::tree::Tree;
use super::{Level, Place, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "rooms",
        why: "arrows point one way, model <- cores <- db <- controller: a core without sockets, clocks or SQL can be tested whole, and read alone",
        remedy: "move the code to the room whose work it is; a new crate gets a row in ROOMS in crates/xtask/src/tidy/rooms.rs",
        level: Level::Fails,
        check: rooms,
    },
    Rule {
        name: "one-version",
        why: "an outside library is chosen once, for all crates, with one version and one reason",
        remedy: "put it into [workspace.dependencies] of the root Cargo.toml and write `name.workspace = true` here",
        level: Level::Fails,
        check: one_version,
    },
    Rule {
        name: "reasons",
        why: "a library is code we answer for without having written it; who adds one says what it is for",
        remedy: "end the line in the root Cargo.toml with `# ` and the reason",
        level: Level::Fails,
        check: reasons,
    },
    Rule {
        name: "manifests",
        why: "licence and lints hold for every crate, and a manifest that forgets them is exempt without anybody knowing",
        remedy: "write `license.workspace = true` under [package], and `workspace = true` under [lints]",
        level: Level::Fails,
        check: manifests,
    },
];

/// What a crate may use.
struct Room {
    package: &'static str,
    /// Our own crates it may use.
    ours: &'static [&'static str],
    /// Libraries that stay behind a feature which is off unless asked for.
    optional: &'static [&'static str],
    /// Libraries it never uses.
    never: &'static [&'static str],
    /// Features of others that it never turns on.
    never_features: &'static [(&'static str, &'static str)],
}

const ALL: &[&str] = &[
    "db",
    "mastwire-controller",
    "model",
    "reconcile",
    "routeros",
    "routeros-sim",
    "telemetry",
    "tunnel",
    "system-tests",
    "xtask",
];

/// Every crate. Development dependencies are free: a test may look at anything.
const ROOMS: &[Room] = &[
    // The words everybody shares, with no way to do anything.
    Room {
        package: "model",
        ours: &[],
        optional: &["sqlx", "utoipa"],
        never: &["tokio", "axum", "reqwest", "getrandom"],
        never_features: &[],
    },
    // Sans-IO over its codec; the client is the shell, and nobody needs it to speak of menus.
    Room {
        package: "routeros",
        ours: &["model"],
        optional: &["tokio", "tracing"],
        never: &["sqlx", "axum", "reqwest", "getrandom", "socket2"],
        never_features: &[],
    },
    // Sans-IO over its core; sockets, clocks and randomness are the shell's.
    Room {
        package: "tunnel",
        ours: &["model"],
        optional: &["tokio", "socket2", "getrandom", "tracing"],
        never: &["sqlx", "axum", "reqwest"],
        never_features: &[],
    },
    // Pure: the same input gives the same plan.
    Room {
        package: "reconcile",
        ours: &["model", "routeros"],
        optional: &[],
        never: &["tokio", "sqlx", "axum", "reqwest", "getrandom", "socket2", "tracing"],
        never_features: &[("routeros", "client")],
    },
    // A router knows nothing of those who manage it.
    Room {
        package: "routeros-sim",
        ours: &["model", "routeros", "tunnel"],
        optional: &[],
        never: &["sqlx", "axum"],
        never_features: &[("routeros", "client")],
    },
    // The doors to the database, and nothing behind them.
    Room {
        package: "db",
        ours: &["model"],
        optional: &[],
        never: &["axum", "reqwest", "boringtun", "smoltcp"],
        never_features: &[],
    },
    Room { package: "telemetry", ours: &[], optional: &[], never: &["sqlx", "axum"], never_features: &[] },
    // Ready before anything else is built.
    Room { package: "xtask", ours: &[], optional: &[], never: &["tokio", "sqlx", "axum", "reqwest"], never_features: &[] },
    // No mock path in a release build: the simulator and the tests' harness stay outside, and WireGuard behind the tunnel.
    Room {
        package: "mastwire-controller",
        ours: &["db", "model", "reconcile", "routeros", "telemetry", "tunnel"],
        optional: &["tempfile"],
        never: &["boringtun", "smoltcp"],
        never_features: &[("db", "testing"), ("model", "testing")],
    },
    // Looks at the whole house from outside.
    Room { package: "system-tests", ours: ALL, optional: &[], never: &[], never_features: &[] },
];

/// One line of a manifest's dependencies.
struct Dependency<'a> {
    name: &'a str,
    value: &'a toml::Value,
    line: usize,
    for_tests: bool,
}

fn dependencies<'a>(text: &str, manifest: &'a toml::Table) -> Vec<Dependency<'a>> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let holders = std::iter::once(manifest)
        .chain(targets.into_iter().flat_map(|targets| targets.values().filter_map(toml::Value::as_table)));
    let sections = holders.flat_map(|holder| {
        ["dependencies", "build-dependencies", "dev-dependencies"]
            .into_iter()
            .filter_map(|name| Some((name, holder.get(name)?.as_table()?)))
    });
    sections
        .flat_map(|(section, table)| {
            let for_tests = section == "dev-dependencies";
            table.iter().map(move |(name, value)| Dependency { name, value, line: line_of(text, section, name), for_tests })
        })
        .collect()
}

/// Finds the line that names a dependency: in the section's table, or as a table of its own.
fn line_of(text: &str, section: &str, name: &str) -> usize {
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            inside = header.ends_with(&format!("{section}]"));
            if header.ends_with(&format!("{section}.{name}]")) {
                return index + 1;
            }
        } else if inside && line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(['.', '='])) {
            return index + 1;
        }
    }
    1
}

fn package(manifest: &toml::Table) -> Option<&str> {
    manifest.get("package")?.get("name")?.as_str()
}

fn rooms(tree: &Tree) -> Vec<Place> {
    let mut places = Vec::new();
    for (path, manifest) in &tree.manifests {
        let Some(name) = package(manifest) else { continue };
        let Some(room) = ROOMS.iter().find(|room| room.package == name) else {
            places.push(Place::new(path, 1, format!("the crate `{name}` has no row in the table")));
            continue;
        };
        for dependency in dependencies(&tree.texts[path], manifest).iter().filter(|dependency| !dependency.for_tests) {
            places.extend(room.refuses(dependency).map(|what| Place::new(path, dependency.line, format!("`{name}` {what}"))));
        }
        if !room.optional.is_empty() && manifest.get("features").and_then(|features| features.get("default")).is_some() {
            places.push(Place::new(path, 1, format!("`{name}` turns features on unasked (`default`)")));
        }
    }
    places
}

impl Room {
    /// Says what is wrong with a dependency, if anything.
    fn refuses(&self, dependency: &Dependency<'_>) -> Option<String> {
        let name = dependency.name;
        let optional = dependency.value.get("optional").and_then(toml::Value::as_bool).unwrap_or(false);
        let features = dependency.value.get("features").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
        let feature = self
            .never_features
            .iter()
            .find(|(of, feature)| *of == name && features.iter().any(|on| on.as_str() == Some(feature)));
        if ALL.contains(&name) && !self.ours.contains(&name) {
            Some(format!("may not use our `{name}`"))
        } else if self.never.contains(&name) {
            Some(format!("never uses `{name}`"))
        } else if self.optional.contains(&name) && !optional {
            Some(format!("uses `{name}` only behind a feature (`optional = true`)"))
        } else {
            feature.map(|(of, feature)| format!("never turns on `{feature}` of `{of}`"))
        }
    }
}

fn one_version(tree: &Tree) -> Vec<Place> {
    let mut places = Vec::new();
    for (path, manifest) in &tree.manifests {
        for dependency in dependencies(&tree.texts[path], manifest) {
            let of_workspace = dependency.value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
            // A crate may name itself or a neighbour by path, to turn a feature on for its tests.
            if !of_workspace && dependency.value.get("path").is_none() {
                places.push(Place::new(path, dependency.line, format!("`{}` is not taken from the workspace", dependency.name)));
            }
        }
    }
    places
}

fn reasons(tree: &Tree) -> Vec<Place> {
    let path = "Cargo.toml";
    let (Some(text), Some(manifest)) = (tree.texts.get(path), tree.manifests.get(path)) else { return Vec::new() };
    let Some(table) =
        manifest.get("workspace").and_then(|workspace| workspace.get("dependencies")).and_then(toml::Value::as_table)
    else {
        return Vec::new();
    };
    let lines: Vec<&str> = text.lines().collect();
    let outside = table.iter().filter(|(_, value)| value.get("path").is_none());
    outside
        .map(|(name, _)| (name, line_of(text, "workspace.dependencies", name)))
        .filter(|(_, line)| !lines.get(line - 1).is_some_and(|line| has_reason(line)))
        .map(|(name, line)| Place::new(path, line, format!("`{name}` has no reason beside it")))
        .collect()
}

/// Tells whether a line ends with a comment that says something; a `#` inside quotes starts none.
fn has_reason(line: &str) -> bool {
    let mut quoted = false;
    let comment = line.find(|c| {
        quoted ^= c == '"';
        c == '#' && !quoted
    });
    comment.is_some_and(|start| line[start + 1..].trim().chars().any(char::is_alphabetic))
}

fn manifests(tree: &Tree) -> Vec<Place> {
    let mut places = Vec::new();
    for (path, manifest) in &tree.manifests {
        let of_workspace = |value: Option<&toml::Value>| {
            value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
        };
        if let Some(package) = manifest.get("package") {
            let licence = package.get("license");
            if !of_workspace(licence) && licence.and_then(toml::Value::as_str).is_none() {
                places.push(Place::new(path, 1, "no licence"));
            }
            if !of_workspace(manifest.get("lints")) {
                places.push(Place::new(path, 1, "not under the workspace's lints"));
            }
        } else if manifest.get("workspace").and_then(|workspace| workspace.get("package")?.get("license")).is_none() {
            places.push(Place::new(path, 1, "the workspace names no licence"));
        }
    }
    places
}
