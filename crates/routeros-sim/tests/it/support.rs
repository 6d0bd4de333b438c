//! A router at hand, and short ways to talk to it.

use jiff::{SignedDuration, Timestamp};
use model::RouterosVersion;
use routeros_sim::device::{Board, Config, Mode, Output, Request, Session, Trap};
use routeros_sim::router::{Ended, Router};
use std::collections::BTreeMap;

/// The moment at which every pure test begins: a Saturday noon.
pub const START: &str = "2026-11-21T09:00:00Z";

/// Describes a router of a board and a version.
pub fn config(board: &str, version: &str) -> Config {
    let version: RouterosVersion = version.parse().expect("a version");
    Config::new(Board::find(board).expect("a board"), version, 7)
}

/// A router and its time.
pub struct Lab {
    pub router: Router,
    pub now: Timestamp,
}

impl Lab {
    /// A virtual machine that allows everything.
    pub fn new() -> Self {
        Self::with(config("CHR", "7.22.3"))
    }

    pub fn with(config: Config) -> Self {
        let now = START.parse().expect("a time");
        Self { router: Router::new(config, now), now }
    }

    pub fn in_mode(mode: Mode) -> Self {
        let mut config = config("hEX S", "7.20.8");
        config.mode = mode;
        Self::with(config)
    }

    /// Runs a command given as an API sentence without its `=`: `/ppp/secret/add`, `name=asha`.
    pub fn run(&mut self, words: &[&str]) -> Result<Output, Trap> {
        self.run_as(&Session::console(), words)
    }

    pub fn run_as(&mut self, session: &Session, words: &[&str]) -> Result<Output, Trap> {
        let mut request = Request::parse(words[0]);
        for word in &words[1..] {
            match word.strip_prefix('?') {
                Some(query) => request.queries.push(query.to_owned()),
                None => {
                    let (name, value) = word.split_once('=').unwrap_or((word, ""));
                    request.args.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        self.router.execute(session, &request, self.now)
    }

    /// Runs a command that must work, and gives its `ret`.
    pub fn ok(&mut self, words: &[&str]) -> String {
        self.run(words).unwrap_or_else(|trap| panic!("{words:?}: {trap}")).ret.unwrap_or_default()
    }

    /// Runs a command that must be refused, and gives the text.
    pub fn refused(&mut self, words: &[&str]) -> String {
        self.run(words).expect_err("it must be refused").message
    }

    pub fn print(&mut self, path: &str) -> Vec<BTreeMap<String, String>> {
        let output = self.run(&[&format!("{path}/print"), "show-sensitive=yes"]).expect("a print");
        output.rows.into_iter().map(|row| row.into_iter().collect()).collect()
    }

    /// Prints the one row whose field has a value.
    pub fn row(&mut self, path: &str, field: &str, value: &str) -> BTreeMap<String, String> {
        let rows: Vec<_> = self.print(path).into_iter().filter(|row| row.get(field).is_some_and(|own| own == value)).collect();
        assert_eq!(rows.len(), 1, "{path} {field}={value}: {rows:?}");
        rows.into_iter().next().expect("one row")
    }

    pub fn single(&mut self, path: &str) -> BTreeMap<String, String> {
        self.print(path).into_iter().next().expect("one set of values")
    }

    /// Lets seconds pass, a tick at each.
    pub fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now = self.now.checked_add(SignedDuration::from_secs(1)).expect("within the calendar");
            self.router.tick(self.now);
        }
    }

    /// Lets time pass at once.
    pub fn jump(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).expect("within the calendar");
        self.router.tick(self.now);
    }

    /// Pastes text and lets time pass until it has run.
    pub fn paste(&mut self, text: &str) -> Ended {
        let id = self.router.start_paste(text, self.now).expect("an idle terminal");
        for _ in 0..600 {
            if let Some(ended) = self.router.take_ended(id) {
                return ended;
            }
            self.pass(1);
        }
        panic!("the paste does not end");
    }

    /// Sets up a PPPoE server on `ether2` with the profile `home` and the secret `asha`.
    pub fn with_pppoe(mut self) -> Self {
        self.ok(&["/ip/pool/add", "name=homes", "ranges=10.5.0.2-10.5.0.3"]);
        self.ok(&["/ppp/profile/add", "name=home", "local-address=10.5.0.1", "remote-address=homes", "rate-limit=5M/10M"]);
        self.ok(&["/ppp/secret/add", "name=asha", "password=secret", "profile=home", "service=pppoe"]);
        self.ok(&["/interface/pppoe-server/server/add", "service-name=isp", "interface=ether2", "disabled=no"]);
        self
    }

    /// Sets up a hotspot on `ether3` with the profile `hour` and the user `otieno`.
    pub fn with_hotspot(mut self) -> Self {
        self.ok(&["/ip/pool/add", "name=guests", "ranges=10.6.0.10-10.6.0.20"]);
        self.ok(&["/ip/hotspot/profile/add", "name=hs", "login-by=http-chap,mac-cookie"]);
        self.ok(&["/ip/hotspot/add", "name=hs1", "interface=ether3", "address-pool=guests", "profile=hs", "disabled=no"]);
        self.ok(&["/ip/hotspot/user/profile/add", "name=hour", "rate-limit=1M/2M", "shared-users=1"]);
        self.ok(&["/ip/hotspot/user/add", "name=otieno", "password=secret", "profile=hour", "limit-uptime=1h"]);
        self
    }
}
