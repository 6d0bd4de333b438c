//! What single menus do beyond the general commands: complete a row, refuse a removal, react to a change.

use super::request::{Request, Session, Trap};
use super::table::{Fields, RowId};
use super::values::{self, shown_default};
use super::{Device, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use routeros::catalogue::{self, Access, Kind};
use std::net::Ipv4Addr;

/// Returns the text with which a menu refuses a second row of the same key.
pub(super) fn duplicate(path: &str) -> &'static str {
    match path {
        "/ppp/secret" => "failure: secret with the same name already exists",
        "/ppp/profile" => "failure: profile with the same name already exists",
        "/user" => "failure: user with the same name already exists",
        "/ip/hotspot/user" => "failure: already have user with this name for this server",
        "/ip/address" => "failure: already have such address",
        "/interface" | "/interface/ethernet" | "/interface/bridge" | "/interface/wireguard" | "/interface/pppoe-server" => {
            "failure: already have interface with such name"
        }
        _ => "failure: already have such entry",
    }
}

/// Says whether values of a kind name rows of a menu.
pub(super) fn refers(kind: &Kind, path: &str) -> bool {
    match kind {
        Kind::Reference(menus, _) => menus.contains(&path) || (menus.contains(&"/interface") && path.starts_with("/interface/")),
        Kind::Or(_, inner) | Kind::List(inner) | Kind::Set(inner) | Kind::Negatable(inner) | Kind::Pair(inner) => {
            refers(inner, path)
        }
        _ => false,
    }
}

impl Device {
    /// Gives a new or changed row what it cannot be without, and refuses what its menu refuses.
    pub(super) fn complete(&mut self, session: &Session, path: &'static str, fields: &mut Fields) -> Result<(), Trap> {
        self.fill_defaults(path, fields);
        let count = self.tables.get(path).map_or(0, super::Table::len);
        match path {
            "/interface/wireguard" => self.complete_wireguard(fields)?,
            "/interface/wireguard/peers" if self.argument_exists(path, "name") => {
                Self::default_to(fields, "name", || format!("peer{}", count + 1));
            }
            "/interface/bridge" => {
                Self::default_to(fields, "name", || format!("bridge{}", count + 1));
                let mac = self.new_mac();
                Self::default_to(fields, "mac-address", || mac);
            }
            "/ip/address" => complete_address(fields),
            "/ip/pool" => Self::default_to(fields, "name", || format!("pool{}", count + 1)),
            "/ip/hotspot" => Self::default_to(fields, "name", || format!("hotspot{}", count + 1)),
            "/ip/hotspot/profile" => Self::default_to(fields, "name", || format!("hsprof{}", count + 1)),
            "/ip/hotspot/user/profile" => Self::default_to(fields, "name", || format!("uprof{}", count + 1)),
            "/ip/dhcp-server" => Self::default_to(fields, "name", || format!("dhcp{}", count + 1)),
            "/ip/firewall/address-list" => {
                let now = self.date_time();
                Self::default_to(fields, "creation-time", || now);
            }
            "/queue/simple" => {
                Self::default_to(fields, "name", || format!("queue{}", count + 1));
                self.complete_queue(fields)?;
            }
            "/system/scheduler" => self.complete_scheduler(session, fields)?,
            "/file" => complete_file(fields)?,
            _ => {}
        }
        Ok(())
    }

    fn argument_exists(&self, path: &str, name: &str) -> bool {
        catalogue::menu(path).is_some_and(|menu| self.argument(menu, name).is_some())
    }

    /// Writes down the defaults that a print shows, so that every reader finds them.
    pub(super) fn fill_defaults(&self, path: &str, fields: &mut Fields) {
        let Some(menu) = catalogue::menu(path) else { return };
        for arg in menu.args.iter().filter(|arg| arg.access == Access::ReadWrite && arg.versions.contain(self.config.version)) {
            if let Some(default) = shown_default(path, arg) {
                fields.entry(arg.name).or_insert(default);
            }
        }
    }

    fn complete_wireguard(&mut self, fields: &mut Fields) -> Result<(), Trap> {
        let count = self.tables.get("/interface/wireguard").map_or(0, super::Table::len);
        Self::default_to(fields, "name", || format!("wireguard{}", count + 1));
        Self::default_to(fields, "mtu", || "1420".to_owned());
        let port = 13_231 + self.random.below(20_000);
        Self::default_to(fields, "listen-port", || port.to_string());
        let key = self.random.key();
        Self::default_to(fields, "private-key", || STANDARD.encode(x25519_dalek::StaticSecret::from(key).to_bytes()));
        let private = fields.get("private-key").map_or("", String::as_str);
        let bytes = STANDARD.decode(private).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| Trap::of(1, "invalid value for argument private-key"))?;
        let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(bytes));
        fields.insert("public-key", STANDARD.encode(public.as_bytes()));
        Ok(())
    }

    pub(super) fn new_mac(&mut self) -> String {
        let bytes = self.random.draw().to_be_bytes();
        // MikroTik's own prefix.
        format!("48:8F:5A:{:02X}:{:02X}:{:02X}", bytes[0], bytes[1], bytes[2])
    }

    /// Says whether a new row goes away by itself.
    pub(super) fn is_temporary(&self, path: &str, fields: &Fields) -> bool {
        path == "/ip/firewall/address-list"
            && fields.get("timeout").is_some_and(|timeout| text::seconds(timeout).is_some_and(|s| s > 0))
    }

    /// Refuses to remove what others cannot be without.
    pub(super) fn check_removal(&self, path: &str, id: RowId, name: &str) -> Result<(), Trap> {
        let in_use = match path {
            // RouterOS keeps the last account of the group `full`.
            "/user" => {
                let full = |row: &&super::Row| row.get("group") == "full" && !row.is("disabled");
                self.row(path, id).is_some_and(|row| full(&row)) && self.rows(path).filter(full).count() == 1
            }
            "/user/group" => self.rows("/user").any(|row| row.get("group") == name),
            _ => false,
        };
        let message =
            if path == "/user" { "failure: can not remove last user with full access" } else { "failure: group is in use" };
        if in_use { Err(Trap::failure(message)) } else { Ok(()) }
    }

    /// Checks a change of a menu that has one set of values.
    pub(super) fn check_single(&mut self, _session: &Session, path: &str, request: &Request) -> Result<(), Trap> {
        match path {
            "/system/clock" => self.set_clock_fields(request),
            _ => Ok(()),
        }
    }

    /// Lets the system react to what was added, changed or removed.
    pub(super) fn changed(&mut self, path: &'static str, id: Option<RowId>) {
        match path {
            "/interface/pppoe-server/server" | "/interface/ethernet" | "/interface/bridge" => self.end_unserved(),
            "/ip/hotspot" => self.end_unserved_hotspot(),
            "/ip/dhcp-server/lease" => {
                if let Some(id) = id {
                    self.lease_changed(id);
                }
            }
            "/system/ntp/client" => self.synchronise(),
            "/system/scheduler" => {
                if let Some(id) = id {
                    self.plan_run(id);
                }
            }
            "/ip/firewall/address-list" => {
                if let Some(id) = id {
                    self.plan_expiry(id);
                }
            }
            _ => {}
        }
    }

    fn plan_expiry(&mut self, id: RowId) {
        let seconds = self.row("/ip/firewall/address-list", id).and_then(|row| text::seconds(row.get("timeout"))).unwrap_or(0);
        let span = i64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(jiff::SignedDuration::from_secs);
        match span.and_then(|span| self.now.checked_add(span).ok()) {
            Some(end) => self.expiries.insert(id, end),
            None => self.expiries.remove(&id),
        };
    }

    /// Removes address-list entries whose time is up.
    pub(super) fn expire_entries(&mut self) {
        let now = self.now;
        let due: Vec<RowId> = self.expiries.iter().filter(|(_, end)| **end <= now).map(|(id, _)| *id).collect();
        for id in due {
            self.expiries.remove(&id);
            self.delete("/ip/firewall/address-list", id);
        }
    }

    fn complete_queue(&self, fields: &mut Fields) -> Result<(), Trap> {
        let Some(target) = fields.get("target").cloned() else { return Ok(()) };
        let items: Option<Vec<String>> = target.split(',').map(|item| self.queue_target(item)).collect();
        let items = items.ok_or_else(|| Trap::of(1, "input does not match any value of target"))?;
        fields.insert("target", items.join(","));
        Ok(())
    }

    fn queue_target(&self, item: &str) -> Option<String> {
        if item.parse::<Ipv4Addr>().is_ok() {
            return Some(format!("{item}/32"));
        }
        if item.contains('/')
            && let Ok(network) = Kind::Prefix.canonical(item.as_bytes())
        {
            return Some(network);
        }
        self.interface(item).map(|_| item.to_owned())
    }
}

fn complete_address(fields: &mut Fields) {
    let address = fields.get("address").cloned().unwrap_or_default();
    let network: Option<ipnetwork::Ipv4Network> = address.parse().ok();
    if let Some(network) = network {
        Device::default_to(fields, "network", || network.network().to_string());
    }
    let interface = fields.get("interface").cloned().unwrap_or_default();
    fields.insert("actual-interface", interface);
}

/// The longest contents that can be written to a file (measured on 7.24.4).
const MAX_CONTENTS: usize = 60_416;

fn complete_file(fields: &mut Fields) -> Result<(), Trap> {
    let length = fields.get("contents").map_or(0, |contents| values::length(contents));
    if length > MAX_CONTENTS {
        return Err(Trap::failure("failure: contents too long"));
    }
    fields.insert("size", length.to_string());
    fields.insert("type", "file".to_owned());
    Ok(())
}
