//! Goal: whatever is planned for the rows that carry the controller's path, the undo that is armed for it brings them back to what they
//! were, by itself, in time, whatever the clock does, and touches nothing else.
//! Method: random rules on a virtual router, random wishes, the plan applied to it, and its own console running the undo.

use super::lab::Lab;
use crate::guard::{self, Unguardable, Window};
use crate::*;
use jiff::{SignedDuration, Timestamp};
use model::Tag;
use proptest::prelude::*;
use routeros::catalogue::{self, Menu, ip_address, ip_firewall_filter as filter, system_scheduler as scheduler};
use routeros_sim::device::Request;

const GUARDED: [&Menu; 2] = [&filter::MENU, &ip_address::MENU];

/// The router's first moment.
fn dawn() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().expect("a time")
}

fn observe(lab: &mut Lab) -> Observed {
    let print = |menu: &'static Menu| Print {
        menu,
        proplist: menu.args.iter().map(|arg| arg.name).chain([catalogue::ID]).collect(),
        any_of: Vec::new(),
        except: None,
    };
    lab.observe(&GUARDED.map(print))
}

fn timers(lab: &mut Lab) -> usize {
    lab.print(&scheduler::MENU).len()
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
        let mut values: crate::Values = self.values().into_iter().map(|(name, text)| (name, Value::Plain(text))).collect();
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
        let mut lab = Lab::new("CHR", "7.22.3", dawn());
        prepare(&mut lab, &there, &foreign);
        lab.pass(up + 20);
        let before = lab.held(&GUARDED);
        let observed = observe(&mut lab);
        let set = plan(&desired(&wanted, address), &observed, &Policy::default());
        prop_assume!(set.risk() == Risk::Path);
        let uptime = lab.uptime();
        let arming = guard::arm(&set.changes, &observed, mark(UNDO), uptime, Window::DEFAULT).expect("plain rules can be taken back");
        lab.apply(&arming);
        for change in &set.changes {
            lab.apply(change);
        }
        let after = lab.held(&GUARDED);
        let clock = lab.router.device().clock() + SignedDuration::from_secs(jump);
        lab.router.device_mut().set_clock(clock);
        if restart {
            let now = lab.now;
            lab.router.reboot(now);
            lab.pass(1);
        } else {
            lab.pass(59);
            prop_assert_eq!(lab.held(&GUARDED), after, "not before the window has passed");
            lab.pass(1 + guard::LOOKS_EVERY.as_secs());
        }
        // Rules that only had their mark written are not guarded; these sets have none.
        prop_assert_eq!(lab.held(&GUARDED), before.clone(), "{}", set);
        prop_assert_eq!(timers(&mut lab), 0, "the undo removes itself");
        if twice {
            // Had the router lost power right before the entry removed itself, the undo would run once more.
            lab.apply(&arming);
            let now = lab.now;
            lab.router.reboot(now);
            lab.pass(1);
            prop_assert_eq!(lab.held(&GUARDED), before, "a second run changes nothing");
        }
    }
}

fn rule_with(prefix: &str) -> Rule {
    Rule { number: 1, chain: 1, action: 1, source: None, port: None, prefix: prefix.to_owned() }
}

#[test]
fn what_a_script_cannot_carry_is_refused() {
    let mut lab = Lab::new("CHR", "7.22.3", dawn());
    prepare(&mut lab, &[rule_with("caf\u{e9}")], &[]);
    let observed = observe(&mut lab);
    let set = plan(&desired(&[rule_with("cafe")], None), &observed, &Policy::default());
    let window = Window::new(SignedDuration::from_secs(20)).expect("the shortest");
    let refused = guard::arm(&set.changes, &observed, mark(UNDO), lab.uptime(), window);
    assert!(matches!(refused, Err(Unguardable::Text(_))), "{refused:?}");
    assert_eq!(Window::new(SignedDuration::from_secs(19)), None);
    assert_eq!(Window::new(SignedDuration::from_secs(601)), None);
}

#[test]
fn an_undo_that_is_disarmed_never_runs() {
    let mut lab = Lab::new("CHR", "7.22.3", dawn());
    prepare(&mut lab, &[rule_with("a")], &[]);
    let observed = observe(&mut lab);
    let set = plan(&desired(&[rule_with("b")], Some(9)), &observed, &Policy::default());
    lab.apply(&guard::arm(&set.changes, &observed, mark(UNDO), lab.uptime(), Window::DEFAULT).expect("it can be taken back"));
    for change in &set.changes {
        lab.apply(change);
    }
    let after = lab.held(&GUARDED);
    let timers = lab.observe(&[guard::print()]);
    let armed = guard::armed(&timers).expect("it is armed").id.clone();
    lab.apply(&guard::disarm(&armed));
    lab.pass(200);
    assert_eq!(lab.held(&GUARDED), after);
}
