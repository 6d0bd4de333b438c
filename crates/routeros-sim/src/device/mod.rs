//! The device itself: tables, commands, and what the system does by itself. Pure: time is handed in, randomness comes from
//! a seed, and what needs the world outside leaves as an [`Effect`].

mod clock;
mod commands;
mod computed;
pub mod config;
mod defaults;
mod dhcp;
mod export;
mod firewall;
mod hotspot;
mod ppp;
mod print;
mod query;
mod queue;
pub mod random;
pub mod request;
mod rules;
mod scheduler;
mod system;
pub mod table;
pub mod text;
mod tunnel;
pub mod users;
mod values;

pub use config::{BOARDS, Board, Config, Mode};
pub use dhcp::{DhcpError, DhcpGrant};
pub use firewall::{Packet, Reach};
pub use hotspot::{HotspotError, HotspotGrant};
pub use ppp::{Dial, DialError, PppGrant};
pub use queue::Limit;
pub use request::{Output, Request, Session, Shown, Trap};
pub use table::{Fields, Origin, Row, RowId, Table};
pub use tunnel::{TunnelConfig, TunnelPeer, TunnelPeerStatus};
pub use users::LoginError;

use jiff::{SignedDuration, Timestamp};
use random::Random;
use std::collections::{BTreeMap, VecDeque};

/// The most rows of one menu; a real router takes more, but grows slow long before.
pub const MAX_ROWS: usize = 50_000;

/// How often traffic is counted and limits are judged.
pub(crate) const TRAFFIC: SignedDuration = SignedDuration::from_secs(1);

/// Something that the device wants done outside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Runs a script, as the scheduler's on-event.
    Script {
        /// What the log calls it.
        name: String,
        /// The text.
        source: String,
        /// The account it runs as.
        owner: String,
        /// What it may do.
        policy: Vec<&'static str>,
    },
    /// Restarts the router.
    Reboot,
}

/// A virtual router's configuration and state.
#[derive(Debug)]
pub struct Device {
    config: Config,
    tables: BTreeMap<&'static str, Table>,
    singles: BTreeMap<&'static str, Fields>,
    next_ids: BTreeMap<&'static str, u32>,
    random: Random,
    now: Timestamp,
    booted: Timestamp,
    counted: Timestamp,
    /// The device-mode that waits for the button, and until when it does.
    asked_mode: Option<(Mode, Timestamp)>,
    /// What the router's clock shows, less the true time.
    offset: SignedDuration,
    synchronised: bool,
    ppp: BTreeMap<RowId, ppp::Live>,
    hotspot: BTreeMap<RowId, hotspot::Live>,
    next_runs: BTreeMap<RowId, Timestamp>,
    expiries: BTreeMap<RowId, Timestamp>,
    peers: BTreeMap<RowId, TunnelPeerStatus>,
    effects: VecDeque<Effect>,
    version: u64,
    sectors_written: u64,
}

impl Device {
    /// Makes a router as it comes up for the first time.
    #[must_use]
    pub fn new(config: Config, now: Timestamp) -> Self {
        let random = Random::new(config.seed);
        let offset = config.clock.map_or(SignedDuration::ZERO, |clock| clock.duration_since(now));
        let mut device = Self {
            config,
            tables: BTreeMap::new(),
            singles: BTreeMap::new(),
            next_ids: BTreeMap::new(),
            random,
            now,
            booted: now,
            counted: now,
            asked_mode: None,
            offset,
            synchronised: false,
            ppp: BTreeMap::new(),
            hotspot: BTreeMap::new(),
            next_runs: BTreeMap::new(),
            expiries: BTreeMap::new(),
            peers: BTreeMap::new(),
            effects: VecDeque::new(),
            version: 0,
            sectors_written: 0,
        };
        device.install_defaults();
        device.log("system,info", "router booted");
        device
    }

    /// Returns which router this is.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Returns a number that grows with every change, for who waits for one.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Marks a change that no table shows, so that whoever waits looks again.
    pub const fn touch(&mut self) {
        self.version += 1;
    }

    /// Returns the router's name.
    #[must_use]
    pub fn identity(&self) -> &str {
        self.single("/system/identity", "name")
    }

    /// Returns a menu's rows, dynamic ones included.
    pub fn rows(&self, path: &str) -> impl Iterator<Item = &Row> {
        self.tables.get(path).into_iter().flat_map(Table::iter)
    }

    /// Finds a row by a field.
    #[must_use]
    pub fn find(&self, path: &str, field: &str, value: &str) -> Option<&Row> {
        self.rows(path).find(|row| row.get(field) == value)
    }

    /// Returns a menu's number of changes so far.
    #[must_use]
    pub fn table_version(&self, path: &str) -> u64 {
        self.tables.get(path).map_or(self.version, |table| table.version)
    }

    /// Takes the next thing that has to be done outside.
    pub fn take_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Lets time pass: ends what has run out, counts traffic, starts what is due.
    pub fn tick(&mut self, now: Timestamp) {
        self.advance(now);
        self.synchronise();
        self.expire_entries();
        if self.now.duration_since(self.counted) >= TRAFFIC {
            self.counted = self.now;
            self.tick_ppp();
            self.tick_hotspot();
            self.tick_dhcp();
        }
        self.run_due();
    }

    /// Restarts: sessions and everything dynamic are gone, the configuration stays.
    pub fn reboot(&mut self, now: Timestamp) {
        self.advance(now);
        let sessions: Vec<RowId> = self.ppp.keys().copied().collect();
        for id in sessions {
            self.drop_ppp(id, "router rebooted");
        }
        let guests: Vec<RowId> = self.hotspot.keys().copied().collect();
        for id in guests {
            self.drop_hotspot(id, "router rebooted");
        }
        for path in ["/ip/hotspot/host", "/user/active", "/log"] {
            self.tables.remove(path);
        }
        self.booted = now;
        self.synchronised = false;
        self.log("system,info", "router rebooted");
        self.schedule_startup();
    }

    fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    fn table(&mut self, path: &'static str) -> &mut Table {
        self.version += 1;
        self.tables.entry(path).or_default()
    }

    fn row(&self, path: &str, id: RowId) -> Option<&Row> {
        self.tables.get(path)?.get(id)
    }

    fn row_mut(&mut self, path: &str, id: RowId) -> Option<&mut Row> {
        self.version += 1;
        self.tables.get_mut(path)?.get_mut(id)
    }

    /// Gives out the next id; all interfaces share one series, as `/interface` shows them together.
    fn new_id(&mut self, path: &'static str) -> RowId {
        let family = if computed::INTERFACES.iter().any(|(menu, _)| *menu == path) { "/interface" } else { path };
        let next = self.next_ids.entry(family).or_insert(0);
        *next += 1;
        RowId(*next)
    }

    fn insert(&mut self, path: &'static str, origin: Origin, fields: Fields, before: Option<RowId>) -> RowId {
        let id = self.new_id(path);
        self.table(path).insert(Row { id, origin, fields }, before);
        id
    }

    fn insert_dynamic<const N: usize>(&mut self, path: &'static str, fields: [(&'static str, String); N]) -> RowId {
        self.insert(path, Origin::Dynamic, Fields::from(fields), None)
    }

    fn delete(&mut self, path: &'static str, id: RowId) -> Option<Row> {
        self.table(path).remove(id)
    }

    fn single(&self, path: &str, field: &str) -> &str {
        self.singles.get(path).and_then(|fields| fields.get(field)).map_or("", String::as_str)
    }
}
