//! A virtual router at work: plans are applied to it and taken back from it as the controller does it, command by command.

use crate::*;
use jiff::{SignedDuration, Timestamp};
use routeros::catalogue::{self, Access, Menu, Shape, ip_firewall_filter as filter};
use routeros_sim::device::{Board, Config, Request, Session};
use routeros_sim::router::Router;
use std::collections::BTreeMap;

/// A row as its administrator sees it, with its id.
pub type Shown = BTreeMap<String, String>;

/// A virtual router and its time.
pub struct Lab {
    pub router: Router,
    pub now: Timestamp,
    pub began: Timestamp,
}

impl Lab {
    pub fn new(board: &str, version: &str, now: Timestamp) -> Self {
        let version = version.parse().expect("a version");
        let config = Config::new(Board::find(board).expect("a board"), version, 7);
        Self { router: Router::new(config, now), now, began: now }
    }

    /// Runs a command that has to succeed, and returns the id that it gave.
    pub fn run(&mut self, request: &Request) -> Option<String> {
        self.attempt(request).unwrap_or_else(|refusal| panic!("{request:?}: {refusal}"))
    }

    /// Runs a command that may be refused.
    pub fn attempt(&mut self, request: &Request) -> Result<Option<String>, String> {
        let done = self.router.execute(&Session::console(), request, self.now);
        done.map(|output| output.ret).map_err(|trap| trap.message)
    }

    pub fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now += SignedDuration::from_secs(1);
            self.router.tick(self.now);
        }
    }

    pub fn uptime(&self) -> SignedDuration {
        self.now.duration_since(self.began)
    }

    /// Prints a whole menu with its secrets.
    pub fn print(&mut self, menu: &'static Menu) -> Vec<Shown> {
        self.rows(Request::new(menu.path, "print"))
    }

    fn rows(&mut self, print: Request) -> Vec<Shown> {
        let print = print.arg("show-sensitive", "yes");
        let output = self.router.execute(&Session::console(), &print, self.now).expect("a print");
        output.rows.into_iter().map(|row| row.into_iter().collect()).collect()
    }

    /// Looks at a router as planning asks for it.
    pub fn observe(&mut self, prints: &[Print]) -> Observed {
        let mut observed = Observed::default();
        for print in prints {
            let mut request = Request::new(print.menu.path, "print");
            request.proplist = Some(print.proplist.iter().map(|name| (*name).to_owned()).collect());
            request.queries = print.any_of.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.queries.extend(print.any_of.iter().skip(1).map(|_| "#|".to_owned()));
            request.queries.extend(print.except.iter().flat_map(|(name, value)| [format!("{name}={value}"), "#!".to_owned()]));
            let rows = self.rows(request).into_iter().map(|mut row| {
                let id = row.remove(catalogue::ID).expect("every row has an id");
                Row::new(id, row.into_iter().map(|(name, value)| (name, value.into_bytes())))
            });
            observed.insert(print.menu, rows.collect());
        }
        observed
    }

    /// What menus hold, without ids, which rows that were removed do not get back, and without what the router itself counts. Where rows
    /// have an order it is kept.
    pub fn held(&mut self, menus: &[&'static Menu]) -> Vec<Vec<Shown>> {
        let mut held = Vec::new();
        for menu in menus {
            let own = |name: &str| menu.arg(name).is_some_and(|arg| arg.access == Access::ReadOnly);
            let rows = self.print(menu).into_iter().filter(|row| row.get("dynamic").is_none_or(|flag| flag != "true"));
            let mut rows: Vec<Shown> = rows.collect();
            rows.iter_mut().for_each(|row| row.retain(|name, _| name != catalogue::ID && (name == "invalid" || !own(name))));
            if menu.shape != Shape::Ordered {
                rows.sort();
            }
            held.push(rows);
        }
        held
    }

    /// Carries out a change, and returns the id of the row that it made.
    pub fn apply(&mut self, change: &Change) -> Option<String> {
        let path = change.menu.path;
        let id = change.id.clone().unwrap_or_default();
        let request = match &change.action {
            Action::Add { before } => {
                let add = with(Request::new(path, "add"), &change.values);
                before.iter().fold(add, |add, before| add.arg(filter::PLACE_BEFORE, before))
            }
            Action::Set => with(Request::new(path, "set").arg(catalogue::ID, &id), &change.values),
            Action::Unset { name } => Request::new(path, "unset").arg(catalogue::ID, &id).arg("value-name", name),
            Action::Move { before } => Request::new(path, "move").arg("numbers", &id).arg("destination", before),
            Action::Remove => Request::new(path, "remove").arg(catalogue::ID, &id),
        };
        self.run(&request)
    }

    /// Carries out a change set, the changes of a stage in any order, and returns the id of the row that each made.
    pub fn apply_all(&mut self, set: &ChangeSet, seed: u64) -> Vec<Option<String>> {
        let mut made = vec![None; set.changes.len()];
        let numbered: Vec<(usize, &Change)> = set.changes.iter().enumerate().collect();
        for stage in numbered.chunk_by(|(_, a), (_, b)| a.stage == b.stage) {
            let mut stage = stage.to_vec();
            stage.sort_by_key(|(number, _)| (seed ^ (*number as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for (number, change) in stage {
                made[number] = self.apply(change);
            }
        }
        made
    }

    /// Takes a change set back, by what its changes say and the ids that they made, from the last to the first.
    pub fn take_back(&mut self, set: &ChangeSet, made: &[Option<String>]) {
        // Rows that were removed come back under other ids.
        let mut renamed: BTreeMap<(&str, String), String> = BTreeMap::new();
        for (change, made) in set.changes.iter().zip(made).rev() {
            let path = change.menu.path;
            let now = |id: &String| renamed.get(&(path, id.clone())).unwrap_or(id).clone();
            let id = change.id.as_ref().or(made.as_ref()).map(now).expect("a change of a row names it");
            match change.undo() {
                Undo::Remove => drop(self.run(&Request::new(path, "remove").arg(catalogue::ID, &id))),
                Undo::Set(values) => self.set_back(change.menu, &id, &values),
                Undo::Move(before) => {
                    let to_end = Request::new(path, "move").arg("numbers", &id);
                    self.run(&before.iter().map(now).fold(to_end, |to, before| to.arg("destination", &before)));
                }
                Undo::Add { values, before } => {
                    let add = with(Request::new(path, "add"), &values);
                    let add = before.iter().map(now).fold(add, |add, before| add.arg(filter::PLACE_BEFORE, &before));
                    let again = self.run(&add).expect("an add tells the id");
                    renamed.insert((path, id), again);
                }
                Undo::Nothing => {}
            }
        }
    }

    fn set_back(&mut self, menu: &'static Menu, id: &str, values: &Values) {
        let mut set = with(Request::new(menu.path, "set").arg(catalogue::ID, id), values);
        for (name, _) in values.iter().filter(|(_, value)| **value == Value::Absent) {
            let arg = menu.arg(name).expect("changes are made of the catalogue's arguments");
            if arg.clearable {
                self.run(&Request::new(menu.path, "unset").arg(catalogue::ID, id).arg("value-name", name));
            } else {
                set = set.arg(name, arg.default.unwrap_or_default());
            }
        }
        if set.args.len() > 1 {
            self.run(&set);
        }
    }
}

fn with(request: Request, values: &Values) -> Request {
    let values = values.iter().filter_map(|(name, value)| Some((name, value.expose()?)));
    values.fold(request, |request, (name, value)| request.arg(name, value))
}
