//! The commands that every menu shares: add, set, unset, enable, disable, remove, move.

use super::request::{Output, Request, Session, Trap};
use super::table::{Fields, Origin, RowId};
use super::values::{Change, Taking};
use super::{Device, MAX_ROWS, rules};
use jiff::Timestamp;
use routeros::catalogue::{self, Menu, Shape};

impl Device {
    /// Runs one command.
    ///
    /// # Errors
    /// The trap that RouterOS would answer.
    pub fn execute(&mut self, session: &Session, request: &Request, now: Timestamp) -> Result<Output, Trap> {
        self.advance(now);
        let menu = self.menu(&request.path)?;
        let command = if request.command == "getall" { "print" } else { request.command.as_str() };
        if menu.shape == Shape::Command {
            if !command.is_empty() {
                return Err(Trap::of(0, "no such command prefix"));
            }
            permit(session, menu, "")?;
            return self.run(session, menu, request);
        }
        if !menu.commands.contains(&command) && command != "print" {
            return Err(Trap::of(0, "no such command"));
        }
        permit(session, menu, command)?;
        self.check_device_mode(menu, command)?;
        match command {
            "print" => self.print(session, menu, request),
            "add" => self.add(session, menu, request),
            "set" => self.set(session, menu, request),
            "unset" => self.unset(session, menu, request),
            "enable" => self.switch(session, menu, request, "false"),
            "disable" => self.switch(session, menu, request, "true"),
            "remove" => self.remove(menu, request),
            "move" => self.shift(menu, request),
            "reset-counters" => self.reset_counters(menu, request),
            _ => Err(Trap::of(0, "no such command")),
        }
    }

    /// Finds a menu that this router has.
    pub(crate) fn menu(&self, path: &str) -> Result<&'static Menu, Trap> {
        let exists = |menu: &&Menu| {
            let missing = match menu.path {
                "/system/routerboard" => self.config.board.is_virtual(),
                path => path.starts_with("/ip/hotspot") && !self.has_hotspot(),
            };
            menu.versions.contain(self.config.version) && !missing
        };
        catalogue::menu(path).filter(exists).ok_or_else(|| Trap::of(0, "no such command prefix"))
    }

    fn check_device_mode(&self, menu: &Menu, command: &str) -> Result<(), Trap> {
        let feature = match menu.path {
            "/system/scheduler" => "scheduler",
            "/ip/hotspot" => "hotspot",
            _ => return Ok(()),
        };
        let starts = matches!(command, "add" | "set" | "enable");
        if starts && !self.config.mode.allows(feature) { Err(Trap::device_mode()) } else { Ok(()) }
    }

    fn changes(&self, menu: &Menu, taking: Taking, request: &Request, own: &[&str]) -> Result<Vec<Change>, Trap> {
        let given = request.args.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        given.map(|(name, value)| self.read_argument(menu, taking, name, value)).collect()
    }

    fn add(&mut self, session: &Session, menu: &'static Menu, request: &Request) -> Result<Output, Trap> {
        let ordered = menu.shape == Shape::Ordered;
        let own: &[&str] = if ordered { &["place-before"] } else { &[] };
        let mut fields = Fields::new();
        for change in self.changes(menu, Taking::Add, request, own)? {
            if let Change::Put(name, value) = change {
                fields.insert(name, value);
            }
        }
        let required = menu.args.iter().filter(|arg| arg.required && arg.versions.contain(self.config.version));
        let missing: Vec<&str> = required.filter(|arg| request.value(arg.name).is_none()).map(|arg| arg.name).collect();
        if !missing.is_empty() {
            return Err(Trap::failure(format!("missing value(s) of argument(s) {}", missing.join(" "))));
        }
        let before = match request.value("place-before").filter(|_| ordered) {
            Some(text) => Some(self.item(menu, text)?),
            None => None,
        };
        if self.tables.get(menu.path).is_some_and(|table| table.len() >= MAX_ROWS) {
            return Err(Trap::failure("failure: too many entries"));
        }
        self.complete(session, menu.path, &mut fields)?;
        self.check_unique(menu.path, menu.key, &fields, None)?;
        let origin = if self.is_temporary(menu.path, &fields) { Origin::Dynamic } else { Origin::Configured };
        let id = self.insert(menu.path, origin, fields, before);
        self.written();
        self.changed(menu.path, Some(id));
        Ok(Output::ret(id.to_string()))
    }

    fn set(&mut self, session: &Session, menu: &'static Menu, request: &Request) -> Result<Output, Trap> {
        if menu.shape == Shape::Singleton {
            let changes = self.changes(menu, Taking::Set, request, &[])?;
            self.check_single(session, menu.path, request)?;
            let fields = self.singles.entry(menu.path).or_default();
            apply(fields, changes);
            self.version += 1;
            self.written();
            self.changed(menu.path, None);
            return Ok(Output::default());
        }
        let ids = self.items(menu, request)?;
        for id in ids {
            let changes = self.changes(menu, Taking::Set, request, &[".id", "numbers"])?;
            self.change_row(session, menu, id, changes)?;
        }
        Ok(Output::default())
    }

    fn unset(&mut self, session: &Session, menu: &'static Menu, request: &Request) -> Result<Output, Trap> {
        let name = request.value("value-name").ok_or_else(|| Trap::failure("missing value(s) of argument(s) value-name"))?;
        let arg = self.argument(menu, name).filter(|arg| arg.clearable);
        let arg = arg.ok_or_else(|| Trap::of(1, "input does not match any value of value-name"))?;
        for id in self.items(menu, request)? {
            self.change_row(session, menu, id, vec![Change::Clear(arg.name)])?;
        }
        Ok(Output::default())
    }

    fn switch(&mut self, session: &Session, menu: &'static Menu, request: &Request, disabled: &str) -> Result<Output, Trap> {
        for id in self.items(menu, request)? {
            self.change_row(session, menu, id, vec![Change::Put("disabled", disabled.to_owned())])?;
        }
        Ok(Output::default())
    }

    fn change_row(&mut self, session: &Session, menu: &'static Menu, id: RowId, changes: Vec<Change>) -> Result<(), Trap> {
        let path = self.owner(menu.path, id);
        let row = self.row(path, id).ok_or_else(Trap::no_such_item)?;
        if row.origin == Origin::Dynamic {
            return Err(Trap::failure("failure: can not change dynamic object"));
        }
        let mut fields = row.fields.clone();
        let old_name = row.get("name").to_owned();
        apply(&mut fields, changes);
        self.complete(session, path, &mut fields)?;
        self.check_unique(path, menu.key, &fields, Some(id))?;
        let new_name = fields.get("name").cloned().unwrap_or_default();
        if let Some(row) = self.row_mut(path, id) {
            row.fields = fields;
        }
        if !old_name.is_empty() && old_name != new_name {
            self.rename_references(path, &old_name, &new_name);
        }
        self.written();
        self.changed(path, Some(id));
        Ok(())
    }

    fn remove(&mut self, menu: &'static Menu, request: &Request) -> Result<Output, Trap> {
        for id in self.items(menu, request)? {
            self.remove_row(menu, id)?;
        }
        Ok(Output::default())
    }

    fn remove_row(&mut self, menu: &'static Menu, id: RowId) -> Result<(), Trap> {
        match menu.path {
            "/ppp/active" => return self.kick_ppp(id),
            "/ip/hotspot/active" => return self.kick_hotspot(id),
            "/ip/hotspot/host" => return self.remove_host(id),
            _ => {}
        }
        let row = self.row(menu.path, id).ok_or_else(Trap::no_such_item)?;
        // Entries that only live for a while may go earlier.
        let fleeting = matches!(menu.path, "/ip/hotspot/cookie" | "/ip/dhcp-server/lease")
            || self.expiries.contains_key(&id) && menu.path == "/ip/firewall/address-list";
        match row.origin {
            Origin::Dynamic if !fleeting => return Err(Trap::failure("failure: can not remove dynamic object")),
            Origin::BuiltIn => return Err(Trap::failure("failure: can not remove default object")),
            Origin::Dynamic | Origin::Configured => {}
        }
        let name = row.get("name").to_owned();
        self.check_removal(menu.path, id, &name)?;
        self.delete(menu.path, id);
        self.written();
        if !name.is_empty() {
            // What referred to it keeps the id of something that is gone, as RouterOS shows it.
            self.rename_references(menu.path, &name, &id.to_string());
        }
        self.changed(menu.path, Some(id));
        Ok(())
    }

    fn shift(&mut self, menu: &'static Menu, request: &Request) -> Result<Output, Trap> {
        let ids = self.items(menu, request)?;
        let before = match request.value("destination").filter(|text| !text.is_empty()) {
            Some(text) => Some(self.item(menu, text)?),
            None => None,
        };
        for id in ids.into_iter().filter(|id| Some(*id) != before) {
            self.table(menu.path).shift(id, before);
        }
        self.written();
        Ok(Output::default())
    }

    fn reset_counters(&mut self, menu: &'static Menu, request: &Request) -> Result<Output, Trap> {
        for id in self.items(menu, request)? {
            if let Some(row) = self.row_mut(menu.path, id) {
                row.fields.retain(|name, _| !matches!(*name, "bytes" | "packets" | "bytes-in" | "bytes-out" | "uptime"));
            }
        }
        Ok(Output::default())
    }

    /// Reads which rows are meant: ids or names, with commas between.
    fn items(&self, menu: &Menu, request: &Request) -> Result<Vec<RowId>, Trap> {
        let given = request.value(".id").or_else(|| request.value("numbers"));
        let given = given.ok_or_else(|| Trap::failure("missing value(s) of argument(s) numbers"))?;
        given.split(',').filter(|item| !item.is_empty()).map(|item| self.item(menu, item)).collect()
    }

    fn item(&self, menu: &Menu, text: &str) -> Result<RowId, Trap> {
        let found = match RowId::parse(text) {
            Some(id) => self.row(self.owner(menu.path, id), id).map(|row| row.id),
            None => self.names(menu.path).into_iter().find(|(_, name)| name == text).map(|(id, _)| id),
        };
        found.ok_or_else(Trap::no_such_item)
    }

    /// Returns the menu that a row lives in: `/interface` shows the rows of others.
    fn owner(&self, path: &'static str, id: RowId) -> &'static str {
        if path != "/interface" {
            return path;
        }
        let homes = super::computed::INTERFACES.iter().map(|(menu, _)| *menu);
        homes.into_iter().find(|menu| self.row(menu, id).is_some()).unwrap_or(path)
    }

    fn check_unique(&self, path: &str, key: &[&str], fields: &Fields, except: Option<RowId>) -> Result<(), Trap> {
        if path == "/ip/dhcp-server/lease" {
            return self.check_lease(fields, except);
        }
        let interface = super::computed::INTERFACES.iter().any(|(menu, _)| *menu == path);
        let name = fields.get("name").map_or("", String::as_str);
        let taken = if interface {
            self.interfaces()
                .iter()
                .any(|(id, other)| Some(*id) != except && other.get("name").is_some_and(|other| other == name))
        } else {
            let wanted: Vec<(&str, &str)> = key.iter().map(|key| (*key, fields.get(*key).map_or("", String::as_str))).collect();
            let equal = |row: &super::Row, name: &str, value: &str| {
                let own = row.get(name);
                // One service of a secret may stand for all.
                own == value || (path == "/ppp/secret" && name == "service" && (own == "any" || value == "any"))
            };
            let keyed = wanted.iter().any(|(_, value)| !value.is_empty());
            let same = |row: &super::Row| wanted.iter().all(|(name, value)| equal(row, name, value));
            keyed && self.rows(path).any(|row| same(row) && Some(row.id) != except)
        };
        if taken { Err(Trap::failure(rules::duplicate(path))) } else { Ok(()) }
    }

    /// Renames wherever a row of `path` is referred to.
    fn rename_references(&mut self, path: &str, old: &str, new: &str) {
        for menu in catalogue::menus() {
            let names = menu.args.iter().filter(|arg| rules::refers(&arg.kind, path)).map(|arg| arg.name);
            for name in names {
                let ids: Vec<RowId> = self.rows(menu.path).filter(|row| row.get(name) == old).map(|row| row.id).collect();
                for id in ids {
                    if let Some(row) = self.row_mut(menu.path, id) {
                        row.fields.insert(name, new.to_owned());
                    }
                }
            }
        }
    }

    /// Counts a write to the flash; RouterOS saves a change within seconds, one to a few sectors each.
    pub(super) fn written(&mut self) {
        self.sectors_written += 1;
    }
}

fn apply(fields: &mut Fields, changes: Vec<Change>) {
    for change in changes {
        match change {
            Change::Put(name, value) => {
                fields.insert(name, value);
            }
            Change::Clear(name) => {
                fields.remove(name);
            }
        }
    }
}

/// Says whether a session may run a command.
fn permit(session: &Session, menu: &Menu, command: &str) -> Result<(), Trap> {
    let needed = match (menu.path, command) {
        (_, "print") | ("/export" | "/file/read", _) => "read",
        ("/system/reboot" | "/system/shutdown", _) => "reboot",
        ("/tool/fetch" | "/ping", _) => "test",
        (path, _) if path == "/user" || path.starts_with("/user/") => "policy",
        _ => "write",
    };
    if session.may(needed) { Ok(()) } else { Err(Trap::not_enough_permissions()) }
}
