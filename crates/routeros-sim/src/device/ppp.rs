//! PPPoE: customers' sessions and all that comes and goes with them.

use super::firewall::{Packet, Reach};
use super::queue::Limit;
use super::request::Trap;
use super::table::{Row, RowId};
use super::{Device, Effect, text};
use jiff::Timestamp;
use std::net::Ipv4Addr;

/// A dial-in as it arrives.
#[derive(Debug, Clone, Copy)]
pub struct Dial<'a> {
    /// The name.
    pub name: &'a str,
    /// The password.
    pub password: &'a str,
    /// The caller's MAC address, in capitals.
    pub mac: &'a str,
    /// The port it comes in by, with the VLAN of its packets behind a colon: `ether2`, `ether2:120`.
    pub interface: &'a str,
    /// How much the customer would send and receive.
    pub wish: Limit,
}

impl<'a> Dial<'a> {
    /// Splits the port from the VLAN; no server answers in one that is no number.
    fn port(&self) -> (&'a str, Option<u16>) {
        match self.interface.split_once(':') {
            Some((port, tag)) => (port, Some(tag.parse().unwrap_or(0))),
            None => (self.interface, None),
        }
    }
}

/// A session that came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PppGrant {
    /// Its row in `/ppp/active`.
    pub id: RowId,
    /// The address the customer got.
    pub address: Ipv4Addr,
}

/// Why a dial-in fails, as the caller's box would show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Nobody answers on that port: no server there, it is disabled, full, or takes one session per host.
    #[error("no PPPoE server answers")]
    NoServer,
    /// Name or password is wrong, the secret is disabled or meant for another service or another MAC address.
    #[error("authentication failed")]
    Authentication,
    /// The profile allows one session at a time, and there is one.
    #[error("authentication failed: the user is already connected")]
    AlreadyActive,
    /// No address is left, or none is configured.
    #[error("no address: the pool is empty or none is set")]
    NoAddress,
}

/// What hangs on a session.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) active: RowId,
    pub(super) interface: RowId,
    pub(super) started: Timestamp,
    /// Every dynamic row that goes with the session.
    rows: Vec<(&'static str, RowId)>,
    server: RowId,
    name: String,
    mac: String,
    address: Ipv4Addr,
    timeout: u64,
    most: Limit,
    used: Limit,
    wish: Limit,
    counted: Timestamp,
    on_down: String,
}

/// What secret and profile give a session.
struct Terms {
    address: Ipv4Addr,
    local: String,
    profile: Row,
    most: Limit,
}

const SERVERS: &str = "/interface/pppoe-server/server";

impl Device {
    /// Lets a customer dial in.
    ///
    /// # Errors
    /// [`DialError`]; the log names the reason.
    pub fn dial(&mut self, dial: Dial<'_>, now: Timestamp) -> Result<PppGrant, DialError> {
        self.advance(now);
        let outcome = self.admit(dial);
        match &outcome {
            Ok(grant) => {
                self.log("pppoe,ppp,info,account", &format!("{} logged in, {} from {}", dial.name, grant.address, dial.mac))
            }
            Err(DialError::NoServer) => {}
            Err(error) => self.log("pppoe,ppp,error", &format!("<pppoe-{}>: user {} {error}", dial.name, dial.name)),
        }
        outcome
    }

    fn admit(&mut self, dial: Dial<'_>) -> Result<PppGrant, DialError> {
        let server = self.server_for(dial).cloned().ok_or(DialError::NoServer)?;
        let secret = self.secret_for(dial).ok_or(DialError::Authentication)?;
        let profile = self.find("/ppp/profile", "name", secret.get("profile")).ok_or(DialError::Authentication)?;
        if profile.get("only-one") == "yes" && self.ppp.values().any(|live| live.name == dial.name) {
            return Err(DialError::AlreadyActive);
        }
        let terms = self.terms(secret, profile)?;
        Ok(self.open(dial, &server, terms))
    }

    /// Finds the server that would answer on a port, or on the bridge that the port is in.
    fn server_for(&self, dial: Dial<'_>) -> Option<&Row> {
        let (interface, tag) = dial.port();
        self.interface(interface).filter(|row| !row.is("disabled"))?;
        let port = self.find("/interface/bridge/port", "interface", interface).filter(|port| !port.is("disabled"));
        let bridge = port.map_or("", |port| port.get("bridge"));
        self.rows(SERVERS).filter(|row| self.serves(row)).find(|row| {
            // Untagged callers are answered beside those of the range (manual: "accept-untagged", by default).
            let answered = tag
                .is_none_or(|tag| row.get("pppoe-over-vlan-range").split(',').any(|item| super::firewall::in_ports(item, tag)));
            let here = answered && (row.get("interface") == interface || row.get("interface") == bridge);
            let sessions = || self.ppp.values().filter(|live| live.server == row.id);
            let most = row.get("max-sessions").parse().unwrap_or(usize::MAX);
            let doubled = || row.is("one-session-per-host") && sessions().any(|live| live.mac == dial.mac);
            here && sessions().count() < most && !doubled()
        })
    }

    fn serves(&self, server: &Row) -> bool {
        !server.is("disabled") && !self.is_invalid(SERVERS, server)
    }

    fn secret_for(&self, dial: Dial<'_>) -> Option<&Row> {
        self.rows("/ppp/secret").find(|row| {
            let service = matches!(row.get("service"), "any" | "pppoe" | "");
            let caller = row.get("caller-id").is_empty() || row.get("caller-id").eq_ignore_ascii_case(dial.mac);
            row.get("name") == dial.name && service && caller && !row.is("disabled") && row.get("password") == dial.password
        })
    }

    fn terms(&self, secret: &Row, profile: &Row) -> Result<Terms, DialError> {
        let pick = |field: &str| if secret.get(field).is_empty() { profile.get(field) } else { secret.get(field) };
        let address = self.give_address(pick("remote-address")).ok_or(DialError::NoAddress)?;
        let local = pick("local-address").to_owned();
        if local.is_empty() {
            return Err(DialError::NoAddress);
        }
        let most = Limit { upload: secret.number("limit-bytes-in"), download: secret.number("limit-bytes-out") };
        Ok(Terms { address, local, profile: profile.clone(), most })
    }

    fn open(&mut self, dial: Dial<'_>, server: &Row, terms: Terms) -> PppGrant {
        let (now, address, profile) = (self.now, terms.address.to_string(), terms.profile);
        let link = format!("<pppoe-{}>", dial.name);
        let session = format!("0x81{:06x}", self.random.below(1 << 24));
        let active = [
            ("name", dial.name.to_owned()),
            ("service", "pppoe".to_owned()),
            ("caller-id", dial.mac.to_owned()),
            ("address", address.clone()),
            ("session-id", session),
        ];
        let active = self.insert_dynamic("/ppp/active", active);
        let interface = [
            ("name", link.clone()),
            ("user", dial.name.to_owned()),
            ("service", server.get("service-name").to_owned()),
            ("interface", dial.port().0.to_owned()),
            ("remote-address", dial.mac.to_owned()),
            ("mtu", "1480".to_owned()),
        ];
        let interface = self.insert_dynamic("/interface/pppoe-server", interface);
        let own = [
            ("address", format!("{}/32", terms.local)),
            ("network", address.clone()),
            ("interface", link.clone()),
            ("actual-interface", link.clone()),
        ];
        let mut rows = vec![("/interface/pppoe-server", interface), ("/ip/address", self.insert_dynamic("/ip/address", own))];
        let queue = self.session_queue(&link, &link, profile.get("rate-limit"), profile.get("parent-queue"));
        rows.extend(queue.map(|queue| ("/queue/simple", queue)));
        rows.extend(self.session_listing(profile.get("address-list"), &address));
        self.emit(&format!("ppp {} up", dial.name), profile.get("on-up").to_owned());
        let live = Live {
            active,
            interface,
            started: now,
            rows,
            server: server.id,
            name: dial.name.to_owned(),
            mac: dial.mac.to_owned(),
            address: terms.address,
            timeout: text::seconds(profile.get("session-timeout")).unwrap_or(0),
            most: terms.most,
            used: Limit::default(),
            wish: dial.wish,
            counted: now,
            on_down: profile.get("on-down").to_owned(),
        };
        self.ppp.insert(active, live);
        PppGrant { id: active, address: terms.address }
    }

    /// Puts a session's address on the list that its profile names.
    pub(super) fn session_listing(&mut self, list: &str, address: &str) -> Option<(&'static str, RowId)> {
        if list.is_empty() {
            return None;
        }
        let path = "/ip/firewall/address-list";
        let created = self.date_time();
        let entry = [
            ("list", list.to_owned()),
            ("address", address.to_owned()),
            ("creation-time", created),
            ("disabled", "false".to_owned()),
        ];
        Some((path, self.insert_dynamic(path, entry)))
    }

    /// Runs one of the scripts that profiles carry.
    pub(super) fn emit(&mut self, name: &str, source: String) {
        if !source.is_empty() {
            let policy = super::request::POLICIES.to_vec();
            self.effects.push_back(Effect::Script { name: name.to_owned(), source, owner: "*sys".to_owned(), policy });
        }
    }

    /// Gives out an address: a fixed one, or the first free one of a pool and the pools behind it.
    pub(super) fn give_address(&self, source: &str) -> Option<Ipv4Addr> {
        if let Ok(fixed) = source.parse::<Ipv4Addr>() {
            return (!self.in_use(fixed)).then_some(fixed);
        }
        let mut name = source;
        // Pools may point at each other in a circle.
        for _ in 0..=self.rows("/ip/pool").count() {
            let pool = self.find("/ip/pool", "name", name)?;
            let free = ranges(pool.get("ranges")).into_iter().find_map(|(first, last)| {
                (u32::from(first)..=u32::from(last)).map(Ipv4Addr::from).find(|address| !self.in_use(*address))
            });
            if free.is_some() {
                return free;
            }
            name = pool.get("next-pool");
        }
        None
    }

    fn in_use(&self, address: Ipv4Addr) -> bool {
        self.ppp.values().any(|live| live.address == address) || self.hotspot_uses(address) || self.lease_holds(address)
    }

    /// Finds the pool that an address is of.
    pub(super) fn pool_of(&self, address: Ipv4Addr) -> Option<&str> {
        let holds = |row: &&Row| ranges(row.get("ranges")).iter().any(|(first, last)| (*first..=*last).contains(&address));
        self.rows("/ip/pool").find(holds).map(|row| row.get("name"))
    }

    /// Says whether a session still exists.
    #[must_use]
    pub fn ppp_is_up(&self, id: RowId) -> bool {
        self.ppp.contains_key(&id)
    }

    /// Says where a session's web traffic ends up; nothing for a session that is gone.
    #[must_use]
    pub fn ppp_reach(&self, id: RowId) -> Option<Reach> {
        let live = self.ppp.get(&id)?;
        Some(self.web_reach(live.address, &format!("<pppoe-{}>", live.name)))
    }

    /// Says where web traffic from an address ends up, tried over http and https.
    #[must_use]
    pub fn web_reach(&self, source: Ipv4Addr, interface: &str) -> Reach {
        let destination = Ipv4Addr::new(1, 1, 1, 1);
        let try_port = |port| self.reach(Packet { source, destination, protocol: "tcp", port, interface, state: "new" });
        match (try_port(80), try_port(443)) {
            (http @ Reach::Redirected(_), _) => http,
            (_, https) => https,
        }
    }

    /// Ends a session because the customer hangs up.
    pub fn hang_up(&mut self, id: RowId, now: Timestamp) {
        self.advance(now);
        self.drop_ppp(id, "peer terminated");
    }

    pub(super) fn kick_ppp(&mut self, id: RowId) -> Result<(), Trap> {
        if self.drop_ppp(id, "admin-reset") { Ok(()) } else { Err(Trap::no_such_item()) }
    }

    /// Ends a session and everything that came with it.
    pub(super) fn drop_ppp(&mut self, id: RowId, reason: &str) -> bool {
        let Some(live) = self.ppp.remove(&id) else { return false };
        self.delete("/ppp/active", id);
        for (path, row) in live.rows {
            self.delete(path, row);
        }
        let when = self.date_time();
        let secret = self.find("/ppp/secret", "name", &live.name).map(|row| row.id);
        if let Some(row) = secret.and_then(|id| self.row_mut("/ppp/secret", id)) {
            row.fields.insert("last-logged-out", when);
            row.fields.insert("last-caller-id", live.mac);
            row.fields.insert("last-disconnect-reason", reason.to_owned());
        }
        self.log("pppoe,ppp,info,account", &format!("{} logged out, {reason}", live.name));
        self.emit(&format!("ppp {} down", live.name), live.on_down);
        true
    }

    /// Ends the sessions of servers that no longer serve. A changed secret or profile ends nothing, as on RouterOS.
    pub(super) fn end_unserved(&mut self) {
        let serves = |id: RowId| self.row(SERVERS, id).is_some_and(|row| self.serves(row));
        let ended: Vec<RowId> = self.ppp.values().filter(|live| !serves(live.server)).map(|live| live.active).collect();
        for id in ended {
            self.drop_ppp(id, "server is gone");
        }
    }

    /// Counts traffic and ends sessions whose time or volume is up.
    pub(super) fn tick_ppp(&mut self) {
        let now = self.now;
        let ids: Vec<RowId> = self.ppp.keys().copied().collect();
        for id in ids {
            let online = self.ppp_reach(id) == Some(Reach::Internet);
            let limits = self.ppp.get(&id).map(|live| self.limit_for(live.address, &format!("<pppoe-{}>", live.name)));
            let (Some((queue, limit)), Some(live)) = (limits, self.ppp.get_mut(&id)) else { continue };
            let passed = if online { volume(limit.apply(live.wish), live.counted, now) } else { Limit::default() };
            live.counted = now;
            live.used.upload += passed.upload;
            live.used.download += passed.download;
            let (used, most, interface) = (live.used, live.most, live.interface);
            let late = live.timeout > 0 && super::computed::span(now.duration_since(live.started)) >= live.timeout;
            let over = |limit: u64, used: u64| limit > 0 && used >= limit;
            if passed != Limit::default() {
                if let Some(queue) = queue {
                    self.count_queue(queue, passed.upload, passed.download);
                }
                if let Some(row) = self.row_mut("/interface/pppoe-server", interface) {
                    row.fields.insert("rx-byte", used.upload.to_string());
                    row.fields.insert("tx-byte", used.download.to_string());
                }
            }
            if late {
                self.drop_ppp(id, "session timeout");
            } else if over(most.upload, used.upload) || over(most.download, used.download) {
                self.drop_ppp(id, "traffic limit reached");
            }
        }
    }
}

/// Computes the bytes that pass at a speed between two moments.
pub(super) fn volume(rate: Limit, from: Timestamp, to: Timestamp) -> Limit {
    let millis = u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0);
    let bytes = |bits: u64| bits.saturating_mul(millis) / 8_000;
    Limit { upload: bytes(rate.upload), download: bytes(rate.download) }
}

/// Reads a pool's ranges: `a-b`, `a/n` and `a`, with commas between.
pub(super) fn ranges(text: &str) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let one = |item: &str| match item.split_once('-') {
        Some((first, last)) => first.parse().ok().zip(last.parse().ok()),
        None => item.parse::<ipnetwork::Ipv4Network>().ok().map(|network| (network.network(), network.broadcast())),
    };
    text.split(',').filter_map(one).filter(|(first, last)| first <= last).collect()
}
