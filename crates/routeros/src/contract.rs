//! Holds what this product claims and sends against recordings of real routers (`/console/inspect` dumps).
//!
//! [`check_catalogue`] compares the catalogue with one recorded version, [`check_history`] with the versions between, and
//! [`check`] compares sentences that were sent.

use crate::catalogue::{self, Access, Arg, ID, Kind, Menu, Shape};
use crate::codec::Sentence;
use model::{RouterosVersion, VersionError};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Commands of the API itself, which no recording of the console has.
const API_COMMANDS: &[&str] = &["/login", "/cancel", "/quit"];
/// Commands of the API that stand for `print`.
const PRINTS: &[&str] = &["listen", "getall"];

/// Something claimed or sent that a recording does not have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The menu's path.
    pub path: String,
    /// The command or argument, empty where the menu itself is meant.
    pub subject: String,
    /// What is wrong.
    pub what: String,
}

impl Violation {
    fn new(path: &str, subject: &str, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), subject: subject.to_owned(), what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.path, self.subject, self.what)
    }
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The file is not of the recordings' form.
    #[error("the recording is malformed")]
    Json(#[from] serde_json::Error),
    /// The version is none.
    #[error("the recording's version is malformed")]
    Version(#[from] VersionError),
}

#[derive(Deserialize)]
struct SchemaFile {
    #[serde(rename = "_meta")]
    meta: SchemaMeta,
    paths: BTreeMap<String, Recorded>,
}

#[derive(Deserialize)]
struct SchemaMeta {
    routeros: String,
}

/// One recorded menu.
#[derive(Debug, Deserialize)]
struct Recorded {
    commands: BTreeMap<String, BTreeSet<String>>,
    #[serde(default)]
    args: BTreeMap<String, RecordedArg>,
    #[serde(default)]
    required: Vec<String>,
    read_only: Option<BTreeSet<String>>,
    #[serde(default)]
    unsettable: BTreeSet<String>,
}

#[derive(Debug, Default, Deserialize)]
struct RecordedArg {
    #[serde(rename = "enum", default)]
    words: BTreeSet<String>,
}

impl Recorded {
    fn takes(&self, command: &str, arg: &str) -> bool {
        self.commands.get(command).is_some_and(|args| args.contains(arg))
    }

    /// Says whether rows show a property; `None` where the recording does not tell.
    fn shows(&self, property: &str) -> Option<bool> {
        let read_only = self.read_only.as_ref()?;
        Some(read_only.contains(property) || self.takes("set", property) || self.takes("add", property))
    }
}

/// What one version of RouterOS has.
#[derive(Debug)]
pub struct Schema {
    version: RouterosVersion,
    paths: BTreeMap<String, Recorded>,
}

impl Schema {
    /// Reads a `routeros-schema-*.json`.
    ///
    /// # Errors
    /// The text is no such file.
    pub fn read(json: &str) -> Result<Self, SchemaError> {
        let file: SchemaFile = serde_json::from_str(json)?;
        Ok(Self { version: file.meta.routeros.parse()?, paths: file.paths })
    }

    /// Returns the recorded version.
    #[must_use]
    pub const fn version(&self) -> RouterosVersion {
        self.version
    }

    /// Finds a command by its whole path: `/tool/fetch` is a menu with a nameless command, `/ppp/secret/add` is not.
    fn command<'a, 'p>(&'a self, path: &'p str) -> Option<(&'a Recorded, &'p str)> {
        if let Some(menu) = self.paths.get(path).filter(|menu| menu.commands.contains_key("")) {
            return Some((menu, ""));
        }
        let (menu, command) = split(path);
        let menu = self.paths.get(menu)?;
        let command = if PRINTS.contains(&command) { "print" } else { command };
        menu.commands.contains_key(command).then_some((menu, command))
    }
}

/// Splits `/ppp/secret/add` into the menu's path and the command.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Compares the catalogue's claims for a version with its recording.
#[must_use]
pub fn check_catalogue(schema: &Schema) -> Vec<Violation> {
    let claimed = catalogue::menus().iter().filter(|menu| menu.from_schema && menu.versions.contain(schema.version));
    let mut found = Vec::new();
    for menu in claimed {
        match menu.shape {
            Shape::Command => check_command_menu(menu, schema, &mut found),
            Shape::Table | Shape::Ordered | Shape::Singleton => check_menu(menu, schema, &mut found),
        }
    }
    found
}

fn check_command_menu(menu: &Menu, schema: &Schema, found: &mut Vec<Violation>) {
    let Some((recorded, command)) = schema.command(menu.path) else {
        found.push(Violation::new(menu.path, "", "there is no such command"));
        return;
    };
    for arg in menu.args.iter().filter(|arg| arg.versions.contain(schema.version)) {
        if !recorded.takes(command, arg.name) {
            found.push(Violation::new(menu.path, arg.name, "the command does not take it"));
        }
        check_words(menu, arg, recorded, found);
    }
}

fn check_menu(menu: &Menu, schema: &Schema, found: &mut Vec<Violation>) {
    let Some(recorded) = schema.paths.get(menu.path) else {
        found.push(Violation::new(menu.path, "", "there is no such menu"));
        return;
    };
    for command in menu.commands {
        if !recorded.commands.contains_key(*command) {
            found.push(Violation::new(menu.path, command, "there is no such command"));
        }
    }
    let adds = menu.commands.contains(&"add");
    for arg in menu.args.iter().filter(|arg| arg.versions.contain(schema.version)) {
        for writer in writers(menu, arg) {
            if !recorded.takes(writer, arg.name) {
                found.push(Violation::new(menu.path, arg.name, format!("{writer} does not take it")));
            }
        }
        if arg.access == Access::ReadOnly && recorded.shows(arg.name) == Some(false) {
            found.push(Violation::new(menu.path, arg.name, "rows do not show it"));
        }
        if arg.clearable && recorded.read_only.is_some() && !recorded.unsettable.contains(arg.name) {
            found.push(Violation::new(menu.path, arg.name, "unset does not take it"));
        }
        if adds && arg.required && !recorded.required.iter().any(|name| name == arg.name) {
            found.push(Violation::new(menu.path, arg.name, "add works without it"));
        }
        check_words(menu, arg, recorded, found);
    }
    for name in recorded.required.iter().filter(|_| adds) {
        if !menu.arg(name).is_some_and(|arg| arg.required) {
            found.push(Violation::new(menu.path, name, "add does not work without it"));
        }
    }
}

/// Lists the commands of a menu with rows or values that write an argument.
fn writers(menu: &Menu, arg: &Arg) -> impl Iterator<Item = &'static str> {
    let writers: &[&str] = match arg.access {
        Access::ReadWrite | Access::Secret => &["add", "set"],
        Access::AddOnly => &["add"],
        Access::ReadOnly => &[],
    };
    writers.iter().copied().filter(|writer| menu.commands.contains(writer))
}

/// Compares the words of an argument with those that the console offers; where it offers none, it does not tell.
fn check_words(menu: &Menu, arg: &Arg, recorded: &Recorded, found: &mut Vec<Violation>) {
    let Some(offered) = recorded.args.get(arg.name).map(|arg| &arg.words).filter(|words| !words.is_empty()) else { return };
    for word in words(&arg.kind).iter().filter(|word| !word.is_empty() && !offered.contains(**word)) {
        found.push(Violation::new(menu.path, arg.name, format!("it does not take the word {word}")));
    }
}

fn words(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::Choice(words) | Kind::Flags(words) | Kind::Or(words, _) | Kind::Reference(_, words) => words,
        Kind::Set(kind) | Kind::List(kind) | Kind::Pair(kind) | Kind::Negatable(kind) | Kind::Either(_, kind) => words(kind),
        Kind::Bool => &["yes", "no"],
        Kind::Text
        | Kind::Number { .. }
        | Kind::Duration
        | Kind::Rate
        | Kind::Size
        | Kind::RateLimit
        | Kind::Address
        | Kind::Prefix
        | Kind::InterfaceAddress
        | Kind::AddressRange
        | Kind::AddressMatch
        | Kind::Mac
        | Kind::Ports
        | Kind::Key
        | Kind::Date
        | Kind::TimeOfDay => &[],
    }
}

/// Which versions have what is not in all of them.
#[derive(Debug, Deserialize)]
pub struct History {
    #[serde(rename = "_meta")]
    meta: HistoryMeta,
    changes: BTreeMap<String, Change>,
}

#[derive(Debug, Deserialize)]
struct HistoryMeta {
    versions: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Change {
    path_in: Option<Vec<String>>,
    #[serde(default)]
    cmds: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    args: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl History {
    /// Reads a `routeros-schema-history.json`.
    ///
    /// # Errors
    /// The text is no such file.
    pub fn read(json: &str) -> Result<Self, SchemaError> {
        Ok(serde_json::from_str(json)?)
    }
}

/// Compares the catalogue's claims with every version of the history. What no version has, the history does not list: that
/// is for [`check_catalogue`] to find.
#[must_use]
pub fn check_history(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    for name in &history.meta.versions {
        // A nightly build is no version.
        let Ok(version) = name.parse::<RouterosVersion>() else { continue };
        for menu in catalogue::menus().iter().filter(|menu| menu.from_schema && menu.versions.contain(version)) {
            let own = history.changes.get(menu.path);
            if own.and_then(|change| change.path_in.as_ref()).is_some_and(|present| !present.contains(name)) {
                found.push(Violation::new(menu.path, "", format!("{name} has no such path")));
            }
            match menu.shape {
                Shape::Command => {
                    let (change, command) = own.map_or_else(
                        || (history.changes.get(split(menu.path).0), split(menu.path).1),
                        |change| (Some(change), ""),
                    );
                    let takes = menu.args.iter().map(|arg| (command, arg));
                    check_change(menu, change, &[command], takes, (name, version), &mut found);
                }
                Shape::Table | Shape::Ordered | Shape::Singleton => {
                    let takes = menu.args.iter().flat_map(|arg| writers(menu, arg).map(move |writer| (writer, arg)));
                    check_change(menu, own, menu.commands, takes, (name, version), &mut found);
                }
            }
        }
    }
    found
}

fn check_change<'a>(
    menu: &Menu,
    change: Option<&Change>,
    commands: &[&str],
    args: impl Iterator<Item = (&'a str, &'a Arg)>,
    (name, version): (&String, RouterosVersion),
    found: &mut Vec<Violation>,
) {
    let Some(change) = change else { return };
    let lacks = |present: Option<&Vec<String>>| present.is_some_and(|present| !present.contains(name));
    for command in commands {
        if lacks(change.cmds.get(*command)) {
            found.push(Violation::new(menu.path, command, format!("{name} has no such command")));
        }
    }
    for (command, arg) in args.filter(|(_, arg)| arg.versions.contain(version)) {
        if lacks(change.args.get(command).and_then(|args| args.get(arg.name))) {
            found.push(Violation::new(menu.path, arg.name, format!("{name} does not take it in {command}")));
        }
    }
}

/// Compares sentences that a client sent with what a version has: every menu, command, argument and property exists there,
/// and every `add` has what it needs. Menus that the recordings lack are compared with the catalogue alone.
#[must_use]
pub fn check<'a>(sentences: impl IntoIterator<Item = &'a Sentence>, schema: &Schema) -> Vec<Violation> {
    let mut found = BTreeSet::new();
    for sentence in sentences {
        let path = String::from_utf8_lossy(sentence.first());
        if !API_COMMANDS.contains(&&*path) {
            check_sentence(&path, sentence, schema, &mut found);
        }
    }
    found.into_iter().collect()
}

fn check_sentence(path: &str, sentence: &Sentence, schema: &Schema, found: &mut BTreeSet<Violation>) {
    let (parent, verb) = split(path);
    let Some(menu) = catalogue::menu(path).or_else(|| catalogue::menu(parent)) else {
        found.insert(Violation::new(path, "", "the catalogue has no such menu"));
        return;
    };
    let claims = |name: &str| name == ID || menu.arg(name).is_some_and(|arg| arg.versions.contain(schema.version));
    let recorded = schema.command(path);
    if recorded.is_none() && menu.from_schema {
        found.insert(Violation::new(path, "", "there is no such command"));
        return;
    }
    for (name, value) in sentence.attributes() {
        let name = String::from_utf8_lossy(name);
        let takes = match (&*name, recorded) {
            (".proplist", _) => {
                let list = String::from_utf8_lossy(value);
                check_properties(menu, list.split(','), &claims, recorded, found);
                true
            }
            (_, None) => claims(&name),
            (ID, Some((recorded, command))) => recorded.takes(command, "numbers") || recorded.takes(command, "number"),
            (_, Some((recorded, command))) => recorded.takes(command, &name),
        };
        if !takes {
            found.insert(Violation::new(path, &name, "the command does not take it"));
        }
    }
    let queries: Vec<_> = sentence.queries().filter(|word| !word.starts_with(b"#")).map(String::from_utf8_lossy).collect();
    let names = queries.iter().map(|word| word.trim_start_matches(['-', '<', '>', '=']).split('=').next().unwrap_or_default());
    check_properties(menu, names, &claims, recorded, found);
    if verb == "add" {
        for arg in menu.args.iter().filter(|arg| arg.required && sentence.attribute(arg.name).is_none()) {
            found.insert(Violation::new(path, arg.name, "add does not work without it"));
        }
    }
}

fn check_properties<'a>(
    menu: &Menu,
    names: impl Iterator<Item = &'a str>,
    claims: &dyn Fn(&str) -> bool,
    recorded: Option<(&Recorded, &str)>,
    found: &mut BTreeSet<Violation>,
) {
    for name in names {
        let shown = name == ID || recorded.and_then(|(recorded, _)| recorded.shows(name)) != Some(false);
        if !claims(name) || !shown {
            found.insert(Violation::new(menu.path, name, "rows do not show it"));
        }
    }
}
