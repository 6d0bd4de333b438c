//! Printing: what is shown of a row, and to whom.

use super::config::FEATURES;
use super::request::{Output, Request, Session, Shown, Trap};
use super::table::{Origin, Row};
use super::{Device, query, values};
use model::RouterosVersion;
use routeros::catalogue::{Access, Kind, Menu, Shape};

/// Words that `print` takes beside the API's own; none of them changes what the API answers, except `count-only` and
/// `show-sensitive`.
const SWITCHES: &[&str] = &[
    "detail",
    "stats",
    "brief",
    "terse",
    "without-paging",
    "as-value",
    "count-only",
    "show-sensitive",
    "show-ids",
    "proplist",
    "status",
    "bytes",
    "rate",
    "follow",
    "follow-only",
    "interval",
    "where",
];

/// The first version in which a secret is shown only when it is asked for.
const ASK_FOR_SECRETS: RouterosVersion = RouterosVersion::new(7, 21, 0);

impl Device {
    pub(super) fn print(&self, session: &Session, menu: &'static Menu, request: &Request) -> Result<Output, Trap> {
        if let Some((name, _)) = request.args.iter().find(|(name, _)| !SWITCHES.contains(&name.as_str())) {
            return Err(Trap::of(0, format!("unknown parameter {name}")));
        }
        let asked = self.config.version < ASK_FOR_SECRETS || request.value("show-sensitive").is_some_and(|value| value != "no");
        let secrets = asked && session.may("sensitive");
        let mut rows = Vec::new();
        for row in self.shown_rows(menu, secrets) {
            if query::matches(&row, &request.queries)? {
                rows.push(project(row, request.proplist.as_deref()));
            }
        }
        if request.value("count-only").is_some() {
            return Ok(Output::ret(rows.len().to_string()));
        }
        Ok(Output { rows, ret: None })
    }

    /// Shows all rows of a menu.
    pub(super) fn shown_rows(&self, menu: &'static Menu, secrets: bool) -> Vec<Shown> {
        if menu.shape == Shape::Singleton {
            let mut fields = self.singles.get(menu.path).cloned().unwrap_or_default();
            self.compute_single(menu.path, &mut fields);
            let row = Row { id: super::RowId(0), origin: Origin::Configured, fields };
            let mut shown = self.show(menu, &row, secrets);
            if menu.path == "/system/device-mode" {
                let known: Vec<&str> = shown.iter().map(|(name, _)| name.as_str()).collect();
                let features: Vec<_> = FEATURES.iter().filter(|feature| !known.contains(*feature)).copied().collect();
                shown.extend(
                    features.into_iter().map(|feature| (feature.to_owned(), self.config.mode.allows(feature).to_string())),
                );
            }
            return vec![shown];
        }
        if menu.path == "/interface" {
            let rows = self.interfaces().into_iter().map(|(id, fields)| Row { id, origin: Origin::Configured, fields });
            return rows.map(|row| self.show_with_id(menu, &row, secrets)).collect();
        }
        if let Some(rows) = self.computed_rows(menu.path) {
            return rows.iter().map(|row| self.show_with_id(menu, row, secrets)).collect();
        }
        self.rows(menu.path).map(|row| self.show_with_id(menu, row, secrets)).collect()
    }

    fn show_with_id(&self, menu: &'static Menu, row: &Row, secrets: bool) -> Shown {
        let mut shown = vec![(".id".to_owned(), row.id.to_string())];
        shown.extend(self.show(menu, row, secrets));
        shown
    }

    fn show(&self, menu: &'static Menu, row: &Row, secrets: bool) -> Shown {
        let mut shown = Shown::new();
        for arg in menu.args.iter().filter(|arg| arg.versions.contain(self.config.version)) {
            // What makes a row unique is shown also where only `add` takes it, such as the name of a file.
            let unseen = arg.access == Access::AddOnly && !menu.key.contains(&arg.name);
            if unseen || (arg.access == Access::Secret && !secrets) {
                continue;
            }
            let value = match arg.name {
                "dynamic" if menu.path != "/interface" => Some((row.origin == Origin::Dynamic).to_string()),
                "invalid" => Some(self.is_invalid(menu.path, row).to_string()),
                "default" | "builtin" if arg.kind == Kind::Bool => Some((row.origin == Origin::BuiltIn).to_string()),
                name => self.live_value(menu.path, row, name).or_else(|| row.fields.get(name).cloned()),
            };
            if let Some(value) = value.or_else(|| values::shown_default(menu.path, arg)) {
                shown.push((arg.name.to_owned(), value));
            }
        }
        shown
    }

    /// Says whether a row refers to something that is no longer there, or an interface that belongs to a bridge.
    pub(super) fn is_invalid(&self, path: &str, row: &Row) -> bool {
        let interface = row.get("interface");
        if interface.is_empty() || matches!(interface, "all" | "none") {
            return false;
        }
        let slave = || {
            matches!(path, "/ip/hotspot" | "/ip/dhcp-server")
                && self.find("/interface/bridge/port", "interface", interface).is_some()
        };
        self.interface(interface).is_none() || slave()
    }
}

fn project(row: Shown, proplist: Option<&[String]>) -> Shown {
    match proplist {
        None => row,
        Some(names) => row.into_iter().filter(|(name, _)| names.iter().any(|wanted| wanted == name)).collect(),
    }
}
