//! Values: which are taken, and how they are shown again.

use super::request::Trap;
use super::table::{Fields, RowId};
use super::{Device, text};
use routeros::catalogue::{Access, Arg, Kind, Menu};

/// What `add` and `set` do with an argument once it is read.
pub(super) enum Change {
    /// Holds a value.
    Put(&'static str, String),
    /// Goes back to its default.
    Clear(&'static str),
}

/// Which command takes the arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    /// `add`, or a command that is a path of its own.
    Add,
    /// `set`.
    Set,
}

impl Device {
    /// Reads an argument of `add` or `set`.
    pub(super) fn read_argument(&self, menu: &Menu, taking: Taking, name: &str, value: &str) -> Result<Change, Trap> {
        let (plain, cleared) = name.strip_prefix('!').map_or((name, false), |plain| (plain, true));
        let unknown = || Trap::of(0, format!("unknown parameter {plain}"));
        let arg = self.argument(menu, plain).ok_or_else(unknown)?;
        let writable = match arg.access {
            Access::ReadOnly => false,
            Access::AddOnly => taking == Taking::Add,
            Access::ReadWrite | Access::Secret => true,
        };
        if !writable {
            return Err(unknown());
        }
        if cleared {
            return Ok(Change::Clear(arg.name));
        }
        if value.is_empty() && !takes_empty(&arg.kind) {
            let address = matches!(arg.name, "local-address" | "remote-address") && menu.path.starts_with("/ppp/");
            let message =
                if address { "ambiguous value of pool".to_owned() } else { format!("invalid value for argument {plain}") };
            return Err(Trap::of(1, message));
        }
        let shown = self.shown_value(menu.path, arg, value)?;
        Ok(if shown.is_empty() { Change::Clear(arg.name) } else { Change::Put(arg.name, shown) })
    }

    /// Finds an argument that this version has.
    pub(super) fn argument(&self, menu: &Menu, name: &str) -> Option<&'static Arg> {
        menu.arg(name).filter(|arg| arg.versions.contain(self.config.version))
    }

    /// Checks a value and gives the text that a print shows for it.
    pub(super) fn shown_value(&self, path: &str, arg: &Arg, value: &str) -> Result<String, Trap> {
        if matches!(arg.kind, Kind::Text) {
            return Ok(value.to_owned());
        }
        let canonical = arg.kind.canonical(&text::to_bytes(value));
        let canonical = canonical.map_err(|_| Trap::of(1, format!("invalid value for argument {}", arg.name)))?;
        let resolved = self.resolve(&arg.kind, &canonical);
        let resolved = resolved.ok_or_else(|| Trap::of(1, format!("input does not match any value of {}", arg.name)))?;
        Ok(match arg.kind {
            Kind::RateLimit => value.to_owned(),
            Kind::Flags(words) if path == "/user/group" => negated(words, &resolved),
            _ => shown(path, &arg.kind, resolved),
        })
    }

    /// Follows references: an id becomes the name it stands for, an unknown name is nothing.
    fn resolve(&self, kind: &Kind, value: &str) -> Option<String> {
        match kind {
            Kind::Reference(menus, words) => self.resolve_name(menus, words, value),
            Kind::Or(words, inner) if !words.contains(&value) => self.resolve(inner, value),
            Kind::List(inner) | Kind::Set(inner) => {
                let items: Option<Vec<String>> =
                    value.split(',').filter(|item| !item.is_empty()).map(|item| self.resolve(inner, item)).collect();
                items.map(|items| items.join(","))
            }
            Kind::Negatable(inner) => match value.strip_prefix('!') {
                Some(rest) => self.resolve(inner, rest).map(|rest| format!("!{rest}")),
                None => self.resolve(inner, value),
            },
            _ => Some(value.to_owned()),
        }
    }

    fn resolve_name(&self, menus: &[&str], words: &[&str], value: &str) -> Option<String> {
        // Where the catalogue names a pool and nothing else, an address does as well.
        let address = menus == ["/ip/pool"] && words.is_empty() && value.parse::<std::net::IpAddr>().is_ok();
        if address || words.contains(&value) {
            return Some(value.to_owned());
        }
        menus.iter().find_map(|path| {
            let names = self.names(path);
            match RowId::parse(value) {
                Some(id) => names.into_iter().find(|(row, _)| *row == id).map(|(_, name)| name),
                None => names.into_iter().find(|(_, name)| name == value).map(|(_, name)| name),
            }
        })
    }

    /// Lists what rows of a menu are called.
    pub(super) fn names(&self, path: &str) -> Vec<(RowId, String)> {
        if path == "/interface" {
            return self
                .interfaces()
                .into_iter()
                .map(|(id, fields)| (id, fields.get("name").cloned().unwrap_or_default()))
                .collect();
        }
        self.rows(path).map(|row| (row.id, row.get("name").to_owned())).collect()
    }

    /// Fills `fields` with a default for what a row cannot be without.
    pub(super) fn default_to(fields: &mut Fields, name: &'static str, value: impl FnOnce() -> String) {
        if fields.get(name).is_none_or(String::is_empty) {
            fields.insert(name, value());
        }
    }
}

/// Writes what is granted, and what is not with a `!`, as `/user/group` shows policies.
fn negated(words: &[&str], granted: &str) -> String {
    let has = |word: &str| granted.split(',').any(|item| item == word);
    let rest = words.iter().filter(|word| !has(word)).map(|word| format!("!{word}"));
    granted.split(',').filter(|item| !item.is_empty()).map(str::to_owned).chain(rest).collect::<Vec<_>>().join(",")
}

fn takes_empty(kind: &Kind) -> bool {
    matches!(kind, Kind::Text | Kind::List(_) | Kind::Set(_) | Kind::Flags(_) | Kind::RateLimit)
}

/// Turns a canonical text into what a print shows.
fn shown(path: &str, kind: &Kind, canonical: String) -> String {
    match kind {
        Kind::Bool => if canonical == "yes" { "true" } else { "false" }.to_owned(),
        // The firewall shows a block of one as the address alone.
        Kind::Prefix | Kind::Negatable(Kind::Prefix) | Kind::Or(_, Kind::Prefix) if path.starts_with("/ip/firewall") => {
            canonical.strip_suffix("/32").map_or(canonical.clone(), str::to_owned)
        }
        _ => canonical,
    }
}

/// Gives what a print shows for an argument that is not set: its default, or nothing.
pub(super) fn shown_default(path: &str, arg: &Arg) -> Option<String> {
    let default = arg.default.filter(|default| !default.is_empty() && !arg.clearable && arg.access != Access::ReadOnly)?;
    Some(shown(path, &arg.kind, default.to_owned()))
}

/// Counts the bytes of a text as the device keeps it.
pub(super) fn length(text: &str) -> usize {
    text.chars().count()
}
