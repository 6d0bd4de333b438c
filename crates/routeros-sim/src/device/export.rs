//! `/export`: the configuration as commands, in compact form: only what differs from the defaults (manual, "Configuration Management").
//! And `/file/read`, with which a long file is read in parts.

use super::request::{Output, Session, Trap};
use super::table::{Fields, Origin, Row};
use super::{Device, text, values};
use routeros::catalogue::{self, Access, Arg, Kind, Menu, Shape};
use routeros::rsc::{Command, Export, Header, Section, Style, Target, Verb};

/// Menus that others name rows of, before all others; the rest follows by path.
const FIRST: &[&str] = &[
    "/interface/bridge",
    "/interface/wireguard",
    "/interface/list",
    "/ip/pool",
    "/ip/hotspot/profile",
    "/ip/hotspot/user/profile",
    "/ip/hotspot",
    "/ppp/profile",
    "/user/group",
];
/// Menus that an export leaves out.
const LEFT_OUT: &[&str] = &["/file", "/log", "/user"];
/// The longest part of a file that is read at once.
const CHUNK_MAX: usize = 32_768;

impl Device {
    /// Prints the configuration.
    ///
    /// # Errors
    /// When the session may not read.
    pub(crate) fn export(&self, session: &Session, sensitive: bool, terse: bool) -> Result<String, Trap> {
        if !session.may("read") {
            return Err(Trap::not_enough_permissions());
        }
        let secrets = sensitive && session.may("sensitive");
        let fresh = Self::new(self.config.clone(), self.booted);
        let mut menus: Vec<&'static Menu> = catalogue::menus().iter().copied().filter(|menu| self.is_exported(menu)).collect();
        menus.sort_by_key(|menu| (FIRST.iter().position(|first| *first == menu.path).unwrap_or(FIRST.len()), menu.path));
        let sections = menus.into_iter().map(|menu| Section {
            path: menu.path.to_owned(),
            commands: if menu.shape == Shape::Singleton {
                self.values_set(menu, secrets).into_iter().collect()
            } else {
                self.rows(menu.path).filter_map(|row| self.command(menu, row, &fresh, secrets)).collect()
            },
        });
        let export = Export {
            header: self.export_header(),
            sections: sections.filter(|section| !section.commands.is_empty()).collect(),
            ..Export::default()
        };
        Ok(export.write(if terse { Style::Terse } else { Style::Sections }))
    }

    /// Runs `/export` of the API.
    pub(super) fn export_command(&mut self, session: &Session, fields: &Fields) -> Result<Output, Trap> {
        let given = |name: &str| fields.get(name).is_some_and(|value| value == "true");
        let exported = self.export(session, given("show-sensitive") && !given("hide-sensitive"), given("terse"))?;
        let Some(name) = fields.get("file").filter(|name| !name.is_empty()) else { return Ok(Output::default()) };
        if !session.may("write") {
            return Err(Trap::not_enough_permissions());
        }
        let name = if name.ends_with(".rsc") { name.clone() } else { format!("{name}.rsc") };
        let old: Vec<_> = self.rows("/file").filter(|row| row.get("name") == name).map(|row| row.id).collect();
        for id in old {
            self.delete("/file", id);
        }
        self.store_file(&name, &exported);
        self.written();
        Ok(Output::default())
    }

    /// Reads a part of a file; behind its end there is nothing.
    pub(super) fn read_file(&self, fields: &Fields) -> Result<Output, Trap> {
        let number = |name: &str, otherwise: usize| fields.get(name).map_or(Some(otherwise), |text| text.parse().ok());
        let name = fields.get("file").map_or("", String::as_str);
        let row = self.find("/file", "name", name).ok_or_else(Trap::no_such_item)?;
        let (offset, size) = number("offset", 0)
            .zip(number("chunk-size", CHUNK_MAX))
            .ok_or_else(|| Trap::of(1, "invalid value for argument offset"))?;
        let data: String = row.get("contents").chars().skip(offset).take(size.min(CHUNK_MAX)).collect();
        Ok(Output { rows: vec![vec![("data".to_owned(), data)]], ret: None })
    }

    fn is_exported(&self, menu: &Menu) -> bool {
        let writes = menu.commands.contains(&"add") || menu.commands.contains(&"set");
        writes && menu.path != "/interface" && !LEFT_OUT.contains(&menu.path) && self.menu(menu.path).is_ok()
    }

    fn export_header(&self) -> Header {
        let board = self.config.board;
        let hardware = |text: &str| if board.is_virtual() { String::new() } else { text.to_owned() };
        Header {
            written_at: self.wall().strftime("%Y-%m-%d %H:%M:%S").to_string(),
            version: self.config.version.to_string(),
            software_id: hardware("SIMU-LATE"),
            model: hardware(board.model),
            serial_number: hardware(&self.config.serial),
        }
    }

    /// Gives the command that makes a row, or that makes one which comes with the system what it is.
    fn command(&self, menu: &'static Menu, row: &Row, fresh: &Self, secrets: bool) -> Option<Command> {
        match row.origin {
            Origin::Dynamic => None,
            Origin::Configured => {
                let values = self
                    .exported(menu, row, secrets)
                    .filter(|(arg, value)| values::shown_default(menu.path, arg).as_ref() != Some(value));
                let values: Vec<_> = values.map(|(arg, value)| written(arg, &value)).collect();
                menu.commands.contains(&"add").then_some(Command { verb: Verb::Add, target: Target::Menu, values })
            }
            Origin::BuiltIn => {
                let factory = fresh.row(menu.path, row.id)?;
                let as_made = |arg: &Arg| factory.fields.get(arg.name).cloned().or_else(|| values::shown_default(menu.path, arg));
                let values = self.exported(menu, row, secrets).filter(|(arg, value)| as_made(arg).as_ref() != Some(value));
                let values: Vec<_> = values.map(|(arg, value)| written(arg, &value)).collect();
                let wanted = factory.get("name");
                let target = match menu.path {
                    "/ip/service" => Target::Row(wanted.as_bytes().to_vec()),
                    _ => Target::Find(vec![("name".to_owned(), wanted.as_bytes().to_vec())]),
                };
                let differs = !values.is_empty() && menu.commands.contains(&"set") && !wanted.is_empty();
                differs.then_some(Command { verb: Verb::Set, target, values })
            }
        }
    }

    /// Gives the command that sets what differs in a menu without rows.
    fn values_set(&self, menu: &'static Menu, secrets: bool) -> Option<Command> {
        let row = Row { id: super::RowId(0), origin: Origin::Configured, fields: self.singles.get(menu.path)?.clone() };
        let differs = |(arg, value): &(&'static Arg, String)| {
            // A clock that was set by hand goes on by itself.
            let runs = menu.path == "/system/clock" && matches!(arg.kind, Kind::Date | Kind::TimeOfDay);
            !runs && values::shown_default(menu.path, arg).as_ref() != Some(value)
        };
        let values: Vec<_> =
            self.exported(menu, &row, secrets).filter(differs).map(|(arg, value)| written(arg, &value)).collect();
        (!values.is_empty()).then_some(Command { verb: Verb::Set, target: Target::Menu, values })
    }

    /// Lists a row's arguments that can be written, in the order of their names, as an export has them.
    fn exported<'a>(
        &'a self,
        menu: &'static Menu,
        row: &'a Row,
        secrets: bool,
    ) -> impl Iterator<Item = (&'static Arg, String)> + 'a {
        let mut args: Vec<&'static Arg> = menu.args.iter().filter(|arg| arg.versions.contain(self.config.version)).collect();
        args.sort_by_key(|arg| arg.name);
        args.into_iter().filter_map(move |arg| {
            let written = match arg.access {
                Access::ReadWrite | Access::AddOnly => true,
                Access::Secret => secrets,
                Access::ReadOnly => false,
            };
            let value = row.fields.get(arg.name).filter(|value| written && !value.is_empty())?;
            Some((arg, value.clone()))
        })
    }
}

/// Writes an argument as an export does: `yes` where a print shows `true`.
fn written(arg: &Arg, value: &str) -> (String, Option<Vec<u8>>) {
    let value = match (arg.kind, value) {
        (Kind::Bool, "true") => b"yes".to_vec(),
        (Kind::Bool, "false") => b"no".to_vec(),
        (_, other) => text::to_bytes(other),
    };
    (arg.name.to_owned(), Some(value))
}
