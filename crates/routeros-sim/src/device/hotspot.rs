//! Hotspot: devices that are seen, customers who log in, and what ends their time.

use super::firewall::Reach;
use super::ppp::volume;
use super::queue::Limit;
use super::request::Trap;
use super::table::{Fields, Row, RowId};
use super::{Device, text};
use jiff::Timestamp;
use std::net::Ipv4Addr;

/// A login that came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotspotGrant {
    /// Its row in `/ip/hotspot/active`; nothing for a device that needs no login.
    pub id: Option<RowId>,
    /// The device's address.
    pub address: Ipv4Addr,
}

/// Why a hotspot refuses, in the words that its login page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HotspotError {
    /// No hotspot serves the interface.
    #[error("no hotspot on this interface")]
    NoServer,
    /// No address is left.
    #[error("no address: the pool is empty or none is set")]
    NoAddress,
    /// A binding keeps the device out.
    #[error("this device is blocked")]
    Blocked,
    /// The name is unknown, the password wrong or the user disabled.
    #[error("invalid username or password")]
    Invalid,
    /// The user belongs to another device.
    #[error("user is not allowed to log in from this MAC address")]
    OtherDevice,
    /// The user is online as often as the profile allows.
    #[error("no more sessions are allowed for user")]
    TooMany,
    /// The user's online time is used up.
    #[error("user has reached uptime limit")]
    UptimeLimit,
    /// The user's volume is used up.
    #[error("user has reached traffic limit")]
    TrafficLimit,
}

#[derive(Debug)]
pub(super) struct Live {
    host: RowId,
    user: String,
    server: String,
    mac: String,
    address: Ipv4Addr,
    started: Timestamp,
    timeout: u64,
    rows: Vec<(&'static str, RowId)>,
    used: Limit,
    wish: Limit,
    counted: Timestamp,
    on_logout: String,
}

impl Device {
    /// Lets a device join the network of a hotspot: it gets an address, and a login by cookie where it has one.
    ///
    /// # Errors
    /// [`HotspotError`] where there is no hotspot, no address, or a binding that blocks.
    pub fn hotspot_join(
        &mut self,
        mac: &str,
        interface: &str,
        wish: Limit,
        now: Timestamp,
    ) -> Result<HotspotGrant, HotspotError> {
        self.advance(now);
        let (host, address, bypassed) = self.host_for(mac, interface)?;
        let server = self.row("/ip/hotspot/host", host).map_or("", |row| row.get("server")).to_owned();
        if bypassed {
            return Ok(HotspotGrant { id: None, address });
        }
        if let Some((id, _)) = self.hotspot.iter().find(|(_, live)| live.host == host) {
            return Ok(HotspotGrant { id: Some(*id), address });
        }
        let cookie = self.rows("/ip/hotspot/cookie").find(|row| row.get("mac-address") == mac);
        let user = cookie.filter(|_| self.logs_in_by(&server, "mac-cookie")).map(|row| row.get("user").to_owned());
        let user = user.and_then(|user| self.find("/ip/hotspot/user", "name", &user).cloned());
        let id = user.and_then(|user| self.enter(&user, host, "mac-cookie", wish).ok());
        Ok(HotspotGrant { id, address })
    }

    /// Logs a device in with name and password, as the login page does.
    ///
    /// # Errors
    /// [`HotspotError`] in the words of the login page.
    pub fn hotspot_login(
        &mut self,
        user: &str,
        password: &str,
        mac: &str,
        interface: &str,
        wish: Limit,
        now: Timestamp,
    ) -> Result<HotspotGrant, HotspotError> {
        let joined = self.hotspot_join(mac, interface, wish, now)?;
        if joined.id.is_some() {
            return Ok(joined);
        }
        let host = self.find("/ip/hotspot/host", "mac-address", mac).map(|row| row.id).ok_or(HotspotError::NoServer)?;
        let outcome = self.check_and_enter(user, password, host, "http-chap", wish);
        if let Err(error) = &outcome {
            self.log("hotspot,info,debug", &format!("{user} ({}): login failed: {error}", joined.address));
        }
        Ok(HotspotGrant { id: Some(outcome?), address: joined.address })
    }

    /// Runs `/ip/hotspot/active/login`.
    pub(super) fn hotspot_login_command(&mut self, fields: &Fields) -> Result<(), Trap> {
        let text = |name: &str| fields.get(name).map_or("", String::as_str);
        let host =
            self.rows("/ip/hotspot/host").find(|row| row.get("address") == text("ip") || row.get("to-address") == text("ip"));
        let host = host.map(|row| row.id).ok_or_else(|| Trap::failure("failure: unknown host IP"))?;
        let entered =
            self.check_and_enter(text("user"), text("password"), host, "admin", Limit { upload: 100_000, download: 1_000_000 });
        entered.map(|_| ()).map_err(|error| Trap::failure(format!("failure: {error}")))
    }

    fn check_and_enter(
        &mut self,
        user: &str,
        password: &str,
        host: RowId,
        by: &'static str,
        wish: Limit,
    ) -> Result<RowId, HotspotError> {
        let server = self.row("/ip/hotspot/host", host).map_or("", |row| row.get("server")).to_owned();
        let fits = |row: &&Row| matches!(row.get("server"), "all" | "") || row.get("server") == server;
        let row = self.rows("/ip/hotspot/user").filter(fits).find(|row| row.get("name") == user);
        let row = row.filter(|row| row.get("password") == password).cloned().ok_or(HotspotError::Invalid)?;
        self.enter(&row, host, by, wish)
    }

    /// Opens a session for a user whose password is settled.
    fn enter(&mut self, user: &Row, host: RowId, by: &'static str, wish: Limit) -> Result<RowId, HotspotError> {
        let seen = self.row("/ip/hotspot/host", host).ok_or(HotspotError::NoServer)?.clone();
        let mac = seen.get("mac-address").to_owned();
        self.may_enter(user, &mac)?;
        let profile = self.find("/ip/hotspot/user/profile", "name", user.get("profile")).ok_or(HotspotError::Invalid)?.clone();
        let (name, address) = (user.get("name").to_owned(), seen.get("to-address").to_owned());
        let now = self.now;
        let id = self.insert_dynamic(
            "/ip/hotspot/active",
            [
                ("server", seen.get("server").to_owned()),
                ("user", name.clone()),
                ("address", address.clone()),
                ("mac-address", mac.clone()),
                ("login-by", by.to_owned()),
                ("radius", "false".to_owned()),
                ("limit-bytes-total", user.number("limit-bytes-total").to_string()),
            ],
        );
        let mut rows = Vec::new();
        let queue_name = self.free_queue_name(&name);
        let queue =
            self.session_queue(&queue_name, &format!("{address}/32"), profile.get("rate-limit"), profile.get("parent-queue"));
        rows.extend(queue.map(|queue| ("/queue/simple", queue)));
        rows.extend(self.session_listing(profile.get("address-list"), &address));
        if let Some(row) = self.row_mut("/ip/hotspot/host", host) {
            row.fields.insert("authorized", "true".to_owned());
        }
        self.remember_device(&name, &mac, seen.get("server"), &profile);
        self.log("hotspot,info,account", &format!("{name} ({address}): logged in"));
        self.emit(&format!("hotspot {name} login"), profile.get("on-login").to_owned());
        let live = Live {
            host,
            user: name,
            server: seen.get("server").to_owned(),
            mac,
            address: address.parse().unwrap_or(Ipv4Addr::UNSPECIFIED),
            started: now,
            timeout: text::seconds(profile.get("session-timeout")).unwrap_or(0),
            rows,
            used: Limit::default(),
            wish,
            counted: now,
            on_logout: profile.get("on-logout").to_owned(),
        };
        self.hotspot.insert(id, live);
        Ok(id)
    }

    fn may_enter(&self, user: &Row, mac: &str) -> Result<(), HotspotError> {
        if user.is("disabled") {
            return Err(HotspotError::Invalid);
        }
        let bound = user.get("mac-address");
        if !matches!(bound, "" | "00:00:00:00:00:00") && bound != mac {
            return Err(HotspotError::OtherDevice);
        }
        let profile = self.find("/ip/hotspot/user/profile", "name", user.get("profile")).ok_or(HotspotError::Invalid)?;
        let shared = profile.get("shared-users").parse().unwrap_or(usize::MAX);
        if self.hotspot.values().filter(|live| live.user == user.get("name")).count() >= shared {
            return Err(HotspotError::TooMany);
        }
        match self.used_up(user) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Says which limit of a user is reached, if any.
    fn used_up(&self, user: &Row) -> Option<HotspotError> {
        let uptime = text::seconds(user.get("limit-uptime")).unwrap_or(0);
        let (online, volume) = self.hotspot_usage(user);
        let over = |limit: u64, used: u64| limit > 0 && used >= limit;
        if over(uptime, online) {
            return Some(HotspotError::UptimeLimit);
        }
        let traffic = over(user.number("limit-bytes-total"), volume.upload + volume.download)
            || over(user.number("limit-bytes-in"), volume.upload)
            || over(user.number("limit-bytes-out"), volume.download);
        traffic.then_some(HotspotError::TrafficLimit)
    }

    /// Sums up what a user has used, sessions that are open included.
    fn hotspot_usage(&self, user: &Row) -> (u64, Limit) {
        let mut online = text::seconds(user.get("uptime")).unwrap_or(0);
        let mut volume = Limit { upload: user.number("bytes-in"), download: user.number("bytes-out") };
        for live in self.hotspot.values().filter(|live| live.user == user.get("name")) {
            online += super::computed::span(self.now.duration_since(live.started));
            volume.upload += live.used.upload;
            volume.download += live.used.download;
        }
        (online, volume)
    }

    fn free_queue_name(&self, user: &str) -> String {
        let plain = format!("<hotspot-{user}>");
        let numbered = (1..).map(|number| format!("<hotspot-{user}-{number}>"));
        let free = std::iter::once(plain).chain(numbered).find(|name| self.find("/queue/simple", "name", name).is_none());
        free.expect("the numbers do not end")
    }

    fn logs_in_by(&self, server: &str, way: &str) -> bool {
        let profile = self.find("/ip/hotspot", "name", server).map_or("", |row| row.get("profile"));
        self.find("/ip/hotspot/profile", "name", profile)
            .is_some_and(|row| row.get("login-by").split(',').any(|word| word == way))
    }

    fn remember_device(&mut self, user: &str, mac: &str, server: &str, profile: &Row) {
        let wanted = profile.is("add-mac-cookie") && self.logs_in_by(server, "mac-cookie");
        if !wanted || self.find("/ip/hotspot/cookie", "mac-address", mac).is_some() {
            return;
        }
        let lifetime = text::seconds(profile.get("mac-cookie-timeout")).unwrap_or(259_200);
        let until = u64::try_from(self.now.as_second()).unwrap_or(0) + lifetime;
        self.insert_dynamic(
            "/ip/hotspot/cookie",
            [
                ("user", user.to_owned()),
                ("mac-address", mac.to_owned()),
                ("mac-cookie", "true".to_owned()),
                ("until", until.to_string()),
            ],
        );
    }

    /// Finds or makes the row of a device that is seen.
    fn host_for(&mut self, mac: &str, interface: &str) -> Result<(RowId, Ipv4Addr, bool), HotspotError> {
        let path = "/ip/hotspot";
        let bridge = self.find("/interface/bridge/port", "interface", interface).map_or("", |port| port.get("bridge"));
        let serves = |row: &&Row| {
            !row.is("disabled")
                && (row.get("interface") == interface || row.get("interface") == bridge)
                && !self.is_invalid(path, row)
        };
        let server = self.rows(path).find(serves).ok_or(HotspotError::NoServer)?.clone();
        let binding = self.rows("/ip/hotspot/ip-binding").find(|row| row.get("mac-address") == mac && !row.is("disabled"));
        let kind = binding.map_or("regular", |row| row.get("type")).to_owned();
        if kind == "blocked" {
            return Err(HotspotError::Blocked);
        }
        let bypassed = kind == "bypassed";
        if let Some(host) = self.find("/ip/hotspot/host", "mac-address", mac) {
            return Ok((host.id, host.get("to-address").parse().map_err(|_| HotspotError::NoAddress)?, bypassed));
        }
        let dhcp = self.find("/ip/dhcp-server", "interface", server.get("interface")).filter(|row| !row.is("disabled"));
        let pools = [server.get("address-pool"), dhcp.map_or("", |row| row.get("address-pool"))];
        let address = pools.into_iter().find_map(|pool| self.give_address(pool)).ok_or(HotspotError::NoAddress)?;
        let host = self.insert_dynamic(
            "/ip/hotspot/host",
            [
                ("mac-address", mac.to_owned()),
                ("address", address.to_string()),
                ("to-address", address.to_string()),
                ("server", server.get("name").to_owned()),
                ("authorized", "false".to_owned()),
                ("bypassed", bypassed.to_string()),
            ],
        );
        Ok((host, address, bypassed))
    }

    pub(super) fn hotspot_uses(&self, address: Ipv4Addr) -> bool {
        self.rows("/ip/hotspot/host").any(|row| row.get("to-address").parse() == Ok(address))
    }

    /// Says where a device's web traffic to a host ends up.
    #[must_use]
    pub fn hotspot_reach(&self, mac: &str, host: &str) -> Reach {
        let Some(seen) = self.find("/ip/hotspot/host", "mac-address", mac) else {
            return Reach::Blocked("not connected".to_owned());
        };
        let address = seen.get("to-address").parse().unwrap_or(Ipv4Addr::UNSPECIFIED);
        if seen.is("authorized") || seen.is("bypassed") || self.in_walled_garden(host) {
            return self.web_reach(address, "");
        }
        Reach::Redirected("hotspot login".to_owned())
    }

    /// Says whether a web host is open without login; `*` stands for any letters.
    fn in_walled_garden(&self, host: &str) -> bool {
        let rules = self.rows("/ip/hotspot/walled-garden").filter(|row| !row.is("disabled"));
        let by_name = rules.into_iter().find(|row| row.get("dst-host").is_empty() || glob(row.get("dst-host"), host));
        if let Some(rule) = by_name {
            return rule.get("action") != "deny";
        }
        let rules = self.rows("/ip/hotspot/walled-garden/ip").filter(|row| !row.is("disabled"));
        let address: Option<Ipv4Addr> = host.parse().ok();
        let by_address = rules.into_iter().find(|row| {
            let named = !row.get("dst-host").is_empty() && row.get("dst-host") == host;
            named || address.is_some_and(|address| super::firewall::in_range(row.get("dst-address"), address))
        });
        by_address.is_some_and(|rule| matches!(rule.get("action"), "accept" | ""))
    }

    /// Says whether a session still exists.
    #[must_use]
    pub fn hotspot_is_up(&self, id: RowId) -> bool {
        self.hotspot.contains_key(&id)
    }

    /// Lets a device leave: its session ends, its address is free again.
    pub fn hotspot_leave(&mut self, mac: &str, now: Timestamp) {
        self.advance(now);
        if let Some(host) = self.find("/ip/hotspot/host", "mac-address", mac).map(|row| row.id) {
            self.forget_host(host, "lost carrier");
        }
    }

    pub(super) fn kick_hotspot(&mut self, id: RowId) -> Result<(), Trap> {
        if self.drop_hotspot(id, "admin reset") { Ok(()) } else { Err(Trap::no_such_item()) }
    }

    pub(super) fn remove_host(&mut self, id: RowId) -> Result<(), Trap> {
        self.row("/ip/hotspot/host", id).ok_or_else(Trap::no_such_item)?;
        self.forget_host(id, "host removed");
        Ok(())
    }

    fn forget_host(&mut self, host: RowId, reason: &str) {
        let sessions: Vec<RowId> = self.hotspot.iter().filter(|(_, live)| live.host == host).map(|(id, _)| *id).collect();
        for id in sessions {
            self.drop_hotspot(id, reason);
        }
        self.delete("/ip/hotspot/host", host);
    }

    /// Ends a session; what was used stays with the user.
    pub(super) fn drop_hotspot(&mut self, id: RowId, reason: &str) -> bool {
        let Some(user) = self.hotspot.get(&id).map(|live| live.user.clone()) else { return false };
        let usage = self.find("/ip/hotspot/user", "name", &user).map(|row| (row.id, self.own_usage(row, id)));
        let Some(live) = self.hotspot.remove(&id) else { return false };
        if let Some((row, (online, volume))) = usage
            && let Some(row) = self.row_mut("/ip/hotspot/user", row)
        {
            row.fields.insert("uptime", text::duration(online));
            row.fields.insert("bytes-in", volume.upload.to_string());
            row.fields.insert("bytes-out", volume.download.to_string());
        }
        self.delete("/ip/hotspot/active", id);
        for (path, row) in live.rows {
            self.delete(path, row);
        }
        if let Some(row) = self.row_mut("/ip/hotspot/host", live.host) {
            row.fields.insert("authorized", "false".to_owned());
        }
        self.log("hotspot,info,account", &format!("{} ({}): logged out: {reason}", live.user, live.address));
        self.emit(&format!("hotspot {} logout", live.user), live.on_logout);
        true
    }

    /// Sums up what a user had used before, and in one session.
    fn own_usage(&self, user: &Row, id: RowId) -> (u64, Limit) {
        let live = self.hotspot.get(&id);
        let online = live.map_or(0, |live| super::computed::span(self.now.duration_since(live.started)));
        let used = live.map_or_else(Limit::default, |live| live.used);
        let volume = Limit { upload: user.number("bytes-in") + used.upload, download: user.number("bytes-out") + used.download };
        (text::seconds(user.get("uptime")).unwrap_or(0) + online, volume)
    }

    /// Ends the sessions of servers that no longer serve.
    pub(super) fn end_unserved_hotspot(&mut self) {
        let serves = |name: &str| self.find("/ip/hotspot", "name", name).is_some_and(|row| !row.is("disabled"));
        let hosts = self.rows("/ip/hotspot/host").filter(|row| !serves(row.get("server"))).map(|row| row.id);
        for host in hosts.collect::<Vec<_>>() {
            self.forget_host(host, "server is gone");
        }
    }

    /// Counts traffic, ends sessions whose time or volume is up, forgets old cookies.
    pub(super) fn tick_hotspot(&mut self) {
        let now = self.now;
        let ids: Vec<RowId> = self.hotspot.keys().copied().collect();
        for id in ids {
            let Some(live) = self.hotspot.get(&id) else { continue };
            let (address, server) = (live.address, live.server.clone());
            let online = self.web_reach(address, &server) == Reach::Internet;
            let (queue, limit) = self.limit_for(address, "");
            let Some(live) = self.hotspot.get_mut(&id) else { continue };
            let passed = if online { volume(limit.apply(live.wish), live.counted, now) } else { Limit::default() };
            live.counted = now;
            live.used.upload += passed.upload;
            live.used.download += passed.download;
            let late = live.timeout > 0 && super::computed::span(now.duration_since(live.started)) >= live.timeout;
            let user = live.user.clone();
            if let Some(queue) = queue.filter(|_| passed != Limit::default()) {
                self.count_queue(queue, passed.upload, passed.download);
            }
            let limit = self.find("/ip/hotspot/user", "name", &user).and_then(|row| self.used_up(row));
            if let Some(limit) = limit {
                self.drop_hotspot(id, &limit.to_string());
            } else if late {
                self.drop_hotspot(id, "session timeout");
            }
        }
        let second = u64::try_from(now.as_second()).unwrap_or(0);
        let old = self.rows("/ip/hotspot/cookie").filter(|row| row.number("until") <= second).map(|row| row.id);
        for cookie in old.collect::<Vec<_>>() {
            self.delete("/ip/hotspot/cookie", cookie);
        }
    }

    pub(super) fn hotspot_value(&self, id: RowId, name: &str) -> Option<String> {
        let live = self.hotspot.get(&id)?;
        match name {
            "uptime" => Some(self.since(live.started)),
            "idle-time" => Some("0s".to_owned()),
            "bytes-in" => Some(live.used.upload.to_string()),
            "bytes-out" => Some(live.used.download.to_string()),
            "session-time-left" => {
                let user = self.find("/ip/hotspot/user", "name", &live.user)?;
                let session = (live.timeout > 0)
                    .then(|| live.timeout.saturating_sub(super::computed::span(self.now.duration_since(live.started))));
                let limit = text::seconds(user.get("limit-uptime")).filter(|limit| *limit > 0);
                let left = limit.map(|limit| limit.saturating_sub(self.hotspot_usage(user).0));
                session.into_iter().chain(left).min().map(text::duration)
            }
            _ => None,
        }
    }

    pub(super) fn hotspot_user_value(&self, user: &Row, name: &str) -> Option<String> {
        let (online, volume) = self.hotspot_usage(user);
        match name {
            "uptime" => Some(text::duration(online)),
            "bytes-in" => Some(volume.upload.to_string()),
            "bytes-out" => Some(volume.download.to_string()),
            _ => None,
        }
    }

    /// Returns the address and MAC address of who is online with a hotspot session.
    #[must_use]
    pub fn hotspot_session(&self, id: RowId) -> Option<(Ipv4Addr, &str)> {
        self.hotspot.get(&id).map(|live| (live.address, live.mac.as_str()))
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let tail: Vec<&str> = parts.collect();
    let Some((last, middle)) = tail.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
