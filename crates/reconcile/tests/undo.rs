//! Goal: whatever is planned for the rows that carry the controller's path, the undo that is armed for it brings them back to what they
//! were, by itself, in time, whatever the clock does, and touches nothing else.
//! Method: random rules on a virtual router, random wishes, the plan applied to it, and its own console running the undo.

use jiff::{SignedDuration, Timestamp};
use model::{RouterosVersion, Tag};
use proptest::prelude::*;
use reconcile::guard::{self, Unguardable, Window};
use reconcile::{Action, Change, Desired, Object, ObjectKey, Observed, Policy, Position, Risk, Row, Value, plan};
use routeros::catalogue::{self, Menu, ip_address, ip_firewall_filter as filter, system_scheduler as scheduler};
use routeros_sim::device::{Board, Config, Request, Session};
use routeros_sim::router::Router;
use std::collections::BTreeMap;

const GUARDED: [&Menu; 2] = [&filter::MENU, &ip_address::MENU];

/// A virtual router and its time.
struct Lab {
    router: Router,
    now: Timestamp,
    began: Timestamp,
}

impl Lab {
    fn new() -> Self {
        let version: RouterosVersion = "7.22.3".parse().expect("a version");
        let now = "2026-11-21T09:00:00Z".parse().expect("a time");
        let router = Router::new(Config::new(Board::find("CHR").expect("a board"), version, 7), now);
        Self { router, now, began: now }
    }

    fn run(&mut self, request: &Request) {
        self.router.execute(&Session::console(), request, self.now).unwrap_or_else(|trap| panic!("{request:?}: {trap}"));
    }

    fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now += SignedDuration::from_secs(1);
            self.router.tick(self.now);
        }
    }

    fn uptime(&self) -> SignedDuration {
        self.now.duration_since(self.began)
    }

    fn print(&mut self, menu: &'static Menu) -> Vec<BTreeMap<String, String>> {
        let output = self.router.execute(&Session::console(), &Request::new(menu.path, "print"), self.now).expect("a print");
        output.rows.into_iter().map(|row| row.into_iter().collect()).collect()
    }

    fn observe(&mut self) -> Observed {
        let mut observed = Observed::default();
        for menu in GUARDED {
            let rows = self.print(menu).into_iter().map(|mut row| {
                let id = row.remove(catalogue::ID).expect("every row has an id");
                Row::new(id, row.into_iter().map(|(name, value)| (name, value.into_bytes())))
            });
            observed.insert(menu, rows.collect());
        }
        observed
    }

    /// What the guarded menus hold, in order, without ids: a row that was removed has another when it is back.
    fn held(&mut self) -> Vec<Vec<BTreeMap<String, String>>> {
        let strip = |mut row: BTreeMap<String, String>| {
            row.remove(catalogue::ID);
            row
        };
        GUARDED.map(|menu| self.print(menu).into_iter().map(strip).collect()).to_vec()
    }

    fn apply(&mut self, change: &Change) {
        let path = change.menu.path;
        let id = change.id.clone().unwrap_or_default();
        let with = |request: Request| {
            let values = change.values.iter().filter_map(|(name, value)| Some((name, value.expose()?)));
            values.fold(request, |request, (name, value)| request.arg(name, value))
        };
        let request = match &change.action {
            Action::Add { before } => {
                let add = with(Request::new(path, "add"));
                before.iter().fold(add, |add, before| add.arg(filter::PLACE_BEFORE, before))
            }
            Action::Set => with(Request::new(path, "set").arg(catalogue::ID, &id)),
            Action::Unset { name } => Request::new(path, "unset").arg(catalogue::ID, &id).arg("value-name", name),
            Action::Move { before } => Request::new(path, "move").arg("numbers", &id).arg("destination", before),
            Action::Remove => Request::new(path, "remove").arg(catalogue::ID, &id),
        };
        self.run(&request);
    }

    fn timers(&mut self) -> usize {
        self.print(&scheduler::MENU).len()
    }
}

fn mark(number: u8) -> Tag {
    format!("mw:0000000000{number:02x}").parse().expect("a mark")
}

const UNDO: u8 = 0xff;

/// A rule of the tunnel: which, and what it says.
#[derive(Debug, Clone)]
struct Rule {
    number: u8,
    chain: u8,
    action: u8,
    source: Option<u8>,
    port: Option<u16>,
    prefix: String,
}

impl Rule {
    fn values(&self) -> Vec<(&'static str, String)> {
        let mut values = vec![
            (filter::CHAIN, ["input", "mw-input"][usize::from(self.chain)].to_owned()),
            (filter::ACTION, ["accept", "drop", "return"][usize::from(self.action)].to_owned()),
            (filter::LOG_PREFIX, self.prefix.clone()),
            (filter::COMMENT, mark(self.number).to_string()),
        ];
        values.extend(self.source.map(|host| (filter::SRC_ADDRESS, format!("10.10.0.{host}"))));
        if let Some(port) = self.port {
            values.extend([(filter::PROTOCOL, "tcp".to_owned()), (filter::DST_PORT, port.to_string())]);
        }
        values
    }

    fn object(&self) -> Object {
        let mut values: reconcile::Values = self.values().into_iter().map(|(name, text)| (name, Value::Plain(text))).collect();
        for name in [filter::SRC_ADDRESS, filter::PROTOCOL, filter::DST_PORT] {
            values.entry(name).or_insert(Value::Absent);
        }
        Object {
            menu: &filter::MENU,
            key: ObjectKey::new("rule", self.number),
            tag: mark(self.number),
            values,
            reason: "a test".to_owned(),
            risk: Risk::Path,
            position: Some(Position::Sequence),
        }
    }
}

fn rule(number: u8) -> impl Strategy<Value = Rule> {
    let parts = (0..2_u8, 0..3_u8, prop::option::of(1..4_u8), prop::option::of(1..4_u16), "[ -~]{0,6}");
    parts.prop_map(move |(chain, action, source, port, prefix)| Rule { number, chain, action, source, port, prefix })
}

/// Some of eight rules, in any order.
fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let all: Vec<_> = (1..=8).map(|number| (any::<u16>(), any::<bool>(), rule(number))).collect();
    all.prop_map(|mut all| {
        all.sort_by_key(|(place, ..)| *place);
        all.into_iter().filter(|(_, there, _)| *there).map(|(.., rule)| rule).collect()
    })
}

/// Puts rules of ours on a router, with foreign ones between them, and an address.
fn prepare(lab: &mut Lab, rules: &[Rule], foreign: &[u8]) {
    for (place, rule) in rules.iter().enumerate() {
        if foreign.contains(&u8::try_from(place).expect("few rules")) {
            let chain = ["input", "mw-input"][place % 2];
            let comment = format!("theirs {place}");
            lab.run(&Request::new(filter::MENU.path, "add").arg(filter::CHAIN, chain).arg(filter::COMMENT, &comment));
        }
        let add =
            rule.values().into_iter().fold(Request::new(filter::MENU.path, "add"), |add, (name, value)| add.arg(name, &value));
        lab.run(&add);
    }
    let address = Request::new(ip_address::MENU.path, "add").arg(ip_address::ADDRESS, "10.10.0.9/32");
    lab.run(&address.arg(ip_address::INTERFACE, "ether1").arg(ip_address::COMMENT, &mark(0).to_string()));
}

fn desired(rules: &[Rule], address: Option<u8>) -> Desired {
    let mut objects: Vec<Object> = rules.iter().map(Rule::object).collect();
    objects.extend(address.map(|host| {
        Object {
            menu: &ip_address::MENU,
            key: ObjectKey::new("address", "tunnel"),
            tag: mark(0),
            values: [
                (ip_address::ADDRESS, Value::Plain(format!("10.10.0.{host}/32"))),
                (ip_address::INTERFACE, Value::Plain("ether1".to_owned())),
                (ip_address::COMMENT, Value::Plain(mark(0).to_string())),
            ]
            .into(),
            reason: "a test".to_owned(),
            risk: Risk::Path,
            position: None,
        }
    }));
    Desired { objects, findings: Vec::new() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn the_undo_brings_back_what_was(
        there in rules(), wanted in rules(), foreign in prop::collection::vec(0..8_u8, 0..4), address in prop::option::of(8..11_u8),
        up in 0..100_i64, restart in any::<bool>(), jump in -100_000..100_000_i64, twice in any::<bool>(),
    ) {
        let mut lab = Lab::new();
        prepare(&mut lab, &there, &foreign);
        lab.pass(up + 20);
        let before = lab.held();
        let observed = lab.observe();
        let set = plan(&desired(&wanted, address), &observed, &Policy::default());
        prop_assume!(set.risk() == Risk::Path);
        let uptime = lab.uptime();
        let arming = guard::arm(&set.changes, &observed, mark(UNDO), uptime, Window::DEFAULT).expect("plain rules can be taken back");
        lab.apply(&arming);
        for change in &set.changes {
            lab.apply(change);
        }
        let after = lab.held();
        let clock = lab.router.device().clock() + SignedDuration::from_secs(jump);
        lab.router.device_mut().set_clock(clock);
        if restart {
            let now = lab.now;
            lab.router.reboot(now);
            lab.pass(1);
        } else {
            lab.pass(59);
            prop_assert_eq!(lab.held(), after, "not before the window has passed");
            lab.pass(1 + guard::LOOKS_EVERY.as_secs());
        }
        // Rules that only had their mark written are not guarded; these sets have none.
        prop_assert_eq!(lab.held(), before.clone(), "{}", set);
        prop_assert_eq!(lab.timers(), 0, "the undo removes itself");
        if twice {
            // Had the router lost power right before the entry removed itself, the undo would run once more.
            lab.apply(&arming);
            let now = lab.now;
            lab.router.reboot(now);
            lab.pass(1);
            prop_assert_eq!(lab.held(), before, "a second run changes nothing");
        }
    }
}

fn rule_with(prefix: &str) -> Rule {
    Rule { number: 1, chain: 1, action: 1, source: None, port: None, prefix: prefix.to_owned() }
}

#[test]
fn what_a_script_cannot_carry_is_refused() {
    let mut lab = Lab::new();
    prepare(&mut lab, &[rule_with("caf\u{e9}")], &[]);
    let observed = lab.observe();
    let set = plan(&desired(&[rule_with("cafe")], None), &observed, &Policy::default());
    let window = Window::new(SignedDuration::from_secs(20)).expect("the shortest");
    let refused = guard::arm(&set.changes, &observed, mark(UNDO), lab.uptime(), window);
    assert!(matches!(refused, Err(Unguardable::Text(_))), "{refused:?}");
    assert_eq!(Window::new(SignedDuration::from_secs(19)), None);
    assert_eq!(Window::new(SignedDuration::from_secs(601)), None);
}

#[test]
fn an_undo_that_is_disarmed_never_runs() {
    let mut lab = Lab::new();
    prepare(&mut lab, &[rule_with("a")], &[]);
    let observed = lab.observe();
    let set = plan(&desired(&[rule_with("b")], Some(9)), &observed, &Policy::default());
    lab.apply(&guard::arm(&set.changes, &observed, mark(UNDO), lab.uptime(), Window::DEFAULT).expect("it can be taken back"));
    for change in &set.changes {
        lab.apply(change);
    }
    let after = lab.held();
    let mut timers = Observed::default();
    let rows = lab.print(&scheduler::MENU).into_iter().map(|mut row| {
        let id = row.remove(catalogue::ID).expect("every row has an id");
        Row::new(id, row.into_iter().map(|(name, value)| (name, value.into_bytes())))
    });
    timers.insert(&scheduler::MENU, rows.collect());
    let armed = guard::armed(&timers).expect("it is armed").id.clone();
    lab.apply(&guard::disarm(&armed));
    lab.pass(200);
    assert_eq!(lab.held(), after);
}
