//! What is not stored but follows from the rest: the list of all interfaces, routes, used addresses, uptimes.

use super::table::{Fields, Origin, Row, RowId};
use super::{Device, text};
use jiff::Timestamp;
use std::net::Ipv4Addr;

/// The menus whose rows are interfaces, with the `type` that `/interface` shows.
pub(super) const INTERFACES: &[(&str, &str)] = &[
    ("/interface/ethernet", "ether"),
    ("/interface/wifi", "wifi"),
    ("/interface/loopback", "loopback"),
    ("/interface/bridge", "bridge"),
    ("/interface/wireguard", "wg"),
    ("/interface/pppoe-server", "pppoe-in"),
];

impl Device {
    /// Lists every interface as `/interface` shows it.
    pub(super) fn interfaces(&self) -> Vec<(RowId, Fields)> {
        let mut all = Vec::new();
        for (path, kind) in INTERFACES {
            for row in self.rows(path) {
                let name = row.get("name");
                let mut fields = Fields::from([
                    ("name", name.to_owned()),
                    ("type", (*kind).to_owned()),
                    ("actual-mtu", if row.get("mtu").is_empty() { "1500".to_owned() } else { row.get("mtu").to_owned() }),
                    ("disabled", row.is("disabled").to_string()),
                    ("running", (!row.is("disabled")).to_string()),
                    ("dynamic", (row.origin == Origin::Dynamic).to_string()),
                    ("rx-byte", row.number("rx-byte").to_string()),
                    ("tx-byte", row.number("tx-byte").to_string()),
                    ("link-downs", "0".to_owned()),
                ]);
                if self.find("/interface/bridge/port", "interface", name).is_some_and(|port| !port.is("disabled")) {
                    fields.insert("slave", "true".to_owned());
                }
                for copied in ["default-name", "mac-address", "comment"] {
                    if let Some(value) = row.fields.get(copied) {
                        fields.insert(copied, value.clone());
                    }
                }
                all.push((row.id, fields));
            }
        }
        all
    }

    /// Finds an interface by name: its menu and its row.
    #[must_use]
    pub fn interface(&self, name: &str) -> Option<&Row> {
        INTERFACES.iter().find_map(|(path, _)| self.find(path, "name", name))
    }

    /// Gives the rows of menus that only show what is elsewhere.
    pub(super) fn computed_rows(&self, path: &str) -> Option<Vec<Row>> {
        let rows = match path {
            "/ip/pool/used" => self.used_addresses(),
            "/ip/route" => self.routes(),
            _ => return None,
        };
        let numbered = (1..).map(RowId).zip(rows);
        Some(numbered.map(|(id, fields)| Row { id, origin: Origin::Dynamic, fields }).collect())
    }

    fn used_addresses(&self) -> Vec<Fields> {
        let ppp = self.rows("/ppp/active").map(|row| (row.get("address"), "ppp", row.get("name")));
        let hotspot = self.rows("/ip/hotspot/host").map(|row| (row.get("to-address"), "hotspot", row.get("mac-address")));
        ppp.chain(hotspot)
            .filter_map(|(address, owner, info)| {
                let pool = self.pool_of(address.parse().ok()?)?;
                Some(Fields::from([
                    ("pool", pool.to_owned()),
                    ("address", address.to_owned()),
                    ("owner", owner.to_owned()),
                    ("info", info.to_owned()),
                ]))
            })
            .collect()
    }

    fn routes(&self) -> Vec<Fields> {
        let mut routes = Vec::new();
        if let Some(uplink) = self.rows("/ip/dhcp-client").find(|row| !row.is("disabled")) {
            routes.push(Fields::from([
                ("dst-address", "0.0.0.0/0".to_owned()),
                ("gateway", uplink.get("gateway").to_owned()),
                ("immediate-gw", format!("{}%{}", uplink.get("gateway"), uplink.get("interface"))),
                ("distance", "1".to_owned()),
                ("routing-table", "main".to_owned()),
                ("active", "true".to_owned()),
            ]));
        }
        for row in self.rows("/ip/address").filter(|row| !row.is("disabled")) {
            let length = row.get("address").split_once('/').map_or("32", |(_, length)| length);
            routes.push(Fields::from([
                ("dst-address", format!("{}/{length}", row.get("network"))),
                ("gateway", row.get("interface").to_owned()),
                ("immediate-gw", row.get("interface").to_owned()),
                ("distance", "0".to_owned()),
                ("routing-table", "main".to_owned()),
                ("active", "true".to_owned()),
            ]));
        }
        routes
    }

    /// Gives a property that changes by itself.
    pub(super) fn live_value(&self, path: &str, row: &Row, name: &str) -> Option<String> {
        match (path, name) {
            ("/ppp/active" | "/interface/pppoe-server", "uptime") => self
                .ppp
                .values()
                .find(|live| live.active == row.id || live.interface == row.id)
                .map(|live| self.since(live.started)),
            ("/ip/hotspot/active", _) => self.hotspot_value(row.id, name),
            ("/ip/hotspot/user", "uptime" | "bytes-in" | "bytes-out") => self.hotspot_user_value(row, name),
            ("/ip/hotspot/cookie", "expires-in") => Some(self.left(text::seconds(row.get("until"))?)),
            ("/ip/dhcp-server/lease", _) => self.lease_value(row, name),
            ("/ip/firewall/address-list", "timeout") => {
                self.expiries.get(&row.id).map(|end| text::duration(span(end.duration_since(self.now))))
            }
            ("/interface/wireguard" | "/interface/bridge" | "/interface/ethernet" | "/interface/pppoe-server", "running") => {
                Some((!row.is("disabled")).to_string())
            }
            ("/interface/wireguard/peers", _) => self.peer_value(row, name),
            ("/system/scheduler", "next-run") => self.next_runs.get(&row.id).map(|next| self.show_moment(*next)),
            ("/ip/pool", "total" | "used" | "available") => Some(self.pool_count(row, name)),
            ("/system/package", "version") => Some(self.config.version.to_string()),
            _ => None,
        }
    }

    fn show_moment(&self, moment: Timestamp) -> String {
        self.zone().to_datetime(moment).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    pub(super) fn since(&self, start: Timestamp) -> String {
        text::duration(span(self.now.duration_since(start)))
    }

    /// Returns the time left until a moment of the true clock, given in seconds since 1970.
    pub(super) fn left(&self, until: u64) -> String {
        text::duration(until.saturating_sub(u64::try_from(self.now.as_second()).unwrap_or(0)))
    }

    fn pool_count(&self, pool: &Row, name: &str) -> String {
        let ranges = super::ppp::ranges(pool.get("ranges"));
        let total: u64 = ranges.iter().map(|(first, last)| u64::from(u32::from(*last) - u32::from(*first)) + 1).sum();
        let inside = |address: &str| {
            address.parse::<Ipv4Addr>().is_ok_and(|a| ranges.iter().any(|(first, last)| (*first..=*last).contains(&a)))
        };
        let ppp = self.rows("/ppp/active").filter(|row| inside(row.get("address"))).count();
        let hosts = self.rows("/ip/hotspot/host").filter(|row| inside(row.get("to-address"))).count();
        let leases = self.rows("/ip/dhcp-server/lease").filter(|row| inside(row.get("active-address"))).count();
        let used = (ppp + hosts + leases) as u64;
        match name {
            "total" => total,
            "used" => used,
            _ => total.saturating_sub(used),
        }
        .to_string()
    }

    /// Fills in what a menu with one set of values shows beside what is set there.
    pub(super) fn compute_single(&self, path: &str, fields: &mut Fields) {
        match path {
            "/system/resource" => self.resource(fields),
            "/system/routerboard" => {
                fields.extend([
                    ("routerboard", "true".to_owned()),
                    ("model", self.config.board.model.to_owned()),
                    ("serial-number", self.config.serial.clone()),
                    ("firmware-type", self.config.board.architecture.to_owned()),
                    ("current-firmware", self.config.version.to_string()),
                    ("upgrade-firmware", self.config.version.to_string()),
                ]);
            }
            "/system/license" => {
                let (id, level) = if self.config.board.is_virtual() { (self.config.serial.as_str(), "p1") } else { ("", "4") };
                if !id.is_empty() {
                    fields.insert("system-id", id.to_owned());
                }
                fields.insert("level", level.to_owned());
            }
            "/system/clock" => {
                let wall = self.wall();
                let zone = self.zone();
                let offset = zone.to_offset_info(self.clock());
                fields.insert("date", wall.strftime("%Y-%m-%d").to_string());
                fields.insert("time", wall.strftime("%H:%M:%S").to_string());
                fields.insert("gmt-offset", show_offset(offset.offset().seconds()));
                fields.insert("dst-active", offset.dst().is_dst().to_string());
            }
            "/system/device-mode" => {
                fields.insert("mode", self.config.mode.word().to_owned());
                fields.extend([("flagged", "false".to_owned()), ("attempt-count", "0".to_owned())]);
                for feature in ["fetch", "scheduler", "hotspot"] {
                    fields.insert(feature, self.config.mode.allows(feature).to_string());
                }
            }
            "/system/ntp/client" => {
                let status = match (fields.get("enabled").map(String::as_str), self.synchronised) {
                    (Some("true"), true) => "synchronized",
                    (Some("true"), false) => "waiting",
                    _ => "stopped",
                };
                fields.insert("status", status.to_owned());
                if self.synchronised
                    && let Some(first) = fields.get("servers").and_then(|all| all.split(',').next())
                {
                    fields.insert("synced-server", first.to_owned());
                }
            }
            "/ip/dns" if self.rows("/ip/dhcp-client").next().is_some() => {
                let gateway = self.rows("/ip/dhcp-client").next().map_or("", |row| row.get("gateway")).to_owned();
                fields.insert("dynamic-servers", gateway);
            }
            _ => {}
        }
    }

    fn resource(&self, fields: &mut Fields) {
        let board = self.config.board;
        let long_term = self.config.version.minor == 20;
        let channel = if long_term { "long-term" } else { "stable" };
        let mib = |count: u64| (count << 20).to_string();
        fields.extend([
            ("uptime", self.since(self.booted)),
            ("version", format!("{} ({channel})", self.config.version)),
            ("build-time", "2026-01-15 09:00:00".to_owned()),
            ("architecture-name", board.architecture.to_owned()),
            ("board-name", if board.is_virtual() { "CHR QEMU Standard PC".to_owned() } else { board.name.to_owned() }),
            ("platform", "MikroTik".to_owned()),
            ("cpu", board.cpu.to_owned()),
            ("cpu-count", board.cpu_count.to_string()),
            ("cpu-load", "1".to_owned()),
            ("total-memory", mib(board.memory)),
            ("free-memory", mib(board.memory * 3 / 4)),
            ("total-hdd-space", mib(board.flash)),
            ("free-hdd-space", mib(board.flash / 4)),
            ("write-sect-total", self.sectors_written.to_string()),
            ("bad-blocks", "0".to_owned()),
        ]);
    }
}

/// Cuts a span to whole seconds; one that lies in the past counts as nothing.
pub(super) fn span(span: jiff::SignedDuration) -> u64 {
    u64::try_from(span.as_secs()).unwrap_or(0)
}

fn show_offset(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}
